//! Every option, once: key, type, default, what it is for, an example.
//!
//! The reader takes types, ranges and defaults from here, the manual page and the suggestions
//! for unknown keys are made from here, so that none of them can drift from the others. Only
//! the reading itself, one line per option, stands elsewhere (`file/`), and in tests the reader
//! refuses a key that has no entry here and an entry nobody reads.

mod admin;
mod delivery;
mod pool;
mod process;
mod profile;
mod tls;
mod virtual_server;

/// One table of the configuration.
#[derive(Debug)]
pub struct TableDoc {
    /// Identity, such as `pool`.
    pub name: &'static str,
    /// As written in a file, such as `[pool.NAME]`.
    pub heading: &'static str,
    pub doc: &'static str,
    pub options: &'static [OptionDoc],
}

/// One option.
#[derive(Debug)]
pub struct OptionDoc {
    pub key: &'static str,
    pub kind: Kind,
    pub default: Fallback,
    /// Markdown, one paragraph.
    pub doc: &'static str,
    /// A value in TOML.
    pub example: &'static str,
}

/// What is read when an option is not written.
#[derive(Debug, Clone, Copy)]
pub enum Fallback {
    /// It must be written.
    Required,
    /// This, in TOML.
    Value(&'static str),
    /// Nothing; the words say what that means.
    Unset(&'static str),
}

/// What an option takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Text,
    Path,
    Switch,
    /// A whole number in this range.
    Count(u64, u64),
    /// A whole number in this range, or the word `off`.
    CountOrOff(u64, u64),
    /// At least so many milliseconds.
    Duration(u64),
    /// At least 1 ms, or the word `off`.
    DurationOrOff,
    /// At least so many bytes.
    Size(u64),
    /// One of some words.
    Word(fn() -> Vec<&'static str>),
    /// Anything else, in words that follow "must be".
    Other(&'static str),
}

impl Kind {
    /// Follows "must be".
    pub fn describe(&self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Count(min, max) => format!("a whole number from {min} to {max}"),
            Self::CountOrOff(min, max) => {
                format!("a whole number from {min} to {max}, or \"off\"")
            }
            Self::Duration(_) => "a duration such as \"5s\"".to_owned(),
            Self::DurationOrOff => "a duration such as \"5s\", or \"off\"".to_owned(),
            Self::Size(_) => "a size such as \"64MiB\"".to_owned(),
            Self::Word(words) => {
                let words: Vec<String> = words().iter().map(|word| format!("\"{word}\"")).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Other(text) => (*text).to_owned(),
        }
    }
}

const fn option(
    key: &'static str,
    kind: Kind,
    default: Fallback,
    doc: &'static str,
    example: &'static str,
) -> OptionDoc {
    OptionDoc { key, kind, default, doc, example }
}

/// All tables, in the order of the manual.
pub static TABLES: &[&TableDoc] = &[
    &process::PROCESS,
    &process::LOG,
    &process::LOG_TARGET,
    &delivery::DELIVERY,
    &admin::ADMIN,
    &admin::ADMIN_USER,
    &admin::ADMIN_TOKEN,
    &pool::NODE,
    &pool::POOL,
    &pool::MEMBER,
    &pool::MONITOR,
    &virtual_server::VIRTUAL,
    &virtual_server::SNI_ROUTE,
    &profile::PROTOCOL,
    &profile::KEEPALIVE,
    &profile::PERSISTENCE,
    &tls::TLS_CLIENT,
    &tls::CERTIFICATE,
    &tls::TLS_SERVER,
    &tls::ACME,
    &profile::SECRET,
    &profile::PASSPHRASE,
];

/// The table of this name. Asking for one that does not exist is a mistake of this crate.
pub(crate) fn table(name: &str) -> &'static TableDoc {
    let found = TABLES.iter().find(|table| table.name == name);
    debug_assert!(found.is_some(), "no table {name}");
    found.copied().unwrap_or(&process::PROCESS)
}

/// Read-only parents. Written in the configuration's own language and read by the same code.
pub(crate) const BUILT_IN: &str = r#"
# F5's FastL4 defaults. 300 s without a byte ends a connection, which also cuts queries that
# run longer than that while their client waits silently.
[profile.protocol.fastl4]
idle_timeout = "300s"

# F5's TCP profile defaults.
[profile.protocol.tcp]
idle_timeout = "300s"

# F5's source address affinity: one client address, one member.
[profile.persistence.source_addr]
timeout = "180s"
mask_v4 = 32
mask_v6 = 128
entries_max = 100000

[profile.tls_client.clientssl]

# Unlike F5's serverssl this one verifies the member's certificate.
[profile.tls_server.serverssl]
verify = "required"

# The port opens. F5's tcp monitor: every 5 s, down after three missed (F5's timeout of 16 s).
[monitor.tcp]
rise = 1

[monitor.http]
path = "/"
status = ["200-399"]

# impalad's web port tells a draining coordinator from a healthy one.
[monitor.healthz]
port = 25000

# Log in, OpenSession, a ping, CloseSession.
[monitor.hs2]

[monitor.beeswax]

[monitor.hs2-http]
path = "/cliservice"
"#;
