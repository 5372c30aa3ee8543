//! Reads `[monitor.NAME]`.

use std::time::Duration;

use toml::de::DeValue;

use super::{Named, Read, chain};
use crate::context::{Ctx, shorten};
use crate::model::{Login, Monitor, Probe, Secret, StatusRange, TlsServer};
use crate::reader::{Reader, Val};
use crate::show;
use crate::units::show_duration;
use crate::values::{bad, count, duration, each, filled, is_off, reference, secret, word};
use crate::words::{LoginKind, ProbeKind, Word, word_of};

/// A probe that takes longer has failed, unless the file says otherwise.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
const USER_DEFAULT: &str = "oxpecker";

/// Keys that mean something for some probes only.
const SPECIAL: &[(&str, &[ProbeKind])] = {
    use ProbeKind::{Beeswax, Hs2, Hs2Http, Http};
    &[
        ("path", &[Http, Hs2Http]),
        ("status", &[Http]),
        ("host", &[Http]),
        ("login", &[Hs2, Beeswax, Hs2Http]),
        ("user", &[Hs2, Beeswax, Hs2Http]),
        ("password", &[Hs2, Beeswax, Hs2Http]),
    ]
};

/// A monitor with what its checks need besides.
#[derive(Clone)]
pub(crate) struct MonitorRead {
    pub(crate) monitor: Monitor,
    /// `tls` is written, here or in a parent. Else the virtual servers say.
    pub(crate) tls_written: bool,
}

pub(crate) fn monitor(
    ctx: &mut Ctx<'_>,
    all: &[Named<'_>],
    index: usize,
    tls_servers: &[Read<TlsServer>],
) -> Read<MonitorRead> {
    let named = &all[index];
    let (layers, root) = chain(ctx, all, |names| &names.monitors, index);
    let kind = Some(&all[root]).filter(|root| root.is_built_in()).and_then(kind_of);
    let title = format!("[monitor.{}]", named.name);
    let mut reader = Reader::new(ctx, "monitor", title, named.place, layers);
    let parent = reader.own("parent", reference("monitor", |names| &names.monitors));
    let type_ = reader.own("type", word::<ProbeKind>);
    parents(&mut reader, named);
    let interval = reader.value("interval", duration);
    let interval_down = reader.optional("interval_down", duration);
    let timeout = reader.optional("timeout", duration);
    let fall = reader.value("fall", count);
    let rise = reader.value("rise", count);
    let port = reader.optional("port", count);
    let tls = reader.optional("tls", tls);
    let path = reader.optional("path", absolute_path);
    let status = reader.optional("status", each(status));
    let host = reader.optional("host", filled);
    let login_kind = reader.optional("login", word::<LoginKind>);
    let user = reader.optional("user", filled);
    let password = reader.optional("password", secret);

    let timeout = match (timeout, interval) {
        (Some(timeout), Some(interval)) => {
            let timeout = timeout.unwrap_or(interval.min(TIMEOUT_DEFAULT));
            reader.computed("timeout", show::string(&show_duration(timeout)));
            let shortest = interval_down.flatten().map_or(interval, |down| down.min(interval));
            if timeout > shortest {
                too_slow(&mut reader, timeout, shortest);
            }
            Some(timeout)
        }
        _ => None,
    };
    if let Some(kind) = kind {
        not_for_this(&mut reader, kind);
    }
    reader.computed("user", show::string(USER_DEFAULT));
    let has_password = matches!(password, Some(Some(_)));
    reader.computed("login", if has_password { "\"plain\"" } else { "\"none\"" });
    let login = login(&mut reader, login_kind, user, password);
    let (places, mut entries) = reader.finish();
    entries.retain(|entry| {
        let special = SPECIAL.iter().find(|(key, _)| *key == entry.key);
        special.zip(kind).is_none_or(|((_, kinds), kind)| kinds.contains(&kind))
    });
    let build = || {
        parent?;
        type_?;
        let probe = match kind? {
            ProbeKind::Tcp => Probe::Tcp,
            ProbeKind::Http => {
                let status = status?.unwrap_or_default();
                let status = status.into_iter().map(|(range, _)| range).collect();
                Probe::Http { path: path?.unwrap_or_else(|| "/".to_owned()), host: host?, status }
            }
            ProbeKind::Healthz => Probe::Healthz,
            ProbeKind::Hs2 => Probe::Hs2(login?),
            ProbeKind::Beeswax => Probe::Beeswax(login?),
            ProbeKind::Hs2Http => {
                Probe::Hs2Http { login: login?, path: path?.unwrap_or_else(|| "/".to_owned()) }
            }
        };
        let tls = tls?;
        let tls_written = tls.is_some();
        // A profile with a problem, reported there, must not hide the monitor's own.
        let tls = tls.flatten().and_then(|profile| tls_servers.get(profile)?.item.clone());
        let monitor = Monitor {
            name: named.name.clone(),
            probe,
            interval: interval?,
            interval_down: interval_down?,
            timeout: timeout?,
            fall: fall?,
            rise: rise?,
            port: port?,
            tls,
        };
        Some(MonitorRead { monitor, tls_written })
    };
    Read { item: build(), places, entries }
}

/// The built-in monitors are named after what they do.
fn kind_of(root: &Named<'_>) -> Option<ProbeKind> {
    ProbeKind::WORDS.iter().find(|(word, _)| *word == root.name).map(|(_, kind)| *kind)
}

fn parents(reader: &mut Reader<'_, '_, '_>, named: &Named<'_>) {
    let table = named.layer.table;
    match (table.contains_key("parent"), table.contains_key("type")) {
        (true, true) => {
            let place = reader.place("type");
            let message = "`type` and `parent` both say what to inherit from";
            reader.ctx.error(place, message).help("keep one of them");
        }
        (false, false) if !named.is_built_in() => {
            let message = format!("[monitor.{}] needs a `parent` or a `type`", named.name);
            let help = "for example: parent = \"hs2\"";
            reader.ctx.error(named.place, message).help(help).consequence();
        }
        _ => {}
    }
}

fn too_slow(reader: &mut Reader<'_, '_, '_>, timeout: Duration, interval: Duration) {
    let key = ["timeout", "interval_down", "interval"]
        .into_iter()
        .find(|key| reader.has_own(key))
        .unwrap_or("timeout");
    let place = reader.place(key);
    let message = format!(
        "a probe may take {} (`timeout`), but the next one starts after {}",
        show_duration(timeout),
        show_duration(interval)
    );
    reader.ctx.error(place, message).help("make `timeout` at most as long as the interval");
}

fn not_for_this(reader: &mut Reader<'_, '_, '_>, kind: ProbeKind) {
    for (key, kinds) in SPECIAL {
        // A parent of the same kind has told it already.
        if reader.has_own(key) && !kinds.contains(&kind) {
            let place = reader.place(key);
            let kinds: Vec<String> = kinds.iter().map(|k| format!("`{}`", word_of(*k))).collect();
            let message = format!("`{key}` does nothing for a `{}` monitor", word_of(kind));
            reader.ctx.error(place, message).help(format!("only for {}", kinds.join(", ")));
        }
    }
}

fn login(
    reader: &mut Reader<'_, '_, '_>,
    kind: Option<Option<LoginKind>>,
    user: Option<Option<String>>,
    password: Option<Option<Secret>>,
) -> Option<Login> {
    let user = user?.unwrap_or_else(|| USER_DEFAULT.to_owned());
    match (kind?, password?) {
        (None | Some(LoginKind::Plain), Some(password)) => Some(Login::Plain { user, password }),
        (None | Some(LoginKind::None), None) => Some(Login::None { user }),
        (Some(LoginKind::Plain), None) => {
            let place = reader.place("login");
            let help = "write password = { file = \"PATH\" }";
            reader.ctx.error(place, "`login = \"plain\"` needs a `password`").help(help);
            None
        }
        (Some(LoginKind::None), Some(_)) => {
            let place = reader.place("password");
            let message = "`password` does nothing with `login = \"none\"`";
            reader.ctx.error(place, message).help("write login = \"plain\"");
            None
        }
    }
}

/// The index of a profile, or `None` for the word `off`.
pub(super) fn tls(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Option<usize>> {
    if is_off(ctx, val) {
        return Some(None);
    }
    reference("tls_server profile", |names| &names.tls_servers)(ctx, val).map(Some)
}

fn absolute_path(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = filled(ctx, val)?;
    let printable = found.bytes().all(|b| b.is_ascii_graphic());
    if found.starts_with('/') && printable {
        return Some(found);
    }
    let message = format!("`{}` must start with `/` and hold no blanks", val.doc.key);
    bad(ctx, val, message, "")
}

/// 200, "200" or "200-399".
fn status(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<StatusRange> {
    let found = match val.value {
        DeValue::Integer(number) => number.to_string(),
        _ => crate::values::text(ctx, val)?,
    };
    let (first, last) = found.split_once('-').unwrap_or((&found, &found));
    let code =
        |text: &str| text.trim().parse::<u16>().ok().filter(|code| (100..=599).contains(code));
    match (code(first), code(last)) {
        (Some(first), Some(last)) if first <= last => Some(StatusRange { first, last }),
        _ => {
            let message = format!("`{}` is not a status from 100 to 599", shorten(&found));
            bad(ctx, val, message, "write 200 or \"200-399\"")
        }
    }
}
