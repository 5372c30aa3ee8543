//! Options of the admin side: `[admin]`, `[admin.user.NAME]`, `[admin.token.NAME]`.

use super::Fallback::{Required, Unset, Value};
use super::Kind::{Other, Path, Switch, Word};
use super::{OptionDoc, TableDoc, option};
use crate::model::Role;
use crate::words::{Anonymous, SocketLevel, names};

pub(super) static ADMIN: TableDoc = TableDoc {
    name: "admin",
    heading: "[admin]",
    doc: "Page, API, metrics and commands; see [admin.md](admin.md). Without this table there is \
          none of it. Traffic does not need it.",
    options: &[
        option(
            "listen",
            Other("an address with port, such as \"127.0.0.1:25002\", or \"off\""),
            Value("\"127.0.0.1:25002\""),
            "Where to listen; with `off` only on the Unix sockets. Off the loopback address write users or tokens, and `tls_client`.",
            "\"127.0.0.1:25002\"",
        ),
        option(
            "socket",
            Other("a path that starts with `/`, or \"off\""),
            Value("\"/run/oxpecker/admin.sock\""),
            "Unix socket for commands on this host, with mode 0660 and the `user` and `group` of \
             `[process]`. Whoever may open it is an admin.",
            "\"/run/oxpecker/admin.sock\"",
        ),
        option(
            "anonymous",
            Word(names::<Anonymous>),
            Unset(
                "`none` with a user or token; without: `admin` on the loopback address, else \
                 `viewer`",
            ),
            "What those may do who do not say who they are.",
            "\"viewer\"",
        ),
        option(
            "tls_client",
            Other("the name of a tls_client profile"),
            Unset("no TLS"),
            "Speak TLS, with this `[profile.tls_client.NAME]`; its certificates stand in files.",
            "\"admin\"",
        ),
        option(
            "hosts",
            Other("a list of host names"),
            Unset("addresses, `localhost` and this host's name"),
            "Further names that browsers and scripts may use for this address. Others are refused, \
             so that no web site can reach the page through its visitors (DNS rebinding).",
            "[\"impala-lb.example.com\"]",
        ),
        option(
            "haproxy_socket",
            Path,
            Unset("there is none"),
            "Unix socket that speaks HAProxy's runtime API, as its `stats socket` does.",
            "\"/run/oxpecker/haproxy.sock\"",
        ),
        option(
            "haproxy_socket_level",
            Word(names::<SocketLevel>),
            Value("\"operator\""),
            "What commands on it may do, in HAProxy's words.",
            "\"admin\"",
        ),
        option(
            "haproxy_metrics",
            Switch,
            Value("false"),
            "`/metrics` also has the `haproxy_…` names, for dashboards that know those.",
            "true",
        ),
        option(
            "stats_path",
            Other("a path such as \"/stats\""),
            Value("\"/stats\""),
            "Where HAProxy's statistics are: this, and with `;csv` and `;json` behind it.",
            "\"/haproxy_stats\"",
        ),
        option(
            "state_file",
            Path,
            Unset("they are forgotten when the process ends"),
            "Changes made at run time are saved to this file when asked for, and loaded over the \
             configuration.",
            "\"/var/lib/oxpecker/state.toml\"",
        ),
    ],
};

const ROLE: OptionDoc = option(
    "role",
    Word(names::<Role>),
    Required,
    "`viewer` looks. `operator` also changes states and weights and ends connections. `admin` also \
     adds and removes nodes and members, reloads, saves, and sees the configuration.",
    "\"operator\"",
);

pub(super) static ADMIN_USER: TableDoc = TableDoc {
    name: "admin.user",
    heading: "[admin.user.NAME]",
    doc: "Somebody who logs in with name and password.",
    options: &[
        option(
            "password_hash",
            Other("a hash such as \"$6$SALT$…\", { file = \"PATH\" } or { env = \"NAME\" }"),
            Unset("`password` is written"),
            "What `openssl passwd -6` makes of the password (SHA-512-crypt).",
            "{ file = \"/etc/oxpecker/alice.hash\" }",
        ),
        option(
            "password",
            Other("{ file = \"PATH\" }, { env = \"NAME\" } or a text"),
            Unset("`password_hash` is written"),
            "The password itself. See [Secrets](#secrets).",
            "{ file = \"/etc/oxpecker/alice.pass\" }",
        ),
        ROLE,
    ],
};

pub(super) static ADMIN_TOKEN: TableDoc = TableDoc {
    name: "admin.token",
    heading: "[admin.token.NAME]",
    doc: "A program that shows a token (`Authorization: Bearer …`).",
    options: &[
        option(
            "token",
            Other("{ file = \"PATH\" }, { env = \"NAME\" } or a text"),
            Required,
            "At least 16 characters without spaces; `openssl rand -hex 24` makes one. See \
             [Secrets](#secrets).",
            "{ file = \"/etc/oxpecker/ci.token\" }",
        ),
        ROLE,
    ],
};
