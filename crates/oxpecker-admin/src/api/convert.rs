//! From the data plane's views to the shapes of the API: inner changes end here.

use oxpecker_api::{Counts, Status};
use oxpecker_proxy::control::Health;

use crate::access::{Caller, role_word};
use crate::app::App;

pub(crate) fn status(app: &App, caller: &Caller) -> Status {
    let (virtuals, pools) = (app.control.virtuals(), app.control.pools());
    let members = || pools.iter().flat_map(|pool| &pool.members);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Status {
        version: app.version.to_owned(),
        pid: std::process::id(),
        host: app.host.clone(),
        started: String::new(),
        uptime_seconds: app.started.elapsed().as_secs_f64(),
        worker_threads: 0,
        connections: Counts::default(),
        connections_max: 0,
        descriptors_open: 0,
        descriptors_max: 0,
        draining: false,
        last_reload: None,
        last_reload_failed: false,
        virtuals: count(virtuals.len()),
        pools: count(pools.len()),
        members: count(members().count()),
        members_up: count(members().filter(|member| member.health == Health::Up).count()),
        sessions: count(app.control.sessions().len()),
        operations_open: 0,
        unsaved_changes: 0,
        user: caller.name.clone(),
        role: role_word(caller.role).to_owned(),
    }
}
