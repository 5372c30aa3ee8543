//! Start, reload and end of the admin side.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use oxpecker_testkit::client::{Talk, try_connect};
use oxpecker_testkit::{Http, Launch, TempDir, connect, wait_until};

use super::Console;
use crate::site::{PROGRAM, Site};

#[test]
fn status_is_told_over_tcp_and_over_the_socket() {
    let console = Console::new("");
    let status = console.get("/api/v1/status");
    assert_eq!(status["pid"], console.gateway.pid());
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&status["virtuals"], &status["members"]), (&1.into(), &1.into()));
    assert_eq!((&status["user"], &status["role"]), (&"".into(), &"admin".into()));
    let reply = console.socket().get("/api/v1/status");
    assert_eq!(super::json(&reply)["user"], "root");
    let mode = std::fs::metadata(Site::admin_socket(&console.gateway)).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o660);
}

#[test]
fn an_address_in_use_is_told_at_the_start() {
    let site = Site::new(1).admin("");
    let _taken = TcpListener::bind(site.admin_addr()).unwrap();
    let dir = TempDir::new();
    let config = site.config_in(dir.path());
    let mut gateway = Launch::within(dir, PROGRAM, &config).spawn();
    assert_eq!(gateway.wait_exit(), 1);
    let said = gateway.err.all().join("\n");
    assert!(said.contains(&format!("failed to listen on {}", site.admin_addr())), "{said}");
}

#[test]
fn a_missing_directory_of_the_socket_is_a_warning() {
    let site = Site::new(1);
    let listen = site.admin_addr();
    let admin = format!("[admin]\nlisten = \"{listen}\"\nsocket = \"/nowhere/admin.sock\"");
    let gateway = site.top(&admin).start();
    let line = gateway.out.wait("no Unix socket for the admin side");
    assert!(line.contains("make it"), "{line}");
    assert_eq!(Http::tcp(listen).get("/livez").status, 200);
}

#[test]
fn a_reload_moves_it_adds_it_and_takes_it_away() {
    let console = Console::new("");
    let Console { site, gateway, .. } = &console;
    let (old, moved) = (site.admin_addr(), site.net.addr(3));
    let config = site.config_in(gateway.dir.path());
    let other = config.replace(&format!("listen = \"{old}\""), &format!("listen = \"{moved}\""));
    assert!(gateway.reload(&other).contains("reloaded"));
    assert_eq!(Http::tcp(moved).get("/livez").status, 200);
    wait_until("the old address is closed", || try_connect(None, old).is_err());
    // Taken by somebody else: nothing changes.
    let taken = TcpListener::bind(old).unwrap();
    let verdict = gateway.reload(&config);
    assert!(verdict.contains("reload failed") && verdict.contains(&old.to_string()), "{verdict}");
    assert_eq!(Http::tcp(moved).get("/livez").status, 200);
    drop(taken);
    // Without the table there is nothing, and traffic goes on.
    let start = config.find("[admin]").unwrap();
    let end = start + config[start..].find("[node").unwrap();
    let without = format!("{}{}", &config[..start], &config[end..]);
    let mut client = connect(site.front());
    client.check_echo(b"before");
    assert!(gateway.reload(&without).contains("reloaded"));
    wait_until("it is closed", || try_connect(None, moved).is_err());
    assert!(!Site::admin_socket(gateway).exists());
    client.check_echo(b"after");
    assert!(gateway.reload(&config).contains("reloaded"));
    assert_eq!(Http::tcp(old).get("/livez").status, 200);
    assert_eq!(console.socket().get("/livez").status, 200);
}

#[test]
fn it_ends_with_the_process() {
    let mut console = Console::new("");
    let _idle = connect(console.site.admin_addr());
    let socket = Site::admin_socket(&console.gateway);
    console.gateway.signal(Signal::SIGTERM);
    assert_eq!(console.gateway.wait_exit(), 0);
    assert!(!socket.exists());
}

#[test]
fn it_stays_until_the_last_connection_is_drained() {
    let mut console = Console::of(Site::new(1).top("[process]\ndrain_timeout = \"1h\""), 1, "");
    let mut client = connect(console.site.front());
    client.check_echo(b"in");
    console.gateway.signal(Signal::SIGTERM);
    wait_until("nobody is let in", || try_connect(None, console.site.front()).is_err());
    assert_eq!(console.http.get("/livez").status, 200);
    client.check_echo(b"still in");
    drop(client);
    assert_eq!(console.gateway.wait_exit(), 0);
}
