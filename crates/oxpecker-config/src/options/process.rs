//! Options of the process itself: `[process]`, `[log]`, `[[log.target]]`.

use super::Fallback::{Required, Unset, Value};
use super::Kind::{Count, Duration, Other, Path, Switch, Text, Word};
use super::{TableDoc, option};
use crate::model::{
    AccessFormat, Facility, Level, QueryFormat, Records, Statements, SyslogProtocol, TextFormat,
};
use crate::words::names;

pub(super) static PROCESS: TableDoc = TableDoc {
    name: "process",
    heading: "[process]",
    doc: "The operating-system side of the gateway.",
    options: &[
        option("threads", Count(1, 1024), Unset("one per available core"), "Worker threads.", "4"),
        option(
            "connections_max",
            Count(1, 10_000_000),
            Unset("as many as file descriptors allow"),
            "Open client connections over all virtual servers (HAProxy's global `maxconn`). \
             Beyond it new ones wait in the kernel.",
            "4000",
        ),
        option(
            "drain_delay",
            Duration(0),
            Value("\"0s\""),
            "After SIGTERM: how long listeners stay open, so that whatever stands in front stops \
             sending first.",
            "\"10s\"",
        ),
        option(
            "drain_timeout",
            Duration(0),
            Value("\"1h\""),
            "After the listeners closed: how long running connections may go on before they are \
             cut and counted.",
            "\"30m\"",
        ),
        option(
            "user",
            Text,
            Unset("the user that started it"),
            "Become this user once the listeners are bound.",
            "\"oxpecker\"",
        ),
        option(
            "group",
            Text,
            Unset("the group that started it"),
            "Become this group once the listeners are bound.",
            "\"oxpecker\"",
        ),
        option(
            "chroot",
            Path,
            Unset("no jail"),
            "Change the root directory after start. A systemd sandbox does more.",
            "\"/var/lib/oxpecker\"",
        ),
        option(
            "pidfile",
            Path,
            Unset("none is written"),
            "Write the process id here.",
            "\"/run/oxpecker/oxpecker.pid\"",
        ),
    ],
};

pub(super) static LOG: TableDoc = TableDoc {
    name: "log",
    heading: "[log]",
    doc: "Process events, access records (one line per finished connection) and query records (one \
          per finished operation). All go to the same targets; without any `[[log.target]]` that is standard output, as text.",
    options: &[
        option(
            "level",
            Word(names::<Level>),
            Value("\"info\""),
            "Process events less urgent than this are not made at all.",
            "\"notice\"",
        ),
        option(
            "access",
            Word(names::<AccessFormat>),
            Value("\"tcplog\""),
            "Shape of the access record: HAProxy's `option tcplog` field by field, JSON, or none.",
            "\"json\"",
        ),
        option(
            "dontlognull",
            Switch,
            Value("false"),
            "No access record for connections that carried no byte, such as health probes and \
             port scans.",
            "true",
        ),
        option(
            "queries",
            Word(names::<QueryFormat>),
            Value("\"off\""),
            "Query records: one line of JSON for each operation that is over, of virtual servers \
             with a `protocol` that is read. See [sessions.md](sessions.md#query-records).",
            "\"json\"",
        ),
        option(
            "statements",
            Word(names::<Statements>),
            Value("\"redacted\""),
            "What query records show of a statement: its first 4 KiB with every literal replaced by \
             `?`, the same as it was written (but for what looks like a password, key or token), or \
             nothing. Lists of operations never show literals.",
            "\"full\"",
        ),
    ],
};

pub(super) static LOG_TARGET: TableDoc = TableDoc {
    name: "log.target",
    heading: "[[log.target]]",
    doc: "One place log lines go to; write the table as often as there are places.",
    options: &[
        option(
            "to",
            Other(
                "\"stdout\", \"stderr\", \"file:/path\", \"udp:ADDRESS:514\", \"tcp:ADDRESS:514\" \
                 or \"unix:/dev/log\"",
            ),
            Required,
            "Where to. `udp:`, `tcp:` and `unix:` speak syslog; their port may be left out (514).",
            "\"udp:127.0.0.1:514\"",
        ),
        option(
            "level",
            Word(names::<Level>),
            Unset("`level` of `[log]`"),
            "Only lines of this severity and more urgent ones. Access and query records are `info`.",
            "\"notice\"",
        ),
        option(
            "format",
            Word(names::<TextFormat>),
            Value("\"text\""),
            "Shape of process events. Access records have their own, `access` in `[log]`.",
            "\"json\"",
        ),
        option(
            "records",
            Word(names::<Records>),
            Value("\"all\""),
            "Which lines: process events, access records, query records, or all of them.",
            "\"access\"",
        ),
        option(
            "facility",
            Word(names::<Facility>),
            Unset("`local0`"),
            "Syslog facility; only for syslog targets.",
            "\"local1\"",
        ),
        option(
            "protocol",
            Word(names::<SyslogProtocol>),
            Unset("`rfc3164`"),
            "Syslog line format; only for syslog targets.",
            "\"rfc5424\"",
        ),
    ],
};
