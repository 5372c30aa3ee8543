//! Options of what connections go to: `[node]`, `[pool]`, its members, `[monitor]`.

use super::Fallback::{Required, Unset, Value};
use super::Kind::{Count, Duration, Other, Switch, Text, Word};
use super::{TableDoc, option};
use crate::model::{AdminState, Method, ProxyVersion, Scope, ServiceDown, WhenAllDown};
use crate::words::{LoginKind, ProbeKind, names};

pub(super) static NODE: TableDoc = TableDoc {
    name: "node",
    heading: "[node.NAME]",
    doc: "One host that runs a coordinator.",
    options: &[
        option("description", Text, Value("\"\""), "For people.", "\"rack 3\""),
        option(
            "address",
            Other("an IP address or a host name"),
            Required,
            "An IP address is best. A name is resolved again and again, and the last good answer \
             is kept.",
            "\"10.17.84.11\"",
        ),
    ],
};

pub(super) static POOL: TableDoc = TableDoc {
    name: "pool",
    heading: "[pool.NAME]",
    doc: "Coordinators that serve the same port, how one is chosen and how their health is judged.",
    options: &[
        option(
            "description",
            Text,
            Value("\"\""),
            "For people.",
            "\"impalad HiveServer2: Hue, JDBC, ODBC 2\"",
        ),
        option(
            "port",
            Count(1, 65_535),
            Unset("every member names its own"),
            "Port of the members: 21050 (HiveServer2: Hue, JDBC, ODBC 2, impala-shell), 21000 \
             (Beeswax: old impala-shell, ODBC 1.2), 28000 (HiveServer2 over HTTP). Impala's \
             internal ports are refused.",
            "21050",
        ),
        option(
            "members",
            Other("a list of node names or `{ node = \"NAME\", … }` tables"),
            Required,
            "The coordinators: names of `[node.NAME]`, or tables with the keys of \
             [Members](#members-entries).",
            "[\"coord-1\", { node = \"coord-2\", port = 21051, weight = 2 }]",
        ),
        option(
            "method",
            Word(names::<Method>),
            Value("\"least-connections\""),
            "How a member is chosen for a client without persistence. `least-operations` counts \
             running statements and needs a virtual server that reads the protocol; see `load_port`.",
            "\"round-robin\"",
        ),
        option(
            "scope",
            Word(names::<Scope>),
            Value("\"node\""),
            "For `least-connections` and `random-two`: whose connections count, all to the \
             member's node over every pool (F5's \"node\"), or the member's own.",
            "\"member\"",
        ),
        option(
            "monitor",
            Other("the name of a monitor, or \"none\""),
            Value("\"tcp\""),
            "Built in: `tcp`, `http`, `healthz`, `hs2`, `beeswax`, `hs2-http`; or your own \
             `[monitor.NAME]`. With `none` a dead member keeps its share until connects fail.",
            "\"hs2\"",
        ),
        option(
            "service_down",
            Word(names::<ServiceDown>),
            Value("\"none\""),
            "What happens to open connections of a member that goes down: nothing, a reset, a \
             silent drop, or another member for those that have not sent anything yet.",
            "\"reset\"",
        ),
        option(
            "when_all_down",
            Word(names::<WhenAllDown>),
            Value("\"refuse\""),
            "When no member is usable: refuse clients at once, or try the enabled members as if \
             they were up (for when the monitor may be what is wrong).",
            "\"try-any\"",
        ),
        option(
            "slow_start",
            Duration(1),
            Unset("full share at once"),
            "A returning member's share grows from a tenth to its weight over this time.",
            "\"2m\"",
        ),
        option(
            "priority_min_active",
            Count(1, 65_535),
            Value("1"),
            "The next lower priority group joins when fewer than this many members are usable.",
            "2",
        ),
        option(
            "connect_timeout",
            Duration(1),
            Value("\"5s\""),
            "How long opening a connection to a member may take (HAProxy's `timeout connect`).",
            "\"3s\"",
        ),
        option(
            "retries",
            Count(0, 100),
            Value("3"),
            "Further connect attempts after the first.",
            "2",
        ),
        option(
            "redispatch",
            Switch,
            Value("true"),
            "A further attempt may go to another member, even against persistence.",
            "false",
        ),
        option(
            "queue_max",
            Count(0, 1_000_000),
            Value("1024"),
            "Connections that may wait while every usable member has its `connections_max`; \
             0 = none waits.",
            "100",
        ),
        option(
            "queue_timeout",
            Duration(1),
            Value("\"30s\""),
            "How long a connection waits so. HAProxy takes its connect timeout (5 s) for it; \
             coordinators free slots more slowly than web servers, and most clients wait a minute.",
            "\"10s\"",
        ),
        option(
            "connect_failures_max",
            Count(0, 1_000_000),
            Value("3"),
            "So many failed connects of clients in a row take a member out, without waiting for \
             the monitor; 0 = never.",
            "5",
        ),
        option(
            "connect_failures_retry",
            Duration(1),
            Value("\"10s\""),
            "How long such a member stays out when no monitor brings it back.",
            "\"30s\"",
        ),
        option(
            "source",
            Other("a list of IP addresses"),
            Unset("the kernel chooses"),
            "Local addresses to connect from, in turn: each gives some 28000 more connections \
             per member.",
            "[\"10.17.84.20\", \"10.17.84.21\"]",
        ),
        option(
            "transparent",
            Switch,
            Value("false"),
            "Connect from the client's own address. Needs CAP_NET_ADMIN, and routes that lead \
             the answers back here.",
            "true",
        ),
        option(
            "send_proxy",
            Word(names::<ProxyVersion>),
            Unset("none is sent"),
            "Send a PROXY header. impalad does not understand one; this is for a further proxy.",
            "\"v2\"",
        ),
        option(
            "load_port",
            Count(1, 65_535),
            Unset("only operations through this gateway count"),
            "For `least-operations`: also ask each coordinator, on this port of its web pages and as \
             often as the monitor probes, how many statements it has to do. So those of clients that \
             connect directly, or through other gateways, count too. impalad's web server is on \
             25000; where that wants a log-in, use its `--metrics_webserver_port`.",
            "25000",
        ),
        option(
            "load_tls",
            Other("the name of a tls_server profile, or \"off\""),
            Value("\"off\""),
            "For `load_port`: ask through TLS, with this profile's verification.",
            "\"serverssl\"",
        ),
    ],
};

pub(super) static MEMBER: TableDoc = TableDoc {
    name: "pool.members",
    heading: "members entries",
    doc: "An entry of `members` in `[pool.NAME]`. The plain text `\"coord-1\"` is the same as \
          `{ node = \"coord-1\" }`.",
    options: &[
        option("node", Text, Required, "Name of a `[node.NAME]`.", "\"coord-1\""),
        option("port", Count(1, 65_535), Unset("the pool's `port`"), "The member's port.", "21051"),
        option(
            "weight",
            Count(0, 256),
            Value("1"),
            "Share among its peers. 0 = no new connections except persisted ones.",
            "2",
        ),
        option(
            "priority",
            Count(0, 65_535),
            Value("10"),
            "Higher groups are used first (F5's priority group activation).",
            "20",
        ),
        option(
            "backup",
            Switch,
            Value("false"),
            "HAProxy's word for `priority = 0`: used when nobody else is left.",
            "true",
        ),
        option(
            "connections_max",
            Count(1, 10_000_000),
            Unset("no limit"),
            "Open connections to this member; more wait in the queue. impalad's own limit is \
             `--fe_service_threads` (64).",
            "64",
        ),
        option(
            "state",
            Word(names::<AdminState>),
            Value("\"enabled\""),
            "State to start with; a reload does not undo what an operator set since. `draining`: \
             only persisted clients still come.",
            "\"disabled\"",
        ),
    ],
};

pub(super) static MONITOR: TableDoc = TableDoc {
    name: "monitor",
    heading: "[monitor.NAME]",
    doc: "How members are probed. Takes everything from its parent and changes what it writes.",
    options: &[
        option(
            "parent",
            Other("the name of a monitor"),
            Unset("see `type`"),
            "A built-in monitor or another `[monitor.NAME]`.",
            "\"hs2\"",
        ),
        option(
            "type",
            Word(names::<ProbeKind>),
            Unset("the parent's"),
            "Instead of `parent`: the built-in monitor of this name. `tcp`: the port opens. \
             `http`: `GET path`. `healthz`: impalad's web port, which also tells draining. \
             `hs2`, `beeswax`, `hs2-http`: log in and ask something harmless.",
            "\"hs2\"",
        ),
        option(
            "interval",
            Duration(10),
            Value("\"5s\""),
            "From the start of a probe to the start of the next.",
            "\"30s\"",
        ),
        option(
            "interval_down",
            Duration(10),
            Unset("`interval`"),
            "The same while the member is not up.",
            "\"2s\"",
        ),
        option(
            "timeout",
            Duration(1),
            Unset("`interval`, at most 5 s"),
            "A probe that is not done by then has failed. Not longer than `interval`. (F5's \
             monitor timeout of 16 s is another thing: here that is `fall = 3`.)",
            "\"2s\"",
        ),
        option(
            "fall",
            Count(1, 1000),
            Value("3"),
            "Failures in a row that mark an up member down.",
            "2",
        ),
        option(
            "rise",
            Count(1, 1000),
            Value("2"),
            "Passes in a row that mark a down member up. The built-in `tcp` has 1, as F5.",
            "5",
        ),
        option(
            "port",
            Count(1, 65_535),
            Unset("the member's"),
            "Probe this port instead. `healthz` has 25000.",
            "25000",
        ),
        option(
            "tls",
            Other("the name of a tls_server profile, or \"off\""),
            Unset("what the pool's virtual servers use"),
            "Probe inside TLS, with this profile's verification. Not written: the `tls_server` of \
             the virtual servers that use the pool, when they agree on one. Write it when they \
             differ, when clients' TLS is passed through to the members (no virtual server has a \
             `tls_server` then), and for `http` and `healthz` on a port that is not the members' \
             own: those stay clear unless it is written.",
            "\"serverssl\"",
        ),
        option(
            "path",
            Text,
            Unset("the parent's: `/` for `http`, `/cliservice` for `hs2-http`"),
            "What to ask for; only for `http` and `hs2-http`.",
            "\"/healthz\"",
        ),
        option(
            "status",
            Other("a status, a range such as \"200-399\", or a list of them"),
            Unset("the parent's: 200 to 399 for `http`"),
            "Answers that pass; only for `http`.",
            "[\"200-299\", \"401\"]",
        ),
        option(
            "host",
            Text,
            Unset("the member's address"),
            "Host header; only for `http`.",
            "\"impala.example.com\"",
        ),
        option(
            "login",
            Word(names::<LoginKind>),
            Unset("`plain` when `password` is written, else `none`"),
            "For `hs2`, `beeswax` and `hs2-http`: bare Thrift, or SASL PLAIN (HTTP Basic for \
             `hs2-http`), as LDAP needs it.",
            "\"plain\"",
        ),
        option(
            "user",
            Text,
            Unset("`oxpecker`"),
            "Who the probe says it is; only for `hs2`, `beeswax` and `hs2-http`.",
            "\"svc-probe\"",
        ),
        option(
            "password",
            Other("{ file = \"PATH\" }, { env = \"NAME\" } or a text"),
            Unset("none"),
            "For `login = \"plain\"`. See [Secrets](#secrets).",
            "{ file = \"/etc/oxpecker/probe.pass\" }",
        ),
    ],
};
