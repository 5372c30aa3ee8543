//! impalad's flags, and hosts without a name.

use super::{Clinic, date, scripted};

impl Clinic {
    /// One more flag on the page of the second coordinator.
    fn shown(mut self, flag: &str) -> Self {
        self.coordinators[1].as_mut().unwrap().push(format!("--flag-shown={flag}"));
        self
    }
}

#[test]
fn a_wrong_principal_toward_other_impalads() {
    let own = "impala/n2.example.test@EXAMPLE.TEST";
    Clinic::new().shown(&format!("be_principal={own}")).examine().is_healthy();
    Clinic::new().shown("be_principal=impala/lb.example.test@EXAMPLE.TEST").examine().have_only(
        &format!("n2: --be_principal=impala/lb.example.test@EXAMPLE.TEST, not {own}"),
        &format!("set --be_principal={own}"),
    );
}

#[test]
fn flags_that_are_missing() {
    Clinic::new()
        .shown("keytab_file=")
        .examine()
        .have_only("n2: has no --keytab_file", "set --keytab_file");
    let half = Clinic::new().shown("ssl_server_certificate=/x.pem").shown("ssl_private_key=");
    half.examine().have_only("n2: has no --ssl_private_key", "set --ssl_server_certificate and");
    let findings = Clinic::new().shown("ping_expose_webserver_url=false").examine();
    findings.mention("note", "n2: --ping_expose_webserver_url=false");
    let findings = Clinic::new().shown("enable_ldap_auth=true").examine();
    findings.mention("warning", "--enable_ldap_auth is set on n2 and not on n1");
}

#[test]
fn coordinators_of_different_versions() {
    let mut clinic = Clinic::new();
    clinic.coordinators[1] = None;
    let root = r#"{"version": "impalad version 1.2.3", "is_coordinator": true}"#;
    let _port = scripted(clinic.coordinator(2), &date("now"), root);
    let findings = clinic.examine();
    findings.is_healthy();
    findings.mention("warning", "coordinators have different versions: ");
}

#[test]
fn a_host_without_a_name_stays_in_the_list_of_flags() {
    let mut clinic = Clinic::new();
    let ip = clinic.coordinator(2).to_string();
    clinic.addresses[1] = ip.clone();
    clinic.hosts.pop();
    let findings = clinic.examine();
    findings.mention("warning", &format!("{ip} has no name"));
    let flags = findings.text("impalad's flags on each host");
    assert!(
        flags.contains(&format!("\n{ip}: --principal=impala/lb.example.test@EXAMPLE.TEST ")),
        "{flags}"
    );
    findings.mention("note", "no keytab was looked at: pass --keytab FILE");
}
