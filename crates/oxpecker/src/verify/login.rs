//! One login as a client makes it, by the same conversations that probe members.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use oxpecker_config::model::Protocol;
use oxpecker_wire::probe::{
    BeeswaxProbe, Conversation, Hs2HttpProbe, Hs2Probe, Login, Progress, Verdict,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::Service;

const PATIENCE: Duration = Duration::from_secs(15);
const HTTP_PATH: &str = "/cliservice";

/// What went wrong, in words for an administrator.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    #[error("could not connect: {0}")]
    Connect(io::Error),
    #[error(
        "the connection was reset (clients call it `Error 104`): the coordinator died, or nothing \
         usable is behind the gateway; its access log says which"
    )]
    Reset,
    #[error(
        "no answer for {PATIENCE:?}: the coordinator accepts connections and does not serve them"
    )]
    Silent,
    #[error("TLS: {0}")]
    Tls(io::Error),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Io(io::Error),
}

/// A finished login. The connection stays open until this is dropped.
pub(super) struct LoggedIn {
    pub(super) verdict: Verdict,
    _connection: Stream,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// How to log in, prepared once.
pub(super) struct Client<'a> {
    service: &'a Service<'a>,
    login: Login,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl<'a> Client<'a> {
    pub(super) fn new(
        service: &'a Service<'a>,
        tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    ) -> anyhow::Result<Self> {
        let user = service.options.user.clone();
        let login = match &service.options.password_file {
            None => Login::None { user },
            Some(path) => {
                let password = fs::read_to_string(path)
                    .with_context(|| format!("failed to read {}", path.display()))?;
                Login::Plain { user, password: password.trim_end_matches(['\r', '\n']).to_owned() }
            }
        };
        Ok(Self { service, login, tls })
    }

    /// Connects, and makes the TLS handshake where there is one.
    pub(super) fn shake_hands(&self) -> Result<(), LoginError> {
        match self.connect()? {
            Stream::Plain(_) => Ok(()),
            Stream::Tls(mut tls) => {
                let StreamOwned { conn, sock } = &mut *tls;
                while conn.is_handshaking() {
                    conn.complete_io(sock).map_err(said)?;
                }
                Ok(())
            }
        }
    }

    pub(super) fn log_in(&self) -> Result<LoggedIn, LoginError> {
        let login = self.login.clone();
        match self.service.protocol() {
            Protocol::Beeswax => self.converse(BeeswaxProbe::new(login)),
            Protocol::Hs2Http => {
                let host = self.service.public_name().map_or_else(
                    || self.service.address.to_string(),
                    |name| format!("{name}:{}", self.service.address.port()),
                );
                self.converse(Hs2HttpProbe::new(login, &host, HTTP_PATH))
            }
            Protocol::Hs2 | Protocol::Tcp => self.converse(Hs2Probe::new(login)),
        }
    }

    fn converse(&self, mut conversation: impl Conversation) -> Result<LoggedIn, LoginError> {
        let mut stream = self.connect()?;
        let mut to_send = conversation.start();
        let mut buffer = [0; 16 * 1024];
        loop {
            if !to_send.is_empty() {
                stream.write_all(&std::mem::take(&mut to_send)).map_err(said)?;
            }
            let progress = match stream.read(&mut buffer) {
                Ok(0) => conversation.closed(),
                Ok(read) => conversation.receive(&buffer[..read]),
                Err(error) => return Err(said(error)),
            };
            match progress.map_err(|error| LoginError::Refused(error.to_string()))? {
                Progress::NeedMore => {}
                Progress::Send(bytes) => to_send = bytes,
                Progress::Reconnect { send } => {
                    stream = self.connect()?;
                    to_send = send;
                }
                Progress::Done(verdict) => {
                    return Ok(LoggedIn { verdict, _connection: stream });
                }
            }
        }
    }

    fn connect(&self) -> Result<Stream, LoginError> {
        let stream = TcpStream::connect_timeout(&self.service.address, PATIENCE)
            .map_err(LoginError::Connect)?;
        let prepared = stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .and_then(|()| stream.set_nodelay(true));
        prepared.map_err(LoginError::Io)?;
        match &self.tls {
            None => Ok(Stream::Plain(stream)),
            Some((config, name)) => {
                let connection = ClientConnection::new(Arc::clone(config), name.clone())
                    .map_err(|error| LoginError::Tls(io::Error::other(error)))?;
                Ok(Stream::Tls(Box::new(StreamOwned::new(connection, stream))))
            }
        }
    }
}

/// What an error on an open connection means.
fn said(error: io::Error) -> LoginError {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => LoginError::Reset,
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => LoginError::Silent,
        io::ErrorKind::InvalidData => LoginError::Tls(error),
        _ => LoginError::Io(error),
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
