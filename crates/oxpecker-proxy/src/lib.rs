//! Oxpecker's data plane: listeners, relay, probes, reload, drain, access log.
//!
//! Knows nothing of command lines, admin pages or JSON shapes: the binary hands in a checked
//! configuration and gets a [`Gateway`]. One thread a core runs the connections it accepted;
//! the caller's runtime runs probes and name look-ups. See ARCHITECTURE.md.

mod accept;
mod aware;
mod connection;
pub mod control;
mod convert;
mod counters;
mod endpoint;
mod gateway;
mod limit;
mod listener;
mod load;
mod log;
mod probe;
mod pulse;
mod quota;
mod record;
mod relay;
mod resolve;
mod socket;
mod state;
mod tls;
pub mod wording;
mod worker;

pub use aware::{
    Canceller, ErrandError, KillError, Killed, OperationEnd, OperationView, SessionView,
    StatementView,
};
pub use gateway::{ApplyError, Drained, Gateway};
pub use listener::{ListenError, remove_stale_socket};
pub use log::{Log, LogError, RecordSink};
pub use tls::{
    AcmeError, CertificateFinding, CertificateSource, CertificateStatus, ClientTlsError, FrontTls,
    KeyError, MemberRefusal, ServerTlsError, ShownCertificate, Side, TlsError, ask_passphrase,
    audit_certificates, inspect_certificate, try_member, unverified_client, verifying_client,
};
