//! Changes at run time: states, weights, objects, counters, and what is ended.

use std::net::Ipv6Addr;

use anyhow::Context;
use clap::Subcommand;
use oxpecker_api::{
    AddMember, AddNode as NewNode, AdminState, Kill as Ended, Member, MemberChange, Node,
    ResetStatistics, Saved, StateChange,
};

use super::client::{Access, Client, Target, member_target};
use super::find;
use super::screen;
use super::words::{self, clean};
use crate::exit::Exit;

/// A member, or with `--node` all members of a node.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// POOL/NODE:PORT, or as much of it as names one member
    #[arg(value_name = "POOL/MEMBER", required_unless_present = "node")]
    member: Option<String>,
    /// All members of a node
    #[arg(long, value_name = "NODE", conflicts_with = "member")]
    node: Option<String>,
    /// Why; kept with the event
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct State {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Weight {
    /// POOL/NODE:PORT, or as much of it as names one member
    #[arg(value_name = "POOL/MEMBER")]
    member: String,
    /// 0 to 256; 0: nothing new but from clients that stick to it
    weight: u16,
    /// Why; kept with the event
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    pool: String,
    /// A node that is configured, and a port
    #[arg(value_name = "NODE:PORT")]
    member: String,
    #[arg(long, value_name = "N")]
    weight: Option<u16>,
    /// Priority group; the highest is used first
    #[arg(long, value_name = "N")]
    priority: Option<u16>,
    #[arg(long, value_name = "N")]
    connections_max: Option<u32>,
    /// Takes no clients until `oxpecker enable`
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Remove {
    /// POOL/NODE:PORT, or as much of it as names one member
    #[arg(value_name = "POOL/MEMBER")]
    member: String,
    /// Even with open connections, which go on until they end
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AddNode {
    name: String,
    /// An address, or a name to look up
    address: String,
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RemoveNode {
    name: String,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Reset {
    /// Rows, as `oxpecker stats --keys` lists them; without any: all
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Kill {
    #[command(subcommand)]
    what: Victim,
}

#[derive(Debug, Subcommand)]
enum Victim {
    /// Reset one client's connection
    Connection(ById),
    /// Cancel and close one operation
    Operation(ById),
    /// Close one session with all its operations
    Session(ById),
    /// Reset all connections of a member
    Member {
        /// POOL/NODE:PORT, or as much of it as names one member
        #[arg(value_name = "POOL/MEMBER")]
        member: String,
        #[command(flatten)]
        access: Access,
    },
}

#[derive(Debug, clap::Args)]
struct ById {
    /// As the listing shows it
    id: String,
    #[command(flatten)]
    access: Access,
}

/// A command about the gateway as a whole.
#[derive(Debug, clap::Args)]
pub(crate) struct Whole {
    #[command(flatten)]
    access: Access,
}

/// Sets the admin state; the members that have it now.
pub(super) fn apply(
    client: &Client,
    which: &Which,
    state: AdminState,
) -> anyhow::Result<Vec<Member>> {
    let comment = which.comment.clone();
    if let Some(node) = &which.node {
        let change = StateChange { admin_state: state, comment };
        let _: Node = client.patch(&Target::new("nodes").then(node), &change)?;
        return find::members_of_node(client, node);
    }
    let text = which.member.as_deref().context("name a member")?;
    let member = find::member(client, text)?;
    let change = MemberChange { admin_state: Some(state), weight: None, comment };
    Ok(vec![client.patch(&member_target(&member.pool, &member.name), &change)?])
}

pub(super) fn set_state(options: &State, state: AdminState) -> anyhow::Result<Exit> {
    let client = Client::new(&options.access)?;
    for member in apply(&client, &options.which, state)? {
        tell(&member)?;
    }
    Ok(Exit::Fine)
}

/// What a member is now.
fn tell(member: &Member) -> anyhow::Result<()> {
    let mut text = format!(
        "{} is {}, {}, weight {}",
        find::full_name(member),
        words::admin_state(member.admin_state),
        words::health(member.health),
        member.weight
    );
    if member.connections.current > 0 {
        text += ", with ";
        text += &words::count(member.connections.current.into(), "connection");
    }
    screen::print(text + "\n")?;
    Ok(())
}

pub(super) fn weight(options: &Weight) -> anyhow::Result<Exit> {
    let client = Client::new(&options.access)?;
    let member = find::member(&client, &options.member)?;
    let change = MemberChange {
        admin_state: None,
        weight: Some(options.weight),
        comment: options.comment.clone(),
    };
    tell(&client.patch(&member_target(&member.pool, &member.name), &change)?)?;
    Ok(Exit::Fine)
}

pub(super) fn add(options: &Add) -> anyhow::Result<Exit> {
    let (node, port) =
        split(&options.member).with_context(|| format!("`{}` is not NODE:PORT", options.member))?;
    let body = AddMember {
        node: node.to_owned(),
        port,
        weight: options.weight,
        priority: options.priority,
        connections_max: options.connections_max,
        admin_state: options.disabled.then_some(AdminState::Disabled),
    };
    let client = Client::new(&options.access)?;
    let target = Target::new("pools").then(&options.pool).then("members");
    tell(&client.post(&target, &body)?)?;
    Ok(Exit::Fine)
}

fn split(text: &str) -> Option<(&str, u16)> {
    let (node, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|&port| port > 0)?;
    // A node has a name of its own; a bare IPv6 address here is a mistake.
    (!node.is_empty() && text.parse::<Ipv6Addr>().is_err()).then_some((node, port))
}

pub(super) fn remove(options: &Remove) -> anyhow::Result<Exit> {
    let client = Client::new(&options.access)?;
    let member = find::member(&client, &options.member)?;
    let mut target = member_target(&member.pool, &member.name);
    if options.force {
        target = target.query("force", "true");
    }
    client.delete(&target)?;
    screen::print(format!("{} is no member any more\n", find::full_name(&member)))?;
    Ok(Exit::Fine)
}

pub(super) fn add_node(options: &AddNode) -> anyhow::Result<Exit> {
    let body = NewNode {
        name: options.name.clone(),
        address: options.address.clone(),
        description: options.description.clone(),
    };
    let node: Node = Client::new(&options.access)?.post(&Target::new("nodes"), &body)?;
    screen::print(format!("node {} is {}\n", clean(&node.name), clean(&node.host)))?;
    Ok(Exit::Fine)
}

pub(super) fn remove_node(options: &RemoveNode) -> anyhow::Result<Exit> {
    Client::new(&options.access)?.delete(&Target::new("nodes").then(&options.name))?;
    screen::print(format!("{} is no node any more\n", options.name))?;
    Ok(Exit::Fine)
}

pub(super) fn reset(options: &Reset) -> anyhow::Result<Exit> {
    let body = ResetStatistics { keys: options.keys.clone() };
    let target = Target::new("statistics").then("reset");
    let reset: Ended = Client::new(&options.access)?.post(&target, &body)?;
    screen::print(format!("{} counted anew\n", words::count(reset.count, "row")))?;
    Ok(Exit::Fine)
}

pub(super) fn kill(options: &Kill) -> anyhow::Result<Exit> {
    let (listing, thing, by_id) = match &options.what {
        Victim::Connection(by_id) => ("connections", "connection", by_id),
        Victim::Operation(by_id) => ("operations", "operation", by_id),
        Victim::Session(by_id) => ("sessions", "session", by_id),
        Victim::Member { member, access } => {
            let client = Client::new(access)?;
            let member = find::member(&client, member)?;
            let count = kill_connections(&client, &member)?;
            screen::print(format!("{} ended\n", words::count(count, "connection")))?;
            return Ok(Exit::Fine);
        }
    };
    let client = Client::new(&by_id.access)?;
    let body = client.delete(&Target::new(listing).then(&by_id.id))?;
    let ended: Ended = client.decode(&body)?;
    let outcome = if ended.count > 0 { "ended" } else { "was over already" };
    screen::print(format!("{thing} {} {outcome}\n", by_id.id))?;
    Ok(Exit::Fine)
}

/// All of a member; how many there were.
pub(super) fn kill_connections(client: &Client, member: &Member) -> anyhow::Result<u64> {
    let name = format!("{}/{}", member.pool, member.name);
    let body = client.delete(&Target::new("connections").query("member", &name))?;
    let ended: Ended = client.decode(&body)?;
    Ok(ended.count)
}

pub(super) fn reload(options: &Whole) -> anyhow::Result<Exit> {
    Client::new(&options.access)?.command(&Target::new("reload"))?;
    screen::print("reloaded\n")?;
    Ok(Exit::Fine)
}

pub(super) fn save(options: &Whole) -> anyhow::Result<Exit> {
    let client = Client::new(&options.access)?;
    let saved: Saved = client.decode(&client.command(&Target::new("save"))?)?;
    let changes = words::count(saved.changes.into(), "change");
    screen::print(format!("{changes} saved in {}\n", clean(&saved.file)))?;
    Ok(Exit::Fine)
}
