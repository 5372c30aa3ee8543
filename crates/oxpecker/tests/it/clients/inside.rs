//! A gateway that runs inside of the test, which asks it as its admin side does.

use std::net::SocketAddr;

use oxpecker_config::{Input, Source};
use oxpecker_proxy::{Gateway, KillError, Killed, Log, OperationView};
use oxpecker_testkit::clients::Client;
use oxpecker_testkit::wait::wait_for;
use oxpecker_testkit::{Net, Standin, TempDir};
use tokio::runtime::Runtime;

use super::{Plan, coordinator_addr, sessions_at};

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
pub(super) struct Site {
    pub(super) runtime: Runtime,
    pub(super) gateway: Gateway,
    coordinators: Vec<Standin>,
    net: Net,
    _directory: TempDir,
}

impl Site {
    #[track_caller]
    pub(super) fn start() -> Self {
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
    pub(super) fn kill(&self, id: &str) -> Result<Killed, KillError> {
        self.runtime.block_on(self.gateway.kill_operation(id))
    }

    /// The operation that runs now.
    #[track_caller]
    pub(super) fn open_operation(&self) -> OperationView {
        wait_for("an operation is open", || {
            let all = self.gateway.operations();
            all.into_iter().find(|view| view.end.is_none() && view.statement.contains("sleep"))
        })
    }

    /// The same when it is over.
    #[track_caller]
    pub(super) fn wait_over(&self, id: &str) -> OperationView {
        wait_for("the operation is over", || {
            let all = self.gateway.operations();
            all.into_iter().find(|view| view.id == id && view.end.is_some())
        })
    }

    #[track_caller]
    pub(super) fn owner(&self, view: &OperationView) -> &Standin {
        let at = |standin: &&Standin| view.coordinator.starts_with(&format!("{}:", standin.ip()));
        self.coordinators.iter().find(at).unwrap()
    }

    pub(super) fn front(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.net.ip(1), port)
    }

    pub(super) fn sessions(&self) -> Client {
        sessions_at(self.front(21_050))
    }
}
