//! Access records and process events, and the places they go to.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use nix::sys::signal::Signal;
use oxpecker_testkit::client::{Talk, reset_on_close};
use oxpecker_testkit::{Launch, Lines, Member, Tcplog, TempDir, connect, sink, wait_until};

use crate::site::{PROGRAM, Site};

/// HAProxy's manual, section 8.2.2, field by field.
#[test]
fn the_access_record_is_haproxys() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut client = connect(site.front());
    let own = client.local_addr().unwrap();
    client.check_echo(&[7; 212]);
    drop(client);
    let record = gateway.wait_record(1);
    assert_eq!(record.client, own.to_string());
    assert_eq!((&*record.virtual_server, &*record.pool, &*record.member), ("v", "p", "m1:21050"));
    assert_eq!((record.bytes, &*record.letters, record.open), (212, "--", [1, 1, 1, 1]));
    assert_eq!((record.retries, record.redispatched, record.queue_ahead), (0, false, 0));
    assert!(record.queued >= 0 && record.connected >= 0 && record.total >= record.connected);
    // 06/Feb/2009:12:12:51.443
    let shape: String =
        record.time.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    let month: String = shape.chars().skip(3).take(3).collect();
    assert!("JanFebMarAprMayJunJulAugSepOctNovDec".contains(&month), "{}", record.time);
    assert_eq!(shape.replace(&month, "Mon"), "99/Mon/9999:99:99:99.999");
}

#[test]
fn the_json_record_has_the_same_facts_and_more() {
    let site = Site::new(1).top("[log]\naccess = \"json\"");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut client = connect(site.front());
    let own = client.local_addr().unwrap();
    client.check_echo(b"hello");
    drop(client);
    let line = gateway.out.wait("\"record\":\"access\"");
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["client"], own.to_string());
    assert_eq!(record["member"], "m1:21050");
    assert_eq!((&record["bytes_up"], &record["bytes_down"]), (&5.into(), &5.into()));
    assert_eq!((&record["end_state"], &record["reason"]), (&"--".into(), &"finished".into()));
}

#[test]
fn no_records_when_they_are_off() {
    let site = Site::new(1).top("[log]\naccess = \"off\"");
    let _member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    connect(site.front()).check_echo(b"hello");
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.wait_exit(), 0);
    assert!(gateway.records().is_empty());
    assert_eq!(gateway.out.count("drained"), 1);
}

/// Probes of balancers in front and port scans come and go without a byte, in two ways.
#[test]
fn dontlognull_leaves_out_connections_without_a_byte() {
    let site = Site::new(1).top("[log]\ndontlognull = true");
    let member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    drop(connect(site.front()));
    let scan = connect(site.front());
    wait_until("the scan is at the member", || member.open() == 1 && member.accepted() == 2);
    reset_on_close(&scan);
    drop(scan);
    member.wait_open(0);
    connect(site.front()).check_echo(b"hello");
    gateway.wait_record(1);
    gateway.signal(Signal::SIGTERM);
    gateway.wait_exit();
    let records = gateway.records();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0].bytes, 5);
}

/// One target at a level of its own for each kind of line.
#[test]
fn targets_filter_by_level_and_kind() {
    let dir = TempDir::new();
    let file = |name: &str| dir.join(name).display().to_string();
    let site = Site::new(1).monitored("").top(&format!(
        "[[log.target]]\nto = \"stdout\"\n\
         [[log.target]]\nto = \"file:{}\"\nlevel = \"warning\"\n\
         [[log.target]]\nto = \"file:{}\"\nrecords = \"access\"\n\
         [[log.target]]\nto = \"file:{}\"\nrecords = \"process\"\nformat = \"json\"\n",
        file("warnings"),
        file("access"),
        file("process")
    ));
    let mut member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    gateway.out.wait("member changed health");
    connect(site.front()).check_echo(b"hello");
    gateway.wait_record(1);
    member.kill();
    gateway.out.wait("member is down");
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.wait_exit(), 0);
    let lines = |name: &str| {
        let text = fs::read_to_string(dir.join(name)).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let warnings = lines("warnings");
    assert!(warnings.iter().any(|line| line.contains("member is down")), "{warnings:?}");
    assert!(!warnings.iter().any(|line| line.contains("started") || line.contains(" v p/")));
    let access = lines("access");
    assert!(access.len() == 1 && Tcplog::parse(&access[0]).is_some(), "{access:?}");
    let process = lines("process");
    assert!(process.len() > 3, "{process:?}");
    for line in &process {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["message"].is_string() && event["level"].is_string(), "{line}");
        assert!(event["timestamp"].is_string(), "{line}");
    }
    assert!(process.iter().any(|line| line.contains("\"reason\":\"probe failed: ")), "{process:?}");
}

#[test]
fn events_below_the_level_are_not_made() {
    let site = Site::new(1).monitored("").top("[log]\nlevel = \"warning\"");
    let mut member = Member::echo(site.member_addr(1));
    let mut gateway = site.launch().spawn();
    wait_until("it is probed", || member.accepted() > 1);
    member.kill();
    gateway.out.wait("member is down");
    assert_eq!(gateway.out.count("started") + gateway.out.count("listening"), 0);
    // A reload may change that.
    let louder = site.config().replace("level = \"warning\"", "level = \"notice\"");
    gateway.dir.write("oxpecker.toml", &louder);
    gateway.signal(Signal::SIGHUP);
    gateway.out.wait("reloaded");
    assert!(gateway.is_running());
}

/// The number before a syslog line is facility × 8 + severity.
fn syslog_site(target: &str) -> (Site, Member) {
    let site = Site::new(1).top(&format!("[[log.target]]\n{target}"));
    let member = Member::echo(site.member_addr(1));
    (site, member)
}

#[track_caller]
fn speak(site: &Site, lines: &Lines) -> (String, String) {
    let notice = lines.wait("started");
    connect(site.front()).check_echo(b"hello");
    let record = lines.wait(" v p/m1:21050 ");
    (notice, record)
}

#[test]
fn syslog_over_udp_in_the_old_form() {
    let site = Site::new(1);
    let receiver = SocketAddr::new(site.net.ip(70), 5514);
    let lines = sink::udp(receiver);
    let site = site.top(&format!("[[log.target]]\nto = \"udp:{receiver}\""));
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.launch().spawn();
    let (notice, record) = speak(&site, &lines);
    // local0 is 16; notice is 5, info is 6.
    assert!(notice.starts_with("<133>") && record.starts_with("<134>"), "{notice}\n{record}");
    check_rfc3164(&notice, gateway.pid(), true);
    // What rsyslog cuts off leaves the record that scripts read.
    let (_, content) = record.split_once("]: ").unwrap();
    assert!(Tcplog::parse(content).is_some(), "{content}");
}

/// `<PRI>Mmm dd hh:mm:ss HOST oxpecker[PID]: …`
#[track_caller]
fn check_rfc3164(line: &str, pid: u32, with_host: bool) {
    let (_, rest) = line.split_once('>').unwrap();
    let (time, rest) = rest.split_at(15);
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert!(shape.ends_with(" 99 99:99:99") || shape.ends_with("  9 99:99:99"), "{line}");
    let words: Vec<_> = rest.split_whitespace().collect();
    let tag = format!("oxpecker[{pid}]:");
    assert_eq!(words[usize::from(with_host)], tag, "{line}");
}

#[test]
fn syslog_over_tcp_in_the_new_form() {
    let site = Site::new(1);
    let receiver = SocketAddr::new(site.net.ip(70), 5514);
    let lines = sink::tcp(receiver);
    let site = site.top(&format!(
        "[[log.target]]\nto = \"tcp:{receiver}\"\nprotocol = \"rfc5424\"\nfacility = \"local3\""
    ));
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.launch().spawn();
    let (notice, record) = speak(&site, &lines);
    // local3 is 19.
    assert!(notice.starts_with("<157>1 ") && record.starts_with("<158>1 "), "{notice}\n{record}");
    let words: Vec<_> = record.splitn(8, ' ').collect();
    let [_, time, _, app, pid, message_id, data, content] = words[..] else { panic!("{record}") };
    assert!(time.len() == 27 && time.ends_with('Z') && time.contains('T'), "{time}");
    assert_eq!((app, pid), ("oxpecker", &*gateway.pid().to_string()));
    assert_eq!((message_id, data), ("-", "-"));
    assert!(Tcplog::parse(content).is_some(), "{content}");
}

#[test]
fn syslog_over_a_unix_socket_and_again_after_its_restart() {
    let dir = TempDir::new();
    let path = dir.join("log");
    let (site, _member) = syslog_site(&format!(
        "to = \"unix:{}\"\nfacility = \"daemon\"\n[[log.target]]\nto = \"stdout\"",
        path.display()
    ));
    let lines = sink::unix(&path);
    let gateway = site.start();
    let (notice, _) = speak(&site, &lines);
    // daemon is 3.
    assert!(notice.starts_with("<29>"), "{notice}");
    check_rfc3164(&notice, gateway.pid(), false);
    fs::remove_file(&path).unwrap();
    let lines = sink::unix(&path);
    connect(site.front()).check_echo(b"hello");
    lines.wait(" v p/m1:21050 ");
}

/// A receiver that is not there, or not there yet, holds nobody up.
#[test]
fn a_dead_syslog_server_holds_nobody_up() {
    let site = Site::new(1);
    let dead = SocketAddr::new(site.net.ip(70), 5514);
    let targets = ["udp", "tcp"].map(|how| format!("[[log.target]]\nto = \"{how}:{dead}\"\n"));
    let site = site.top(&format!(
        "[[log.target]]\nto = \"stdout\"\n{}[[log.target]]\nto = \"unix:/nonexistent/log\"\n",
        targets.concat()
    ));
    let _member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    for _ in 0..20 {
        connect(site.front()).check_echo(b"hello");
    }
    gateway.wait_record(20);
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.wait_exit(), 0);
}

#[test]
fn a_log_file_that_cannot_be_written_ends_the_start_and_is_named() {
    let site = Site::new(1).top("[[log.target]]\nto = \"file:/nonexistent/dir/oxpecker.log\"");
    let mut gateway = site.launch().spawn();
    assert_eq!(gateway.wait_exit(), 1);
    let said = gateway.err.all().join("\n");
    assert!(said.contains("/nonexistent/dir/oxpecker.log"), "{said}");
}

/// Nobody reads standard output: clients, a reload and the end must not notice.
#[test]
fn a_stuck_log_target_stops_nothing() {
    let dir = TempDir::new();
    let file = dir.join("oxpecker.log").display().to_string();
    let fifo = dir.join("stuck");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let site = Site::new(1).top(&format!(
        "[log]\nlevel = \"debug\"\n[[log.target]]\nto = \"file:{}\"\n[[log.target]]\nto = \"file:{file}\"",
        fifo.display(),
    ));
    let _member = Member::echo(site.member_addr(1));
    // Open for reading, so that the gateway can open it for writing; then never read.
    let _reader = fs::OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    let mut gateway = Launch::new(PROGRAM, &site.config()).spawn();
    wait_until("it listens", || oxpecker_testkit::client::try_connect(None, site.front()).is_ok());
    // More than the pipe, the buffers and the queue of the log thread hold: at "debug" every
    // connection makes two lines.
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..3_000).for_each(|_| connect(site.front()).check_echo(b"hello")));
        }
    });
    gateway.signal(Signal::SIGHUP);
    gateway.signal(Signal::SIGUSR1);
    connect(site.front()).check_echo(b"hello");
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.wait_exit(), 0);
}

/// Names come from the configuration and addresses from clients; neither may forge a line.
#[test]
fn lines_stay_lines() {
    let site = Site::new(1).virtual_server("description = \"two\\nlines\"");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut client = connect(site.front());
    client.check_echo(b"line one\n127.0.0.1:1 [forged] v p/m1 0/0/0 0 -- 0/0/0/0/0 0/0\n");
    drop(client);
    let record = gateway.wait_record(1);
    assert_eq!(
        record.client.rsplit_once(':').map(|(ip, _)| ip.parse::<IpAddr>().is_ok()),
        Some(true)
    );
    assert_eq!(gateway.out.count("forged"), 0);
}
