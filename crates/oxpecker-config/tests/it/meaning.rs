//! What tables mean: defaults, and what they must not or should not say together.

use std::time::Duration;

use oxpecker_config::model::{
    AdminState, Facility, Level, Listen, Login, Probe, ProxyVersion, QueryFormat, Sink, Statements,
    StatusRange, SyslogProtocol, SyslogTransport,
};
use oxpecker_config::{Diagnostic, Severity};

use crate::{BASE, check_text, good};

fn diagnostics(text: &str) -> Vec<Diagnostic> {
    match check_text(text) {
        Ok(checked) => checked.warnings,
        Err(diagnostics) => diagnostics,
    }
}

/// `what` is replaced in `BASE` by `with`; expected are lines such as `12 warning message`.
#[track_caller]
fn check(what: &str, with: &str, expected: &[&str]) {
    assert!(BASE.contains(what));
    let found: Vec<String> = diagnostics(&BASE.replace(what, with))
        .into_iter()
        .map(|d| format!("{} {} {}", d.line, d.severity.as_str(), d.message))
        .collect();
    assert_eq!(found, expected, "with {with}");
}

const LISTEN: &str = "listen = \"10.0.0.9:21050\"";
const MEMBERS: &str = "members = [\"a\", \"b\"]";
const END: &str = "pool = \"hs2\"\n";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn defaults_are_those_of_the_manual() {
    let config = good(BASE).config;
    assert_eq!(config.process.drain_delay, seconds(0));
    assert_eq!(config.process.drain_timeout, seconds(3600));
    assert_eq!((config.log.level, config.log.dontlognull), (Level::Info, false));
    assert_eq!(config.log.targets.len(), 1);
    assert_eq!(config.log.targets[0].sink, Sink::Stdout);
    assert_eq!(config.admin, None);
    let pool = &config.pools[0];
    assert_eq!((pool.retries, pool.redispatch), (3, true));
    assert_eq!((pool.connect_timeout, pool.queue_timeout), (seconds(5), seconds(30)));
    assert_eq!((pool.queue_max, pool.connect_failures_max), (1024, 3));
    assert_eq!(pool.connect_failures_retry, seconds(10));
    let member = &pool.members[0];
    assert_eq!((member.node, member.port, member.weight, member.priority), (0, 21050, 1, 10));
    assert_eq!(member.state, AdminState::Enabled);
    let monitor = pool.monitor.as_ref().unwrap();
    assert_eq!((monitor.probe.clone(), monitor.name.as_str()), (Probe::Tcp, "tcp"));
    assert_eq!((monitor.interval, monitor.timeout), (seconds(5), seconds(5)));
    assert_eq!((monitor.fall, monitor.rise), (3, 1));
    let server = &config.virtuals[0];
    assert_eq!(server.protocol_profile.name, "fastl4");
    assert_eq!(server.protocol_profile.idle_timeout, Some(seconds(300)));
    assert_eq!(server.protocol_profile.client_timeout, None);
    assert_eq!(server.protocol_profile.server_keepalive.unwrap().idle, seconds(60));
    assert_eq!((server.backlog, server.socket_mode), (4096, 0o660));
    assert!(server.reuse_port && server.dual_stack);
    let standard = good(&format!("{BASE}type = \"standard\"\n")).config;
    assert_eq!(standard.virtuals[0].protocol_profile.name, "tcp");
}

#[test]
fn monitors_inherit() {
    let with = "members = [\"a\", \"b\"]\nmonitor = \"m\"\n[monitor.m]\nparent = \"n\"\nfall = 2\n\
                [monitor.n]\ntype = \"hs2-http\"\ninterval = \"2s\"\npassword = \"${PROBE_PASSWORD}\"";
    let config = good(&BASE.replace(MEMBERS, with)).config;
    let monitor = config.pools[0].monitor.as_ref().unwrap();
    assert_eq!((monitor.fall, monitor.rise), (2, 2));
    // The default timeout follows a shorter interval.
    assert_eq!((monitor.interval, monitor.timeout), (seconds(2), seconds(2)));
    match &monitor.probe {
        Probe::Hs2Http { login: Login::Plain { user, .. }, path } => {
            assert_eq!((user.as_str(), path.as_str()), ("oxpecker", "/cliservice"));
        }
        other => panic!("{other:?}"),
    }
    let with =
        "members = [\"a\", \"b\"]\nmonitor = \"m\"\n[monitor.m]\ntype = \"http\"\nstatus = 204";
    let config = good(&BASE.replace(MEMBERS, with)).config;
    match &config.pools[0].monitor.as_ref().unwrap().probe {
        Probe::Http { path, status, host: None } => {
            assert_eq!(path, "/");
            assert_eq!(status, &[StatusRange { first: 204, last: 204 }]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn monitors_that_make_no_sense() {
    let monitor = |lines: &str| {
        let text = format!("{BASE}[monitor.m]\n{lines}\n");
        diagnostics(&text)
            .into_iter()
            .map(|d| format!("{} {}", d.line, d.message))
            .collect::<Vec<_>>()
    };
    for (lines, expected) in [
        (
            "type = \"tcp\"\ninterval = \"2s\"\ntimeout = \"3s\"",
            "15 a probe may take 3s (`timeout`), but the next one starts after 2s",
        ),
        (
            "type = \"tcp\"\ninterval_down = \"1s\"",
            "14 a probe may take 5s (`timeout`), but the next one starts after 1s",
        ),
        ("type = \"tcp\"\npath = \"/\"", "14 `path` does nothing for a `tcp` monitor"),
        ("type = \"hs2\"\nlogin = \"plain\"", "14 `login = \"plain\"` needs a `password`"),
        (
            "type = \"hs2\"\nlogin = \"none\"\npassword = { env = \"PROBE_PASSWORD\" }",
            "15 `password` does nothing with `login = \"none\"`",
        ),
        ("type = \"http\"\nstatus = [\"300-200\"]", "14 `300-200` is not a status from 100 to 599"),
        ("type = \"http\"\npath = \"x\"", "14 `path` must start with `/` and hold no blanks"),
    ] {
        assert_eq!(monitor(lines), [expected]);
    }
}

#[test]
fn members() {
    let with = "members = [\"a\", { node = \"a\", port = 21000, weight = 0, state = \"disabled\" }, \
                { node = \"b\", backup = true, connections_max = 64 }]\nsend_proxy = \"v1\"";
    let config = good(&BASE.replace(MEMBERS, with)).config;
    let members = &config.pools[0].members;
    assert_eq!((members[1].port, members[1].weight), (21000, 0));
    assert_eq!(members[1].state, AdminState::Disabled);
    assert_eq!((members[2].priority, members[2].connections_max), (0, Some(64)));
    assert_eq!(config.pools[0].send_proxy, Some(ProxyVersion::V1));
    let twice = "members = [\"a\", \"b\", { node = \"a\", port = 21050 }]";
    check(MEMBERS, twice, &["8 error `a:21050` is in pool `hs2` twice"]);
    let both = "members = [\"a\", { node = \"b\", priority = 3, backup = true }]";
    check(MEMBERS, both, &["8 error `backup = true` is priority 0; keep one of the two"]);
    let heavy = "members = [\"a\", { node = \"b\", weight = 257 }]";
    check(MEMBERS, heavy, &["8 error `weight` must be a whole number from 0 to 256"]);
    check("port = 21050\n", "", &["7 error no port for this member"; 2]);
    let none = ["8 error pool `hs2` has no members"];
    let unused = ["2 warning node `a` is used by no pool", "4 warning node `b` is used by no pool"];
    check(MEMBERS, "members = []", &[&unused[..], &none].concat());
    check(MEMBERS, "members = \"a\"", &["4 warning node `b` is used by no pool"]);
}

#[test]
fn internal_ports_are_refused() {
    for (port, what) in
        [(22000, "impalad's internal"), (25000, "impalad's web"), (27000, "the KRPC")]
    {
        let found = diagnostics(&BASE.replace("port = 21050\n", &format!("port = {port}\n")));
        let error = found.iter().find(|d| d.severity == Severity::Error).unwrap();
        assert!(error.message.starts_with(&format!("port {port} is {what}")), "{error}");
        assert!(error.help.as_ref().unwrap().contains("21050"), "{error}");
        assert_eq!(found.iter().filter(|d| d.severity == Severity::Error).count(), 1);
    }
}

#[test]
fn pool_options_that_do_not_fit() {
    let pool = |lines: &str| format!("{MEMBERS}\n{lines}");
    check(MEMBERS, &pool("monitor = \"none\""), &["9 warning pool `hs2` is not monitored"]);
    check(
        MEMBERS,
        &pool("method = \"round-robin\"\nscope = \"node\""),
        &["10 warning `scope` does nothing with this method"],
    );
    check(
        MEMBERS,
        &pool("transparent = true\nsource = \"10.0.0.5\""),
        &["10 error `source` and `transparent` both say where to connect from"],
    );
    check(
        MEMBERS,
        &pool("load_port = 25000\nload_tls = \"serverssl\""),
        &["9 warning `load_port` does nothing with this method"],
    );
    check(
        MEMBERS,
        &pool("load_tls = \"serverssl\""),
        &["9 warning `load_tls` does nothing without `load_port`"],
    );
    check(
        MEMBERS,
        &pool("method = \"least-operations\""),
        &["12 error pool `hs2` counts operations, which this virtual server does not see"],
    );
}

#[test]
fn tls_and_protocols_need_a_standard_server() {
    let text = format!(
        "{BASE}tls_server = \"serverssl\"\ntls_client = \"clientssl\"\nprotocol = \"hs2\"\n"
    );
    let found = diagnostics(&text);
    let messages: Vec<&str> = found.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`tls_server` is not possible on a `layer4` virtual server",
            "`tls_client` is not possible on a `layer4` virtual server",
            "`clientssl` has no certificate",
            "a `layer4` virtual server does not read the protocol",
        ]
    );
    assert!(found[0].help.as_ref().unwrap().contains("type = \"standard\""));
    check(
        END,
        "pool = \"hs2\"\ntype = \"standard\"\ntls_server = \"x\"\n[profile.tls_server.x]\nverify = \"none\"\n",
        &["13 warning `x` does not verify the members' certificates"],
    );
}

#[test]
fn timeouts_shorter_than_persistence() {
    let end = |lines: &str| format!("{END}{lines}");
    check(END, &end("persistence = \"source_addr\"\n"), &[]);
    check(
        END,
        &end("persistence = \"p\"\n[profile.persistence.p]\ntimeout = \"1h\"\n"),
        &["12 warning `idle_timeout` of `fastl4` (5m) is shorter than persistence `p` (1h)"],
    );
    check(
        END,
        &end("persistence = \"source_addr\"\nprotocol_profile = \"p\"\n\
              [profile.protocol.p]\nidle_timeout = \"off\"\nserver_timeout = \"50s\"\n"),
        &[
            "13 warning `server_timeout` of `p` (50s) is shorter than persistence `source_addr` (3m)",
        ],
    );
    check(END, &end("persistence = \"none\"\n"), &[]);
}

#[test]
fn ports_that_differ_and_doors_that_stand_open() {
    let differs = "10 warning `hs2` listens on port 1, its members on 21050";
    let every = "10 warning `hs2` listens on every address and everybody may connect";
    let public = "10 warning `hs2` listens on a public address and everybody may connect";
    check(LISTEN, "listen = \"10.0.0.9:1\"", &[differs]);
    check(LISTEN, "listen = \"*:21050\"", &[every]);
    check(LISTEN, "listen = \":21050\"\nallow = [\"10.0.0.0/8\"]", &[]);
    check(LISTEN, "listen = \"0.0.0.0:21050\"\nallow = \"0.0.0.0/0\"", &[every]);
    check(LISTEN, "listen = \"8.8.8.8:21050\"", &[public]);
    check(LISTEN, "listen = \"[2a00::1]:21050\"", &[public]);
    check(LISTEN, "listen = \"[fd00::1]:21050\"", &[]);
    check(LISTEN, "listen = \"127.0.0.1:0\"", &[]);
    check(LISTEN, "listen = \"unix:/run/x\"", &[]);
    check(LISTEN, "listen = \"8.8.8.8:21050\"\naccept_proxy = \"10.0.0.5\"", &[]);
    let pretend = "10 warning `hs2` takes PROXY headers from everybody, so that anybody can pretend to be another";
    check(
        LISTEN,
        "listen = \"10.0.0.1:21050\"\naccept_proxy = [\"10.0.0.5\", \"::/0\"]",
        &[pretend],
    );
    let allow = "listen = \"10.0.0.1:21050\"\naccept_proxy = \"0.0.0.0/0\"\nallow = \"10.0.0.0/8\"";
    check(LISTEN, allow, &[]);
    check(LISTEN, "listen = []", &["10 error `listen` must not be empty"]);
    let empty = "listen = \"10.0.0.9:21050\"\nallow = []";
    check(LISTEN, empty, &["11 error `allow` is empty: nobody could connect"]);
    let admin = "[admin]\nlisten = \"10.0.0.9:25002\"\n";
    check(
        END,
        &format!("{END}{admin}"),
        &[
            "13 warning the admin page is reachable from other hosts, and shows everything to anybody",
        ],
    );
    assert_eq!(
        good(&BASE.replace(LISTEN, "listen = \"*:21050\"")).config.virtuals[0].listen,
        [Listen::Tcp("[::]:21050".parse().unwrap())]
    );
}

/// Whether the second listener finds its address taken.
#[track_caller]
fn clash(first: &str, second: &str, expected: bool) {
    let text = BASE.replace(LISTEN, first);
    let text = format!("{text}[virtual.second]\n{second}\npool = \"hs2\"\n");
    let found = diagnostics(&text);
    let taken = found.iter().find(|d| d.message.contains("is already taken by"));
    assert_eq!(taken.is_some(), expected, "{first} and {second}: {found:?}");
    if let Some(taken) = taken {
        assert!(taken.message.ends_with("virtual server `hs2`"));
        assert_eq!((taken.notes[0].line, taken.notes[0].message.as_str()), (10, "taken"));
    }
}

#[test]
fn listeners_that_clash() {
    let listen = |address: &str| format!("listen = \"{address}\"");
    for (first, second, expected) in [
        ("10.0.0.9:21050", "10.0.0.9:21050", true),
        ("10.0.0.9:21050", "10.0.0.9:21051", false),
        ("10.0.0.9:21050", "10.0.0.8:21050", false),
        ("0.0.0.0:21050", "10.0.0.8:21050", true),
        ("10.0.0.9:21050", "0.0.0.0:21050", true),
        ("*:21050", "10.0.0.8:21050", true),
        ("127.0.0.1:21050", "*:21050", true),
        ("0.0.0.0:21050", "[::1]:21050", false),
        ("[::]:21050", "[::1]:21050", true),
        ("[::1]:21050", "[fd00::1]:21050", false),
        ("10.0.0.9:0", "10.0.0.9:0", false),
        ("unix:/run/x", "unix:/run/x", true),
        ("unix:/run/x", "unix:/run/y", false),
    ] {
        clash(&listen(first), &listen(second), expected);
    }
    clash("listen = \"[::]:1\"\ndual_stack = false", &listen("0.0.0.0:1"), false);
    clash(
        "listen = \"*:1\"\ninterface = \"eth0\"",
        "listen = \"*:1\"\ninterface = \"eth1\"",
        false,
    );
    clash("listen = \"*:1\"\ninterface = \"eth0\"", "listen = \"*:1\"", true);
    let admin = format!("{}[admin]\n", BASE.replace(LISTEN, "listen = \"127.0.0.1:25002\""));
    // The default of [admin] clashes as well.
    assert!(diagnostics(&admin).iter().any(|d| d.message.contains("already taken")));
    check(
        LISTEN,
        "listen = [\"10.0.0.9:21050\", \"10.0.0.9:21050\"]",
        &["10 error `10.0.0.9:21050` is already taken by virtual server `hs2`"],
    );
}

#[test]
fn unused_things() {
    let text =
        format!("{BASE}[node.c]\naddress = \"c\"\n[pool.x]\nport = 21050\nmembers = [\"a\"]\n");
    let found: Vec<String> = diagnostics(&text).into_iter().map(|d| d.message).collect();
    assert_eq!(found, ["node `c` is used by no pool", "pool `x` is used by no virtual server"]);
    let found: Vec<String> = diagnostics("").into_iter().map(|d| d.message).collect();
    assert_eq!(found, ["no virtual server: nothing listens for clients"]);
    assert!(oxpecker_config::check(&[], &oxpecker_config::Maps::default()).is_ok());
}

#[test]
fn log_targets() {
    let text = format!(
        "{BASE}[log]\nlevel = \"notice\"\n\
         [[log.target]]\nto = \"udp:127.0.0.1\"\nfacility = \"local2\"\n\
         [[log.target]]\nto = \"tcp:[::1]:6514\"\nprotocol = \"rfc5424\"\nlevel = \"err\"\n\
         [[log.target]]\nto = \"unix:/dev/log\"\n[[log.target]]\nto = \"file:x.log\"\n"
    );
    let targets = good(&text).config.log.targets;
    let syslog = |transport, protocol, facility| Sink::Syslog { transport, protocol, facility };
    assert_eq!(
        targets[0].sink,
        syslog(
            SyslogTransport::Udp("127.0.0.1:514".parse().unwrap()),
            SyslogProtocol::Rfc3164,
            Facility(18)
        )
    );
    assert_eq!(
        targets[1].sink,
        syslog(
            SyslogTransport::Tcp("[::1]:6514".parse().unwrap()),
            SyslogProtocol::Rfc5424,
            Facility(16)
        )
    );
    assert_eq!((targets[0].level, targets[1].level), (Level::Notice, Level::Err));
    assert_eq!(targets[3].sink, Sink::File("x.log".into()));
}

#[test]
fn access_records_that_nobody_would_see_are_remarked() {
    let log = "[log]\nlevel = \"notice\"\n";
    let checked = good(&format!("{BASE}{log}"));
    let texts: Vec<_> = checked.warnings.iter().map(|w| w.message.as_str()).collect();
    assert!(
        texts.iter().any(|text| text.contains("no log target shows access records")),
        "{texts:?}"
    );
    let checked = good(&format!("{BASE}{log}access = \"off\"\n"));
    assert!(checked.warnings.iter().all(|w| !w.message.contains("access records")));
}

#[test]
fn query_records_are_off_and_remarked_when_nobody_would_see_them() {
    let log = good(BASE).config.log;
    assert_eq!((log.queries, log.statements), (QueryFormat::Off, Statements::Redacted));
    let seen = |lines: &str| {
        let checked = good(&format!("{BASE}[log]\nqueries = \"json\"\n{lines}"));
        checked.warnings.iter().all(|warning| !warning.message.contains("query records"))
    };
    let target =
        |records: &str| format!("[[log.target]]\nto = \"stdout\"\nrecords = \"{records}\"\n");
    assert!(seen("") && seen(&target("queries")) && seen(&target("all")));
    assert!(!seen("level = \"notice\"\n") && !seen(&target("access")));
}

#[test]
fn abandoned_sessions_are_left_alone_unless_asked() {
    let standard = "type = \"standard\"\nprotocol = \"hs2\"\n";
    let with = |lines: &str| good(&BASE.replace(END, &format!("{END}{standard}{lines}"))).config;
    let of = |lines: &str| {
        let policy = with(lines).virtuals[0].abandonment;
        (policy.close_after, policy.cancel_after)
    };
    assert_eq!(of(""), (None, None));
    assert_eq!(of("abandoned_timeout = \"1h\""), (Some(seconds(3600)), None));
    assert_eq!(of("orphans = \"cancel\""), (None, Some(seconds(300))));
    let cancel = "orphans = \"cancel\"\norphan_timeout = \"1m\"";
    assert_eq!(of(cancel), (None, Some(seconds(60))));
}

#[test]
fn only_sessions_that_outlive_connections_are_abandoned() {
    let found = |lines: &str| {
        let found = diagnostics(&BASE.replace(END, &format!("{END}{lines}")));
        let errors = found.into_iter().filter(|found| found.severity == Severity::Error);
        errors.map(|found| found.message).collect::<Vec<_>>()
    };
    let beeswax = "type = \"standard\"\nprotocol = \"beeswax\"\n";
    assert_eq!(
        found(&format!("{beeswax}abandoned_timeout = \"1h\"\norphans = \"cancel\"")),
        [
            "`abandoned_timeout` does nothing with this `protocol`",
            "`orphans` does nothing with this `protocol`"
        ]
    );
    assert_eq!(found(&format!("{beeswax}abandoned_timeout = \"off\"")), [] as [&str; 0]);
    let hs2 = "type = \"standard\"\nprotocol = \"hs2\"\n";
    assert_eq!(
        found(&format!("{hs2}orphan_timeout = \"1h\"")),
        ["`orphan_timeout` does nothing while orphans are kept"]
    );
}
