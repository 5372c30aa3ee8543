//! The admin side of the real program, asked as people and scripts ask it.

mod abuse;
mod access;
mod changes;
mod guide;
mod objects;
mod roles;
mod schema;
mod serving;
mod streams;
mod tls;

use oxpecker_testkit::{Gateway, Http, Member, Reply};
use serde_json::Value;

use crate::site::Site;

/// A gateway with one member `m1` and an `[admin]` that everybody on this host may use.
#[derive(Debug)]
pub(crate) struct Console {
    pub(crate) site: Site,
    pub(crate) gateway: Gateway,
    /// As a script asks over TCP.
    pub(crate) http: Http,
    _members: Vec<Member>,
}

impl Console {
    /// With more lines below `[admin]`.
    #[track_caller]
    pub(crate) fn new(more: &str) -> Self {
        Self::of(Site::new(1), 1, more)
    }

    /// The site's members answer; `[admin]` is added.
    #[track_caller]
    pub(crate) fn of(site: Site, members: u8, more: &str) -> Self {
        let site = site.admin(more);
        let members = (1..=members).map(|n| Member::echo(site.member_addr(n))).collect();
        let gateway = site.start_with_admin();
        let http = Http::tcp(site.admin_addr()).by_script();
        Self { site, gateway, http, _members: members }
    }

    /// As the command line asks.
    pub(crate) fn socket(&self) -> Http {
        Http::unix(Site::admin_socket(&self.gateway))
    }

    /// The answer to GET, which must be 200 and JSON.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let reply = self.http.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        json(&reply)
    }
}

#[track_caller]
pub(crate) fn json(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap_or_else(|error| panic!("{error}: {}", reply.body))
}

/// The refusal's status and sentence.
#[track_caller]
pub(crate) fn refusal(reply: &Reply) -> (u16, String) {
    assert_eq!(reply.header("content-type"), "application/json", "{}", reply.body);
    (reply.status, json(reply)["error"].as_str().unwrap().to_owned())
}
