//! Impala's work as far as this gateway reads the protocol: sessions, operations, and statements
//! that are alike.

use maud::{Markup, html};
use oxpecker_api::{Listing, Operation, Session, Statement};

use super::frame::{Frame, more, nothing, search};
use super::sort::{self, Cell, Column};
use super::words;

pub(super) const SESSIONS: [Column<Session>; 8] = [
    Column::text("user", "User", |s| Cell::Text(s.user.clone())),
    Column::text("session", "Session", |s| Cell::Text(s.id.clone())),
    Column::text("client", "Client", |s| Cell::Text(s.client.clone())),
    Column::text("coordinator", "Coordinator", |s| Cell::Text(s.coordinator.clone())),
    Column::number("operations", "Open operations", |s| Cell::Number(s.operations_open.into())),
    Column::number("connections", "Connections", |s| Cell::Number(s.connections.into())),
    Column::number("idle", "Silent for", |s| Cell::Number(s.idle_seconds)),
    Column::text("opened", "Opened", |s| Cell::Text(s.opened.clone())),
];

pub(super) const OPERATIONS: [Column<Operation>; 8] = [
    Column::text("state", "State", |o| {
        // Those that run before others, as without a choice.
        Cell::Text(o.end.as_ref().map_or_else(String::new, |end| format!("over: {end}")))
    }),
    Column::text("statement", "Statement", |o| Cell::Text(statement_of(o).to_owned())),
    Column::text("user", "User", |o| Cell::Text(o.user.clone())),
    Column::text("coordinator", "Coordinator", |o| Cell::Text(o.coordinator.clone())),
    Column::number("time", "Time", |o| Cell::Number(o.age_seconds)),
    Column::number("first", "First row", |o| {
        o.first_row_seconds.map_or(Cell::Nothing, Cell::Number)
    }),
    Column::number("rows", "Rows", |o| Cell::Number(rows_of(o) as f64)),
    Column::number("bytes", "Bytes", |o| Cell::Number(o.bytes as f64)),
];

pub(super) const STATEMENTS: [Column<Statement>; 9] = [
    Column::text("statement", "Statement", |s| Cell::Text(s.statement.clone())),
    Column::number("count", "Count", |s| Cell::Number(s.count as f64)),
    Column::number("errors", "Errors", |s| Cell::Number(s.errors as f64)),
    Column::number("time", "Time in all", |s| Cell::Number(s.seconds_total)),
    Column::number("mean", "Mean", |s| Cell::Number(s.seconds_mean)),
    Column::number("longest", "Longest", |s| Cell::Number(s.seconds_max)),
    Column::number("rows", "Rows", |s| Cell::Number(s.rows as f64)),
    Column::number("bytes", "Bytes", |s| Cell::Number(s.bytes as f64)),
    Column::text("last", "Last", |s| Cell::Text(s.last.clone())),
];

fn statement_of(one: &Operation) -> &str {
    if one.statement.is_empty() { &one.method } else { &one.statement }
}

fn rows_of(one: &Operation) -> u64 {
    one.rows.saturating_add(one.rows_written)
}

/// Shown where nothing is known because nothing is read.
const UNREAD: &str = "Known only of virtual servers that read the protocol: set protocol to hs2, hs2-http or beeswax.";

pub(super) fn sessions(frame: &Frame<'_>, list: &Listing<Session>) -> Markup {
    html! {
        div.bar { (search(frame, "Find a user, client or coordinator")) }
        @if list.items.is_empty() {
            (nothing("No session is open, or none matches."))
            p.note { (UNREAD) }
        } @else {
            div.wide tabindex="0" role="region" aria-label="Sessions" {
                table.stack {
                    thead {
                        tr {
                            (sort::heads(frame, &SESSIONS))
                            @if frame.may_operate() { td {} }
                        }
                    }
                    tbody { @for one in &list.items { (session(frame, one)) } }
                }
            }
        }
        (more(list.truncated, list.items.len()))
    }
}

fn session(frame: &Frame<'_>, one: &Session) -> Markup {
    html! {
        tr data-key=(format!("{}{}", one.id, one.client)) {
            th scope="row" { (person(&one.user, &one.do_as)) }
            td { code { (one.id) } }
            td data-label="from" { (one.client) }
            td data-label="at" { (one.coordinator) }
            td.number data-label="open operations" { (one.operations_open) }
            td.number data-label="connections" { (one.connections) }
            td.number data-label="silent" { (words::age(one.idle_seconds)) }
            td data-label="opened" { (frame.time(&one.opened)) }
            @if frame.may_operate() {
                td { (kill("session", &one.id, &one.user, &open_operations(one))) }
            }
        }
    }
}

/// Who works, and for whom.
fn person(user: &str, do_as: &str) -> Markup {
    html! {
        @if user.is_empty() { span.note { "nobody said" } } @else { (user) }
        @if !do_as.is_empty() { span.note { " for " } (do_as) }
    }
}

fn open_operations(one: &Session) -> String {
    match one.operations_open {
        0 => "It has no open operation.".to_owned(),
        open => format!("It has {}.", words::plural(open.into(), "open operation")),
    }
}

/// `about`: what the question says beside the id. Beeswax has sessions without an id, which are the
/// connection: that is ended there.
fn kill(what: &str, id: &str, user: &str, about: &str) -> Markup {
    html! {
        @if !id.is_empty() {
            button.act type="button" data-act=(format!("kill-{what}")) data-id=(id)
                data-name=(format!("{id} of {user}")) data-about=(about)
                aria-label=(format!("End the {what} {id} of {user}")) { "End" }
        }
    }
}

pub(super) fn operations(frame: &Frame<'_>, list: &Listing<Operation>) -> Markup {
    html! {
        div.bar { (search(frame, "Find a user, statement, query id or coordinator")) }
        @if list.items.is_empty() {
            (nothing("No operation runs or is remembered, or none matches."))
            p.note { (UNREAD) }
        } @else {
            div.wide tabindex="0" role="region" aria-label="Operations" {
                table.stack {
                    thead {
                        tr {
                            (sort::heads(frame, &OPERATIONS))
                            @if frame.may_operate() { td {} }
                        }
                    }
                    tbody { @for one in &list.items { (operation(frame, one)) } }
                }
            }
        }
        (more(list.truncated, list.items.len()))
    }
}

fn operation(frame: &Frame<'_>, one: &Operation) -> Markup {
    let statement = statement_of(one);
    html! {
        tr.over[one.end.is_some()] data-key=(format!("{}{}", one.id, one.began)) {
            td { (operation_state(one)) }
            td.statement { code { (statement) } br; span.note { (one.id) } }
            td { (person(&one.user, &one.do_as)) }
            td data-label="at" { (one.coordinator) }
            td.number data-label="time" { (words::duration(one.age_seconds)) }
            td.number data-label="first row" { @match one.first_row_seconds { Some(at) => { (words::duration(at)) } None => { "-" } } }
            td.number data-label="rows" { (words::count(rows_of(one))) }
            td.number data-label="bytes" { (words::bytes(one.bytes)) }
            @if frame.may_operate() {
                td {
                    // Once cancelled it waits for its client to close it.
                    @if one.end.is_none() && !one.cancelled {
                        (kill("operation", &one.id, &one.user, statement))
                    }
                }
            }
        }
    }
}

fn operation_state(one: &Operation) -> Markup {
    html! {
        @match &one.end {
            None if one.cancelled => { span.mark.hold aria-hidden="true" { "◐" } " cancelled, not closed" }
            None => { span.mark.ok aria-hidden="true" { "▸" } " running" }
            Some(end) => { span.mark.off aria-hidden="true" { "○" } " " (end) }
        }
    }
}

pub(super) fn statements(frame: &Frame<'_>, list: &Listing<Statement>) -> Markup {
    html! {
        div.bar { (search(frame, "Find a statement")) }
        @if list.items.is_empty() {
            (nothing("No statement has been counted yet, or none matches."))
            p.note { (UNREAD) }
        } @else {
            div.wide tabindex="0" role="region" aria-label="Statements by their time" {
                table.stack {
                    thead {
                        tr {
                            (sort::heads(frame, &STATEMENTS))
                        }
                    }
                    tbody {
                        @for one in &list.items {
                            tr data-key=(one.digest) {
                                th.statement scope="row" { code { (one.statement) } }
                                td.number data-label="count" { (words::count(one.count)) }
                                td.number data-label="errors" { (words::count(one.errors)) }
                                td.number data-label="in all" { (words::duration(one.seconds_total)) }
                                td.number data-label="mean" { (words::duration(one.seconds_mean)) }
                                td.number data-label="longest" { (words::duration(one.seconds_max)) }
                                td.number data-label="rows" { (words::count(one.rows)) }
                                td.number data-label="bytes" { (words::bytes(one.bytes)) }
                                td data-label="last" { (frame.time(&one.last)) }
                            }
                        }
                    }
                }
            }
            p.note { "Statements that differ in their literals only are one. Without another order, most time first." }
        }
        (more(list.truncated, list.items.len()))
    }
}
