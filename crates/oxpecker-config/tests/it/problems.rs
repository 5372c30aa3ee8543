//! What a person reads when something is wrong: whole texts, word for word.

use crate::{BASE, shown};

/// `BASE` has 11 lines, so `text` starts at line 12.
#[track_caller]
fn check(text: &str, expected: &str) {
    let found = shown(&format!("{BASE}{text}"));
    assert_eq!(found, expected.trim_matches('\n'));
}

#[test]
fn all_problems_at_once_in_file_order() {
    check(
        "allow = [\"10.0.0.0/33\"]\n[monitor.bi]\nparent = \"hs3\"\ntimout = \"5s\"\ninterval = 5\n\
         fall = \"3\"\nrise = 0\n",
        r#"
error: `10.0.0.0/33` is not a network such as "10.0.0.0/8"
  --> oxpecker.toml:12:10
12 | allow = ["10.0.0.0/33"]
   |          ^^^^^^^^^^^^^
error: no monitor is called `hs3`
  --> oxpecker.toml:14:10
14 | parent = "hs3"
   |          ^^^^^ help: did you mean `hs2`?
error: unknown key `timout` in [monitor.bi]
  --> oxpecker.toml:15:1
15 | timout = "5s"
   | ^^^^^^ help: did you mean `timeout`?
error: `interval` needs a unit
  --> oxpecker.toml:16:12
16 | interval = 5
   |            ^ help: write "5s" or "5ms"
error: `fall` must be a whole number from 1 to 1000, not a text
  --> oxpecker.toml:17:8
17 | fall = "3"
   |        ^^^ help: for example: fall = 2
error: `rise` must be a whole number from 1 to 1000
  --> oxpecker.toml:18:8
18 | rise = 0
   |        ^"#,
    );
}

#[test]
fn missing_and_unknown() {
    check(
        "conections_max = 5\npath = \"/\"\n[virtual.x]\npol = \"hs2\"\n[polo.a]\n[profile.tls.a]\n",
        r#"
error: unknown key `conections_max` in [virtual.hs2]
  --> oxpecker.toml:12:1
12 | conections_max = 5
   | ^^^^^^^^^^^^^^ help: did you mean `connections_max`?
error: unknown key `path` in [virtual.hs2]
  --> oxpecker.toml:13:1
13 | path = "/"
   | ^^^^ help: `path` belongs in [monitor.NAME]
error: `listen` is missing in [virtual.x]
  --> oxpecker.toml:14:10
14 | [virtual.x]
   |          ^ help: for example: listen = ["10.17.84.12:21050", "[2001:db8::12]:21050"]
error: `pool` is missing in [virtual.x]
  --> oxpecker.toml:14:10
14 | [virtual.x]
   |          ^ help: for example: pool = "hs2"
error: unknown key `pol` in [virtual.x]
  --> oxpecker.toml:15:1
15 | pol = "hs2"
   | ^^^ help: did you mean `pool`?
error: unknown table `polo`
  --> oxpecker.toml:16:2
16 | [polo.a]
   |  ^^^^ help: did you mean `pool`?
error: unknown table `profile.tls`
  --> oxpecker.toml:17:10
17 | [profile.tls.a]
   |          ^^^ help: did you mean `tls_client`?"#,
    );
}

#[test]
fn durations() {
    check(
        "[profile.protocol.x]\nidle_timeout = \"5\"\nclient_timeout = \"5sec\"\n\
         server_timeout = \"0s\"\nhandshake_timeout = \"off\"\nclient_user_timeout = \"never\"\n\
         server_user_timeout = \"400d\"\nclient_keepalive = { idle = 60, cuont = 3 }\n",
        r#"
error: `idle_timeout` needs a unit
  --> oxpecker.toml:13:16
13 | idle_timeout = "5"
   |                ^^^ help: write "5s" or "5ms"
error: `client_timeout` has the unknown unit `sec`
  --> oxpecker.toml:14:18
14 | client_timeout = "5sec"
   |                  ^^^^^^ help: units are ms, s, m, h and d, as in "1h30m"
error: `server_timeout` must be at least 1ms
  --> oxpecker.toml:15:18
15 | server_timeout = "0s"
   |                  ^^^^ help: write "off" for none
error: `handshake_timeout` must be a duration such as "5s", not `off`
  --> oxpecker.toml:16:21
16 | handshake_timeout = "off"
   |                     ^^^^^ help: units are ms, s, m, h and d, as in "1h30m"
error: `client_user_timeout` must be a duration such as "5s", or "off", not `never`
  --> oxpecker.toml:17:23
17 | client_user_timeout = "never"
   |                       ^^^^^^^ help: units are ms, s, m, h and d, as in "1h30m"
error: `server_user_timeout` is longer than 365d
  --> oxpecker.toml:18:23
18 | server_user_timeout = "400d"
   |                       ^^^^^^
error: `idle` needs a unit
  --> oxpecker.toml:19:29
19 | client_keepalive = { idle = 60, cuont = 3 }
   |                             ^^ help: write "60s" or "60ms"
error: unknown key `cuont` in `client_keepalive`
  --> oxpecker.toml:19:33
19 | client_keepalive = { idle = 60, cuont = 3 }
   |                                 ^^^^^ help: did you mean `count`?"#,
    );
}

#[test]
fn words_and_names() {
    check(
        "persistence = \"source_adr\"\n[pool.x]\nport = 21050\nmethod = \"leastconn\"\n\
         service_down = \"resett\"\nmembers = [\"c\", \"a:21050\", \"10.0.0.1\", { nod = \"a\" }, 5]\n\
         monitor = \"hs2_http\"\n",
        r#"
error: no persistence profile is called `source_adr`
  --> oxpecker.toml:12:15
12 | persistence = "source_adr"
   |               ^^^^^^^^^^^^ help: did you mean `source_addr`?
warning: pool `x` is used by no virtual server
  --> oxpecker.toml:13:7
13 | [pool.x]
   |       ^
error: `method` must be one of "round-robin", "least-connections", "source-hash", "random-two", "least-operations", not `leastconn`
  --> oxpecker.toml:15:10
15 | method = "leastconn"
   |          ^^^^^^^^^^^ help: did you mean `least-connections`?
error: `service_down` must be one of "none", "reset", "drop", "reselect", not `resett`
  --> oxpecker.toml:16:16
16 | service_down = "resett"
   |                ^^^^^^^^ help: did you mean `reset`?
error: no node is called `c`
  --> oxpecker.toml:17:12
17 | members = ["c", "a:21050", "10.0.0.1", { nod = "a" }, 5]
   |            ^^^
error: no node is called `a:21050`
  --> oxpecker.toml:17:17
17 | members = ["c", "a:21050", "10.0.0.1", { nod = "a" }, 5]
   |                 ^^^^^^^^^ help: write { node = "a", port = 21050 }
error: no node is called `10.0.0.1`
  --> oxpecker.toml:17:28
17 | members = ["c", "a:21050", "10.0.0.1", { nod = "a" }, 5]
   |                            ^^^^^^^^^^ help: write [node.NAME] with address = "10.0.0.1" and use NAME here
error: `node` is missing in the member
  --> oxpecker.toml:17:40
17 | members = ["c", "a:21050", "10.0.0.1", { nod = "a" }, 5]
   |                                        ^^^^^^^^^^^^^ help: for example: node = "coord-1"
error: unknown key `nod` in the member
  --> oxpecker.toml:17:42
17 | members = ["c", "a:21050", "10.0.0.1", { nod = "a" }, 5]
   |                                          ^^^ help: did you mean `node`?
error: `members` must be a list of node names or `{ node = "NAME", … }` tables, not a number
  --> oxpecker.toml:17:55
17 | members = ["c", "a:21050", "10.0.0.1", { nod = "a" }, 5]
   |                                                       ^ help: for example: members = ["coord-1", { node = "coord-2", port = 21051, weight = 2 }]
error: no monitor is called `hs2_http`
  --> oxpecker.toml:18:11
18 | monitor = "hs2_http"
   |           ^^^^^^^^^^ help: did you mean `hs2-http`?"#,
    );
}

#[test]
fn syntax() {
    check(
        "connections_max = 5s\ndescription = Hue\n[pool.x\nport = \n[node.a]\nreuse_port = yes\n",
        r#"
error: not valid TOML: string values must be quoted
  --> oxpecker.toml:12:19
12 | connections_max = 5s
   |                   ^^ help: write it in quotes: "5s"
error: not valid TOML: string values must be quoted
  --> oxpecker.toml:13:15
13 | description = Hue
   |               ^^^ help: write it in quotes: "Hue"
error: not valid TOML: unclosed table, expected `]`
  --> oxpecker.toml:14:8
14 | [pool.x
   |        ^
error: [node.a] is written twice
  --> oxpecker.toml:16:7
16 | [node.a]
   |       ^
   = note: first at oxpecker.toml:2:7
error: not valid TOML: string values must be quoted
  --> oxpecker.toml:17:14
17 | reuse_port = yes
   |              ^^^ help: write true"#,
    );
}

#[test]
fn the_same_twice() {
    check(
        "pool = \"hs2\"\n[node.a] # again\naddress = \"10.0.0.3\"\n[monitor.hs2]\n[node.c]\naddress = \"::\"\n",
        r#"
error: `pool` is written twice
  --> oxpecker.toml:12:1
12 | pool = "hs2"
   | ^^^^
   = note: first at oxpecker.toml:11:1
error: [node.a] is written twice
  --> oxpecker.toml:13:7
13 | [node.a] # again
   |       ^
   = note: first at oxpecker.toml:2:7
error: [monitor.hs2] is built in and cannot be changed
  --> oxpecker.toml:15:10
15 | [monitor.hs2]
   |          ^^^ help: use another name, with parent = "hs2"
error: `address` cannot be `::`: nobody can connect to it
  --> oxpecker.toml:17:11
17 | address = "::"
   |           ^^^^"#,
    );
}

#[test]
fn parents() {
    check(
        "[profile.protocol.a]\nparent = \"b\"\n[profile.protocol.b]\nparent = \"c\"\n\
         [profile.protocol.c]\nparent = \"b\"\n[monitor.x]\n[monitor.y]\nparent = \"tcp\"\ntype = \"http\"\n\
         [monitor.z]\ntype = \"x\"\n[monitor.none]\nparent = \"tcp\"\n",
        r#"
error: parents go in a ring: b → c → b
  --> oxpecker.toml:15:10
15 | parent = "c"
   |          ^^^
error: parents go in a ring: c → b → c
  --> oxpecker.toml:17:10
17 | parent = "b"
   |          ^^^
error: [monitor.x] needs a `parent` or a `type`
  --> oxpecker.toml:18:10
18 | [monitor.x]
   |          ^ help: for example: parent = "hs2"
error: `type` and `parent` both say what to inherit from
  --> oxpecker.toml:21:8
21 | type = "http"
   |        ^^^^^^ help: keep one of them
error: `type` must be one of "tcp", "http", "healthz", "hs2", "beeswax", "hs2-http", not `x`
  --> oxpecker.toml:23:8
23 | type = "x"
   |        ^^^
error: `none` cannot be a name: it means that there is none
  --> oxpecker.toml:24:10
24 | [monitor.none]
   |          ^^^^"#,
    );
}

#[test]
fn variables() {
    check(
        "description = \"a ${NO_SUCH} b\"\n[process]\nuser = \"${\"\ngroup = \"${a b}\"\n",
        r#"
error: environment variable `NO_SUCH` is not set
  --> oxpecker.toml:12:18
12 | description = "a ${NO_SUCH} b"
   |                  ^^^^^^^^^^ help: set it, or write "${NO_SUCH:-default}"
error: `${` without its `}`
  --> oxpecker.toml:14:9
14 | user = "${"
   |         ^^ help: write "$${" for the two characters themselves
error: `a b` is not the name of an environment variable
  --> oxpecker.toml:15:10
15 | group = "${a b}"
   |          ^^^^^^ help: letters, digits and `_`; write "$${" for the two characters themselves"#,
    );
}

#[test]
fn addresses() {
    check(
        "[virtual.x]\npool = \"hs2\"\nlisten = [\"21050\", \"10.0.0.1\", \"::1:5\", \"host:1\", \"1.1.1.1:99999\", \"unix:x\"]\n\
         deny = [\"10.0.0.1/8\", \"*\"]\nsocket_mode = 660\n\
         [node.c]\naddress = \"host:21050\"\n[node.d]\naddress = \"1.2.3\"\n[node.\"e f\"]\naddress = \"0.0.0.0\"\n\
         [log]\n[[log.target]]\nto = \"udp:host\"\nfacility = \"local9\"\n[[log.target]]\nto = \"/var/log/x\"\n\
         [[log.target]]\nto = \"stdout\"\nfacility = \"local1\"\n",
        r#"
error: `listen` must be "ADDRESS:PORT", "*:PORT" or "unix:/PATH", or a list of them, not `21050`
  --> oxpecker.toml:14:11
14 | listen = ["21050", "10.0.0.1", "::1:5", "host:1", "1.1.1.1:99999", "unix:x"]
   |           ^^^^^^^ help: for every address write "*:21050"
error: `listen` must be "ADDRESS:PORT", "*:PORT" or "unix:/PATH", or a list of them, not `10.0.0.1`
  --> oxpecker.toml:14:20
14 | listen = ["21050", "10.0.0.1", "::1:5", "host:1", "1.1.1.1:99999", "unix:x"]
   |                    ^^^^^^^^^^ help: add the port: "10.0.0.1:21050"
error: `listen` must be "ADDRESS:PORT", "*:PORT" or "unix:/PATH", or a list of them, not `::1:5`
  --> oxpecker.toml:14:32
14 | listen = ["21050", "10.0.0.1", "::1:5", "host:1", "1.1.1.1:99999", "unix:x"]
   |                                ^^^^^^^ help: an IPv6 address stands in brackets: "[::1]:21050"
error: `listen` must be "ADDRESS:PORT", "*:PORT" or "unix:/PATH", or a list of them, not `host:1`
  --> oxpecker.toml:14:41
14 | listen = ["21050", "10.0.0.1", "::1:5", "host:1", "1.1.1.1:99999", "unix:x"]
   |                                         ^^^^^^^^ help: a listener needs an IP address, names are not looked up
error: `listen` must be "ADDRESS:PORT", "*:PORT" or "unix:/PATH", or a list of them, not `1.1.1.1:99999`
  --> oxpecker.toml:14:51
14 | listen = ["21050", "10.0.0.1", "::1:5", "host:1", "1.1.1.1:99999", "unix:x"]
   |                                                   ^^^^^^^^^^^^^^^ help: ports go from 0 to 65535
error: `listen` must be "ADDRESS:PORT", "*:PORT" or "unix:/PATH", or a list of them, not `unix:x`
  --> oxpecker.toml:14:68
14 | listen = ["21050", "10.0.0.1", "::1:5", "host:1", "1.1.1.1:99999", "unix:x"]
   |                                                                    ^^^^^^^^ help: the path must start with `/`
warning: `10.0.0.1/8` has bits set behind its prefix; it means `10.0.0.0/8`
  --> oxpecker.toml:15:9
15 | deny = ["10.0.0.1/8", "*"]
   |         ^^^^^^^^^^^^
error: `*` is not a network such as "10.0.0.0/8"
  --> oxpecker.toml:15:23
15 | deny = ["10.0.0.1/8", "*"]
   |                       ^^^ help: leave the key out for everybody, or write "0.0.0.0/0" and "::/0"
error: `socket_mode` must be octal permission bits as text, such as "0660", not a number
  --> oxpecker.toml:16:15
16 | socket_mode = 660
   |               ^^^ help: for example: socket_mode = "0600"
warning: node `c` is used by no pool
  --> oxpecker.toml:17:7
17 | [node.c]
   |       ^
error: `address` must be an IP address or a host name, not `host:21050`
  --> oxpecker.toml:18:11
18 | address = "host:21050"
   |           ^^^^^^^^^^^^ help: the port belongs in [pool.NAME] or in the member
warning: node `d` is used by no pool
  --> oxpecker.toml:19:7
19 | [node.d]
   |       ^
error: `address` must be an IP address or a host name, not `1.2.3`
  --> oxpecker.toml:20:11
20 | address = "1.2.3"
   |           ^^^^^^^
error: `e f` cannot be a name
  --> oxpecker.toml:21:7
21 | [node."e f"]
   |       ^^^^^ help: up to 128 of the letters a to z, digits, `-`, `_` and `.`
warning: node `e f` is used by no pool
  --> oxpecker.toml:21:7
21 | [node."e f"]
   |       ^^^^^
error: `address` cannot be `0.0.0.0`: nobody can connect to it
  --> oxpecker.toml:22:11
22 | address = "0.0.0.0"
   |           ^^^^^^^^^
error: `to` must be "stdout", "stderr", "file:/path", "udp:ADDRESS:514", "tcp:ADDRESS:514" or "unix:/dev/log", not `udp:host`
  --> oxpecker.toml:25:6
25 | to = "udp:host"
   |      ^^^^^^^^^^ help: a syslog target needs an IP address, names are not looked up
error: `facility` must be one of "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7", not `local9`
  --> oxpecker.toml:26:12
26 | facility = "local9"
   |            ^^^^^^^^ help: did you mean `local0`?
error: `to` must be "stdout", "stderr", "file:/path", "udp:ADDRESS:514", "tcp:ADDRESS:514" or "unix:/dev/log", not `/var/log/x`
  --> oxpecker.toml:28:6
28 | to = "/var/log/x"
   |      ^^^^^^^^^^^^ help: for a file put `file:` before the path
error: `facility` does nothing for this target
  --> oxpecker.toml:31:12
31 | facility = "local1"
   |            ^^^^^^^^ help: only `udp:`, `tcp:` and `unix:` targets speak syslog"#,
    );
}
