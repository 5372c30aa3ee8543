//! What is configured, with its state: virtual servers, pools, members, nodes, and how they hang
//! together.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use oxpecker_api::{Drain, Listing, Map, Member, Node, Pool, Virtual};
use oxpecker_config::model::Role;
use oxpecker_proxy::control::{Handle, MemberView};

use super::extract::At;
use super::{convert, path};
use crate::app::App;
use crate::error::Refusal;
use crate::route::{Answer, Needs, Route};

pub(super) fn routes() -> Vec<Route> {
    let viewer = Needs::Role(Role::Viewer);
    vec![
        Route::get(path("/map"), viewer, map),
        Route::get(path("/virtuals"), viewer, virtuals),
        Route::get(path("/virtuals/{name}"), viewer, virtual_server),
        Route::get(path("/pools"), viewer, pools),
        Route::get(path("/pools/{pool}"), viewer, pool),
        Route::get(path("/pools/{pool}/members/{member}"), viewer, member),
        Route::get(path("/pools/{pool}/members/{member}/drain"), viewer, drain),
        Route::get(path("/nodes"), viewer, nodes),
        Route::get(path("/nodes/{node}"), viewer, node),
    ]
}

async fn map(State(app): State<Arc<App>>) -> Json<Map> {
    Json(convert::map(&app.control.virtuals(), &app.control.pools()))
}

async fn virtuals(State(app): State<Arc<App>>) -> Json<Listing<Virtual>> {
    let (virtuals, pools) = (app.control.virtuals(), app.control.pools());
    let items = virtuals.iter().map(|view| convert::virtual_server(view, &pools)).collect();
    Json(Listing { items, truncated: false })
}

async fn virtual_server(
    State(app): State<Arc<App>>,
    At(name): At<String>,
) -> Answer<Json<Virtual>> {
    let virtuals = app.control.virtuals();
    let view = virtuals.iter().find(|view| view.name == name);
    let view = view.ok_or_else(|| no("virtual server", &name))?;
    Ok(Json(convert::virtual_server(view, &app.control.pools())))
}

async fn pools(State(app): State<Arc<App>>) -> Json<Listing<Pool>> {
    let items = app.control.pools().iter().map(convert::pool).collect();
    Json(Listing { items, truncated: false })
}

async fn pool(State(app): State<Arc<App>>, At(name): At<String>) -> Answer<Json<Pool>> {
    let pools = app.control.pools();
    let view = pools.iter().find(|view| view.name == name).ok_or_else(|| no("pool", &name))?;
    Ok(Json(convert::pool(view)))
}

async fn member(
    State(app): State<Arc<App>>,
    At((pool, member)): At<(String, String)>,
) -> Answer<Json<Member>> {
    Ok(Json(convert::member(&find_member(&app.control, &pool, &member)?)))
}

async fn drain(
    State(app): State<Arc<App>>,
    At((pool, member)): At<(String, String)>,
) -> Answer<Json<Drain>> {
    Ok(Json(what_is_left(&app.control, &pool, &member)?))
}

async fn nodes(State(app): State<Arc<App>>) -> Json<Listing<Node>> {
    let pools = app.control.pools();
    let items = app.control.nodes().iter().map(|view| convert::node(view, &pools)).collect();
    Json(Listing { items, truncated: false })
}

async fn node(State(app): State<Arc<App>>, At(name): At<String>) -> Answer<Json<Node>> {
    Ok(Json(find_node(&app.control, &name)?))
}

pub(super) fn find_node(control: &Handle, name: &str) -> Answer<Node> {
    let nodes = control.nodes();
    let view = nodes.iter().find(|view| view.name == name).ok_or_else(|| no("node", name))?;
    Ok(convert::node(view, &control.pools()))
}

pub(super) fn find_member(control: &Handle, pool: &str, member: &str) -> Answer<MemberView> {
    let pools = control.pools();
    let pool = pools.into_iter().find(|view| view.name == pool).ok_or_else(|| no("pool", pool))?;
    let found = pool.members.into_iter().find(|view| view.name == member);
    found.ok_or_else(|| {
        no("member", &format!("{}/{member}", pool.name)).help("members are called NODE:PORT")
    })
}

/// What clients would miss if the member were gone now.
pub(super) fn what_is_left(control: &Handle, pool: &str, member: &str) -> Answer<Drain> {
    let left = control.work_left(pool, member)?;
    Ok(Drain {
        member: member.to_owned(),
        connections: left.connections,
        operations: left.operations,
        operations_read: left.operations_read,
        sessions: left.sessions,
        done: left.is_none(),
    })
}

fn no(kind: &str, name: &str) -> Refusal {
    Refusal::not_found(format!("there is no {kind} `{name}`"))
}
