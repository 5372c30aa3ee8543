//! The probes that speak HTTP.

use super::*;

const SPARK_HTTP: &[u8] = include_bytes!("../../../tests/data/hs2-http-replies-spark.bin");

fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn hs2_http() -> Hs2HttpProbe {
    Hs2HttpProbe::new(no_login(), "coord-1:28000", "/cliservice")
}

#[test]
fn hs2_over_http() {
    let [open, ping, close] = standin_replies().map(ok);
    let outcome = outcome(hs2_http, &[&open, &ping, &close]);
    assert_eq!(outcome.result, Ok(standin_verdict()));
    assert_eq!((outcome.sent.len(), outcome.reconnects), (3, 0));
    let first = text(&outcome.sent[0]);
    assert!(first.starts_with("POST /cliservice HTTP/1.1\r\nHost: coord-1:28000\r\n"), "{first}");
    assert!(first.contains("\r\nContent-Length: 47\r\n\r\n"), "{first}");
    assert!(!first.contains("Authorization"));
    assert!(outcome.sent[0].ends_with(&crate::hs2::open_session_call("alice")));
}

#[test]
fn hs2_over_http_against_spark() {
    let ping = ok(&exception("PingImpalaHS2Service", "Invalid method name: 'x'", 1));
    let answers = [&SPARK_HTTP[..424], &ping, &SPARK_HTTP[424..]];
    let outcome = outcome(|| Hs2HttpProbe::new(plain(), "h", "cliservice"), &answers);
    assert_eq!(outcome.result, Ok(Verdict::bare(State::Alive)));
    for request in outcome.sent {
        // alice:secret
        assert!(text(&request).contains("\r\nAuthorization: Basic YWxpY2U6c2VjcmV0\r\n"));
    }
}

#[test]
fn a_server_that_closes_after_each_answer_is_asked_on_new_connections() {
    let closing = |body: &[u8]| [b"HTTP/1.0 200 OK\r\n\r\n", body].concat();
    let [open, ping, close] = standin_replies().map(closing);
    let outcome = outcome(hs2_http, &[&open, &ping, &close]);
    assert_eq!(outcome.result, Ok(standin_verdict()));
    assert_eq!(outcome.reconnects, 2);
}

#[test]
fn hs2_http_errors() {
    let unauthorized =
        b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nWWW-Authenticate: Basic\r\n\r\n";
    assert_eq!(
        error(hs2_http, &[unauthorized]),
        "the member answered OpenSession with HTTP status 401: check the probe's credentials"
    );
    assert_eq!(
        error(hs2_http, &[b"HTTP/1.1 503 Service\x07 Unavailable\r\nContent-Length: 0\r\n\r\n"]),
        "the member answered OpenSession with HTTP status 503 (Service\\u{7} Unavailable)"
    );
    assert_eq!(
        error(hs2_http, &[&ok(&standin_replies()[0][..100])]),
        "bad answer to OpenSession: the connection ended inside the HTTP response"
    );
    assert_eq!(
        error(hs2_http, &[&ok(b"<html>")]),
        "bad answer to OpenSession: not a strict binary Thrift message"
    );
    assert_eq!(
        error(hs2_http, &[]),
        "the member closed the connection instead of answering OpenSession"
    );
    assert_eq!(
        error(hs2_http, &[b"\x15\x03\x01\0\x02\x02\x0a"]),
        "the port answered OpenSession with TLS: give the pool a TLS profile towards its members"
    );
    let text = "Server is being shut down: shutdown grace period left: 1m59s";
    let answer = ok(&refusal("OpenSession", text));
    assert_eq!(outcome(hs2_http, &[&answer]).result, Ok(Verdict::bare(State::Quiescing)));
}

#[test]
fn pages_are_judged_by_their_status() {
    let page = || HttpProbe::new("coord-1:25000", "/a b", vec![200..=200, 401..=401]);
    let sent = text(&page().start());
    assert!(sent.starts_with("GET /a%20b HTTP/1.1\r\nHost: coord-1:25000\r\n"), "{sent}");
    assert!(sent.contains("\r\nConnection: close\r\n"));
    let judge = |answer: &[u8]| outcome(page, &[answer]).result.map(|verdict| verdict.state);
    assert_eq!(judge(b"HTTP/1.0 200 OK\r\n\r\n"), Ok(State::Alive));
    assert_eq!(judge(b"HTTP/1.1 401 Unauthorized\r\n\r\n"), Ok(State::Alive));
    assert_eq!(
        judge(b"HTTP/1.1 404 Not Found\r\n\r\n").unwrap_err().to_string(),
        "the member answered HTTP page with HTTP status 404 (Not Found)"
    );
    assert_eq!(
        judge(b"").unwrap_err().to_string(),
        "the member closed the connection instead of answering HTTP page"
    );
    // A large body behind the head is nobody's business.
    let mut probe = HttpProbe::new("h", "/", vec![]);
    let large = [b"HTTP/1.1 302 Found\r\n\r\n".as_slice(), &[b'x'; 200_000]].concat();
    assert_eq!(probe.receive(&large), Ok(Progress::Done(Verdict::bare(State::Alive))));
}

#[test]
fn no_header_can_be_smuggled_in() {
    let probe = || HttpProbe::new("h\r\nX: y", "/\r\nX: y", vec![]);
    let sent = text(&probe().start());
    assert!(sent.starts_with("GET /%0D%0AX:%20y HTTP/1.1\r\nHost: hX:y\r\nUser-Agent"), "{sent}");
}

fn healthz() -> HealthzProbe {
    HealthzProbe::new("coord-1:25000")
}

#[test]
fn healthz_asks_whether_the_coordinator_drains() {
    let quiescing = br#"{"version":"impalad version 4.5.0-RELEASE RELEASE (build x)\nBuilt on y","is_quiescing": true,"shutdown_status":"z"}"#;
    let asked = outcome(healthz, &[&ok(b"OK"), &ok(quiescing)]);
    let verdict = Verdict {
        version: Some("impalad version 4.5.0-RELEASE RELEASE (build x)".into()),
        ..Verdict::bare(State::Quiescing)
    };
    assert_eq!(asked.result, Ok(verdict));
    assert_eq!(asked.reconnects, 0);
    assert!(asked.sent[0].starts_with(b"GET /healthz HTTP/1.1\r\n"));
    assert!(asked.sent[1].starts_with(b"GET /?json HTTP/1.1\r\n"));

    let state = |page: &[u8]| outcome(healthz, &[&ok(b"OK"), page]).result.unwrap().state;
    assert_eq!(state(&ok(br#"{"is_quiescing":false}"#)), State::Alive);
    assert_eq!(state(&ok(br#"{"x":"\"is_quiescing\": true"}"#)), State::Alive);
    assert_eq!(state(&ok(b"{\"is_quiescing\" :\n true}")), State::Quiescing);
    // The metrics web server has no such page (docs/impala.md, "Health and shutdown").
    assert_eq!(state(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), State::Alive);
    assert_eq!(state(b"HTTP/1.1 200 OK\r\n\r\n{\"is_quiescing\":true}"), State::Quiescing);
}

#[test]
fn healthz_reads_pages_of_any_length_in_bounded_memory() {
    let mut page = b"HTTP/1.1 200 OK\r\n\r\n{\"cpu_info\":\"".to_vec();
    page.resize(300_000, b'x');
    page.extend_from_slice(b"\",\"is_quiescing\":true,\"version\":\"v\"}");
    for piece_size in [1000, 4093, 1_000_000] {
        let mut probe = healthz();
        probe.start();
        probe.receive(&ok(b"OK")).unwrap();
        let mut last = Progress::NeedMore;
        for piece in page.chunks(piece_size) {
            assert_eq!(last, Progress::NeedMore);
            last = probe.receive(piece).unwrap();
        }
        assert!(
            matches!(last, Progress::Done(Verdict { state: State::Quiescing, .. })),
            "{last:?}"
        );
    }
}

#[test]
fn healthz_reconnects_when_the_server_closes() {
    let closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n";
    let page = ok(br#"{"is_quiescing":true}"#);
    let told = outcome(healthz, &[closing, &page]);
    assert_eq!((told.result.unwrap().state, told.reconnects), (State::Quiescing, 1));
    // Closed without a word after the first answer.
    let silent = outcome(healthz, &[&ok(b"OK"), b"", &page]);
    assert_eq!((silent.result.unwrap().state, silent.reconnects), (State::Quiescing, 1));
    let gone = outcome(healthz, &[&ok(b"OK"), b"", b""]);
    assert_eq!((gone.result.unwrap().state, gone.reconnects), (State::Alive, 1));
}

#[test]
fn healthz_failures() {
    assert_eq!(
        error(healthz, &[b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 13\r\n\r\n"]),
        "the member answered HTTP page with HTTP status 503 (Service Unavailable)"
    );
    assert_eq!(
        error(healthz, &[]),
        "the member closed the connection instead of answering HTTP page"
    );
    assert_eq!(
        error(healthz, &[b"\x80\x01\0\x03"]),
        "the port answered HTTP page with Thrift without SASL: set login = none"
    );
}
