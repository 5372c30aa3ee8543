//! How the dashboard looks. Whatever the size, it draws what fits.

use oxpecker_api::{AdminState, Health, Member};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Table, TableState, Wrap};

use super::rates::{self, Rates};
use super::state::{Mode, State, probe_seconds};
use crate::ctl::screen::Tone;
use crate::ctl::words::{self, clean};
use crate::ctl::{find, map};

/// Virtual servers give way to members.
const VIRTUALS_SHARE: u16 = 3;

const HELP: &str = "\
up, down, j, k     choose a member (also PgUp, PgDn, Home, End)
d                  drain it: nothing new, what runs may finish
e                  enable it
x                  disable it: nothing new, not even clients that stick
s                  sort by the next column
r                  reverse the order
/                  show members with a text only; Esc shows all
q, Ctrl-C          quit

In/s and Out/s are bits. Rates are those since the last look.

Any key goes back.";

pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let virtuals = state.snapshot.virtuals.len() as u16 + 1;
    let most = (frame.area().height / VIRTUALS_SHARE).max(2);
    let [head, top, gap, middle, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(virtuals.min(most)),
        Constraint::Length(1),
        Constraint::Min(2),
        Constraint::Length(2),
    ])
    .areas(frame.area());
    draw_head(frame, head, state);
    draw_virtuals(frame, top, state);
    let _ = gap;
    draw_members(frame, middle, state);
    draw_foot(frame, foot, state);
    match &state.mode {
        Mode::Help => popup(frame, "Keys", HELP, state),
        Mode::Confirm(order) => {
            let text = question(state, &order.pool, &order.member, order.state);
            popup(frame, "Sure?", &text, state);
        }
        Mode::Normal | Mode::Filter(_) => {}
    }
}

fn style(state: &State, tone: Tone) -> Style {
    let style = Style::new();
    match tone {
        Tone::Plain => style,
        Tone::Strong => style.add_modifier(Modifier::BOLD),
        _ if !state.colours => style,
        Tone::Good => style.fg(Color::Green),
        Tone::Warn => style.fg(Color::Yellow),
        Tone::Bad => style.fg(Color::Red),
        Tone::Quiet => style.add_modifier(Modifier::DIM),
    }
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let status = &state.snapshot.status;
    let first = Line::from(vec![
        Span::styled(format!("Oxpecker {}", clean(&status.version)), style(state, Tone::Strong)),
        Span::raw(format!(
            "  {}  up {}  {} members, {} up{}",
            clean(&status.host),
            words::duration(status.uptime_seconds),
            status.members,
            status.members_up,
            if status.draining { "  DRAINING" } else { "" },
        )),
    ]);
    let second = match &state.away {
        Some((since, error)) => {
            let error = error.lines().next().unwrap_or_default();
            let for_long = words::duration(since.elapsed().as_secs_f64());
            Line::styled(format!("no news for {for_long}: {error}"), style(state, Tone::Bad))
        }
        None => {
            let all = state.virtual_rates.values().copied().fold(Rates::default(), |a, b| a + b);
            Line::raw(format!(
                "conns {} of {}  new/s {}  in/s {}  out/s {}  sessions {}  ops {}",
                status.connections.current,
                status.connections_max,
                rates::show(all.connections),
                rates::show(all.bits_in),
                rates::show(all.bits_out),
                status.sessions,
                status.operations_open,
            ))
        }
    };
    frame.render_widget(Paragraph::new(vec![first, second]), area);
}

fn header<'a>(state: &State, titles: impl IntoIterator<Item = (&'a str, bool)>) -> Row<'a> {
    let cells = titles.into_iter().map(|(title, right)| {
        if right { Cell::from(Line::raw(title).right_aligned()) } else { Cell::from(title) }
    });
    Row::new(cells).style(style(state, Tone::Quiet).add_modifier(Modifier::BOLD))
}

fn right(text: String) -> Cell<'static> {
    Cell::from(Line::raw(text).right_aligned())
}

fn draw_virtuals(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let rows = state.snapshot.virtuals.iter().map(|v| {
        let rates = state.virtual_rates.get(&v.name).copied().unwrap_or_default();
        Row::new([
            Cell::from(clean(&v.name)),
            Cell::from(clean(&v.listen.join(" "))),
            Cell::from(words::health(v.health)).style(style(state, map::tone(v.health))),
            right(words::of_limit(v.connections.current, v.connections_max)),
            right(rates::show(rates.connections)),
            right(rates::show(rates.bits_in)),
            right(rates::show(rates.bits_out)),
        ])
    });
    let widths = [
        Constraint::Fill(2),
        Constraint::Fill(3),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(7),
    ];
    let titles = [
        ("Virtual Server", false),
        ("Listens", false),
        ("Health", false),
        ("Conns", true),
        ("New/s", true),
        ("In/s", true),
        ("Out/s", true),
    ];
    frame.render_widget(Table::new(rows, widths).header(header(state, titles)), area);
}

fn draw_members(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let members = state.rows();
    let rows = members.iter().map(|member| member_row(state, member));
    let widths = [
        Constraint::Fill(1),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(7),
        Constraint::Length(4),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(7),
    ];
    let titles = [
        ("Member", false),
        ("State", false),
        ("Conns", true),
        ("New/s", true),
        ("Ops", true),
        ("In/s", true),
        ("Out/s", true),
        ("Probe", true),
    ];
    let table = Table::new(rows, widths)
        .header(header(state, titles))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .highlight_symbol("> ");
    let mut at = TableState::new().with_selected(state.selected(&members));
    frame.render_stateful_widget(table, area, &mut at);
}

fn member_row<'a>(state: &State, member: &Member) -> Row<'a> {
    let rates = state.rates_of(member);
    let (word, tone) = match (member.admin_state, member.health) {
        (AdminState::Enabled, health) => (words::health(health), map::tone(health)),
        (asked, Health::Down) => (words::admin_state(asked), Tone::Bad),
        (asked, _) => (words::admin_state(asked), Tone::Warn),
    };
    let probe = probe_seconds(member);
    Row::new([
        Cell::from(find::full_name(member)),
        Cell::from(word).style(style(state, tone)),
        right(words::of_limit(member.connections.current, member.connections_max)),
        right(rates::show(rates.connections)),
        right(member.operations.to_string()),
        right(rates::show(rates.bits_in)),
        right(rates::show(rates.bits_out)),
        right(words::duration(probe)),
    ])
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let order = if state.reversed { ", reversed" } else { "" };
    let shown =
        if state.filter.is_empty() { String::new() } else { format!(": {}", clean(&state.filter)) };
    let first = match &state.mode {
        Mode::Filter(_) => Line::raw(format!(
            "show members with: {}_   Enter keeps, Esc undoes",
            clean(&state.filter)
        )),
        _ if !state.message.is_empty() => {
            Line::styled(clean(&state.message), style(state, Tone::Strong))
        }
        _ => Line::raw(reason(state)),
    };
    let second = format!(
        "s sort: {}{order}  / filter{shown}  d drain  e enable  x disable  ? help  q quit",
        state.sort.word()
    );
    let second = Line::styled(second, style(state, Tone::Quiet));
    frame.render_widget(Paragraph::new(vec![first, second]), area);
}

/// Why the chosen member is as it is.
fn reason(state: &State) -> String {
    let rows = state.rows();
    match state.selected(&rows) {
        Some(at) if !rows[at].reason.is_empty() => {
            format!("{}: {}", find::full_name(rows[at]), clean(&rows[at].reason))
        }
        _ => String::new(),
    }
}

fn question(state: &State, pool: &str, member: &str, to: AdminState) -> String {
    let verb = match to {
        AdminState::Enabled => "Enable",
        AdminState::Draining => "Drain",
        AdminState::Disabled => "Disable",
    };
    let known = state.snapshot.members.iter().find(|m| m.pool == pool && m.name == member);
    let has = known.map_or_else(String::new, |known| {
        format!(
            "It has {} and {}.\n",
            words::count(known.connections.current.into(), "connection"),
            words::count(known.operations.into(), "operation")
        )
    });
    format!("{verb} {}?\n{has}\ny yes   n no", clean(&format!("{pool}/{member}")))
}

fn popup(frame: &mut Frame<'_>, title: &str, text: &str, state: &State) {
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0) as u16;
    let area = frame.area();
    let width = (widest + 4).min(area.width);
    let height = (text.lines().count() as u16 + 2).min(area.height);
    let centred = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, centred);
    let block = Block::bordered().title(title).style(style(state, Tone::Plain));
    let paragraph =
        Paragraph::new(text).block(block.padding(ratatui::widgets::Padding::horizontal(1)));
    frame.render_widget(paragraph.wrap(Wrap { trim: false }), centred);
}

#[cfg(test)]
mod tests;
