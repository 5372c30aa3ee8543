//! Connections that are open, those that ended otherwise than in order, and who sticks to what.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use oxpecker_api::{Connection, Ending, Kill, Listing, PersistenceEntry};
use oxpecker_config::model::Role;
use oxpecker_proxy::control::ConnectionFilter;
use serde::Deserialize;

use super::extract::{Asked, At};
use super::{convert, limit, path};
use crate::access::Caller;
use crate::app::App;
use crate::error::Refusal;
use crate::route::{Answer, Needs, Route};

pub(super) fn routes() -> Vec<Route> {
    let viewer = Needs::Role(Role::Viewer);
    vec![
        Route::get(path("/connections"), viewer, connections),
        Route::delete(path("/connections"), Role::Operator, kill_all),
        Route::delete(path("/connections/{id}"), Role::Operator, kill),
        Route::get(path("/endings"), viewer, endings),
        Route::get(path("/persistence"), viewer, persistence),
        Route::delete(path("/persistence"), Role::Operator, forget),
    ]
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    /// A fragment of an address or a name.
    search: Option<String>,
    /// `pool/node:port`
    member: Option<String>,
    #[serde(rename = "virtual")]
    virtual_server: Option<String>,
    limit: Option<usize>,
}

async fn connections(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Which>,
) -> Answer<Json<Listing<Connection>>> {
    let filter = ConnectionFilter {
        search: asked.search.filter(|text| !text.is_empty()),
        member: asked.member.as_deref().map(pool_and_member).transpose()?,
        virtual_server: asked.virtual_server,
    };
    let (mut found, truncated) = app.control.connections(&filter, limit(asked.limit));
    found.sort_unstable_by_key(|connection| connection.id);
    Ok(Json(Listing { items: found.into_iter().map(convert::connection).collect(), truncated }))
}

fn pool_and_member(text: &str) -> Answer<(String, String)> {
    let found = text.split_once('/').map(|(pool, member)| (pool.to_owned(), member.to_owned()));
    found.ok_or_else(|| Refusal::bad_request("`member` must be POOL/NODE:PORT"))
}

async fn kill(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    At(id): At<u64>,
) -> Answer<Json<Kill>> {
    if app.control.kill_connection(&caller.who, id) {
        return Ok(Json(Kill { count: 1 }));
    }
    Err(Refusal::not_found(format!("there is no connection {id}")))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfMember {
    member: String,
}

async fn kill_all(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Asked(OfMember { member }): Asked<OfMember>,
) -> Answer<Json<Kill>> {
    let (pool, member) = pool_and_member(&member)?;
    let count = app.control.kill_connections(&caller.who, &pool, &member)?;
    Ok(Json(Kill { count: count as u64 }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Newest {
    limit: Option<usize>,
}

async fn endings(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Newest>,
) -> Json<Listing<Ending>> {
    let limit = limit(asked.limit);
    let mut found = app.control.endings(limit + 1);
    let truncated = found.len() > limit;
    found.truncate(limit);
    Json(Listing { items: found.into_iter().map(convert::ending).collect(), truncated })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "virtual")]
    virtual_server: Option<String>,
    limit: Option<usize>,
}

async fn persistence(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Table>,
) -> Answer<Json<Listing<PersistenceEntry>>> {
    let limit = limit(asked.limit);
    let names = match asked.virtual_server {
        Some(name) => vec![name],
        None => app.control.virtuals().into_iter().map(|known| known.name).collect(),
    };
    let mut listing = Listing { items: Vec::new(), truncated: false };
    for name in names {
        let (entries, more) = app.control.persistence(&name, limit - listing.items.len())?;
        listing.items.extend(entries.into_iter().map(|entry| convert::entry(&name, entry)));
        listing.truncated |= more;
    }
    Ok(Json(listing))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Forget {
    #[serde(rename = "virtual")]
    virtual_server: String,
    /// Without it: all.
    client: Option<String>,
}

async fn forget(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Forget>,
) -> Answer<Json<Kill>> {
    let (control, who) = (&app.control, &caller.who);
    let count = match asked.client {
        None => control.clear_persistence(who, &asked.virtual_server)? as u64,
        Some(client) => {
            let client: IpAddr = client
                .parse()
                .map_err(|_| Refusal::bad_request("`client` must be an IP address"))?;
            u64::from(control.forget(who, &asked.virtual_server, client)?)
        }
    };
    Ok(Json(Kill { count }))
}
