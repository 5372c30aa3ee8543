//! What needs a person, in words, most urgent first. Red is for these alone.

use maud::{Markup, html};
use oxpecker_api::{AdminState, Certificate, Health, Map, MapPool, Member};

use super::frame::Frame;
use super::words;

/// More than these are counted, not listed.
const MEMBERS_LISTED_MAX: usize = 5;

/// Of a certificate's life.
const EXPIRY_DAYS_URGENT: i64 = 14;
const EXPIRY_DAYS_SOON: i64 = 30;

/// Of a limit, in percent.
const NEAR_LIMIT: u64 = 90;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    /// Somebody has to do something; else it is only worth knowing.
    pub(super) urgent: bool,
    pub(super) text: String,
    pub(super) href: Option<String>,
    /// Offers to keep changes that were made at run time.
    pub(super) save: bool,
}

impl Need {
    fn urgent(text: String) -> Self {
        Self { urgent: true, text, href: None, save: false }
    }

    fn note(text: String) -> Self {
        Self { urgent: false, ..Self::urgent(text) }
    }

    fn at(self, href: String) -> Self {
        Self { href: Some(href), ..self }
    }
}

pub(super) fn list(frame: &Frame<'_>, map: &Map, certificates: &[Certificate]) -> Vec<Need> {
    let mut needs = Vec::new();
    let pools = distinct_pools(map);
    for pool in &pools {
        needs.extend(of_pool(pool));
    }
    let down: Vec<_> = pools.iter().flat_map(|pool| &pool.members).filter(|m| is_down(m)).collect();
    for member in down.iter().take(MEMBERS_LISTED_MAX) {
        needs.push(of_member(member));
    }
    if let Some(more @ 1..) = down.len().checked_sub(MEMBERS_LISTED_MAX) {
        needs
            .push(Need::urgent(format!("{} are down.", words::plural(more as u64, "more member"))));
    }
    of_process(frame, &mut needs);
    needs.extend(certificates.iter().filter_map(of_certificate));
    let members = pools.iter().flat_map(|pool| &pool.members);
    needs.extend(members.filter(|member| is_drained(member)).map(of_drained));
    needs.sort_by_key(|need| !need.urgent);
    needs
}

pub(super) fn render(frame: &Frame<'_>, needs: &[Need]) -> Markup {
    html! {
        section.needs aria-label="What needs a person" {
            @if needs.is_empty() {
                p.calm { span.mark aria-hidden="true" { "●" } " Nothing needs you." }
            } @else {
                ul {
                    @for need in needs {
                        li.urgent[need.urgent] data-key=(need.text) {
                            span.mark aria-hidden="true" { @if need.urgent { "!" } @else { "i" } } " "
                            @match &need.href {
                                Some(href) => { a href=(href) { (need.text) } }
                                None => { (need.text) }
                            }
                            @if need.save && frame.may_administer() {
                                " " button.act data-act="save" { "Save" }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A pool behind several virtual servers is one pool.
fn distinct_pools(map: &Map) -> Vec<&MapPool> {
    let mut pools: Vec<&MapPool> = Vec::new();
    for pool in map.virtuals.iter().flat_map(|v| &v.pools) {
        if !pools.iter().any(|known| known.name == pool.name) {
            pools.push(pool);
        }
    }
    pools
}

fn of_pool(pool: &MapPool) -> Option<Need> {
    if pool.members.is_empty() {
        return Some(Need::urgent(format!(
            "Pool {} has no members: its clients are refused.",
            pool.name
        )));
    }
    if pool.members.iter().any(|member| member.usable) {
        return None;
    }
    let because = match pool.members.len() {
        1 => "its only member is not usable".to_owned(),
        count => format!("none of its {count} members is usable"),
    };
    Some(Need::urgent(format!("Pool {} takes no new clients: {because}.", pool.name)))
}

fn is_down(member: &Member) -> bool {
    member.health == Health::Down && member.admin_state == AdminState::Enabled
}

/// Operations count at the whole node, so this never says it too early.
pub(super) fn is_drained(member: &Member) -> bool {
    member.admin_state == AdminState::Draining
        && member.connections.current == 0
        && member.operations == 0
}

fn of_drained(member: &Member) -> Need {
    let text = format!("{} in {} is drained: nothing is left there.", member.name, member.pool);
    Need::note(text).at(member_path(member))
}

fn of_member(member: &Member) -> Need {
    let reason =
        if member.reason.is_empty() { String::new() } else { format!(": {}", member.reason) };
    Need::urgent(format!("{} in {} is down{reason}.", member.name, member.pool))
        .at(member_path(member))
}

pub(super) fn member_path(member: &Member) -> String {
    format!("/ui/member?pool={}&member={}", words::query(&member.pool), words::query(&member.name))
}

fn of_process(frame: &Frame<'_>, needs: &mut Vec<Need>) {
    let status = frame.status;
    if status.last_reload_failed {
        let text = "The last reload failed: the gateway runs the configuration from before it.";
        needs.push(Need::urgent(text.to_owned()).at("/ui/events".to_owned()));
    }
    let near = |now: u64, max: u64| max > 0 && now * 100 >= max * NEAR_LIMIT;
    if near(status.connections.current.into(), status.connections_max.into()) {
        needs.push(Need::urgent(format!(
            "{} of {} connections are in use: at the limit new clients wait.",
            words::count(status.connections.current.into()),
            words::count(status.connections_max.into())
        )));
    }
    if near(status.descriptors_open, status.descriptors_max) {
        needs.push(Need::urgent(format!(
            "{} of {} file descriptors are in use: raise the limit of the service.",
            words::count(status.descriptors_open),
            words::count(status.descriptors_max)
        )));
    }
    if status.draining {
        needs.push(Need::note(
            "This gateway is draining: it ends when its connections have.".to_owned(),
        ));
    }
    if status.unsaved_changes > 0 {
        let changes = words::plural(status.unsaved_changes.into(), "change");
        let text = format!("{changes} made at run time would be lost at a restart.");
        needs.push(Need { save: true, ..Need::note(text) });
    }
}

fn of_certificate(certificate: &Certificate) -> Option<Need> {
    let name = &certificate.name;
    let href = "/ui/certificates".to_owned();
    if let Some(days) = certificate.expires_in_days {
        if days < 0 {
            return Some(Need::urgent(format!("The certificate {name} has expired.")).at(href));
        }
        if days < EXPIRY_DAYS_SOON {
            let text =
                format!("The certificate {name} expires in {}.", words::plural(days as u64, "day"));
            let urgent = days < EXPIRY_DAYS_URGENT;
            return Some(Need { urgent, ..Need::note(text) }.at(href));
        }
    }
    let error = certificate.last_error.as_ref()?;
    Some(Need::urgent(format!("The certificate {name} was not renewed: {error}.")).at(href))
}
