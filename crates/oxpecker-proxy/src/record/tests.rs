//! The access record as scripts read it.

use super::*;

fn record<'a>(client: &'a ClientAddr, close: Close) -> Record<'a> {
    Record {
        client,
        accepted: "2009-02-06T12:12:51.443Z".parse().unwrap(),
        virtual_server: "fnt",
        pool: "bck",
        member: Some("srv1"),
        queued: Some(Duration::ZERO),
        connected: Some(Duration::from_millis(1)),
        total: Duration::from_millis(5007),
        bytes_up: 7,
        bytes_down: 212,
        close,
        tls: None,
        counts: Counts { process: 1, virtual_server: 2, pool: 3, member: 4, ..Counts::default() },
    }
}

/// The shape of the manual's own example, after the time (which is in local time).
#[test]
fn tcplog_has_haproxys_fields_in_order() {
    let client = ClientAddr::Ip("10.0.1.2:33313".parse().unwrap());
    let line = record(&client, Close::Finished).line(AccessFormat::Tcplog).unwrap();
    let (before, after) = line.split_once("] ").unwrap();
    assert!(before.starts_with("10.0.1.2:33313 ["), "{line}");
    assert!(before.contains("Feb/2009:") && before.ends_with(":51.443"), "{line}");
    assert_eq!(after, "fnt bck/srv1 0/1/5007 212 -- 1/2/3/4/0 0/0");
}

#[test]
fn phases_never_reached_are_minus_one_and_the_server_is_nosrv() {
    let client = ClientAddr::Ip("[::ffff:10.0.1.2]:5".parse().unwrap());
    let mut record = record(&client, Close::NoUsableMember);
    record.member = None;
    record.queued = None;
    record.connected = None;
    record.counts.retries = 3;
    record.counts.redispatched = true;
    let line = record.line(AccessFormat::Tcplog).unwrap();
    assert!(line.starts_with("10.0.1.2:5 ["), "{line}");
    assert!(line.ends_with("bck/<NOSRV> -1/-1/5007 212 SC 1/2/3/4/+3 0/0"), "{line}");
}

#[test]
fn json_carries_the_reason_in_words() {
    let client = ClientAddr::Unix;
    let line = record(&client, Close::IdleTimeout).line(AccessFormat::Json).unwrap();
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["end_state"], "cD");
    assert_eq!(value["reason"], "idle timeout");
    assert_eq!(value["bytes_up"], 7);
}
