//! Options of `[virtual.NAME]` and of its `sni_routes`.

use super::Fallback::{Required, Unset, Value};
use super::Kind::{Count, Duration, DurationOrOff, Other, Switch, Text, Word};
use super::{TableDoc, option};
use crate::model::{Orphans, Protocol, VirtualKind};
use crate::words::names;

pub(super) static VIRTUAL: TableDoc = TableDoc {
    name: "virtual",
    heading: "[virtual.NAME]",
    doc: "An address clients connect to, and what happens to their connections.",
    options: &[
        option("description", Text, Value("\"\""), "For people.", "\"Hue\""),
        option(
            "listen",
            Other("\"ADDRESS:PORT\", \"*:PORT\" or \"unix:/PATH\", or a list of them"),
            Required,
            "Where to accept. `*:21050` and `:21050` mean `[::]:21050`, which takes IPv4 as well \
             (see `dual_stack`). Port 0 lets the kernel choose.",
            "[\"10.17.84.12:21050\", \"[2001:db8::12]:21050\"]",
        ),
        option("pool", Other("the name of a pool"), Required, "Where connections go.", "\"hs2\""),
        option(
            "type",
            Word(names::<VirtualKind>),
            Value("\"layer4\""),
            "`layer4`: opaque bytes, cheapest. `standard`: may end TLS and read the protocol.",
            "\"standard\"",
        ),
        option(
            "protocol",
            Word(names::<Protocol>),
            Value("\"tcp\""),
            "What clients speak. Anything but `tcp` is read (sessions and statements are seen), \
             and needs `type = \"standard\"`.",
            "\"hs2\"",
        ),
        option(
            "strict_protocol",
            Switch,
            Value("false"),
            "End a connection whose bytes are not `protocol`. Otherwise they are passed on unread \
             and counted.",
            "true",
        ),
        option(
            "handle_keys",
            Other("a file name, or a list of up to 4"),
            Unset(
                "handles are passed on as they are, and this process remembers where they belong",
            ),
            "Let handles find their way: clients get 24 more bytes behind each secret, by which any \
             gateway with the same key knows the coordinator, also after a restart. Each file holds \
             one key of 32 bytes or more (`openssl rand -out handle.key 32`). The first key signs, \
             the others are still believed: to change keys put the new one in front, and drop the \
             old one when its sessions are over. Leave this out for clients that refuse longer \
             secrets.",
            "[\"/etc/oxpecker/handle.key\"]",
        ),
        option(
            "abandoned_timeout",
            DurationOrOff,
            Value("\"off\""),
            "Close a session on its coordinator when no client has used it or been connected for so \
             long and it has no operation open. Only for `hs2` and `hs2-http`. Keep it longer than \
             clients stay away: Hue comes back to its sessions. See \
             [sessions.md](sessions.md#sessions-that-clients-abandon).",
            "\"1h\"",
        ),
        option(
            "orphans",
            Word(names::<Orphans>),
            Value("\"keep\""),
            "What becomes of operations that are open when no client is left: `keep` lets them run, \
             `cancel` cancels them after `orphan_timeout`.",
            "\"cancel\"",
        ),
        option(
            "orphan_timeout",
            Duration(1000),
            Value("\"5m\""),
            "How long operations may be without a client before `orphans = \"cancel\"` cancels them.",
            "\"10m\"",
        ),
        option(
            "persistence",
            Other("the name of a persistence profile, or \"none\""),
            Unset("none"),
            "Keep a client on its member: the built-in `source_addr` or your own \
             `[profile.persistence.NAME]`. Hue needs it, for a session's requests come over \
             several connections.",
            "\"source_addr\"",
        ),
        option(
            "protocol_profile",
            Other("the name of a protocol profile"),
            Unset("`fastl4` for `layer4`, `tcp` for `standard`"),
            "Timeouts and keep-alives: built in or your own `[profile.protocol.NAME]`. The \
             built-in ones end a connection after 300 s without a byte, as F5 does, which also \
             cuts long queries.",
            "\"fastl4_1h\"",
        ),
        option(
            "tls_client",
            Other("the name of a tls_client profile"),
            Unset("no TLS is ended here"),
            "Certificates shown to clients: `[profile.tls_client.NAME]`. Needs \
             `type = \"standard\"`.",
            "\"front\"",
        ),
        option(
            "tls_server",
            Other("the name of a tls_server profile"),
            Unset("no TLS is begun here"),
            "Speak TLS to the members: the built-in `serverssl` or your own \
             `[profile.tls_server.NAME]`. Needs `type = \"standard\"`.",
            "\"serverssl\"",
        ),
        option(
            "public_name",
            Other("a host name"),
            Unset("none is expected"),
            "The name clients connect to. The certificates of `tls_client` are checked against it.",
            "\"impala.example.com\"",
        ),
        option(
            "sni_peek",
            Switch,
            Unset("true with `sni_routes`, else false"),
            "Look for the server name in the first message of TLS that is passed through, for the \
             access record and for `sni_routes`. Nothing is decrypted. Only for `layer4`.",
            "true",
        ),
        option(
            "sni_routes",
            Other("a list of `{ name = \"NAME\", pool = \"POOL\" }` tables"),
            Unset("all go to `pool`"),
            "Choose the pool by the server name the client asks for; the first that fits wins, \
             and `pool` takes the rest. Only for `layer4`. Tables with the keys of \
             [SNI routes](#sni-route-entries).",
            "[{ name = \"*.dev.example.com\", pool = \"dev\" }]",
        ),
        option(
            "allow",
            Other("a list of networks such as \"10.0.0.0/8\""),
            Unset("everybody"),
            "Only these clients.",
            "[\"10.0.0.0/8\"]",
        ),
        option(
            "deny",
            Other("a list of networks such as \"10.0.0.0/8\""),
            Unset("nobody"),
            "Not these clients; checked before `allow`.",
            "[\"10.66.0.0/16\"]",
        ),
        option(
            "connections_max",
            Count(1, 10_000_000),
            Unset("no limit of its own"),
            "Open connections (HAProxy's `maxconn`); beyond it new ones wait in the kernel's \
             backlog.",
            "3000",
        ),
        option(
            "accept_proxy",
            Other("a list of networks such as \"10.0.0.0/8\""),
            Unset("none is expected"),
            "Expect a PROXY header (version 1 or 2) from these peers and refuse all others.",
            "[\"10.0.0.5\"]",
        ),
        option(
            "backlog",
            Count(1, 65_535),
            Value("4096"),
            "Connections the kernel holds until they are accepted; it cuts this to \
             `net.core.somaxconn`.",
            "1024",
        ),
        option(
            "reuse_port",
            Switch,
            Value("true"),
            "One listening socket per worker thread instead of a single shared one.",
            "false",
        ),
        option(
            "interface",
            Text,
            Unset("any"),
            "Accept only what comes in over this network interface.",
            "\"eth1\"",
        ),
        option(
            "dual_stack",
            Switch,
            Value("true"),
            "A `[::]` listener takes IPv4 as well.",
            "false",
        ),
        option(
            "socket_mode",
            Other("octal permission bits as text, such as \"0660\""),
            Value("\"0660\""),
            "Who may connect to a `unix:` listener.",
            "\"0600\"",
        ),
    ],
};

pub(super) static SNI_ROUTE: TableDoc = TableDoc {
    name: "virtual.sni_routes",
    heading: "SNI route entries",
    doc: "An entry of `sni_routes` in `[virtual.NAME]`.",
    options: &[
        option(
            "name",
            Other("a host name, or `*.` and a host name"),
            Required,
            "The server name the client asks for. `*.` stands for exactly one label.",
            "\"*.dev.example.com\"",
        ),
        option("pool", Other("the name of a pool"), Required, "Where these go.", "\"dev\""),
    ],
};
