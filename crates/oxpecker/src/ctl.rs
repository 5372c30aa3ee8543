//! Commands of the running gateway: clients of its admin side, like any script.
//!
//! Nothing here knows more than the API tells. `--json` prints its answers as they are.

mod change;
mod client;
mod drain;
mod events;
mod find;
mod list;
mod map;
mod screen;
mod stats;
mod status;
mod table;
mod top;
mod words;

#[cfg(test)]
mod samples;

use std::io;

use clap::Subcommand;

pub(crate) use client::{Access, Client, Target, member_target};
pub(crate) use find::member as find_member;

use crate::exit::Exit;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The gateway as a whole: since when, how full, what is up
    Status(Show),
    /// Virtual servers, their pools and members, drawn as a tree
    Map(Show),
    /// The statistics table: traffic and connections
    Stats(stats::Options),
    /// Members of all pools with state, health and load
    Members(list::Search),
    /// Open client connections
    Connections(list::Connections),
    /// The latest connections that did not end in order
    Endings(list::Limit),
    /// Impala's sessions
    Sessions(list::Search),
    /// Impala's operations, running and lately ended
    Operations(list::Search),
    /// Statements that are equal but for their literals, with what they cost
    Statements(list::Search),
    /// What happened lately
    Events(events::Options),
    /// Certificates and when they end
    Certificates(Show),
    /// Clients that stick to a member
    Persistence(list::Persistence),
    /// A dashboard that refreshes itself
    Top(top::Options),
    /// Nothing new to a member; what runs there may finish
    Drain(drain::Options),
    /// A member takes clients again
    Enable(change::State),
    /// Nothing new to a member, not even from clients that stick to it
    Disable(change::State),
    /// Change a member's share
    Weight(change::Weight),
    /// Add a member to a pool
    Add(change::Add),
    /// Take a member out of its pool
    Remove(change::Remove),
    /// Add a node
    AddNode(change::AddNode),
    /// Take out a node that no member uses
    RemoveNode(change::RemoveNode),
    /// Count anew from zero
    ResetStats(change::Reset),
    /// End a connection, an operation or a session
    Kill(change::Kill),
    /// Read the configuration files anew, as SIGHUP does
    Reload(change::Whole),
    /// Keep the changes made at run time over a restart
    Save(change::Whole),
}

/// A listing that has nothing to choose.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    #[command(flatten)]
    output: Output,
}

/// How every listing is asked for and shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Output {
    /// The API's answer as it is
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

pub(crate) fn run(command: &Command) -> anyhow::Result<Exit> {
    match dispatch(command) {
        // A reader that has seen enough, such as `head`, is no failure.
        Err(error)
            if error.downcast_ref::<io::Error>().map(io::Error::kind)
                == Some(io::ErrorKind::BrokenPipe) =>
        {
            Ok(Exit::Fine)
        }
        result => result,
    }
}

fn dispatch(command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::Status(show) => list::show(&show.output, Target::new("status"), status::render),
        Command::Map(show) => list::show(&show.output, Target::new("map"), map::render),
        Command::Stats(options) => stats::stats(options),
        Command::Members(search) => list::members(search),
        Command::Connections(options) => list::connections(options),
        Command::Endings(limit) => list::endings(limit),
        Command::Sessions(search) => list::sessions(search),
        Command::Operations(search) => list::operations(search),
        Command::Statements(search) => list::statements(search),
        Command::Events(options) => events::events(options),
        Command::Certificates(show) => list::certificates(show),
        Command::Persistence(options) => list::persistence(options),
        Command::Top(options) => top::top(options),
        Command::Drain(options) => drain::drain(options),
        Command::Enable(state) => change::set_state(state, oxpecker_api::AdminState::Enabled),
        Command::Disable(state) => change::set_state(state, oxpecker_api::AdminState::Disabled),
        Command::Weight(weight) => change::weight(weight),
        Command::Add(add) => change::add(add),
        Command::Remove(remove) => change::remove(remove),
        Command::AddNode(node) => change::add_node(node),
        Command::RemoveNode(node) => change::remove_node(node),
        Command::ResetStats(reset) => change::reset(reset),
        Command::Kill(kill) => change::kill(kill),
        Command::Reload(whole) => change::reload(whole),
        Command::Save(whole) => change::save(whole),
    }
}
