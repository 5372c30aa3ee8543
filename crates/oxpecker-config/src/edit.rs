//! Changes made while the gateway runs, as data: applied over the configuration of the files at
//! every start and reload, kept compact, written for people and read back.
//!
//! The files stay in charge: a change whose object is gone, or whose value the files give anew
//! (it remembers what they said), gives way and is handed back with the reason.

mod compact;
mod text;

use std::fmt;

pub use compact::push;
pub use text::{parse, write};

use crate::file::is_name;
use crate::model::{AdminState, Config, Host, Member, Node, Pool, Virtual};
use crate::values::network;

/// Priority of an added member that says nothing, as in the files.
pub const PRIORITY_DEFAULT: u16 = 10;
/// Weight of an added member that says nothing, as in the files.
pub const WEIGHT_DEFAULT: u16 = 1;

/// Highest weight that the files may give.
pub const WEIGHT_MAX: u16 = 256;

/// Highest limit of connections that the files may give.
pub const LIMIT_MAX: u32 = 10_000_000;

/// One change. Members are called as everywhere outside: `node:port`.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    AddNode(Node),
    RemoveNode {
        node: String,
    },
    SetAddress {
        node: String,
        address: Host,
        was: Host,
    },
    AddMember {
        pool: String,
        node: String,
        member: Member,
    },
    RemoveMember {
        pool: String,
        member: String,
    },
    SetWeight {
        pool: String,
        member: String,
        weight: u16,
        was: u16,
    },
    SetState {
        pool: String,
        member: String,
        state: AdminState,
        was: AdminState,
    },
    /// `None` = no limit, here and below.
    SetMemberLimit {
        pool: String,
        member: String,
        limit: Option<u32>,
        was: Option<u32>,
    },
    SetVirtualLimit {
        virtual_server: String,
        limit: Option<u32>,
        was: Option<u32>,
    },
    SetProcessLimit {
        limit: Option<u32>,
        was: Option<u32>,
    },
}

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditError {
    Unknown {
        kind: &'static str,
        name: String,
    },
    Exists {
        kind: &'static str,
        name: String,
    },
    BadName {
        name: String,
    },
    /// A node that members are on.
    InUse {
        node: String,
        member: String,
    },
    /// A pool without members is none.
    LastMember {
        pool: String,
    },
    TooHeavy {
        weight: u16,
    },
    NoPort,
    TooMany {
        max: usize,
    },
    BadAddress {
        address: String,
    },
    BadLimit,
    /// The files have another value than when the change was made.
    FileChanged {
        what: String,
        now: String,
    },
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { kind, name } => write!(f, "there is no {kind} `{name}`"),
            Self::Exists { kind, name } => write!(f, "there is a {kind} `{name}` already"),
            Self::BadName { name } => write!(
                f,
                "`{name}` cannot be a name: only letters, digits, `_`, `-` and `.`, at most {} \
                 bytes",
                crate::file::NAME_BYTES_MAX
            ),
            Self::InUse { node, member } => {
                write!(f, "node `{node}` is in use by member `{member}`: remove that first")
            }
            Self::LastMember { pool } => write!(
                f,
                "it is the last member of pool `{pool}`: disable it, or add another one first"
            ),
            Self::TooHeavy { weight } => {
                write!(f, "weight {weight} is too large: at most {WEIGHT_MAX}")
            }
            Self::BadAddress { address } => {
                write!(f, "`{address}` is neither a name nor an address that can be connected to")
            }
            Self::TooMany { max } => write!(
                f,
                "there are {max} changes at run time already: write them into the configuration \
                 files"
            ),
            Self::NoPort => f.write_str("port 0 is no port"),
            Self::BadLimit => write!(f, "a limit is 1 to {LIMIT_MAX}, or off"),
            Self::FileChanged { what, now } => {
                write!(f, "the configuration files changed {what}: it is {now} there now")
            }
        }
    }
}

impl std::error::Error for EditError {}

/// Reads the address of a node: of an IP, or a name that is looked up.
pub fn parse_host(text: &str) -> Result<Host, EditError> {
    network::parse_host(text).map_err(|_| EditError::BadAddress { address: text.to_owned() })
}

/// The member's name, `node:port`.
pub fn member_name(node: &str, port: u16) -> String {
    format!("{node}:{port}")
}

/// A new member as the files would read it.
pub fn new_member(port: u16) -> Member {
    Member {
        node: 0,
        port,
        weight: WEIGHT_DEFAULT,
        priority: PRIORITY_DEFAULT,
        connections_max: None,
        state: AdminState::Enabled,
    }
}

/// Applies all changes in their order. Those that do not fit come back with the reason.
pub fn apply(edits: &[Edit], config: &mut Config) -> Vec<(Edit, EditError)> {
    let mut dropped = Vec::new();
    for edit in edits {
        if let Err(error) = apply_one(edit, config) {
            dropped.push((edit.clone(), error));
        }
    }
    dropped
}

/// Applies one change, or leaves the configuration as it is.
pub fn apply_one(edit: &Edit, config: &mut Config) -> Result<(), EditError> {
    match edit {
        Edit::AddNode(node) => add_node(node, config),
        Edit::RemoveNode { node } => remove_node(node, config),
        Edit::SetAddress { node, address, was } => {
            let found = config.nodes.iter_mut().find(|known| known.name == *node);
            let found = found.ok_or_else(|| unknown("node", node))?;
            let what = || format!("the address of node `{node}`");
            replace(&mut found.address, address.clone(), was, what, |host| match host {
                Host::Ip(ip) => ip.to_string(),
                Host::Name(name) => name.clone(),
            })
        }
        Edit::AddMember { pool, node, member } => add_member(pool, node, member, config),
        Edit::RemoveMember { pool, member } => remove_member(pool, member, config),
        Edit::SetWeight { pool, member, weight, was } => {
            if *weight > WEIGHT_MAX {
                return Err(EditError::TooHeavy { weight: *weight });
            }
            let what = || format!("the weight of `{pool}/{member}`");
            let found = member_mut(config, pool, member)?;
            replace(&mut found.weight, *weight, was, what, u16::to_string)
        }
        Edit::SetState { pool, member, state, was } => {
            let what = || format!("the state of `{pool}/{member}`");
            let found = member_mut(config, pool, member)?;
            replace(&mut found.state, *state, was, what, |state| text::state(*state).to_owned())
        }
        Edit::SetMemberLimit { pool, member, limit, was } => {
            let what = || format!("connections_max of `{pool}/{member}`");
            check_limit(*limit)?;
            let found = member_mut(config, pool, member)?;
            replace(&mut found.connections_max, *limit, was, what, shown_limit)
        }
        Edit::SetVirtualLimit { virtual_server, limit, was } => {
            check_limit(*limit)?;
            let what = || format!("connections_max of virtual server `{virtual_server}`");
            let found = find_virtual(config, virtual_server)?;
            replace(&mut found.connections_max, *limit, was, what, shown_limit)
        }
        Edit::SetProcessLimit { limit, was } => {
            check_limit(*limit)?;
            let what = || "connections_max of [process]".to_owned();
            replace(&mut config.process.connections_max, *limit, was, what, shown_limit)
        }
    }
}

/// The change with what this configuration says as the value of before.
pub fn with_was(mut edit: Edit, config: &Config) -> Edit {
    match &mut edit {
        Edit::SetWeight { pool, member: name, was, .. } => {
            *was = member(config, pool, name).map_or(*was, |member| member.weight);
        }
        Edit::SetState { pool, member: name, was, .. } => {
            *was = member(config, pool, name).map_or(*was, |member| member.state);
        }
        Edit::SetMemberLimit { pool, member: name, was, .. } => {
            *was = member(config, pool, name).map_or(*was, |member| member.connections_max);
        }
        Edit::SetAddress { node, was, .. } => {
            if let Some(known) = config.nodes.iter().find(|known| known.name == *node) {
                *was = known.address.clone();
            }
        }
        Edit::SetVirtualLimit { virtual_server, was, .. } => {
            let known = config.virtuals.iter().find(|known| known.name == *virtual_server);
            *was = known.map_or(*was, |known| known.connections_max);
        }
        Edit::SetProcessLimit { was, .. } => *was = config.process.connections_max,
        Edit::AddNode(_)
        | Edit::RemoveNode { .. }
        | Edit::AddMember { .. }
        | Edit::RemoveMember { .. } => {}
    }
    edit
}

impl fmt::Display for Edit {
    /// For events and logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddNode(node) => {
                write!(f, "add node {} ({})", node.name, text::host(&node.address))
            }
            Self::RemoveNode { node } => write!(f, "remove node {node}"),
            Self::SetAddress { node, address, .. } => {
                write!(f, "set the address of node {node} to {}", text::host(address))
            }
            Self::AddMember { pool, node, member } => {
                write!(f, "add member {pool}/{}", member_name(node, member.port))
            }
            Self::RemoveMember { pool, member } => write!(f, "remove member {pool}/{member}"),
            Self::SetWeight { pool, member, weight, .. } => {
                write!(f, "set the weight of {pool}/{member} to {weight}")
            }
            Self::SetState { pool, member, state, .. } => {
                write!(f, "set the state of {pool}/{member} to {}", text::state(*state))
            }
            Self::SetMemberLimit { pool, member, limit, .. } => {
                write!(f, "set connections_max of {pool}/{member} to {}", shown_limit(limit))
            }
            Self::SetVirtualLimit { virtual_server, limit, .. } => {
                write!(f, "set connections_max of {virtual_server} to {}", shown_limit(limit))
            }
            Self::SetProcessLimit { limit, .. } => {
                write!(f, "set connections_max of the process to {}", shown_limit(limit))
            }
        }
    }
}

fn add_node(node: &Node, config: &mut Config) -> Result<(), EditError> {
    if !is_name(&node.name) {
        return Err(EditError::BadName { name: node.name.clone() });
    }
    if config.nodes.iter().any(|known| known.name == node.name) {
        return Err(EditError::Exists { kind: "node", name: node.name.clone() });
    }
    config.nodes.push(node.clone());
    Ok(())
}

fn remove_node(node: &str, config: &mut Config) -> Result<(), EditError> {
    let at = node_index(config, node)?;
    let user = config.pools.iter().find_map(|pool| {
        let member = pool.members.iter().find(|member| member.node == at)?;
        Some(format!("{}/{}", pool.name, member_name(node, member.port)))
    });
    if let Some(member) = user {
        return Err(EditError::InUse { node: node.to_owned(), member });
    }
    config.nodes.remove(at);
    let members = config.pools.iter_mut().flat_map(|pool| &mut pool.members);
    members.filter(|member| member.node > at).for_each(|member| member.node -= 1);
    Ok(())
}

fn add_member(
    pool: &str,
    node: &str,
    member: &Member,
    config: &mut Config,
) -> Result<(), EditError> {
    if member.weight > WEIGHT_MAX {
        return Err(EditError::TooHeavy { weight: member.weight });
    }
    if member.port == 0 {
        return Err(EditError::NoPort);
    }
    check_limit(member.connections_max)?;
    // The pool first: it is what the path of a request names.
    find_pool(config, pool)?;
    let at = node_index(config, node)?;
    let found = find_pool(config, pool)?;
    if found.members.iter().any(|known| known.node == at && known.port == member.port) {
        let name = format!("{pool}/{}", member_name(node, member.port));
        return Err(EditError::Exists { kind: "member", name });
    }
    found.members.push(Member { node: at, ..member.clone() });
    Ok(())
}

fn remove_member(pool: &str, member: &str, config: &mut Config) -> Result<(), EditError> {
    let at = member_index(config, pool, member)?;
    let found = find_pool(config, pool)?;
    if found.members.len() == 1 {
        return Err(EditError::LastMember { pool: pool.to_owned() });
    }
    found.members.remove(at);
    Ok(())
}

fn find_pool<'c>(config: &'c mut Config, pool: &str) -> Result<&'c mut Pool, EditError> {
    let found = config.pools.iter_mut().find(|known| known.name == pool);
    found.ok_or_else(|| unknown("pool", pool))
}

fn find_virtual<'c>(config: &'c mut Config, name: &str) -> Result<&'c mut Virtual, EditError> {
    let found = config.virtuals.iter_mut().find(|known| known.name == name);
    found.ok_or_else(|| unknown("virtual server", name))
}

fn node_index(config: &Config, node: &str) -> Result<usize, EditError> {
    let found = config.nodes.iter().position(|known| known.name == node);
    found.ok_or_else(|| unknown("node", node))
}

fn member_index(config: &Config, pool: &str, member: &str) -> Result<usize, EditError> {
    let found = config.pools.iter().find(|known| known.name == pool);
    let found = found.ok_or_else(|| unknown("pool", pool))?;
    let name = |known: &Member| member_name(&config.nodes[known.node].name, known.port);
    let at = found.members.iter().position(|known| name(known) == member);
    at.ok_or_else(|| unknown("member", &format!("{pool}/{member}")))
}

/// A member of a configuration.
pub fn member<'c>(config: &'c Config, pool: &str, member: &str) -> Option<&'c Member> {
    let at = member_index(config, pool, member).ok()?;
    config.pools.iter().find(|known| known.name == pool)?.members.get(at)
}

fn member_mut<'c>(
    config: &'c mut Config,
    pool: &str,
    member: &str,
) -> Result<&'c mut Member, EditError> {
    let at = member_index(config, pool, member)?;
    Ok(&mut find_pool(config, pool)?.members[at])
}

fn unknown(kind: &'static str, name: &str) -> EditError {
    EditError::Unknown { kind, name: name.to_owned() }
}

fn check_limit(limit: Option<u32>) -> Result<(), EditError> {
    let good = limit.is_none_or(|limit| (1..=LIMIT_MAX).contains(&limit));
    if good { Ok(()) } else { Err(EditError::BadLimit) }
}

fn replace<T: PartialEq>(
    value: &mut T,
    new: T,
    was: &T,
    what: impl Fn() -> String,
    shown: impl Fn(&T) -> String,
) -> Result<(), EditError> {
    if value != was && *value != new {
        return Err(EditError::FileChanged { what: what(), now: shown(value) });
    }
    *value = new;
    Ok(())
}

fn shown_limit(limit: &Option<u32>) -> String {
    limit.map_or_else(|| "without limit".to_owned(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests;
