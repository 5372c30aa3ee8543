//! Who a client is to coordinators, for calls on its behalf; and what a session remembers of that.

use std::borrow::Cow;
use std::sync::{Arc, Weak};

use super::http::{Request, Standing};
use super::line::Credentials;

/// How a connection to a coordinator becomes this client's.
#[derive(Clone)]
pub(crate) enum Access {
    /// Nobody logs in.
    Bare,
    Plain(Arc<Credentials>),
    /// With the head of this request around a call.
    Http(Arc<Request>),
    /// Nobody but the client can: its tickets are good for one log-in.
    ClientOnly,
}

/// What a session keeps. Passwords and tokens live no longer than a connection that brought them.
pub(crate) enum Remembered {
    Bare,
    Plain(Weak<Credentials>),
    OpenHttp(Arc<Request>),
    Http(Weak<Request>),
    ClientOnly,
}

impl Access {
    /// The same as before, if `request` says the same about its client.
    pub(super) fn of_request(request: &Request, before: &Self) -> Option<Self> {
        match request.standing() {
            Standing::Single if matches!(before, Self::ClientOnly) => None,
            Standing::Single => Some(Self::ClientOnly),
            Standing::Open | Standing::Repeats => match before {
                Self::Http(known) if known.identity() == request.identity() => None,
                _ => Some(Self::Http(Arc::new(request.clone()))),
            },
        }
    }

    /// Who logged in, whatever calls claim.
    pub(super) fn login(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Plain(credentials) => Some(credentials.user().into()),
            Self::Http(request) => request.user().map(Into::into),
            Self::Bare | Self::ClientOnly => None,
        }
    }

    pub(super) fn remembered(&self) -> Remembered {
        match self {
            Self::Bare => Remembered::Bare,
            Self::Plain(credentials) => Remembered::Plain(Arc::downgrade(credentials)),
            Self::Http(request) => match request.standing() {
                Standing::Open => Remembered::OpenHttp(Arc::clone(request)),
                _ => Remembered::Http(Arc::downgrade(request)),
            },
            Self::ClientOnly => Remembered::ClientOnly,
        }
    }
}

impl Remembered {
    /// `None`: it went with the client's last connection.
    pub(super) fn recall(&self) -> Option<Access> {
        Some(match self {
            Self::Bare => Access::Bare,
            Self::Plain(credentials) => Access::Plain(credentials.upgrade()?),
            Self::OpenHttp(request) => Access::Http(Arc::clone(request)),
            Self::Http(request) => Access::Http(request.upgrade()?),
            Self::ClientOnly => Access::ClientOnly,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_forgotten_with_the_connection_that_brought_it() {
        let credentials = Arc::new(Credentials::plain("alice", "secret").unwrap());
        let access = Access::Plain(credentials);
        let remembered = access.remembered();
        assert!(matches!(remembered.recall(), Some(Access::Plain(_))));
        drop(access);
        assert!(remembered.recall().is_none());
    }

    #[test]
    fn where_nobody_logs_in_nothing_is_forgotten() {
        for access in [Access::Bare, Access::ClientOnly] {
            let remembered = access.remembered();
            drop(access);
            assert!(remembered.recall().is_some());
        }
    }
}
