//! Programs that others wrote for HAProxy: Debian's exporter and hatop.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use oxpecker_testkit::DEADLINE;
use oxpecker_testkit::wait::wait_for;

use super::{Both, Side};

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `None` while nobody answers there.
fn try_get(at: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
}

/// What the exporter makes of `/stats;csv`.
fn exported(both: &Both, side: &Side, host: u8) -> Vec<String> {
    let at = SocketAddr::new(both.net.ip(host), 9101);
    let _exporter = Killed(
        Command::new("prometheus-haproxy-exporter")
            .arg(format!("--haproxy.scrape-uri=http://{}/stats;csv", side.web))
            .arg(format!("--web.listen-address={at}"))
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus-haproxy-exporter (scripts/test-clients.sh installs it)"),
    );
    let page = wait_for("the exporter answers", || try_get(at, "/metrics"));
    let wanted = |line: &&str| line.starts_with("haproxy_") && !line.contains("\"page\"");
    let kept = |line: &&str| !line.starts_with("haproxy_exporter");
    page.lines().filter(wanted).filter(kept).map(str::to_owned).collect()
}

#[test]
fn debians_exporter_reads_our_statistics() {
    let both = Both::start("admin");
    both.each(Side::traffic);
    let (ours, theirs) = (exported(&both, &both.ours(), 20), exported(&both, &both.theirs(), 21));
    assert!(ours.contains(&"haproxy_up 1".to_owned()), "{ours:?}");
    let names = |lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    assert_eq!(names(&ours), names(&theirs));
    for series in [
        "haproxy_frontend_bytes_in_total{frontend=\"impala\"}",
        "haproxy_server_sessions_total{backend=\"impala\",server=\"c1\"}",
        "haproxy_server_up{backend=\"impala\",server=\"c2\"}",
        "haproxy_server_weight{backend=\"impala\",server=\"c2\"}",
        "haproxy_backend_up{backend=\"dead\"}",
    ] {
        let value = |lines: &[String]| {
            let found = lines.iter().find(|line| line.starts_with(series));
            found.unwrap_or_else(|| panic!("no {series}: {lines:?}")).clone()
        };
        assert_eq!(value(&ours), value(&theirs));
    }
}

/// It draws with curses, so it needs a terminal; `script` is one.
#[test]
fn hatop_shows_our_members() {
    let both = Both::start("admin");
    let socket = both.ours().socket.display().to_string();
    let record = both.dir.join("hatop.out");
    let hatop = format!("stty rows 40 cols 120; exec hatop -s {socket} -i 1");
    let _hatop = Killed(
        Command::new("script")
            .args(["-q", "-f", "-c", &hatop])
            .arg(&record)
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("script(1)"),
    );
    let drawn = wait_for("hatop drew all members", || {
        let drawn = std::fs::read(&record).ok()?;
        let drawn = String::from_utf8_lossy(&drawn).into_owned();
        ["c1", "c2", "c3", "BACKEND", "FRONTEND"]
            .iter()
            .all(|name| drawn.contains(name))
            .then_some(drawn)
    });
    assert!(drawn.contains("Oxpecker"), "{drawn}");
}
