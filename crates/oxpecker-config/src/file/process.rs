//! Reads `[process]`, `[log]` and `[[log.target]]`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::{Read, Single};
use crate::context::{Ctx, shorten};
use crate::model::{
    Facility, Level, Log, LogTarget, Process, Records, Sink, SyslogProtocol, SyslogTransport,
    TextFormat,
};
use crate::reader::{Layer, Reader, Val};
use crate::text::Place;
use crate::values::{bad, count, duration, filled, path, switch, text, word};

/// Syslog's port.
const SYSLOG_PORT: u16 = 514;

pub(crate) fn process(ctx: &mut Ctx<'_>, single: Single<'_>, nowhere: Place) -> Read<Process> {
    let place = single.place.unwrap_or(nowhere);
    let mut reader = Reader::new(ctx, "process", "[process]", place, single.layers);
    let threads = reader.optional("threads", count);
    let connections_max = reader.optional("connections_max", count);
    let drain_delay = reader.value("drain_delay", duration);
    let drain_timeout = reader.value("drain_timeout", duration);
    let user = reader.optional("user", filled);
    let group = reader.optional("group", filled);
    let chroot = reader.optional("chroot", absolute);
    let pidfile = reader.optional("pidfile", path);
    let (places, entries) = reader.finish();
    let build = || {
        Some(Process {
            threads: threads?.and_then(|threads: usize| threads.try_into().ok()),
            connections_max: connections_max?,
            drain_delay: drain_delay?,
            drain_timeout: drain_timeout?,
            user: user?,
            group: group?,
            chroot: chroot?,
            pidfile: pidfile?,
        })
    };
    Read { item: build(), places, entries }
}

pub(crate) fn absolute(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<PathBuf> {
    let found = path(ctx, val)?;
    if found.has_root() {
        return Some(found);
    }
    let message = format!("`{}` must start with `/`", val.doc.key);
    bad(ctx, val, message, "")
}

/// Without its targets and delivery: they are read by [`log_target`] and [`super::delivery`].
pub(crate) fn log(ctx: &mut Ctx<'_>, single: Single<'_>, nowhere: Place) -> Read<Log> {
    let place = single.place.unwrap_or(nowhere);
    let mut reader = Reader::new(ctx, "log", "[log]", place, single.layers);
    reader.ignore("target");
    reader.ignore("delivery");
    let level = reader.value("level", word);
    let access = reader.value("access", word);
    let dontlognull = reader.value("dontlognull", switch);
    let queries = reader.value("queries", word);
    let statements = reader.value("statements", word);
    let (places, entries) = reader.finish();
    let build = || {
        Some(Log {
            level: level?,
            access: access?,
            dontlognull: dontlognull?,
            queries: queries?,
            statements: statements?,
            targets: Vec::new(),
            delivery: None,
        })
    };
    Read { item: build(), places, entries }
}

/// What lines go to when nothing is written.
pub(crate) fn default_target(level: Level) -> LogTarget {
    LogTarget { sink: Sink::Stdout, level, format: TextFormat::Text, records: Records::All }
}

pub(crate) fn log_target(
    ctx: &mut Ctx<'_>,
    place: Place,
    layer: Layer<'_>,
    log_level: Level,
) -> Read<LogTarget> {
    let mut reader = Reader::new(ctx, "log.target", "[[log.target]]", place, vec![layer]);
    let to = reader.required("to", sink);
    let level = reader.optional("level", word::<Level>);
    let format = reader.value("format", word);
    let records = reader.value("records", word);
    let facility = reader.optional("facility", word::<Facility>);
    let protocol = reader.optional("protocol", word::<SyslogProtocol>);
    reader.computed("level", format!("\"{}\"", crate::words::word_of(log_level)));
    let is_syslog = matches!(to, Some(To::Syslog(_)));
    if is_syslog {
        reader.computed("facility", "\"local0\"");
        reader.computed("protocol", "\"rfc3164\"");
    } else if to.is_some() {
        for key in ["facility", "protocol"] {
            if reader.is_written(key) {
                let place = reader.place(key);
                let message = format!("`{key}` does nothing for this target");
                let help = "only `udp:`, `tcp:` and `unix:` targets speak syslog";
                reader.ctx.error(place, message).help(help);
            }
        }
    }
    let (places, mut entries) = reader.finish();
    if !is_syslog {
        entries.retain(|entry| !matches!(entry.key, "facility" | "protocol"));
    }
    let build = || {
        let sink = match to? {
            To::Sink(sink) => sink,
            To::Syslog(transport) => Sink::Syslog {
                transport,
                protocol: protocol?.unwrap_or(SyslogProtocol::Rfc3164),
                // local0, as in HAProxy's samples.
                facility: facility?.unwrap_or(Facility(16)),
            },
        };
        Some(LogTarget {
            sink,
            level: level?.unwrap_or(log_level),
            format: format?,
            records: records?,
        })
    };
    Read { item: build(), places, entries }
}

enum To {
    Sink(Sink),
    Syslog(SyslogTransport),
}

fn sink(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<To> {
    let found = text(ctx, val)?;
    let parsed = match found.split_once(':') {
        None if found == "stdout" => Some(To::Sink(Sink::Stdout)),
        None if found == "stderr" => Some(To::Sink(Sink::Stderr)),
        Some(("file", path)) if !path.is_empty() => Some(To::Sink(Sink::File(path.into()))),
        Some(("unix", path)) if path.starts_with('/') => {
            Some(To::Syslog(SyslogTransport::Unix(path.into())))
        }
        Some(("udp", rest)) => syslog_address(rest).map(|to| To::Syslog(SyslogTransport::Udp(to))),
        Some(("tcp", rest)) => syslog_address(rest).map(|to| To::Syslog(SyslogTransport::Tcp(to))),
        _ => None,
    };
    if parsed.is_none() {
        let message =
            format!("`to` must be {}, not `{}`", val.doc.kind.describe(), shorten(&found));
        let help = if found.starts_with("udp:") || found.starts_with("tcp:") {
            "a syslog target needs an IP address, names are not looked up"
        } else if found.starts_with('/') {
            "for a file put `file:` before the path"
        } else {
            ""
        };
        return bad(ctx, val, message, help);
    }
    parsed
}

fn syslog_address(text: &str) -> Option<SocketAddr> {
    let with_default = |address: IpAddr| SocketAddr::new(address, SYSLOG_PORT);
    let address: SocketAddr = text.parse().ok().or_else(|| text.parse().ok().map(with_default))?;
    (address.port() != 0).then_some(address)
}
