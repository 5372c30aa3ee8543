//! Keys that are encrypted, and those that do not belong.

use std::fs;
use std::path::Path;

use oxpecker_testkit::certificates::openssl;
use oxpecker_testkit::{Authority, Launch, Member, Pair, TempDir};

use super::{look, profile_of, refuses_to_start};
use crate::site::{PROGRAM, Site};

const PASSPHRASE: &str = "correct horse";

struct Keys {
    dir: TempDir,
    pair: Pair,
}

impl Keys {
    fn new() -> Self {
        let dir = TempDir::new();
        let pair = Authority::new(dir.join("CA")).issue("front", &["DNS:front.example.test"]);
        Self { dir, pair }
    }

    /// Encrypts the key in its place.
    #[track_caller]
    fn encrypt(&self, how: &[&str]) {
        let (old, new) = (self.pair.key.display().to_string(), self.dir.join("new.key"));
        let pass = format!("pass:{PASSPHRASE}");
        let files = ["-in", &old, "-out", new.to_str().unwrap(), "-passout", &pass];
        openssl(&[how, &files].concat());
        fs::rename(new, &self.pair.key).unwrap();
    }

    fn site(&self, passphrase: &str) -> Site {
        let Pair { certificate, key } = &self.pair;
        let entry = format!(
            "{{ certificate = \"{}\", key = \"{}\"{passphrase} }}",
            certificate.display(),
            key.display()
        );
        Site::new(1)
            .virtual_server("type = \"standard\"\ntls_client = \"front\"")
            .top(&profile_of(&entry, ""))
    }

    #[track_caller]
    fn check_opens(&self, passphrase: &str) {
        let site = self.site(&format!(", passphrase = {passphrase}"));
        let _member = Member::echo(site.member_addr(1));
        let _gateway =
            Launch::new(PROGRAM, &site.config()).env("FRONT_PASSPHRASE", PASSPHRASE).start();
        let out = look(site.front(), &[]).ok();
        assert!(out.contains("subject=CN = front"), "{out}");
    }

    #[track_caller]
    fn check_refused(&self, passphrase: &str, reason: &str) {
        let said = refuses_to_start(&self.site(passphrase).config());
        assert!(said.contains(reason), "`{reason}` is missing: {said}");
        assert!(said.contains(&self.pair.key.display().to_string()), "{said}");
        assert!(!said.contains(PASSPHRASE), "{said}");
    }
}

const PKCS8: [&str; 4] = ["pkcs8", "-topk8", "-v2", "aes-256-cbc"];

#[test]
fn an_encrypted_key_is_opened_by_file_variable_or_command() {
    let keys = Keys::new();
    keys.encrypt(&PKCS8);
    let file = keys.dir.write("front.pass", &format!("{PASSPHRASE}\n"));
    keys.check_opens(&format!("{{ file = \"{}\" }}", file.display()));
    keys.check_opens("{ env = \"FRONT_PASSPHRASE\" }");
    keys.check_opens(&format!("{{ command = [\"echo\", \"{PASSPHRASE}\"] }}"));
}

#[test]
fn an_encrypted_key_is_opened_whatever_openssl_made_of_it() {
    for how in [
        &["pkcs8", "-topk8", "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA256"][..],
        &["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-iter", "10000"],
        &["pkcs8", "-topk8", "-scrypt", "-scrypt_N", "1024"],
    ] {
        let keys = Keys::new();
        keys.encrypt(how);
        keys.check_opens("{ env = \"FRONT_PASSPHRASE\" }");
    }
}

/// Line ends of Windows, and the certificate after the key in one file.
#[test]
fn an_encrypted_key_may_stand_anywhere_in_the_file() {
    let keys = Keys::new();
    keys.encrypt(&PKCS8);
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    let bundle = format!("# front\n{}{}", text(&keys.pair.key), text(&keys.pair.certificate));
    for bundle in [bundle.clone(), bundle.replace('\n', "\r\n")] {
        fs::write(&keys.pair.certificate, &bundle).unwrap();
        fs::write(&keys.pair.key, &bundle).unwrap();
        keys.check_opens("{ env = \"FRONT_PASSPHRASE\" }");
    }
}

#[test]
fn a_wrong_or_missing_passphrase_is_named() {
    let keys = Keys::new();
    keys.encrypt(&PKCS8);
    keys.check_refused("", "is encrypted: give its `passphrase`");
    let file = keys.dir.write("front.pass", "wrong\n");
    let wrong = format!(", passphrase = {{ file = \"{}\" }}", file.display());
    keys.check_refused(&wrong, "the passphrase does not open the key in");
}

#[test]
fn a_failing_passphrase_command_is_named() {
    let keys = Keys::new();
    keys.encrypt(&PKCS8);
    let site = keys.site(", passphrase = { command = [\"false\", \"secret\"] }");
    let said = refuses_to_start(&site.config());
    assert!(said.contains("the passphrase command `false` failed"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn a_key_in_openssls_old_encryption_is_refused_with_the_cure() {
    let keys = Keys::new();
    let (key, rsa) = (keys.pair.key.display().to_string(), keys.dir.join("rsa.key"));
    openssl(&["genrsa", "-out", rsa.to_str().unwrap(), "2048"]);
    fs::rename(&rsa, &keys.pair.key).unwrap();
    keys.encrypt(&["rsa", "-aes128", "-traditional"]);
    let cure = format!("openssl pkcs8 -topk8 -v2 aes-256-cbc -in {key} -out NEW.key");
    keys.check_refused(", passphrase = { command = [\"echo\", \"x\"] }", &cure);
}

/// Also PKCS#8, but with a cipher that is not read here.
#[test]
fn a_key_in_3des_is_refused_with_the_cure() {
    for how in [&["-v2", "des3"][..], &["-v1", "PBE-SHA1-3DES"]] {
        let keys = Keys::new();
        keys.encrypt(&[&["pkcs8", "-topk8"], how].concat());
        let key = keys.pair.key.display();
        let cure = format!("openssl pkcs8 -topk8 -v2 aes-256-cbc -in {key} -out NEW.key");
        let passphrase = format!(", passphrase = {{ command = [\"echo\", \"{PASSPHRASE}\"] }}");
        keys.check_refused(&passphrase, &cure);
    }
}

/// However many virtual servers use the profile. Later it is run again: it may answer otherwise.
#[test]
fn a_passphrase_command_runs_once_for_a_start_and_once_for_a_renewal() {
    let keys = Keys::new();
    keys.encrypt(&PKCS8);
    let runs = keys.dir.join("runs");
    let script = keys
        .dir
        .write("secret.sh", &format!("echo run >>{}; echo '{PASSPHRASE}'\n", runs.display()));
    let command = format!(", passphrase = {{ command = [\"sh\", \"{}\"] }}", script.display());
    let site = keys.site(&command);
    let other = format!(
        "[virtual.w]\nlisten = \"{}\"\npool = \"p\"\ntype = \"standard\"\ntls_client = \"front\"\n",
        site.net.addr(2)
    );
    let count = || fs::read_to_string(&runs).unwrap().lines().count();
    let config = site.config() + &other;
    let gateway = Launch::new(PROGRAM, &config).start();
    assert_eq!(count(), 1);
    assert!(gateway.hangup().contains("reloaded"));
    assert_eq!(count(), 2);
    let again = fs::read(&keys.pair.key).unwrap();
    fs::write(&keys.pair.key, again).unwrap();
    gateway.out.wait_count(2, "renewed certificate in use");
    assert_eq!(count(), 4, "both virtual servers look after their own");
}

#[test]
fn the_key_of_another_certificate_is_refused() {
    let keys = Keys::new();
    let other = Authority::new(keys.dir.join("Other CA")).issue("other", &["DNS:other.test"]);
    fs::copy(&other.key, &keys.pair.key).unwrap();
    keys.check_refused("", "does not belong to the key in");
}

#[test]
fn files_without_what_they_should_hold_are_refused() {
    let keys = Keys::new();
    let key = fs::read(&keys.pair.key).unwrap();
    fs::copy(&keys.pair.certificate, &keys.pair.key).unwrap();
    keys.check_refused("", "holds no private key");
    fs::write(&keys.pair.key, "").unwrap();
    keys.check_refused("", "holds no private key");
    fs::remove_file(&keys.pair.key).unwrap();
    keys.check_refused("", "failed to read");
    fs::write(&keys.pair.key, key).unwrap();
    fs::copy(&keys.pair.key, &keys.pair.certificate).unwrap();
    let said = refuses_to_start(&keys.site("").config());
    assert!(said.contains("front.crt holds no certificate"), "{said}");
}

#[test]
fn a_reload_with_a_bad_certificate_keeps_the_running_configuration() {
    let keys = Keys::new();
    let site = keys.site("");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let other = keys.dir.join("nonexistent.crt").display().to_string();
    let config = site.config().replace(&keys.pair.certificate.display().to_string(), &other);
    let verdict = gateway.reload(&config);
    assert!(verdict.contains("reload failed"), "{verdict}");
    gateway.out.wait("nonexistent.crt");
    assert!(look(site.front(), &[]).ok().contains("subject=CN = front"));
    assert!(gateway.reload(&site.config()).contains("reloaded"));
}
