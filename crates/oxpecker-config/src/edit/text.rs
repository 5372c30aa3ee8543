//! Changes as text: written for people, read back with every problem under their finger.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::{Edit, member_name, new_member, parse_host};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::{AdminState, Host, Member, Node};
use crate::show::quoted;
use crate::text::File;

const HEAD: &str = "\
# Changes made at run time, applied over the configuration files at start and reload.
# Written by Oxpecker when an operator saves. To undo a change, delete its table here while
# Oxpecker does not run; to undo all, delete this file. A change gives way when the files
# give another value than `was`.
";

/// All changes; never fails and never holds a secret.
pub fn write(edits: &[Edit]) -> String {
    let mut text = HEAD.to_owned();
    for edit in edits {
        text.push_str("\n[[change]]\n");
        for (key, value) in fields(edit) {
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    text
}

fn fields(edit: &Edit) -> Vec<(&'static str, String)> {
    let on = |pool: &str, member: &str| vec![("pool", quoted(pool)), ("member", quoted(member))];
    let with = |what: &str, mut rest: Vec<(&'static str, String)>| {
        rest.insert(0, ("do", quoted(what)));
        rest
    };
    let set = |what: &str, mut of: Vec<(&'static str, String)>, to: String, was: String| {
        of.extend([("to", to), ("was", was)]);
        with(what, of)
    };
    match edit {
        Edit::AddNode(Node { name, description, address }) => {
            let mut rest = vec![("node", quoted(name)), ("address", quoted(&host(address)))];
            if !description.is_empty() {
                rest.push(("description", quoted(description)));
            }
            with("add-node", rest)
        }
        Edit::RemoveNode { node } => with("remove-node", vec![("node", quoted(node))]),
        Edit::SetAddress { node, address, was } => {
            let of = vec![("node", quoted(node))];
            set("set-address", of, quoted(&host(address)), quoted(&host(was)))
        }
        Edit::AddMember { pool, node, member } => {
            let mut rest = on(pool, &member_name(node, member.port));
            rest.push(("weight", member.weight.to_string()));
            rest.push(("priority", member.priority.to_string()));
            rest.extend(member.connections_max.map(|max| ("connections_max", max.to_string())));
            rest.push(("state", quoted(state(member.state))));
            with("add-member", rest)
        }
        Edit::RemoveMember { pool, member } => with("remove-member", on(pool, member)),
        Edit::SetWeight { pool, member, weight, was } => {
            set("set-weight", on(pool, member), weight.to_string(), was.to_string())
        }
        Edit::SetState { pool, member, state: to, was } => {
            set("set-state", on(pool, member), quoted(state(*to)), quoted(state(*was)))
        }
        Edit::SetMemberLimit { pool, member, limit: to, was } => {
            set("set-connections-max", on(pool, member), limit(*to), limit(*was))
        }
        Edit::SetVirtualLimit { virtual_server, limit: to, was } => {
            let of = vec![("virtual", quoted(virtual_server))];
            set("set-connections-max", of, limit(*to), limit(*was))
        }
        Edit::SetProcessLimit { limit: to, was } => {
            set("set-connections-max", Vec::new(), limit(*to), limit(*was))
        }
    }
}

fn limit(limit: Option<u32>) -> String {
    limit.map_or_else(|| quoted(OFF), |limit| limit.to_string())
}

/// No limit.
const OFF: &str = "off";

pub(super) fn host(host: &Host) -> String {
    match host {
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.clone(),
    }
}

pub(super) fn state(state: AdminState) -> &'static str {
    match state {
        AdminState::Enabled => "enabled",
        AdminState::Draining => "draining",
        AdminState::Disabled => "disabled",
    }
}

/// Reads what [`write`] wrote and people changed. `name` is the file's, for diagnostics.
pub fn parse(name: &str, text: &str) -> Result<Vec<Edit>, Vec<Diagnostic>> {
    let file = File::new(name.to_owned(), text.to_owned());
    let (root, errors) = DeTable::parse_recoverable(file.text());
    let mut reader = Reader { file: &file, problems: Vec::new() };
    for error in errors {
        let at = error.span().unwrap_or(0..0);
        reader.problem(at, &format!("not valid TOML: {}", error.message()), None);
    }
    let mut edits = Vec::new();
    for (key, value) in root.get_ref() {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("change", DeValue::Array(all)) => {
                for change in all {
                    edits.extend(reader.change(change.span(), change.get_ref()));
                }
            }
            ("change", _) => {
                reader.problem(key.span(), "write the heading as [[change]]", None);
            }
            (other, _) => {
                let message = format!("unknown key `{other}`");
                reader.problem(key.span(), &message, Some("only [[change]] tables stand here"));
            }
        }
    }
    if reader.problems.is_empty() { Ok(edits) } else { Err(reader.problems) }
}

/// What a change may do, for whoever mistyped it.
const KINDS: &str = "one of: add-node, remove-node, set-address, add-member, remove-member, \
                     set-weight, set-state, set-connections-max";

struct Reader<'f> {
    file: &'f File,
    problems: Vec<Diagnostic>,
}

/// One `[[change]]`.
struct Change<'f, 'r, 't> {
    reader: &'r mut Reader<'f>,
    at: Range<usize>,
    table: &'t DeTable<'t>,
    read: Vec<&'static str>,
}

impl<'f> Reader<'f> {
    fn problem(&mut self, at: Range<usize>, message: &str, help: Option<&str>) {
        self.problems.push(self.file.problem(Severity::Error, at, message, help));
    }

    fn change<'t>(&mut self, at: Range<usize>, value: &'t DeValue<'t>) -> Option<Edit> {
        let DeValue::Table(table) = value else {
            self.problem(at, "a change is a table", Some("write the heading as [[change]]"));
            return None;
        };
        let mut change = Change { reader: self, at, table, read: Vec::new() };
        let edit = change.edit();
        change.refuse_rest();
        edit
    }
}

impl Change<'_, '_, '_> {
    fn edit(&mut self) -> Option<Edit> {
        let what = self.text("do")?;
        Some(match what.as_str() {
            "add-node" => {
                let (name, address) = (self.text("node"), self.host("address"));
                let description = self.optional("description", Self::text);
                Edit::AddNode(Node {
                    name: name?,
                    address: address?,
                    description: description?.unwrap_or_default(),
                })
            }
            "remove-node" => Edit::RemoveNode { node: self.text("node")? },
            "set-address" => {
                let (node, address, was) = (self.text("node"), self.host("to"), self.host("was"));
                Edit::SetAddress { node: node?, address: address?, was: was? }
            }
            "add-member" => self.add_member()?,
            "remove-member" => {
                let (pool, member) = self.member();
                Edit::RemoveMember { pool: pool?, member: member? }
            }
            "set-weight" => {
                let (pool, member) = self.member();
                let (weight, was) = (self.number("to"), self.number("was"));
                Edit::SetWeight { pool: pool?, member: member?, weight: weight?, was: was? }
            }
            "set-state" => {
                let (pool, member) = self.member();
                let (state, was) = (self.state("to"), self.state("was"));
                Edit::SetState { pool: pool?, member: member?, state: state?, was: was? }
            }
            "set-connections-max" => self.set_limit()?,
            other => {
                let at = self.span("do");
                let message = format!("`{other}` is nothing that a change can do");
                self.reader.problem(at, &message, Some(KINDS));
                // Its keys may be right.
                self.read.extend(ALL_KEYS);
                return None;
            }
        })
    }

    fn add_member(&mut self) -> Option<Edit> {
        let (pool, name) = self.member();
        let weight = self.optional("weight", Self::number);
        let priority = self.optional("priority", Self::number);
        let connections_max = self.optional("connections_max", Self::number);
        let state = self.optional("state", Self::state);
        let name = name?;
        let parts = name.rsplit_once(':').and_then(|(node, port)| Some((node, port.parse().ok()?)));
        let Some((node, port)) = parts else {
            let at = self.span("member");
            let message = format!("`{name}` is no member");
            self.reader.problem(at, &message, Some("write node:port, such as \"coord-1:21050\""));
            return None;
        };
        let new = new_member(port);
        let member = Member {
            weight: weight?.unwrap_or(new.weight),
            priority: priority?.unwrap_or(new.priority),
            connections_max: connections_max?,
            state: state?.unwrap_or(new.state),
            ..new
        };
        Some(Edit::AddMember { pool: pool?, node: node.to_owned(), member })
    }

    /// Of a member, a virtual server, or the process, by what is named.
    fn set_limit(&mut self) -> Option<Edit> {
        let (limit, was) = (self.limit("to"), self.limit("was"));
        if self.table.contains_key("virtual") {
            let virtual_server = self.text("virtual");
            let virtual_server = virtual_server?;
            return Some(Edit::SetVirtualLimit { virtual_server, limit: limit?, was: was? });
        }
        if self.table.contains_key("pool") || self.table.contains_key("member") {
            let (pool, member) = self.member();
            let (pool, member) = (pool?, member?);
            return Some(Edit::SetMemberLimit { pool, member, limit: limit?, was: was? });
        }
        Some(Edit::SetProcessLimit { limit: limit?, was: was? })
    }

    fn member(&mut self) -> (Option<String>, Option<String>) {
        (self.text("pool"), self.text("member"))
    }

    fn find(&mut self, key: &'static str) -> Option<&DeValue<'_>> {
        self.read.push(key);
        if !self.table.contains_key(key) {
            let message = format!("`{key}` is missing in this change");
            self.reader.problem(self.at.clone(), &message, None);
        }
        self.table.get(key).map(|value| value.get_ref())
    }

    /// `Some(None)`: it is not written.
    fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&mut Self, &'static str) -> Option<T>,
    ) -> Option<Option<T>> {
        if self.table.contains_key(key) { read(self, key).map(Some) } else { Some(None) }
    }

    fn text(&mut self, key: &'static str) -> Option<String> {
        match self.find(key)? {
            DeValue::String(text) => Some(text.clone().into_owned()),
            _ => self.bad(key, "must be a text in quotes"),
        }
    }

    fn number<T: TryFrom<u64>>(&mut self, key: &'static str) -> Option<T> {
        let number = match self.find(key)? {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        match number.and_then(|number| T::try_from(number).ok()) {
            Some(number) => Some(number),
            None => self.bad(key, "must be a count in range"),
        }
    }

    /// `None` inside for no limit.
    fn limit(&mut self, key: &'static str) -> Option<Option<u32>> {
        if matches!(self.table.get(key).map(|value| value.get_ref()), Some(DeValue::String(text)) if text == OFF)
        {
            self.read.push(key);
            return Some(None);
        }
        self.number(key).map(Some)
    }

    fn host(&mut self, key: &'static str) -> Option<Host> {
        let text = self.text(key)?;
        match parse_host(&text) {
            Ok(host) => Some(host),
            Err(_) => self.bad(key, "must be a name or an address"),
        }
    }

    fn state(&mut self, key: &'static str) -> Option<AdminState> {
        let text = self.text(key)?;
        let all = [AdminState::Enabled, AdminState::Draining, AdminState::Disabled];
        match all.into_iter().find(|known| state(*known) == text) {
            Some(state) => Some(state),
            None => self.bad(key, "must be \"enabled\", \"draining\" or \"disabled\""),
        }
    }

    fn bad<T>(&mut self, key: &'static str, must: &str) -> Option<T> {
        let at = self.span(key);
        self.reader.problem(at, &format!("`{key}` {must}"), None);
        None
    }

    fn span(&self, key: &str) -> Range<usize> {
        self.table.get(key).map_or_else(|| self.at.clone(), |value| value.span())
    }

    /// Reports keys that nobody asked for.
    fn refuse_rest(self) {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if !self.read.contains(&name) {
                self.reader.problem(key.span(), &format!("unknown key `{name}`"), None);
            }
        }
    }
}

const ALL_KEYS: [&str; 13] = [
    "do",
    "node",
    "address",
    "description",
    "pool",
    "member",
    "weight",
    "priority",
    "connections_max",
    "state",
    "to",
    "was",
    "virtual",
];
