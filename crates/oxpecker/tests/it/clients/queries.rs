//! Query records of what real clients do: one for each operation, without what nobody may read.

use oxpecker_testkit::clients::run;
use oxpecker_testkit::wait::wait_for;
use serde_json::Value;

use super::{Cluster, Plan};

const LOG: &str = "[log]\nqueries = \"json\"";

/// The query record whose method and redacted statement are these.
#[track_caller]
fn record(cluster: &Cluster, method: &str, statement: &str) -> Value {
    wait_for(&format!("a record of `{statement}`"), || {
        let lines = cluster.gateway.out.all();
        let records = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut queries = records.filter(|record| record["record"] == "query");
        queries.find(|record| record["method"] == method && record["statement"] == statement)
    })
}

#[track_caller]
fn check_shell(protocol: &str, method: &str, refused_with: &str) {
    let cluster = Plan::new(1).top(LOG).aware("").start();
    let mut command = cluster.shell(protocol);
    let sql = "create table t (a int, s string); insert into t values (1, 'hush'), (2, 'hush'); \
        select s from t where a < 3; select nonsense from t";
    run({
        command.args(["-q", sql]);
        command
    })
    .fails();
    let select = record(&cluster, method, "select s from t where a < ?");
    let id = select["query_id"].as_str().unwrap();
    assert!(id.len() == 33 && id.as_bytes()[16] == b':', "{select}");
    assert_eq!((&select["virtual"], &select["pool"]), (&protocol.into(), &protocol.into()));
    assert_eq!((&select["rows"], &select["end"]), (&2.into(), &"closed".into()), "{select}");
    assert!(select["bytes_down"].as_u64().unwrap() > 0, "{select}");
    let (first, total) = (&select["first_row_ms"], &select["total_ms"]);
    assert!(first.as_u64().unwrap() <= total.as_u64().unwrap(), "{select}");
    for time in ["opened", "first_row", "last_row", "closed"] {
        let time = select[time].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z') && &time[10..11] == "T", "{select}");
    }
    let insert = record(&cluster, method, "insert into t values (?, ?), (?, ?)");
    assert_eq!((&insert["rows_written"], &insert["end"]), (&2.into(), &"closed".into()));
    let refused = record(&cluster, method, "select nonsense from t");
    assert_eq!((&refused["query_id"], &refused["end"]), (&Value::Null, &"failed".into()));
    assert_eq!(refused["sql_state"], refused_with);
    assert_eq!(cluster.gateway.out.count("hush"), 0);
}

#[test]
fn a_record_for_each_statement_over_hs2() {
    check_shell("hs2", "ExecuteStatement", "HY000");
}

#[test]
fn a_record_for_each_statement_over_beeswax() {
    check_shell("beeswax", "query", "42000");
}

#[test]
fn a_record_for_each_statement_over_hs2_http() {
    check_shell("hs2-http", "ExecuteStatement", "HY000");
}

#[test]
fn a_reload_shows_full_statements_but_no_secrets() {
    let cluster = Plan::new(1).top(LOG).aware("").start();
    let mut client = cluster.sessions();
    client.ask("open a");
    assert_eq!(client.ask("run a select 1, 'x'"), "[(1, 'x')]");
    client.ask("close a");
    record(&cluster, "ExecuteStatement", "select ?, ?");
    let text = std::fs::read_to_string(cluster.gateway.config_file()).unwrap();
    let full = text.replace(LOG, &format!("{LOG}\nstatements = \"full\""));
    assert!(cluster.gateway.reload(&full).contains("reloaded"));
    client.ask("open b");
    client.ask("run b select 'y', 'jdbc:x?password=hush'");
    client.ask("close b");
    record(&cluster, "ExecuteStatement", "select 'y', 'jdbc:x?password=***'");
    let off = text.replace(LOG, "[log]\nqueries = \"off\"");
    assert!(cluster.gateway.reload(&off).contains("reloaded"));
    let before = cluster.gateway.out.count("\"record\":\"query\"");
    client.ask("open c");
    assert_eq!(client.ask("run c select 1"), "[(1,)]");
    client.ask("close c");
    client.ask("open d");
    assert_eq!(cluster.gateway.out.count("\"record\":\"query\""), before);
    assert_eq!(cluster.gateway.out.count("hush"), 0);
}
