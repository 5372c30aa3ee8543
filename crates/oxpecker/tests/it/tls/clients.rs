//! The clients of Impala, with TLS that ends at the gateway, to stand-ins that speak clear text.

use std::io::Write;
use std::process::Command;

use oxpecker_testkit::clients::{self, run};
use oxpecker_testkit::{Gateway, Launch, Standin, TempDir};

use super::{Front, at_ease};
use crate::site::PROGRAM;

/// A gateway that probes its stand-in as Impala's clients would, and the stand-in.
struct Service {
    front: Front,
    _gateway: Gateway,
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
        front.site = front.site.monitored("parent = \"hs2\"");
        let standin = Standin::start(front.site.member_addr(1).ip(), &["--sample"]);
        let gateway = Launch::new(PROGRAM, &at_ease(&front.site.config())).start();
        gateway.out.wait("to=\"up\"");
        Self { front, _gateway: gateway, _standin: standin }
    }

    fn shell(&self, more: &[&str]) -> Command {
        let mut command = clients::impala_shell();
        let to = self.front.site.front().to_string();
        command.args(["--protocol=hs2", "-B", "-i", &to, "--ssl", "-q", "show tables"]).args(more);
        command
    }

    fn ip(&self) -> String {
        format!("IP:{}", self.front.site.front().ip())
    }
}

const TABLES: &str = "customers\norders\nweb_logs\n";

#[test]
fn impala_shell_verifies_the_gateways_certificate() {
    let service = Service::start(&["DNS:other.example.test"]);
    let ca = service.front.ca();
    let err = run(service.shell(&["--ca_cert", &ca])).fails();
    assert!(err.contains("CERTIFICATE_VERIFY_FAILED"), "{err}");
    assert!(err.contains("mismatch"), "{err}");
    // Without an authority it looks at nothing.
    assert_eq!(run(service.shell(&[])).ok(), TABLES);
    let ip = service.ip();
    let right = service.front.authority.issue("right", &[&ip]);
    for (new, old) in
        [(right.key, &service.front.pair.key), (right.certificate, &service.front.pair.certificate)]
    {
        std::fs::rename(new, old).unwrap();
    }
    service._gateway.out.wait("renewed certificate in use");
    assert_eq!(run(service.shell(&["--ca_cert", &ca])).ok(), TABLES);
    let dir = TempDir::new();
    let stranger = oxpecker_testkit::Authority::new(dir.join("Stranger")).certificate();
    let err = run(service.shell(&["--ca_cert", stranger.to_str().unwrap()])).fails();
    assert!(err.contains("unable to get local issuer certificate"), "{err}");
}

#[test]
fn impyla_verifies_the_gateways_certificate() {
    let service = Service::start(&["DNS:localhost"]);
    let dir = TempDir::new();
    let script = dir.join("impyla_tls.py");
    let mut file = std::fs::File::create(&script).unwrap();
    // Told a name, it takes it for TLS; here only the address leads to the gateway.
    file.write_all(
        b"import sys\nfrom impala.dbapi import connect\n\
          host, port, authority = sys.argv[1:]\n\
          connection = connect(host=host, port=int(port), use_ssl=True, ca_cert=authority or None)\n\
          cursor = connection.cursor()\ncursor.execute('show tables')\n\
          print(*[name for name, *_ in cursor.fetchall()], sep='\\n')\n",
    )
    .unwrap();
    let front = service.front.site.front();
    let (ip, port) = (front.ip().to_string(), front.port().to_string());
    let ask = |authority: &str| {
        let mut command = clients::python(&script);
        command.args([&*ip, &*port, authority]);
        run(command)
    };
    assert_eq!(ask("").ok(), TABLES);
    let err = ask(&service.front.ca()).fails();
    assert!(err.contains("Could not connect to any of"), "{err}");
    let right = service.front.authority.issue("right", &[&service.ip()]);
    for (new, old) in
        [(right.key, &service.front.pair.key), (right.certificate, &service.front.pair.certificate)]
    {
        std::fs::rename(new, old).unwrap();
    }
    service._gateway.out.wait("renewed certificate in use");
    assert_eq!(ask(&service.front.ca()).ok(), TABLES);
}
