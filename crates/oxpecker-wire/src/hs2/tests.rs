//! The worked bytes of docs/impala.md, made with the real Thrift libraries.

use super::*;

const LIMITS: Limits = Limits { depth_max: 16, message_bytes_max: 64 * 1024 };

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// docs/impala.md, "OpenSession reply".
const OPEN_SESSION_REPLY: &str = "
    80 01 00 02 00 00 00 0b 4f 70 65 6e 53 65 73 73
    69 6f 6e 00 00 00 00 0c 00 00 0c 00 01 08 00 01
    00 00 00 00 00 08 00 02 00 00 00 05 0c 00 03 0c
    00 01 0b 00 01 00 00 00 10 00 11 22 33 44 55 66
    77 88 99 aa bb cc dd ee ff 0b 00 02 00 00 00 10
    a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 aa ab ac ad ae af
    00 00 0d 00 04 0b 0b 00 00 00 01 00 00 00 09 68
    74 74 70 5f 61 64 64 72 00 00 00 08 63 31 3a 32
    35 30 30 30 00 00";

fn session() -> SessionHandle {
    let guid = hex("00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff");
    let secret = hex("a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 aa ab ac ad ae af");
    SessionHandle { guid, secret }
}

#[test]
fn open_session_call_is_the_worked_one() {
    let worked = hex("
        80 01 00 01 00 00 00 0b 4f 70 65 6e 53 65 73 73
        69 6f 6e 00 00 00 00 0c 00 01 08 00 01 00 00 00
        05 0b 00 02 00 00 00 05 61 6c 69 63 65 00 00");
    assert_eq!(open_session_call("alice"), worked);
    assert_eq!(worked.len(), 47);
}

#[test]
fn open_session_reply_is_read_and_waited_for() {
    let bytes = hex(OPEN_SESSION_REPLY);
    let (reply, length) = read_open_session(&bytes, LIMITS).unwrap();
    assert_eq!(length, 134);
    let Reply::Result(opened) = reply else { panic!("{reply:?}") };
    assert!(opened.status.is_success());
    assert_eq!(opened.session, Some(session()));
    for cut in 0..bytes.len() {
        assert_eq!(read_open_session(&bytes[..cut], LIMITS).unwrap_err(), ReadError::Incomplete);
    }
}

/// docs/impala.md, "Where handles lie": where the handles of all session calls lie.
#[test]
fn session_calls_have_their_handle_where_servers_expect_it() {
    for (method, call) in
        [(PING, ping_call(&session())), (CLOSE_SESSION, close_session_call(&session()))]
    {
        let n = method.len();
        assert_eq!(call[n + 12..n + 28], hex("0c 00 01 0c 00 01 0c 00 01 0b 00 01 00 00 00 10"));
        assert_eq!(call[n + 28..n + 44], session().guid);
        assert_eq!(call[n + 51..n + 67], session().secret);
        assert_eq!(call[n + 67..], [0; 4]);
    }
}

/// The status of docs/impala.md, "Refused session", as a CloseSession reply.
#[test]
fn error_status_carries_its_text() {
    let mut bytes = b"\x80\x01\0\x02\0\0\0\x0cCloseSession\0\0\0\0\x0c\0\0\x0c\0\x01".to_vec();
    bytes.extend_from_slice(b"\x08\0\x01\0\0\0\x03\x0b\0\x03\0\0\0\x05HY000\x0b\0\x05\0\0\0\x36");
    bytes.extend_from_slice(b"Invalid session id: 7766554433221100:ffeeddccbbaa9988\n\0\0\0");
    let (reply, length) = read_close_session(&bytes, LIMITS).unwrap();
    assert_eq!(length, bytes.len());
    let Reply::Result(status) = reply else { panic!("{reply:?}") };
    assert_eq!(status.code, StatusCode::Error);
    assert_eq!(status.sql_state, b"HY000");
    assert!(status.error_message.starts_with(b"Invalid session id: 77665544"));
}

#[test]
fn secrets_are_not_shown() {
    assert!(!format!("{:?}", session()).contains("a0"));
    assert!(format!("{:?}", session()).contains("***"));
}
