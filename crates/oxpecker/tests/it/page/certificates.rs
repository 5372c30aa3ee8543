//! Certificates on the page: how long each lasts, and which needs somebody.

use oxpecker_testkit::{Authority, TempDir};

use super::*;
use crate::tls::profile_of;

#[test]
fn a_certificate_that_ends_soon_is_told_and_a_fine_one_is_left_alone() {
    let dir = TempDir::new();
    let authority = Authority::new(dir.join("Front CA"));
    let fine = authority.issue_ending("fine", &["DNS:fine.example.test"], "+200 days");
    let soon = authority.issue_ending(
        "soon",
        &["DNS:soon.example.test", "DNS:impala.example.test"],
        "+10 days",
    );
    let site = Site::new(1)
        .virtual_server("type = \"standard\"\ntls_client = \"front\"")
        .top(&profile_of(&format!("{}, {}", fine.entry(), soon.entry()), ""))
        .admin("");
    let _member = Member::echo(site.member_addr(1));
    let _gateway = site.start_with_admin();
    for eyes in all_eyes() {
        let browser = Browser::new(&format!("http://{}", site.admin_addr()), eyes);
        browser.open("/ui/certificates");
        let row = |number: u8| format!("tbody tr:nth-child({number})");
        browser.wait_text(&row(1), "fine.example.test");
        browser.wait_text(&row(1), "199 days left");
        browser.wait_text(&row(2), "impala.example.test");
        browser.wait_text(&row(2), "9 days left");
        assert!(browser.text(&format!("{} .mark.bad", row(2))).is_some(), "marked");
        assert!(browser.text(&format!("{} .mark.ok", row(1))).is_some(), "fine");
        browser.check_width("certificates");
        browser.screenshot("certificates-full");
        browser.open("/");
        browser.wait_text(".needs .urgent", "expires in 9 days");
        let needs = browser.text(".needs").unwrap();
        assert!(!needs.contains("199 days"), "{needs}");
        browser.screenshot("map-certificate");
    }
}
