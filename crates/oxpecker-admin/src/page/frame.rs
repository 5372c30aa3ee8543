//! What stands around every view: head, strip of the gateway's state, navigation, foot.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};
use oxpecker_api::Status;

use super::ask::{Asked, View};
use super::words;

/// Without JavaScript the browser loads the page anew this often.
const REFRESH_SECONDS: u32 = 10;

/// What every view knows beside its own content.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) status: &'a Status,
    pub(super) asked: &'a Asked,
    pub(super) now: Timestamp,
    pub(super) zone: &'a TimeZone,
}

impl Frame<'_> {
    pub(super) fn may_operate(&self) -> bool {
        matches!(self.status.role.as_str(), "operator" | "admin")
    }

    pub(super) fn may_administer(&self) -> bool {
        self.status.role == "admin"
    }

    pub(super) fn time(&self, rfc3339: &str) -> Markup {
        html! { time datetime=(rfc3339) { (words::time(rfc3339, self.now, self.zone)) } }
    }

    fn now_text(&self) -> String {
        self.now.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }
}

/// The whole document.
pub(super) fn document(frame: &Frame<'_>, content: &Markup) -> Markup {
    let view = frame.asked.view;
    let live = format!("/ui/live?{}", frame.asked.query());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title(frame)) " · Oxpecker on " (frame.status.host) }
                link rel="stylesheet" href="/ui/assets/style.css";
                link rel="icon" type="image/svg+xml" href="/ui/assets/icon.svg";
                script type="module" src="/ui/assets/main.js" {}
                noscript { meta http-equiv="refresh" content=(REFRESH_SECONDS); }
            }
            body data-live=(live) {
                a.skip href="#view" { "Skip to content" }
                header {
                    p.name {
                        a href="/" { "Oxpecker" }
                        " " span.host { (frame.status.host) }
                    }
                    (strip(frame))
                    p #live role="status" { "as of " (frame.now_text()) }
                }
                (navigation(view))
                (main_part(frame, content))
                p #said role="status" aria-live="polite" {}
                (foot(frame))
                dialog #ask aria-labelledby="ask-title" {}
            }
        }
    }
}

/// What changes while the page is open; sent anew over the stream.
pub(super) fn changing(frame: &Frame<'_>, content: &Markup) -> Markup {
    html! {
        (strip(frame))
        (main_part(frame, content))
    }
}

fn main_part(frame: &Frame<'_>, content: &Markup) -> Markup {
    let view = frame.asked.view;
    html! {
        main #view tabindex="-1" data-view=(view.slug()) aria-labelledby="title" {
            h1 #title { (title(frame)) }
            (content)
        }
    }
}

fn title(frame: &Frame<'_>) -> String {
    match frame.asked.view {
        View::Member => format!("Member {} of pool {}", frame.asked.member, frame.asked.pool),
        view => view.title().to_owned(),
    }
}

fn strip(frame: &Frame<'_>) -> Markup {
    let status = frame.status;
    let all_up = status.members_up == status.members;
    html! {
        dl #strip aria-label="The gateway now" {
            div {
                dt { "members up" }
                dd.short[!all_up] {
                    b { (status.members_up) } " of " (status.members)
                    @if !all_up { " " span.mark { "▾" } }
                }
            }
            div {
                dt { "connections" }
                dd {
                    b { (words::count(status.connections.current.into())) }
                    @if status.connections_max > 0 {
                        " of " (words::count(status.connections_max.into()))
                    }
                }
            }
            div { dt { "sessions" } dd { b { (words::count(status.sessions.into())) } } }
            div { dt { "operations" } dd { b { (words::count(status.operations_open.into())) } } }
            div { dt { "up for" } dd { (words::age(status.uptime_seconds)) } }
        }
    }
}

fn navigation(current: View) -> Markup {
    html! {
        nav aria-label="Views" {
            ul {
                @for view in View::LISTED {
                    @let here = current == view || (current == View::Member && view == View::Hour);
                    li { a href=(view.path()) aria-current=[here.then_some("page")] { (view.label()) } }
                }
            }
        }
    }
}

fn foot(frame: &Frame<'_>) -> Markup {
    let status = frame.status;
    let offset = frame.now.to_zoned(frame.zone.clone()).strftime("UTC%:z").to_string();
    let zone = frame.zone.iana_name().unwrap_or(offset.trim_end_matches("+00:00"));
    html! {
        footer {
            p {
                "Oxpecker " (status.version) ", process " (status.pid) " with "
                (words::plural(status.worker_threads.into(), "worker thread")) ", started "
                (frame.time(&status.started)) ". Times are this gateway's, " (zone) "."
            }
            p {
                @if status.user.is_empty() { "You are not signed in; your role is " }
                @else { "You are " b { (status.user) } "; your role is " }
                b { (status.role) } ". "
                a href="/openapi.json" { "API" } " · " a href="/metrics" { "metrics" }
            }
            noscript {
                p {
                    "Without JavaScript this page only shows, and is loaded anew every "
                    (REFRESH_SECONDS) " s. Changes: "
                    code { "oxpecker drain" } ", " code { "enable" } ", " code { "disable" } "."
                }
            }
        }
    }
}

/// Rows that need no table: nothing there, and why.
pub(super) fn nothing(text: &str) -> Markup {
    html! { p.nothing { (text) } }
}

/// The search field of a view; other choices of the same view stay.
pub(super) fn search(frame: &Frame<'_>, label: &str) -> Markup {
    let asked = frame.asked;
    html! {
        form.search role="search" action=(asked.view.path()) method="get" {
            @for (name, value) in asked.pairs() {
                @if name != "search" { input type="hidden" name=(name) value=(value); }
            }
            label for="search" { (label) }
            input #search type="search" name="search" value=(asked.search) autocomplete="off"
                spellcheck="false" maxlength="200";
            button type="submit" { "Search" }
            a.button href=(asked.link(&[("search", "")])) data-reset-search { "Reset Search" }
        }
    }
}

/// Links of which one is chosen, such as Normalized and Exact.
pub(super) fn switch(
    frame: &Frame<'_>,
    label: &str,
    name: &str,
    choices: &[(&str, &str)],
) -> Markup {
    let current = frame.asked.get(name);
    html! {
        div.switch role="group" aria-label=(label) {
            @for (index, (value, text)) in choices.iter().enumerate() {
                @let chosen = current == *value || (current.is_empty() && index == 0);
                a href=(frame.asked.link(&[(name, value)])) data-key=(format!("{name}={value}"))
                    aria-current=[chosen.then_some("true")] { (text) }
            }
        }
    }
}

/// That a list was cut.
pub(super) fn more(truncated: bool, shown: usize) -> Markup {
    html! {
        @if truncated {
            p.note { "The first " (shown) " are shown; there are more. Search to narrow them down." }
        }
    }
}
