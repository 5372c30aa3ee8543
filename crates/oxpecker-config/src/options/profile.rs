//! Options of the profiles: protocol, persistence, TLS; and of secrets.

use super::Fallback::{Required, Unset, Value};
use super::Kind::{Count, Duration, DurationOrOff, Other, Path, Text, Word};
use super::{TableDoc, option};
use crate::model::Verify;
use crate::words::names;

/// Both keep-alives default to this, and `[profile.protocol]`'s sub-keys to its parts.
const KEEPALIVE_DEFAULT: &str = "{ idle = \"60s\", interval = \"15s\", count = 4 }";

pub(super) static PROTOCOL: TableDoc = TableDoc {
    name: "profile.protocol",
    heading: "[profile.protocol.NAME]",
    doc: "Timeouts and keep-alives of a virtual server's connections. Takes everything from its \
          parent and changes what it writes.",
    options: &[
        option(
            "parent",
            Other("the name of a protocol profile"),
            Unset("the defaults below"),
            "`fastl4`, `tcp` or another `[profile.protocol.NAME]`.",
            "\"fastl4\"",
        ),
        option(
            "idle_timeout",
            DurationOrOff,
            Value("\"300s\""),
            "No byte in either direction for this long ends the connection. 300 s is F5's; make \
             it as long as the longest query, an hour is usual.",
            "\"1h\"",
        ),
        option(
            "client_timeout",
            DurationOrOff,
            Value("\"off\""),
            "No byte moved for this long; the record blames the client (HAProxy's `timeout client`).",
            "\"1h\"",
        ),
        option(
            "server_timeout",
            DurationOrOff,
            Value("\"off\""),
            "No byte moved for this long; the record blames the member (HAProxy's `timeout server`).",
            "\"1h\"",
        ),
        option(
            "handshake_timeout",
            Duration(1),
            Value("\"10s\""),
            "A PROXY header or another prelude must be complete by then.",
            "\"5s\"",
        ),
        option(
            "client_keepalive",
            Other("{ idle, interval, count } or \"off\""),
            Value(KEEPALIVE_DEFAULT),
            "TCP keep-alive toward clients. On, because a client that waits for a long query \
             sends nothing for hours, and firewalls and NATs forget quiet connections after \
             minutes; a dead peer is found after `idle` + `count` × `interval` (2 minutes).",
            "{ idle = \"2m\", interval = \"30s\", count = 3 }",
        ),
        option(
            "server_keepalive",
            Other("{ idle, interval, count } or \"off\""),
            Value(KEEPALIVE_DEFAULT),
            "The same toward members.",
            "\"off\"",
        ),
        option(
            "client_user_timeout",
            DurationOrOff,
            Value("\"off\""),
            "TCP_USER_TIMEOUT toward clients: unacknowledged data this old ends the connection.",
            "\"2m\"",
        ),
        option(
            "server_user_timeout",
            DurationOrOff,
            Value("\"off\""),
            "The same toward members.",
            "\"2m\"",
        ),
    ],
};

pub(super) static KEEPALIVE: TableDoc = TableDoc {
    name: "keepalive",
    heading: "keep-alive entries",
    doc: "The table `client_keepalive` and `server_keepalive` take.",
    options: &[
        option(
            "idle",
            Duration(1000),
            Value("\"60s\""),
            "Quiet time before the first probe.",
            "\"2m\"",
        ),
        option("interval", Duration(1000), Value("\"15s\""), "Between probes.", "\"30s\""),
        option(
            "count",
            Count(1, 127),
            Value("4"),
            "Probes without an answer that end the connection.",
            "3",
        ),
    ],
};

pub(super) static PERSISTENCE: TableDoc = TableDoc {
    name: "profile.persistence",
    heading: "[profile.persistence.NAME]",
    doc: "Source address persistence: the same client goes to the same member. Takes everything \
          from its parent and changes what it writes.",
    options: &[
        option(
            "parent",
            Other("the name of a persistence profile"),
            Unset("the defaults below"),
            "`source_addr` or another `[profile.persistence.NAME]`.",
            "\"source_addr\"",
        ),
        option(
            "timeout",
            Duration(1),
            Value("\"180s\""),
            "An entry lives this long after its client's last connection opened or closed. \
             180 s is F5's; make it as long as the idle timeout.",
            "\"1h\"",
        ),
        option(
            "mask_v4",
            Count(0, 32),
            Value("32"),
            "Prefix length: IPv4 clients in the same network share an entry.",
            "24",
        ),
        option("mask_v6", Count(0, 128), Value("128"), "The same for IPv6.", "64"),
        option(
            "entries_max",
            Count(1, 10_000_000),
            Value("100000"),
            "Entries kept; beyond it the oldest goes.",
            "20000",
        ),
    ],
};

pub(super) static TLS_CLIENT: TableDoc = TableDoc {
    name: "profile.tls_client",
    heading: "[profile.tls_client.NAME]",
    doc: "TLS ended at the gateway.",
    options: &[
        option(
            "parent",
            Other("the name of a tls_client profile"),
            Unset("none"),
            "`clientssl` or another `[profile.tls_client.NAME]`.",
            "\"clientssl\"",
        ),
        option(
            "certificates",
            Other("a list of paths or `{ certificate = \"PATH\", … }` tables"),
            Required,
            "Certificates to choose from by the name the client asks for; the first is for \
             clients that do not ask. Tables with the keys of \
             [Certificates](#certificates-entries).",
            "[{ certificate = \"front.crt\", key = \"front.key\", chain = \"ca.crt\" }]",
        ),
    ],
};

pub(super) static CERTIFICATE: TableDoc = TableDoc {
    name: "profile.tls_client.certificates",
    heading: "certificates entries",
    doc: "An entry of `certificates` in `[profile.tls_client.NAME]`. The plain text \
          `\"front.pem\"` is the same as `{ certificate = \"front.pem\" }`.",
    options: &[
        option(
            "certificate",
            Path,
            Required,
            "PEM file; may hold chain and key as well, as HAProxy's do.",
            "\"front.crt\"",
        ),
        option("key", Path, Unset("in the certificate's file"), "PEM file.", "\"front.key\""),
        option(
            "chain",
            Path,
            Unset("what the certificate's file holds"),
            "PEM file with the certificates in between.",
            "\"ca.crt\"",
        ),
        option(
            "passphrase",
            Other("{ file = \"PATH\" }, { env = \"NAME\" } or a text"),
            Unset("the key is not encrypted"),
            "Opens the key. See [Secrets](#secrets).",
            "{ file = \"front.pass\" }",
        ),
    ],
};

pub(super) static TLS_SERVER: TableDoc = TableDoc {
    name: "profile.tls_server",
    heading: "[profile.tls_server.NAME]",
    doc: "TLS toward the members.",
    options: &[
        option(
            "parent",
            Other("the name of a tls_server profile"),
            Unset("the defaults below"),
            "`serverssl` or another `[profile.tls_server.NAME]`.",
            "\"serverssl\"",
        ),
        option(
            "verify",
            Word(names::<Verify>),
            Value("\"required\""),
            "Whether the member's certificate must be good. F5's serverssl does not look; here \
             not looking has to be written.",
            "\"none\"",
        ),
        option(
            "server_name",
            Text,
            Unset("the node's address or name"),
            "Name every member's certificate must carry, and the one asked for.",
            "\"impala.example.com\"",
        ),
        option(
            "ca_file",
            Path,
            Unset("the system's roots"),
            "PEM file with the certificate authorities to trust.",
            "\"/etc/oxpecker/ca.crt\"",
        ),
    ],
};

pub(super) static SECRET: TableDoc = TableDoc {
    name: "secret",
    heading: "secret entries",
    doc: "The table a `password` or `passphrase` takes; one of the two keys.",
    options: &[
        option(
            "file",
            Path,
            Unset("`env` says where"),
            "The file's content, without the line end at its end.",
            "\"/etc/oxpecker/probe.pass\"",
        ),
        option(
            "env",
            Text,
            Unset("`file` says where"),
            "The value of this environment variable.",
            "\"PROBE_PASSWORD\"",
        ),
    ],
};
