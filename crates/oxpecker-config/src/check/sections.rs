//! Gathers what `explain` shows while the tables are read.

use std::collections::HashMap;

use super::Parts;
use crate::file::{Named, Read};
use crate::model::Certificate;
use crate::origin::{Entry, Origin, Origins, Section, Shown};

#[derive(Default)]
pub(super) struct Sections {
    all: Vec<Section>,
}

impl Sections {
    pub(super) fn push<T>(&mut self, heading: &str, read: &Read<T>) {
        self.all.push(section(heading.to_owned(), false, read));
    }

    pub(super) fn push_named<T>(&mut self, what: &str, named: &[Named<'_>], read: &[Read<T>]) {
        for (named, read) in named.iter().zip(read) {
            let heading = heading(what, &named.name);
            self.all.push(section(heading, named.is_built_in(), read));
        }
    }

    /// Notes who uses which profile and monitor: changing one changes all its users.
    pub(super) fn finish(mut self, parts: &Parts) -> Origins {
        let mut users: HashMap<String, Vec<String>> = HashMap::new();
        let mut note = |what: &str, name: Option<&String>, user: &str| {
            if let Some(name) = name {
                users.entry(heading(what, name)).or_default().push(user.to_owned());
            }
        };
        for pool in parts.pools.iter().filter_map(|read| Some(&read.item.as_ref()?.pool)) {
            let user = format!("pool {}", pool.name);
            note("monitor", pool.monitor.as_ref().map(|monitor| &monitor.name), &user);
        }
        for read in parts.monitors.iter().filter_map(|read| read.item.as_ref()) {
            let profile = read.monitor.tls.as_ref().map(|profile| &profile.name);
            note("profile.tls_server", profile, &format!("monitor {}", read.monitor.name));
        }
        for profile in parts.profiles.tls_clients.iter().filter_map(|read| read.item.as_ref()) {
            for certificate in &profile.certificates {
                if let Certificate::Acme { acme, .. } = certificate {
                    let acme = parts.acmes.get(*acme).and_then(|read| read.item.as_ref());
                    let user = format!("tls_client {}", profile.name);
                    note("acme", acme.map(|acme| &acme.name), &user);
                }
            }
        }
        for server in parts.virtuals.iter().filter_map(|read| Some(&read.item.as_ref()?.server)) {
            let user = format!("virtual {}", server.name);
            note("profile.protocol", Some(&server.protocol_profile.name), &user);
            note("profile.persistence", server.persistence.as_ref().map(|p| &p.name), &user);
            note("profile.tls_client", server.tls_client.as_ref().map(|p| &p.name), &user);
            note("profile.tls_server", server.tls_server.as_ref().map(|p| &p.name), &user);
        }
        let admin = parts.admin.as_ref().and_then(|read| read.item.as_ref());
        let profile = admin.and_then(|read| read.admin.tls_client.as_ref());
        note("profile.tls_client", profile.map(|profile| &profile.name), "admin");
        for item in parts.pools.iter().filter_map(|read| read.item.as_ref()) {
            let profile = item.pool.monitor.as_ref().and_then(|monitor| monitor.tls.as_ref());
            if let Some(profile) = profile.filter(|_| !item.monitor_tls_written) {
                self.note_probes(&item.pool.name, &profile.name);
            }
        }
        for section in &mut self.all {
            section.used_by = users.remove(&section.heading).unwrap_or_default();
        }
        Origins { sections: self.all, files: Vec::new() }
    }

    /// A pool's probes have TLS that stands neither in the pool nor in its monitor.
    fn note_probes(&mut self, pool: &str, profile: &str) {
        let heading = heading("pool", pool);
        let Some(section) = self.all.iter_mut().find(|section| section.heading == heading) else {
            return;
        };
        let at = section.entries.iter().position(|entry| entry.key == "monitor");
        let shown = Shown::Unset("as its virtual servers".to_owned());
        let origin = Origin::Parent(format!("tls_server {profile}"));
        let entry = Entry { key: "TLS of its probes", shown, origin };
        section.entries.insert(at.map_or(section.entries.len(), |at| at + 1), entry);
    }
}

fn heading(what: &str, name: &str) -> String {
    // A dot in a bare key would begin another table.
    if name.contains('.') { format!("[{what}.\"{name}\"]") } else { format!("[{what}.{name}]") }
}

fn section<T>(heading: String, built_in: bool, read: &Read<T>) -> Section {
    let told = |entry: &&Entry| {
        let is_parent = matches!(entry.key, "parent" | "type");
        !(is_parent && matches!(entry.shown, Shown::Unset(_)))
    };
    let entries = read.entries.iter().filter(told).cloned().collect();
    Section { heading, place: read.places.name, built_in, used_by: Vec::new(), entries }
}
