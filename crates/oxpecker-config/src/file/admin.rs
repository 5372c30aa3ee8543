//! Reads `[admin]`, `[admin.user.NAME]` and `[admin.token.NAME]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use toml::de::DeValue;

use super::process::absolute;
use super::{Named, Read, Single};
use crate::context::{Ctx, shorten};
use crate::model::{Admin, AdminPassword, AdminToken, AdminUser, Role, Secret, TlsClient};
use crate::origin::Shown;
use crate::reader::{Reader, Val};
use crate::show;
use crate::text::Place;
use crate::values::{
    bad, each, filled, is_off, network, path, reference, secret, switch, text, tls, word,
};
use crate::words::{Anonymous, SocketLevel};

/// Shorter ones can be guessed.
const TOKEN_CHARS_MIN: usize = 16;
const TOKEN_CHARS_MAX: usize = 512;

/// SHA-512-crypt: rounds that do not keep a processor busy for seconds at each login.
const ROUNDS_MAX: u32 = 200_000;
/// Characters of its last part.
const HASH_CHARS: usize = 86;
const SALT_CHARS_MAX: usize = 16;

/// Paths that are the API's and the page's own.
const TAKEN: &[&str] = &["/api", "/livez", "/readyz", "/metrics", "/openapi.json", "/ui", "/login"];

pub(crate) struct AdminRead {
    pub(crate) admin: Admin,
    /// The profile that it names, good or not.
    pub(crate) tls_client: Option<usize>,
}

pub(crate) fn admin(
    ctx: &mut Ctx<'_>,
    single: Single<'_>,
    nowhere: Place,
    users: &[Read<AdminUser>],
    tokens: &[Read<AdminToken>],
    profiles: &[Read<TlsClient>],
) -> Read<AdminRead> {
    let place = single.place.unwrap_or(nowhere);
    let mut reader = Reader::new(ctx, "admin", "[admin]", place, single.layers);
    reader.ignore("user");
    reader.ignore("token");
    let listen = reader.value("listen", listen_address);
    let socket = reader.value("socket", socket);
    let anonymous = reader.optional("anonymous", word::<Anonymous>);
    let tls_client =
        reader.optional("tls_client", reference("tls_client profile", |names| &names.tls_clients));
    let hosts = reader.optional("hosts", each(tls::host_name));
    let haproxy_socket = reader.optional("haproxy_socket", absolute);
    let haproxy_socket_level = reader.value("haproxy_socket_level", word::<SocketLevel>);
    let haproxy_metrics = reader.value("haproxy_metrics", switch);
    let stats_path = reader.value("stats_path", web_path);
    let state_file = reader.optional("state_file", path);

    let anyone = match listen {
        _ if !users.is_empty() || !tokens.is_empty() => Anonymous(None),
        Some(Some(listen)) if listen.ip().to_canonical().is_loopback() => {
            Anonymous(Some(Role::Admin))
        }
        _ => Anonymous(Some(Role::Viewer)),
    };
    reader.computed("anonymous", format!("\"{}\"", crate::words::word_of(anyone)));
    if reader.has_own("haproxy_socket_level") && haproxy_socket == Some(None) {
        let place = reader.place("haproxy_socket_level");
        let help = "write `haproxy_socket`, or take this line out";
        reader.ctx.warn(place, "`haproxy_socket_level` does nothing here").help(help);
    }
    let (places, entries) = reader.finish();
    let all = |read: bool| read.then_some(());
    let build = || {
        all(users.iter().all(|user| user.item.is_some()))?;
        all(tokens.iter().all(|token| token.item.is_some()))?;
        let tls_client = tls_client?;
        let profile = match tls_client {
            None => None,
            Some(index) => Some(profiles.get(index)?.item.clone()?),
        };
        let hosts = hosts?.unwrap_or_default();
        let admin = Admin {
            listen: listen?,
            socket: socket?,
            users: users.iter().filter_map(|user| user.item.clone()).collect(),
            tokens: tokens.iter().filter_map(|token| token.item.clone()).collect(),
            anonymous: anonymous?.unwrap_or(anyone).0,
            tls_client: profile,
            hosts: hosts.into_iter().map(|(host, _)| host).collect(),
            haproxy_socket: haproxy_socket?,
            haproxy_socket_level: haproxy_socket_level?.0,
            haproxy_metrics: haproxy_metrics?,
            stats_path: stats_path?,
            state_file: state_file?,
        };
        Some(AdminRead { admin, tls_client })
    };
    Read { item: build(), places, entries }
}

pub(crate) fn user(ctx: &mut Ctx<'_>, named: &Named<'_>) -> Read<AdminUser> {
    let title = format!("[admin.user.{}]", named.name);
    let mut reader = Reader::new(ctx, "admin.user", title, named.place, vec![named.layer.clone()]);
    let hash = reader.optional("password_hash", hash);
    let clear = reader.optional("password", password);
    let role = reader.required("role", word);
    let written = ["password_hash", "password"].map(|key| reader.is_written(key));
    match written {
        [true, true] => {
            let place = reader.place("password");
            let message = "`password` and `password_hash` both say what the password is";
            reader.ctx.error(place, message).help("keep the hash");
        }
        [false, false] => {
            let place = reader.place("role");
            let message = format!("user `{}` has no password", shorten(&named.name));
            let help = "write password_hash = \"$6$…\"; `openssl passwd -6` makes one";
            reader.ctx.error(place, message).help(help).consequence();
        }
        _ => {}
    }
    let (places, entries) = reader.finish();
    let build = || {
        let password = match (hash?, clear?) {
            (Some(hash), None) => AdminPassword::Hash(hash),
            (None, Some(clear)) => AdminPassword::Clear(clear),
            _ => return None,
        };
        Some(AdminUser { name: named.name.clone(), password, role: role? })
    };
    Read { item: build(), places, entries }
}

pub(crate) fn token(ctx: &mut Ctx<'_>, named: &Named<'_>) -> Read<AdminToken> {
    let title = format!("[admin.token.{}]", named.name);
    let mut reader = Reader::new(ctx, "admin.token", title, named.place, vec![named.layer.clone()]);
    let token = reader.required("token", bearer);
    let role = reader.required("role", word);
    let (places, entries) = reader.finish();
    let build = || Some(AdminToken { name: named.name.clone(), token: token?, role: role? });
    Read { item: build(), places, entries }
}

/// `None` inside for the word `off`.
fn listen_address(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Option<SocketAddr>> {
    if is_off(ctx, val) {
        return Some(None);
    }
    network::tcp_listen(ctx, val).map(Some)
}

/// `None` inside for the word `off`.
fn socket(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Option<PathBuf>> {
    if is_off(ctx, val) {
        return Some(None);
    }
    absolute(ctx, val).map(Some)
}

fn password(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Secret> {
    let found = secret(ctx, val)?;
    // A door that everybody can open.
    if format!("\"{}\"", found.reveal()) == show::MASK {
        let message = format!("`{}` is what stands for a secret, not one", val.doc.key);
        return bad(ctx, val, message, "write the secret where `explain` shows `***`");
    }
    Some(found)
}

/// What a header can carry (RFC 6750), long enough not to be guessed.
fn bearer(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Secret> {
    let found = secret(ctx, val)?;
    let shown = ctx.shown.take();
    let token = found.reveal();
    let help = "`openssl rand -hex 24` makes a good one";
    if !token.bytes().all(|b| b.is_ascii_graphic()) {
        let message = format!("`{}` must be one word", val.doc.key);
        return bad(ctx, val, message, help);
    }
    if !(TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&token.len()) {
        let message = format!(
            "`{}` must have {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} characters",
            val.doc.key
        );
        return bad(ctx, val, message, help);
    }
    ctx.shown = shown;
    Some(found)
}

/// A hash may stand in the file: it is not the password. It is not shown all the same.
fn hash(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Secret> {
    let found = match val.value {
        DeValue::String(_) => Secret::new(text(ctx, val)?),
        _ => secret(ctx, val)?,
    };
    let problem = hash_problem(found.reveal().trim_end());
    if let Some((problem, help)) = problem {
        return bad(ctx, val, format!("`{}` {problem}", val.doc.key), help);
    }
    ctx.shown = Some(Shown::One(show::MASK.to_owned()));
    Some(Secret::new(found.reveal().trim_end().to_owned()))
}

/// What is wrong with it, and how to mend it.
fn hash_problem(hash: &str) -> Option<(&'static str, &'static str)> {
    const MAKE: &str = "`openssl passwd -6` makes one";
    let Some(rest) = hash.strip_prefix("$6$") else {
        let problem = match hash.split('$').nth(1) {
            Some("1" | "5" | "2a" | "2b" | "2y" | "y" | "apr1") => {
                "is of another kind than SHA-512"
            }
            _ => "is no hash such as \"$6$SALT$…\"",
        };
        return Some((problem, MAKE));
    };
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        None => (None, rest),
        Some(rest) => match rest.split_once('$') {
            Some((rounds, rest)) => (Some(rounds.parse::<u32>()), rest),
            None => return Some(("is cut off", MAKE)),
        },
    };
    match rounds {
        Some(Err(_) | Ok(0..1000)) => return Some(("has bad rounds", "1000 rounds at least")),
        Some(Ok(rounds)) if rounds > ROUNDS_MAX => {
            return Some(("has too many rounds", "200000 at most; without a number it is 5000"));
        }
        _ => {}
    }
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/');
    match rest.split_once('$') {
        Some((salt, end))
            if salt.len() <= SALT_CHARS_MAX
                && salt.bytes().all(good)
                && end.len() == HASH_CHARS
                && end.bytes().all(good) =>
        {
            None
        }
        _ => Some(("is cut off or changed", MAKE)),
    }
}

/// A path of an address, without anything behind it.
fn web_path(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = filled(ctx, val)?;
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b'/');
    let parts = found.strip_prefix('/').map(|rest| rest.split('/').all(|part| !part.is_empty()));
    if parts != Some(true) || !found.bytes().all(good) || found.len() > 128 {
        let message = format!("`{}` must be {}", val.doc.key, val.doc.kind.describe());
        return bad(ctx, val, message, "letters, digits, `-`, `_`, `.`, `~` and `/` between them");
    }
    let is_below = |taken: &&&str| {
        found.strip_prefix(**taken).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if let Some(taken) = TAKEN.iter().find(is_below) {
        let message = format!("`{}` cannot be below `{taken}`", val.doc.key);
        return bad(ctx, val, message, "that path has another meaning");
    }
    Some(found)
}
