//! From texts to a checked configuration: parse, put together, read, then look at what the
//! parts mean together. All problems are collected; the first one stops nothing.

mod advice;
mod clash;
mod sections;
mod syntax;
mod tls;

use std::collections::HashSet;

use sections::Sections;
use toml::de::DeTable;

use crate::context::Ctx;
use crate::diagnostic::Diagnostic;
use crate::file::admin::AdminRead;
use crate::file::monitor::MonitorRead;
use crate::file::pool::PoolRead;
use crate::file::virtual_server::{Profiles, VirtualRead};
use crate::file::{self, Read, Tables};
use crate::mask;
use crate::model::{Acme, Config, Node};
use crate::options::BUILT_IN;
use crate::origin::Origins;
use crate::source::{Input, Source};
use crate::text::{File, Place};

/// A configuration file has a few hundred lines; what is longer than this is none.
const BYTES_MAX: usize = 16 << 20;

/// A good configuration, what is doubtful about it, and where its values came from.
#[derive(Debug, Clone)]
pub struct Checked {
    pub config: Config,
    pub warnings: Vec<Diagnostic>,
    pub origin: Origins,
}

/// Everything that was read, good or not.
struct Parts {
    nodes: Vec<Read<Node>>,
    pools: Vec<Read<PoolRead>>,
    virtuals: Vec<Read<VirtualRead>>,
    admin: Option<Read<AdminRead>>,
    monitors: Vec<Read<MonitorRead>>,
    profiles: Profiles,
    acmes: Vec<Read<Acme>>,
    /// TLS profiles that others inherit from.
    tls_client_parents: HashSet<usize>,
    tls_server_parents: HashSet<usize>,
}

/// Checks several inputs as one configuration. On failure: errors and warnings, in file order.
pub fn check(inputs: &[Input], source: &dyn Source) -> Result<Checked, Vec<Diagnostic>> {
    let mut files = vec![File::new("(built in)".to_owned(), BUILT_IN.to_owned())];
    let mut too_long = Vec::new();
    for input in inputs {
        let text = if input.text.len() > BYTES_MAX {
            too_long.push(files.len());
            String::new()
        } else {
            input.text.clone()
        };
        files.push(File::new(input.name.clone(), text));
    }
    if files.len() == 1 {
        files.push(File::new("(no input)".to_owned(), String::new()));
    }
    let texts: Vec<String> = files.iter().map(|file| file.text.clone()).collect();
    let parsed: Vec<_> = texts.iter().map(|text| DeTable::parse_recoverable(text)).collect();
    for (file, (table, _)) in files.iter_mut().zip(&parsed) {
        let secrets = mask::secrets(&file.text, table.get_ref());
        file.set_secrets(secrets);
    }

    let mut ctx = Ctx::new(&files, source);
    for file in too_long {
        let message = format!("the file is longer than {} MiB", BYTES_MAX >> 20);
        ctx.error(Place::new(file, 0..0), message).syntax();
    }
    let mut tables = Tables::default();
    for (file, (table, errors)) in parsed.iter().enumerate() {
        syntax::report(&mut ctx, file, errors);
        file::collect(&mut ctx, file, table.get_ref(), &mut tables);
    }
    let (config, mut origin) = read(&mut ctx, tables);
    let failed = ctx.has_errors();
    let diagnostics = ctx.into_diagnostics();
    origin.files = files;
    match config {
        Some(config) if !failed => Ok(Checked { config, warnings: diagnostics, origin }),
        _ => Err(diagnostics),
    }
}

/// Reads every table, then checks them together.
fn read(ctx: &mut Ctx<'_>, tables: Tables<'_>) -> (Option<Config>, Origins) {
    let nowhere = Place::new(1, 0..0);
    ctx.names.nodes = file::index(&tables.nodes);
    ctx.names.pools = file::index(&tables.pools);
    ctx.names.monitors = file::index(&tables.monitors);
    ctx.names.protocols = file::index(&tables.protocols);
    ctx.names.persistences = file::index(&tables.persistences);
    ctx.names.tls_clients = file::index(&tables.tls_clients);
    ctx.names.tls_servers = file::index(&tables.tls_servers);
    ctx.names.acmes = file::index(&tables.acmes);

    let mut sections = Sections::default();
    let process = file::process::process(ctx, tables.process, nowhere);
    sections.push("[process]", &process);
    let log = file::process::log(ctx, tables.log, nowhere);
    sections.push("[log]", &log);
    let level = log.item.as_ref().map_or(crate::model::Level::Info, |log| log.level);
    let targets: Vec<_> = tables
        .log_targets
        .into_iter()
        .map(|(place, layer)| file::process::log_target(ctx, place, layer, level))
        .collect();
    targets.iter().for_each(|target| sections.push("[[log.target]]", target));
    let delivery = tables
        .delivery
        .place
        .is_some()
        .then(|| file::delivery::delivery(ctx, tables.delivery, nowhere));
    delivery.iter().for_each(|delivery| sections.push("[log.delivery]", delivery));
    advice::unseen_records(ctx, &log, &targets, delivery.as_ref());
    let profiles = Profiles {
        protocols: (0..tables.protocols.len())
            .map(|n| file::profile::protocol(ctx, &tables.protocols, n))
            .collect(),
        persistences: (0..tables.persistences.len())
            .map(|n| file::profile::persistence(ctx, &tables.persistences, n))
            .collect(),
        tls_clients: (0..tables.tls_clients.len())
            .map(|n| file::tls::tls_client(ctx, &tables.tls_clients, n))
            .collect(),
        tls_servers: (0..tables.tls_servers.len())
            .map(|n| file::tls::tls_server(ctx, &tables.tls_servers, n))
            .collect(),
    };
    let users: Vec<_> =
        tables.admin_users.iter().map(|named| file::admin::user(ctx, named)).collect();
    let tokens: Vec<_> =
        tables.admin_tokens.iter().map(|named| file::admin::token(ctx, named)).collect();
    let admin = tables.admin.place.is_some().then(|| {
        let clients = &profiles.tls_clients;
        file::admin::admin(ctx, tables.admin, nowhere, &users, &tokens, clients)
    });
    admin.iter().for_each(|admin| sections.push("[admin]", admin));
    sections.push_named("admin.user", &tables.admin_users, &users);
    sections.push_named("admin.token", &tables.admin_tokens, &tokens);

    let nodes: Vec<_> = tables.nodes.iter().map(|named| file::pool::node(ctx, named)).collect();
    sections.push_named("node", &tables.nodes, &nodes);
    let monitors: Vec<_> = (0..tables.monitors.len())
        .map(|n| file::monitor::monitor(ctx, &tables.monitors, n, &profiles.tls_servers))
        .collect();
    sections.push_named("monitor", &tables.monitors, &monitors);
    sections.push_named("profile.protocol", &tables.protocols, &profiles.protocols);
    sections.push_named("profile.persistence", &tables.persistences, &profiles.persistences);
    sections.push_named("profile.tls_client", &tables.tls_clients, &profiles.tls_clients);
    sections.push_named("profile.tls_server", &tables.tls_servers, &profiles.tls_servers);
    let acmes: Vec<_> = tables.acmes.iter().map(|named| file::tls::acme(ctx, named)).collect();
    sections.push_named("acme", &tables.acmes, &acmes);
    let pools: Vec<_> = tables
        .pools
        .iter()
        .map(|named| file::pool::pool(ctx, named, &monitors, &profiles.tls_servers))
        .collect();
    sections.push_named("pool", &tables.pools, &pools);
    let virtuals: Vec<_> = tables
        .virtuals
        .iter()
        .map(|named| file::virtual_server::virtual_server(ctx, named, &profiles))
        .collect();
    sections.push_named("virtual", &tables.virtuals, &virtuals);

    let mut parts = Parts {
        nodes,
        pools,
        virtuals,
        admin,
        monitors,
        profiles,
        acmes,
        tls_client_parents: file::parents(ctx, &tables.tls_clients, |names| &names.tls_clients),
        tls_server_parents: file::parents(ctx, &tables.tls_servers, |names| &names.tls_servers),
    };
    tls::give_to_probes(ctx, &mut parts);
    clash::check(ctx, &parts);
    tls::check(ctx, &parts);
    advice::check(ctx, &parts, nowhere);
    let origin = sections.finish(&parts);
    let build = || {
        let mut log = log.item?;
        log.targets = targets.into_iter().map(|target| target.item).collect::<Option<_>>()?;
        if log.targets.is_empty() {
            log.targets.push(file::process::default_target(log.level));
        }
        log.delivery = match delivery {
            None => None,
            Some(delivery) => Some(delivery.item?),
        };
        let admin = match parts.admin {
            None => None,
            Some(admin) => Some(admin.item?.admin),
        };
        Some(Config {
            process: process.item?,
            log,
            admin,
            nodes: items(parts.nodes)?,
            pools: items(parts.pools)?.into_iter().map(|read| read.pool).collect(),
            virtuals: items(parts.virtuals)?.into_iter().map(|read| read.server).collect(),
            acmes: items(parts.acmes)?,
        })
    };
    (build(), origin)
}

fn items<T>(all: Vec<Read<T>>) -> Option<Vec<T>> {
    all.into_iter().map(|read| read.item).collect()
}
