//! What the caller wants delivered, where to, and under which names.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// One delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub store: StoreSettings,
    pub naming: Naming,
    /// A file ends where the clock (UTC) passes a multiple of this; whole seconds.
    pub interval: Duration,
    /// A directory of this process alone; made when missing.
    pub spool: PathBuf,
    /// All files in the spool together.
    pub spool_bytes_max: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSettings {
    Bucket(Bucket),
    /// Must exist whenever a file is delivered.
    Directory(PathBuf),
}

impl fmt::Display for StoreSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket(Bucket { name, endpoint: None, .. }) => write!(f, "s3://{name}"),
            Self::Bucket(Bucket { name, endpoint: Some(at), .. }) => write!(f, "{at}/{name}"),
            Self::Directory(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A bucket of an S3-compatible store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    pub name: String,
    pub region: String,
    /// Scheme, host and port; `None` = AWS.
    pub endpoint: Option<String>,
    /// PEM; `None` = the system's roots.
    pub ca_file: Option<PathBuf>,
    /// `None` = from the environment or the instance's metadata.
    pub keys: Option<Keys>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    pub id: String,
    pub secret: SecretKey,
}

/// A key that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(pub String);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What files are called in the store. The texts must be fit for paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    pub layout: Layout,
    pub prefix: Option<String>,
    /// Of the load balancer.
    pub name: String,
    pub account: String,
    pub region: String,
    /// This gateway among others of the same name.
    pub host: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As AWS names the access logs of its load balancers.
    Elb,
    /// All in one directory.
    Flat,
}
