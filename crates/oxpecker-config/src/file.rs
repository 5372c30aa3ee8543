//! Finds the tables of all files and puts them together by name: one configuration.
//!
//! The modules below read one kind of table each, one line per option. What the options mean
//! together is `check/`'s business.

pub(crate) mod admin;
pub(crate) mod delivery;
pub(crate) mod monitor;
pub(crate) mod pool;
pub(crate) mod process;
pub(crate) mod profile;
pub(crate) mod tls;
pub(crate) mod virtual_server;

use std::collections::{BTreeMap, HashSet};

use toml::de::{DeTable, DeValue};

use crate::context::{Ctx, NameSet, Names, did_you_mean, shorten};
use crate::interpolate;
use crate::origin::Entry;
use crate::reader::{Layer, Places};
use crate::text::Place;

/// More parents than this are a mistake, and following them for every heir would take long.
const PARENTS_MAX: usize = 32;
pub(crate) const NAME_BYTES_MAX: usize = 128;

/// One table with a name, such as `[pool.hs2]`.
#[derive(Clone)]
pub(crate) struct Named<'i> {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) layer: Layer<'i>,
}

impl Named<'_> {
    pub(crate) fn is_built_in(&self) -> bool {
        self.place.file == 0
    }
}

/// A table there is one of, put together from several files.
#[derive(Default)]
pub(crate) struct Single<'i> {
    pub(crate) place: Option<Place>,
    pub(crate) layers: Vec<Layer<'i>>,
}

/// All tables of all files, in file order.
#[derive(Default)]
pub(crate) struct Tables<'i> {
    pub(crate) process: Single<'i>,
    pub(crate) log: Single<'i>,
    pub(crate) log_targets: Vec<(Place, Layer<'i>)>,
    pub(crate) delivery: Single<'i>,
    pub(crate) admin: Single<'i>,
    pub(crate) admin_users: Vec<Named<'i>>,
    pub(crate) admin_tokens: Vec<Named<'i>>,
    pub(crate) nodes: Vec<Named<'i>>,
    pub(crate) pools: Vec<Named<'i>>,
    pub(crate) monitors: Vec<Named<'i>>,
    pub(crate) virtuals: Vec<Named<'i>>,
    pub(crate) protocols: Vec<Named<'i>>,
    pub(crate) persistences: Vec<Named<'i>>,
    pub(crate) tls_clients: Vec<Named<'i>>,
    pub(crate) tls_servers: Vec<Named<'i>>,
    pub(crate) acmes: Vec<Named<'i>>,
}

/// What came of reading one table.
pub(crate) struct Read<T> {
    /// `None` = the problems are reported.
    pub(crate) item: Option<T>,
    pub(crate) places: Places,
    pub(crate) entries: Vec<Entry>,
}

const TOP: &[&str] =
    &["process", "log", "admin", "node", "pool", "virtual", "monitor", "profile", "acme"];
const PROFILES: &[&str] = &["protocol", "persistence", "tls_client", "tls_server"];

/// Sorts one file's tables to those of the files before.
pub(crate) fn collect<'i>(
    ctx: &mut Ctx<'_>,
    file: usize,
    root: &'i DeTable<'i>,
    tables: &mut Tables<'i>,
) {
    for (name, place, value) in in_order(file, root) {
        match name {
            "process" => single(ctx, "[process]", place, value, &mut tables.process),
            "admin" => {
                single(ctx, "[admin]", place, value, &mut tables.admin);
                if let DeValue::Table(table) = value {
                    admin_names(ctx, file, table, tables);
                }
            }
            "log" => {
                single(ctx, "[log]", place, value, &mut tables.log);
                if let DeValue::Table(table) = value {
                    log_targets(ctx, file, table, &mut tables.log_targets);
                    if let Some((key, value)) = table.get_key_value("delivery") {
                        let place = Place::new(file, key.span());
                        single(ctx, "[log.delivery]", place, value.get_ref(), &mut tables.delivery);
                    }
                }
            }
            "node" => named(ctx, "node", place, value, &mut tables.nodes),
            "pool" => named(ctx, "pool", place, value, &mut tables.pools),
            "virtual" => named(ctx, "virtual", place, value, &mut tables.virtuals),
            "monitor" => named(ctx, "monitor", place, value, &mut tables.monitors),
            "acme" => named(ctx, "acme", place, value, &mut tables.acmes),
            "profile" => {
                let DeValue::Table(profiles) = value else {
                    let message = "`profile` must be tables such as [profile.protocol.NAME]";
                    ctx.error(place, message);
                    continue;
                };
                for (kind, place, value) in in_order(file, profiles) {
                    let (what, home) = match kind {
                        "protocol" => ("profile.protocol", &mut tables.protocols),
                        "persistence" => ("profile.persistence", &mut tables.persistences),
                        "tls_client" => ("profile.tls_client", &mut tables.tls_clients),
                        "tls_server" => ("profile.tls_server", &mut tables.tls_servers),
                        _ => {
                            unknown(ctx, place, "profile.", kind, PROFILES);
                            continue;
                        }
                    };
                    named(ctx, what, place, value, home);
                }
            }
            _ => unknown(ctx, place, "", name, TOP),
        }
    }
}

fn unknown(ctx: &mut Ctx<'_>, place: Place, before: &str, name: &str, known: &[&str]) {
    let message = format!("unknown table `{before}{}`", shorten(name));
    let help = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| {
        let all: Vec<String> = known.iter().map(|name| format!("`{before}{name}`")).collect();
        format!("there are {}", all.join(", "))
    });
    ctx.error(place, message).help(help);
}

fn in_order<'i>(file: usize, table: &'i DeTable<'i>) -> Vec<(&'i str, Place, &'i DeValue<'i>)> {
    let mut all: Vec<_> = table
        .iter()
        .map(|(key, value)| (key.get_ref().as_ref(), Place::new(file, key.span()), value.get_ref()))
        .collect();
    all.sort_by_key(|(_, place, _)| *place);
    all
}

fn single<'i>(
    ctx: &mut Ctx<'_>,
    title: &str,
    place: Place,
    value: &'i DeValue<'i>,
    single: &mut Single<'i>,
) {
    let DeValue::Table(table) = value else {
        ctx.error(place, format!("{title} must be a table"));
        return;
    };
    for (key, _) in table {
        let earlier = single.layers.iter().find_map(|layer| {
            let (earlier, _) = layer.table.get_key_value(key)?;
            Some(Place::new(layer.file, earlier.span()))
        });
        // Targets, users and tokens add up, and the delivery is a table of its own.
        let is_table = |name: &str| {
            matches!(
                (title, name),
                ("[log]", "target" | "delivery") | ("[admin]", "user" | "token")
            )
        };
        if let Some(earlier) = earlier.filter(|_| !is_table(key.get_ref())) {
            let message = format!("`{}` of {title} is written twice", shorten(key.get_ref()));
            ctx.error(Place::new(place.file, key.span()), message).note(earlier, "first");
        }
    }
    single.place.get_or_insert(place);
    single.layers.push(Layer { file: place.file, table, parent: String::new() });
}

/// `[admin.user.NAME]` and `[admin.token.NAME]`.
fn admin_names<'i>(
    ctx: &mut Ctx<'_>,
    file: usize,
    admin: &'i DeTable<'i>,
    tables: &mut Tables<'i>,
) {
    let kinds = [
        ("user", "admin.user", &mut tables.admin_users),
        ("token", "admin.token", &mut tables.admin_tokens),
    ];
    for (key, what, home) in kinds {
        if let Some((key, value)) = admin.get_key_value(key) {
            named(ctx, what, Place::new(file, key.span()), value.get_ref(), home);
        }
    }
}

fn log_targets<'i>(
    ctx: &mut Ctx<'_>,
    file: usize,
    log: &'i DeTable<'i>,
    targets: &mut Vec<(Place, Layer<'i>)>,
) {
    let Some((key, value)) = log.get_key_value("target") else { return };
    let mut push = |ctx: &mut Ctx<'_>, place: Place, value: &'i DeValue<'i>| match value {
        DeValue::Table(table) => {
            targets.push((place, Layer { file, table, parent: String::new() }));
        }
        _ => {
            ctx.error(place, "targets are written as tables: [[log.target]]");
        }
    };
    match value.get_ref() {
        DeValue::Array(items) => {
            for item in items {
                push(ctx, Place::new(file, item.span()), item.get_ref());
            }
        }
        DeValue::Table(_) => {
            let place = Place::new(file, key.span());
            let message = "`target` must be a list of tables";
            ctx.error(place, message).help("write the heading with two brackets: [[log.target]]");
        }
        other => push(ctx, Place::new(file, key.span()), other),
    }
}

fn named<'i>(
    ctx: &mut Ctx<'_>,
    what: &str,
    place: Place,
    value: &'i DeValue<'i>,
    home: &mut Vec<Named<'i>>,
) {
    let DeValue::Table(inner) = value else {
        ctx.error(place, format!("`{what}` must be tables such as [{what}.NAME]"));
        return;
    };
    let earlier: BTreeMap<String, Place> =
        home.iter().map(|named| (named.name.clone(), named.place)).collect();
    for (name, place, value) in in_order(place.file, inner) {
        let DeValue::Table(table) = value else {
            let message = format!("`{}` stands outside of any [{what}.NAME]", shorten(name));
            ctx.error(place, message).help(format!("write the heading as [{what}.NAME]"));
            continue;
        };
        let shown = shorten(name);
        match earlier.get(name) {
            Some(built_in) if built_in.file == 0 => {
                let message = format!("[{what}.{shown}] is built in and cannot be changed");
                let help = format!("use another name, with parent = \"{shown}\"");
                ctx.error(place, message).help(help);
                continue;
            }
            Some(first) => {
                let message = format!("[{what}.{shown}] is written twice");
                ctx.error(place, message).note(*first, "first");
                continue;
            }
            None => {}
        }
        check_name(ctx, what, name, place);
        let layer = Layer { file: place.file, table, parent: String::new() };
        home.push(Named { name: name.to_owned(), place, layer });
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(good)
}

/// Names end up in metrics, log fields and on command lines (`POOL/NODE:PORT`).
fn check_name(ctx: &mut Ctx<'_>, what: &str, name: &str, place: Place) {
    if !is_name(name) {
        let message = format!("`{}` cannot be a name", shorten(name));
        let help =
            format!("up to {NAME_BYTES_MAX} of the letters a to z, digits, `-`, `_` and `.`");
        ctx.error(place, message).help(help);
    } else if name == "none" && matches!(what, "monitor" | "profile.persistence") {
        ctx.error(place, "`none` cannot be a name: it means that there is none");
    } else if name == "off" && what == "profile.tls_server" {
        ctx.error(place, "`off` cannot be a name: it means that there is no TLS");
    }
}

/// Makes the names of a kind known.
pub(crate) fn index(all: &[Named<'_>]) -> NameSet {
    let mut names = NameSet::default();
    for (index, named) in all.iter().enumerate() {
        names.insert(&named.name, index);
    }
    names
}

/// The object's own table and those it inherits from; the index of the last one.
pub(crate) fn chain<'i>(
    ctx: &mut Ctx<'_>,
    all: &[Named<'i>],
    names: fn(&Names) -> &NameSet,
    index: usize,
) -> (Vec<Layer<'i>>, usize) {
    let mut layers = vec![all[index].layer.clone()];
    let mut path = vec![index];
    let mut last = index;
    while let Some((parent, place)) = parent_of(ctx, &all[last]) {
        // An unknown name is reported where the key is read.
        let Some(next) = names(&ctx.names).get(&parent) else { break };
        // Only the ring's own members tell of it, not those who inherit from one.
        if path.contains(&next) {
            if next == index {
                let ring: Vec<&str> = path.iter().chain([&index]).map(|&n| &*all[n].name).collect();
                let first = parent_of(ctx, &all[index]).map_or(place, |(_, place)| place);
                let message = format!("parents go in a ring: {}", shorten(&ring.join(" → ")));
                ctx.error(first, message);
            }
            break;
        }
        if path.len() > PARENTS_MAX {
            ctx.error(place, format!("more than {PARENTS_MAX} parents above each other"));
            break;
        }
        layers.push(Layer { parent: all[next].name.clone(), ..all[next].layer.clone() });
        path.push(next);
        last = next;
    }
    (layers, last)
}

/// Those that another one inherits from.
pub(crate) fn parents(
    ctx: &Ctx<'_>,
    all: &[Named<'_>],
    names: fn(&Names) -> &NameSet,
) -> HashSet<usize> {
    let parent = |named| names(&ctx.names).get(&parent_of(ctx, named)?.0);
    all.iter().filter_map(parent).collect()
}

/// Monitors may say `type` for a built-in parent.
fn parent_of(ctx: &Ctx<'_>, named: &Named<'_>) -> Option<(String, Place)> {
    let table = named.layer.table;
    let value = table.get("parent").or_else(|| table.get("type"))?;
    let DeValue::String(text) = value.get_ref() else { return None };
    let parent = interpolate::replace(text, ctx.source).ok()?;
    Some((parent, Place::new(named.layer.file, value.span())))
}
