//! Options of the profiles for protocol and persistence (TLS has its own file), and of secrets.

use super::Fallback::{Unset, Value};
use super::Kind::{Count, Duration, DurationOrOff, Other, Path, Text};
use super::{TableDoc, option};

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
            "A TLS handshake, a PROXY header or another prelude must be complete by then.",
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

pub(super) static SECRET: TableDoc = TableDoc {
    name: "secret",
    heading: "secret entries",
    doc: "The table a `password` takes; one of the two keys.",
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

pub(super) static PASSPHRASE: TableDoc = TableDoc {
    name: "passphrase",
    heading: "passphrase entries",
    doc: "The table a `passphrase` takes; one of the three keys.",
    options: &[
        option(
            "file",
            Path,
            Unset("another key says where"),
            "The file's content, without the line end at its end.",
            "\"front.pass\"",
        ),
        option(
            "env",
            Text,
            Unset("another key says where"),
            "The value of this environment variable.",
            "\"FRONT_PASSPHRASE\"",
        ),
        option(
            "command",
            Other("a list of texts: a program and its arguments"),
            Unset("another key says where"),
            "Run without a shell whenever the key is read; the first line it prints is the \
             passphrase. The command itself is no secret: it is shown when it fails.",
            "[\"/usr/local/bin/get-secret\", \"front\"]",
        ),
    ],
};
