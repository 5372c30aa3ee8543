//! The clients of Impala, with TLS that ends at the gateway, to stand-ins that speak clear text.

use std::net::TcpListener;
use std::process::Command;

use oxpecker_testkit::clients::{self, run};
use oxpecker_testkit::{Gateway, Launch, Standin, TempDir};

use super::{Front, at_ease, beeline, impyla};
use crate::site::PROGRAM;

/// A gateway that probes its stand-in as Impala's clients would, and the stand-in.
struct Service {
    front: Front,
    /// Port of `localhost` that leads to the gateway as well.
    port: u16,
    gateway: Gateway,
    _standin: Standin,
}

impl Service {
    /// The certificate is for these names.
    #[track_caller]
    fn start(names: &[&str]) -> Self {
        let mut front = Front::new(1);
        let pair = front.authority.issue("renamed", names);
        for (new, old) in [(pair.certificate, &front.pair.certificate), (pair.key, &front.pair.key)]
        {
            std::fs::rename(new, old).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let listen = format!("[\"{}\", \"127.0.0.1:{port}\"]", front.site.front());
        front.site = front.site.listen(&listen).monitored("parent = \"hs2\"");
        let standin = Standin::start(front.site.member_addr(1).ip(), &["--sample"]);
        let gateway = Launch::new(PROGRAM, &at_ease(&front.site.config())).start();
        gateway.out.wait("to=\"up\"");
        Self { front, port, gateway, _standin: standin }
    }

    fn shell(&self, more: &[&str]) -> Command {
        let mut command = clients::impala_shell();
        let to = format!("localhost:{}", self.port);
        command.args(["--protocol=hs2", "-B", "-i", &to, "--ssl", "-q", "show tables"]).args(more);
        command
    }

    /// Replaces the certificate by one for these names, and waits until it is in use.
    #[track_caller]
    fn renew(&self, names: &[&str]) {
        let pair = self.front.authority.issue("right", names);
        for (new, old) in
            [(pair.key, &self.front.pair.key), (pair.certificate, &self.front.pair.certificate)]
        {
            std::fs::rename(new, old).unwrap();
        }
        self.gateway.out.wait("renewed certificate in use");
    }
}

const TABLES: &str = "customers\norders\nweb_logs\n";

#[test]
fn impala_shell_verifies_the_gateways_certificate() {
    let service = Service::start(&["DNS:other.example.test"]);
    let ca = service.front.ca();
    let err = run(service.shell(&["--ca_cert", &ca])).fails();
    let told = "Hostname mismatch, certificate is not valid for 'localhost'";
    assert!(err.contains("CERTIFICATE_VERIFY_FAILED") && err.contains(told), "{err}");
    // Without an authority it looks at nothing.
    assert_eq!(run(service.shell(&[])).ok(), TABLES);
    service.renew(&["DNS:localhost"]);
    assert_eq!(run(service.shell(&["--ca_cert", &ca])).ok(), TABLES);
    let dir = TempDir::new();
    let stranger = oxpecker_testkit::Authority::new(dir.join("Stranger")).certificate();
    let err = run(service.shell(&["--ca_cert", stranger.to_str().unwrap()])).fails();
    assert!(err.contains("unable to get local issuer certificate"), "{err}");
}

#[test]
fn impyla_verifies_the_gateways_certificate() {
    let service = Service::start(&["DNS:other.example.test"]);
    let dir = TempDir::new();
    let ask = |authority: &str| run(impyla(&dir, service.port, authority, "", "show tables"));
    assert_eq!(ask("").ok(), TABLES);
    let err = ask(&service.front.ca()).fails();
    assert!(err.contains("Could not connect to any of"), "{err}");
    service.renew(&["DNS:localhost"]);
    assert_eq!(ask(&service.front.ca()).ok(), TABLES);
}

/// Offload to a stand-in. To a real HiveServer2: spark.rs.
#[test]
fn beeline_verifies_the_gateways_certificate() {
    let service = Service::start(&["DNS:other.example.test"]);
    let dir = TempDir::new();
    let to = format!("localhost:{}", service.port);
    let ask = |ca: &str| run(beeline(&dir, &to, "auth=noSasl", ca, "show tables"));
    let err = ask(&service.front.ca()).fails();
    assert!(err.contains("No subject alternative DNS name matching localhost found"), "{err}");
    service.renew(&["DNS:localhost"]);
    let out = ask(&service.front.ca()).ok();
    assert!(out.ends_with(TABLES), "{out}");
    let stranger = oxpecker_testkit::Authority::new(dir.join("Stranger")).certificate();
    let err = ask(stranger.to_str().unwrap()).fails();
    assert!(err.contains("PKIX path building failed"), "{err}");
}
