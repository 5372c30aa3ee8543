//! `oxpecker status`.

use std::fmt::Write;

use oxpecker_api::{Status, normalized};

use super::screen::{Screen, Tone};
use super::words;

pub(super) fn render(status: &Status, screen: Screen) -> String {
    let mut out = String::new();
    let up = words::duration(status.uptime_seconds);
    let _ = writeln!(
        out,
        "Oxpecker {} on {}, process {}, up {up}",
        words::clean(&status.version),
        words::clean(&status.host),
        status.pid
    );
    let mut line = |title: &str, text: String| {
        let _ = writeln!(out, "{}  {text}", screen.paint(&format!("{title:<15}"), Tone::Quiet));
    };
    line("Started", words::time(&status.started));
    line("State", state(status, screen));
    let open = status.connections;
    line(
        "Connections",
        format!(
            "{} now, {} at most, {} in all; limit {}",
            open.current,
            open.maximum,
            normalized(open.total),
            status.connections_max
        ),
    );
    line("Descriptors", format!("{} of {}", status.descriptors_open, status.descriptors_max));
    line(
        "Configured",
        format!(
            "{}, {}, {} ({} up)",
            words::count(status.virtuals.into(), "virtual server"),
            words::count(status.pools.into(), "pool"),
            words::count(status.members.into(), "member"),
            status.members_up
        ),
    );
    line(
        "Impala",
        format!(
            "{}, {}",
            words::count(status.sessions.into(), "session"),
            words::count(status.operations_open.into(), "open operation")
        ),
    );
    line("Threads", status.worker_threads.to_string());
    if let Some(reload) = &status.last_reload {
        let failed = status.last_reload_failed;
        let outcome = if failed { ", failed: the log says why" } else { "" };
        let tone = if failed { Tone::Bad } else { Tone::Plain };
        line("Last reload", screen.paint(&format!("{}{outcome}", words::time(reload)), tone));
    }
    if status.unsaved_changes > 0 {
        let changes = words::count(status.unsaved_changes.into(), "change");
        line("Unsaved", format!("{changes}; `oxpecker save` keeps them over a restart"));
    }
    let (user, role) = (words::clean(&status.user), words::clean(&status.role));
    let user = if user.is_empty() { "not signed in".to_owned() } else { user };
    line("You", if role.is_empty() { user } else { format!("{user} ({role})") });
    out
}

fn state(status: &Status, screen: Screen) -> String {
    if status.draining {
        screen.paint("draining: takes nothing new and ends", Tone::Warn)
    } else if status.members > 0 && status.members_up == 0 {
        screen.paint("running, no member is up", Tone::Bad)
    } else {
        screen.paint("running", Tone::Good)
    }
}
