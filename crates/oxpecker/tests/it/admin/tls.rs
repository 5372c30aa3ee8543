//! TLS in front of the admin side, by the same profiles and with the same renewal as for clients.

use std::process::Command;

use oxpecker_testkit::clients::run;
use oxpecker_testkit::{Authority, Launch, TempDir, wait_until};

use crate::site::{PROGRAM, Site};

/// `curl` verifies against the authority of the test.
fn curl(authority: &Authority, url: &str, more: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "20", "--cacert"]).arg(authority.certificate());
    command.args(more).arg(url);
    run(command).out
}

#[test]
fn pages_are_encrypted_and_certificates_renewed() {
    let dir = TempDir::new();
    let authority = Authority::new(dir.join("authority"));
    let site = Site::new(1).admin(
        "tls_client = \"front\"\n[profile.tls_client.front]\ncertificates = \"@DIR@/front.pem\"",
    );
    let names = [format!("IP:{}", site.admin_addr().ip())];
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let put = |name: &str| {
        let pair = authority.issue(name, &names);
        let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
        dir.write("front.pem", &format!("{}{}", read(&pair.certificate), read(&pair.key)));
    };
    put("first");
    let config = site.config_in(dir.path());
    let gateway = Launch::within(dir, PROGRAM, &config).start();
    let url = format!("https://{}/api/v1/certificates", site.admin_addr());
    let list =
        || -> serde_json::Value { serde_json::from_str(&curl(&authority, &url, &[])).unwrap() };
    let first = list();
    assert_eq!(first["items"][0]["profile"], "front", "{first:#}");
    // In clear text nobody is answered.
    let clear = format!("http://{}/livez", site.admin_addr());
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}", &clear]);
    assert_eq!(String::from_utf8_lossy(&command.output().unwrap().stdout), "000");
    let pair = authority.issue("second", &names);
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    let text = format!("{}{}", read(&pair.certificate), read(&pair.key));
    std::fs::write(gateway.dir.join("front.pem"), text).unwrap();
    gateway.out.wait("renewed certificate in use on the admin side");
    wait_until("it is shown", || list()["items"][0]["last_error"].is_null());
}

#[test]
fn a_missing_certificate_is_told_at_the_start() {
    let site = Site::new(1).admin(
        "tls_client = \"front\"\n[profile.tls_client.front]\ncertificates = \"@DIR@/nothing.pem\"",
    );
    let dir = TempDir::new();
    let config = site.config_in(dir.path());
    let mut gateway = Launch::within(dir, PROGRAM, &config).spawn();
    assert_ne!(gateway.wait_exit(), 0);
    let said = gateway.err.all().join("\n");
    assert!(said.contains("nothing.pem"), "{said}");
}
