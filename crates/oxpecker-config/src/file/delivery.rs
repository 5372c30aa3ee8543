//! Reads `[log.delivery]`.

use std::time::Duration;

use super::{Read, Single};
use crate::context::{Ctx, shorten};
use crate::model::{Bucket, BucketKeys, Delivery, Store};
use crate::reader::{Reader, Val};
use crate::text::Place;
use crate::values::{bad, duration, filled, path, secret, size, text, tls, word};

/// Files of more than a day would be found under the wrong one.
const INTERVAL_MAX: Duration = Duration::from_secs(24 * 3600);

/// What only a bucket needs.
const BUCKET_KEYS: [&str; 4] = ["endpoint", "ca_file", "access_key_id", "secret_access_key"];

pub(crate) fn delivery(ctx: &mut Ctx<'_>, single: Single<'_>, nowhere: Place) -> Read<Delivery> {
    let place = single.place.unwrap_or(nowhere);
    let title = "[log.delivery]";
    let mut reader = Reader::new(ctx, "log.delivery", title, place, single.layers);
    let bucket = reader.optional("bucket", bucket_name);
    let directory = reader.optional("directory", path);
    let prefix = reader.optional("prefix", prefix);
    let layout = reader.value("layout", word);
    let interval = reader.value("interval", interval);
    let name = reader.value("name", part_of_name);
    let account = reader.value("account", part_of_name);
    let region = reader.value("region", part_of_name);
    let endpoint = reader.optional("endpoint", endpoint);
    let ca_file = reader.optional("ca_file", path);
    let id = reader.optional("access_key_id", key_id);
    let secret = reader.optional("secret_access_key", secret);
    let spool = reader.value("spool", path);
    let spool_bytes_max = reader.value("spool_max", size);

    let has_bucket = reader.is_written("bucket");
    match (has_bucket, reader.is_written("directory")) {
        (true, true) => {
            let message = "`bucket` and `directory` both say where files go";
            let place = reader.place("directory");
            reader.ctx.error(place, message).help("keep one of them");
        }
        (false, false) => {
            let message = format!("`bucket` or `directory` is missing in {title}");
            let help = "for example: bucket = \"Cluster1-logs\"";
            reader.ctx.error(place, message).help(help).consequence();
        }
        (false, true) => {
            for key in BUCKET_KEYS {
                if !reader.is_written(key) {
                    continue;
                }
                let (place, message) = (reader.place(key), no_use(key));
                reader.ctx.error(place, message).help("only a `bucket` needs it");
            }
        }
        (true, false) => check_keys(&mut reader),
    }
    if let Some(Some(endpoint)) = &endpoint
        && ca_file != Some(None)
        && endpoint.starts_with("http://")
    {
        let (place, message) = (reader.place("ca_file"), no_use("ca_file"));
        reader.ctx.error(place, message).help("the endpoint is http, not https");
    }
    if let Some(Some(endpoint)) = &endpoint
        && has_bucket
        && goes_over_the_network(endpoint)
    {
        let place = reader.place("endpoint");
        let message = "access records can be read on their way: the endpoint is http";
        reader.ctx.warn(place, message).help("write https://, and `ca_file` for an own authority");
    }
    let (places, mut entries) = reader.finish();
    if !has_bucket {
        entries.retain(|entry| !BUCKET_KEYS.contains(&entry.key));
    }
    let build = || {
        let keys = match (id?, secret?) {
            (Some(id), Some(secret)) => Some(BucketKeys { id, secret }),
            _ => None,
        };
        let (endpoint, ca_file) = (endpoint?, ca_file?);
        let store = match (bucket?, directory?) {
            (Some(name), None) => Store::Bucket(Bucket { name, endpoint, ca_file, keys }),
            (None, Some(directory)) => Store::Directory(directory),
            _ => return None,
        };
        Some(Delivery {
            store,
            prefix: prefix?,
            layout: layout?,
            name: name?,
            account: account?,
            region: region?,
            interval: interval?,
            spool: spool?,
            spool_bytes_max: spool_bytes_max?,
        })
    };
    Read { item: build(), places, entries }
}

/// In clear text, and to another host.
fn goes_over_the_network(endpoint: &str) -> bool {
    let here = ["localhost", "127.", "[::1]"];
    endpoint
        .strip_prefix("http://")
        .is_some_and(|host| !here.iter().any(|own| host.starts_with(own)))
}

fn no_use(key: &str) -> String {
    format!("`{key}` does nothing for this delivery")
}

/// Half a pair would silently mean other keys than those written.
fn check_keys(reader: &mut Reader<'_, '_, '_>) {
    let pair = ["access_key_id", "secret_access_key"];
    for [has, lacks] in [pair, [pair[1], pair[0]]] {
        if reader.is_written(has) && !reader.is_written(lacks) {
            let place = reader.place(has);
            let help = format!("write both, or neither to take them from the environment: {lacks}");
            reader.ctx.error(place, format!("`{has}` needs `{lacks}`")).help(help);
        }
    }
}

fn interval(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Duration> {
    let found = duration(ctx, val)?;
    if found > INTERVAL_MAX || found.subsec_nanos() != 0 {
        let message = "`interval` must be whole seconds, 24h at most".to_owned();
        return bad(ctx, val, message, "AWS has \"5m\" and \"60m\"");
    }
    Some(found)
}

/// S3's rules, but older buckets and other stores may also have upper case and `_`.
fn bucket_name(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = text(ctx, val)?;
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let ends_well = !found.starts_with('.') && !found.ends_with('.') && !found.contains("..");
    if (3..=255).contains(&found.len()) && found.bytes().all(good) && ends_well {
        return Some(found);
    }
    let message = format!("`{}` cannot be the name of a bucket", shorten(&found));
    let help = match found.strip_prefix("s3://").map(|rest| rest.split_once('/')) {
        Some(Some((bucket, prefix))) => format!(
            "write bucket = \"{}\" and prefix = \"{}\"",
            shorten(bucket),
            shorten(prefix.trim_matches('/'))
        ),
        Some(None) => "write the name without `s3://`".to_owned(),
        None if found.contains('/') => "what follows `/` is `prefix`".to_owned(),
        None => "3 to 255 letters, digits, `-`, `_` and `.`".to_owned(),
    };
    bad(ctx, val, message, &help)
}

/// Parts of paths; `.` and `..` would lead elsewhere.
fn prefix(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = filled(ctx, val)?;
    let trimmed = found.trim_matches('/');
    if found.len() <= 512 && trimmed.split('/').all(is_good_part) {
        return Some(trimmed.to_owned());
    }
    let message = format!("`{}` cannot be a prefix", shorten(&found));
    bad(ctx, val, message, "letters, digits, `-`, `_`, `.`, `=` and, between them, `/`")
}

fn is_good_part(part: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'=');
    !part.is_empty() && part.bytes().all(good) && part != "." && part != ".."
}

/// `_` would part the names of files, `/` their directories.
fn part_of_name(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = text(ctx, val)?;
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if (1..=64).contains(&found.len()) && found.bytes().all(good) {
        return Some(found);
    }
    let message = format!("`{}` cannot be `{}`", shorten(&found), val.doc.key);
    bad(ctx, val, message, "up to 64 letters, digits and `-`")
}

fn key_id(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = filled(ctx, val)?;
    if found.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b',') {
        return Some(found);
    }
    bad(ctx, val, "`access_key_id` must be one word".to_owned(), "")
}

fn endpoint(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = filled(ctx, val)?;
    let bare = found.trim_end_matches('/');
    let authority = bare.strip_prefix("https://").or_else(|| bare.strip_prefix("http://"));
    let is_good =
        authority.is_some_and(|rest| !rest.contains(['/', '?']) && tls::is_authority(rest));
    if is_good {
        return Some(bare.to_owned());
    }
    let message = format!("`endpoint` must be {}, not `{}`", val.doc.kind.describe(), {
        // Somebody may have written keys into it.
        shorten(if found.contains('@') { "***" } else { &found })
    });
    let help = match authority {
        None => "begin with https://",
        Some(rest) if rest.contains('@') => "keys are `access_key_id` and `secret_access_key`",
        Some(_) => "scheme, host and port only; the bucket is `bucket`",
    };
    bad(ctx, val, message, help)
}
