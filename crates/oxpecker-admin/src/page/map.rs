//! The network map: virtual server, pool, members, drawn as a tree whose lines are the way of a new
//! client. A nested list for who does not see it.

use maud::{Markup, html};
use oxpecker_api::{AdminState, Health, Map, MapPool, MapVirtual, Member};

use super::frame::{Frame, nothing, search};
use super::needs::{is_drained, member_path};
use super::words::{self, State};

pub(super) fn render(frame: &Frame<'_>, map: &Map) -> Markup {
    let shown: Vec<_> = map.virtuals.iter().filter(|v| finds(frame, v)).collect();
    html! {
        div.bar { (search(frame, "Find a virtual server, pool or member")) }
        @if shown.is_empty() {
            (nothing(if map.virtuals.is_empty() {
                "No virtual server is configured."
            } else {
                "Nothing on the map has this in its name."
            }))
        } @else {
            div.map-head aria-hidden="true" {
                span { "virtual server" } span { "pool" } span { "member" }
            }
            ul.map {
                @for virtual_server in shown { (virtual_card(frame, virtual_server)) }
            }
        }
        (legend())
    }
}

/// A match anywhere shows the whole way of a client: a member without its pool tells nothing.
fn finds(frame: &Frame<'_>, found: &MapVirtual) -> bool {
    let own = frame.asked.finds(&[&found.name]);
    own || found.pools.iter().any(|pool| {
        let member = |member: &Member| frame.asked.finds(&[&member.name]);
        frame.asked.finds(&[&pool.name]) || pool.members.iter().any(member)
    })
}

fn virtual_card(frame: &Frame<'_>, shown: &MapVirtual) -> Markup {
    let state = State::of_health(shown.health);
    html! {
        li.vs data-key=(shown.name) {
            div class={ "card " (state.class) } {
                h2 { (shown.name) }
                p.listen { (shown.listen.join(", ")) }
                p { (state_mark(state)) " " (serving(state)) }
                p.amount { b { (words::count(shown.connections.into())) } " "
                    (if shown.connections == 1 { "connection" } else { "connections" }) }
            }
            ul.pools {
                @for pool in &shown.pools { (pool_card(frame, pool)) }
            }
        }
    }
}

/// Whether a client that comes now is served.
fn serving(state: State) -> &'static str {
    match state.class {
        "ok" => "takes new clients",
        "bad" => "refuses new clients",
        _ => state.word,
    }
}

fn pool_card(frame: &Frame<'_>, pool: &MapPool) -> Markup {
    let state = State::of_health(pool.health);
    let usable = pool.members.iter().filter(|member| member.usable).count();
    let most = pool.members.iter().map(|member| member.connections.current).max().unwrap_or(0);
    // Shares that are equal are no news.
    let uneven = pool.members.iter().any(|member| member.weight != pool.members[0].weight);
    html! {
        li.pool data-key=(pool.name) {
            div class={ "card " (state.class) } {
                h3 { (pool.name) }
                p { (state_mark(state)) " " b { (usable) } " of " (pool.members.len()) " usable" }
            }
            ul.members {
                @for member in &pool.members {
                    @let others = usable - usize::from(member.usable);
                    (member_row(frame, member, others, (most, uneven)))
                }
            }
        }
    }
}

/// `most`: the connections of the pool's busiest member; `uneven`: weights differ.
fn member_row(
    frame: &Frame<'_>,
    member: &Member,
    others: usize,
    (most, uneven): (u32, bool),
) -> Markup {
    let state = State::of_member(member);
    let connections = member.connections.current;
    html! {
        li class={ "member " (state.class) } data-key=(member.name) {
            div.card {
                span.who {
                    (state_mark(state)) " "
                    a href=(member_path(member)) { (breakable(&member.name)) }
                }
                span.why {
                    b { (state.word) } " " (why(member))
                    @if uneven && member.weight > 0 { ", weight " (member.weight) }
                }
                span.load title="open connections" {
                    (load_bar(connections, member.connections_max.unwrap_or(most).max(most)))
                    b { (words::count(connections.into())) }
                    span.unit { @if connections == 1 { " connection" } @else { " connections" } }
                }
                (actions(frame, member, others))
            }
        }
    }
}

/// The reason of a state, in words.
pub(super) fn why(member: &Member) -> String {
    let lasts = words::age(member.health_for_seconds);
    let health = words::health_word(member.health);
    let reason = &member.reason;
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    match member.admin_state {
        AdminState::Enabled if member.weight == 0 => {
            format!("for {lasts}, weight 0: no new clients{because}")
        }
        AdminState::Enabled if member.health == Health::Up => format!("for {lasts}"),
        AdminState::Enabled => format!("for {lasts}{because}"),
        AdminState::Draining if is_drained(member) => format!("({health}): nothing is left"),
        AdminState::Draining => format!("({health}): {} left", left(member)),
        AdminState::Disabled => format!("({health}): by an operator"),
    }
}

fn left(member: &Member) -> String {
    let connections = words::plural(member.connections.current.into(), "connection");
    match member.operations {
        0 => connections,
        operations => format!("{connections}, {}", words::plural(operations.into(), "operation")),
    }
}

/// Long names break where their parts end.
fn breakable(name: &str) -> Markup {
    html! {
        @for part in name.split_inclusive('.') {
            @match part.rsplit_once(':') {
                Some((host, port)) => { (host) wbr; ":" (port) }
                None => { (part) wbr; }
            }
        }
    }
}

fn state_mark(state: State) -> Markup {
    html! { span class={ "mark " (state.class) } aria-hidden="true" { (state.mark) } }
}

/// An inline drawing, since the page allows itself no style of elements.
fn load_bar(now: u32, full: u32) -> Markup {
    let width = if full == 0 { 0.0 } else { f64::from(now) / f64::from(full) * 60.0 };
    html! {
        svg.bar width="60" height="6" viewBox="0 0 60 6" aria-hidden="true" {
            rect.full width="60" height="6" rx="1" {}
            rect.now width=(format!("{width:.1}")) height="6" rx="1" {}
        }
    }
}

/// Buttons that ask before they do something; `others`: members of the pool that would remain.
pub(super) fn actions(frame: &Frame<'_>, member: &Member, others: usize) -> Markup {
    let name = format!("{} in {}", member.name, member.pool);
    let button = |act: &str, label: &str| {
        html! {
            button.act type="button" data-act=(act) data-key=(act) data-pool=(member.pool)
                data-member=(member.name) data-others=(others) data-weight=(member.weight)
                aria-label=(format!("{label} {name}")) { (label) }
        }
    };
    html! {
        @if frame.may_operate() {
            span.acts {
                @if member.admin_state != AdminState::Enabled { (button("enable", "Enable")) }
                @if member.admin_state != AdminState::Draining { (button("drain", "Drain")) }
                @if member.admin_state != AdminState::Disabled { (button("disable", "Disable")) }
                (button("weight", "Weight"))
            }
        }
    }
}

fn legend() -> Markup {
    html! {
        dl.legend aria-label="What the marks mean" {
            @for (class, mark, word, text) in [
                ("ok", "●", "up", "takes new clients"),
                ("bad", "✕", "down", "probes or connects failed"),
                ("hold", "◐", "draining", "nothing new, what runs may finish"),
                ("hold", "◑", "shutting down", "the coordinator says so itself"),
                ("off", "○", "disabled", "an operator took it out"),
                ("unknown", "?", "unknown", "not probed yet, or no monitor"),
            ] {
                div {
                    dt { span class={ "mark " (class) } aria-hidden="true" { (mark) } " " (word) }
                    dd { (text) }
                }
            }
        }
    }
}
