//! `oxpecker verify` where clients speak TLS, ended at the gateway or passed through.

use std::fmt::Write as _;
use std::process::{Command, Output};

use oxpecker_testkit::{Authority, Gateway, Launch, Net, Pair, Standin, TempDir};

use crate::site::PROGRAM;

const NAME: &str = "lb.example.test";

/// A gateway and two stand-ins on the port of HiveServer2.
struct Service {
    gateway: Gateway,
    authority: Authority,
    _standins: Vec<Standin>,
    _net: Net,
    _dir: TempDir,
}

/// The stand-ins have TLS with these names, if any; the gateway a certificate with those, if any.
#[track_caller]
fn start(members: &[&str], front: &[&str], lines: &str) -> Service {
    let (net, dir) = (Net::new(), TempDir::new());
    let authority = Authority::new(dir.join("Cluster CA"));
    let pair = |name, names: &[&str]| (!names.is_empty()).then(|| authority.issue(name, names));
    let (member, front): (Option<Pair>, Option<Pair>) =
        (pair("member", members), pair("front", front));
    let mut arguments = Vec::new();
    if let Some(pair) = &member {
        arguments.push(format!("--ssl-server-certificate={}", pair.certificate.display()));
        arguments.push(format!("--ssl-private-key={}", pair.key.display()));
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let mut config = format!(
        "[node.n1]\naddress = \"{}\"\n[node.n2]\naddress = \"{}\"\n\
         [pool.p]\nport = 21050\nmembers = [\"n1\", \"n2\"]\nmonitor = \"none\"\n",
        net.ip(11),
        net.ip(12)
    );
    let mut lines = lines.to_owned();
    if let Some(pair) = &front {
        let entry = pair.entry();
        let _ = writeln!(config, "[profile.tls_client.front]\ncertificates = [{entry}]");
        lines.push_str("\ntype = \"standard\"\ntls_client = \"front\"");
    }
    let _ = writeln!(
        config,
        "[virtual.v]\nlisten = \"{}\"\npool = \"p\"\npublic_name = \"{NAME}\"\n{lines}",
        net.addr(1)
    );
    let standins = [11, 12].map(|host| Standin::start(net.ip(host), &arguments));
    let gateway = Launch::new(PROGRAM, &config).start();
    Service { gateway, authority, _standins: standins.into(), _net: net, _dir: dir }
}

impl Service {
    /// Exit status and standard output; the authority is known.
    #[track_caller]
    fn verify(&self) -> (i32, String) {
        let authority = self.authority.certificate();
        self.verify_with(&["--ca-file", authority.to_str().unwrap()])
    }

    #[track_caller]
    fn verify_with(&self, more: &[&str]) -> (i32, String) {
        let mut command = Command::new(PROGRAM);
        command.args(["verify", "--logins", "4", "-f"]).arg(self.gateway.config_file()).args(more);
        let Output { status, stdout, stderr } = command.output().unwrap();
        assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
        (status.code().unwrap(), String::from_utf8(stdout).unwrap())
    }
}

#[track_caller]
fn passes(service: &Service, names: &str) {
    let (status, out) = service.verify();
    assert_eq!(status, 0, "{out}");
    for told in [
        "the certificate is issued by CN=Cluster CA",
        &format!("it is for {names}"),
        "the certificate verifies",
        "4 logins: http://",
        "2 connections at once are on 2 of 2 members",
    ] {
        assert!(out.contains(told), "no `{told}` in {out}");
    }
}

#[test]
fn offload_passes_and_strangers_authorities_do_not() {
    let service = start(&[], &["DNS:lb.example.test"], "");
    passes(&service, NAME);
    // Neither the system's authorities nor another one signed it.
    let dir = TempDir::new();
    let stranger = Authority::new(dir.join("Stranger")).certificate();
    let (status, out) = service.verify_with(&["--ca-file", stranger.to_str().unwrap()]);
    assert_eq!(status, 5, "{out}");
    assert!(out.contains("FAULT    the certificate does not verify: "), "{out}");
    assert!(out.contains("pass the authority's file with --ca-file"), "{out}");
}

#[test]
fn a_certificate_of_the_gateway_for_another_name() {
    let (status, out) = start(&[], &["DNS:old.example.test"], "").verify();
    assert_eq!(status, 5, "{out}");
    let told = "the certificate is for old.example.test, not for lb.example.test";
    assert!(out.contains(told) && out.contains("DNS:lb.example.test among its names"), "{out}");
}

#[test]
fn passthrough_passes_when_members_carry_the_public_name() {
    let names = ["DNS:n1.example.test", "DNS:lb.example.test"];
    passes(&start(&names, &[], "sni_peek = true"), "n1.example.test, lb.example.test");
    // Nothing in the configuration tells that there is TLS.
    passes(&start(&names, &[], ""), "n1.example.test, lb.example.test");
    let (status, out) = start(&names[..1], &[], "sni_peek = true").verify();
    assert_eq!(status, 5, "{out}");
    assert!(out.contains("is for n1.example.test, not for lb.example.test"), "{out}");
    assert!(out.contains("for each coordinator"), "{out}");
}

#[test]
fn members_without_the_tls_that_is_to_pass() {
    let (status, out) = start(&[], &[], "sni_peek = true").verify();
    assert_eq!(status, 5, "{out}");
    assert!(out.contains("no TLS is spoken here") && out.contains("oxpecker doctor"), "{out}");
}
