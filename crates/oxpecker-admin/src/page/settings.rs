//! What the gateway runs with: certificates and the configuration in force.

use maud::{Markup, html};
use oxpecker_api::{Certificate, Listing};

use super::frame::{Frame, nothing};
use super::words;

pub(super) fn certificates(frame: &Frame<'_>, list: &Listing<Certificate>) -> Markup {
    html! {
        @if list.items.is_empty() {
            (nothing("No certificate is in use: no profile ends or begins TLS here."))
        } @else {
            div.wide tabindex="0" role="region" aria-label="Certificates" {
                table.stack {
                    thead {
                        tr {
                            th scope="col" { "Certificate" } th scope="col" { "Shown to" }
                            th scope="col" { "Profile" } th scope="col" { "For" }
                            th scope="col" { "Expires" } th scope="col" { "State" }
                        }
                    }
                    tbody { @for one in &list.items { (certificate(frame, one)) } }
                }
            }
        }
    }
}

fn certificate(frame: &Frame<'_>, one: &Certificate) -> Markup {
    let (class, mark, word) = expiry(one);
    html! {
        tr data-key=(format!("{} {} {}", one.side, one.profile, one.name)) {
            th scope="row" { (one.name) }
            td data-label="shown to" { (one.side) }
            td data-label="profile" { (one.profile) }
            td data-label="for" { (one.names.join(", ")) }
            td data-label="expires" { @match &one.not_after { Some(end) => { (words::day(end, frame.zone)) } None => { "-" } } }
            td {
                span class={ "expiry " (class) } {
                    span class={ "mark " (class) } aria-hidden="true" { (mark) } " " (word)
                }
                @if let Some(error) = &one.last_error { br; span.why.bad { (error) } }
            }
        }
    }
}

fn expiry(one: &Certificate) -> (&'static str, &'static str, String) {
    let Some(days) = one.expires_in_days else {
        return ("unknown", "?", "not there yet".to_owned());
    };
    let left = words::plural(days.unsigned_abs(), "day");
    match days {
        ..0 => ("bad", "✕", format!("expired {left} ago")),
        0..14 => ("bad", "!", format!("{left} left")),
        14..30 => ("hold", "◐", format!("{left} left")),
        _ => ("ok", "●", format!("{left} left")),
    }
}

pub(super) fn configuration(frame: &Frame<'_>, text: Option<&str>) -> Markup {
    html! {
        @match text {
            Some(text) => {
                @if frame.may_administer() {
                    div.bar {
                        button.act type="button" data-act="reload" { "Reload the files" }
                        " " button.act type="button" data-act="save" { "Save changes made at run time" }
                    }
                }
                p.note { "Every value in effect and where it comes from, as " code { "oxpecker explain" } " prints it. Secrets are masked." }
                pre.configuration tabindex="0" { (text) }
            }
            None => (nothing("The configuration is shown to the role admin.")),
        }
    }
}
