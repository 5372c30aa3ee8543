//! The last hour: all members side by side, and one member with everything known of it.

use maud::{Markup, html};
use oxpecker_api::{Event, History, Member, Sample, Series};

use super::chart::{self, Metric};
use super::frame::{Frame, nothing, search};
use super::map::{actions, why};
use super::words::{self, State};

/// Rows of the table of numbers: one for five minutes.
const TABLE_STEP: usize = 30;

pub(super) fn all(frame: &Frame<'_>, history: &History, left_out: usize) -> Markup {
    let asked = frame.asked;
    let shown: Vec<_> =
        history.series.iter().filter(|s| asked.finds(&[&s.pool, &s.member])).collect();
    html! {
        div.bar { (search(frame, "Find a pool or member")) }
        @if shown.is_empty() {
            (nothing("No member has this in its name."))
        } @else {
            @for pool in pools(&shown) { (pool_table(pool, &shown)) }
            p.note {
                "Shaded: the member took no new clients. Within a pool, a column has one scale. Throughput: solid from clients, dashed to clients."
            }
        }
        @if history.truncated {
            p.note { "Only the first members are shown; search for others by their pool." }
        }
        @if left_out > 0 {
            p.note { (words::plural(left_out as u64, "member")) " beyond the bound of what is recorded." }
        }
    }
}

fn pools<'a>(series: &[&'a Series]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for one in series {
        if names.last() != Some(&one.pool.as_str()) {
            names.push(&one.pool);
        }
    }
    names
}

fn pool_table(pool: &str, series: &[&Series]) -> Markup {
    let members: Vec<_> = series.iter().filter(|one| one.pool == pool).collect();
    let most =
        Metric::ALL.map(|metric| metric.most(members.iter().flat_map(|one| one.samples.iter())));
    html! {
        section.pool-hour data-key=(pool) {
            h2 { "Pool " (pool) }
            table.sparks {
                thead {
                    tr {
                        th scope="col" { "Member" }
                        @for (metric, most) in Metric::ALL.iter().zip(most) {
                            th scope="col" {
                                (metric.title())
                                @if most > 0.0 { span.note { " most " (metric.text(most)) } }
                            }
                        }
                    }
                }
                tbody {
                    @for one in members {
                        tr data-key=(one.member) {
                            th scope="row" { a href=(member_href(pool, &one.member)) { (one.member) } }
                            @for (metric, most) in Metric::ALL.into_iter().zip(most) {
                                td data-label=(metric.title()) { (chart::small(metric, &one.samples, most)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn member_href(pool: &str, member: &str) -> String {
    format!("/ui/member?pool={}&member={}", words::query(pool), words::query(member))
}

/// `others`: members of the pool that take clients beside this one. `events`: this member's.
pub(super) fn one(
    frame: &Frame<'_>,
    member: &Member,
    others: usize,
    samples: &[Sample],
    events: &[Event],
) -> Markup {
    let state = State::of_member(member);
    html! {
        p.subject {
            span class={ "mark " (state.class) } aria-hidden="true" { (state.mark) } " "
            b { (state.word) } " " (why(member)) " "
            (actions(frame, member, others))
        }
        div.charts { @for metric in Metric::ALL { (chart::large(metric, samples, frame.zone)) } }
        (table(frame, samples))
        div.facts-two { (facts(frame, member)) (lately(frame, events)) }
    }
}

pub(super) fn unknown(frame: &Frame<'_>) -> Markup {
    let (pool, member) = (&frame.asked.pool, &frame.asked.member);
    nothing(&format!("There is no member {member} in a pool {pool}. It may have been removed."))
}

fn table(frame: &Frame<'_>, samples: &[Sample]) -> Markup {
    html! {
        details {
            summary { "The same in numbers" }
            table {
                thead {
                    tr {
                        th scope="col" { "until" }
                        @for metric in Metric::ALL { th.number scope="col" { "most " (metric.title().to_lowercase()) } }
                        th scope="col" { "took new clients" }
                    }
                }
                tbody {
                    @for part in samples.rchunks(TABLE_STEP) {
                        @let at = part.last().map_or(0, |sample| sample.at);
                        tr data-key=(at) {
                            th scope="row" { (words::hour_minute(at, frame.zone)) }
                            @for metric in Metric::ALL {
                                @let most = metric.most(part);
                                td.number { @if most > 0.0 { (metric.text(most)) } @else { "-" } }
                            }
                            td { @if part.iter().all(|s| s.usable) { "yes" } @else { "not always" } }
                        }
                    }
                }
            }
        }
    }
}

fn facts(frame: &Frame<'_>, member: &Member) -> Markup {
    let max = member.connections_max.map(|max| format!(" of {}", words::count(max.into())));
    html! {
        section {
            h2 { "Facts" }
            dl.facts {
                dt { "Address" } dd { (member.address.as_deref().unwrap_or("not resolved yet")) }
                dt { "Weight, priority" } dd { (member.weight) ", " (member.priority) }
                dt { "Connections" }
                dd {
                    (words::count(member.connections.current.into())) (max.unwrap_or_default()) ", most "
                    (words::count(member.connections.maximum.into())) ", in all "
                    (words::count(member.connections.total))
                }
                dt { "Of its node" }
                dd {
                    (words::plural(member.node_connections.into(), "connection")) ", "
                    (words::plural(member.operations.into(), "operation"))
                    @if let Some(told) = member.operations_told {
                        " (the coordinator says " (words::count(told.into())) ")"
                    }
                }
                dt { "From clients, to clients" }
                dd {
                    (words::bytes(member.traffic.bits_in / 8)) ", "
                    (words::bytes(member.traffic.bits_out / 8))
                }
                dt { "Failed connects" } dd { (words::count(member.connect_failures)) }
                @if let Some(probe) = &member.probe {
                    dt { "Probe" }
                    dd {
                        (probe.kind) ", " (words::count(probe.passed)) " passed, "
                        (words::count(probe.failed)) " failed"
                    }
                    @if let Some(last) = &probe.last {
                        dt { "Last probe" }
                        dd {
                            (frame.time(last)) " " (probe.last_result)
                            @if let Some(took) = probe.last_seconds { ", " (words::duration(took)) }
                        }
                    }
                    @if let Some(version) = &probe.version { dt { "Version" } dd { (version) } }
                    @if let Some(web) = &probe.webserver_address { dt { "Its own page" } dd { (web) } }
                }
            }
        }
    }
}

fn lately(frame: &Frame<'_>, events: &[Event]) -> Markup {
    html! {
        section {
            h2 { "Its events" }
            @if events.is_empty() { (nothing("None that are still remembered.")) }
            @else {
                ul.lately {
                    @for event in events {
                        li data-key=(event.id) { (frame.time(&event.at)) " " (event.text) span.note { " " (event.who) } }
                    }
                }
            }
        }
    }
}
