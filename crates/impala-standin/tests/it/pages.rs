//! The web pages, and several stand-ins on one database or in one process.

use crate::client::{Client, V, fetch, open_session, printed, start, text};
use crate::process::Process;
use impala_standin::{Options, Standin};

#[test]
fn pages_have_impalas_fields() {
    let standin = Process::start(&["--peer=c2:27000@25000", "--hostname=c1", "--krpc-port=27001"]);
    let mut client = Client::raw(standin.port("hs2"));
    let session = open_session(&mut client, "alice");
    let operation = start(&mut client, &session, "select sleep(60000)");
    let root = standin.json("/?json");
    assert_eq!((&root["is_quiescing"], &root["is_coordinator"]), (&false.into(), &true.into()));
    let backends = standin.json("/backends?json");
    assert_eq!(backends["num_active_backends"], 2);
    assert_eq!(backends["backends"][0]["address"], "c1:27001");
    assert_eq!(backends["backends"][1]["webserver_url"], "http://c2:25000");
    let queries = standin.json("/queries?json");
    let id = printed(&operation.bytes(&[1, 1]));
    assert_eq!(queries["in_flight_queries"][0]["query_id"], id.as_str());
    assert_eq!(queries["in_flight_queries"][0]["state"], "RUNNING");
    let sessions = standin.json("/sessions?json");
    let session_id = printed(&session.bytes(&[1, 1]));
    assert_eq!(sessions["sessions"][0]["session_id"], session_id.as_str());
    assert_eq!(sessions["connections"][0]["session_ids"][0]["session_id"], session_id.as_str());
    let flags = standin.json("/varz?json");
    let hs2 = flags["flags"].as_array().unwrap().iter().find(|f| f["name"] == "hs2_port").unwrap();
    assert_eq!(hs2["current"], standin.port("hs2").to_string());
    let tree = standin.json("/metrics?json");
    assert_eq!(tree["metric_group"]["metrics"][0]["name"], "impala-server.ready");
    let (_, prometheus) = standin.get("/metrics_prometheus");
    assert!(prometheus.contains("\nimpala_server_num_queries_registered 1\n"), "{prometheus}");
    assert!(prometheus.contains("\nimpala_memory_rss "));

    standin.json(&format!("/cancel_query?query_id={id}"));
    assert_eq!(standin.json("/queries?json")["completed_queries"][0]["query_id"], id.as_str());
    standin.json(&format!("/close_session?session_id={session_id}"));
    assert_eq!(standin.json("/sessions?json")["num_sessions"], 0);
    assert!(standin.json("/close_session?session_id=1:2")["error"].is_string());
    let (status, page) = standin.get("/");
    assert!(status == 200 && page.contains("It is not Apache Impala"));
    assert_eq!(standin.get("/nothing").0, 404);
}

/// The only value of a statement's first row.
fn value(client: &mut Client, session: &V, sql: &str) -> V {
    let operation = start(client, session, sql);
    let columns = fetch(client, &operation, 1).list(&[3, 3]);
    let V::Struct(members) = &columns[0] else { panic!("{columns:?}") };
    members[0].1.list(&[1])[0].clone()
}

#[test]
fn three_in_one_process_share_a_database_and_differ_in_pid() {
    let directory =
        std::env::temp_dir().join(format!("impala-standin-test-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let standins: Vec<_> = (1..=3)
        .map(|i| {
            Standin::start(Options {
                database: Some(directory.join("shared.db")),
                sample: true,
                pid_shown: Some(i),
                ..Options::any_ports()
            })
            .unwrap()
        })
        .collect();
    let mut clients: Vec<_> = standins.iter().map(|s| Client::raw(s.ports().hs2)).collect();
    let sessions: Vec<_> = clients.iter_mut().map(|c| open_session(c, "alice")).collect();
    for (i, (client, session)) in clients.iter_mut().zip(&sessions).enumerate() {
        assert_eq!(value(client, session, "select pid()"), V::I32(i as i32 + 1));
    }
    let made = start(&mut clients[0], &sessions[0], "create table t as select 'shared' s");
    fetch(&mut clients[0], &made, 1);
    start(&mut clients[0], &sessions[0], "create database other");
    assert_eq!(value(&mut clients[2], &sessions[2], "select s from t"), text("shared"));
    start(&mut clients[2], &sessions[2], "use other");
    assert_eq!(value(&mut clients[2], &sessions[2], "select s from default.t"), text("shared"));
    for standin in standins {
        standin.shutdown();
    }
    assert!(clients[0].read_to_end().is_empty(), "shutting down cuts connections");
    std::fs::remove_dir_all(&directory).unwrap();
}
