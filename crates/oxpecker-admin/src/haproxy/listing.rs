//! `show backend`, `show servers state`, `show servers conn`, `show sess`, `show table`.

use std::fmt::Write as _;

use oxpecker_proxy::control::{
    AdminState, ConnectionView, EntryView, Health, MemberView, PoolView,
};

use super::proxies::{Proxy, proxies, servers};
use super::server;
use crate::snapshot::Snapshot;

pub(crate) fn backends(snapshot: &Snapshot) -> String {
    let mut out = String::from("# name\n");
    for proxy in proxies(snapshot).iter().filter(|proxy| proxy.backend.is_some()) {
        let _ = writeln!(out, "{}", proxy.name());
    }
    out
}

/// Version 1 of HAProxy's format, and the columns of its release 2.6.
const STATE_HEAD: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight \
    srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state \
    srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port \
    srv_check_addr srv_agent_addr srv_agent_port\n";

/// Backends in question: all, or the one that is named.
pub(crate) type Backends<'a> = [(Proxy<'a>, &'a PoolView)];

pub(crate) fn server_states(snapshot: &Snapshot, backends: &Backends<'_>) -> String {
    let mut out = String::from(STATE_HEAD);
    for (proxy, pool) in backends {
        for (sid, name, member) in servers(pool) {
            state_line(&mut out, snapshot, (proxy, pool), (sid, name), member);
        }
    }
    out
}

fn state_line(
    out: &mut String,
    snapshot: &Snapshot,
    (proxy, pool): (&Proxy<'_>, &PoolView),
    (sid, name): (u32, &str),
    member: &MemberView,
) {
    let address = address_of(member);
    let check = server::check(member);
    let has_check = !member.probe.kind.is_empty();
    // HAProxy's bits: configured 0x02, enabled 0x04, paused 0x08.
    let check_state = match (has_check, member.admin_state) {
        (false, _) => 0,
        (true, AdminState::Disabled) => 14,
        (true, _) => 6,
    };
    // 0 unknown, 2 failed, 3 passed, 4 passed on condition.
    let result = match (check, member.probe.failure, member.health) {
        (None, ..) => 0,
        (Some(check), ..) if check.status == "INI" => 0,
        (Some(_), Some(_), _) => 2,
        (Some(_), None, Health::Quiescing) => 4,
        (Some(_), None, _) => 3,
    };
    let _ = writeln!(
        out,
        "{} {} {sid} {name} {address} {} {} {} {} {} {} {result} {} {check_state} 0 0 0 - {} - {} \
         0 - - 0",
        proxy.iid,
        proxy.name(),
        operational(member),
        admin_bits(member),
        member.weight,
        snapshot.configured_weight(member),
        member.health_since.as_secs(),
        check.map_or(1, |check| check.number),
        server::check_health(member),
        member.port,
        u32::from(uses_tls(snapshot, pool)),
    );
}

fn address_of(member: &MemberView) -> String {
    member.address.map_or_else(|| "-".to_owned(), |address| address.ip().to_string())
}

fn uses_tls(snapshot: &Snapshot, pool: &PoolView) -> bool {
    snapshot.virtuals.iter().any(|server| server.pool == pool.name && server.tls_server)
}

/// 0 stopped, 2 running, 3 stopping.
fn operational(member: &MemberView) -> u32 {
    match (member.admin_state, member.health) {
        (AdminState::Disabled, _) | (_, Health::Down) => 0,
        (_, Health::Quiescing) => 3,
        _ => 2,
    }
}

/// 0x01 forced maintenance, 0x08 forced drain.
fn admin_bits(member: &MemberView) -> u32 {
    match member.admin_state {
        AdminState::Enabled => 0,
        AdminState::Draining => 8,
        AdminState::Disabled => 1,
    }
}

/// HAProxy tells here of connections that it keeps for reuse, of which a relay has none.
pub(crate) fn server_connections(snapshot: &Snapshot, backends: &Backends<'_>) -> String {
    let threads = snapshot.status.worker_threads;
    let mut out = format!(
        "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb idle_lim \
         idle_cur idle_per_thr[{threads}]\n"
    );
    let idle = " 0".repeat(threads);
    for (proxy, pool) in backends {
        for (sid, name, member) in servers(pool) {
            let address = address_of(member);
            let _ = writeln!(
                out,
                "{}/{name} {}/{sid} {address} {} - 0 {open} {} {open} 0 0 0 0{idle}",
                proxy.name(),
                proxy.iid,
                member.port,
                member.connections.open_max,
                open = member.connections.open,
            );
        }
    }
    out
}

/// All backends, for the listings above.
pub(crate) fn all_backends(snapshot: &Snapshot) -> Vec<(Proxy<'_>, &PoolView)> {
    let backends = proxies(snapshot).into_iter();
    backends.filter_map(|proxy| proxy.backend.map(|pool| (proxy, pool))).collect()
}

/// One line a connection. Its number stands where HAProxy has a pointer, and `shutdown session` takes it.
pub(crate) fn sessions(
    snapshot: &Snapshot,
    connections: &[ConnectionView],
    detailed: bool,
) -> String {
    let mut out = String::new();
    for connection in connections {
        let server = server_of(snapshot, connection);
        let (id, client) = (connection.id, &connection.client);
        let protocol = if client.starts_with("unix") { "unix_stream" } else { "tcpv4" };
        let protocol = if client.starts_with('[') || client.matches(':').count() > 1 {
            "tcpv6"
        } else {
            protocol
        };
        let (frontend, backend) = (&connection.virtual_server, &connection.pool);
        let age = short(connection.age.as_secs());
        if !detailed {
            let idle = connection.idle.map_or_else(String::new, |idle| short(idle.as_secs()));
            let _ = writeln!(
                out,
                "{id:#x}: proto={protocol} src={client} fe={frontend} be={backend} srv={server} ts=00 age={age} \
                 idle={idle} in={} out={}",
                connection.bytes_in, connection.bytes_out
            );
            continue;
        }
        let at = connection.accepted.to_zoned(jiff::tz::TimeZone::system());
        let _ = writeln!(
            out,
            "{id:#x}: [{}] id={id} proto={protocol} source={client}\n  \
             frontend={frontend} (mode=tcp)\n  backend={backend} (mode=tcp)\n  \
             server={server}\n  age={age}\n  req=(total={})\n  res=(total={})",
            at.strftime("%d/%b/%Y:%H:%M:%S.%6f"),
            connection.bytes_in,
            connection.bytes_out,
        );
    }
    out
}

fn server_of<'a>(snapshot: &'a Snapshot, connection: &ConnectionView) -> &'a str {
    let pool = snapshot.pools.iter().find(|pool| pool.name == connection.pool);
    let (Some(pool), Some(wanted)) = (pool, &connection.member) else { return "<none>" };
    let mut known = servers(pool);
    known.find(|(_, _, member)| member.name == *wanted).map_or("<none>", |(_, name, _)| name)
}

/// `5s`, `1m4s`, `2h3m`: two units at most, as HAProxy writes ages.
fn short(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// Persistence of a virtual server, as a stick table of its name.
pub(crate) fn table_head(name: &str, used: usize) -> String {
    format!("# table: {name}, type: ip, size:{used}, used:{used}\n")
}

pub(crate) fn table_entries(pool: Option<&PoolView>, entries: &[EntryView]) -> String {
    let mut out = String::new();
    for (number, entry) in (1_u64..).zip(entries) {
        let known = pool.into_iter().flat_map(servers);
        let found = known.into_iter().find(|(_, _, member)| member.name == entry.member);
        let (sid, name) = found.map_or((0, entry.member.as_str()), |(sid, name, _)| (sid, name));
        let _ = writeln!(
            out,
            "{number:#x}: key={} use={} idle={} server_id={sid} server_key={name}",
            entry.client,
            entry.open,
            entry.idle.as_millis(),
        );
    }
    out
}
