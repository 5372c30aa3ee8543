//! Certificates that come by themselves, from Debian's pebble.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use oxpecker_testkit::clients::{Client, Printed};
use oxpecker_testkit::pebble::HTTP_PORT;
use oxpecker_testkit::{Authority, Gateway, Launch, Member, Pebble, TempDir, wait_until};

use crate::site::{PROGRAM, Site};
use crate::tls::{look, peer, profile_of, shown};

const NAME: &str = "front.example.test";

/// Long enough for a test that wants no renewal.
const AN_HOUR: u32 = 3600;

/// A virtual server that ends TLS with a certificate of pebble's.
#[derive(Debug)]
struct Lab {
    site: Site,
    pebble: Pebble,
    dir: TempDir,
}

impl Lab {
    #[track_caller]
    fn new(seconds: u32) -> Self {
        let site = Site::new(1).virtual_server("type = \"standard\"\ntls_client = \"front\"");
        let pebble = Pebble::new(&site.net, seconds);
        Self { site, pebble, dir: TempDir::new() }
    }

    fn state(&self) -> PathBuf {
        self.dir.join("acme")
    }

    /// The file of the certificate, and the one beside it.
    #[track_caller]
    fn kept(&self, extension: &str) -> PathBuf {
        let files = fs::read_dir(self.state().join("pebble")).unwrap();
        let mut files = files.map(|entry| entry.unwrap().path());
        files
            .find(|path| {
                path.file_name().unwrap().to_string_lossy().starts_with(NAME)
                    && path.extension().is_some_and(|found| found == extension)
            })
            .unwrap()
    }

    fn http_01(&self) -> String {
        format!("challenge = \"http-01\"\nhttp_listen = \"{}:{HTTP_PORT}\"", self.site.net.ip(1))
    }

    fn config(&self, more: &str) -> String {
        let entry = format!("{{ acme = \"pebble\", names = [\"{NAME}\"] }}");
        let acme = self.pebble.table("pebble", &self.state(), more);
        self.site.config() + &profile_of(&entry, "") + &acme
    }

    #[track_caller]
    fn start(&self, more: &str) -> Gateway {
        Launch::new(PROGRAM, &self.config(more)).start()
    }

    /// A handshake for `name`, verified as a careful client does.
    #[track_caller]
    fn verified(&self, name: &str) -> Printed {
        let root = self.pebble.root().display().to_string();
        let checks = ["-verify_hostname", name, "-verify_return_error", "-CAfile", &root];
        look(self.site.front(), &[&["-servername", name][..], &checks].concat())
    }

    fn serial(&self) -> String {
        shown(self.site.front(), NAME, "-serial")
    }
}

const ISSUED: &str = "certificate issued and in use";
const FAILED: &str = "failed to obtain a certificate";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn tls_alpn_01_needs_nothing_but_the_tls_listener() {
    let mut lab = Lab::new(AN_HOUR);
    lab.pebble.start();
    let member = Member::echo(lab.site.member_addr(1));
    let gateway = lab.start("");
    gateway.out.wait("no certificate yet");
    let line = gateway.out.wait(ISSUED);
    assert!(line.contains(NAME) && line.contains("pebble"), "{line}");
    let out = lab.verified(NAME).ok();
    assert!(out.contains("Verification: OK") && out.contains("Pebble Intermediate"), "{out}");

    // The authority's look was a handshake that went no further.
    let record = gateway.wait_record(1);
    assert_eq!((record.letters.as_str(), record.member.as_str()), ("LR", "<NOSRV>"));
    assert_eq!(member.accepted(), 1, "only the handshake above");
    // Nobody else may have that protocol.
    let out = look(lab.site.front(), &["-servername", NAME, "-alpn", "acme-tls/1"]).ok();
    assert!(out.contains("No ALPN negotiated"), "{out}");

    for (path, expected) in [
        (lab.state(), 0o700),
        (lab.state().join("pebble"), 0o700),
        (lab.state().join("pebble/account.json"), 0o600),
        (lab.kept("pem"), 0o600),
        (lab.kept("json"), 0o600),
    ] {
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
}

#[test]
fn http_01_is_answered_on_one_port_for_several_authorities() {
    let mut lab = Lab::new(AN_HOUR);
    lab.pebble.start();
    let http = lab.http_01();
    let other = lab.pebble.table("other", &lab.state(), &http);
    let entries = "{ acme = \"pebble\", names = [\"front.example.test\", \"also.example.test\"] }, \
                   { acme = \"other\", names = [\"other.example.test\"] }";
    let acme = lab.pebble.table("pebble", &lab.state(), &http);
    let config = lab.site.config() + &profile_of(entries, "") + &acme + &other;
    let gateway = Launch::new(PROGRAM, &config).start();
    gateway.out.wait_count(2, ISSUED);
    let _member = Member::echo(lab.site.member_addr(1));
    for name in [NAME, "also.example.test", "other.example.test"] {
        assert!(lab.verified(name).ok().contains("Verification: OK"), "{name}");
    }
    let accounts = ["pebble", "other"].map(|name| lab.state().join(name).join("account.json"));
    assert_ne!(fs::read(&accounts[0]).unwrap(), fs::read(&accounts[1]).unwrap());

    // Whoever else asks there gets nothing.
    for path in ["/", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/x"] {
        let mut stream = TcpStream::connect((lab.site.net.ip(1), HTTP_PORT)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {NAME}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
    // The port stays open over a reload, and is closed without an authority.
    assert!(gateway.hangup().contains("reloaded"));
    assert!(TcpStream::connect((lab.site.net.ip(1), HTTP_PORT)).is_ok());
    let plain = lab.site.config().replace("tls_client = \"front\"", "");
    assert!(gateway.reload(&plain).contains("reloaded"));
    wait_until("the port is closed", || {
        TcpStream::connect((lab.site.net.ip(1), HTTP_PORT)).is_err()
    });
}

#[test]
fn renewal_comes_before_the_end_and_touches_no_connection() {
    let mut lab = Lab::new(18);
    lab.pebble.start();
    let _member = Member::echo(lab.site.member_addr(1));
    let gateway = lab.start("");
    gateway.out.wait(ISSUED);
    let before = lab.serial();
    let (front, root) = (lab.site.front(), lab.pebble.root());
    let (front, root) = (format!("front={front}"), format!("authority={}", root.display()));
    let mut open = Client::start(peer("talk", &[&front, &format!("name={NAME}"), &root]));
    open.out.wait("connected");
    assert_eq!(open.ask("before"), "before");
    gateway.out.wait_count(2, ISSUED);
    let after = lab.serial();
    assert_ne!(after, before);
    assert_eq!(open.ask("after"), "after");
    assert!(lab.verified(NAME).ok().contains("Verification: OK"), "the old one was still valid");
    assert_eq!(gateway.out.count("certificate has expired"), 0);
}

#[test]
fn a_start_takes_what_is_kept() {
    let mut lab = Lab::new(AN_HOUR);
    lab.pebble.start();
    let _member = Member::echo(lab.site.member_addr(1));
    let gateway = lab.start("");
    gateway.out.wait(ISSUED);
    let (serial, orders) = (lab.serial(), lab.pebble.count("/order-plz"));
    assert!(orders > 0, "that is pebble's address for orders");
    drop(gateway);
    // Not even the authority is needed.
    lab.pebble.stop();
    let gateway = lab.start("");
    gateway.out.wait("certificate in use");
    assert_eq!(lab.serial(), serial);
    assert_eq!(gateway.out.count("asking for a certificate"), 0);
    drop(gateway);
    // Other names: the old certificate is better than none, and asked for is a new one.
    lab.pebble.start();
    let names = format!("names = [\"{NAME}\", \"new.example.test\"]");
    let config = lab.config("").replace(&format!("names = [\"{NAME}\"]"), &names);
    let gateway = Launch::new(PROGRAM, &config).start();
    gateway.out.wait(ISSUED);
    assert_eq!(gateway.out.count("no certificate yet"), 0);
    assert!(lab.verified("new.example.test").ok().contains("Verification: OK"));
}

#[test]
fn without_the_authority_everything_else_goes_on() {
    let lab = Lab::new(AN_HOUR);
    let _member = Member::echo(lab.site.member_addr(1));
    let ca = Authority::new(lab.dir.join("Own CA"));
    let own = ca.issue("own", &["DNS:own.example.test"]);
    let entries = format!("{{ acme = \"pebble\", names = [\"{NAME}\"] }}, {}", own.entry());
    let config = lab.site.config()
        + &profile_of(&entries, "")
        + &lab.pebble.table("pebble", &lab.state(), "");
    let gateway = Launch::new(PROGRAM, &config).start();
    let line = gateway.out.wait(FAILED);
    assert!(line.contains("failed to connect to") && line.contains("next_try"), "{line}");
    // The awaited name is refused, and the log says why.
    let mark = gateway.out.mark();
    look(lab.site.front(), &["-servername", NAME]).fails();
    let line = gateway.out.wait_since(mark, "TLS handshake with a client failed");
    assert!(line.contains("there is no certificate yet"), "{line}");
    for name in ["own.example.test", "unknown.example.test", ""] {
        assert_eq!(shown(lab.site.front(), name, "-subject"), "subject=CN = own", "{name}");
    }
    let mut lab = lab;
    lab.pebble.start();
    gateway.out.wait(ISSUED);
    assert!(lab.verified(NAME).ok().contains("Verification: OK"));
    assert_eq!(shown(lab.site.front(), "own.example.test", "-subject"), "subject=CN = own");
}

#[test]
fn an_authority_that_is_away_at_renewal_is_asked_again() {
    let mut lab = Lab::new(24);
    lab.pebble.start();
    let _member = Member::echo(lab.site.member_addr(1));
    let gateway = lab.start("");
    gateway.out.wait(ISSUED);
    let before = lab.serial();
    lab.pebble.stop();
    let line = gateway.out.wait(FAILED);
    assert!(line.contains("in_use_until=\"20"), "{line}");
    assert_eq!(lab.serial(), before, "the old one stays in use");
    // It comes back with another memory: the account is unknown.
    lab.pebble.start();
    gateway.out.wait("does not know the account");
    gateway.out.wait_count(2, ISSUED);
    assert_ne!(lab.serial(), before);
    assert!(lab.verified(NAME).ok().contains("Verification: OK"));
}

#[test]
fn what_the_authority_cannot_see_is_told_and_not_asked_at_once_again() {
    let mut lab = Lab::new(AN_HOUR);
    lab.pebble.start();
    // It looks at host 1, and nobody is there.
    let config = lab
        .config("")
        .replace(&format!("\"{}\"", lab.site.front()), &format!("\"{}\"", lab.site.net.addr(2)));
    let gateway = Launch::new(PROGRAM, &config).start();
    let line = gateway.out.wait(FAILED);
    let reason = format!("the authority looked for {NAME} by tls-alpn-01 and failed: ");
    assert!(line.contains(&reason) && line.contains("Failed to connect to"), "{line}");
    assert!(line.contains(&format!("port 443 of {NAME} must lead to")), "{line}");
    let kept = fs::read_to_string(lab.kept("json")).unwrap();
    let orders = lab.pebble.count("/order-plz");
    // Neither a restart nor a reload asks again at once.
    drop(gateway);
    let gateway = Launch::new(PROGRAM, &config).start();
    let line = gateway.out.wait("no certificate yet");
    let retry_at = kept.lines().find(|line| line.contains("\"retry_at\"")).unwrap();
    // To the second, as the log has it.
    let second = retry_at.split('"').nth(3).unwrap().split('.').next().unwrap();
    assert!(line.contains(&format!("first_try=\"{second}Z\"")), "{line}\n{kept}");
    let mark = gateway.out.mark();
    assert!(gateway.hangup().contains("reloaded"));
    gateway.out.wait_since(mark, "no certificate yet");
    assert_eq!(gateway.out.count("asking for a certificate"), 0);
    assert_eq!(lab.pebble.count("/order-plz"), orders);
    assert!(fs::read_to_string(lab.kept("json")).unwrap().contains("\"failures\": 1"));
}

#[test]
fn an_authority_that_refuses_many_requests_is_asked_again() {
    let mut lab = Lab::new(AN_HOUR);
    lab.pebble = lab.pebble.env("PEBBLE_WFE_NONCEREJECT", "15").env("PEBBLE_AUTHZREUSE", "100");
    lab.pebble.start();
    let _member = Member::echo(lab.site.member_addr(1));
    let gateway = lab.start("");
    gateway.out.wait(ISSUED);
    assert!(lab.verified(NAME).ok().contains("Verification: OK"));
}

#[test]
fn a_state_directory_where_others_may_write_is_not_used() {
    let mut lab = Lab::new(AN_HOUR);
    lab.pebble.start();
    let open = |mode| fs::set_permissions(lab.state(), fs::Permissions::from_mode(mode)).unwrap();
    fs::create_dir(lab.state()).unwrap();
    open(0o777);
    let gateway = lab.start("");
    let line = gateway.out.wait("others may write in");
    assert!(line.contains("[acme.pebble]") || line.contains("configuration"), "{line}");
    let line = gateway.out.wait(FAILED);
    assert!(line.contains("others may write in") && line.contains("chmod go-w"), "{line}");
    assert_eq!(fs::read_dir(lab.state()).unwrap().count(), 0, "nothing was put there");
    assert_eq!(lab.pebble.count("/order-plz"), 0);
    open(0o755);
    gateway.out.wait(ISSUED);
    assert_eq!(mode(&lab.state().join("pebble")), 0o700);
}
