//! Virtual servers that read the protocol: handles find their coordinator over any connection, a
//! coordinator may leave or die, and an operation that is open is never cut. No test here has
//! persistence: nothing is left to chance but the balancing.

use oxpecker_testkit::clients::{self, Terminal, run};
use oxpecker_testkit::{Launch, wait_until};

use super::{
    Cluster, PROGRAM, Plan, number, raw_sessions, script, sessions_at, wait_executing, wait_line,
};

const PLAIN: &[&str] = &["--auth=plain", "--user=alice=secret", "--user=probe=watch"];
const PROBE: &str = "login = \"plain\"\nuser = \"probe\"\npassword = \"watch\"";
const ROUND_ROBIN: &str = "method = \"round-robin\"";

#[track_caller]
fn aware(coordinators: u8) -> Plan {
    Plan::new(coordinators).pool(ROUND_ROBIN).aware("")
}

#[track_caller]
fn check_terminal(protocol: &str) {
    let cluster = aware(3).start();
    let mut terminal = Terminal::start(cluster.shell(protocol));
    terminal.wait("default> ");
    terminal.type_keys("select 'pid=' || pid();\n");
    terminal.wait("\npid=");
    let owner = &cluster.coordinators[cluster.index_of(&terminal.wait("\r\n"))];
    terminal.wait("default> ");
    // Nobody waits this long: it ends by the cancel or the test fails.
    terminal.type_keys("select sleep(600000);\n");
    terminal.wait("Query state can be monitored");
    wait_executing(owner, 1);
    terminal.type_keys("\x03");
    terminal.wait("Cancelling Query");
    wait_executing(owner, 0);
    terminal.wait("default> ");
    terminal.type_keys("select 'after' || ' cancel';\n");
    terminal.wait("\nafter cancel");
    terminal.wait("default> ");
    terminal.type_keys("quit;\n");
    assert!(terminal.wait_exit().success());
}

#[test]
fn ctrl_c_reaches_the_coordinator_over_hs2() {
    check_terminal("hs2");
}

#[test]
fn ctrl_c_reaches_the_coordinator_over_beeswax() {
    check_terminal("beeswax");
}

#[test]
fn ctrl_c_reaches_the_coordinator_over_hs2_http() {
    check_terminal("hs2-http");
}

#[track_caller]
fn check_shell(protocol: &str) {
    let cluster = aware(2).start();
    let sql = "select 'x'; create table t (a int, s string); \
        insert into t values (1, '007'), (2, null); select * from t order by a";
    let mut command = cluster.shell(protocol);
    command.args(["-q", sql]);
    let printed = run(command);
    let err = printed.err.clone();
    assert_eq!(printed.ok(), "x\nTable has been created.\n1\t007\n2\tNULL\n", "{err}");
    assert!(err.contains("Modified 2 row(s)") && err.contains("Fetched 2 row(s)"), "{err}");
    let mut command = cluster.shell(protocol);
    command.args(["-q", "select nonsense from customers"]);
    let err = run(command).fails();
    assert!(err.contains("Could not resolve column/field reference: 'nonsense'"), "{err}");
}

#[test]
fn statements_and_errors_over_hs2() {
    check_shell("hs2");
}

#[test]
fn statements_and_errors_over_beeswax() {
    check_shell("beeswax");
}

#[test]
fn statements_and_errors_over_hs2_http() {
    check_shell("hs2-http");
}

#[test]
fn a_session_is_known_over_every_connection() {
    let cluster = aware(3).start();
    let out = raw_sessions(&cluster, "known", "12");
    assert_eq!(out.lines().filter(|line| *line == "known").count(), 12, "{out}");
    let out = raw_sessions(&cluster, "hue", "60");
    let pids: Vec<&str> = out.lines().collect();
    assert!(pids.len() == 60 && pids.iter().all(|pid| pid == &pids[0]), "{pids:?}");
}

#[track_caller]
fn drive(cluster: &Cluster, how: &str) {
    let port: u16 = if how == "impyla-http" { 28_000 } else { 21_050 };
    let mut command = clients::python(&script("drivers.py"));
    command.args([&cluster.front(port).ip().to_string(), &port.to_string(), how]);
    let out = run(command).ok();
    assert!(out.ends_with("a million rows as sent\n"), "{out}");
}

#[test]
fn drivers_of_python_without_and_with_a_login() {
    let bare = aware(2).start();
    drive(&bare, "impyla");
    // A connection for each call, and each to any coordinator without the gateway.
    drive(&bare, "impyla-http");
    let plain = aware(2).args(PLAIN).monitor(PROBE).start();
    drive(&plain, "impyla-plain");
    drive(&plain, "pyhive");
}

#[track_caller]
fn beeline(cluster: &Cluster, port: u16, options: &str) {
    let mut command = clients::beeline();
    command.args(["--silent=true", "--outputformat=csv2", "-n", "alice", "-p", "secret"]);
    let front = cluster.front(port);
    command.args(["-u", &format!("jdbc:hive2://{front}/;{options}"), "-e", "show tables"]);
    let out = run(command).ok();
    assert!(out.contains("customers\norders\nweb_logs\n"), "{out}");
}

#[test]
fn beeline_without_and_with_a_login() {
    let http = "transportMode=http;httpPath=cliservice";
    let bare = aware(2).start();
    beeline(&bare, 21_050, "auth=noSasl");
    beeline(&bare, 28_000, http);
    let plain = aware(2).args(PLAIN).monitor(PROBE).start();
    beeline(&plain, 21_050, "");
    beeline(&plain, 28_000, http);
}

#[test]
fn a_wrong_password_is_told_in_words() {
    let cluster = aware(2).args(PLAIN).monitor(PROBE).start();
    let mut command = cluster.shell("hs2");
    command.args(["-l", "-u", "alice", "--auth_creds_ok_in_clear"]);
    command.args(["--ldap_password_cmd", "printf wrong", "-q", "select 1"]);
    let err = run(command).fails();
    assert!(err.contains("the coordinator refused the log-in"), "{err}");
}

/// The gateway keeps the cookies of coordinators: one log-in for many calls, wherever they go.
#[test]
fn basic_over_http_logs_in_once_for_a_connection() {
    let cluster = aware(2).args(PLAIN).monitor(PROBE).start();
    let mut command = cluster.shell("hs2-http");
    command.args(["-l", "-u", "alice", "--auth_creds_ok_in_clear"]);
    command.args(["--ldap_password_cmd", "printf secret", "-q", "select user(); select 2"]);
    assert_eq!(run(command).ok(), "alice\n2\n");
    let cookies: u64 = cluster
        .coordinators
        .iter()
        .map(|coordinator| {
            let name = "impala_thrift_server_hiveserver2_http_frontend_total_cookie_auth_success ";
            let page = coordinator.page("/metrics_prometheus");
            let line = page.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
            line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()
        })
        .sum();
    assert!(cookies > 5, "{cookies}");
}

fn key() -> String {
    "an example key of 32 bytes or so\n".into()
}

/// The drivers that are strictest about handles: none minds the longer secrets.
#[test]
fn clients_take_self_routing_handles() {
    let dir = oxpecker_testkit::TempDir::new();
    let file = dir.write("handle.key", &key());
    let lines = format!("handle_keys = \"{}\"", file.display());
    let tagged = |args: &[&str], monitor: &str| {
        Plan::new(2).pool(ROUND_ROBIN).aware(&lines).args(args).monitor(monitor).start()
    };
    let cluster = tagged(&[], "");
    drive(&cluster, "impyla");
    beeline(&cluster, 21_050, "auth=noSasl");
    beeline(&cluster, 28_000, "transportMode=http;httpPath=cliservice");
    drive(&cluster, "impyla-http");
    let mut command = cluster.shell("hs2");
    command.args(["-q", "select 'x'; profile"]);
    assert!(run(command).ok().starts_with("x\n"));
    drive(&tagged(PLAIN, PROBE), "pyhive");
}

/// Two gateways: a session of the first is used through the second by clients of which it has never
/// heard. First 12 connections, then a statement that takes longer than a connection may be idle.
#[track_caller]
fn check_two_gateways(lines: &str) {
    let hasty = "[profile.protocol.hasty]\nparent = \"tcp\"\nidle_timeout = \"1s\"";
    let lines = format!("{lines}\nprotocol_profile = \"hasty\"");
    let cluster = Plan::new(3).pool(ROUND_ROBIN).top(hasty).aware(&lines).start();
    let config = cluster.gateway.config_file();
    let text = std::fs::read_to_string(config).unwrap();
    let (first, second) = (cluster.net.ip(1).to_string(), cluster.net.ip(2).to_string());
    let other =
        Launch::new(PROGRAM, &text.replace(&format!("\"{first}:"), &format!("\"{second}:")))
            .start();
    other.out.wait_count(9, "to=\"up\"");
    let ask = |what: &[&str]| {
        let mut command = clients::python(&script("raw_sessions.py"));
        command.args([&first, "21050"]).args(what).arg(&second);
        run(command).ok()
    };
    let out = ask(&["known", "12"]);
    assert_eq!(out.lines().filter(|line| *line == "known").count(), 12, "{out}");
    assert_eq!(ask(&["quiet", "4000"]), "FINISHED_STATE\n");
}

#[test]
fn handles_of_one_gateway_work_through_another_with_the_key() {
    let dir = oxpecker_testkit::TempDir::new();
    let file = dir.write("handle.key", &key());
    check_two_gateways(&format!("handle_keys = [\"{}\"]", file.display()));
}

#[test]
fn without_a_key_another_gateway_asks_the_coordinators() {
    check_two_gateways("");
}

#[test]
fn a_dead_coordinator_is_told_in_words_and_others_notice_nothing() {
    let mut cluster = aware(3).start();
    let mut client = cluster.sessions();
    let mut owner = |name| cluster.index_of(&client.ask(&format!("open {name}")));
    let (killed, other, _) = (owner("a"), owner("b"), owner("c"));
    assert_ne!(killed, other);
    for name in ["a", "b"] {
        client.ask(&format!("start {name} select sleep(2000)"));
    }
    wait_executing(&cluster.coordinators[killed], 1);
    cluster.coordinators[killed].kill();
    let lost = client.ask("finish a");
    assert!(lost.contains("Invalid or unknown query handle"), "{lost}");
    // impyla closes the last operation before it runs the next statement.
    let lost = client.ask("run a select 1");
    assert!(lost.contains("Invalid or unknown query handle"), "{lost}");
    assert_eq!(client.ask("finish b"), "[(True,)]");
    assert_eq!(client.ask("run b select 1"), "[(1,)]");
    assert_eq!(client.ask("run c select 1"), "[(1,)]");
    // The connection of `a` was never cut: a new session over it goes elsewhere.
    let pid = client.ask("again a");
    assert_ne!(cluster.index_of(&pid), killed);
}

/// Hue's pattern, as a statement's error: it opens a new session when it reads this.
#[test]
fn a_lost_session_is_named_as_impala_names_it() {
    let mut cluster = aware(2).start();
    let mut command = clients::python(&script("raw_sessions.py"));
    let front = cluster.front(21_050).ip().to_string();
    command.args([&front, "21050", "lost", "1"]);
    let mut client = clients::Client::start(command);
    let owner = cluster.index_of(&client.ask("pid"));
    cluster.coordinators[owner].kill();
    let lost = client.ask("run");
    assert!(lost.starts_with("HY000 Invalid session id: "), "{lost}");
    // The same connection serves a session elsewhere.
    assert_ne!(cluster.index_of(&client.ask("reopen")), owner);
}

#[test]
fn new_sessions_leave_a_coordinator_that_shuts_down_and_its_own_go_on() {
    let cluster = aware(2).args(&["--shutdown-grace-period=60"]).start();
    // Nobody probes any more: only the coordinator's refusal tells.
    let text = std::fs::read_to_string(cluster.gateway.config_file()).unwrap();
    let told = cluster.gateway.reload(&text.replace("\"500ms\"", "\"1h\""));
    assert!(told.contains("reloaded"), "{told}");
    let mut client = cluster.sessions();
    let leaving = cluster.index_of(&client.ask("open a"));
    client.ask("start a select sleep(1500)");
    wait_executing(&cluster.coordinators[leaving], 1);
    cluster.coordinators[leaving].shut_down_gracefully();
    // It has heard the signal.
    wait_until("the coordinator says that it leaves", || {
        let page = cluster.coordinators[leaving].page("/?json");
        serde_json::from_str::<serde_json::Value>(&page).unwrap()["is_quiescing"] == true
    });
    let seen = client.ask("connects 6");
    assert!(!seen.contains("ERROR"), "{seen}");
    let (pid, count) = seen.split_once(':').unwrap();
    assert!(cluster.index_of(pid) != leaving && count == "6", "{seen}");
    assert_eq!(client.ask("finish a"), "[(True,)]");
}

#[test]
fn an_open_operation_outlives_the_idle_timeout() {
    let profile = "protocol_profile = \"hasty\"\n\n[profile.protocol.hasty]\nparent = \"tcp\"\nidle_timeout = \"300ms\"\n";
    let cluster = idle_cluster(profile);
    let mut client = cluster.sessions();
    client.ask("open a");
    client.ask("start a select sleep(3000)");
    // Ten times the timeout without a byte: the session waits on its own side first.
    wait_executing(&cluster.coordinators[0], 1);
    wait_executing(&cluster.coordinators[0], 0);
    assert_eq!(client.ask("finish a"), "[(True,)]");
    client.ask("close a");
    // With nothing open it is cut.
    client.ask("open b");
    let mark = cluster.gateway.out.mark();
    wait_line(&cluster.gateway, mark, &[" cD "]);
}

/// One profile for one virtual server: its table may stand in the file only once.
#[track_caller]
fn idle_cluster(profile: &str) -> Cluster {
    let (line, table) = profile.split_once("\n\n").unwrap();
    let cluster = aware(1).start();
    let text = std::fs::read_to_string(cluster.gateway.config_file()).unwrap();
    let text = text.replace("protocol = \"hs2\"\n", &format!("protocol = \"hs2\"\n{line}\n"));
    let told = cluster.gateway.reload(&format!("{text}\n{table}"));
    assert!(told.contains("reloaded"), "{told}");
    cluster
}

#[test]
fn a_statement_of_two_megabytes_and_a_million_rows_pass() {
    let cluster = aware(2).start();
    let mut client = sessions_at(cluster.front(21_050));
    client.ask("open a");
    let answer = client.ask("long a 2000000");
    assert_eq!(answer, "[(2000000,)]");
    // Nothing of it stays.
    wait_until("its operation is over", || {
        number(&cluster.coordinators[0], "/queries?json", "num_executing_queries") == 0
    });
}

/// Two hundred sessions, a third of them on a coordinator that is killed: each of these reads one
/// error in words and goes on after opening a new session over its old connection.
#[test]
fn a_coordinator_killed_under_two_hundred_sessions_breaks_no_connection() {
    let mut cluster = aware(3).args(&["--fe-service-threads=256"]).start();
    let mut command = clients::python(&script("raw_sessions.py"));
    let front = cluster.front(21_050).ip().to_string();
    command.args([&front, "21050", "storm", "200"]);
    let mut client = clients::Client::start(command);
    let counts = client.ask("open");
    let killed = 1;
    let pid = cluster.coordinators[killed].pid().to_string();
    let theirs = counts.split(' ').find_map(|entry| entry.strip_prefix(&format!("{pid}:")));
    let theirs: u32 = theirs.unwrap().parse().unwrap();
    assert!((66..=67).contains(&theirs), "{counts}");
    cluster.coordinators[killed].kill();
    assert_eq!(client.ask("run"), format!("ok {} told {theirs} broken 0", 200 - theirs));
    assert_eq!(client.ask("reopen"), format!("ok {theirs} told 0 broken 0"));
    assert_eq!(client.ask("run"), "ok 200 told 0 broken 0");
}
