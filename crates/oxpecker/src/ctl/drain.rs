//! `oxpecker drain`: nothing new, what runs may finish; and waiting until it has.

use std::thread;
use std::time::{Duration, Instant};

use oxpecker_api::{AdminState, Drain, Member};

use super::change::{self, Which};
use super::client::{Access, Client, member_target};
use super::screen;
use super::{find, words};
use crate::exit::Exit;

/// Between two looks at what is left.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: Which,
    /// Wait until nothing is left, and tell what is
    #[arg(long)]
    wait: bool,
    /// Wait no longer than this, such as 30s, 10m, 1h; then the exit status is 6
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = words::read_duration)]
    deadline: Option<Duration>,
    /// When the deadline comes, end the connections that are left
    #[arg(long, requires = "deadline")]
    kill: bool,
    #[command(flatten)]
    access: Access,
}

pub(super) fn drain(options: &Options) -> anyhow::Result<Exit> {
    let client = Client::new(&options.access)?;
    let mut members = change::apply(&client, &options.which, AdminState::Draining)?;
    if !options.wait {
        for member in &members {
            tell(member, &left(&client, member)?)?;
        }
        return Ok(Exit::Fine);
    }
    // A deadline too far away to be written as a time is none.
    let until = options.deadline.and_then(|deadline| Instant::now().checked_add(deadline));
    let mut told = vec![None; members.len()];
    loop {
        let mut at = 0;
        while at < members.len() {
            let drain = left(&client, &members[at])?;
            if told[at].as_ref() != Some(&drain) {
                tell(&members[at], &drain)?;
            }
            if drain.done {
                members.remove(at);
                told.remove(at);
            } else {
                told[at] = Some(drain);
                at += 1;
            }
        }
        if members.is_empty() {
            return Ok(Exit::Fine);
        }
        let now = Instant::now();
        let pause = until.map_or(INTERVAL, |until| until.saturating_duration_since(now));
        if pause.is_zero() {
            return deadline_came(&client, &members, options.kill);
        }
        thread::sleep(pause.min(INTERVAL));
    }
}

/// A member that was taken out meanwhile has nothing left.
fn left(client: &Client, member: &Member) -> anyhow::Result<Drain> {
    match client.get(&member_target(&member.pool, &member.name).then("drain")) {
        Err(error) if error.is_not_found() => Ok(Drain {
            member: member.name.clone(),
            connections: 0,
            operations: 0,
            operations_read: 0,
            sessions: 0,
            done: true,
        }),
        result => Ok(result?),
    }
}

fn tell(member: &Member, drain: &Drain) -> anyhow::Result<()> {
    let name = find::full_name(member);
    let left = [
        (drain.operations, "operation"),
        (drain.sessions, "session"),
        (drain.connections, "connection"),
    ];
    let left: Vec<_> = left
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, thing)| words::count(count.into(), thing))
        .collect();
    let text = match (drain.done, left.is_empty()) {
        (true, true) => format!("{name} is drained\n"),
        (true, false) => format!("{name} is drained; idle: {}\n", left.join(", ")),
        (false, true) => format!("{name} drains\n"),
        (false, false) => format!("{name} drains: {} left\n", left.join(", ")),
    };
    screen::print(text)?;
    Ok(())
}

fn deadline_came(client: &Client, members: &[Member], kill: bool) -> anyhow::Result<Exit> {
    for member in members {
        let name = find::full_name(member);
        if kill {
            let count = change::kill_connections(client, member)?;
            let connections = words::count(count, "connection");
            screen::print(format!("{name}: the deadline came, {connections} ended\n"))?;
        } else {
            screen::print(format!(
                "{name}: the deadline came; it goes on draining, and nothing was ended\n"
            ))?;
        }
    }
    Ok(Exit::DrainCut)
}
