//! The pages' contents. Field names are impalad's; fields about things a stand-in has not are left
//! out.

use crate::clock::{duration, timestamp};
use crate::options::{Options, Service};
use crate::state::Server;
use crate::state::operation::{Phase, Summary};
use crate::stream::CertificateFiles;
use serde_json::{Value, json};
use std::time::SystemTime;

/// impalad cuts statements on its page, too.
const STATEMENT_CHARS_MAX: usize = 250;

/// What every page has.
fn common(server: &Server) -> Value {
    json!({ "process-name": "impalad", "host-url": server.web_url() })
}

/// `/?json`.
pub(super) fn root(server: &Server) -> Value {
    let status = server.drain_status();
    let mut page = json!({
        "__common__": common(server),
        "version": server.version,
        "process_start_time": timestamp(server.started),
        "is_coordinator": true,
        "is_executor": true,
        "is_quiescing": status.is_some(),
        "impala_server_mode": true,
        "use_local_catalog": false,
        "stand_in": true,
    });
    if let Some(status) = status {
        page["shutdown_status"] = status.into();
    }
    page
}

/// `/backends?json`: ourselves, and the peers we were told of. A stand-in does not ask its peers
/// how they are.
pub(super) fn backends(server: &Server) -> Value {
    let quiescing = server.drain_status().is_some();
    let own = backend(&server.host, server.options.krpc_port, server.ports.web, quiescing, server);
    let peers = &server.options.peers;
    let others =
        peers.iter().map(|peer| backend(&peer.host, peer.krpc_port, peer.web_port, false, server));
    let all: Vec<Value> = std::iter::once(own).chain(others).collect();
    let mut page = json!({
        "__common__": common(server),
        "num_active_backends": all.len() - usize::from(quiescing),
        "backends": all,
    });
    if quiescing {
        page["num_quiescing_backends"] = 1.into();
    }
    page
}

fn backend(host: &str, krpc_port: u16, web_port: u16, quiescing: bool, server: &Server) -> Value {
    let address = format!("{host}:{krpc_port}");
    let running = server.operation_list().iter().filter(|o| o.is_executing()).count();
    json!({
        "address": address,
        "krpc_address": address,
        "backend_id": address,
        "webserver_url": server.web_url_of(host, web_port),
        "is_coordinator": true,
        "is_executor": true,
        "is_quiescing": quiescing,
        "is_blacklisted": false,
        "is_active": !quiescing,
        "admission_slots": 64,
        "admission_slots_in_use": running,
        "num_admitted": running,
        "executor_groups": "default",
        "process_start_time": timestamp(server.started),
        "version": server.version,
    })
}

/// `/queries?json`.
pub(super) fn queries(server: &Server) -> Value {
    let running: Vec<Summary> = server.operation_list().iter().map(|o| o.summary()).collect();
    let executing = running.iter().filter(|q| q.ended.is_none()).count();
    let log = server.query_log();
    json!({
        "__common__": common(server),
        "in_flight_queries": running.iter().map(query).collect::<Vec<_>>(),
        "num_in_flight_queries": running.len(),
        "num_executing_queries": executing,
        "num_waiting_queries": running.len() - executing,
        "completed_queries": log.iter().map(query).collect::<Vec<_>>(),
        "completed_log_size": log.len(),
        "query_locations": [{
            "location": format!("{}:{}", server.host, server.options.krpc_port),
            "count": executing,
        }],
    })
}

fn query(query: &Summary) -> Value {
    let end = query.ended.unwrap_or_else(SystemTime::now);
    let state = query.phase.name();
    json!({
        "query_id": query.id.to_string(),
        "effective_user": query.user,
        "default_db": query.database,
        "stmt": query.statement.chars().take(STATEMENT_CHARS_MAX).collect::<String>(),
        "stmt_type": query.kind,
        "start_time": timestamp(query.started),
        "end_time": query.ended.map_or(String::new(), timestamp),
        "duration": duration(end.duration_since(query.started).unwrap_or_default()),
        "state": state,
        "rows_fetched": query.rows_fetched,
        "progress": "N/A",
        "last_event": if query.phase == Phase::Running { "Query submitted" } else { "Unregister query" },
        "executing": query.ended.is_none(),
        "waiting": query.ended.is_some(),
        "resource_pool": "default-pool",
    })
}

/// `/sessions?json`.
pub(super) fn sessions(server: &Server) -> Value {
    let all = server.session_list();
    let mut users: std::collections::BTreeMap<String, usize> = Default::default();
    let mut active = 0;
    let sessions: Vec<Value> = all
        .iter()
        .map(|session| {
            let inner = session.snapshot();
            *users.entry(inner.user.clone()).or_default() += 1;
            active += usize::from(!inner.expired);
            let connections: Vec<_> = inner.connections.iter().map(ToString::to_string).collect();
            json!({
                "type": session.kind.name(),
                "inflight_queries": inner.operations,
                "total_queries": inner.operations_total,
                "user": inner.user,
                "delegated_user": inner.delegated_user.unwrap_or_default(),
                "session_id": session.id.to_string(),
                "connection_ids": connections.join("\n"),
                "network_address": session.peer,
                "default_database": inner.database,
                "start_time": timestamp(session.started),
                "start_time_sort": timestamp(session.started),
                "last_accessed": timestamp(inner.last_used),
                "last_accessed_sort": timestamp(inner.last_used),
                "session_timeout": inner.idle_timeout.as_secs(),
                "expired": inner.expired,
                "closed": false,
                "ref_count": 0,
            })
        })
        .collect();
    let connections = server.connections.list();
    let list: Vec<Value> = connections
        .iter()
        .map(|connection| {
            let who = connection.who();
            let of_connection: Vec<_> = all
                .iter()
                .filter(|s| s.with(|inner| inner.connections.contains(&connection.id)))
                .map(|s| json!({ "session_id": s.id.to_string() }))
                .collect();
            json!({
                "connection_id": connection.id.to_string(),
                "user": who.user.unwrap_or_default(),
                "delegated_user": who.delegated_user.unwrap_or_default(),
                "network_address": connection.peer.to_string(),
                "server_name": server_name(connection.service),
                "session_ids": of_connection,
            })
        })
        .collect();
    let count = |service| connections.iter().filter(|c| c.service == service).count();
    json!({
        "__common__": common(server),
        "sessions": sessions,
        "num_sessions": all.len(),
        "num_active": active,
        "num_inactive": all.len() - active,
        "connections": list,
        "num_connections": connections.len(),
        "num_beeswax_frontend_connections": count(Service::Beeswax),
        "num_hiveserver2_frontend_connections": count(Service::Hs2),
        "num_hiveserver2_http_frontend_connections": count(Service::Http),
        "users": users.into_iter()
            .map(|(user, count)| json!({ "user": user, "session_count": count }))
            .collect::<Vec<_>>(),
    })
}

/// The name of a port's server, in metrics as well.
pub(super) fn server_name(service: Service) -> &'static str {
    match service {
        Service::Beeswax => "beeswax-frontend",
        Service::Hs2 => "hiveserver2-frontend",
        Service::Http => "hiveserver2-http-frontend",
    }
}

/// `/varz?json`.
pub(super) fn flags(server: &Server) -> Value {
    let Options { fe_service_threads, max_hs2_sessions_per_user, krpc_port, .. } = &server.options;
    let seconds = |time: std::time::Duration| time.as_secs().to_string();
    let file = |files: Option<&CertificateFiles>| {
        files.map_or_else(String::new, |files| files.certificate.display().to_string())
    };
    let ports = &server.ports;
    let o = &server.options;
    let flags = [
        ("beeswax_port", ports.beeswax.to_string()),
        ("hs2_port", ports.hs2.to_string()),
        ("hs2_http_port", ports.http.to_string()),
        ("webserver_port", ports.web.to_string()),
        ("krpc_port", krpc_port.to_string()),
        ("fe_service_threads", fe_service_threads.to_string()),
        ("max_hs2_sessions_per_user", max_hs2_sessions_per_user.to_string()),
        ("disconnected_session_timeout", seconds(o.disconnected_session_timeout)),
        ("idle_session_timeout", seconds(o.idle_session_timeout)),
        ("shutdown_grace_period_s", seconds(o.shutdown_grace_period)),
        ("shutdown_deadline_s", seconds(o.shutdown_deadline)),
        ("ssl_server_certificate", file(o.tls.as_ref())),
        ("webserver_certificate_file", file(o.web_tls.as_ref())),
        ("enable_ldap_auth", (server.auth.mode == crate::Auth::Plain).to_string()),
    ];
    let shown = o.flags_shown.iter().map(|(name, value)| (name.as_str(), value));
    let own = flags.iter().map(|(name, value)| (*name, value));
    let own = own.filter(|(name, _)| o.flags_shown.iter().all(|(shown, _)| shown != name));
    let flags: Vec<Value> = shown
        .chain(own)
        .map(|(name, current)| json!({ "name": name, "current": current, "experimental": false }))
        .collect();
    json!({ "__common__": common(server), "title": "Command-line Flags", "flags": flags })
}

/// The page for people.
pub(super) fn front(server: &Server) -> String {
    let p = &server.ports;
    let state = match server.drain_status() {
        Some(status) => format!("shutting down: {status}"),
        None => "serving".into(),
    };
    let rows = [
        ("Version", server.version.clone()),
        ("Process", server.pid.to_string()),
        ("State", state),
        ("Started", timestamp(server.started)),
        (
            "Ports",
            format!(
                "Beeswax {}, HS2 {}, HS2 over HTTP {}, web {}",
                p.beeswax, p.hs2, p.http, p.web
            ),
        ),
        ("Open sessions", server.session_list().len().to_string()),
        ("Registered queries", server.operation_list().len().to_string()),
    ];
    let rows: String = rows
        .iter()
        .map(|(name, value)| format!("<tr><th>{name}<td>{}\n", escaped(value)))
        .collect();
    let links: String = [
        "/?json",
        "/backends?json",
        "/queries?json",
        "/sessions?json",
        "/metrics?json",
        "/varz?json",
        "/healthz",
    ]
    .iter()
    .map(|link| format!("<a href=\"{link}\">{link}</a>\n"))
    .collect();
    format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>impala-standin {}</title>\n\
         <style>body{{font:16px sans-serif;margin:2em}}th{{text-align:left;padding-right:2em}}a{{margin-right:1em}}</style>\n\
         <h1>impala-standin</h1>\n<p>A stand-in for an Impala coordinator, for tests and demonstrations. \
         It speaks Impala's protocols; the SQL is done by SQLite. It is not Apache Impala.</p>\n\
         <table>{rows}</table>\n<p>{links}</p></html>\n",
        escaped(&server.web_address()),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
