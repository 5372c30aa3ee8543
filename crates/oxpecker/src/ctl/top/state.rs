//! What the dashboard knows and how keys change it; without a terminal.

use std::collections::HashMap;
use std::time::Instant;

use oxpecker_api::{AdminState, Health, Member};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::poll::{Order, Report, Snapshot};
use super::rates::Rates;
use crate::ctl::find;

/// Of a filter; longer is no name.
const FILTER_CHARS_MAX: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Name,
    Health,
    Connections,
    Opened,
    Operations,
    In,
    Out,
    Probe,
}

impl Sort {
    const ALL: [Self; 8] = [
        Self::Name,
        Self::Health,
        Self::Connections,
        Self::Opened,
        Self::Operations,
        Self::In,
        Self::Out,
        Self::Probe,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Health => "health",
            Self::Connections => "connections",
            Self::Opened => "new/s",
            Self::Operations => "operations",
            Self::In => "in/s",
            Self::Out => "out/s",
            Self::Probe => "probe",
        }
    }

    fn next(self) -> Self {
        let at = Self::ALL.iter().position(|&sort| sort == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mode {
    Normal,
    /// The filter is being typed; what it was before.
    Filter(String),
    Confirm(Order),
    Help,
}

#[derive(Debug, PartialEq)]
pub(super) enum Effect {
    Quit,
    Order(Order),
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) snapshot: Snapshot,
    pub(super) rates: HashMap<String, Rates>,
    pub(super) virtual_rates: HashMap<String, Rates>,
    pub(super) colours: bool,
    pub(super) sort: Sort,
    pub(super) reversed: bool,
    pub(super) filter: String,
    pub(super) mode: Mode,
    /// Since when the gateway does not answer, and why.
    pub(super) away: Option<(Instant, String)>,
    /// What happened last.
    pub(super) message: String,
    /// Full name, so that it stays where it is while rows move.
    selected: Option<String>,
}

impl State {
    pub(super) fn new(snapshot: Snapshot, colours: bool) -> Self {
        Self {
            snapshot,
            rates: HashMap::new(),
            virtual_rates: HashMap::new(),
            colours,
            sort: Sort::Name,
            reversed: false,
            filter: String::new(),
            mode: Mode::Normal,
            away: None,
            message: String::new(),
            selected: None,
        }
    }

    fn say(&mut self, text: &str) {
        text.clone_into(&mut self.message);
    }

    /// An order was passed on, or there are too many that wait.
    pub(super) fn ordered(&mut self, taken: bool) {
        self.say(if taken {
            "asked"
        } else {
            "the gateway is still busy with what was asked before"
        });
    }

    pub(super) fn report(&mut self, report: Report) {
        match report {
            Report::Said(text) => self.message = text,
            Report::Away(error) => {
                let since = self.away.take().map_or_else(Instant::now, |(since, _)| since);
                self.away = Some((since, error));
            }
            Report::Looked(snapshot) => {
                self.away = None;
                self.measure(&snapshot);
                self.snapshot = *snapshot;
            }
        }
    }

    fn measure(&mut self, new: &Snapshot) {
        let old = &self.snapshot;
        let time = new.at.saturating_duration_since(old.at);
        let known: HashMap<_, _> =
            old.members.iter().map(|m| (find::full_name(m), (m.connections, m.traffic))).collect();
        self.rates = (new.members.iter())
            .filter_map(|member| {
                let name = find::full_name(member);
                let before = *known.get(&name)?;
                Some((name, Rates::between(before, (member.connections, member.traffic), time)))
            })
            .collect();
        let known: HashMap<_, _> =
            old.virtuals.iter().map(|v| (v.name.as_str(), (v.connections, v.traffic))).collect();
        self.virtual_rates = (new.virtuals.iter())
            .filter_map(|v| {
                let before = *known.get(v.name.as_str())?;
                Some((v.name.clone(), Rates::between(before, (v.connections, v.traffic), time)))
            })
            .collect();
    }

    pub(super) fn rates_of(&self, member: &Member) -> Rates {
        self.rates.get(&find::full_name(member)).copied().unwrap_or_default()
    }

    /// Members as they are shown: filtered and sorted.
    pub(super) fn rows(&self) -> Vec<&Member> {
        let filter = self.filter.to_lowercase();
        let wanted = |member: &&Member| find::full_name(member).to_lowercase().contains(&filter);
        let mut rows: Vec<&Member> = self.snapshot.members.iter().filter(wanted).collect();
        rows.sort_by(|a, b| {
            let (x, y) = (self.rates_of(a), self.rates_of(b));
            // The most first, except by name.
            let order = match self.sort {
                Sort::Name => std::cmp::Ordering::Equal,
                Sort::Health => trouble(b).cmp(&trouble(a)),
                Sort::Connections => b.connections.current.cmp(&a.connections.current),
                Sort::Opened => y.connections.total_cmp(&x.connections),
                Sort::Operations => b.operations.cmp(&a.operations),
                Sort::In => y.bits_in.total_cmp(&x.bits_in),
                Sort::Out => y.bits_out.total_cmp(&x.bits_out),
                Sort::Probe => probe_seconds(b).total_cmp(&probe_seconds(a)),
            };
            order.then_with(|| find::full_name(a).cmp(&find::full_name(b)))
        });
        if self.reversed {
            rows.reverse();
        }
        rows
    }

    /// Which of the rows the cursor is on.
    pub(super) fn selected(&self, rows: &[&Member]) -> Option<usize> {
        let selected = self.selected.as_ref();
        let at = rows.iter().position(|row| Some(&find::full_name(row)) == selected);
        at.or(if rows.is_empty() { None } else { Some(0) })
    }

    pub(super) fn key(&mut self, key: KeyEvent) -> Option<Effect> {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Some(Effect::Quit);
        }
        match std::mem::replace(&mut self.mode, Mode::Normal) {
            Mode::Normal => return self.normal_key(key.code),
            Mode::Help => {}
            Mode::Confirm(order) => match key.code {
                KeyCode::Char('y' | 'Y') => return Some(Effect::Order(order)),
                KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => self.say("nothing was changed"),
                _ => self.mode = Mode::Confirm(order),
            },
            Mode::Filter(before) => self.filter_key(key.code, before),
        }
        None
    }

    fn filter_key(&mut self, key: KeyCode, before: String) {
        match key {
            KeyCode::Enter => return,
            KeyCode::Esc => {
                self.filter = before;
                return;
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(c) if self.filter.chars().count() < FILTER_CHARS_MAX => {
                self.filter.push(c);
            }
            _ => {}
        }
        self.mode = Mode::Filter(before);
    }

    fn normal_key(&mut self, key: KeyCode) -> Option<Effect> {
        self.message.clear();
        match key {
            KeyCode::Char('q') => return Some(Effect::Quit),
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.mode = Mode::Help,
            KeyCode::Char('/' | 'f') => self.mode = Mode::Filter(self.filter.clone()),
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('r') => self.reversed = !self.reversed,
            KeyCode::Char('d') => self.ask(AdminState::Draining),
            KeyCode::Char('e') => self.ask(AdminState::Enabled),
            KeyCode::Char('x') => self.ask(AdminState::Disabled),
            KeyCode::Down | KeyCode::Char('j') => self.go(1),
            KeyCode::Up | KeyCode::Char('k') => self.go(-1),
            KeyCode::PageDown => self.go(10),
            KeyCode::PageUp => self.go(-10),
            KeyCode::Home => self.go(isize::MIN),
            KeyCode::End => self.go(isize::MAX),
            _ => {}
        }
        None
    }

    fn go(&mut self, by: isize) {
        let rows = self.rows();
        let Some(at) = self.selected(&rows) else { return };
        let to = at.saturating_add_signed(by).min(rows.len() - 1);
        self.selected = Some(find::full_name(rows[to]));
    }

    fn ask(&mut self, state: AdminState) {
        let rows = self.rows();
        let Some(at) = self.selected(&rows) else { return };
        let member = rows[at];
        if member.admin_state == state {
            let text = format!(
                "{} is {} already",
                find::full_name(member),
                crate::ctl::words::admin_state(state)
            );
            self.message = text;
            return;
        }
        let order = Order { pool: member.pool.clone(), member: member.name.clone(), state };
        // The cursor must not move to another member while the question is open.
        self.selected = Some(find::full_name(member));
        self.mode = Mode::Confirm(order);
    }
}

/// What wants attention first.
fn trouble(member: &Member) -> u8 {
    match (member.health, member.admin_state) {
        (Health::Down, AdminState::Enabled) => 4,
        (Health::Quiescing, _) => 3,
        (Health::Down, _) => 2,
        (_, AdminState::Draining | AdminState::Disabled) => 1,
        (Health::Unknown | Health::Up, AdminState::Enabled) => 0,
    }
}

pub(super) fn probe_seconds(member: &Member) -> f64 {
    member.probe.as_ref().and_then(|probe| probe.last_seconds).unwrap_or(-1.0)
}

#[cfg(test)]
mod tests;
