//! A HiveServer2 that is not ours, with TLS of Java's own, behind bridging and passthrough, for
//! every client that knows TLS.

use std::net::{SocketAddr, TcpListener};

use oxpecker_testkit::clients::{self, Printed, run};
use oxpecker_testkit::spark::{self, Spark};
use oxpecker_testkit::{Authority, Gateway, Launch, Net, TempDir};

use super::{beeline, impyla, profile_of, shown};
use crate::site::PROGRAM;

/// A gateway in front of Spark, reached as `localhost` and as an address.
struct Service {
    gateway: Gateway,
    front: SocketAddr,
    port: u16,
    /// Who signed what clients see.
    authority: String,
    dir: TempDir,
    _net: Net,
}

impl Service {
    /// `lines` are the virtual server's, `tables` go along.
    #[track_caller]
    fn start(lines: &str, tables: &str, authority: String, dir: TempDir) -> Self {
        let spark = spark::tls();
        let net = Net::new();
        let front = net.addr(1);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (ip, ca) = (spark.addr().ip(), spark.authority());
        let config = format!(
            "{tables}
[profile.tls_server.members]
parent = \"serverssl\"
ca_file = \"{}\"
[node.spark]
address = \"{ip}\"
[monitor.login]
parent = \"hs2\"
interval = \"20s\"
timeout = \"20s\"
rise = 1
tls = \"members\"
login = \"plain\"
user = \"probe\"
password = \"watch\"
[pool.p]
port = {}
members = [\"spark\"]
monitor = \"login\"
[virtual.v]
listen = [\"{front}\", \"127.0.0.1:{port}\"]
pool = \"p\"
{lines}
",
            ca.display(),
            spark.addr().port()
        );
        let gateway = Launch::new(PROGRAM, &config).start();
        // A probe logs in to Spark, through TLS.
        gateway.out.wait("to=\"up\"");
        Self { gateway, front, port, authority, dir, _net: net }
    }

    /// Clients see a certificate of the gateway's own authority.
    #[track_caller]
    fn bridging() -> Self {
        let dir = TempDir::new();
        let authority = Authority::new(dir.join("Front CA"));
        let pair = authority.issue("front", &["DNS:localhost"]);
        let ca = authority.certificate().display().to_string();
        let lines = "type = \"standard\"\ntls_client = \"front\"\ntls_server = \"members\"";
        Self::start(lines, &profile_of(&pair.entry(), ""), ca, dir)
    }

    /// Clients see Spark's own certificate.
    #[track_caller]
    fn passthrough() -> Self {
        let tables = "[log]\naccess = \"json\"";
        let ca = spark::tls().authority().display().to_string();
        Self::start("sni_peek = true", tables, ca, TempDir::new())
    }

    /// impala-shell, as plain HiveServer2 wants it.
    #[track_caller]
    fn shell(&self, to: &str, more: &[&str]) -> Printed {
        let mut command = clients::impala_shell();
        command.args([
            "--protocol=hs2",
            "--strict_hs2_protocol",
            "-B",
            "--ssl",
            "-l",
            "-u",
            "alice",
        ]);
        command.args(["--ldap_password_cmd=echo -n secret", "-i", &format!("{to}:{}", self.port)]);
        command.args(["-q", "select concat('a', 'b')"]).args(more);
        run(command)
    }

    #[track_caller]
    fn impyla(&self, authority: &str) -> Printed {
        let more = "auth_mechanism='PLAIN', user='alice', password='secret'";
        run(impyla(&self.dir, self.port, authority, more, "select concat('a', 'b')"))
    }

    #[track_caller]
    fn beeline(&self, to: &str, authority: &str) -> Printed {
        run(beeline(&self.dir, &format!("{to}:{}", self.port), "", authority, "select 'ab' as x"))
    }

    /// What all clients do when the certificate is right, and when its authority is a stranger.
    #[track_caller]
    fn check_clients(&self) {
        let ca = &*self.authority;
        assert_eq!(self.shell("localhost", &["--ca_cert", ca]).ok(), "ab\n");
        assert_eq!(self.shell("localhost", &[]).ok(), "ab\n");
        assert_eq!(self.impyla(ca).ok(), "ab\n");
        let out = self.beeline("localhost", ca).ok();
        assert!(out.ends_with("x\nab\n"), "{out}");
        let stranger = Authority::new(self.dir.join("Stranger")).certificate();
        let stranger = stranger.to_str().unwrap();
        let err = self.shell("localhost", &["--ca_cert", stranger]).fails();
        assert!(err.contains("unable to get local issuer certificate"), "{err}");
        assert!(self.impyla(stranger).fails().contains("Could not connect to any of"));
        let err = self.beeline("localhost", stranger).fails();
        assert!(err.contains("PKIX path building failed"), "{err}");
    }
}

#[test]
fn bridging_to_spark() {
    let service = Service::bridging();
    service.check_clients();
    assert_eq!(shown(service.front, "localhost", "-issuer"), "issuer=CN = Front CA");
    let lines = service.gateway.out.all();
    assert!(!lines.iter().any(|line| line.contains("TLS handshake with a member failed")));
}

#[test]
fn passthrough_to_spark() {
    let service = Service::passthrough();
    service.check_clients();
    assert_eq!(shown(service.front, "localhost", "-issuer"), "issuer=CN = Spark CA");
    let record = service.gateway.out.wait("\"server_name\":\"localhost\"");
    assert!(record.contains("\"ended_here\":false"), "{record}");
    // What A63 of every guide is about: the certificate lacks the name that clients use.
    let ca = &*service.authority;
    let err = service.shell("127.0.0.1", &["--ca_cert", ca]).fails();
    assert!(err.contains("certificate is not valid for '127.0.0.1'"), "{err}");
    let err = service.beeline("127.0.0.1", ca).fails();
    assert!(err.contains("No subject alternative names matching IP address 127.0.0.1"), "{err}");
}

/// Spark without TLS, behind a gateway that has it.
#[test]
fn offload_to_spark() {
    let spark: &Spark = spark::plain();
    let net = Net::new();
    let dir = TempDir::new();
    let authority = Authority::new(dir.join("Front CA"));
    let pair = authority.issue("front", &["DNS:localhost"]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "{}
[node.spark]
address = \"{}\"
[pool.p]
port = {}
members = [\"spark\"]
[virtual.v]
listen = [\"{}\", \"127.0.0.1:{port}\"]
pool = \"p\"
type = \"standard\"
tls_client = \"front\"
",
        profile_of(&pair.entry(), ""),
        spark.addr().ip(),
        spark.addr().port(),
        net.addr(1)
    );
    let _gateway = Launch::new(PROGRAM, &config).start();
    let ca = authority.certificate().display().to_string();
    let out = run(beeline(&dir, &format!("localhost:{port}"), "", &ca, "select 'ab' as x")).ok();
    assert!(out.ends_with("x\nab\n"), "{out}");
}
