//! Whole conversations against scripted members, their answers cut at every byte.

use proptest::prelude::*;

use super::*;
use crate::thrift::Fault;

mod http;
mod load;

const STANDIN_HS2: &[u8] = include_bytes!("../../tests/data/hs2-replies-standin.bin");
const SPARK_HS2: &[u8] = include_bytes!("../../tests/data/hs2-replies-plain-spark.bin");
const STANDIN_BEESWAX: &[u8] = include_bytes!("../../tests/data/beeswax-ping-reply-standin.bin");
const SPARK_BEESWAX: &[u8] = include_bytes!("../../tests/data/beeswax-ping-refused-spark.bin");
const SPARK_SASL_ERROR: &[u8] = include_bytes!("../../tests/data/sasl-error-spark.bin");

fn no_login() -> Login {
    Login::None { user: "alice".into() }
}

fn plain() -> Login {
    Login::Plain { user: "alice".into(), password: "secret".into() }
}

/// What the prober sent, one entry per answer, and how it ended.
#[derive(Debug, PartialEq)]
struct Outcome {
    sent: Vec<Vec<u8>>,
    reconnects: usize,
    result: Result<Verdict, ProbeError>,
}

/// Plays a member that gives one answer per thing sent, each in the pieces `split` makes of it,
/// and closes when it has no more answers.
fn play(
    probe: &mut dyn Conversation,
    answers: &[&[u8]],
    split: &dyn Fn(&[u8]) -> Vec<Vec<u8>>,
) -> Outcome {
    let mut outcome = Outcome {
        sent: vec![probe.start()],
        reconnects: 0,
        result: Ok(Verdict::bare(State::Alive)),
    };
    for answer in answers {
        let mut progress = Progress::NeedMore;
        for piece in split(answer) {
            match progress {
                Progress::NeedMore => {}
                Progress::Send(_) => panic!("went on before the answer's end"),
                // The rest of the answer is dropped with the connection.
                Progress::Reconnect { .. } | Progress::Done(_) => break,
            }
            match probe.receive(&piece) {
                Ok(next) => progress = next,
                Err(error) => return Outcome { result: Err(error), ..outcome },
            }
        }
        if progress == Progress::NeedMore {
            match probe.closed() {
                Ok(next) => progress = next,
                Err(error) => return Outcome { result: Err(error), ..outcome },
            }
        }
        match progress {
            Progress::NeedMore => panic!("wants more after the end"),
            Progress::Send(bytes) => outcome.sent.push(bytes),
            Progress::Reconnect { send } => {
                outcome.sent.push(send);
                outcome.reconnects += 1;
            }
            Progress::Done(verdict) => return Outcome { result: Ok(verdict), ..outcome },
        }
    }
    match probe.closed() {
        Err(error) => Outcome { result: Err(error), ..outcome },
        Ok(progress) => panic!("{progress:?} after the end"),
    }
}

/// The outcome is the same for whole answers, single bytes and every cut in two.
#[track_caller]
fn outcome<P: Conversation>(new: impl Fn() -> P, answers: &[&[u8]]) -> Outcome {
    let whole = play(&mut new(), answers, &|answer| vec![answer.to_vec()]);
    let bytes = play(&mut new(), answers, &|answer| answer.chunks(1).map(<[u8]>::to_vec).collect());
    assert_eq!(bytes, whole, "byte by byte");
    let longest = answers.iter().map(|answer| answer.len()).max().unwrap_or(0);
    for cut in 1..longest {
        let cut_once = play(&mut new(), answers, &|answer| match answer.split_at_checked(cut) {
            Some((first, second)) if !second.is_empty() => vec![first.to_vec(), second.to_vec()],
            _ => vec![answer.to_vec()],
        });
        assert_eq!(cut_once, whole, "cut at {cut}");
    }
    whole
}

#[track_caller]
fn error<P: Conversation>(new: impl Fn() -> P, answers: &[&[u8]]) -> String {
    outcome(new, answers).result.unwrap_err().to_string()
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    crate::sasl::write_frame(bytes, &mut frame);
    frame
}

/// A reply whose struct holds only an error status.
fn refusal(method: &str, text: &str) -> Vec<u8> {
    let mut bytes = b"\x80\x01\0\x02".to_vec();
    bytes.extend_from_slice(&framed(method.as_bytes()));
    bytes.extend_from_slice(b"\0\0\0\0\x0c\0\0\x0c\0\x01\x08\0\x01\0\0\0\x03\x0b\0\x05");
    bytes.extend_from_slice(&framed(text.as_bytes()));
    bytes.extend_from_slice(b"\0\0\0");
    bytes
}

fn exception(method: &str, text: &str, kind: u8) -> Vec<u8> {
    let mut bytes = b"\x80\x01\0\x03".to_vec();
    bytes.extend_from_slice(&framed(method.as_bytes()));
    bytes.extend_from_slice(b"\0\0\0\0\x0b\0\x01");
    bytes.extend_from_slice(&framed(text.as_bytes()));
    bytes.extend_from_slice(&[8, 0, 2, 0, 0, 0, kind, 0]);
    bytes
}

/// OpenSession, ping and CloseSession as the lab's stand-in answered impala-shell.
fn standin_replies() -> [&'static [u8]; 3] {
    [&STANDIN_HS2[..148], &STANDIN_HS2[148..267], &STANDIN_HS2[267..]]
}

fn standin_verdict() -> Verdict {
    Verdict {
        state: State::Alive,
        version: Some("impalad version 4.6.0-LAB (fake c1)".into()),
        webserver_address: Some("http://127.0.7.1:25000".into()),
    }
}

#[test]
fn hs2_without_login() {
    let outcome = outcome(|| Hs2Probe::new(no_login()), &standin_replies());
    assert_eq!(outcome.result, Ok(standin_verdict()));
    assert_eq!(outcome.sent[0], crate::hs2::open_session_call("alice"));
    // The handle of the OpenSession reply is in both calls.
    let guid = &STANDIN_HS2[57..73];
    assert_eq!(outcome.sent.len(), 3);
    assert!(outcome.sent[1..].iter().all(|call| call.windows(16).any(|part| part == guid)));
}

#[test]
fn hs2_with_plain_against_spark() {
    let ping = framed(&exception(
        "PingImpalaHS2Service",
        "Invalid method name: 'PingImpalaHS2Service'",
        1,
    ));
    let answers = [&SPARK_HS2[..5], &SPARK_HS2[5..118], &ping, &SPARK_HS2[118..]];
    let outcome = outcome(|| Hs2Probe::new(plain()), &answers);
    assert_eq!(outcome.result, Ok(Verdict::bare(State::Alive)));
    assert_eq!(outcome.sent[0], b"\x01\0\0\0\x05PLAIN\x02\0\0\0\x0d\0alice\0secret");
    assert_eq!(outcome.sent[1][..8], [0, 0, 0, 47, 0x80, 1, 0, 1]);
    assert_eq!(outcome.sent.len(), 4);
}

/// docs/impala.md, "SASL": frames are chunks of a stream, not messages.
#[test]
fn a_reply_may_span_frames() {
    let [open, ping, close] = standin_replies();
    let open =
        [framed(&open[..1]), framed(b""), framed(&open[1..80]), framed(&open[80..])].concat();
    let answers: [&[u8]; 4] = [b"\x05\0\0\0\0", &open, &framed(ping), &framed(close)];
    assert_eq!(outcome(|| Hs2Probe::new(plain()), &answers).result, Ok(standin_verdict()));
}

#[test]
fn a_coordinator_that_shuts_down_is_quiescing() {
    let text = "Server is being shut down: shutdown grace period left: 1m59s, deadline left: 59m59s, \
        queries registered on coordinator: 1, queries executing: 0, fragment instances: 0.\n";
    let reply = refusal("OpenSession", text);
    let outcome = outcome(|| Hs2Probe::new(no_login()), &[&reply]);
    assert_eq!(outcome.result, Ok(Verdict::bare(State::Quiescing)));
}

#[test]
fn refusals_carry_the_members_words() {
    let text = "Number of sessions for user alice exceeds coordinator limit 5\n";
    let hs2 = || Hs2Probe::new(no_login());
    assert_eq!(
        error(hs2, &[&refusal("OpenSession", text)]),
        "the member refused OpenSession: `Number of sessions for user alice exceeds coordinator limit 5`"
    );
    let [open, ..] = standin_replies();
    assert_eq!(
        error(hs2, &[open, &refusal("PingImpalaHS2Service", "Invalid session id: x\n")]),
        "the member refused ping: `Invalid session id: x`"
    );
    assert_eq!(
        error(hs2, &[open, &exception("PingImpalaHS2Service", "internal", 6)]),
        "the member answered ping with a Thrift exception: `internal`"
    );
    assert_eq!(
        error(hs2, &[&exception("OpenSession", "Invalid method name: 'OpenSession'", 1)]),
        "the member answered OpenSession with a Thrift exception: `Invalid method name: 'OpenSession'`"
    );
}

#[test]
fn a_session_that_is_already_gone_counts_as_closed() {
    let [open, ping, _] = standin_replies();
    let close = refusal("CloseSession", "Session is closed\n");
    let outcome = outcome(|| Hs2Probe::new(no_login()), &[open, ping, &close]);
    assert_eq!(outcome.result, Ok(standin_verdict()));
}

#[test]
fn beeswax() {
    let answered = outcome(|| BeeswaxProbe::new(no_login()), &[STANDIN_BEESWAX]);
    assert_eq!(answered.result, Ok(standin_verdict()));
    assert_eq!(answered.sent, [crate::beeswax::ping_call()]);
    let answered =
        outcome(|| BeeswaxProbe::new(plain()), &[b"\x05\0\0\0\0", &framed(STANDIN_BEESWAX)]);
    assert_eq!(answered.result, Ok(standin_verdict()));
    assert_eq!(
        error(|| BeeswaxProbe::new(no_login()), &[SPARK_BEESWAX]),
        "the member answered ping with a Thrift exception: `Invalid method name: 'PingImpalaService'`"
    );
}

#[test]
fn a_port_that_speaks_something_else_is_named() {
    let hs2 = || Hs2Probe::new(no_login());
    assert_eq!(
        error(|| BeeswaxProbe::new(no_login()), &[SPARK_SASL_ERROR]),
        "the port answered ping with SASL (`Invalid status -128`): set login = plain"
    );
    // Cut off: the port is named nevertheless.
    assert_eq!(
        error(hs2, &[b"\x04\0"]),
        "the port answered OpenSession with SASL: set login = plain"
    );
    assert_eq!(
        error(hs2, &[b"\x15\x03\x01\0\x02\x02\x0a"]),
        "the port answered OpenSession with TLS: give the pool a TLS profile towards its members"
    );
    assert_eq!(
        error(|| Hs2Probe::new(plain()), &[b"\x80\x01\0\x02"]),
        "the port answered SASL login with Thrift without SASL: set login = none"
    );
    // These need more than their first byte, so they come whole.
    let one = |login, answer: &[u8]| {
        let mut probe = Hs2Probe::new(login);
        probe.start();
        probe.receive(answer).unwrap_err().to_string()
    };
    assert_eq!(
        one(no_login(), b"HTTP/1.1 400 Bad Request\r\n"),
        "the port answered OpenSession with HTTP: is it the hs2-http or the web port?"
    );
    assert_eq!(
        one(plain(), b"SSH-2.0-\x1b[31mOpenSSH\r\n"),
        "the port answered SASL login with no known protocol (it begins \"SSH-2.0-\\x1b[31mOpe\")"
    );
}

#[test]
fn login_errors_say_so() {
    let hs2 = || Hs2Probe::new(plain());
    assert_eq!(
        error(hs2, &[]),
        "the member closed the connection during SASL login, as Impala does when it refuses the credentials"
    );
    assert_eq!(
        error(hs2, &[b"\x03\0\0\0\x13Error validating xx"]),
        "the member refused the SASL login with BAD: `Error validating xx`"
    );
    assert_eq!(
        error(hs2, &[b"\x02\0\0\0\0"]),
        "the member answered SASL PLAIN with the unexpected status 2"
    );
    let nul = || Hs2Probe::new(Login::Plain { user: "a\0b".into(), password: "c".into() });
    assert!(!nul().start().contains(&b'a'));
    assert!(error(nul, &[]).contains("NUL"));
    assert!(error(nul, &[b"\x03\0\0\0\0"]).contains("NUL"));
}

#[test]
fn closing_instead_of_answering_names_the_call() {
    let [open, ping, _] = standin_replies();
    let hs2 = || Hs2Probe::new(no_login());
    let expected = |call| format!("the member closed the connection instead of answering {call}");
    let hint = expected("OpenSession") + ": does the port expect SASL (login = plain) or TLS?";
    assert_eq!(error(hs2, &[]), hint);
    assert_eq!(error(hs2, &[open]), expected("ping"));
    assert_eq!(error(hs2, &[open, ping]), expected("CloseSession"));
    assert_eq!(error(hs2, &[&open[..100]]), expected("OpenSession"));
}

#[test]
fn silence_is_told_by_what_was_asked() {
    let silent =
        |probe: &dyn Conversation| ProbeError::Silent { during: probe.stage() }.to_string();
    assert_eq!(silent(&Hs2Probe::new(no_login())), "no answer to OpenSession in time");
    assert_eq!(silent(&BeeswaxProbe::new(no_login())), "no answer to ping in time");
    assert!(silent(&Hs2Probe::new(plain())).ends_with("is login = none right?"));
}

#[test]
fn answers_to_other_questions_are_refused() {
    let [open, ping, _] = standin_replies();
    let malformed = |answers: &[&[u8]]| outcome(|| Hs2Probe::new(no_login()), answers).result;
    assert_eq!(
        malformed(&[ping]),
        Err(ProbeError::Malformed { during: Stage::OpenSession, fault: Fault::MethodName })
    );
    let mut probe = Hs2Probe::new(no_login());
    probe.start();
    let surplus = probe.receive(&[open, b"x"].concat());
    assert_eq!(surplus, Err(ProbeError::Surplus { during: Stage::OpenSession }));
}

#[test]
fn oversized_answers_are_refused_before_they_arrive() {
    let mut probe = Hs2Probe::new(no_login());
    probe.start();
    let start = b"\x80\x01\0\x02\0\0\0\x0bOpenSession\0\0\0\0\x0c\0\0\x0b\0\x07\x7f\xff\xff\xff";
    assert_eq!(probe.receive(start), Err(ProbeError::TooLong { during: Stage::OpenSession }));

    let mut probe = Hs2Probe::new(plain());
    probe.start();
    let too_long = Err(ProbeError::TooLong { during: Stage::SaslLogin });
    assert_eq!(probe.receive(b"\x05\x7f\xff\xff\xff"), too_long);

    let mut probe = Hs2Probe::new(plain());
    probe.start();
    assert!(matches!(probe.receive(b"\x05\0\0\0\0"), Ok(Progress::Send(_))));
    let too_long = Err(ProbeError::TooLong { during: Stage::OpenSession });
    assert_eq!(probe.receive(b"\x7f\xff\xff\xff"), too_long);
}

#[test]
fn passwords_are_not_shown() {
    let probe = Hs2Probe::new(plain());
    assert!(!format!("{probe:?}").contains("secret"));
    let probe = Hs2HttpProbe::new(plain(), "h", "/");
    assert!(!format!("{probe:?}").contains("secret"));
}

fn every_probe() -> Vec<Box<dyn Conversation>> {
    vec![
        Box::new(Hs2Probe::new(no_login())),
        Box::new(Hs2Probe::new(plain())),
        Box::new(BeeswaxProbe::new(no_login())),
        Box::new(BeeswaxProbe::new(plain())),
        Box::new(Hs2HttpProbe::new(plain(), "h", "/cliservice")),
        Box::new(HttpProbe::new("h", "/", vec![])),
        Box::new(HealthzProbe::new("h")),
    ]
}

proptest! {
    #[test]
    fn no_bytes_panic(
        start in prop_oneof![
            Just(&b""[..]), Just(&b"\x05\0\0\0\0"[..]), Just(&STANDIN_HS2[..148]),
            Just(STANDIN_BEESWAX), Just(&b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"[..]),
            Just(&b"HTTP/1.1 200 OK\r\n\r\n"[..]),
        ],
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 0..6),
    ) {
        for mut probe in every_probe() {
            probe.start();
            let mut ended = probe.receive(start).is_err();
            for piece in &pieces {
                if ended { break; }
                ended = probe.receive(piece).is_err();
            }
            let _ = probe.closed();
            let _ = probe.stage().to_string();
        }
    }

    /// One byte of a good answer changed: any outcome, no panic, text on one line.
    #[test]
    fn damaged_answers_do_not_panic(at in 0usize..148, value: u8) {
        let mut answer = STANDIN_HS2[..148].to_vec();
        answer[at] = value;
        let mut probe = Hs2Probe::new(no_login());
        probe.start();
        if let Err(error) = probe.receive(&answer) {
            prop_assert!(!error.to_string().chars().any(char::is_control));
        }
    }
}
