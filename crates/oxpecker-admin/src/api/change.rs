//! Changes at run time: states, weights, members and nodes that come and go.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use oxpecker_api::{AddMember, AddNode, Member, MemberChange, Node, StateChange};
use oxpecker_config::model::Role;
use oxpecker_proxy::control::{NewMember, Who};
use serde::Deserialize;

use super::extract::{Asked, At, Body};
use super::objects::{find_member, find_node, what_is_left};
use super::{convert, path};
use crate::access::Caller;
use crate::app::App;
use crate::error::Refusal;
use crate::route::{Answer, Route};

/// Of a comment that is kept with an event.
const COMMENT_CHARS_MAX: usize = 500;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::patch(path("/pools/{pool}/members/{member}"), Role::Operator, change_member),
        Route::post(path("/pools/{pool}/members"), Role::Admin, add_member),
        Route::delete(path("/pools/{pool}/members/{member}"), Role::Admin, remove_member),
        Route::patch(path("/nodes/{node}"), Role::Operator, change_node),
        Route::post(path("/nodes"), Role::Admin, add_node),
        Route::delete(path("/nodes/{node}"), Role::Admin, remove_node),
    ]
}

fn because(who: Who, comment: Option<&str>) -> Answer<Who> {
    match comment.map(str::trim).filter(|comment| !comment.is_empty()) {
        None => Ok(who),
        Some(comment) if comment.chars().count() > COMMENT_CHARS_MAX => Err(Refusal::bad_request(
            format!("a comment has at most {COMMENT_CHARS_MAX} characters"),
        )),
        Some(comment) => {
            let line: String =
                comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            Ok(who.because(&line))
        }
    }
}

async fn change_member(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    At((pool, member)): At<(String, String)>,
    Body(change): Body<MemberChange>,
) -> Answer<Json<Member>> {
    let control = &app.control;
    find_member(control, &pool, &member)?;
    let who = because(caller.who, change.comment.as_deref())?;
    // First, for it may be out of range; a state never is.
    if let Some(weight) = change.weight {
        control.set_weight(&who, &pool, &member, weight)?;
    }
    if let Some(state) = change.admin_state {
        control.set_admin_state(&who, &pool, &member, convert::admin_state_of(state))?;
    }
    Ok(Json(convert::member(&find_member(control, &pool, &member)?)))
}

async fn add_member(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    At(pool): At<String>,
    Body(add): Body<AddMember>,
) -> Answer<(StatusCode, Json<Member>)> {
    let new = NewMember {
        weight: add.weight,
        priority: add.priority,
        connections_max: add.connections_max,
        state: add.admin_state.map(convert::admin_state_of),
    };
    app.control.add_member(caller.who, &pool, &add.node, add.port, new).await?;
    let member = format!("{}:{}", add.node, add.port);
    let found = find_member(&app.control, &pool, &member)?;
    Ok((StatusCode::CREATED, Json(convert::member(&found))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Force {
    /// Also when something is left at it.
    #[serde(default)]
    force: bool,
}

async fn remove_member(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    At((pool, member)): At<(String, String)>,
    Asked(Force { force }): Asked<Force>,
) -> Answer<StatusCode> {
    let left = what_is_left(&app.control, &pool, &member)?;
    if !left.done && !force {
        let error = format!(
            "`{pool}/{member}` still has {} connections and {} operations",
            left.connections, left.operations
        );
        return Err(Refusal::conflict(error)
            .help("drain it first, or add ?force=true: open connections go on until they end"));
    }
    app.control.remove_member(caller.who, &pool, &member).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All its members, in all pools.
async fn change_node(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    At(node): At<String>,
    Body(change): Body<StateChange>,
) -> Answer<Json<Node>> {
    let control = &app.control;
    find_node(control, &node)?;
    let who = because(caller.who, change.comment.as_deref())?;
    let state = convert::admin_state_of(change.admin_state);
    let pools = control.pools();
    let members = pools.iter().flat_map(|pool| &pool.members);
    for member in members.filter(|member| member.node == node) {
        control.set_admin_state(&who, &member.pool, &member.name, state)?;
    }
    Ok(Json(find_node(control, &node)?))
}

async fn add_node(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Body(add): Body<AddNode>,
) -> Answer<(StatusCode, Json<Node>)> {
    let control = &app.control;
    control.add_node(caller.who, &add.name, &add.address, &add.description).await?;
    Ok((StatusCode::CREATED, Json(find_node(control, &add.name)?)))
}

async fn remove_node(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    At(node): At<String>,
) -> Answer<StatusCode> {
    app.control.remove_node(caller.who, &node).await?;
    Ok(StatusCode::NO_CONTENT)
}
