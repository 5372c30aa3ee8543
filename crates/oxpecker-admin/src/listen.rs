//! Opens the admin side's sockets: while the process may still do so, and before anything else of
//! a new configuration is in force.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oxpecker_config::model;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// The owner and its group.
const UNIX_MODE: u32 = 0o660;

/// Whom socket files belong to; `None` = who the process is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Owner {
    pub user: Option<u32>,
    pub group: Option<u32>,
}

/// Why a socket of the admin side cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on {listen} for [admin]{hint}")]
pub struct OpenError {
    listen: String,
    hint: &'static str,
    #[source]
    source: io::Error,
}

/// What is listened on. Those that stay over a reload are the same `Arc`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sockets {
    pub(crate) tcp: Option<Arc<Tcp>>,
    pub(crate) unix: Option<Arc<Unix>>,
    pub(crate) haproxy: Option<Arc<Unix>>,
}

#[derive(Debug)]
pub(crate) struct Tcp {
    address: SocketAddr,
    pub(crate) listener: TcpListener,
}

#[derive(Debug)]
pub(crate) struct Unix {
    path: PathBuf,
    /// Device and inode: the file may be somebody else's meanwhile.
    file: Option<(u64, u64)>,
    pub(crate) listener: UnixListener,
}

impl Sockets {
    /// Opens what `old` does not have.
    pub(crate) fn open(admin: &model::Admin, old: &Self, owner: Owner) -> Result<Self, OpenError> {
        let known = old.tcp.as_ref().filter(|tcp| Some(tcp.address) == admin.listen);
        let tcp = match (known, admin.listen) {
            (Some(known), _) => Some(Arc::clone(known)),
            (None, Some(address)) => Some(Arc::new(Tcp::open(address)?)),
            (None, None) => None,
        };
        // Without it everything still works over TCP.
        let unix = match open_unix(admin.socket.as_deref(), &old.unix, owner) {
            Err(error) if is_place_missing(&error.source) => {
                let path = admin.socket.as_deref().unwrap_or(Path::new("")).display();
                tracing::warn!(
                    socket = %path, error = %error.source,
                    "no Unix socket for the admin side: its directory is missing or not writable; \
                     make it, or write `socket = \"off\"` or another path in [admin]"
                );
                None
            }
            opened => opened?,
        };
        let haproxy = open_unix(admin.haproxy_socket.as_deref(), &old.haproxy, owner)?;
        Ok(Self { tcp, unix, haproxy })
    }
}

fn is_place_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
    )
}

fn open_unix(
    path: Option<&Path>,
    old: &Option<Arc<Unix>>,
    owner: Owner,
) -> Result<Option<Arc<Unix>>, OpenError> {
    let Some(path) = path else { return Ok(None) };
    if let Some(old) = old.as_ref().filter(|old| old.path == path) {
        return Ok(Some(Arc::clone(old)));
    }
    let opened = Unix::open(path, owner).map_err(|source| OpenError {
        listen: format!("unix:{}", path.display()),
        hint: match source.kind() {
            io::ErrorKind::AddrInUse => " (another process listens there: give each its own path)",
            io::ErrorKind::NotFound => " (its directory is missing)",
            _ => "",
        },
        source,
    })?;
    Ok(Some(Arc::new(opened)))
}

impl Tcp {
    fn open(address: SocketAddr) -> Result<Self, OpenError> {
        let open = || -> io::Result<TcpListener> {
            let kind = Type::STREAM.nonblocking().cloexec();
            let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
            if address.is_ipv6() {
                socket.set_only_v6(!address.ip().is_unspecified())?;
            }
            socket.set_reuse_address(true)?;
            socket.set_tcp_nodelay(true)?;
            socket.bind(&SockAddr::from(address))?;
            socket.listen(BACKLOG)?;
            Ok(socket.into())
        };
        let opened = open().map_err(|source| OpenError {
            listen: address.to_string(),
            hint: match source.kind() {
                io::ErrorKind::AddrInUse => " (another process listens there; `ss -ltnp` names it)",
                io::ErrorKind::AddrNotAvailable => {
                    " (no interface of this machine has that address)"
                }
                io::ErrorKind::PermissionDenied => " (ports below 1024 need CAP_NET_BIND_SERVICE)",
                _ => "",
            },
            source,
        })?;
        Ok(Self { address, listener: opened })
    }
}

impl Unix {
    fn open(path: &Path, owner: Owner) -> io::Result<Self> {
        oxpecker_proxy::remove_stale_socket(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        // Nobody can connect before `listen`, so nobody comes in under another mode.
        if owner.user.is_some() || owner.group.is_some() {
            chown(path, owner.user, owner.group)?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(UNIX_MODE))?;
        socket.listen(BACKLOG)?;
        let file = identity(path);
        Ok(Self { path: path.to_owned(), file, listener: socket.into() })
    }
}

impl std::fmt::Display for Unix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unix:{}", self.path.display())
    }
}

impl Drop for Unix {
    fn drop(&mut self) {
        // After a chroot it is not found; the next start removes it.
        if self.file.is_some() && self.file == identity(&self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}
