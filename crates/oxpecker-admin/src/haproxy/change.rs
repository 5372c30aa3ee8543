//! The commands that change something. Each is checked as HAProxy does, with its texts, and then told to
//! the data plane, which says what else is wrong.

use std::net::IpAddr;

use oxpecker_proxy::control::{AdminState, CommandError, MemberView, NewMember};

use super::desk::{Answer, Desk};
use super::proxies::{find_backend, find_server};
use super::stat::{self, Wanted};
use super::words::Verb;
use crate::snapshot::Snapshot;

/// A member by the names that the data plane knows.
#[derive(Debug, Clone)]
struct Target {
    pool: String,
    member: MemberView,
    /// Weight in the configuration files.
    configured: u16,
}

pub(super) async fn carry_out(desk: &Desk, verb: Verb, rest: &[&str]) -> Answer {
    match verb {
        Verb::EnableServer => set_state(desk, &target(desk, rest)?, AdminState::Enabled),
        Verb::DisableServer => set_state(desk, &target(desk, rest)?, AdminState::Disabled),
        Verb::EnableHealth => probes_go_on(&target(desk, rest)?),
        Verb::DisableHealth => probes_are_the_pools(&target(desk, rest)?),
        Verb::GetWeight => {
            let Target { member, configured, .. } = target(desk, rest)?;
            Ok(format!("{} (initial {configured})", member.weight))
        }
        Verb::SetWeight => set_weight(desk, &target(desk, rest)?, rest.get(1).copied()),
        Verb::SetServer => set_server(desk, &target(desk, rest)?, &rest[1..]).await,
        Verb::SetMaxconnServer => {
            let target = target(desk, rest)?;
            let limit = limit(rest.get(1).ok_or("Require <maxconn>.")?)?;
            let name = &target.member.name;
            done(desk.handle.set_member_limit(desk.who.clone(), &target.pool, name, limit).await)
        }
        Verb::SetMaxconnFrontend => {
            let name = frontend(desk, rest)?;
            let limit = limit(rest.get(1).ok_or("Integer value expected.")?)?;
            done(desk.handle.set_virtual_limit(desk.who.clone(), &name, limit).await)
        }
        Verb::SetMaxconnGlobal => {
            let limit = limit(rest.first().ok_or("Expects an integer value.")?)?;
            done(desk.handle.set_process_limit(desk.who.clone(), limit).await)
        }
        Verb::EnableFrontend => {
            let name = frontend(desk, rest)?;
            done(desk.handle.set_listening(desk.who.clone(), &name, true).await)
        }
        Verb::DisableFrontend => {
            let name = frontend(desk, rest)?;
            done(desk.handle.set_listening(desk.who.clone(), &name, false).await)
        }
        Verb::ShutdownSession => {
            let id = rest.first().ok_or("Session pointer expected (use 'show sess').")?;
            let id = number_of(id).ok_or(NO_SESSION)?;
            let ended = desk.handle.kill_connection(&desk.who, id);
            if ended { Ok(String::new()) } else { Err(NO_SESSION.to_owned()) }
        }
        Verb::ShutdownSessions => {
            let Target { pool, member, .. } = target(desk, rest)?;
            done(desk.handle.kill_connections(&desk.who, &pool, &member.name))
        }
        Verb::ClearCounters => clear_counters(desk, rest),
        Verb::ClearTable => clear_table(desk, rest),
        Verb::AddServer => add_server(desk, rest).await,
        Verb::DelServer => del_server(desk, rest).await,
        _ => Err("Unknown command.".to_owned()),
    }
}

const NO_SESSION: &str = "No such session (use 'show sess').";

/// Success is silence.
fn done<T>(result: Result<T, CommandError>) -> Answer {
    result.map(|_| String::new()).map_err(|error| error.to_string())
}

fn halves<'a>(rest: &[&'a str]) -> Result<(&'a str, &'a str), String> {
    let word = rest.first().and_then(|word| word.split_once('/'));
    word.ok_or_else(|| "Require 'backend/server'.".to_owned())
}

fn target(desk: &Desk, rest: &[&str]) -> Result<Target, String> {
    let (backend, server) = halves(rest)?;
    let snapshot = Snapshot::take(&desk.handle);
    let proxy = find_backend(&snapshot, backend);
    let pool = proxy.and_then(|proxy| proxy.backend).ok_or("No such backend.")?;
    let member = find_server(pool, server).ok_or("No such server.")?;
    let configured = snapshot.configured_weight(member);
    Ok(Target { pool: pool.name.clone(), member: member.clone(), configured })
}

fn frontend(desk: &Desk, rest: &[&str]) -> Result<String, String> {
    let name = rest.first().ok_or("A frontend name is expected.")?;
    let known = desk.handle.virtuals().into_iter().find(|server| server.name == *name);
    Ok(known.ok_or("No such frontend.")?.name)
}

fn set_state(desk: &Desk, target: &Target, state: AdminState) -> Answer {
    done(desk.handle.set_admin_state(&desk.who, &target.pool, &target.member.name, state))
}

async fn set_server(desk: &Desk, target: &Target, rest: &[&str]) -> Answer {
    match rest {
        ["state", word, ..] => {
            let state = match *word {
                "ready" => AdminState::Enabled,
                "drain" => AdminState::Draining,
                "maint" => AdminState::Disabled,
                _ => return Err(STATES.to_owned()),
            };
            set_state(desk, target, state)
        }
        ["state"] => Err(STATES.to_owned()),
        ["weight", rest @ ..] => set_weight(desk, target, rest.first().copied()),
        ["addr", rest @ ..] => set_address(desk, target, rest).await,
        ["health", word, ..] => Err(health_is_measured(word)),
        ["health"] => Err(HEALTHS.to_owned()),
        _ => Err("usage: set server <backend>/<server> addr | health | state | weight".to_owned()),
    }
}

const HEALTHS: &str = "'set server <srv> health' expects 'up', 'stopping', or 'down'.";

/// What somebody asked for and what was measured are two things here, and only the first can be set.
/// In HAProxy such a word lasts until the next check, too.
fn health_is_measured(word: &str) -> String {
    let instead = match word {
        "up" => "use 'state ready'; the next probe tells whether it is up",
        "stopping" => "use 'state drain' to keep new clients away",
        "down" => "use 'state maint' to keep all new clients away",
        _ => return HEALTHS.to_owned(),
    };
    format!("Health is what the monitor measures and cannot be set: {instead}.")
}

fn probes_go_on(target: &Target) -> Answer {
    if target.member.probe.kind.is_empty() {
        return Err("Health check was not configured on this server, cannot enable.".to_owned());
    }
    Ok(String::new())
}

fn probes_are_the_pools(target: &Target) -> Answer {
    if target.member.probe.kind.is_empty() {
        return Ok(String::new());
    }
    Err("Health checks are the pool's and go on for all its members: use 'state maint' to keep \
         clients away from this one, or set the pool's monitor to \"none\" and reload."
        .to_owned())
}

const STATES: &str = "'set server <srv> state' expects 'ready', 'drain' and 'maint'.";

/// `7`, or `50%` of what the configuration says.
fn set_weight(desk: &Desk, target: &Target, word: Option<&str>) -> Answer {
    let word = word.ok_or("Require <weight> or <weight%>.")?;
    let weight = parse_weight(word, target.configured)?;
    done(desk.handle.set_weight(&desk.who, &target.pool, &target.member.name, weight))
}

/// HAProxy's highest, which is ours as well.
const WEIGHT_MAX: i64 = 256;

pub(super) fn parse_weight(word: &str, configured: u16) -> Result<u16, String> {
    let (digits, is_relative) = match word.strip_suffix('%') {
        Some(digits) => (digits, true),
        None => (word, false),
    };
    let number: i64 =
        digits.parse().map_err(|_| "Empty weight string empty or preceded by garbage")?;
    let weight = match is_relative {
        true if !(0..=WEIGHT_MAX * 100).contains(&number) => {
            return Err("Relative weight must be positive.".to_owned());
        }
        // A share of a weight that is more than nought stays more than nought.
        true => ((i64::from(configured) * number + 99) / 100).min(WEIGHT_MAX),
        false => number,
    };
    let weight = u16::try_from(weight).ok().filter(|weight| i64::from(*weight) <= WEIGHT_MAX);
    weight.ok_or_else(|| "Absolute weight can only be between 0 and 256 inclusive.".to_owned())
}

/// `addr IP [port PORT]`. An address belongs to the node, and so changes for all its members.
async fn set_address(desk: &Desk, target: &Target, rest: &[&str]) -> Answer {
    let word =
        rest.first().ok_or("set server <b>/<s> addr requires an address and optionally a port.")?;
    let invalid = || format!("Invalid addr '{word}' by 'stats socket command'");
    let ip: IpAddr = word.parse().map_err(|_| invalid())?;
    let mut said = Vec::new();
    if let ["port", port, ..] = rest[1..]
        && port.parse() != Ok(target.member.port)
    {
        return Err(
            "the port is part of a member's name; add a member with the other one.".to_owned()
        );
    }
    let before = target.member.address.map(|address| address.ip());
    if before == Some(ip) {
        said.push("no need to change the addr".to_owned());
    } else {
        let result = desk.handle.set_address(desk.who.clone(), &target.member.node, word).await;
        result.map_err(|error| error.to_string())?;
        let before = before.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
        said.push(format!("IP changed from '{before}' to '{ip}'"));
    }
    if rest.len() > 1 {
        said.push("no need to change the port".to_owned());
    }
    Ok(format!("{} by 'stats socket command'", said.join(", ")))
}

/// 0 = no limit, as in HAProxy.
fn limit(word: &str) -> Result<Option<u32>, String> {
    let number: u32 = word.parse().map_err(|_| "maxconn string empty or preceded by garbage")?;
    Ok(Some(number).filter(|number| *number > 0))
}

/// As `show sess` writes them, or decimal.
pub(super) fn number_of(word: &str) -> Option<u64> {
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

/// Maxima, which begin again at what is open now; with `all` everything that is counted.
fn clear_counters(desk: &Desk, rest: &[&str]) -> Answer {
    desk.watch.forget_maxima();
    if rest.first() == Some(&"all") {
        desk.handle.reset_statistics(&desk.who, &[]).map_err(|error| error.to_string())?;
        let snapshot = Snapshot::take(&desk.handle);
        desk.watch.clear(|watch| stat::rows(&snapshot, watch, &Wanted::default()));
    } else {
        desk.handle.reset_maxima(&desk.who);
    }
    Ok(String::new())
}

fn clear_table(desk: &Desk, rest: &[&str]) -> Answer {
    let name = rest.first().ok_or("No such table")?;
    let tables = desk.handle.virtuals().into_iter();
    let mut tables = tables.filter(|server| server.persistence_entries.is_some());
    let table = tables.find(|server| server.name == *name).ok_or("No such table")?.name;
    match rest[1..] {
        [] => done(desk.handle.clear_persistence(&desk.who, &table)),
        ["key", client] => {
            let client: IpAddr = client.parse().map_err(|_| "Invalid key")?;
            done(desk.handle.forget(&desk.who, &table, client))
        }
        ["key"] => Err("Key value expected".to_owned()),
        _ => Err("Optional argument only supports \"key\"".to_owned()),
    }
}

/// `add server POOL/NODE ADDR:PORT [weight N] [maxconn N] [backup] [disabled] …`. The node is added when
/// there is none of that name. As in HAProxy a new server is in maintenance until `enable server`.
async fn add_server(desk: &Desk, rest: &[&str]) -> Answer {
    let (backend, name) = halves(rest)?;
    let snapshot = Snapshot::take(&desk.handle);
    let proxy = find_backend(&snapshot, backend);
    let pool = proxy.and_then(|proxy| proxy.backend).ok_or("No such backend.")?;
    if find_server(pool, name).is_some() {
        return Err("Already exists a server with the same name in backend.".to_owned());
    }
    let place = rest.get(1).and_then(|place| place.rsplit_once(':'));
    let place = place.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    let (host, port) = place.ok_or("An address with a port is expected.")?;
    let new = new_member(&rest[2..])?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let known = desk.handle.nodes().into_iter().find(|node| node.name == name);
    let is_new = known.is_none();
    if let Some(node) = known.filter(|node| node.host != host) {
        return Err(format!("Node '{name}' has the address '{}'.", node.host));
    }
    if is_new {
        let added = desk.handle.add_node(desk.who.clone(), name, host, "").await;
        added.map_err(|error| error.to_string())?;
    }
    let added = desk.handle.add_member(desk.who.clone(), &pool.name, name, port, new).await;
    let Err(error) = added else { return Ok("New server registered.".to_owned()) };
    if is_new {
        // Nothing of a command that failed stays.
        let _ = desk.handle.remove_node(desk.who.clone(), name).await;
    }
    Err(error.to_string())
}

/// Words of a `server` line that mean something for a member alone.
fn new_member(words: &[&str]) -> Result<NewMember, String> {
    let mut new = NewMember { state: Some(AdminState::Disabled), ..NewMember::default() };
    let mut words = words.iter();
    let number = |word: Option<&&str>, name: &str| {
        let number = word.and_then(|word| word.parse::<u32>().ok());
        number.ok_or_else(|| format!("'{name}' expects a number."))
    };
    while let Some(word) = words.next() {
        match *word {
            "weight" => {
                let weight = number(words.next(), word)?;
                new.weight = Some(u16::try_from(weight).map_err(|_| "Weight is too large.")?);
            }
            "maxconn" => {
                new.connections_max = Some(number(words.next(), word)?).filter(|max| *max > 0);
            }
            "backup" => new.priority = Some(0),
            // The pool's monitor looks at all of its members, and maintenance is the start anyway.
            "check" | "disabled" => {}
            other => return Err(format!("'{other}' is set for the whole pool, or not known.")),
        }
    }
    Ok(new)
}

async fn del_server(desk: &Desk, rest: &[&str]) -> Answer {
    let Target { pool, member, .. } = target(desk, rest)?;
    if member.admin_state != AdminState::Disabled {
        return Err("Only servers in maintenance mode can be deleted.".to_owned());
    }
    if member.connections.open > 0 {
        return Err("Server still has connections attached to it, cannot remove it.".to_owned());
    }
    let removed = desk.handle.remove_member(desk.who.clone(), &pool, &member.name).await;
    removed.map(|()| "Server deleted.".to_owned()).map_err(|error| error.to_string())
}
