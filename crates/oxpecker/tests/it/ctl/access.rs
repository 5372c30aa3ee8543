//! Who may ask, over what, and what is said when nobody answers.

use std::net::SocketAddr;

use oxpecker_testkit::{Authority, Launch, Member, TempDir};

use super::{command, run};
use crate::site::{PROGRAM, Site};

const ADMIN_PORT: u16 = 25_002;

fn admin_addr(site: &Site) -> SocketAddr {
    SocketAddr::new(site.net.ip(1), ADMIN_PORT)
}

#[test]
fn nobody_there_is_told_with_the_place_and_what_to_look_at() {
    let dir = TempDir::new();
    let socket = dir.join("none.sock");
    let where_it_is = format!("unix:{}", socket.display());
    let ask = |admin: &str| {
        let mut command = command(admin);
        command.arg("status");
        run(command)
    };
    let (status, out, err) = ask(&where_it_is);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(err.contains(&format!("no gateway answers at {where_it_is}: no such file")), "{err}");
    assert!(err.contains("is the gateway running, and is [admin] in its configuration?"), "{err}");
    let (_, _, err) = ask("http://127.0.0.1:1");
    assert!(err.contains("http://127.0.0.1:1: connection refused"), "{err}");
    assert!(err.contains("does [admin] in its configuration listen there?"), "{err}");
    assert_eq!(ask("gopher://x").0, 2);
    // Something else listens there.
    let site = Site::new(1);
    let echo = Member::echo(site.member_addr(1));
    let (status, _, err) = ask(&format!("http://{}", echo.addr()));
    assert_eq!(status, 1);
    assert!(err.contains("the conversation with http://"), "{err}");
}

#[test]
fn users_and_tokens_may_do_what_their_role_says() {
    let site = Site::new(1);
    let dir = TempDir::new();
    let token = dir.write("token", "0123456789abcdef0123456789abcdef\n").display().to_string();
    let password = dir.write("password", "s3cret\n").display().to_string();
    let admin = admin_addr(&site);
    let config = format!(
        "[admin]\nlisten = \"{admin}\"\nsocket = \"off\"\n\
         [admin.user.ann]\npassword = {{ file = \"{password}\" }}\nrole = \"operator\"\n\
         [admin.token.ci]\ntoken = {{ file = \"{token}\" }}\nrole = \"viewer\"\n{}",
        site.config()
    );
    let _gateway = Launch::new(PROGRAM, &config).start();
    let ask = |args: &[&str], env: &[(&str, &str)]| {
        let mut command = command(&admin.to_string());
        command.args(args).envs(env.iter().copied());
        run(command)
    };
    let (status, _, err) = ask(&["status"], &[]);
    assert_eq!(status, 1);
    assert!(err.contains("OXPECKER_TOKEN"), "what to do: {err}");
    let by_token = [("OXPECKER_TOKEN_FILE", token.as_str())];
    let (status, out, err) = ask(&["status"], &by_token);
    assert_eq!((status, err.as_str()), (0, ""), "no warning on this machine");
    assert!(out.contains("ci (viewer)"), "{out}");
    let in_the_environment = [("OXPECKER_TOKEN", "0123456789abcdef0123456789abcdef")];
    assert_eq!(ask(&["map"], &in_the_environment).0, 0);
    let (status, _, err) = ask(&["disable", "m1"], &by_token);
    assert_eq!(status, 1);
    assert!(err.contains("operator"), "the role that it needs: {err}");
    let ann = ["--admin-user", "ann", "--admin-password-file", &password];
    let (status, out, err) = ask(&[&["disable", "m1"], &ann[..]].concat(), &[]);
    assert_eq!(status, 0, "{out}{err}");
    let (status, _, err) = ask(&[&["reload"], &ann[..]].concat(), &[]);
    assert_eq!(status, 1);
    assert!(err.contains("admin"), "{err}");
    let wrong = [("OXPECKER_USER", "ann"), ("OXPECKER_PASSWORD", "guess")];
    let (status, _, err) = ask(&["status"], &wrong);
    assert_eq!(status, 1);
    assert!(!err.contains("guess"), "secrets are not shown: {err}");
    let (status, _, err) = ask(&["status", "--admin-user", "ann"], &[]);
    assert_eq!(status, 1);
    assert!(err.contains("no password for `ann`"), "{err}");
}

#[test]
fn over_tls_the_gateway_is_verified() {
    let site = Site::new(1);
    let dir = TempDir::new();
    let authority = Authority::new(dir.join("ca"));
    let admin = admin_addr(&site);
    let pair = authority.issue("admin", &[&format!("IP:{}", admin.ip())]);
    let config = format!(
        "[admin]\nlisten = \"{admin}\"\nsocket = \"off\"\ntls_client = \"front\"\n\
         [profile.tls_client.front]\ncertificates = [{}]\n{}",
        pair.entry(),
        site.config()
    );
    let _gateway = Launch::new(PROGRAM, &config).start();
    let ask = |more: &[&str]| {
        let mut command = command(&format!("https://{admin}"));
        command.arg("status").args(more);
        run(command)
    };
    let ca = authority.certificate().display().to_string();
    let (status, out, err) = ask(&["--admin-ca-file", &ca]);
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    assert!(out.starts_with("Oxpecker "), "{out}");
    let (status, _, err) = ask(&[]);
    assert_eq!(status, 1);
    assert!(err.contains("--admin-ca-file"), "{err}");
}

/// The page of an imported file: same address, same user, same password.
#[test]
fn haproxys_page_becomes_this_one() {
    let site = Site::new(1);
    let admin = admin_addr(&site);
    let (front, member) = (site.front(), site.member_addr(1));
    let config = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n\
         listen stats\n mode http\n bind {admin}\n stats enable\n stats auth ann:s3cret\n \
         stats admin if TRUE\n\
         listen v\n bind {front}\n server m1 {member} check\n"
    );
    let _gateway = Launch::named(TempDir::new(), PROGRAM, "haproxy.cfg", &config).start();
    let ask = |args: &[&str], password: &str| {
        let mut command = command(&format!("http://{admin}"));
        command.args(args).env("OXPECKER_USER", "ann").env("OXPECKER_PASSWORD", password);
        run(command)
    };
    let (status, out, err) = ask(&["disable", "m1"], "s3cret");
    assert_eq!(status, 0, "{out}{err}");
    assert_eq!(ask(&["status"], "other").0, 1);
}
