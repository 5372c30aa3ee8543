//! All metrics: name, help, type and labels. Labels hold names of the configuration and words from fixed
//! lists, never anything that a client sends. A name once published stays.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only grows while the process lives.
    Counter,
    Gauge,
    Histogram,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Metric<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'a [&'a str],
    pub(crate) help: &'a str,
}

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(crate) const $constant: Metric<'static> = Metric {
            name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help,
        };)*

        /// For the tests that compare them with the page and the manual.
        #[cfg(test)]
        pub(crate) const ALL: &[Metric<'static>] = &[$($constant,)*];
    };
}

metrics! {
    BUILD_INFO = Gauge "oxpecker_build_info" ["version"] "Always 1; the version is a label.";
    START = Gauge "oxpecker_start_time_seconds" [] "When the process started, in seconds since 1970.";
    WORKERS = Gauge "oxpecker_worker_threads" [] "Threads that relay.";
    DRAINING = Gauge "oxpecker_draining" [] "1 after SIGTERM, while what runs may finish.";
    OPEN_FDS = Gauge "oxpecker_open_fds" [] "Descriptors that are open.";
    MAX_FDS = Gauge "oxpecker_max_fds" [] "Descriptors that may be open.";
    RELOAD_SUCCESS = Gauge "oxpecker_config_last_reload_success" [] "1 when the configuration files were taken over the last time they were read, 0 when they were refused.";
    UNSAVED = Gauge "oxpecker_unsaved_changes" [] "Changes made at run time that the state file does not have.";
    RELOAD_TIME = Gauge "oxpecker_config_last_reload_timestamp_seconds" [] "When they were read last, in seconds since 1970.";
    CONNECTIONS = Gauge "oxpecker_connections" [] "Client connections that are open.";
    CONNECTIONS_MAX = Gauge "oxpecker_connections_max" [] "Client connections that may be open.";
    CONNECTIONS_OPENED = Counter "oxpecker_connections_opened_total" [] "Client connections that were accepted.";
    CONNECTIONS_CLOSED = Counter "oxpecker_connections_closed_total" [] "Client connections that ended.";
    UNREADABLE = Counter "oxpecker_unreadable_messages_total" [] "Messages of virtual servers with a protocol that could not be read and were passed on as they were.";
    SEARCHES = Counter "oxpecker_handle_searches_total" [] "Sessions and operations whose coordinator was looked for among the members.";

    VIRTUAL_LISTENING = Gauge "oxpecker_virtual_listening" ["virtual"] "0 while an operator has closed its listeners.";
    VIRTUAL_CONNECTIONS = Gauge "oxpecker_virtual_connections" ["virtual"] "Client connections of the virtual server that are open.";
    VIRTUAL_CONNECTIONS_MAX = Gauge "oxpecker_virtual_connections_max" ["virtual"] "Client connections that it may have open; only with a limit of its own.";
    VIRTUAL_OPENED = Counter "oxpecker_virtual_connections_opened_total" ["virtual"] "Client connections that it accepted.";
    VIRTUAL_CLOSED = Counter "oxpecker_virtual_connections_closed_total" ["virtual"] "Client connections of it that ended.";
    VIRTUAL_BYTES = Counter "oxpecker_virtual_bytes_total" ["virtual", "direction"] "Bytes from clients (`in`) and to clients (`out`).";
    VIRTUAL_READS = Counter "oxpecker_virtual_reads_total" ["virtual", "direction"] "Reads that brought bytes, which is what a full proxy can know of packets.";
    CONNECTION_END = Counter "oxpecker_connection_end_total" ["virtual", "end_state", "reason"] "Connections that ended, by HAProxy's two letters and by the reason in words.";
    PERSISTENCE = Gauge "oxpecker_persistence_entries" ["virtual"] "Clients that stick to a member; only with persistence.";
    SESSIONS = Gauge "oxpecker_sessions" ["virtual"] "Impala sessions that are known; only with a protocol.";
    OPERATIONS = Gauge "oxpecker_operations" ["virtual"] "Operations that are open; only with a protocol.";

    POOL_CONNECTIONS = Gauge "oxpecker_pool_connections" ["pool"] "Connections to members of the pool that are open.";
    POOL_MEMBERS = Gauge "oxpecker_pool_members" ["pool"] "Members of the pool.";
    POOL_USABLE = Gauge "oxpecker_pool_members_usable" ["pool"] "Members that take new clients.";
    POOL_QUEUE = Gauge "oxpecker_pool_queue_length" ["pool"] "Clients that wait for a member.";
    POOL_QUEUE_MAX = Gauge "oxpecker_pool_queue_limit" ["pool"] "Clients that may wait.";
    POOL_QUEUE_WAITED = Counter "oxpecker_pool_queue_waited_total" ["pool"] "Clients that waited and got a member.";
    POOL_QUEUE_TIME = Counter "oxpecker_pool_queue_wait_seconds_total" ["pool"] "How long they waited in all.";
    POOL_REFUSED = Counter "oxpecker_pool_refused_total" ["pool"] "Connections that found no usable member.";

    MEMBER_CONNECTIONS = Gauge "oxpecker_member_connections" ["pool", "member", "node"] "Connections to the member that are open.";
    MEMBER_CONNECTIONS_MAX = Gauge "oxpecker_member_connections_max" ["pool", "member", "node"] "Connections that it may have; only with a limit.";
    MEMBER_OPENED = Counter "oxpecker_member_connections_opened_total" ["pool", "member", "node"] "Connections that it was chosen for.";
    MEMBER_BYTES = Counter "oxpecker_member_bytes_total" ["pool", "member", "node", "direction"] "Bytes from clients to the member (`in`) and back (`out`).";
    MEMBER_CONNECT = Histogram "oxpecker_member_connect_seconds" ["pool", "member", "node"] "How long connects for clients took that succeeded, TLS included.";
    MEMBER_CONNECT_FAILURES = Counter "oxpecker_member_connect_failures_total" ["pool", "member", "node"] "Connects for clients that failed.";
    MEMBER_TLS_FAILURES = Counter "oxpecker_member_tls_failures_total" ["pool", "member", "node"] "Of these, TLS handshakes with the member.";
    MEMBER_RETRIES = Counter "oxpecker_member_connect_retries_total" ["pool", "member", "node"] "Connects for a client that followed a failed one.";
    MEMBER_REDISPATCHES = Counter "oxpecker_member_redispatches_total" ["pool", "member", "node"] "Clients that went to another member after a connect had failed.";
    MEMBER_ABORTS = Counter "oxpecker_member_aborts_total" ["pool", "member", "node", "side"] "Connections that the client or the member aborted.";
    MEMBER_ADMIN_STATE = Gauge "oxpecker_member_admin_state" ["pool", "member", "node", "state"] "1 for the state that was asked for, 0 for the others.";
    MEMBER_HEALTH = Gauge "oxpecker_member_health" ["pool", "member", "node", "state"] "1 for the health that was measured, 0 for the others.";
    MEMBER_USABLE = Gauge "oxpecker_member_usable" ["pool", "member", "node"] "1 when it takes new clients.";
    MEMBER_WEIGHT = Gauge "oxpecker_member_weight" ["pool", "member", "node"] "Its weight.";
    MEMBER_OPERATIONS = Gauge "oxpecker_member_operations" ["pool", "member", "node"] "Operations that run at its node, over all pools, as far as this gateway knows.";
    MEMBER_PROBES = Counter "oxpecker_member_probes_total" ["pool", "member", "node", "result"] "Probes of its monitor.";
    MEMBER_PROBE = Histogram "oxpecker_member_probe_seconds" ["pool", "member", "node"] "How long probes took that passed.";
    MEMBER_DOWNS = Counter "oxpecker_member_downs_total" ["pool", "member", "node"] "How often it went down.";
    MEMBER_DOWN_TIME = Counter "oxpecker_member_down_seconds_total" ["pool", "member", "node"] "How long it was down.";

    CERTIFICATE_EXPIRY = Gauge "oxpecker_certificate_expiry_timestamp_seconds" ["side", "profile", "name"] "When the certificate that clients or members are shown expires, in seconds since 1970.";
    CERTIFICATE_FAILED = Gauge "oxpecker_certificate_renewal_failed" ["side", "profile", "name"] "1 when the last try to renew or to read it failed.";
}
