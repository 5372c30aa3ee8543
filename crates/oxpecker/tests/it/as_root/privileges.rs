//! A gateway that gives up root once it listens.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use nix::sys::signal::Signal;
use oxpecker_testkit::client::Talk;
use oxpecker_testkit::pebble::HTTP_PORT;
use oxpecker_testkit::{Http, Launch, Member, Pebble, TempDir, connect, wait_until};

use super::need_root;
use crate::site::{PROGRAM, Site};
use crate::tls::profile_of;

const NOBODY: u32 = 65_534;
/// Group of that name.
const DAEMON: u32 = 1;

#[test]
fn becomes_another_user_after_binding_a_low_port() {
    need_root();
    let site = Site::new(1).top("[process]\nuser = \"nobody\"\ngroup = \"nogroup\"");
    let low = std::net::SocketAddr::new(site.net.ip(1), 85);
    let site = site.listen(&format!("\"{low}\""));
    let _member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    assert_eq!((gateway.uid(), gateway.gid()), (NOBODY, NOBODY));
    connect(low).check_echo(b"hello");
    // The configuration is root's and readable; a reload works.
    assert!(gateway.hangup().contains("reloaded"));
    connect(low).check_echo(b"hello again");
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.wait_exit(), 0);
}

#[test]
fn a_user_alone_brings_its_group() {
    need_root();
    let site = Site::new(1).top("[process]\nuser = \"nobody\"");
    let gateway = site.start();
    assert_eq!((gateway.uid(), gateway.gid()), (NOBODY, NOBODY));
}

/// Its directory is root's alone, so it is made before, and for whoever the process becomes.
#[test]
fn the_admin_socket_belongs_to_the_new_user() {
    need_root();
    let site = Site::new(1).admin("").top("[process]\nuser = \"nobody\"\ngroup = \"daemon\"");
    let gateway = site.start_with_admin();
    let path = Site::admin_socket(&gateway);
    let meta = fs::metadata(&path).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o777), (NOBODY, DAEMON, 0o660));
    assert_eq!(gateway.uid(), NOBODY);
    let status = Http::unix(path).get("/api/v1/status");
    assert!(status.body.contains("\"user\":\"root\""), "{}", status.body);
    assert!(gateway.hangup().contains("reloaded"));
    assert_eq!(Http::tcp(site.admin_addr()).get("/livez").status, 200);
}

/// Whatever is written is written by the user that stays, in a directory that root made for it.
#[test]
fn certificates_that_come_by_themselves_are_kept_by_the_new_user() {
    need_root();
    let site = Site::new(1)
        .virtual_server("type = \"standard\"\ntls_client = \"front\"")
        .top("[process]\nuser = \"nobody\"");
    let mut pebble = Pebble::new(&site.net, 3600);
    pebble.start();
    let dir = TempDir::new();
    let state = dir.join("acme");
    // As an administrator forgets it at first.
    fs::create_dir(&state).unwrap();
    let low = format!("challenge = \"http-01\"\nhttp_listen = \"{}:{HTTP_PORT}\"", site.net.ip(1));
    let entry = "{ acme = \"pebble\", names = [\"front.example.test\"] }";
    let config = site.config() + &profile_of(entry, "") + &pebble.table("pebble", &state, &low);
    let gateway = Launch::new(PROGRAM, &config).start();
    let line = gateway.out.wait("failed to obtain a certificate");
    assert!(line.contains("permission denied"), "{line}");
    let cure = format!("install -d -m 0700 -o USER {}", state.display());
    assert!(line.contains(&cure), "{line}");
    chown(&state, Some(NOBODY), Some(NOBODY)).unwrap();
    gateway.out.wait("certificate issued and in use");
    let owner = |path: &Path| fs::metadata(path).unwrap().uid();
    assert_eq!(owner(&state.join("pebble/account.json")), NOBODY);
}

/// What is kept is inside the jail, and a start, which reads before it goes there, finds it too.
#[test]
fn certificates_that_come_by_themselves_are_kept_in_a_jail() {
    need_root();
    let dir = TempDir::new();
    let jail = dir.join("jail");
    fs::create_dir(&jail).unwrap();
    let site = Site::new(1)
        .virtual_server("type = \"standard\"\ntls_client = \"front\"")
        .top(&format!("[process]\nchroot = \"{}\"", jail.display()));
    let mut pebble = Pebble::new(&site.net, 3600);
    pebble.start();
    let entry = "{ acme = \"pebble\", names = [\"front.example.test\"] }";
    let acme = pebble.table("pebble", Path::new("/kept/acme"), "");
    let config = site.config() + &profile_of(entry, "") + &acme;
    let gateway = Launch::new(PROGRAM, &config).start();
    gateway.out.wait("certificate issued and in use");
    assert!(jail.join("kept/acme/pebble/account.json").exists());
    drop(gateway);
    let gateway = Launch::new(PROGRAM, &config).start();
    gateway.out.wait("certificate in use");
    assert_eq!(gateway.out.count("asking for a certificate"), 0);
}

#[test]
fn unknown_users_and_groups_are_named() {
    need_root();
    for (key, name) in [("user", "noah-of-the-ark"), ("group", "animals")] {
        let site = Site::new(1).top(&format!("[process]\n{key} = \"{name}\""));
        let mut gateway = site.launch().spawn();
        assert_eq!(gateway.wait_exit(), 1);
        let said = gateway.err.all().join("\n");
        assert!(said.contains(name) && said.contains(key), "{said}");
    }
}

/// A jail in a directory of its own, a log file outside of it, a user that may write neither.
#[test]
fn reloads_inside_a_jail() {
    need_root();
    let dir = TempDir::new();
    let jail = dir.join("jail");
    fs::create_dir(&jail).unwrap();
    let log = dir.join("oxpecker.log");
    let site = Site::new(2).top(&format!(
        "[process]\nchroot = \"{}\"\nuser = \"nobody\"\n[[log.target]]\nto = \"stdout\"\n\
         [[log.target]]\nto = \"file:{}\"\n",
        jail.display(),
        log.display()
    ));
    let _members =
        [Member::named(site.member_addr(1), "m1"), Member::named(site.member_addr(2), "m2")];
    let one = site.config().replace("[\"m1\", \"m2\"]", "[\"m1\"]");
    let gateway = Launch::new(PROGRAM, &one).start();
    let root = fs::read_link(format!("/proc/{}/root", gateway.pid())).unwrap();
    assert_eq!(root, jail);
    assert_eq!(connect(site.front()).hear_line(), "m1");
    let two = site.config().replace("[\"m1\", \"m2\"]", "[\"m2\"]");
    let verdict = gateway.reload(&two);
    assert!(verdict.contains("reloaded"), "{verdict}\n{}", gateway.out.all().join("\n"));
    assert_eq!(connect(site.front()).hear_line(), "m2");
    // Records still arrive in the file that was opened before the jail.
    wait_until("both records are in the file", || {
        fs::read_to_string(&log).unwrap().matches(" v p/").count() == 2
    });
}

#[test]
fn a_pidfile_in_a_directory_of_its_user_goes_away_at_the_end() {
    need_root();
    let dir = TempDir::new();
    let run = dir.join("run");
    fs::create_dir(&run).unwrap();
    chown(&run, Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).unwrap();
    let file = run.join("oxpecker.pid");
    let site = Site::new(1)
        .top(&format!("[process]\nuser = \"nobody\"\npidfile = \"{}\"", file.display()));
    let mut gateway = site.start();
    assert_eq!(pid_in(&file), gateway.pid());
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.wait_exit(), 0);
    assert!(!file.exists());
}

fn pid_in(file: &Path) -> u32 {
    fs::read_to_string(file).unwrap().trim().parse().unwrap()
}
