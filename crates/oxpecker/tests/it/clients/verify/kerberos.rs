//! `oxpecker verify` with tickets of a real KDC: impala-shell logs in through the gateway to
//! coordinators that want Kerberos.

use std::process::{Command, Output};

use oxpecker_testkit::clients::{Client, installed};
use oxpecker_testkit::{Gateway, Kdc, Launch, Net, Standin, TempDir};

use super::super::kerberized;
use crate::site::PROGRAM;

const LB: &str = "impala/lb.example.test";

struct Realm {
    kdc: Kdc,
    gateway: Gateway,
    _coordinators: Vec<(Standin, Client)>,
    _net: Net,
    home: TempDir,
}

impl Realm {
    /// `known`: the KDC's principals beside the coordinators' and the user's. `keys`: those whose
    /// keys the coordinators have beside their own.
    #[track_caller]
    fn start(known: &[&str], keys: &[&str]) -> Self {
        let own = ["impala/n1.example.test", "impala/n2.example.test"];
        let kdc = Kdc::start(&[&["alice"], &own[..], known].concat());
        let net = Net::new();
        let coordinators = own.iter().zip(11..).map(|(own, host)| {
            let keytab = kdc.keytab(&format!("n{host}.keytab"), &[&[*own], keys].concat());
            kerberized(&kdc, net.addr(host), &keytab, &[])
        });
        let coordinators = coordinators.collect();
        let config = format!(
            "[node.n1]\naddress = \"{}\"\n[node.n2]\naddress = \"{}\"\n\
             [pool.p]\nport = 21050\nmembers = [\"n1\", \"n2\"]\nmonitor = \"none\"\n\
             [virtual.v]\nlisten = \"{}\"\npool = \"p\"\npublic_name = \"lb.example.test\"\n",
            net.ip(11),
            net.ip(12),
            net.addr(1)
        );
        let gateway = Launch::new(PROGRAM, &config).start();
        Self { kdc, gateway, _coordinators: coordinators, _net: net, home: TempDir::new() }
    }

    /// As alice, who has a ticket or not.
    #[track_caller]
    fn verify(&self, has_ticket: bool, more: &[&str]) -> (i32, String) {
        let mut command = Command::new(PROGRAM);
        command.args(["verify", "--logins", "4", "-f"]).arg(self.gateway.config_file()).args(more);
        command.arg("--impala-shell").arg(installed("shell/bin/impala-shell"));
        command.env("KRB5_CONFIG", self.kdc.krb5_conf()).env("HOME", self.home.path());
        let cache = if has_ticket {
            self.kdc.ticket("alice")
        } else {
            format!("FILE:{}", self.home.join("none").display())
        };
        let Output { status, stdout, stderr } = command.env("KRB5CCNAME", cache).output().unwrap();
        assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
        (status.code().unwrap(), String::from_utf8(stdout).unwrap())
    }
}

const REALM: [&str; 2] = ["--realm", "EXAMPLE.TEST"];

#[test]
fn a_ticket_logs_in_at_every_coordinator() {
    let realm = Realm::start(&[LB], &[LB]);
    let (status, out) = realm.verify(true, &REALM);
    assert_eq!(status, 0, "{out}");
    assert!(
        out.contains("the KDC gives a ticket for impala/lb.example.test@EXAMPLE.TEST"),
        "{out}"
    );
    let line = out.lines().find(|line| line.contains("4 logins: ")).unwrap_or_default();
    assert_eq!(line.matches(":25000 2").count(), 2, "two at each: {out}");
    for (_, server) in &realm._coordinators {
        assert_eq!(server.out.count("logged in alice@EXAMPLE.TEST"), 2);
    }
    // Without a ticket there is nothing to try, and it says what to do.
    let (status, out) = realm.verify(false, &REALM);
    assert_eq!(status, 5, "{out}");
    assert!(out.contains("there is no valid ticket") && out.contains("fix: kinit"), "{out}");
    // Nor without Kerberos at all.
    let (status, out) = realm.verify(true, &[]);
    assert_eq!(status, 5, "{out}");
    assert!(out.contains("4 of 4 logins failed: "), "{out}");
}

#[test]
fn a_principal_that_the_kdc_does_not_know() {
    let realm = Realm::start(&[], &[]);
    let (status, out) = realm.verify(true, &REALM);
    assert_eq!(status, 5, "{out}");
    assert!(out.contains("the KDC gives no ticket for impala/lb.example.test@"), "{out}");
    assert!(out.contains("not found in Kerberos database"), "{out}");
    assert!(out.contains("addprinc -randkey"), "{out}");
}

/// The recipes' forgotten restart: the KDC knows the principal, the coordinators do not.
#[test]
fn coordinators_without_the_gateways_key() {
    let realm = Realm::start(&[LB], &[]);
    let (status, out) = realm.verify(true, &REALM);
    assert_eq!(status, 5, "{out}");
    assert!(out.contains("4 of 4 logins failed: "), "{out}");
    let fix = "the coordinator has no key for the principal that the client asked for";
    assert!(out.contains(fix), "{out}");
}

#[test]
fn a_realm_that_the_client_takes_for_another() {
    let realm = Realm::start(&[LB], &[LB]);
    let conf = realm.kdc.krb5_conf();
    let text = std::fs::read_to_string(&conf).unwrap();
    // After the ticket is there, the domain belongs to a realm that nobody knows.
    realm.kdc.ticket("alice");
    let changed = text.replace(".example.test = EXAMPLE.TEST", ".example.test = OTHER.TEST");
    std::fs::write(&conf, changed).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["verify", "--realm", "OTHER.TEST", "-f"]).arg(realm.gateway.config_file());
    let cache = format!("FILE:{}", realm.kdc.dir().join("alice.cc").display());
    command.env("KRB5_CONFIG", &conf).env("KRB5CCNAME", cache);
    let output = command.output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(5), "{out}");
    assert!(
        out.contains("krbtgt/OTHER.TEST@EXAMPLE.TEST") && out.contains("[domain_realm]"),
        "{out}"
    );
}
