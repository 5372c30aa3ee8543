//! `oxpecker map`: virtual server, pool, members, as a tree. Colours only repeat the words.

use std::fmt::Write;

use oxpecker_api::{AdminState, Health, Map, MapPool, MapVirtual, Member};

use super::screen::{Screen, Tone};
use super::words::{self, clean};

pub(super) fn render(map: &Map, screen: Screen) -> String {
    let mut out = String::new();
    if map.virtuals.is_empty() {
        out.push_str("no virtual server\n");
    }
    for (at, virtual_server) in map.virtuals.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        draw(&mut out, virtual_server, screen);
    }
    out
}

fn draw(out: &mut String, virtual_server: &MapVirtual, screen: Screen) {
    let name = clean(&virtual_server.name);
    let _ = writeln!(
        out,
        "{} {}  {}  {}  {}",
        mark(virtual_server.health, screen),
        screen.paint(&name, Tone::Strong),
        clean(&virtual_server.listen.join(" ")),
        health(virtual_server.health, screen),
        words::count(virtual_server.connections.into(), "connection")
    );
    for (at, pool) in virtual_server.pools.iter().enumerate() {
        draw_pool(out, pool, at + 1 == virtual_server.pools.len(), screen);
    }
}

fn draw_pool(out: &mut String, pool: &MapPool, is_last: bool, screen: Screen) {
    let (branch, trunk) = if is_last { ("└─", "  ") } else { ("├─", "│ ") };
    let _ = writeln!(
        out,
        "{branch} {} {}  {}",
        mark(pool.health, screen),
        screen.paint(&clean(&pool.name), Tone::Strong),
        health(pool.health, screen)
    );
    let name = pool.members.iter().map(|member| clean(&member.name).chars().count()).max();
    let name = name.unwrap_or(0);
    for (at, member) in pool.members.iter().enumerate() {
        let branch = if at + 1 == pool.members.len() { "└─" } else { "├─" };
        let _ = write!(
            out,
            "{trunk} {branch} {} {:<name$}  {}  {}  {}",
            mark_of(member, screen),
            clean(&member.name),
            screen.paint(&format!("{:<9}", words::health(member.health)), tone(member.health)),
            state(member, screen),
            words::count(member.connections.current.into(), "connection")
        );
        if !member.reason.is_empty() && member.health != Health::Up {
            let reason = clean(&member.reason);
            let under = if at + 1 == pool.members.len() { "     " } else { "│    " };
            let _ = write!(out, "\n{trunk} {under} {}", screen.paint(&reason, Tone::Quiet));
        }
        out.push('\n');
    }
}

fn state(member: &Member, screen: Screen) -> String {
    let tone = match member.admin_state {
        AdminState::Enabled => Tone::Plain,
        AdminState::Draining | AdminState::Disabled => Tone::Warn,
    };
    screen.paint(&format!("{:<8}", words::admin_state(member.admin_state)), tone)
}

pub(super) fn tone(health: Health) -> Tone {
    match health {
        Health::Up => Tone::Good,
        Health::Down => Tone::Bad,
        Health::Unknown => Tone::Quiet,
        Health::Quiescing => Tone::Warn,
    }
}

fn health(health: Health, screen: Screen) -> String {
    screen.paint(words::health(health), tone(health))
}

fn mark(health: Health, screen: Screen) -> String {
    let mark = match health {
        Health::Up => "●",
        Health::Down => "✗",
        Health::Unknown => "○",
        Health::Quiescing => "◐",
    };
    screen.paint(mark, tone(health))
}

/// Of a member that an operator took out, the admin state is what matters.
fn mark_of(member: &Member, screen: Screen) -> String {
    match member.admin_state {
        AdminState::Enabled => mark(member.health, screen),
        AdminState::Draining => screen.paint("◐", Tone::Warn),
        AdminState::Disabled => screen.paint("■", Tone::Warn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::samples;

    #[test]
    fn a_tree_of_words() {
        let mut down = samples::member("hs2", "coord-2", 21050);
        down.health = Health::Down;
        down.reason = "failed to connect: Connection refused".into();
        down.admin_state = AdminState::Draining;
        let mut up = samples::member("hs2", "coord-1", 21050);
        up.connections.current = 2;
        let pool = |name: &str, members| MapPool { name: name.into(), health: Health::Up, members };
        let map = Map {
            virtuals: vec![MapVirtual {
                name: "hue".into(),
                listen: vec!["0.0.0.0:21051".into()],
                health: Health::Up,
                connections: 2,
                pools: vec![pool("hs2", vec![up, down]), pool("empty", Vec::new())],
            }],
        };
        let drawn = render(&map, Screen { width: Some(80), colours: false });
        let expected = "\
● hue  0.0.0.0:21051  up  2 connections
├─ ● hs2  up
│  ├─ ● coord-1:21050  up         enabled   2 connections
│  └─ ◐ coord-2:21050  down       draining  no connections
│        failed to connect: Connection refused
└─ ● empty  up
";
        assert_eq!(
            drawn.lines().map(str::trim_end).collect::<Vec<_>>(),
            expected.lines().collect::<Vec<_>>()
        );
        assert!(render(&map, Screen { width: None, colours: true }).contains("\x1b[31mdown"));
    }
}
