//! Certificates as the gateway judges them, the members' and its own.

use oxpecker_testkit::{Authority, Standin};

use super::Clinic;

#[test]
fn a_member_that_the_gateway_would_refuse() {
    let clinic = Clinic::new().begins_tls();
    let stranger = Authority::new(clinic.dir.join("Stranger"));
    let good = clinic.own_certificate(1, &[]);
    let bad = stranger.issue("n2", &["DNS:n2.example.test"]);
    clinic.tls(1, &good).tls(2, &bad).examine().have_only(
        "n2:21050: `v` refuses its certificate: the certificate is signed by an authority that is \
         not trusted",
        "[profile.tls_server.members]",
    );
}

#[test]
fn an_address_is_compared_with_the_addresses_in_the_certificate() {
    let mut clinic = Clinic::new().begins_tls();
    let ip = clinic.coordinator(2).to_string();
    clinic.addresses[1] = ip.clone();
    let good = clinic.own_certificate(1, &[]);
    let with = clinic.own_certificate(2, &[&format!("IP:{ip}")]);
    let findings = clinic.tls(1, &good).tls(2, &with).examine();
    findings.is_healthy();
    findings.mention("ok", &format!("n2:21050 shows a certificate for n2.example.test, {ip}"));
    let mut clinic = Clinic::new().begins_tls();
    let ip = clinic.coordinator(2).to_string();
    clinic.addresses[1] = ip.clone();
    let (good, without) = (clinic.own_certificate(1, &[]), clinic.own_certificate(2, &[]));
    let findings = clinic.tls(1, &good).tls(2, &without).examine();
    findings.have_only(
        &format!(
            "`v` refuses its certificate: the certificate is for n2.example.test, not for {ip}"
        ),
        "issue it anew with the names below",
    );
    assert_eq!(
        findings.text("certificates to issue anew"),
        format!("{ip}: subjectAltName=IP:{ip}\n")
    );
}

#[test]
fn members_that_are_chosen_by_server_name_are_looked_at() {
    let mut clinic = Clinic::new().passthrough();
    let ip = clinic.coordinator(3);
    clinic.top = format!(
        "[node.n3]\naddress = \"{ip}\"\n[pool.q]\nport = 21050\nmembers = [\"n3\"]\nmonitor = \"none\"\n"
    );
    clinic
        .virtual_server
        .push_str("sni_routes = [{ name = \"dev.example.test\", pool = \"q\" }]\n");
    let pair = clinic.own_certificate(3, &["DNS:lb.example.test"]);
    let [certificate, key] = [&pair.certificate, &pair.key].map(|path| path.display().to_string());
    let arguments = [
        format!("--ssl-server-certificate={certificate}"),
        format!("--ssl-private-key={key}"),
        super::PRINCIPAL.to_owned(),
        "--flag-shown=fe_service_threads=256".to_owned(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let _third = Standin::start(ip, &arguments);
    clinic.examine().have_only(
        "n3:21050 shows a certificate for n3.example.test, lb.example.test, not for `dev.example.test`",
        "issue it anew with the names below",
    );
}

#[test]
fn what_check_says_of_the_gateways_own_certificate() {
    let (mut clinic, pair) = Clinic::new().ends_tls();
    let soon = clinic.authority.issue_ending("soon", &["DNS:lb.example.test"], "+2 days");
    std::fs::rename(&soon.certificate, &pair.certificate).unwrap();
    std::fs::rename(&soon.key, &pair.key).unwrap();
    let findings = clinic.examine();
    findings.is_healthy();
    findings.mention("warning", "front.crt expires on ");
    clinic.virtual_server.push_str("");
    let other = clinic.authority.issue("other", &["DNS:other.example.test"]);
    std::fs::rename(&other.certificate, &pair.certificate).unwrap();
    std::fs::rename(&other.key, &pair.key).unwrap();
    clinic.examine().have_only(
        "no certificate of profile `front` is for `lb.example.test`",
        "issue one with the subject alternative name DNS:lb.example.test",
    );
    let old = clinic.authority.issue_expired("old", &["DNS:lb.example.test"]);
    std::fs::rename(&old.certificate, &pair.certificate).unwrap();
    std::fs::rename(&old.key, &pair.key).unwrap();
    clinic.examine().have_only("front.crt expired on 2020-02-01", "renew it");
}
