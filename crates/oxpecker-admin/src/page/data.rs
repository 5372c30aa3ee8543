//! From the running gateway to a view: gathers what a view shows, and has it written.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use oxpecker_api::{Certificate, Event, Listing, Map, Member, PersistenceEntry};
use oxpecker_proxy::control::{ConnectionFilter, PoolView};

use super::ask::{Asked, View};
use super::frame::{self, Frame};
use super::{hour, lists, map, needs, settings, sort, statistics, work};
use crate::access::Caller;
use crate::api::convert;
use crate::api::statistics::{Of, table};
use crate::app::App;
use crate::history::Wanted;

/// Rows of a list: more would be slow to draw anew every two seconds. A search finds the others.
const ROWS_MAX: usize = 500;

/// Connections that are looked at for the first rows of a sorted list. Beyond that a sort would take
/// longer than anybody wants to be kept from the other pages.
const SORTED_MAX: usize = 10_000;

/// What the gateway remembers of events and endings.
const REMEMBERED_MAX: usize = 1000;

/// A member's events on its own page.
const ITS_EVENTS_MAX: usize = 12;

/// The whole page.
pub(super) fn document(app: &App, caller: &Caller, asked: &Asked) -> String {
    with_frame(app, caller, asked, |frame| frame::document(frame, &content(app, frame)))
}

/// What changes in it while it is open.
pub(super) fn changing(app: &App, caller: &Caller, asked: &Asked) -> String {
    with_frame(app, caller, asked, |frame| frame::changing(frame, &content(app, frame)))
}

fn with_frame(
    app: &App,
    caller: &Caller,
    asked: &Asked,
    write: impl FnOnce(&Frame<'_>) -> Markup,
) -> String {
    let status = convert::for_caller(convert::status(app), caller);
    let zone = TimeZone::system();
    let frame = Frame { status: &status, asked, now: Timestamp::now(), zone: &zone };
    write(&frame).into_string()
}

fn content(app: &App, frame: &Frame<'_>) -> Markup {
    let asked = frame.asked;
    match asked.view {
        View::Map => {
            let map = network_map(app);
            let needs = needs::list(frame, &map, &certificates(app, frame).items);
            html! { (needs::render(frame, &needs)) (map::render(frame, &map)) }
        }
        View::Statistics => {
            let of = match asked.of.as_str() {
                "nodes" => Of::Nodes,
                "virtuals" => Of::Virtuals,
                _ => Of::Pools,
            };
            let search = Some(asked.search.trim().to_owned());
            let table = statistics::sorted(asked, table(&app.control, of, &search));
            statistics::render(frame, &table)
        }
        View::Hour => {
            hour::all(frame, &app.history.answer(Wanted::default()), app.history.left_out())
        }
        View::Member => member(app, frame),
        View::Connections => connections(app, frame),
        View::Endings => {
            let all = app.control.endings(REMEMBERED_MAX).into_iter().map(convert::ending);
            let list = cut(all, |e| {
                let member = e.member.as_deref().unwrap_or_default();
                asked.finds(&[&e.client, &e.virtual_server, &e.pool, member, &e.reason])
            });
            lists::endings(frame, &list)
        }
        View::Events => {
            let list = cut(events(app), |e| asked.finds(&[&e.subject, &e.who, &e.text, &e.kind]));
            lists::events(frame, &list)
        }
        View::Persistence => lists::persistence(frame, &persistence(app, asked)),
        View::Sessions => {
            let mut all: Vec<_> =
                app.control.sessions().into_iter().map(convert::session).collect();
            sort::rows(asked, &work::SESSIONS, &mut all);
            let list = cut(all.into_iter(), |s| {
                asked.finds(&[&s.id, &s.user, &s.do_as, &s.client, &s.coordinator])
            });
            work::sessions(frame, &list)
        }
        View::Operations => operations(app, frame),
        View::Statements => {
            let all = app.control.top_statements(REMEMBERED_MAX).into_iter();
            let mut all: Vec<_> = all.map(convert::statement).collect();
            sort::rows(asked, &work::STATEMENTS, &mut all);
            let list = cut(all.into_iter(), |s| asked.finds(&[&s.statement]));
            work::statements(frame, &list)
        }
        View::Certificates => settings::certificates(frame, &certificates(app, frame)),
        View::Configuration => {
            let text = frame.may_administer().then(|| crate::api::explained(app));
            settings::configuration(frame, text.as_deref())
        }
    }
}

fn network_map(app: &App) -> Map {
    convert::map(&app.control.virtuals(), &app.control.pools())
}

/// The first rows that fit, in the order they come.
fn cut<T>(all: impl Iterator<Item = T>, fits: impl Fn(&T) -> bool) -> Listing<T> {
    let mut found = all.filter(fits);
    let items = found.by_ref().take(ROWS_MAX).collect();
    Listing { items, truncated: found.next().is_some() }
}

fn connections(app: &App, frame: &Frame<'_>) -> Markup {
    let search = frame.asked.search.trim();
    let filter = ConnectionFilter {
        search: (!search.is_empty()).then(|| search.to_owned()),
        member: None,
        virtual_server: None,
    };
    // The greatest of all are wanted, not of those that are found first.
    let is_sorted = sort::chosen(frame.asked, &lists::CONNECTIONS).is_some();
    let most = if is_sorted { SORTED_MAX } else { ROWS_MAX };
    let (mut found, truncated) = app.control.connections(&filter, most);
    found.sort_unstable_by_key(|connection| connection.id);
    let mut items: Vec<_> = found.into_iter().map(convert::connection).collect();
    sort::rows(frame.asked, &lists::CONNECTIONS, &mut items);
    let truncated = truncated || items.len() > ROWS_MAX;
    items.truncate(ROWS_MAX);
    lists::connections(frame, &Listing { items, truncated })
}

/// The newest first.
fn events(app: &App) -> impl Iterator<Item = Event> {
    app.control.events(0, REMEMBERED_MAX).into_iter().rev().map(convert::event)
}

fn persistence(app: &App, asked: &Asked) -> Listing<PersistenceEntry> {
    let mut all = Vec::new();
    let mut truncated = false;
    for known in app.control.virtuals() {
        // It may have gone since it was listed.
        let Ok((entries, more)) = app.control.persistence(&known.name, ROWS_MAX) else { continue };
        truncated |= more;
        all.extend(entries.into_iter().map(|entry| convert::entry(&known.name, entry)));
    }
    let mut list = cut(all.into_iter(), |entry| {
        asked.finds(&[&entry.client, &entry.virtual_server, &entry.member])
    });
    list.truncated |= truncated;
    list
}

/// Those that run first, the longest before others; then the latest that are over.
fn operations(app: &App, frame: &Frame<'_>) -> Markup {
    let asked = frame.asked;
    let mut all: Vec<_> = app.control.operations().into_iter().map(convert::operation).collect();
    all.sort_by(|a, b| {
        let by_state = a.end.is_some().cmp(&b.end.is_some());
        let by_time = if a.end.is_none() { a.began.cmp(&b.began) } else { b.began.cmp(&a.began) };
        by_state.then(by_time)
    });
    sort::rows(asked, &work::OPERATIONS, &mut all);
    let list = cut(all.into_iter(), |o| {
        let texts = [&o.id, &o.user, &o.do_as, &o.client, &o.coordinator, &o.statement];
        asked.finds(&texts.map(String::as_str))
    });
    work::operations(frame, &list)
}

fn certificates(app: &App, frame: &Frame<'_>) -> Listing<Certificate> {
    let mut all = app.control.certificates();
    let own = app.settings().tls.as_ref().map(|tls| tls.status()).unwrap_or_default();
    for status in own {
        if !all.contains(&status) {
            all.push(status);
        }
    }
    let items = all.into_iter().map(|status| convert::certificate(status, frame.now)).collect();
    Listing { items, truncated: false }
}

fn member(app: &App, frame: &Frame<'_>) -> Markup {
    let asked = frame.asked;
    let pools = app.control.pools();
    let Some((member, others)) = find(&pools, asked) else { return hour::unknown(frame) };
    let wanted = Wanted { pool: Some(&asked.pool), member: Some(&asked.member) };
    let history = app.history.answer(wanted);
    let samples = history.series.first().map_or(&[][..], |series| &series.samples);
    let subject = format!("{}/{}", asked.pool, asked.member);
    let its = events(app).filter(|event| event.subject == subject).take(ITS_EVENTS_MAX);
    hour::one(frame, &member, others, samples, &its.collect::<Vec<_>>())
}

/// The member, and how many others of its pool are usable.
fn find(pools: &[PoolView], asked: &Asked) -> Option<(Member, usize)> {
    let pool = pools.iter().find(|pool| pool.name == asked.pool)?;
    let member = pool.members.iter().find(|member| member.name == asked.member)?;
    let others = pool.members.iter().filter(|one| one.name != asked.member);
    Some((convert::member(member), others.filter(|one| convert::is_usable(one)).count()))
}
