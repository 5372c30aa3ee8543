//! Everybody at once: two hundred sessions of all kinds, of which one coordinator is killed and
//! another one drained; and Hue's pattern over a thousand connections.

use oxpecker_testkit::clients::{self, Client, Terminal};

use super::{Cluster, PROTOCOLS, Plan, raw_sessions, script};

const PLAIN: &[&str] = &["--auth=plain", "--user=alice=secret", "--fe-service-threads=256"];
const PROBE: &str = "login = \"plain\"\nuser = \"alice\"\npassword = \"secret\"";
const ROUND_ROBIN: &str = "method = \"round-robin\"";

/// Whose end it is: first, second and third coordinator.
const KILLED: usize = 1;
const DRAINED: usize = 2;

/// Coordinators without a log-in, and as many with PLAIN and Basic.
fn clusters() -> [Cluster; 2] {
    let bare = Plan::new(3).pool(ROUND_ROBIN).args(&["--fe-service-threads=256"]).aware("");
    let plain = Plan::new(3).pool(ROUND_ROBIN).args(PLAIN).monitor(PROBE).aware("");
    [bare.start(), plain.start()]
}

/// `mixed.py` with this many sessions by protocol at each.
#[track_caller]
fn mixed(clusters: &[Cluster; 2], counts: [usize; 3]) -> Client {
    let mut command = clients::python(&script("mixed.py"));
    for (cluster, login) in clusters.iter().zip(["", "-plain"]) {
        for ((name, port), count) in PROTOCOLS.iter().zip(counts) {
            let kind = if *name == "hs2-http" { "http" } else { name };
            command.arg(format!("{kind}{login}={}*{count}", cluster.front(*port)));
        }
    }
    Client::start(command)
}

/// How many sessions a line like `123:40 124:41` gives to these coordinators of both clusters.
#[track_caller]
fn share(clusters: &[Cluster; 2], line: &str, index: usize) -> usize {
    let pids = clusters.each_ref().map(|cluster| cluster.coordinators[index].pid().to_string());
    let entries =
        line.split(' ').map(|entry| entry.split_once(':').unwrap_or_else(|| panic!("{line}")));
    entries
        .filter(|(pid, _)| pids.contains(&(*pid).to_owned()))
        .map(|(_, n)| n.parse::<usize>().unwrap())
        .sum()
}

/// An interactive impala-shell and what its sessions run on.
struct Shell {
    terminal: Terminal,
    owner: usize,
}

impl Shell {
    #[track_caller]
    fn start(cluster: &Cluster, protocol: &str) -> Self {
        let mut terminal = Terminal::start(cluster.shell(protocol));
        terminal.wait("default> ");
        let mut shell = Self { terminal, owner: 0 };
        shell.owner = shell.ask(cluster).0;
        shell
    }

    /// A statement: on which coordinator it ran, and what the screen showed before.
    #[track_caller]
    fn ask(&mut self, cluster: &Cluster) -> (usize, String) {
        self.terminal.type_keys("select 'pid=' || pid();\n");
        let shown = self.terminal.wait("\npid=");
        let index = cluster.index_of(&self.terminal.wait("\r\n"));
        self.terminal.wait("default> ");
        (index, shown)
    }
}

/// Takes the last coordinator out of all pools of a gateway.
#[track_caller]
fn drain(cluster: &Cluster) {
    let text = std::fs::read_to_string(cluster.gateway.config_file()).unwrap();
    let changed = text.replace("\"c3\"]", "{ node = \"c3\", state = \"draining\" }]");
    assert_ne!(changed, text);
    let told = cluster.gateway.reload(&changed);
    assert!(told.contains("reloaded"), "{told}");
}

#[test]
fn a_coordinator_dies_and_another_drains_under_two_hundred_mixed_sessions() {
    let mut clusters = clusters();
    let mut crowd = mixed(&clusters, [30, 40, 30]);
    let pids = crowd.ask("open");
    let [gone, drained] = [KILLED, DRAINED].map(|index| share(&clusters, &pids, index));
    assert!((60..=72).contains(&gone) && (60..=72).contains(&drained), "{pids}");
    // Real ones beside them, one on each coordinator and protocol's turn.
    let mut shells: Vec<_> =
        PROTOCOLS.map(|(protocol, _)| Shell::start(&clusters[0], protocol)).into();
    let mut impyla = clusters[0].sessions();
    let owners =
        ["a", "b", "c"].map(|name| clusters[0].index_of(&impyla.ask(&format!("open {name}"))));
    assert!(owners.contains(&KILLED), "{owners:?}");

    // Everybody has an operation open, with a row to read.
    assert_eq!(crowd.ask("start select pid()"), "ok 200 told 0 broken 0");
    for cluster in &mut clusters {
        cluster.coordinators[KILLED].kill();
    }
    let lost = format!("ok {} told {gone} broken 0", 200 - gone);
    let line = crowd.ask("finish");
    let texts = crowd.ask("errors");
    assert_eq!(line, lost, "{texts}");
    for text in texts.split(" | ") {
        assert!(text.contains("Invalid or unknown query handle: ID."), "{texts}");
    }
    assert_eq!(
        crowd.ask("reopen"),
        format!("ok {gone} told 0 broken 0"),
        "{}",
        crowd.ask("errors")
    );
    assert_eq!(crowd.ask("run select 1"), "ok 200 told 0 broken 0", "{}", crowd.ask("errors"));
    assert_eq!(share(&clusters, &crowd.ask("pids"), KILLED), 0);

    for shell in &mut shells {
        let (owner, shown) = shell.ask(&clusters[0]);
        for sign in ["reset", "TSocket", "Broken pipe", "timed out"] {
            assert!(!shown.contains(sign), "{shown}");
        }
        if shell.owner == KILLED {
            assert_ne!(owner, KILLED);
        } else {
            assert!(owner == shell.owner && !shown.contains("econnect"), "{shown}");
        }
        shell.owner = owner;
    }
    for (name, owner) in ["a", "b", "c"].iter().zip(owners) {
        let told = impyla.ask(&format!("run {name} select 1"));
        if owner == KILLED {
            assert!(
                told.contains("Invalid") && told.starts_with("ERROR HiveServer2Error"),
                "{told}"
            );
            assert_ne!(clusters[0].index_of(&impyla.ask(&format!("again {name}"))), KILLED);
        } else {
            assert_eq!(told, "[(1,)]");
        }
    }

    // Another is to leave: whoever is there stays, and notices nothing; whoever comes goes elsewhere.
    let before = share(&clusters, &crowd.ask("pids"), DRAINED);
    assert!(before > 60, "{before}");
    assert_eq!(crowd.ask("start select pid()"), "ok 200 told 0 broken 0");
    clusters.iter().for_each(drain);
    assert_eq!(crowd.ask("finish"), "ok 200 told 0 broken 0", "{}", crowd.ask("errors"));
    assert_eq!(share(&clusters, &crowd.ask("pids"), DRAINED), before);
    for shell in &mut shells {
        let (owner, shown) = shell.ask(&clusters[0]);
        assert!(owner == shell.owner && !shown.contains("econnect"), "{shown}");
    }
    let mut late = mixed(&clusters, [4, 4, 4]);
    let pids = late.ask("open");
    assert_eq!(share(&clusters, &pids, 0), 24, "{pids}");
    assert_eq!(late.ask("close"), "ok 24 told 0 broken 0");
    assert_eq!(crowd.ask("close"), "ok 200 told 0 broken 0", "{}", crowd.ask("errors"));
    for cluster in &clusters {
        let records = cluster.gateway.records();
        let cut: Vec<_> = records.iter().filter(|record| record.letters != "--").collect();
        assert!(cut.is_empty(), "connections that did not just end: {cut:#?}");
    }
}

/// Every call of a statement over any of a thousand connections, and each to its coordinator.
#[test]
fn hues_pattern_over_a_thousand_connections() {
    let cluster =
        Plan::new(3).pool(ROUND_ROBIN).args(&["--fe-service-threads=1200"]).aware("").start();
    let out = raw_sessions(&cluster, "crowd", "600");
    let mut seen = [0; 3];
    for line in out.lines() {
        let (pid, count) = line.split_once(' ').unwrap_or_else(|| panic!("{out}"));
        seen[cluster.index_of(pid)] = count.parse().unwrap();
    }
    assert_eq!(seen, [200; 3], "{out}");
    assert_eq!(cluster.gateway.records().iter().filter(|record| record.letters != "--").count(), 0);
}
