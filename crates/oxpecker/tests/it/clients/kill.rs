//! Operations and sessions killed by an operator: what their clients read. The gateway runs inside
//! of the test, which asks it as its admin side does.

use oxpecker_config::{Input, Source};
use oxpecker_proxy::{Canceller, Gateway, KillError, Killed, Log, OperationView};
use oxpecker_testkit::clients::{Client, Terminal};
use oxpecker_testkit::wait::wait_for;
use oxpecker_testkit::{Net, Standin, TempDir};
use tokio::runtime::Runtime;

use super::{Plan, coordinator_addr, sessions_at, shell_to, wait_executing};

struct Nothing;

impl Source for Nothing {
    fn read(&self, _: &std::path::Path) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }
}

/// A gateway of this process in front of two coordinators.
struct Site {
    runtime: Runtime,
    gateway: Gateway,
    coordinators: Vec<Standin>,
    net: Net,
    _directory: TempDir,
}

impl Site {
    #[track_caller]
    fn start() -> Self {
        let net = Net::new();
        let directory = TempDir::new();
        let database = directory.join("shared.sqlite");
        let args = ["--sample", "--database", database.to_str().unwrap()];
        let start = |number| Standin::start(coordinator_addr(&net, number).ip(), &args);
        let coordinators = vec![start(1), start(2)];
        let plan = Plan::new(2).pool("method = \"round-robin\"").aware("");
        let text = plan.config(&net);
        let inputs = [Input { name: "test".into(), text }];
        let checked = oxpecker_config::check(&inputs, &Nothing).unwrap();
        // Probes stand still between questions; clients have threads of their own.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let log = Log::start(&checked.config.log).unwrap();
        let gateway = runtime.block_on(Gateway::start(&checked.config, log, Vec::new())).unwrap();
        Self { runtime, gateway, coordinators, net, _directory: directory }
    }

    #[track_caller]
    fn kill(&self, id: &str) -> Result<Killed, KillError> {
        self.runtime.block_on(self.gateway.kill_operation(id))
    }

    /// The operation that runs now.
    #[track_caller]
    fn open_operation(&self) -> OperationView {
        wait_for("an operation is open", || {
            let all = self.gateway.operations();
            all.into_iter().find(|view| view.end.is_none() && view.statement.contains("sleep"))
        })
    }

    /// The same when it is over.
    #[track_caller]
    fn wait_over(&self, id: &str) -> OperationView {
        wait_for("the operation is over", || {
            let all = self.gateway.operations();
            all.into_iter().find(|view| view.id == id && view.end.is_some())
        })
    }

    #[track_caller]
    fn owner(&self, view: &OperationView) -> &Standin {
        let at = |standin: &&Standin| view.coordinator.starts_with(&format!("{}:", standin.ip()));
        self.coordinators.iter().find(at).unwrap()
    }

    fn sessions(&self) -> Client {
        sessions_at(std::net::SocketAddr::new(self.net.ip(1), 21_050))
    }
}

#[track_caller]
fn check_shell(protocol: &str, port: u16) {
    let site = Site::start();
    let front = std::net::SocketAddr::new(site.net.ip(1), port);
    let mut terminal = Terminal::start(shell_to(front, protocol));
    terminal.wait("default> ");
    // Nobody waits this long: it ends by the kill or the test fails.
    terminal.type_keys("select sleep(600000);\n");
    let view = site.open_operation();
    wait_executing(site.owner(&view), 1);
    assert_eq!(site.kill(&view.id), Ok(Killed::Done));
    terminal.wait("Cancelled");
    wait_executing(site.owner(&view), 0);
    let over = site.wait_over(&view.id);
    assert_eq!((over.cancelled, over.cancelled_by), (true, Some(Canceller::Operator)));
    assert_eq!(site.kill(&view.id), Ok(Killed::Over));
    terminal.wait("default> ");
    terminal.type_keys("select 'after' || ' kill';\n");
    terminal.wait("\nafter kill");
}

#[test]
fn a_killed_query_is_told_over_hs2() {
    check_shell("hs2", 21_050);
}

#[test]
fn a_killed_query_is_told_over_beeswax() {
    check_shell("beeswax", 21_000);
}

#[test]
fn a_killed_query_is_told_over_hs2_http() {
    check_shell("hs2-http", 28_000);
}

#[test]
fn a_killed_session_is_invalid_and_others_are_not() {
    let site = Site::start();
    let mut client = site.sessions();
    client.ask("open a");
    client.ask("open b");
    client.ask("start a select sleep(600000)");
    let view = site.open_operation();
    let kill = |id: &str| site.runtime.block_on(site.gateway.kill_session(id));
    assert_eq!(kill(&view.session), Ok(Killed::Done));
    wait_executing(site.owner(&view), 0);
    let told = client.ask("finish a");
    assert!(told.starts_with("ERROR") && told.contains("nvalid"), "{told}");
    assert_eq!(client.ask("run b select 1"), "[(1,)]");
    assert!(matches!(kill(&view.session), Err(KillError::Unknown { kind: "session", .. })));
    for id in ["", "x", "0123456789abcdef:0123456789abcdef"] {
        assert!(matches!(site.kill(id), Err(KillError::Unknown { kind: "operation", .. })), "{id}");
    }
}

#[test]
fn top_statements_are_counted_by_what_they_ask() {
    let site = Site::start();
    let mut client = site.sessions();
    client.ask("open a");
    for number in 0..3 {
        client.ask(&format!("run a select {number} + 1, 'x' from customers"));
    }
    client.ask("close a");
    let top = wait_for("three of them are over", || {
        let top = site.gateway.top_statements(10);
        top.into_iter().find(|view| view.count == 3)
    });
    assert_eq!(top.statement, "select ? + ?, ? from customers");
    assert!(top.rows > 0 && top.errors == 0 && top.max <= top.total, "{top:?}");
}
