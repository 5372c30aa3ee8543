//! The statistics table of F5's operators, and counting anew.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use oxpecker_api::{Health, Kill, ResetStatistics, StatisticsRow, StatisticsTable};
use oxpecker_config::model::Role;
use oxpecker_proxy::control::{AdminState, Handle, MemberView, PoolView, Selection};
use serde::Deserialize;

use super::extract::{Asked, Body};
use super::{convert, has, path};
use crate::access::Caller;
use crate::app::App;
use crate::error::Refusal;
use crate::route::{Answer, Needs, Route};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(path("/statistics"), Needs::Role(Role::Viewer), statistics),
        Route::post(path("/statistics/reset"), Role::Operator, reset),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Of {
    #[default]
    Pools,
    Nodes,
    Virtuals,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    #[serde(default)]
    of: Of,
    /// A fragment of a name.
    search: Option<String>,
}

async fn statistics(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Rows>,
) -> Json<StatisticsTable> {
    Json(table(&app.control, asked.of, &asked.search))
}

pub(crate) fn table(control: &Handle, of: Of, search: &Option<String>) -> StatisticsTable {
    let search = &search.as_ref().filter(|text| !text.is_empty()).cloned();
    let pools = control.pools();
    let (of, rows) = match of {
        Of::Pools => ("pools", pools.iter().flat_map(|pool| pool_rows(pool, search)).collect()),
        Of::Nodes => {
            let nodes = control.nodes();
            let found = nodes.iter().filter(|node| has(search, &[&node.name, &node.host]));
            let row = |node: &oxpecker_proxy::control::NodeView| {
                let health = convert::node_health(node, &pools);
                StatisticsRow {
                    kind: "node".to_owned(),
                    key: format!("node:{}", node.name),
                    name: node.name.clone(),
                    status: word(health).to_owned(),
                    health,
                    reason: String::new(),
                    traffic: convert::traffic(node.traffic),
                    connections: convert::counts(node.connections),
                }
            };
            ("nodes", found.map(row).collect())
        }
        Of::Virtuals => {
            let virtuals = control.virtuals();
            let found = virtuals.iter().filter(|known| has(search, &[&known.name]));
            let row = |known: &oxpecker_proxy::control::VirtualView| {
                let (health, reason) = convert::virtual_health(known, &pools);
                StatisticsRow {
                    kind: "virtual".to_owned(),
                    key: format!("virtual:{}", known.name),
                    name: known.name.clone(),
                    status: if known.listening { word(health) } else { "disabled" }.to_owned(),
                    health,
                    reason,
                    traffic: convert::traffic(known.traffic),
                    connections: convert::counts(known.connections),
                }
            };
            ("virtuals", found.map(row).collect())
        }
    };
    StatisticsTable { of: of.to_owned(), rows }
}

/// A pool that fits shows all its members; else those that fit, below their pool.
fn pool_rows(pool: &PoolView, search: &Option<String>) -> Vec<StatisticsRow> {
    let whole = has(search, &[&pool.name]);
    let members = pool.members.iter().filter(|member| whole || has(search, &[&member.name]));
    let mut rows: Vec<_> = members.map(member_row).collect();
    if !whole && rows.is_empty() {
        return rows;
    }
    let (health, reason) = convert::pool_health(pool);
    let is_disabled = pool.members.iter().all(|m| m.admin_state != AdminState::Enabled);
    rows.insert(
        0,
        StatisticsRow {
            kind: "pool".to_owned(),
            key: format!("pool:{}", pool.name),
            name: pool.name.clone(),
            status: if is_disabled { "disabled" } else { word(health) }.to_owned(),
            health,
            reason,
            traffic: convert::traffic(convert::pool_traffic(pool)),
            connections: convert::counts(pool.connections),
        },
    );
    rows
}

fn member_row(member: &MemberView) -> StatisticsRow {
    let health = convert::health(member.health);
    let is_enabled = member.admin_state == AdminState::Enabled;
    StatisticsRow {
        kind: "member".to_owned(),
        key: format!("member:{}/{}", member.pool, member.name),
        name: member.name.clone(),
        status: if is_enabled { word(health) } else { "disabled" }.to_owned(),
        health,
        reason: member.health_reason.clone(),
        traffic: convert::traffic(member.traffic),
        connections: convert::counts(member.connections),
    }
}

fn word(health: Health) -> &'static str {
    match health {
        Health::Up => "available",
        Health::Unknown => "unknown",
        Health::Down | Health::Quiescing => "offline",
    }
}

async fn reset(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Body(reset): Body<ResetStatistics>,
) -> Answer<Json<Kill>> {
    let selections = reset.keys.iter().map(|key| selection(key)).collect::<Answer<Vec<_>>>()?;
    let count = app.control.reset_statistics(&caller.who, &selections)?;
    Ok(Json(Kill { count: count as u64 }))
}

/// As rows have it; what names a pool or a member may leave the kind out.
fn selection(key: &str) -> Answer<Selection> {
    let of_member = |rest: &str| {
        let (pool, member) = rest.split_once('/')?;
        Some(Selection::Member { pool: pool.to_owned(), member: member.to_owned() })
    };
    let found = match key.split_once(':') {
        Some(("pool", name)) => Some(Selection::Pool(name.to_owned())),
        Some(("node", name)) => Some(Selection::Node(name.to_owned())),
        Some(("virtual", name)) => Some(Selection::Virtual(name.to_owned())),
        Some(("member", rest)) => of_member(rest),
        _ if key.contains('/') => of_member(key),
        Some(_) => None,
        None => Some(Selection::Pool(key.to_owned())),
    };
    found.ok_or_else(|| {
        Refusal::bad_request("a key names nothing that is counted")
            .help("keys are those of the rows of /api/v1/statistics")
    })
}
