//! The words an option may take, beside the value each stands for.

use crate::model::{
    AccessFormat, AdminState, Facility, Layout, Level, Method, Orphans, Protocol, ProxyVersion,
    QueryFormat, Records, Role, Scope, ServiceDown, Statements, SyslogProtocol, TextFormat,
    TlsVersion, VirtualKind, WhenAllDown,
};

/// A type with one word per value.
pub(crate) trait Word: Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

/// All words of a type, as the option table wants them.
pub(crate) fn names<W: Word>() -> Vec<&'static str> {
    W::WORDS.iter().map(|(word, _)| *word).collect()
}

/// What a monitor does, before its options are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeKind {
    Tcp,
    Http,
    Healthz,
    Hs2,
    Beeswax,
    Hs2Http,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginKind {
    None,
    Plain,
}

/// What is asked of the members' certificates; the fingerprints are an option of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerifyKind {
    Required,
    Pinned,
    None,
}

/// What is asked of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientCertificates {
    None,
    Optional,
    Required,
}

/// What those may do on the admin side who do not say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Anonymous(pub(crate) Option<Role>);

/// HAProxy's words for what a socket's commands may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SocketLevel(pub(crate) Role);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChallengeKind {
    TlsAlpn01,
    Http01,
}

macro_rules! words {
    ($($type:ident { $($word:literal => $value:expr),+ $(,)? })+) => {
        $(impl Word for $type {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, $value)),+];
        })+
    };
}

words! {
    Level {
        "emerg" => Self::Emerg,
        "alert" => Self::Alert,
        "crit" => Self::Crit,
        "err" => Self::Err,
        "warning" => Self::Warning,
        "notice" => Self::Notice,
        "info" => Self::Info,
        "debug" => Self::Debug,
    }
    Layout { "elb" => Layout::Elb, "flat" => Layout::Flat }
    AccessFormat { "tcplog" => Self::Tcplog, "json" => Self::Json, "off" => Self::Off }
    TextFormat { "text" => Self::Text, "json" => Self::Json }
    QueryFormat { "json" => Self::Json, "off" => Self::Off }
    Statements { "redacted" => Self::Redacted, "full" => Self::Full, "off" => Self::Off }
    Records {
        "all" => Self::All,
        "process" => Self::Process,
        "access" => Self::Access,
        "queries" => Self::Queries,
    }
    SyslogProtocol { "rfc3164" => Self::Rfc3164, "rfc5424" => Self::Rfc5424 }
    Facility {
        "kern" => Self(0), "user" => Self(1), "mail" => Self(2), "daemon" => Self(3),
        "auth" => Self(4), "syslog" => Self(5), "lpr" => Self(6), "news" => Self(7),
        "uucp" => Self(8), "cron" => Self(9), "authpriv" => Self(10), "ftp" => Self(11),
        "ntp" => Self(12), "audit" => Self(13), "alert" => Self(14), "cron2" => Self(15),
        "local0" => Self(16), "local1" => Self(17), "local2" => Self(18), "local3" => Self(19),
        "local4" => Self(20), "local5" => Self(21), "local6" => Self(22), "local7" => Self(23),
    }
    Method {
        "round-robin" => Self::RoundRobin,
        "least-connections" => Self::LeastConnections,
        "source-hash" => Self::SourceHash,
        "random-two" => Self::RandomTwo,
        "least-operations" => Self::LeastOperations,
    }
    Scope { "node" => Self::Node, "member" => Self::Member }
    ServiceDown {
        "none" => Self::None,
        "reset" => Self::Reset,
        "drop" => Self::Drop,
        "reselect" => Self::Reselect,
    }
    WhenAllDown { "refuse" => Self::Refuse, "try-any" => Self::TryAny }
    ProxyVersion { "v1" => Self::V1, "v2" => Self::V2 }
    AdminState {
        "enabled" => Self::Enabled,
        "draining" => Self::Draining,
        "disabled" => Self::Disabled,
    }
    Role { "viewer" => Self::Viewer, "operator" => Self::Operator, "admin" => Self::Admin }
    Anonymous {
        "none" => Self(None),
        "viewer" => Self(Some(Role::Viewer)),
        "operator" => Self(Some(Role::Operator)),
        "admin" => Self(Some(Role::Admin)),
    }
    SocketLevel {
        "user" => Self(Role::Viewer),
        "operator" => Self(Role::Operator),
        "admin" => Self(Role::Admin),
    }
    VirtualKind { "layer4" => Self::Layer4, "standard" => Self::Standard }
    Protocol {
        "tcp" => Self::Tcp,
        "hs2" => Self::Hs2,
        "beeswax" => Self::Beeswax,
        "hs2-http" => Self::Hs2Http,
    }
    Orphans { "keep" => Self::Keep, "cancel" => Self::Cancel }
    VerifyKind { "required" => Self::Required, "pinned" => Self::Pinned, "none" => Self::None }
    ClientCertificates {
        "none" => Self::None,
        "optional" => Self::Optional,
        "required" => Self::Required,
    }
    TlsVersion { "1.2" => Self::V1_2, "1.3" => Self::V1_3 }
    ChallengeKind { "tls-alpn-01" => Self::TlsAlpn01, "http-01" => Self::Http01 }
    ProbeKind {
        "tcp" => Self::Tcp,
        "http" => Self::Http,
        "healthz" => Self::Healthz,
        "hs2" => Self::Hs2,
        "beeswax" => Self::Beeswax,
        "hs2-http" => Self::Hs2Http,
    }
    LoginKind { "none" => Self::None, "plain" => Self::Plain }
}

/// The word of a value.
pub(crate) fn word_of<W: Word + PartialEq>(value: W) -> &'static str {
    W::WORDS.iter().find(|(_, other)| *other == value).map_or("", |(word, _)| word)
}
