//! Opens listening sockets, all of them or none.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use oxpecker_config::model::{Listen, Virtual};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::socket::set_keepalive;

/// What makes a listener the same one over a reload.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ListenerKey {
    pub(crate) listen: Listen,
    interface: Option<String>,
    dual_stack: bool,
}

/// Sockets of one address, ready to be accepted from.
#[derive(Debug)]
pub(crate) struct Opened {
    /// One for each worker.
    pub(crate) sockets: Vec<Socket>,
    /// The service manager opened it, and will need it again.
    pub(crate) is_inherited: bool,
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on {listen} for virtual server `{virtual_server}`{hint}")]
pub struct ListenError {
    virtual_server: String,
    listen: String,
    hint: &'static str,
    #[source]
    source: io::Error,
}

impl ListenerKey {
    pub(crate) fn of(config: &Virtual) -> impl Iterator<Item = Self> + '_ {
        config.listen.iter().map(|listen| Self {
            listen: listen.clone(),
            interface: config.interface.clone(),
            dual_stack: config.dual_stack,
        })
    }

    /// One socket for each worker. Without SO_REUSEPORT, and for Unix and inherited sockets,
    /// all of them are the same socket and the workers share its queue.
    pub(crate) fn open(
        &self,
        config: &Virtual,
        workers: usize,
        inherited: &mut Vec<Socket>,
    ) -> Result<Opened, ListenError> {
        self.try_open(config, workers, inherited).map_err(|source| ListenError {
            virtual_server: config.name.clone(),
            listen: self.to_string(),
            hint: hint(&source),
            source,
        })
    }

    fn try_open(
        &self,
        config: &Virtual,
        workers: usize,
        inherited: &mut Vec<Socket>,
    ) -> io::Result<Opened> {
        if let Some(socket) = self.take_inherited(inherited) {
            tracing::info!(virtual_server = %config.name, listen = %self, "listening on an inherited socket");
            socket.set_nonblocking(true)?;
            return Ok(Opened { sockets: share(socket, workers)?, is_inherited: true });
        }
        let sockets = match &self.listen {
            Listen::Unix(path) => share(open_unix(path, config)?, workers)?,
            Listen::Tcp(address) if config.reuse_port && workers > 1 => {
                (0..workers).map(|_| self.open_tcp(*address, config)).collect::<Result<_, _>>()?
            }
            Listen::Tcp(address) => share(self.open_tcp(*address, config)?, workers)?,
        };
        Ok(Opened { sockets, is_inherited: false })
    }

    fn take_inherited(&self, inherited: &mut Vec<Socket>) -> Option<Socket> {
        let at = inherited.iter().position(|socket| self.is_bound_by(socket))?;
        Some(inherited.swap_remove(at))
    }

    pub(crate) fn is_inherited(&self, inherited: &[Socket]) -> bool {
        inherited.iter().any(|socket| self.is_bound_by(socket))
    }

    fn is_bound_by(&self, socket: &Socket) -> bool {
        let Ok(local) = socket.local_addr() else { return false };
        match &self.listen {
            Listen::Tcp(address) => local.as_socket() == Some(*address),
            Listen::Unix(path) => local.as_pathname() == Some(path.as_path()),
        }
    }

    /// Removes the file of a Unix socket that is no longer listened on, unless it was inherited.
    pub(crate) fn remove_file(&self, is_inherited: bool) {
        if let Listen::Unix(path) = &self.listen
            && !is_inherited
        {
            // After a chroot or as another user it may not be ours to remove; the next start
            // finds it stale.
            let _ = fs::remove_file(path);
        }
    }

    fn open_tcp(&self, address: SocketAddr, config: &Virtual) -> io::Result<Socket> {
        let socket = match new_tcp(address) {
            // A host without IPv6: `*` can still mean all of IPv4.
            Err(error)
                if error.raw_os_error() == Some(nix::libc::EAFNOSUPPORT)
                    && address.ip().is_unspecified()
                    && self.dual_stack =>
            {
                return self.open_tcp(([0, 0, 0, 0], address.port()).into(), config);
            }
            socket => socket?,
        };
        if address.is_ipv6() {
            socket.set_only_v6(!(self.dual_stack && address.ip().is_unspecified()))?;
        }
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(config.reuse_port)?;
        if let Some(interface) = &self.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        apply_options(&socket, config)?;
        socket.bind(&SockAddr::from(address))?;
        socket.listen(backlog(config))?;
        Ok(socket)
    }

    /// Somebody else's listener would share our connections through SO_REUSEPORT without a
    /// word. Asked once, when the process starts.
    pub(crate) fn refuse_if_taken(&self, config: &Virtual) -> Result<(), ListenError> {
        let Listen::Tcp(address) = &self.listen else { return Ok(()) };
        if !config.reuse_port || address.port() == 0 {
            return Ok(());
        }
        let probe = || -> io::Result<()> {
            let socket = new_tcp(*address)?;
            if address.is_ipv6() {
                socket.set_only_v6(!(self.dual_stack && address.ip().is_unspecified()))?;
            }
            socket.set_reuse_address(true)?;
            if let Some(interface) = &self.interface {
                socket.bind_device(Some(interface.as_bytes()))?;
            }
            socket.bind(&SockAddr::from(*address))?;
            socket.listen(1)
        };
        match probe() {
            Err(source) if source.kind() == io::ErrorKind::AddrInUse => Err(ListenError {
                virtual_server: config.name.clone(),
                listen: self.to_string(),
                hint: hint(&source),
                source,
            }),
            // Whatever else is wrong the real opening will say.
            _ => Ok(()),
        }
    }
}

impl std::fmt::Display for ListenerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.listen {
            Listen::Tcp(address) => write!(f, "{address}")?,
            Listen::Unix(path) => write!(f, "unix:{}", path.display())?,
        }
        match &self.interface {
            Some(interface) => write!(f, " on {interface}"),
            None => Ok(()),
        }
    }
}

/// Gives a listener that stays what the new configuration says.
pub(crate) fn reconfigure(socket: &Socket, config: &Virtual) -> io::Result<()> {
    apply_options(socket, config)?;
    // Calling it again only changes the length of the queue.
    socket.listen(backlog(config))
}

/// Sets what accepted connections inherit from their listener.
fn apply_options(socket: &Socket, config: &Virtual) -> io::Result<()> {
    if socket.domain()? == Domain::UNIX {
        return match socket.local_addr()?.as_pathname() {
            Some(path) => set_mode(path, config),
            None => Ok(()),
        };
    }
    let profile = &config.protocol_profile;
    socket.set_tcp_nodelay(true)?;
    match &profile.client_keepalive {
        Some(keepalive) => set_keepalive(socket, Some(keepalive))?,
        None => socket.set_keepalive(false)?,
    }
    socket.set_tcp_user_timeout(profile.client_user_timeout)
}

fn new_tcp(address: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))
}

fn backlog(config: &Virtual) -> i32 {
    i32::try_from(config.backlog).unwrap_or(i32::MAX)
}

fn open_unix(path: &Path, config: &Virtual) -> io::Result<Socket> {
    remove_stale_socket(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    set_mode(path, config)?;
    socket.listen(backlog(config))?;
    Ok(socket)
}

fn set_mode(path: &Path, config: &Virtual) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(config.socket_mode))
}

/// Removes a socket file that nobody listens on, left by a process that was killed.
pub fn remove_stale_socket(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
            _ => Err(io::ErrorKind::AddrInUse.into()),
        },
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "a file that is no socket is in the way",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// For people.
pub(crate) fn address_of(socket: &Socket) -> String {
    let address = socket.local_addr().ok();
    let tcp = address.as_ref().and_then(SockAddr::as_socket).map(|tcp| tcp.to_string());
    let unix = || address.as_ref()?.as_pathname().map(|path| format!("unix:{}", path.display()));
    tcp.or_else(unix).unwrap_or_else(|| "of another kind".to_owned())
}

fn share(socket: Socket, workers: usize) -> io::Result<Vec<Socket>> {
    let mut sockets: Vec<Socket> =
        (1..workers).map(|_| socket.try_clone()).collect::<Result<_, _>>()?;
    sockets.push(socket);
    Ok(sockets)
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => " (another process listens there; `ss -ltnp` names it)",
        io::ErrorKind::AddrNotAvailable => " (no interface of this machine has that address)",
        io::ErrorKind::PermissionDenied => {
            " (ports below 1024 and interface binding need CAP_NET_BIND_SERVICE or CAP_NET_RAW)"
        }
        _ => "",
    }
}
