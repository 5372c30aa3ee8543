//! HiveServer2: handles, errors, results, as the protocol reference has them.

use crate::client::{
    Client, V, decode, encode, execute, failure, fetch, map, open_session, printed, start, text,
};
use crate::process::{Process, wait_until};
use std::time::{Duration, Instant};

fn handle(request: V) -> Vec<(i16, V)> {
    vec![(1, request)]
}

/// A session or operation handle made of these bytes.
fn made_handle(guid: &[u8], secret: &[u8]) -> V {
    let id = V::Struct(vec![(1, V::Bytes(guid.to_vec())), (2, V::Bytes(secret.to_vec()))]);
    V::Struct(vec![(1, id), (2, V::I32(0)), (3, V::Bool(true))])
}

#[test]
fn handles_look_like_impalas() {
    let standin = Process::start(&[]);
    let mut client = Client::raw(standin.port("hs2"));
    let reply = client.hs2("OpenSession", vec![(1, V::I32(9)), (2, text("alice"))]);
    assert_eq!(reply.i32(&[2]), 5);
    let Some(V::Map(options)) = reply.at(&[4]) else { panic!("no options") };
    let address = format!("127.0.0.1:{}", standin.port("web"));
    assert!(options.contains(&(text("http_addr"), text(&address))));
    assert!(options.contains(&(text("MEM_LIMIT"), text("0"))));
    let session = reply.at(&[3]).unwrap().clone();
    let operation = start(&mut client, &session, "select 1");
    assert_eq!(operation.bytes(&[1, 2]), session.bytes(&[1, 2]), "the secret is the session's");
    assert_eq!(operation.bytes(&[1, 1])[8..12], [0; 4], "a query id has four zero bytes");
    assert_ne!(session.bytes(&[1, 1]), session.bytes(&[1, 2]));
}

#[test]
fn errors_have_impalas_texts() {
    let standin = Process::start(&[]);
    let mut client = Client::raw(standin.port("hs2"));
    let session = open_session(&mut client, "alice");
    let other = open_session(&mut client, "alice");
    let (guid, secret) = (session.bytes(&[1, 1]), session.bytes(&[1, 2]));
    let id = printed(&guid);
    let expected = (3, format!("Invalid session id: {id}\n"));
    let wrong_secret = made_handle(&guid, &other.bytes(&[1, 2]));
    for method in ["GetInfo", "PingImpalaHS2Service", "CloseSession", "GetTables"] {
        let reply = client.hs2(method, vec![(1, wrong_secret.clone()), (2, V::I32(17))]);
        assert_eq!(failure(&reply), expected, "{method}");
        assert_eq!(reply.text(&[1, 3]), "HY000");
    }
    assert_eq!(failure(&execute(&mut client, &wrong_secret, "select 1")), expected);
    let reply = client.hs2("GetTables", handle(wrong_secret));
    assert_eq!(reply.bytes(&[2, 1, 1]), b"", "a failed metadata call has an empty handle");

    let operation = start(&mut client, &session, "select 1");
    let id = printed(&operation.bytes(&[1, 1]));
    let unknown = format!("Query {id} failed:\nInvalid or unknown query handle: {id}.\n\n");
    let not_found = format!("Query {id} failed:\nQuery id {id} not found.\n\n");
    let stolen = made_handle(&operation.bytes(&[1, 1]), &other.bytes(&[1, 2]));
    let methods = [
        "GetOperationStatus",
        "GetResultSetMetadata",
        "FetchResults",
        "GetLog",
        "CancelOperation",
        "CloseOperation",
    ];
    for method in methods {
        let reply = client.hs2(method, handle(stolen.clone()));
        assert_eq!(failure(&reply), (3, not_found.clone()), "{method}");
    }
    assert_eq!(client.hs2("CloseImpalaOperation", handle(operation.clone())).i32(&[1, 1]), 0);
    for method in methods {
        let reply = client.hs2(method, handle(operation.clone()));
        assert_eq!(failure(&reply), (3, unknown.clone()), "{method}");
    }
    assert_eq!(client.hs2("GetOperationStatus", handle(operation.clone())).i32(&[2]), 5);
    assert_eq!(client.hs2("GetLog", handle(operation)).text(&[2]), "", "a required field");

    let short = made_handle(b"12", &secret);
    let text =
        "Malformed THandleIdentifier (guid size: 2, expected 16, secret size: 16, expected 16)\n";
    assert_eq!(failure(&client.hs2("CloseSession", handle(short))), (3, text.into()));
    assert_eq!(
        failure(&client.hs2("GetDelegationToken", handle(session.clone()))),
        (3, "Not implemented".into())
    );
    let reply = client.hs2("GetInfo", vec![(1, session), (2, V::I32(99))]);
    assert_eq!(
        (failure(&reply), reply.text(&[1, 3])),
        ((3, "Unsupported operation".into()), "HYC00".into())
    );
    assert!(reply.at(&[2]).is_some(), "infoValue is required even then");
}

#[test]
fn a_statement_that_cannot_be_analysed_fails_at_once() {
    let standin = Process::start(&[]);
    let mut client = Client::raw(standin.port("hs2"));
    let session = open_session(&mut client, "alice");
    let reply = execute(&mut client, &session, "select nope");
    let (code, message) = failure(&reply);
    assert_eq!(code, 3);
    assert!(
        message.starts_with("Query ") && message.contains(" failed:\nAnalysisException: "),
        "{message}"
    );
    assert!(message.ends_with("\n\n"));
    let overlay = vec![(1, session.clone()), (2, text("select 1")), (3, map(&[("nonsense", "1")]))];
    let (_, message) = failure(&client.hs2("ExecuteStatement", overlay));
    assert!(message.contains("Invalid query option: NONSENSE"), "{message}");
    // A run-time failure is told by GetOperationStatus.
    let operation = start(&mut client, &session, "select repeat('x', 1000000000)");
    wait_until("the failure", || {
        let reply = client.hs2("GetOperationStatus", handle(operation.clone()));
        (reply.i32(&[2]) == 5).then(|| assert!(reply.text(&[5]).contains("repeat"), "{reply:?}"))
    });
}

#[test]
fn the_liveness_call_needs_no_session() {
    let standin = Process::start(&[]);
    let mut client = Client::raw(standin.port("hs2"));
    let reply = client.hs2("GetOperationStatus", handle(made_handle(b"", b"")));
    assert_eq!((reply.i32(&[1, 1]), reply.i32(&[2])), (0, 2));
}

#[test]
fn unknown_methods_and_old_style_calls() {
    let standin = Process::start(&[]);
    let mut client = Client::raw(standin.port("hs2"));
    let error = client.try_call("Foo", &V::Struct(vec![])).unwrap().unwrap_err();
    assert_eq!((error.text(&[1]), error.i32(&[2])), ("Invalid method name: 'Foo'".into(), 1));
    let request = V::Struct(vec![(1, V::Struct(vec![(1, V::I32(5))]))]);
    client.send(&encode("OpenSession", &request, false));
    let reply = decode(&mut client).unwrap().unwrap();
    assert_eq!(reply.i32(&[0, 1, 1]), 0);
}

#[test]
fn results_are_columns_with_nulls_lowest_bit_first() {
    let standin = Process::start(&[]);
    let mut client = Client::raw(standin.port("hs2"));
    let session = open_session(&mut client, "alice");
    let sql = "select cast(value as int) i, case when value % 2 = 0 then 'e' end s from generate_series(1, 10)";
    let operation = start(&mut client, &session, sql);
    let schema = client.hs2("GetResultSetMetadata", handle(operation.clone()));
    let columns = schema.list(&[2, 1]);
    assert_eq!(columns[0].list(&[2, 1])[0].i32(&[1, 1]), 3, "INT");
    assert_eq!((columns[1].text(&[1]), columns[1].i32(&[3])), ("s".into(), 1));
    let reply = fetch(&mut client, &operation, 3);
    assert!(reply.bool(&[2]), "more rows");
    assert_eq!(reply.list(&[3, 2]), [], "the row list is there and empty");
    let columns = reply.list(&[3, 3]);
    assert_eq!(columns[0].list(&[4, 1]), [V::I32(1), V::I32(2), V::I32(3)]);
    assert_eq!(columns[1].list(&[7, 1]), [text(""), text("e"), text("")]);
    assert_eq!(columns[1].bytes(&[7, 2]), [0b101]);
    let reply = fetch(&mut client, &operation, 100);
    assert_eq!(reply.list(&[3, 3])[0].list(&[4, 1]).len(), 7);
    assert_eq!(reply.at(&[3, 1]), Some(&V::I64(3)));
    let reply = fetch(&mut client, &operation, 100);
    assert!(!reply.bool(&[2]) && reply.i32(&[1, 1]) == 0, "after the end: empty and fine");
    assert_eq!(reply.list(&[3, 3])[0].list(&[4, 1]), []);
}

#[test]
fn old_clients_get_rows() {
    let standin = Process::start(&[]);
    let mut client = Client::raw(standin.port("hs2"));
    let reply = client.hs2("OpenSession", vec![(1, V::I32(3))]);
    assert_eq!(reply.i32(&[2]), 3);
    let session = reply.at(&[3]).unwrap().clone();
    let operation = start(&mut client, &session, "select 7, NULL, 'x'");
    let rows = fetch(&mut client, &operation, 10).list(&[3, 2]);
    let values = rows[0].list(&[1]);
    assert_eq!(values[0].at(&[2, 1]), Some(&V::I8(7)));
    assert_eq!(values[1], V::Struct(vec![(1, V::Struct(vec![]))]), "NULL: the value is absent");
    assert_eq!(values[2].text(&[7, 1]), "x");
}

#[test]
fn any_connection_may_use_a_session_and_cancel() {
    let standin = Process::start(&[]);
    let mut one = Client::raw(standin.port("hs2"));
    let session = open_session(&mut one, "alice");
    let operation = start(&mut one, &session, "select sleep(60000)");
    assert_eq!(one.hs2("GetOperationStatus", handle(operation.clone())).i32(&[2]), 1, "running");
    let begun = Instant::now();
    let mut other = Client::raw(standin.port("hs2"));
    assert_eq!(other.hs2("CancelOperation", handle(operation.clone())).i32(&[1, 1]), 0);
    let reply = one.hs2("GetOperationStatus", handle(operation.clone()));
    assert_eq!(reply.i32(&[2]), 5, "a cancelled query reads as an error");
    let (_, message) = failure(&fetch(&mut one, &operation, 10));
    assert!(message.ends_with("failed:\nCancelled\n\n"), "{message}");
    wait_until("the thread to stop", || {
        (standin.json("/queries?json")["num_executing_queries"] == 0).then_some(())
    });
    assert!(begun.elapsed() < Duration::from_secs(5));
    // A statement that SQLite works on is interrupted as well.
    let slow =
        "select count(*) from generate_series(1, 100000) a join generate_series(1, 1000000) b";
    let operation = start(&mut one, &session, slow);
    assert_eq!(other.hs2("CloseOperation", handle(operation)).i32(&[1, 1]), 0);
}

#[test]
fn dml_reports_its_rows_on_close() {
    let standin = Process::start(&[]);
    let mut client = Client::raw(standin.port("hs2"));
    let session = open_session(&mut client, "alice");
    let made = start(&mut client, &session, "create table t (a int)");
    assert!(made.bool(&[3]), "DDL has a result: its summary");
    fetch(&mut client, &made, 1);
    let operation =
        start(&mut client, &session, "insert into t select value from generate_series(1, 5000)");
    assert!(!operation.bool(&[3]));
    wait_until("the insert", || {
        let reply = client.hs2("GetOperationStatus", handle(operation.clone()));
        (reply.i32(&[2]) == 2).then_some(())
    });
    let reply = client.hs2("CloseImpalaOperation", handle(operation.clone()));
    assert_eq!(reply.at(&[2, 1]), Some(&V::Map(vec![(text(""), V::I64(5000))])));
    let profile = client.hs2(
        "GetRuntimeProfile",
        vec![(1, operation.clone()), (2, session.clone()), (3, V::I32(0))],
    );
    assert!(profile.text(&[2]).contains("insert into t"), "{profile:?}");
    let summary = client.hs2("GetExecSummary", vec![(1, operation), (2, session)]);
    assert_eq!(summary.i32(&[2, 1]), 4);
}

#[test]
fn a_large_result_streams() {
    let standin = Process::start(&[]);
    let mut client = Client::raw(standin.port("hs2"));
    let session = open_session(&mut client, "alice");
    let operation = start(
        &mut client,
        &session,
        "select value, repeat('x', 1000) from generate_series(1, 100000)",
    );
    let (mut rows, mut more) = (0, true);
    while more {
        let reply = fetch(&mut client, &operation, 10_000);
        rows += reply.list(&[3, 3])[0].list(&[5, 1]).len();
        more = reply.bool(&[2]);
    }
    assert_eq!(rows, 100_000);
    let memory = standin.json("/jsonmetrics?json")["memory.rss"].as_u64().unwrap();
    assert!(memory < 150 << 20, "{memory} bytes for a result of 100 MB");
}

#[test]
fn metadata_calls_answer_from_the_catalog() {
    let standin = Process::start(&["--sample"]);
    let mut client = Client::raw(standin.port("hs2"));
    let session = open_session(&mut client, "alice");
    let mut rows = |method: &str, mut request: Vec<(i16, V)>, column: usize| {
        request.insert(0, (1, session.clone()));
        let reply = client.hs2(method, request);
        assert_eq!(reply.i32(&[1, 1]), 0, "{method}: {reply:?}");
        let operation = reply.at(&[2]).unwrap().clone();
        let values = fetch(&mut client, &operation, 1000).list(&[3, 3])[column].list(&[7, 1]);
        values
            .iter()
            .map(|v| match v {
                V::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(rows("GetSchemas", vec![], 0), ["default"]);
    assert_eq!(
        rows("GetTables", vec![(3, text("default")), (4, text("%"))], 2),
        ["customers", "orders", "web_logs"]
    );
    assert_eq!(rows("GetColumns", vec![(4, text("orders")), (5, text("amo%"))], 5), ["DECIMAL"]);
    assert_eq!(rows("GetTableTypes", vec![], 0), ["TABLE", "VIEW"]);
    assert_eq!(rows("GetTypeInfo", vec![], 0).len(), 13);
    assert_eq!(rows("GetCatalogs", vec![], 0).len(), 0);
    assert_eq!(rows("GetFunctions", vec![(4, text("%"))], 0).len(), 0);
    assert_eq!(rows("GetPrimaryKeys", vec![], 0).len(), 0);
    assert_eq!(rows("GetCrossReference", vec![], 0).len(), 0);
}

#[test]
fn garbage_closes_the_connection_at_once() {
    let standin = Process::start(&[]);
    for bytes in [
        &b"\x01\0\0\0\x05PLAIN"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
        b"\x80\x02\0\x01\0\0\0\0",
    ] {
        let mut client = Client::raw(standin.port("hs2"));
        client.send(bytes);
        assert_eq!(client.read_to_end(), b"", "{bytes:?}");
    }
}
