//! HTTP requests to an authority: one connection each, by our own TLS.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::super::client::explain;
use crate::wording;

/// One request, from the look-up of the name to the last byte.
const PATIENCE: Duration = Duration::from_secs(30);

/// Directories, orders and chains are a few kilobytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How much of a page that is no answer is worth showing.
const SHOWN_CHARS_MAX: usize = 200;

/// Why an authority gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransportError {
    #[error("`{0}` is no https address with a host")]
    Address(Uri),
    #[error("failed to connect to {host}: {}", wording::in_words(source))]
    Connect { host: String, source: io::Error },
    #[error("TLS with {host}: {reason}")]
    Tls { host: String, reason: String },
    #[error("{host} broke off: {}", wording::in_words(source))]
    Http { host: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{host} did not answer within {PATIENCE:?}")]
    TimedOut { host: String },
    #[error("{host} answered with status {status}: {text}")]
    Status { host: String, status: u16, text: String },
}

/// Speaks to one authority.
#[derive(Debug, Clone)]
pub(super) struct Client {
    tls: Arc<ClientConfig>,
    told: Told,
}

/// Until when the authority last asked to be left alone (Retry-After).
#[derive(Debug, Clone, Default)]
pub(super) struct Told(Arc<Mutex<Option<SystemTime>>>);

impl Told {
    pub(super) fn take(&self) -> Option<SystemTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, until: Option<SystemTime>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

impl Client {
    pub(super) fn new(tls: Arc<ClientConfig>) -> Self {
        Self { tls, told: Told::default() }
    }

    pub(super) fn told(&self) -> Told {
        self.told.clone()
    }

    async fn ask(
        self,
        host: &str,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> Result<BytesResponse, TransportError> {
        let port = request.uri().port_u16().unwrap_or(443);
        // An IPv6 address has brackets in addresses only.
        let plain = host.trim_start_matches('[').trim_end_matches(']');
        let connect = |source| TransportError::Connect { host: format!("{host}:{port}"), source };
        let http = |source: hyper::Error| TransportError::Http {
            host: host.to_owned(),
            source: Box::new(source),
        };
        let tls = |reason| TransportError::Tls { host: host.to_owned(), reason };
        let stream = TcpStream::connect((plain, port)).await.map_err(connect)?;
        let name = ServerName::try_from(plain.to_owned())
            .map_err(|_| TransportError::Address(request.uri().clone()))?;
        let stream = TlsConnector::from(Arc::clone(&self.tls))
            .connect(name, stream)
            .await
            .map_err(|error| tls(explain(&error)))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
        let _driver = Driver(tokio::spawn(connection).abort_handle());

        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let path = path.parse().map_err(|_| TransportError::Address(request.uri().clone()))?;
        let name = HeaderValue::from_str(&authority)
            .map_err(|_| TransportError::Address(request.uri().clone()))?;
        *request.uri_mut() = path;
        request.headers_mut().insert(HOST, name);
        let response = sender.send_request(request).await.map_err(http)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let body = body
            .map_err(|source| TransportError::Http { host: host.to_owned(), source })?
            .to_bytes();

        if !parts.status.is_success() {
            let header = parts.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            self.told.set(header.and_then(|value| retry_after(value, SystemTime::now())));
            let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            // A problem in the authority's own words is JSON; a page comes from what is before it.
            if !kind.is_some_and(|kind| kind.contains("json")) {
                let text = String::from_utf8_lossy(&body);
                let words: Vec<&str> = text.split_whitespace().collect();
                return Err(TransportError::Status {
                    host: host.to_owned(),
                    status: parts.status.as_u16(),
                    text: words.join(" ").chars().take(SHOWN_CHARS_MAX).collect(),
                });
            }
        }
        Ok(BytesResponse::from(Response::from_parts(parts, Full::new(body))))
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.clone();
        Box::pin(async move {
            let host = request.uri().host().map(str::to_owned);
            let answer = match host {
                Some(host) if request.uri().scheme_str() == Some("https") => {
                    match timeout(PATIENCE, client.ask(&host, request)).await {
                        Ok(answer) => answer,
                        Err(_) => Err(TransportError::TimedOut { host }),
                    }
                }
                _ => Err(TransportError::Address(request.uri().clone())),
            };
            answer.map_err(|error| Error::Other(Box::new(error)))
        })
    }
}

/// Ends the task that moves a connection's bytes.
struct Driver(tokio::task::AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Seconds from now, or a date (RFC 9110, section 10.2.3).
fn retry_after(value: &str, now: SystemTime) -> Option<SystemTime> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return now.checked_add(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(date.timestamp().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        assert_eq!(retry_after(" 120 ", now), Some(now + Duration::from_secs(120)));
        let date = retry_after("Fri, 31 Dec 1999 23:59:59 GMT", now);
        assert_eq!(date, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_799)));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-5", now), None);
    }
}
