//! Where an admin side is.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// `[admin]`'s default port.
const PORT: u16 = 25_002;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp { host: String, port: u16, tls: bool },
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write unix:PATH, http://HOST:PORT or https://HOST:PORT")]
pub(crate) struct NoAddress;

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let path = text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:"));
        if let Some(path) = path.or_else(|| text.starts_with('/').then_some(text)) {
            return if path.is_empty() { Err(NoAddress) } else { Ok(Self::Unix(path.into())) };
        }
        let (rest, tls) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (rest, true),
            (None, Some(rest)) => (rest, false),
            (None, None) if text.contains("://") => return Err(NoAddress),
            (None, None) => (text, false),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split(rest).ok_or(NoAddress)?;
        let odd = |c: char| c.is_whitespace() || c.is_control() || "/?#@".contains(c);
        if host.is_empty() || host.contains(odd) {
            return Err(NoAddress);
        }
        Ok(Self::Tcp { host: host.to_owned(), port, tls })
    }
}

/// IPv6 addresses are in brackets, unless there is no port.
fn split(text: &str) -> Option<(&str, u16)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        let port = if rest.is_empty() { PORT } else { rest.strip_prefix(':')?.parse().ok()? };
        return Some((host, port));
    }
    if text.parse::<IpAddr>().is_ok() {
        return Some((text, PORT));
    }
    match text.split_once(':') {
        None => Some((text, PORT)),
        Some((host, port)) => Some((host, port.parse().ok()?)),
    }
}

impl Address {
    /// The name a certificate must have; `None` without TLS.
    pub(super) fn tls_name(&self) -> Option<&str> {
        match self {
            Self::Tcp { host, tls: true, .. } => Some(host),
            _ => None,
        }
    }

    pub(super) fn host_header(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".into(),
            Self::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port, .. } => format!("{host}:{port}"),
        }
    }

    pub(super) fn is_clear_text_over_a_network(&self) -> bool {
        match self {
            Self::Tcp { host, tls: false, .. } => {
                host != "localhost" && !host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
            _ => false,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { tls, .. } => {
                write!(f, "{}://{}", if *tls { "https" } else { "http" }, self.host_header())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let address = text.parse::<Address>().map(|address| address.to_string());
        assert_eq!(address.unwrap_or_default(), expected, "{text}");
    }

    #[test]
    fn addresses_in_all_their_forms() {
        check("unix:/run/a.sock", "unix:/run/a.sock");
        check("unix:///run/a.sock", "unix:/run/a.sock");
        check("/run/a.sock", "unix:/run/a.sock");
        check("http://lb:1234", "http://lb:1234");
        check("https://lb.example.com/", "https://lb.example.com:25002");
        check("lb:1234", "http://lb:1234");
        check("127.0.0.1", "http://127.0.0.1:25002");
        check("::1", "http://[::1]:25002");
        check("https://[::1]:99", "https://[::1]:99");
    }

    #[test]
    fn what_is_none() {
        for text in ["", "unix:", "ftp://x", "http://", "http://u:p@h:1", "h:99999", "h:1/api"] {
            check(text, "");
        }
    }

    #[test]
    fn secrets_in_clear_text_are_told_from_those_that_stay_here() {
        let clear = |text: &str| text.parse::<Address>().unwrap().is_clear_text_over_a_network();
        assert!(clear("http://lb:1") && clear("http://10.0.0.1:1"));
        assert!(!clear("http://127.0.0.1:1") && !clear("https://lb:1") && !clear("/run/a"));
    }
}
