//! What HAProxy's users know: its statistics as page, CSV and JSON, and its runtime socket.

use std::sync::Arc;

use tokio::net::UnixStream;

use crate::access::Caller;
use crate::app::App;
use crate::route::Route;

/// `path` is `stats_path` of `[admin]`.
pub(crate) fn routes(_path: &str) -> Vec<Route> {
    Vec::new()
}

/// Somebody opened the runtime socket. The caller's role is `haproxy_socket_level`.
pub(crate) async fn converse(_app: Arc<App>, _stream: UnixStream, _caller: Caller) {}
