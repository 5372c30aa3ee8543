//! HiveServer2 over HTTP: one Thrift message per POST, to any path. As picky and as sloppy as
//! impalad's own server.

pub(crate) mod message;

use crate::auth::COOKIE_NAME;
use crate::net::dispatch_hs2;
use crate::options::Auth;
use crate::state::Server;
use crate::state::connections::Connection;
use crate::stream::Stream;
use crate::thrift_io::{CallReader, Reply, Sink, Source};
use message::{Head, Reader};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Larger requests are refused; Impala's own limit is 2 GiB.
const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Impala looks at this many cookies.
const COOKIES_MAX: usize = 5;

const CORS: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nAccess-Control-Allow-Origin: *\r\n\
    Access-Control-Allow-Methods: POST, OPTIONS\r\nAccess-Control-Allow-Headers: Content-Type\r\n\r\n";

/// Serves a connection until it ends.
pub(crate) fn serve(
    server: &Arc<Server>,
    connection: &Connection,
    stream: &Stream,
) -> io::Result<()> {
    let mut reader = Reader::new(stream.clone());
    let mut out = stream.clone();
    loop {
        let Some(line) = reader.request_line()? else { return Ok(()) };
        match line.method.as_str() {
            "POST" => {}
            "OPTIONS" => {
                // Impala answers before it has read the headers.
                out.write_all(CORS.as_bytes())?;
                reader.headers()?;
                continue;
            }
            // A health check with GET learns nothing, not even a status.
            _ => return Ok(()),
        }
        let head = reader.headers()?;
        let cookies = match authenticate(server, connection, &head) {
            Ok(cookies) => cookies,
            Err(cookies) => {
                // The body stays unread, so the client may see a reset instead of this.
                return out.write_all(unauthorized(&cookies).as_bytes());
            }
        };
        if let Some(user) = line.parameter("doAs").filter(|user| !user.is_empty()) {
            connection.set_delegated_user(user);
        }
        if head.has("expect", "100-continue") {
            out.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let body = reader.body(&head, BODY_BYTES_MAX)?;
        let answered = answer(server, connection, body);
        let Ok(body) = answered else {
            // What no Thrift client sends ends the connection.
            return Ok(());
        };
        let mut reply = format!(
            "HTTP/1.1 200 OK\r\nDate: {}\r\nServer: Thrift/0.16.0\r\nAccess-Control-Allow-Origin: *\r\n\
             Content-Type: application/x-thrift\r\nContent-Length: {}\r\nConnection: Keep-Alive\r\n{cookies}\r\n",
            crate::clock::http_date(std::time::SystemTime::now()),
            body.len(),
        )
        .into_bytes();
        // One write: two small ones would meet Nagle and delayed acknowledgements.
        reply.extend_from_slice(&body);
        out.write_all(&reply)?;
    }
}

fn answer(server: &Arc<Server>, connection: &Connection, body: Vec<u8>) -> thrift::Result<Vec<u8>> {
    let call = CallReader::new(Source::memory(body))?.read()?;
    let mut reply = Reply::new(Sink::memory());
    dispatch_hs2(server, connection, &call, &mut reply)?;
    Ok(reply.into_sink().into_bytes())
}

fn unauthorized(cookies: &str) -> String {
    format!(
        "HTTP/1.1 401 Unauthorized\r\nDate: {}\r\nServer: Thrift/0.16.0\r\nAccess-Control-Allow-Origin: *\r\n\
         Connection: close\r\nWWW-Authenticate: Basic\r\n{cookies}\r\n",
        crate::clock::http_date(std::time::SystemTime::now()),
    )
}

/// Checks one request: cookie first, then Basic. Both results hold the `Set-Cookie` lines to send.
fn authenticate(server: &Server, connection: &Connection, head: &Head) -> Result<String, String> {
    if server.auth.mode == Auth::None {
        return Ok(String::new());
    }
    let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
    let mut set_cookies = String::new();
    if let Some(value) = auth_cookie(head) {
        if let Some(user) = server.auth.cookie_user(&value) {
            count(&server.counters.cookie_success);
            connection.set_user(Some(user));
            return Ok(set_cookies);
        }
        count(&server.counters.cookie_failure);
        set_cookies = format!("Set-Cookie: {COOKIE_NAME}=;HttpOnly;Max-Age=0\r\n");
    }
    let basic = head.last("authorization").and_then(|value| server.auth.basic(value));
    let Some(user) = basic else {
        if head.last("authorization").is_some() {
            count(&server.counters.basic_failure);
        }
        return Err(set_cookies);
    };
    count(&server.counters.basic_success);
    if let Some(cookie) = server.auth.new_cookie(&user) {
        set_cookies = format!("Set-Cookie: {cookie}\r\n");
    }
    connection.set_user(Some(user));
    Ok(set_cookies)
}

/// The value of our cookie; only the last `Cookie` line counts.
fn auth_cookie(head: &Head) -> Option<String> {
    let line = head.last("cookie")?;
    line.split(';').take(COOKIES_MAX).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE_NAME && !value.is_empty()).then(|| value.to_owned())
    })
}
