//! The web pages of a coordinator, for those who balance and watch: JSON, and one page for people.

mod metrics;
mod pages;

use crate::http::message::{Reader, RequestLine};
use crate::ids::Id;
use crate::state::Server;
use crate::stream::Stream;
use std::io::{self, Write};
use std::sync::Arc;

struct Page {
    status: &'static str,
    kind: &'static str,
    body: String,
}

impl Page {
    fn text(body: impl Into<String>) -> Self {
        Self { status: "200 OK", kind: "text/plain", body: body.into() }
    }

    fn json(body: &serde_json::Value) -> Self {
        Self { status: "200 OK", kind: "application/json", body: body.to_string() }
    }
}

/// Serves a connection until it ends.
pub(crate) fn serve(server: &Arc<Server>, stream: &Stream) -> io::Result<()> {
    let mut reader = Reader::new(stream.clone());
    let mut out = stream.clone();
    while let Some(line) = reader.request_line()? {
        let head = reader.headers()?;
        let page = match line.method.as_str() {
            "GET" | "HEAD" => page(server, &line),
            _ => Page { status: "405 Method Not Allowed", ..Page::text("") },
        };
        let close = line.is_old || head.has("connection", "close") || line.method != "GET";
        let mut reply = format!(
            "HTTP/1.1 {}\r\nDate: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\n\r\n",
            page.status,
            crate::clock::http_date(std::time::SystemTime::now()),
            page.kind,
            page.body.len(),
            if close { "close" } else { "keep-alive" },
        );
        if line.method != "HEAD" {
            reply.push_str(&page.body);
        }
        out.write_all(reply.as_bytes())?;
        if close {
            break;
        }
    }
    Ok(())
}

fn page(server: &Arc<Server>, line: &RequestLine) -> Page {
    match (line.path.as_str(), line.has_parameter("json")) {
        // Stays 200 through a graceful shutdown, as impalad's does: it is no sign of draining.
        ("/healthz", _) => Page::text("OK"),
        ("/metrics_prometheus", _) => {
            let kind = "text/plain; version=0.0.4";
            Page { kind, ..Page::text(metrics::prometheus(server)) }
        }
        ("/cancel_query", _) => {
            let done = id(line, "query_id").and_then(|id| server.operation(id));
            act(done, "query_id", |operation| {
                operation.stop("Cancelled from Impala's debug web interface");
                server.close_operation(operation);
                "Query cancellation successful"
            })
        }
        ("/close_session", _) => {
            let done = id(line, "session_id").and_then(|id| server.session(id));
            act(done, "session_id", |session| {
                server.close_session(session, "Session closed from Impala's debug web interface");
                "Session closed successfully"
            })
        }
        ("/", false) => {
            Page { kind: "text/html; charset=utf-8", ..Page::text(pages::front(server)) }
        }
        ("/", true) => Page::json(&pages::root(server)),
        ("/backends", _) => Page::json(&pages::backends(server)),
        ("/queries", _) => Page::json(&pages::queries(server)),
        ("/sessions", _) => Page::json(&pages::sessions(server)),
        ("/varz", _) => Page::json(&pages::flags(server)),
        ("/metrics", _) => Page::json(&metrics::tree(server)),
        ("/jsonmetrics", _) => Page::json(&metrics::flat(server)),
        _ => Page { status: "404 Not Found", ..Page::text("No URI handler for this path\n") },
    }
}

fn id(line: &RequestLine, name: &str) -> Option<Id> {
    Id::parse(&line.parameter(name)?)
}

fn act<T>(found: Option<T>, name: &str, action: impl FnOnce(&T) -> &'static str) -> Page {
    match found {
        Some(found) => Page::json(&serde_json::json!({ "contents": action(&found) })),
        None => Page::json(&serde_json::json!({ "error": format!("Unknown or invalid {name}") })),
    }
}
