//! Other balancers' configurations, run as they are: the recipes' own texts with addresses of the
//! test in place of host names carry impala-shell and impyla.

use std::net::SocketAddr;

use oxpecker_testkit::client::try_connect;
use oxpecker_testkit::clients::{Client, Terminal, run};
use oxpecker_testkit::{Gateway, Launch, Net, Standin, TempDir, wait_until};

use super::{coordinator_addr, sessions_at, shell_to};
use crate::site::PROGRAM;

const COORDINATORS: u8 = 4;

/// A gateway with a foreign configuration in front of four coordinators.
struct Imported {
    gateway: Gateway,
    coordinators: Vec<Standin>,
    net: Net,
    _directory: TempDir,
}

impl Imported {
    /// `text` gets the addresses of the test in `adapt`; `ports` are where it listens.
    #[track_caller]
    fn start(name: &str, adapt: impl Fn(&Net) -> String, ports: &[u16]) -> Self {
        let net = Net::new();
        let directory = TempDir::new();
        let database = directory.join("shared.sqlite");
        let args = ["--sample", "--database", database.to_str().unwrap()];
        let coordinators = (1..=COORDINATORS)
            .map(|number| Standin::start(coordinator_addr(&net, number).ip(), &args))
            .collect();
        let launch = Launch::named(TempDir::new(), PROGRAM, name, &adapt(&net));
        let mut gateway = launch.spawn();
        // Its log goes where the configuration says, which is not standard output.
        for port in ports {
            let front = SocketAddr::new(net.ip(1), *port);
            wait_until(&format!("{front} accepts"), || {
                let (out, err) = (gateway.out.all().join("\n"), gateway.err.all().join("\n"));
                assert!(gateway.is_running(), "{out}\n{err}");
                try_connect(None, front).is_ok()
            });
        }
        Self { gateway, coordinators, net, _directory: directory }
    }

    fn front(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.net.ip(1), port)
    }

    #[track_caller]
    fn index_of(&self, pid: &str) -> usize {
        let found = self.coordinators.iter().position(|c| c.pid().to_string() == pid.trim());
        found.unwrap_or_else(|| panic!("`{pid}` is no coordinator"))
    }

    /// Statements of impala-shell, whose first one tells the coordinator.
    #[track_caller]
    fn shell_works(&self, protocol: &str, port: u16) {
        let mut command = shell_to(self.front(port), protocol);
        command.args(["-q", "select pid(); show tables"]);
        let out = run(command).ok();
        let (pid, rest) = out.split_once('\n').unwrap();
        self.index_of(pid);
        assert_eq!(rest, "customers\norders\nweb_logs\n");
    }

    /// Shells that are open at the same time each have a coordinator of their own.
    #[track_caller]
    fn shells_spread(&self, protocol: &str, port: u16, count: usize) {
        let mut shells: Vec<Terminal> = (0..count)
            .map(|_| {
                let mut shell = Terminal::start(shell_to(self.front(port), protocol));
                shell.wait("default> ");
                shell
            })
            .collect();
        let mut owners: Vec<usize> = shells
            .iter_mut()
            .map(|shell| {
                shell.type_keys("select 'pid=' || pid();\n");
                shell.wait("\npid=");
                self.index_of(&shell.wait("\r\n"))
            })
            .collect();
        owners.sort_unstable();
        assert_eq!(owners, (0..count).collect::<Vec<_>>());
    }

    #[track_caller]
    fn impyla_works(&self, port: u16) {
        let mut sessions: Client = sessions_at(self.front(port));
        self.index_of(&sessions.ask("open a"));
        assert!(sessions.ask("run a select 'hs2 ' || 'works'").contains("hs2 works"));
    }

    /// impyla's sessions of one client all have the same coordinator.
    #[track_caller]
    fn impyla_sticks(&self, port: u16) {
        let mut sessions: Client = sessions_at(self.front(port));
        let counts = sessions.ask("connects 6");
        assert_eq!(counts.split_whitespace().count(), 1, "one coordinator: {counts}");
        let first = sessions.ask("open a");
        self.index_of(&first);
        assert!(sessions.ask("run a select 'hs2 ' || 'works'").contains("hs2 works"));
        assert_eq!(sessions.ask("open b"), first);
    }
}

/// The samples of Impala's documentation, as the importer's own tests have them.
fn documented(net: &Net, text: &str) -> String {
    let mut text = text.to_owned();
    for number in 1..=COORDINATORS {
        let host = format!("impala-host-{number}.example.com");
        text = text.replace(&host, &coordinator_addr(net, number).ip().to_string());
    }
    for port in [":25002", ":25003", ":21051"] {
        text = text.replace(&format!(" {port}"), &format!(" {}{port}", net.ip(1)));
    }
    // Not shared with tests that run at the same time.
    text.replace("/var/run/haproxy.pid", &format!("/var/run/haproxy-{}.pid", net.ip(1)))
}

/// `chroot` and `user haproxy` are in it: this needs root, and the user of the haproxy package.
#[test]
fn the_newer_sample_for_haproxy_carries_shells_and_impyla() {
    crate::as_root::need_root();
    let text = include_str!("../../../../oxpecker-import/tests/samples/impala.cfg");
    let site = Imported::start("haproxy.cfg", |net| documented(net, text), &[25_003, 21_051]);
    wait_until("it becomes the user of the configuration", || site.gateway.uid() != 0);
    site.shell_works("beeswax", 25_003);
    site.shells_spread("beeswax", 25_003, 4);
    site.shell_works("hs2", 21_051);
    site.impyla_sticks(21_051);
}

#[test]
fn the_older_sample_for_haproxy_carries_shells() {
    crate::as_root::need_root();
    let text = include_str!("../../../../oxpecker-import/tests/samples/cdh4.cfg");
    let site = Imported::start("haproxy.cfg", |net| documented(net, text), &[25_003]);
    site.shell_works("beeswax", 25_003);
    site.shells_spread("beeswax", 25_003, 4);
}

/// The guide for BIG-IP: two virtual servers, an hour of idle time, persistence on 21050.
#[test]
fn the_objects_of_the_guide_for_bigip_carry_shells_and_impyla() {
    let text = include_str!("../../../../oxpecker-import/tests/samples/bigip.conf");
    let adapt = |net: &Net| {
        let text = text.replace("10.17.84.12", &net.ip(1).to_string());
        (2..=4_u8).fold(text, |text, number| {
            let ip = coordinator_addr(net, number - 1).ip().to_string();
            text.replace(&format!("10.17.84.2{number}"), &ip)
        })
    };
    let site = Imported::start("bigip.conf", adapt, &[21_000, 21_050]);
    site.shell_works("beeswax", 21_000);
    site.shell_works("hs2", 21_050);
    site.shells_spread("beeswax", 21_000, 3);
    site.impyla_sticks(21_050);
    // The names in the access records are those of the appliance.
    site.gateway.out.wait("vs-dev-impala-21050 pool-nightly56-impala-21050/nightly56-");
}

/// The recipe for AWS: the same, behind a Classic Load Balancer.
#[test]
fn the_recipe_for_aws_carries_shells_and_impyla() {
    let text = include_str!("../../../../oxpecker-import/tests/samples/elb.json");
    let adapt = |net: &Net| {
        (1..=3_u8).fold(text.replace("10.0.0.0/8", "127.0.0.0/8"), |text, number| {
            let ip = coordinator_addr(net, number).ip().to_string();
            text.replace(&format!("\"10.30.1.{number}\""), &format!("\"{ip}\""))
        })
    };
    // It listens on all addresses, and the stand-ins have these ports on theirs: native text, for
    // the load balancer's own address is AWS's business.
    let adapt = |net: &Net| {
        let dir = TempDir::new();
        let file = dir.write("elb.json", &adapt(net)).display().to_string();
        let (status, toml, err) = crate::command_line::oxpecker(&["import", "elb", &file]);
        assert_eq!(status, 0, "{err}");
        toml.replace("\"0.0.0.0:", &format!("\"{}:", net.ip(1)))
    };
    let site = Imported::start("oxpecker.toml", adapt, &[21_000, 21_050]);
    site.shell_works("beeswax", 21_000);
    site.shell_works("hs2", 21_050);
    site.shells_spread("hs2", 21_050, 3);
    site.impyla_works(21_050);
}
