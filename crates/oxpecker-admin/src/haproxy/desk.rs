//! Carries out the commands of the runtime socket. Texts of answers are HAProxy's where scripts may
//! compare them.

use std::fmt::Write as _;
use std::time::Duration;

use oxpecker_config::model::Role;
use oxpecker_proxy::control::{ConnectionFilter, Handle, VirtualView, Who};

use super::proxies::{find_backend, proxies};
use super::stat::{self, Only, Wanted};
use super::watch::Watched;
use super::words::{self, Verb};
use super::{change, info, listing};
use crate::snapshot::Snapshot;

/// Connections that `show sess` lists.
const SESSIONS_MAX: usize = 10_000;

/// Entries of one table that `show table` lists.
const ENTRIES_MAX: usize = 10_000;

/// Lines of `show events` and `show errors`.
const HAPPENED_MAX: usize = 200;

/// How long `set timeout cli` may let a connection be idle.
const TIMEOUT_MAX: Duration = Duration::from_secs(86_400);

/// What one connection to the socket has agreed on.
#[derive(Debug, Clone)]
pub(crate) struct Talk {
    pub(crate) level: Role,
    /// `prompt` was said: stay connected.
    pub(crate) prompt: bool,
    pub(crate) idle: Duration,
    pub(crate) ends: bool,
}

/// A refusal is a text, too: HAProxy has no other sign.
pub(crate) type Answer = Result<String, String>;

/// Where commands come in.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) handle: Handle,
    pub(crate) watch: Watched,
    pub(crate) host: String,
    pub(crate) who: Who,
}

impl Desk {
    /// The whole answer to a line, each command's with an empty line at its end.
    pub(crate) async fn answer(&self, talk: &mut Talk, line: &str) -> String {
        let mut out = String::new();
        for words in words::split(line) {
            let text = self.command(talk, &words).await.unwrap_or_else(|refusal| refusal);
            out.push_str(&text);
            if !text.is_empty() && !text.ends_with('\n') {
                out.push('\n');
            }
            if talk.ends {
                break;
            }
            out.push('\n');
        }
        if talk.prompt && !talk.ends {
            out.push_str("> ");
        }
        out
    }

    async fn command(&self, talk: &mut Talk, words: &[String]) -> Answer {
        if words.is_empty() && talk.prompt {
            return Ok(String::new());
        }
        let Some((command, rest)) = words::find(words) else {
            return Err(words::unknown(words, talk.level));
        };
        // Maxima are an operator's to reset, all counters an admin's.
        let wants_all = command.verb == Verb::ClearCounters && !rest.is_empty();
        let level = if wants_all { Role::Admin } else { command.level };
        if level > talk.level {
            return Err("Permission denied".to_owned());
        }
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        match command.verb {
            Verb::Help => {
                let lines = words::help(&words[1..], talk.level);
                Ok(format!("The following commands are valid at this level:\n{lines}"))
            }
            Verb::Prompt
            | Verb::Quit
            | Verb::LevelUser
            | Verb::LevelOperator
            | Verb::SetTimeout => manners(talk, command.verb, &rest),
            Verb::ShowLevel => Ok(level_word(talk.level).to_owned()),
            verb => match self.show(verb, &rest) {
                Some(answer) => answer,
                None => change::carry_out(self, verb, &rest).await,
            },
        }
    }

    /// `None`: the verb is no question.
    fn show(&self, verb: Verb, rest: &[&str]) -> Option<Answer> {
        let snapshot = || Snapshot::take(&self.handle);
        Some(match verb {
            Verb::ShowInfo => {
                let items = self.watch.with(|watch| info::items(&snapshot(), watch, &self.host));
                Ok(match rest.first() {
                    Some(&"typed") => info::typed(&items),
                    Some(&"json") => info::json(&items),
                    _ => info::plain(&items),
                })
            }
            Verb::ShowStat => Ok(self.statistics(rest)),
            Verb::ShowBackend => Ok(listing::backends(&snapshot())),
            Verb::ShowServersState => some_backends(&snapshot(), rest, listing::server_states),
            Verb::ShowServersConn => some_backends(&snapshot(), rest, listing::server_connections),
            Verb::ShowSess => self.sessions(rest),
            Verb::ShowTable => self.tables(rest),
            Verb::ShowErrors => Ok(self.endings()),
            Verb::ShowEvents => Ok(self.events()),
            Verb::ShowVersion => Ok(env!("CARGO_PKG_VERSION").to_owned()),
            Verb::ShowEnv => Ok(environment(rest.first().copied())),
            Verb::ShowActivity => Ok(self.activity()),
            _ => return None,
        })
    }

    /// `show stat [IID TYPE SID] [typed|json] [up|no-maint]`, where a proxy's name may stand for its number.
    fn statistics(&self, rest: &[&str]) -> String {
        let snapshot = Snapshot::take(&self.handle);
        let mut wanted = Wanted::default();
        let mut rest = rest;
        let is_option = |word: &str| matches!(word, "typed" | "json" | "up" | "no-maint" | "desc");
        if let [iid, kinds, sid, others @ ..] = rest
            && !is_option(iid)
        {
            let number = |word: &str| word.parse::<i64>().unwrap_or(0);
            let named = proxies(&snapshot).into_iter().find(|proxy| proxy.name() == *iid);
            wanted.iid = named.map_or_else(|| number(iid), |proxy| proxy.iid.into());
            wanted.kinds = number(kinds);
            wanted.sid = number(sid);
            rest = others;
        }
        if rest.contains(&"up") {
            wanted.only = Only::Up;
        } else if rest.contains(&"no-maint") {
            wanted.only = Only::NoMaint;
        }
        let rows = self.watch.with(|watch| stat::rows(&snapshot, watch, &wanted));
        if rest.contains(&"json") {
            stat::json(&rows)
        } else if rest.contains(&"typed") {
            stat::typed(&rows)
        } else {
            stat::csv(&rows)
        }
    }

    fn sessions(&self, rest: &[&str]) -> Answer {
        let snapshot = Snapshot::take(&self.handle);
        let (found, _) = self.handle.connections(&ConnectionFilter::default(), SESSIONS_MAX);
        match rest.first() {
            None => Ok(listing::sessions(&snapshot, &found, false)),
            Some(&"all") => Ok(listing::sessions(&snapshot, &found, true)),
            Some(id) => {
                let id = change::number_of(id);
                let one = found.into_iter().find(|connection| Some(connection.id) == id);
                let one = one.ok_or("Session not found.")?;
                Ok(listing::sessions(&snapshot, &[one], true))
            }
        }
    }

    /// Names only without a name, entries with one.
    fn tables(&self, rest: &[&str]) -> Answer {
        let snapshot = Snapshot::take(&self.handle);
        let kept = |server: &&VirtualView| server.persistence_entries.is_some();
        let mut out = String::new();
        match rest.first() {
            None => {
                for server in snapshot.virtuals.iter().filter(kept) {
                    let used = server.persistence_entries.unwrap_or(0);
                    out.push_str(&listing::table_head(&server.name, used));
                }
            }
            Some(name) => {
                let mut servers = snapshot.virtuals.iter().filter(kept);
                let server = servers.find(|server| server.name == *name).ok_or("No such table")?;
                let found = self.handle.persistence(&server.name, ENTRIES_MAX);
                let (entries, _) = found.map_err(|error| error.to_string())?;
                let pool = snapshot.pools.iter().find(|pool| pool.name == server.pool);
                let used = server.persistence_entries.unwrap_or(0);
                out.push_str(&listing::table_head(&server.name, used));
                out.push_str(&listing::table_entries(pool, &entries));
            }
        }
        Ok(out)
    }

    fn endings(&self) -> String {
        let endings = self.handle.endings(HAPPENED_MAX);
        let mut out = format!("Total events captured : {}\n", endings.len());
        for ending in endings {
            let member = ending.member.as_deref().unwrap_or("<none>");
            let _ = writeln!(
                out,
                "[{}] {:#x}: {} src={} fe={} be={} srv={member} in={} out={}: {}",
                ending.at,
                ending.id,
                ending.end_state,
                ending.client,
                ending.virtual_server,
                ending.pool,
                ending.bytes_in,
                ending.bytes_out,
                ending.reason,
            );
        }
        out
    }

    fn events(&self) -> String {
        let mut out = String::new();
        for event in self.handle.events(0, HAPPENED_MAX) {
            let (at, kind, who) = (event.at, event.kind.word(), event.who);
            let _ = writeln!(out, "[{at}] {kind} {} by {who}: {}", event.subject, event.text);
        }
        out
    }

    fn activity(&self) -> String {
        let status = self.handle.status();
        let mut out = String::new();
        let mut line = |name: &str, value: u64| _ = writeln!(out, "{name}: {value}");
        line("threads", status.worker_threads as u64);
        line("date_now", u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0));
        line("accepted", status.connections.total_ever);
        line("connections", status.connections.open.into());
        line("descriptors", status.descriptors_open);
        line("unreadable_messages", status.unreadable_messages);
        line("handle_searches", status.handle_searches);
        out
    }
}

/// What concerns the connection to the socket alone.
fn manners(talk: &mut Talk, verb: Verb, rest: &[&str]) -> Answer {
    match verb {
        Verb::Prompt => talk.prompt = !talk.prompt,
        Verb::Quit => talk.ends = true,
        Verb::LevelUser => talk.level = Role::Viewer,
        Verb::LevelOperator => talk.level = talk.level.min(Role::Operator),
        _ => match rest {
            ["cli", seconds] => {
                let seconds = seconds.parse().map_err(|_| "Invalid timeout value.")?;
                talk.idle = Duration::from_secs(seconds).clamp(Duration::from_secs(1), TIMEOUT_MAX);
            }
            ["cli"] => return Err("Missing timeout value.".to_owned()),
            _ => return Err("'set timeout' only supports 'cli'.".to_owned()),
        },
    }
    Ok(String::new())
}

fn level_word(level: Role) -> &'static str {
    match level {
        Role::Viewer => "user",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

type List = fn(&Snapshot, &listing::Backends<'_>) -> String;

fn some_backends(snapshot: &Snapshot, rest: &[&str], list: List) -> Answer {
    let Some(name) = rest.first() else {
        return Ok(list(snapshot, &listing::all_backends(snapshot)));
    };
    let proxy = find_backend(snapshot, name);
    let found = proxy.and_then(|proxy| Some((proxy, proxy.backend?)));
    Ok(list(snapshot, &[found.ok_or("Can't find backend.")?]))
}

/// Names, never values: passwords of `{ env = … }` are among them.
fn environment(wanted: Option<&str>) -> String {
    let mut names: Vec<String> =
        std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names.retain(|name| wanted.is_none_or(|wanted| wanted == name));
    if names.is_empty() && wanted.is_some() {
        return "Variable not found".to_owned();
    }
    names.iter().fold(String::new(), |out, name| out + name + "=***\n")
}
