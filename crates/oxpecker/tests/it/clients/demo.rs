//! What the demo promises on its banner.

mod as_root {
    use std::fs;
    use std::net::SocketAddr;
    use std::process::Command;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use oxpecker_testkit::clients::{Client, run};
    use oxpecker_testkit::namespace::in_namespace;
    use oxpecker_testkit::standin::built;
    use oxpecker_testkit::wait_until;

    use super::super::{sessions_at, shell_to};

    const HOST: [u8; 4] = [127, 0, 12, 1];

    /// A process that has ended may wait for its parent as a zombie.
    fn is_alive(pid: i32) -> bool {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    }

    /// The demo's addresses are fixed: somebody else's demo must not be in the way.
    #[test]
    fn the_demo_serves_survives_a_kill_and_ends_as_a_whole() {
        in_namespace(|| {
            let mut command = Command::new(built("oxpecker-demo"));
            command.args(["--address", "127.0.12.1"]);
            let demo = Client::start(command);
            demo.out.wait("Ctrl-C ends everything.");
            let pids: Vec<i32> = demo
                .out
                .all()
                .iter()
                .filter_map(|line| line.trim().strip_prefix("coord-")?.split_whitespace().nth(2))
                .map(|pid| pid.parse().unwrap())
                .collect();
            assert_eq!(pids.len(), 3);

            let at = |port| SocketAddr::from((HOST, port));
            for (port, protocol, sql, expected) in [
                (21_050, "hs2", "select count(*) from orders", "8000\n"),
                (21_000, "beeswax", "show tables", "customers\norders\nweb_logs\n"),
                (28_000, "hs2-http", "select current_database()", "default\n"),
            ] {
                let mut command = shell_to(at(port), protocol);
                command.args(["-q", sql]);
                assert_eq!(run(command).ok(), expected, "{protocol}");
            }

            let mut sessions = sessions_at(at(21_050));
            let owners = ["a", "b", "c"].map(|name| sessions.ask(&format!("open {name}")));
            let mut sorted: Vec<i32> = owners.iter().map(|pid| pid.parse().unwrap()).collect();
            sorted.sort_unstable();
            let mut known = pids.clone();
            known.sort_unstable();
            assert_eq!(sorted, known, "three sessions are on three coordinators");
            kill(Pid::from_raw(owners[0].parse().unwrap()), Signal::SIGKILL).unwrap();
            for name in ["b", "c"] {
                assert_eq!(sessions.ask(&format!("run {name} select 1")), "[(1,)]");
            }
            assert!(!sessions.ask("connects 4").contains("ERROR"));

            demo.interrupt();
            let printed = demo.wait();
            assert!(printed.ok().contains("nothing of it is left running"));
            for pid in pids {
                wait_until(&format!("process {pid} has ended"), || !is_alive(pid));
            }
        });
    }
}
