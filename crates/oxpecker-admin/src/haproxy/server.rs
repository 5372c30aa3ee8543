//! A member as HAProxy's server: its status word, its check's codes, its row.

use std::time::Duration;

use oxpecker_proxy::control::{AdminState, Health, MemberView, PoolView, ProbeFailure, TimesView};

use super::fields::{Field, Kind, Row};
use super::watch::{Key, Watch};

/// `status` of a server, in HAProxy's words.
pub(crate) fn status(member: &MemberView) -> String {
    match (member.admin_state, member.health) {
        (AdminState::Disabled, _) => "MAINT".to_owned(),
        (_, Health::Down) => match passing(member) {
            0 => "DOWN".to_owned(),
            passed => format!("DOWN {passed}/{}", member.probe.rise),
        },
        (AdminState::Draining, _) => "DRAIN".to_owned(),
        (_, Health::Quiescing) => "NOLB".to_owned(),
        _ if member.probe.kind.is_empty() => "no check".to_owned(),
        (_, Health::Up) if failing(member) > 0 => {
            let left = member.probe.fall.saturating_sub(failing(member));
            format!("UP {left}/{}", member.probe.fall)
        }
        _ => "UP".to_owned(),
    }
}

/// The balancing method may choose it.
pub(crate) fn takes_new(member: &MemberView) -> bool {
    let is_well = matches!(member.health, Health::Up | Health::Unknown);
    member.admin_state == AdminState::Enabled && is_well && member.weight > 0
}

/// Probes in a row that passed at a member that is still down.
fn passing(member: &MemberView) -> u32 {
    let passed = member.probe.failure.is_none() && member.probe.last.is_some();
    if passed { member.probe.in_a_row.min(member.probe.rise.saturating_sub(1)) } else { 0 }
}

/// Probes in a row that failed at a member that is still up.
fn failing(member: &MemberView) -> u32 {
    let failed = member.probe.failure.is_some();
    if failed { member.probe.in_a_row.min(member.probe.fall.saturating_sub(1)) } else { 0 }
}

/// HAProxy's one number for how well checks go: below `rise` is down, `rise + fall - 1` is best.
pub(crate) fn check_health(member: &MemberView) -> u32 {
    let best = (member.probe.rise + member.probe.fall).saturating_sub(1);
    match member.health {
        _ if member.admin_state == AdminState::Disabled => 0,
        Health::Down => passing(member),
        _ => best.saturating_sub(failing(member)),
    }
}

/// The last check: code, and what HAProxy says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) status: &'static str,
    pub(crate) description: &'static str,
    /// Status of an HTTP answer.
    pub(crate) code: Option<u16>,
    /// Its number in `show servers state`.
    pub(crate) number: u32,
}

/// HAProxy's codes that can come up here, for series of which one is 1.
pub(crate) const CHECKS: [&str; 16] = [
    "HANA", "SOCKERR", "L4OK", "L4TOUT", "L4CON", "L6OK", "L6TOUT", "L6RSP", "L7TOUT", "L7RSP",
    "L7OK", "L7OKC", "L7STS", "PROCERR", "PROCTOUT", "PROCOK",
];

/// The last check, also of a member in maintenance. TCP and TLS have layers of their own; whatever a
/// probe says after them is layer 7.
pub(crate) fn check(member: &MemberView) -> Option<Check> {
    if member.probe.kind.is_empty() {
        return None;
    }
    let check = |status, description, number| Check { status, description, code: None, number };
    let probe = &member.probe;
    Some(match probe.failure {
        Some(ProbeFailure::Unresolved) => check("SOCKERR", "Socket error", 4),
        Some(ProbeFailure::Connect) => check("L4CON", "Layer4 connection problem", 8),
        Some(ProbeFailure::ConnectTimeout) => check("L4TOUT", "Layer4 timeout", 7),
        Some(ProbeFailure::Tls) => check("L6RSP", "Layer6 invalid response", 11),
        Some(ProbeFailure::Answer) => check("L7RSP", "Layer7 invalid response", 13),
        Some(ProbeFailure::AnswerTimeout) => check("L7TOUT", "Layer7 timeout", 12),
        Some(ProbeFailure::Status(code)) => {
            Check { code: Some(code), ..check("L7STS", "Layer7 wrong status", 16) }
        }
        None if probe.last.is_none() => check("INI", "Initializing", 2),
        None if member.health == Health::Quiescing => {
            check("L7OKC", "Layer7 check conditionally passed", 15)
        }
        None if probe.kind == "tcp" => check("L4OK", "Layer4 check passed", 6),
        None => check("L7OK", "Layer7 check passed", 14),
    })
}

/// The pool's method does not choose it while better members can: HAProxy's `backup`.
pub(crate) fn is_backup(pool: &PoolView, member: &MemberView) -> bool {
    pool.members.iter().any(|other| other.priority > member.priority)
}

pub(crate) fn address(member: &MemberView) -> String {
    match member.address {
        Some(address) => address.to_string(),
        None => format!("0.0.0.0:{}", member.port),
    }
}

/// Means and maxima in whole milliseconds. What a server takes to answer has no meaning without HTTP.
pub(crate) fn times(row: &mut Row, times: &TimesView) {
    let columns = [
        (times.queue, Field::Qtime, Field::QtimeMax),
        (times.connect, Field::Ctime, Field::CtimeMax),
        (times.total, Field::Ttime, Field::TtimeMax),
    ];
    let whole = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    for (time, mean, max) in columns {
        row.put(mean, whole(time.mean));
        row.put(max, whole(time.max));
    }
}

/// Seconds since the last connection; -1 = there was none.
pub(crate) fn last_session(member: &MemberView) -> i32 {
    member.last_chosen.map_or(-1, |ago| i32::try_from(ago.as_secs()).unwrap_or(i32::MAX))
}

/// What no member has: HTTP, its own queue, connections that are kept for reuse.
const NOUGHT: &[Field] = &[
    Field::Qcur,
    Field::Qmax,
    Field::Dresp,
    Field::Eresp,
    Field::Rtime,
    Field::Wrew,
    Field::Reuse,
    Field::SrvIcur,
    Field::RtimeMax,
    Field::Eint,
    Field::IdleConnCur,
    Field::SafeConnCur,
];

pub(crate) fn row(
    pool: &PoolView,
    (iid, sid): (u32, u32),
    (proxy, name): (&str, &str),
    member: &MemberView,
    watch: &Watch,
) -> Row {
    let mut row = Row::new(Kind::Server, iid, sid);
    row.fill(NOUGHT, 0);
    row.put(Field::Pxname, proxy);
    row.put(Field::Svname, name);
    row.put(Field::Scur, member.connections.open);
    row.put(Field::Smax, member.connections.open_max);
    if let Some(limit) = member.connections_max {
        row.put(Field::Slim, limit);
    }
    row.put(Field::Stot, member.connections.total);
    row.put(Field::Lbtot, member.connections.total);
    row.put(Field::Bin, member.traffic.bytes_in);
    row.put(Field::Bout, member.traffic.bytes_out);
    row.put(Field::Econ, member.connect_failures);
    row.put(Field::Wretr, member.retries);
    row.put(Field::Wredis, member.redispatches);
    row.put(Field::Status, status(member));
    row.put(Field::Weight, u32::from(member.weight));
    row.put(Field::Uweight, u32::from(member.weight));
    let backup = is_backup(pool, member);
    row.put(Field::Act, u32::from(!backup));
    row.put(Field::Bck, u32::from(backup));
    row.put(Field::Lastchg, member.health_since.as_secs());
    let rate = watch.rate(&Key::Server(pool.name.clone(), member.name.clone()));
    row.put(Field::Rate, rate.last);
    row.put(Field::RateMax, rate.max);
    row.put(Field::CliAbrt, member.client_aborts);
    row.put(Field::SrvAbrt, member.member_aborts);
    row.put(Field::Lastsess, last_session(member));
    times(&mut row, &member.times);
    row.put(Field::Addr, address(member));
    row.put(Field::Mode, "tcp");
    row.put(Field::Connect, member.connects + member.connect_failures);
    row.put(Field::UsedConnCur, member.connections.open);
    row.put(Field::NeedConnEst, member.connections.open);
    checks(&mut row, member);
    row
}

fn checks(row: &mut Row, member: &MemberView) {
    if !member.probe.kind.is_empty() {
        row.put(Field::Chkfail, member.probe.failed);
        row.put(Field::Chkdown, member.times_down);
        row.put(Field::Downtime, member.downtime.as_secs());
    }
    // HAProxy does not check what is in maintenance, and so tells nothing.
    let is_shown = member.admin_state != AdminState::Disabled;
    let Some(check) = check(member).filter(|_| is_shown) else { return };
    row.put(Field::CheckStatus, check.status);
    row.put(Field::CheckDesc, check.description);
    if let Some(code) = check.code {
        row.put(Field::CheckCode, u32::from(code));
    }
    if let Some(duration) = member.probe.last_duration {
        row.put(Field::CheckDuration, u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    }
    let words = if member.probe.failure.is_some() { member.probe.last_result.as_str() } else { "" };
    row.put(Field::LastChk, words);
    row.put(Field::CheckRise, member.probe.rise);
    row.put(Field::CheckFall, member.probe.fall);
    row.put(Field::CheckHealth, check_health(member));
}
