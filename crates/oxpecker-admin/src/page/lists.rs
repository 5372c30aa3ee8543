//! Lists of what is open, what ended, and what happened: connections, endings, events, persistence.

use maud::{Markup, html};
use oxpecker_api::{Connection, Ending, Event, Listing, PersistenceEntry};

use super::frame::{Frame, more, nothing, search};
use super::sort::{self, Cell, Column};
use super::words;

pub(super) const CONNECTIONS: [Column<Connection>; 7] = [
    Column::text("client", "Client", |c| Cell::Text(c.client.clone())),
    Column::text("virtual", "Virtual server", |c| Cell::Text(c.virtual_server.clone())),
    Column::text("member", "Member", |c| {
        let member = c.member.as_ref();
        member.map_or(Cell::Nothing, |member| Cell::Text(format!("{} / {member}", c.pool)))
    }),
    Column::number("age", "Open for", |c| Cell::Number(c.age_seconds)),
    Column::number("idle", "Silent for", |c| c.idle_seconds.map_or(Cell::Nothing, Cell::Number)),
    Column::number("in", "In", |c| Cell::Number(c.bytes_in as f64)),
    Column::number("out", "Out", |c| Cell::Number(c.bytes_out as f64)),
];

pub(super) fn connections(frame: &Frame<'_>, list: &Listing<Connection>) -> Markup {
    html! {
        div.bar { (search(frame, "Find a client, virtual server, pool or member")) }
        (more(list.truncated, list.items.len()))
        @if list.items.is_empty() {
            (nothing(if frame.asked.search.is_empty() { "No connection is open." } else { "No open connection matches." }))
        } @else {
            div.wide tabindex="0" role="region" aria-label="Open connections" {
                table.stack {
                    thead {
                        tr {
                            (sort::heads(frame, &CONNECTIONS))
                            @if frame.may_operate() { td {} }
                        }
                    }
                    tbody { @for one in &list.items { (connection(frame, one)) } }
                }
            }
        }
    }
}

fn connection(frame: &Frame<'_>, one: &Connection) -> Markup {
    let member = one.member.as_deref();
    html! {
        tr data-key=(one.id) {
            th scope="row" { (one.client) }
            td data-label="to" { (one.virtual_server) }
            td { @match member { Some(member) => { (one.pool) " / " (member) } None => span.note { "waits in " (one.pool) } } }
            td.number data-label="open" { (words::age(one.age_seconds)) }
            td.number data-label="silent" { @match one.idle_seconds { Some(idle) => { (words::age(idle)) } None => { "-" } } }
            td.number data-label="in" { (words::bytes(one.bytes_in)) }
            td.number data-label="out" { (words::bytes(one.bytes_out)) }
            @if frame.may_operate() {
                td {
                    button.act type="button" data-act="kill-connection" data-id=(one.id)
                        data-name=(format!("of {} to {}", one.client, member.unwrap_or("no member yet")))
                        aria-label=(format!("End the connection of {}", one.client)) { "End" }
                }
            }
        }
    }
}

pub(super) fn endings(frame: &Frame<'_>, list: &Listing<Ending>) -> Markup {
    html! {
        div.bar { (search(frame, "Find a client, member or reason")) }
        @if list.items.is_empty() {
            (nothing("No connection that is still remembered ended otherwise than in order."))
        } @else {
            div.wide tabindex="0" role="region" aria-label="Connections that did not end in order" {
                table.stack {
                    thead {
                        tr {
                            th scope="col" { "At" } th scope="col" { "Why it ended" }
                            th scope="col" { "Client" } th scope="col" { "Virtual server" }
                            th scope="col" { "Member" } th.number scope="col" { "Lasted" }
                            th.number scope="col" { "In" } th.number scope="col" { "Out" }
                        }
                    }
                    tbody {
                        @for one in &list.items {
                            tr data-key=(one.id) {
                                td { (frame.time(&one.at)) }
                                th scope="row" { (one.reason) " " abbr.note title="HAProxy's two letters: who ended it, and in which phase" { (one.end_state) } }
                                td data-label="client" { (one.client) }
                                td data-label="to" { (one.virtual_server) }
                                td { (one.pool) " / " (one.member.as_deref().unwrap_or("none")) }
                                td.number data-label="lasted" { (words::duration(one.duration_seconds)) }
                                td.number data-label="in" { (words::bytes(one.bytes_in)) }
                                td.number data-label="out" { (words::bytes(one.bytes_out)) }
                            }
                        }
                    }
                }
            }
        }
        (more(list.truncated, list.items.len()))
    }
}

pub(super) fn events(frame: &Frame<'_>, list: &Listing<Event>) -> Markup {
    html! {
        div.bar { (search(frame, "Find a subject, person or text")) }
        @if list.items.is_empty() {
            (nothing("Nothing has happened that matches and is still remembered."))
        } @else {
            table.stack.events {
                thead {
                    tr {
                        th scope="col" { "At" } th scope="col" { "What" }
                        th scope="col" { "About" } th scope="col" { "By" }
                    }
                }
                tbody {
                    @for one in &list.items {
                        tr class=(urgency(&one.kind)) data-key=(one.id) {
                            td { (frame.time(&one.at)) }
                            td { (one.text) span.note { " " (one.kind) } }
                            td data-label="about" { (one.subject) }
                            td data-label="by" { (one.who) }
                        }
                    }
                }
            }
        }
        (more(list.truncated, list.items.len()))
    }
}

/// A failed reload is the one kind that always needs a person.
fn urgency(kind: &str) -> &'static str {
    if kind == "reload-failed" { "urgent" } else { "" }
}

pub(super) fn persistence(frame: &Frame<'_>, list: &Listing<PersistenceEntry>) -> Markup {
    html! {
        div.bar { (search(frame, "Find a client, virtual server or member")) }
        @if list.items.is_empty() {
            (nothing("No client is kept on a member by its address. Methods such as source-hash need no entries."))
        } @else {
            table.stack {
                thead {
                    tr {
                        th scope="col" { "Client" } th scope="col" { "Virtual server" }
                        th scope="col" { "Stays on" } th.number scope="col" { "Open connections" }
                        th.number scope="col" { "Last used" }
                        @if frame.may_operate() { td {} }
                    }
                }
                tbody {
                    @for one in &list.items {
                        tr data-key=(format!("{} {}", one.virtual_server, one.client)) {
                            th scope="row" { (one.client) }
                            td data-label="to" { (one.virtual_server) }
                            td data-label="stays on" { (one.member) }
                            td.number data-label="open" { (one.open) }
                            td.number data-label="last used" { (words::age(one.idle_seconds)) " ago" }
                            @if frame.may_operate() {
                                td {
                                    button.act type="button" data-act="forget" data-virtual=(one.virtual_server)
                                        data-client=(one.client)
                                        aria-label=(format!("Forget where {} goes", one.client)) { "Forget" }
                                }
                            }
                        }
                    }
                }
            }
        }
        (more(list.truncated, list.items.len()))
    }
}
