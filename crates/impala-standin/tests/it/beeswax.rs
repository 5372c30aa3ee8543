//! Beeswax: the session is the connection, queries are named by text.

use crate::client::{Client, V, text};
use crate::process::{Process, wait_until};

fn query(sql: &str, user: &str) -> Vec<(i16, V)> {
    vec![(
        1,
        V::Struct(vec![(1, text(sql)), (3, V::List(vec![text("MEM_LIMIT=1g")])), (4, text(user))]),
    )]
}

fn by_id(id: &str) -> Vec<(i16, V)> {
    vec![(1, V::Struct(vec![(1, text(id)), (2, text(id))]))]
}

#[test]
fn a_query_from_start_to_end() {
    let standin = Process::start(&[]);
    let mut client = Client::raw(standin.port("beeswax"));
    let ping = client.beeswax("PingImpalaService", vec![]);
    assert!(ping.text(&[0, 1]).starts_with("impalad version "));
    let id = client.beeswax("query", query("select 1 a, NULL b, 'x' c", "alice")).text(&[0, 1]);
    wait_until("the result", || {
        (client.beeswax("get_state", by_id(&id)).i32(&[0]) == 4).then_some(())
    });
    let schema = client.beeswax("get_results_metadata", by_id(&id)).list(&[0, 1, 1]);
    let types: Vec<_> = schema.iter().map(|c| c.text(&[2])).collect();
    assert_eq!(types, ["tinyint", "boolean", "string"]);
    let mut request = by_id(&id);
    request.extend([(2, V::Bool(false)), (3, V::I32(100))]);
    let rows = client.beeswax("fetch", request.clone());
    assert_eq!((rows.list(&[0, 3]), rows.bool(&[0, 5])), (vec![text("1\tNULL\tx")], false));
    request[1].1 = V::Bool(true);
    let refused = client.beeswax("fetch", request);
    assert_eq!(refused.text(&[2, 5]), "HYC00");
    assert_eq!(client.beeswax("get_log", vec![(1, text(&id))]).text(&[0]), "");
    assert_eq!(client.beeswax("close", by_id(&id)), V::Struct(vec![]));
    assert!(client.beeswax("GetRuntimeProfile", by_id(&id)).text(&[0]).contains("BEESWAX"));
    assert_eq!(client.beeswax("GetExecSummary", by_id(&id)).i32(&[0, 1]), 4);
}

#[test]
fn errors_come_as_declared_or_undeclared_exceptions() {
    let standin = Process::start(&[]);
    let mut client = Client::raw(standin.port("beeswax"));
    let reply = client.beeswax("query", query("select nope", "alice"));
    assert!(reply.text(&[1, 1]).contains("AnalysisException"), "{reply:?}");
    assert_eq!(reply.text(&[1, 5]), "42000");
    let id = "0807060504030201:100f0e0d00000000";
    let expected = format!("Query {id} failed:\nInvalid or unknown query handle: {id}.\n\n");
    assert_eq!(client.beeswax("close", by_id(id)).text(&[2, 1]), expected);
    assert_eq!(client.beeswax("Cancel", by_id(id)).text(&[1, 1]), expected);
    let error = client.try_call("get_state", &V::Struct(by_id(id))).unwrap().unwrap_err();
    assert_eq!(error.i32(&[2]), 0);
    assert!(error.text(&[1]).contains("Invalid or unknown query handle"));
    let error = client.try_call("OpenSession", &V::Struct(vec![])).unwrap().unwrap_err();
    assert_eq!(error.text(&[1]), "Invalid method name: 'OpenSession'");
}

#[test]
fn cancel_may_come_from_elsewhere_other_calls_only_from_the_same_user() {
    let standin = Process::start(&[]);
    let mut alice = Client::raw(standin.port("beeswax"));
    let mut bob = Client::raw(standin.port("beeswax"));
    bob.beeswax("query", query("select 1", "bob"));
    let id = alice.beeswax("query", query("select sleep(60000)", "alice")).text(&[0, 1]);
    let error = bob.try_call("get_state", &V::Struct(by_id(&id))).unwrap().unwrap_err();
    assert!(error.text(&[1]).contains("does not match the session username 'alice'"), "{error:?}");
    assert_eq!(bob.beeswax("Cancel", by_id(&id)).i32(&[0, 1]), 0);
    assert_eq!(alice.beeswax("get_state", by_id(&id)).i32(&[0]), 5);
}

#[test]
fn the_session_ends_with_the_connection() {
    let standin = Process::start(&[]);
    let mut client = Client::raw(standin.port("beeswax"));
    client.beeswax("query", query("select sleep(60000)", "alice"));
    assert_eq!(standin.json("/sessions?json")["sessions"][0]["type"], "BEESWAX");
    drop(client);
    wait_until("the session to end", || {
        let (sessions, queries) = (standin.json("/sessions?json"), standin.json("/queries?json"));
        (sessions["num_sessions"] == 0 && queries["num_in_flight_queries"] == 0).then_some(())
    });
}

#[test]
fn inserts_and_small_calls() {
    let standin = Process::start(&["--sample"]);
    let mut client = Client::raw(standin.port("beeswax"));
    let id =
        client.beeswax("executeAndWait", query("create table t as select id from orders", "alice"));
    client.beeswax("close", by_id(&id.text(&[0, 1])));
    let id = client.beeswax("query", query("insert into t values (1), (2)", "alice")).text(&[0, 1]);
    wait_until("the insert", || {
        (client.beeswax("get_state", by_id(&id)).i32(&[0]) == 4).then_some(())
    });
    let done = client.beeswax("CloseInsert", by_id(&id));
    assert_eq!(done.at(&[0, 1]), Some(&V::Map(vec![(text(""), V::I64(2))])));
    assert!(
        client
            .beeswax("explain", query("select * from orders", "alice"))
            .text(&[0, 1])
            .contains("orders")
    );
    assert_eq!(client.beeswax("echo", vec![(1, text("hällo"))]).text(&[0]), "hällo");
    let options = client.beeswax("get_default_configuration", vec![(1, V::Bool(false))]).list(&[0]);
    assert!(options.iter().any(|o| o.text(&[1]) == "MEM_LIMIT"));
    assert_eq!(client.beeswax("ResetCatalog", vec![]).i32(&[0, 1, 1]), 1);
    client.beeswax("clean", vec![(1, text("x"))]);
    client.beeswax("dump_config", vec![]);
}
