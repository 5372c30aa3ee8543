//! `oxpecker doctor` on a healthy set-up, and on the same with one thing wrong.
//!
//! Names come from a file of hosts that only the program under test sees; that needs root.

mod flags;
mod members;

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use oxpecker_testkit::namespace::with_hosts;
use oxpecker_testkit::{Authority, Kdc, Net, Pair, Standin, TempDir};
use serde_json::Value;

use super::need_root;
use crate::site::PROGRAM;

const LB: &str = "lb.example.test";
const PRINCIPAL: &str = "--flag-shown=principal=impala/lb.example.test@EXAMPLE.TEST";

/// Two coordinators behind a gateway, all well. Tests change it before it is looked at.
struct Clinic {
    net: Net,
    dir: TempDir,
    authority: Authority,
    /// Lines of `/etc/hosts`.
    hosts: Vec<String>,
    /// Of the nodes.
    addresses: [String; 2],
    /// Arguments of each stand-in; `None`: it is not there.
    coordinators: Vec<Option<Vec<String>>>,
    /// Lines before the tables, lines of the virtual server, tables.
    virtual_server: String,
    top: String,
    arguments: Vec<String>,
    prefix: Vec<String>,
}

/// What was found.
struct Findings {
    status: i32,
    report: Value,
}

impl Clinic {
    #[track_caller]
    fn new() -> Self {
        need_root();
        let (net, dir) = (Net::new(), TempDir::new());
        let authority = Authority::new(dir.join("Cluster CA"));
        let line = |host: u8, name: &str| format!("{} {name}", net.ip(host));
        let hosts = vec![line(1, LB), line(11, "n1.example.test"), line(12, "n2.example.test")];
        let arguments = vec![PRINCIPAL.to_owned(), "--flag-shown=fe_service_threads=256".into()];
        Self {
            hosts,
            addresses: ["n1.example.test".into(), "n2.example.test".into()],
            coordinators: vec![Some(arguments.clone()), Some(arguments)],
            virtual_server: String::new(),
            top: String::new(),
            arguments: vec!["--realm".into(), "EXAMPLE.TEST".into()],
            prefix: Vec::new(),
            net,
            dir,
            authority,
        }
    }

    fn coordinator(&self, number: u8) -> IpAddr {
        self.net.ip(10 + number)
    }

    /// The coordinator has TLS with this certificate.
    fn tls(mut self, number: usize, pair: &Pair) -> Self {
        let arguments = self.coordinators[number - 1].as_mut().unwrap();
        for (name, file) in [("certificate", &pair.certificate), ("key", &pair.key)] {
            let kind = if name == "key" { "ssl-private-key" } else { "ssl-server-certificate" };
            arguments.push(format!("--{kind}={}", file.display()));
        }
        self
    }

    /// Both coordinators have TLS, which is passed through, with the right names.
    fn passthrough(mut self) -> Self {
        self.virtual_server.push_str("sni_peek = true\n");
        for number in [1, 2] {
            let pair = self.own_certificate(number, &["DNS:lb.example.test"]);
            self = self.tls(number, &pair);
        }
        self
    }

    /// For the coordinator's own name and these.
    fn own_certificate(&self, number: usize, more: &[&str]) -> Pair {
        let own = format!("DNS:n{number}.example.test");
        self.authority.issue(&format!("n{number}"), &[&[own.as_str()], more].concat())
    }

    fn argument(mut self, name: &str, value: impl Into<PathBuf>) -> Self {
        self.arguments.extend([name.to_owned(), value.into().display().to_string()]);
        self
    }

    /// TLS ends at the gateway, with a key that only its owner can read.
    fn ends_tls(mut self) -> (Self, Pair) {
        let pair = self.authority.issue("front", &["DNS:lb.example.test"]);
        fs::set_permissions(&pair.key, fs::Permissions::from_mode(0o600)).unwrap();
        self.virtual_server.push_str("type = \"standard\"\ntls_client = \"front\"\n");
        let entry = pair.entry();
        self.top.push_str(&format!("[profile.tls_client.front]\ncertificates = [{entry}]\n"));
        (self, pair)
    }

    /// And is begun anew.
    fn begins_tls(mut self) -> Self {
        self.virtual_server.push_str("type = \"standard\"\ntls_server = \"members\"\n");
        let ca = self.authority.certificate();
        self.top.push_str(&format!("[profile.tls_server.members]\nca_file = {ca:?}\n"));
        self
    }

    #[track_caller]
    fn command(&self, format: &str) -> Command {
        let config = format!(
            "{}
[node.n1]
address = \"{}\"
[node.n2]
address = \"{}\"
[pool.p]
port = 21050
members = [\"n1\", \"n2\"]
monitor = \"tcp\"
[virtual.v]
listen = \"{}\"
pool = \"p\"
public_name = \"{LB}\"
allow = [\"127.0.0.0/8\"]
{}",
            self.top,
            self.addresses[0],
            self.addresses[1],
            self.net.addr(1),
            self.virtual_server
        );
        let config = self.dir.write("oxpecker.toml", &config);
        let hosts = format!("127.0.0.1 localhost\n{}\n", self.hosts.join("\n"));
        let hosts = self.dir.write("hosts", &hosts);
        let mut words = self.prefix.clone();
        words.push(PROGRAM.into());
        let mut command = with_hosts(&hosts, &words[0]);
        command.args(&words[1..]).args(["doctor", "--format", format, "-f"]).arg(config);
        command.args(&self.arguments);
        command
    }

    #[track_caller]
    fn start(&self) -> Vec<Standin> {
        let numbered = self.coordinators.iter().zip(1..);
        let there = numbered.filter_map(|(arguments, n)| Some((arguments.as_ref()?, n)));
        there
            .map(|(arguments, number)| {
                let hostname = format!("--hostname=n{number}.example.test");
                let arguments = arguments.iter().map(String::as_str);
                let arguments: Vec<_> = arguments.chain([hostname.as_str()]).collect();
                Standin::start(self.coordinator(number), &arguments)
            })
            .collect()
    }

    #[track_caller]
    fn examine(&self) -> Findings {
        let _standins = self.start();
        let output = self.command("json").output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(err.is_empty(), "{err}");
        let report = serde_json::from_slice(&output.stdout).unwrap();
        Findings { status: output.status.code().unwrap(), report }
    }
}

impl Findings {
    #[track_caller]
    fn is_healthy(&self) {
        assert_eq!(
            (self.status, self.report["faults"].as_u64()),
            (0, Some(0)),
            "{:#}",
            self.report
        );
    }

    /// There is one fault, with these words in it and in its remedy.
    #[track_caller]
    fn have_only(&self, what: &str, fix: &str) {
        let findings = self.report["findings"].as_array().unwrap();
        let faults: Vec<_> = findings.iter().filter(|found| found["verdict"] == "fault").collect();
        assert_eq!(self.status, 5, "{:#}", self.report);
        assert_eq!(faults.len(), 1, "{faults:#?}");
        let has = |name: &str, text: &str| faults[0][name].as_str().unwrap().contains(text);
        assert!(has("what", what) && has("fix", fix) && has("why", ""), "{faults:#?}");
    }

    /// Something to know, with these words in it.
    #[track_caller]
    fn mention(&self, verdict: &str, what: &str) {
        let findings = self.report["findings"].as_array().unwrap();
        let mut found = findings.iter().filter(|found| found["verdict"] == verdict);
        let is_there = found.any(|found| found["what"].as_str().unwrap().contains(what));
        assert!(is_there, "no {verdict} with `{what}`: {:#}", self.report);
    }

    /// All texts to copy whose title has these words.
    fn text(&self, title: &str) -> String {
        let texts = self.report["texts"].as_array().unwrap().iter();
        let texts = texts.filter(|text| text["title"].as_str().unwrap().contains(title));
        texts.map(|text| text["text"].as_str().unwrap()).collect()
    }
}

/// A coordinator's ports without a coordinator: one that opens, and pages that say what a test wants.
fn scripted(ip: IpAddr, date: &str, root: &str) -> TcpListener {
    let answer =
        format!("HTTP/1.0 200 OK\r\nDate: {date}\r\nContent-Type: application/json\r\n\r\n{root}");
    let pages = TcpListener::bind(SocketAddr::new(ip, 25_000)).unwrap();
    thread::spawn(move || {
        for stream in pages.incoming() {
            let Ok(mut stream) = stream else { return };
            read_head(&mut stream);
            // The program may have what it wants.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    TcpListener::bind(SocketAddr::new(ip, 21_050)).unwrap()
}

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
}

/// What `date -R` says, in the zone of HTTP.
fn date(when: &str) -> String {
    let output =
        Command::new("date").args(["-u", "-d", when, "+%a, %d %b %Y %H:%M:%S GMT"]).output();
    String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn a_healthy_set_up_passes() {
    let kdc = Kdc::start(&["impala/lb.example.test", "impala/n1.example.test"]);
    let names = ["impala/lb.example.test", "impala/n1.example.test"];
    let clinic = Clinic::new().passthrough().argument("--keytab", kdc.keytab("n1.keytab", &names));
    let findings = clinic.examine();
    findings.is_healthy();
    for what in [
        "`lb.example.test` is ",
        "p/n1:21050 answers at ",
        "n2: its clock agrees with this machine's",
        "n1: is a coordinator, ",
        "n2: --principal=impala/lb.example.test@EXAMPLE.TEST",
        "n1:21050 shows a certificate for n1.example.test, lb.example.test",
        "n1.keytab is closed to others (mode 600",
        "n1.keytab has the keys of both names",
    ] {
        findings.mention("ok", what);
    }
    let flags = findings.text("impalad's flags on each host");
    let expected = "\
n1.example.test: --principal=impala/lb.example.test@EXAMPLE.TEST \
--be_principal=impala/n1.example.test@EXAMPLE.TEST \
--keytab_file=/etc/security/keytabs/impala_n1.example.test.keytab
n2.example.test: --principal=impala/lb.example.test@EXAMPLE.TEST \
--be_principal=impala/n2.example.test@EXAMPLE.TEST \
--keytab_file=/etc/security/keytabs/impala_n2.example.test.keytab
";
    assert_eq!(flags, expected);
    // The same for people.
    let _standins = clinic.start();
    let output = clinic.command("text").output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("\n0 faults, 0 warnings, "), "{out}");
}

#[test]
fn a_name_without_an_address() {
    let mut clinic = Clinic::new();
    clinic.hosts.remove(0);
    clinic.examine().have_only(
        "`lb.example.test` has no address",
        "add an A or AAAA record for `lb.example.test`",
    );
}

#[test]
fn an_address_that_leads_back_to_another_name() {
    let mut clinic = Clinic::new();
    clinic.hosts[0] = format!("{} other.example.test {LB}", clinic.net.ip(1));
    let ip = clinic.net.ip(1);
    clinic.examine().have_only(
        &format!("`lb.example.test` is {ip}, but {ip} is `other.example.test`"),
        "set `rdns = false`",
    );
    // Without Kerberos it troubles nobody today.
    clinic.arguments.clear();
    let findings = clinic.examine();
    findings.is_healthy();
    findings.mention("warning", "is `other.example.test`");
}

#[test]
fn a_name_that_leads_to_another_gateway() {
    let mut clinic = Clinic::new();
    clinic.hosts[0] = format!("{} {LB}", clinic.net.ip(2));
    let findings = clinic.examine();
    findings.is_healthy();
    let told = format!("and virtual server `v` listens on {}", clinic.net.ip(1));
    findings.mention("warning", &told);
}

#[test]
fn a_closed_port() {
    let mut clinic = Clinic::new();
    clinic.coordinators[1] = None;
    let findings = clinic.examine();
    findings.have_only("p/n2:21050 cannot be reached at", "nothing listens on port 21050 of");
    findings.mention("note", "n2: no web page at");
}

#[test]
fn a_certificate_without_the_public_name() {
    let mut clinic = Clinic::new();
    clinic.virtual_server.push_str("sni_peek = true\n");
    let (good, bad) =
        (clinic.own_certificate(1, &["DNS:lb.example.test"]), clinic.own_certificate(2, &[]));
    let findings = clinic.tls(1, &good).tls(2, &bad).examine();
    findings.have_only(
        "n2:21050 shows a certificate for n2.example.test, not for `lb.example.test`",
        "issue it anew with the names below",
    );
    let expected = "n2.example.test: subjectAltName=DNS:lb.example.test,DNS:n2.example.test\n";
    assert_eq!(findings.text("certificates to issue anew"), expected);
}

#[test]
fn a_certificate_that_has_ended() {
    let clinic = Clinic::new().begins_tls();
    let good = clinic.own_certificate(1, &[]);
    let bad = clinic.authority.issue_expired("old", &["DNS:n2.example.test"]);
    let findings = clinic.tls(1, &good).tls(2, &bad).examine();
    findings.have_only(
        "the certificate of n2:21050 ended on 2020-02-01",
        "issue it anew and restart impalad there",
    );
}

#[test]
fn no_tls_where_the_gateway_begins_it() {
    let clinic = Clinic::new().begins_tls();
    let good = clinic.own_certificate(1, &[]);
    clinic.tls(1, &good).examine().have_only(
        "n2:21050 speaks no TLS, and `v` begins TLS with it",
        "start impalad with --ssl_server_certificate",
    );
}

#[test]
fn tls_where_the_gateway_speaks_clear_text() {
    let (clinic, _) = Clinic::new().ends_tls();
    let pair = clinic.own_certificate(2, &["DNS:lb.example.test"]);
    let findings = clinic.tls(2, &pair).examine();
    findings.have_only("n2:21050 wants TLS, and `v` speaks clear text to it", "write `tls_server`");
    findings.mention("note", "n1:21050: behind the gateway everything is in clear text");
}

#[test]
fn a_key_that_everybody_can_read() {
    let (clinic, pair) = Clinic::new().ends_tls();
    clinic.examine().is_healthy();
    fs::set_permissions(&pair.key, fs::Permissions::from_mode(0o644)).unwrap();
    clinic.examine().have_only("front.key is open to everybody (mode 644)", "chmod 0640 ");
}

#[test]
fn a_keytab_without_the_gateways_principal() {
    let kdc = Kdc::start(&["impala/n1.example.test"]);
    let keytab = kdc.keytab("n1.keytab", &["impala/n1.example.test"]);
    Clinic::new().argument("--keytab", keytab).examine().have_only(
        "n1.keytab has no key for impala/lb.example.test@EXAMPLE.TEST",
        "`oxpecker keytab merge`",
    );
}

#[test]
fn a_keytab_without_the_coordinators_own_principal() {
    let kdc = Kdc::start(&["impala/lb.example.test"]);
    let keytab = kdc.keytab("lb.keytab", &["impala/lb.example.test"]);
    Clinic::new().argument("--keytab", keytab).examine().have_only(
        "lb.keytab has no key for any coordinator's own principal",
        "such as the one with impala/n1.example.test@EXAMPLE.TEST",
    );
}

#[test]
fn a_file_that_is_no_keytab() {
    let clinic = Clinic::new();
    let file = clinic.dir.write("n1.keytab", "not a keytab\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    clinic
        .argument("--keytab", file)
        .examine()
        .have_only("not a keytab: it does not begin with the bytes 05 02", "`klist -k ");
}

/// `nobody` stands for the user `impala`, whom no test machine has.
#[test]
fn a_keytab_that_impalad_cannot_read() {
    let kdc = Kdc::start(&["impala/lb.example.test", "impala/n1.example.test"]);
    let names = ["impala/lb.example.test", "impala/n1.example.test"];
    let keytab = kdc.keytab("n1.keytab", &names);
    let clinic = Clinic::new().argument("--keytab", &keytab).argument("--impala-user", "nobody");
    clinic.examine().have_only("user `nobody` cannot read keytab ", "chown nobody ");
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    nix::unistd::chown(&keytab, Some(nobody.uid), None).unwrap();
    clinic.examine().is_healthy();
}

#[test]
fn too_few_descriptors() {
    let mut clinic = Clinic::new();
    clinic.top = "[process]\nconnections_max = 1000\n".into();
    clinic.prefix = vec!["prlimit".into(), "--nofile=400".into()];
    clinic.examine().have_only(
        "400 file descriptors (of this shell) carry 120 connections, `connections_max` wants 1000",
        "LimitNOFILE=2160",
    );
}

#[test]
fn an_executor_only() {
    let mut clinic = Clinic::new();
    clinic.coordinators[1] = None;
    let root =
        r#"{"version": "impalad version 4.5.0", "is_coordinator": false, "is_executor": true}"#;
    let _port = scripted(clinic.coordinator(2), &date("now"), root);
    clinic.examine().have_only(
        "n2: is no coordinator, only an executor (impalad version 4.5.0)",
        "take it out of the pools",
    );
}

#[test]
fn a_coordinator_that_shuts_down() {
    let clinic = Clinic::new();
    let standins = clinic.start();
    standins[1].shut_down_gracefully();
    oxpecker_testkit::wait_until("it says so", || {
        standins[1].page("/?json").contains("\"is_quiescing\":true")
    });
    let output = clinic.command("text").output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert!(out.contains("warning  n2: is shutting down"), "{out}");
}

#[test]
fn a_clock_that_is_off() {
    let mut clinic = Clinic::new();
    clinic.coordinators[1] = None;
    let root = r#"{"version": "impalad version 4.5.0", "is_coordinator": true}"#;
    let _port = scripted(clinic.coordinator(2), &date("400 seconds ago"), root);
    let findings = clinic.examine();
    findings.have_only("n2: its clock differs from this machine's by 40", "`chronyc tracking`");
}

#[test]
fn a_wrong_principal() {
    let mut clinic = Clinic::new();
    let arguments = clinic.coordinators[1].as_mut().unwrap();
    arguments[0] = "--flag-shown=principal=impala/n2.example.test@EXAMPLE.TEST".into();
    clinic.examine().have_only(
        "n2: --principal=impala/n2.example.test@EXAMPLE.TEST, not impala/lb.example.test@EXAMPLE.TEST",
        "set --principal=impala/lb.example.test@EXAMPLE.TEST",
    );
}

#[test]
fn a_coordinator_that_no_pool_knows() {
    let mut clinic = Clinic::new();
    clinic.hosts.push(format!("{} n3.example.test", clinic.coordinator(3)));
    for arguments in clinic.coordinators.iter_mut().flatten() {
        arguments.push("--peer=n3.example.test:27000@25000".into());
    }
    let findings = clinic.examine();
    findings.is_healthy();
    findings.mention("note", "n3.example.test is a coordinator of this cluster too");
}

/// Pages in TLS, with a certificate of nobody in particular.
#[test]
fn pages_in_tls_are_read() {
    let mut clinic = Clinic::new();
    let pair = clinic.authority.issue("web", &["DNS:web.example.test"]);
    for arguments in clinic.coordinators.iter_mut().flatten() {
        arguments.push(format!("--webserver-certificate-file={}", pair.certificate.display()));
        arguments.push(format!("--webserver-private-key-file={}", pair.key.display()));
    }
    let findings = clinic.examine();
    findings.is_healthy();
    findings.mention("ok", "n1: is a coordinator, ");
}

/// What has to be typed at clients, for clear text, LDAP, Kerberos, and TLS the three ways.
#[test]
fn texts_to_paste() {
    let mut clinic = Clinic::new();
    clinic.arguments.clear();
    let text = clinic.examine().text("for clients of virtual server `v`");
    let expected = "\
impala-shell -i lb.example.test:21050
Cloudera Manager, \"Impala Daemons Load Balancer\": lb.example.test:21050
  (then restart Impala, then Hue)
hue.ini:
  [impala]
    server_host=lb.example.test
    server_port=21050
JDBC, Hive driver: jdbc:hive2://lb.example.test:21050/;auth=noSasl
JDBC, Impala driver: jdbc:impala://lb.example.test:21050/;AuthMech=0
ODBC: Host=lb.example.test;Port=21050;AuthMech=0
";
    assert_eq!(text, expected);
    // LDAP is seen in /varz, offload in the configuration.
    let (mut clinic, _) = Clinic::new().ends_tls();
    clinic.arguments.clear();
    for arguments in clinic.coordinators.iter_mut().flatten() {
        arguments.push("--auth=plain".into());
    }
    let text = clinic.examine().text("for clients of virtual server `v`");
    let expected = "\
impala-shell -i lb.example.test:21050 --ssl --ca_cert=/etc/certs/truststore.pem -l -u USER
  (where the gateway's certificate has an authority of its own: \
cat ca.crt >> /etc/certs/truststore.pem)
Cloudera Manager, \"Impala Daemons Load Balancer\": lb.example.test:21050
  (then restart Impala, then Hue)
hue.ini (in Cloudera Manager: Hue Service Advanced Configuration Snippet for hue_safety_valve.ini; \
TLS is not set by itself, because the impalads have none):
  [impala]
    server_host=lb.example.test
    server_port=21050
    auth_username=hue
    auth_password_script=/etc/hue/impala-password.sh
    [[ssl]]
      enabled=true
      validate=true
      cacerts=/etc/certs/truststore.pem
JDBC, Hive driver: jdbc:hive2://lb.example.test:21050/;user=USER;password=PASSWORD;ssl=true
JDBC, Impala driver: jdbc:impala://lb.example.test:21050/;AuthMech=3;UID=USER;PWD=PASSWORD;SSL=1
ODBC: Host=lb.example.test;Port=21050;AuthMech=3;UID=USER;PWD=PASSWORD;SSL=1;\
TrustedCerts=/etc/certs/truststore.pem
";
    assert_eq!(text, expected);
    // Kerberos, and TLS that is passed through: seen at the members.
    let text = Clinic::new().passthrough().examine().text("for clients of virtual server `v`");
    let expected = "\
impala-shell -i lb.example.test:21050 --ssl --ca_cert=/etc/certs/truststore.pem -k
Cloudera Manager, \"Impala Daemons Load Balancer\": lb.example.test:21050
  (it puts impala/lb.example.test into every impalad's keytab; then restart Impala, then Hue)
hue.ini:
  [impala]
    server_host=lb.example.test
    server_port=21050
    impala_principal=impala/lb.example.test
    [[ssl]]
      enabled=true
      validate=true
      cacerts=/etc/certs/truststore.pem
JDBC, Hive driver: jdbc:hive2://lb.example.test:21050/;principal=impala/lb.example.test@EXAMPLE.TEST;\
ssl=true
JDBC, Hive driver: jdbc:hive2://lb.example.test:21050/;principal=impala/_HOST@EXAMPLE.TEST;ssl=true
JDBC, Impala driver: jdbc:impala://lb.example.test:21050/;AuthMech=1;KrbRealm=EXAMPLE.TEST;\
KrbHostFQDN=lb.example.test;KrbServiceName=impala;SSL=1
ODBC: Host=lb.example.test;Port=21050;AuthMech=1;KrbFQDN=lb.example.test;KrbRealm=EXAMPLE.TEST;\
KrbServiceName=impala;SSL=1;TrustedCerts=/etc/certs/truststore.pem
";
    assert_eq!(text, expected);
}
