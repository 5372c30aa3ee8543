//! The client of the admin side: one request, one answer, over a Unix socket, TCP or TLS.
//!
//! Answers are bounded in size and time. Secrets come from files and the environment, never from
//! the command line, where everybody on the machine can read them.

mod address;
mod error;
mod target;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use anyhow::Context;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

pub(crate) use address::Address;
pub(crate) use error::ClientError;
pub(crate) use target::{Target, member_target};

/// For a connection, TLS included.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// For one answer. A reload looks up names and reads certificates before it answers.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);

/// The longest listings stay far below it.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A page of another site cannot set it, so the gateway asks for it with every change.
const NOT_A_FORM: &str = "x-oxpecker-request";

/// Where the gateway is, and who asks.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "The gateway")]
pub(crate) struct Access {
    /// Admin side of the gateway: unix:PATH, http://HOST:PORT or https://HOST:PORT
    #[arg(
        long,
        value_name = "WHERE",
        env = "OXPECKER_ADMIN",
        default_value = "unix:/run/oxpecker/admin.sock"
    )]
    admin: Address,
    /// File with a bearer token; OXPECKER_TOKEN may hold the token itself
    #[arg(long, value_name = "FILE", env = "OXPECKER_TOKEN_FILE")]
    admin_token_file: Option<PathBuf>,
    /// User, with the password in OXPECKER_PASSWORD or a file
    #[arg(long, value_name = "NAME", env = "OXPECKER_USER")]
    admin_user: Option<String>,
    /// File with that user's password
    #[arg(long, value_name = "FILE", env = "OXPECKER_PASSWORD_FILE")]
    admin_password_file: Option<PathBuf>,
    /// Authorities to verify the gateway with, over https; without it the system's
    #[arg(long, value_name = "FILE", env = "OXPECKER_CA_FILE")]
    admin_ca_file: Option<PathBuf>,
}

/// Talks to one gateway. Blocking: each call ends with an answer or an error.
pub(crate) struct Client {
    runtime: Runtime,
    address: Address,
    authorization: Option<HeaderValue>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// What hyper needs of a connection.
trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

impl Client {
    pub(crate) fn new(access: &Access) -> anyhow::Result<Self> {
        let authorization = authorization(access)?;
        if authorization.is_some() && access.admin.is_clear_text_over_a_network() {
            eprintln!("oxpecker: warning: the secret goes over the network in clear text");
        }
        let tls = match access.admin.tls_name() {
            None => None,
            Some(name) => {
                let config = oxpecker_proxy::verifying_client(access.admin_ca_file.as_deref())
                    .context("failed to read the authorities")?;
                let name = ServerName::try_from(name.to_owned())
                    .with_context(|| format!("`{name}` is no name of a server"))?;
                Some((TlsConnector::from(Arc::clone(&config)), name))
            }
        };
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("failed to start the runtime")?;
        Ok(Self { runtime, address: access.admin.clone(), authorization, tls })
    }

    /// What is at a place, as a value.
    pub(crate) fn get<T: DeserializeOwned>(&self, target: &Target) -> Result<T, ClientError> {
        self.decode(&self.raw(target)?)
    }

    /// What is at a place, as it was sent.
    pub(crate) fn raw(&self, target: &Target) -> Result<Bytes, ClientError> {
        self.call(Method::GET, target, Bytes::new())
    }

    pub(crate) fn patch<T: DeserializeOwned>(
        &self,
        target: &Target,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.decode(&self.call(Method::PATCH, target, json(body))?)
    }

    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        target: &Target,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.decode(&self.call(Method::POST, target, json(body))?)
    }

    /// A command that says all by its name. The answer may be empty.
    pub(crate) fn command(&self, target: &Target) -> Result<Bytes, ClientError> {
        self.call(Method::POST, target, Bytes::new())
    }

    /// The answer may be empty.
    pub(crate) fn delete(&self, target: &Target) -> Result<Bytes, ClientError> {
        self.call(Method::DELETE, target, Bytes::new())
    }

    pub(crate) fn decode<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(body)
            .map_err(|cause| ClientError::Unreadable { address: self.address.clone(), cause })
    }

    fn call(&self, method: Method, target: &Target, body: Bytes) -> Result<Bytes, ClientError> {
        let request = self.request(method, target, body)?;
        let (status, body) = self.runtime.block_on(self.exchange(request))?;
        if status.is_success() {
            return Ok(body);
        }
        Err(ClientError::refused(&self.address, status, &body))
    }

    fn request(
        &self,
        method: Method,
        target: &Target,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(target.as_str())
            .header(HOST, self.address.host_header())
            .header(NOT_A_FORM, "1");
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        request.body(Full::new(body)).map_err(|_| ClientError::Name)
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let address = || self.address.clone();
        let silent = |_| ClientError::Silent { address: address() };
        let broken = |cause| ClientError::Broken { address: address(), cause };
        let stream = timeout(CONNECT_PATIENCE, self.connect()).await.map_err(silent)?;
        let stream = stream.map_err(|cause| ClientError::Connect { address: address(), cause })?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let answer = async move {
            let answer = sender.send_request(request).await.map_err(broken)?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
                Ok(cause) => broken(*cause),
                Err(error) => {
                    debug_assert!(error.is::<LengthLimitError>(), "the only other error");
                    ClientError::TooLong { address: address() }
                }
            })?;
            Ok((status, body.to_bytes()))
        };
        // The connection ends when the answer is there and its sender is dropped.
        let both = async { tokio::join!(answer, connection).0 };
        timeout(ANSWER_PATIENCE, both).await.map_err(silent)?
    }

    async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        let tcp = match &self.address {
            Address::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
            Address::Tcp { host, port, .. } => TcpStream::connect((host.as_str(), *port)).await?,
        };
        match &self.tls {
            None => Ok(Box::new(tcp)),
            Some((connector, name)) => Ok(Box::new(connector.connect(name.clone(), tcp).await?)),
        }
    }
}

fn json(body: &impl Serialize) -> Bytes {
    let text = serde_json::to_vec(body).expect("our shapes have only names as keys");
    Bytes::from(text)
}

/// A token goes before user and password.
fn authorization(access: &Access) -> anyhow::Result<Option<HeaderValue>> {
    let token = secret(access.admin_token_file.as_ref(), "OXPECKER_TOKEN")?;
    let text = match (token, &access.admin_user) {
        (Some(token), _) => format!("Bearer {token}"),
        (None, None) => return Ok(None),
        (None, Some(user)) => {
            let password = secret(access.admin_password_file.as_ref(), "OXPECKER_PASSWORD")?
                .with_context(|| {
                    format!(
                        "no password for `{user}`: give --admin-password-file, or set OXPECKER_PASSWORD"
                    )
                })?;
            format!("Basic {}", oxpecker_wire::http::basic_credentials(user, &password))
        }
    };
    let mut value = HeaderValue::try_from(text).ok().context("the secret has an odd character")?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn secret(file: Option<&PathBuf>, variable: &str) -> anyhow::Result<Option<String>> {
    if let Some(path) = file {
        let text = fs::read_to_string(path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        return Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()));
    }
    Ok(env::var(variable).ok().filter(|text| !text.is_empty()))
}
