//! What HAProxy has and Oxpecker has no use for, with the reason a reader is given; and help with
//! words that nobody knows.

/// Keyword and reason. A keyword that ends in `*` stands for all that begin so.
type Reasons = &'static [(&'static str, &'static str)];

const HTTP: &str = "HTTP is not looked into: bytes pass as they come";
const TUNING: &str = "tuning of HAProxy's own engine";
const TLS: &str = "only TLS 1.2 and 1.3 with forward secrecy are spoken, by a library of its own";
const STATE: &str = "health and admin state live in the process, and survive a reload";

pub(super) const GLOBAL: Reasons = &[
    ("51degrees*", HTTP),
    ("anonkey", "nothing is anonymised"),
    ("busy-polling", TUNING),
    ("close-spread-time", "connections are not closed early"),
    ("cluster-secret", TUNING),
    ("cpu-map", "threads go where the kernel puts them; systemd's CPUAffinity limits them"),
    ("cpu-policy", TUNING),
    ("cpu-set", TUNING),
    ("debug", "`level` in [log] says how much is logged"),
    ("default-path", "relative paths are beside the configuration"),
    ("description", "for people"),
    ("deviceatlas*", HTTP),
    ("dns-accept-family", TUNING),
    ("expose-*", TUNING),
    ("external-check", "there are no scripted probes"),
    ("fd-hard-limit", "descriptors are limited by systemd's LimitNOFILE"),
    ("force-cfg-parser-pause", TUNING),
    ("grace", "`drain_delay` in [process] does this"),
    ("h1-*", HTTP),
    ("h2-*", HTTP),
    ("harden.*", TUNING),
    ("http-err-codes", HTTP),
    ("http-fail-codes", HTTP),
    ("httpclient.*", "no HTTP requests are made but probes"),
    ("insecure-*", TUNING),
    ("issuers-chain-path", "name the chain beside its certificate"),
    ("limited-quic", "there is no QUIC"),
    ("load-server-state-from-file", STATE),
    ("localpeer", "nothing is shared with other HAProxies"),
    ("log-send-hostname", "lines carry no host name; syslog adds it"),
    ("log-tag", "lines are tagged `oxpecker`"),
    ("lua-*", "only what runs the script would miss it, and that is refused where it stands"),
    ("master-worker", "one process reloads itself"),
    ("maxcompcpuusage", HTTP),
    ("maxcomprate", HTTP),
    ("maxpipes", "pipes are counted among the descriptors"),
    ("maxzlibmem", HTTP),
    ("mworker-*", "one process reloads itself"),
    ("no-*", TUNING),
    ("no", TUNING),
    ("node", "for people"),
    ("noepoll", TUNING),
    ("noevports", TUNING),
    ("nogetaddrinfo", TUNING),
    ("nokqueue", TUNING),
    ("noktls", TUNING),
    ("nopoll", TUNING),
    ("noreuseport", TUNING),
    ("nosplice", "splicing starts by itself where it pays"),
    ("numa-cpu-mapping", TUNING),
    ("ocsp-update.*", "OCSP answers are not stapled"),
    ("pp2-never-send-local", "probes send no PROXY header"),
    ("prealloc-fd", TUNING),
    ("profiling.*", TUNING),
    ("quiet", "`level` in [log] says how much is logged"),
    ("server-state-*", STATE),
    ("set-dumpable", "core dumps are systemd's business (LimitCORE)"),
    ("set-var", HTTP),
    ("set-var-fmt", HTTP),
    ("setcap", "capabilities are systemd's business"),
    ("shm-*", TUNING),
    ("spread-checks", "probes of members are spread anyway"),
    ("ssl-default-*-ciphers", TLS),
    ("ssl-default-*-curves", TLS),
    ("ssl-default-*-sigalgs", TLS),
    ("ssl-dh-param-file", TLS),
    ("ssl-engine", TLS),
    ("ssl-load-extra-*", "name key and chain where the certificate is named"),
    ("ssl-mode-async", TLS),
    ("ssl-propquery", TLS),
    ("ssl-provider*", TLS),
    ("ssl-security-level", TLS),
    ("ssl-skip-self-issued-ca", TLS),
    ("stats-file", STATE),
    ("stress-level", TUNING),
    ("strict-limits", "the limits of descriptors are checked at the start"),
    ("thread-*", TUNING),
    ("tune.*", TUNING),
    ("ulimit-n", "descriptors are limited by systemd's LimitNOFILE"),
    ("unix-bind", "`socket_mode` of a virtual server sets the permissions"),
    ("unsetenv", "variables are replaced while this file is read"),
    ("warn-blocked-*", TUNING),
    ("wurfl-*", HTTP),
    ("zero-warning", "`oxpecker check --strict` does this"),
];

pub(super) const PROXY: Reasons = &[
    ("bind-process", TUNING),
    ("compression", HTTP),
    ("declare", HTTP),
    ("email-alert", "changes of health are in the log"),
    ("errorfile", HTTP),
    ("errorfiles", HTTP),
    ("errorloc*", HTTP),
    ("force-persist", HTTP),
    ("fullconn", "limits of members are fixed"),
    ("guid", "for programs that talk to HAProxy"),
    ("http-after-response", HTTP),
    ("http-error", HTTP),
    ("http-response", HTTP),
    ("http-reuse", HTTP),
    ("http-send-name-header", HTTP),
    ("id", "objects are known by name"),
    ("ignore-persist", HTTP),
    ("load-server-state-from-file", STATE),
    ("log-tag", "lines are tagged `oxpecker`"),
    ("max-keep-alive-queue", HTTP),
    ("max-session-srv-conns", HTTP),
    ("monitor-net", "who only looks whether the port opens needs no rule"),
    ("rate-limit", "there is no limit of connections a second"),
    ("reqadd", HTTP),
    ("rspadd", HTTP),
    ("rspidel", HTTP),
    ("server-state-file-name", STATE),
    ("unique-id-*", HTTP),
];

/// `option NAME`
pub(super) const OPTION: Reasons = &[
    ("accept-invalid-http-re*", HTTP),
    ("accept-unsafe-violations-*", HTTP),
    ("abortonclose", "a client that leaves while it waits is noticed anyway"),
    ("assume-rfc6587-ntf", "other programs' logs are not forwarded"),
    ("checkcache", HTTP),
    ("contstats", "counters are always current"),
    ("disable-h2-upgrade", HTTP),
    (
        "dontlog-normal",
        "all connections are logged; log analysis can leave out those that end with `--`",
    ),
    ("forceclose", HTTP),
    ("h1-*", HTTP),
    ("http-*", HTTP),
    ("httpclose", HTTP),
    ("httpslog", "the access record is HAProxy's tcplog"),
    ("idle-close-on-response", HTTP),
    ("independant-streams", "both directions count as one connection's activity"),
    ("independent-streams", "both directions count as one connection's activity"),
    ("log-health-checks", "changes of health are always logged"),
    ("log-separate-errors", "access records have one level; process events have their own"),
    ("logasap", "records are written at the end of a connection"),
    ("nolinger", "sockets are closed in an orderly way unless the other side was cut"),
    ("originalto", HTTP),
    ("prefer-last-server", HTTP),
    ("restrict-req-hdr-names", HTTP),
    ("socket-stats", "counters are kept for each virtual server"),
    ("splice-*", "splicing starts by itself where it pays"),
    ("tcp-smart-accept", TUNING),
    ("tcp-smart-connect", TUNING),
    ("use-small-buffers", TUNING),
];

/// Keywords of `server` lines with the number of values they take.
pub(super) const SERVER: &[(&str, usize, &str)] = &[
    ("check-pool-conn-name", 1, TUNING),
    ("check-reuse-pool", 0, TUNING),
    ("ciphers", 1, TLS),
    ("client-sigalgs", 1, TLS),
    ("cookie", 1, "cookies are not looked at"),
    ("curves", 1, TLS),
    ("enabled", 0, ""),
    ("guid", 1, "members are known by name"),
    ("hash-key", 1, "source-hash goes by the node's name"),
    ("id", 1, "members are known by name"),
    ("idle-ping", 1, HTTP),
    ("init-addr", 1, "a name that cannot be looked up leaves its member down until it can"),
    ("init-state", 1, "a member counts as unknown until its first probe"),
    ("log-bufsize", 1, TUNING),
    ("log-proto", 1, HTTP),
    ("max-reuse", 1, HTTP),
    ("no-agent-check", 0, ""),
    ("no-backup", 0, ""),
    ("no-check", 0, ""),
    ("no-check-reuse-pool", 0, TUNING),
    ("no-send-proxy", 0, ""),
    ("no-send-proxy-v2", 0, ""),
    ("no-ssl-reuse", 0, "sessions with members are resumed where they can be"),
    ("no-sslv3", 0, TLS),
    ("no-tfo", 0, ""),
    ("no-tls-tickets", 0, "sessions with members are resumed where they can be"),
    ("no-tlsv10", 0, TLS),
    ("no-tlsv11", 0, TLS),
    ("npn", 1, "`alpn` took its place, and browsers and libraries gave it up"),
    ("pool-conn-name", 1, HTTP),
    ("pool-low-conn", 1, HTTP),
    ("pool-max-conn", 1, HTTP),
    ("pool-purge-delay", 1, HTTP),
    ("proto", 1, HTTP),
    ("renegotiate", 0, TLS),
    ("resolve-net", 1, "names are looked up through the system's resolver"),
    ("resolve-opts", 1, "names are looked up through the system's resolver"),
    ("resolve-prefer", 1, "names are looked up through the system's resolver"),
    ("resolvers", 1, "names are looked up through the system's resolver"),
    ("shard", 1, "nothing is shared with other HAProxies"),
    ("sigalgs", 1, TLS),
    ("ssl-reuse", 0, ""),
    ("stick", 0, ""),
    ("strict-maxconn", 0, ""),
    ("tfo", 0, "TCP Fast Open is not used"),
    ("tls-tickets", 0, ""),
    ("ws", 1, HTTP),
];

/// Keywords of `bind` lines with the number of values they take.
pub(super) const BIND: &[(&str, usize, &str)] = &[
    ("allow-0rtt", 0, "early data could be sent twice, and is refused"),
    ("cc", 1, TUNING),
    ("ca-ignore-err", 1, "a client's certificate is verified without exceptions"),
    ("ciphers", 1, TLS),
    ("client-sigalgs", 1, TLS),
    ("crt-ignore-err", 1, "a client's certificate is verified without exceptions"),
    ("curves", 1, TLS),
    ("defer-accept", 0, "clients speak first anyway"),
    ("ecdhe", 1, TLS),
    ("expose-fd", 1, "listeners stay open over a reload"),
    ("gid", 1, "`socket_mode` sets the permissions"),
    ("group", 1, "`socket_mode` sets the permissions"),
    ("guid-prefix", 1, "for programs that talk to HAProxy"),
    ("id", 1, "objects are known by name"),
    ("idle-ping", 1, HTTP),
    ("label", 1, "for people"),
    ("level", 1, "only the admin socket has levels"),
    ("mss", 1, TUNING),
    ("name", 1, ""),
    ("nbconn", 1, TUNING),
    ("nice", 1, TUNING),
    ("no-alpn", 0, ""),
    ("no-ca-names", 0, "clients are told whose certificates are taken"),
    ("no-sslv3", 0, TLS),
    ("no-strict-sni", 0, ""),
    ("no-tlsv10", 0, TLS),
    ("no-tlsv11", 0, TLS),
    ("npn", 1, "`alpn` took its place, and browsers and libraries gave it up"),
    ("ocsp-update", 1, "OCSP answers are not stapled"),
    ("prefer-client-ciphers", 0, TLS),
    ("process", 1, TUNING),
    ("proto", 1, HTTP),
    ("severity-output", 1, "only the admin socket has it"),
    ("shards", 1, "every thread has a listening socket of its own"),
    ("sigalgs", 1, TLS),
    ("tfo", 0, "TCP Fast Open is not used"),
    ("thread", 1, "every thread has a listening socket of its own"),
    ("tls-ticket-keys", 1, "ticket keys are made and changed by the process itself"),
    ("tls-tickets", 0, ""),
    ("uid", 1, "`socket_mode` sets the permissions"),
    ("user", 1, "`socket_mode` sets the permissions"),
];

/// Why a keyword is dropped.
pub(super) fn reason(table: Reasons, keyword: &str) -> Option<&'static str> {
    let fits = |pattern: &str| match pattern.split_once('*') {
        Some((start, end)) => {
            keyword.len() >= start.len() + end.len()
                && keyword.starts_with(start)
                && keyword.ends_with(end)
        }
        None => keyword == pattern,
    };
    table.iter().find(|(pattern, _)| fits(pattern)).map(|(_, reason)| *reason)
}

/// How many values a keyword takes, and why it is dropped.
pub(super) fn option_reason(
    table: &'static [(&'static str, usize, &'static str)],
    keyword: &str,
) -> Option<(usize, &'static str)> {
    let found = table.iter().find(|(name, ..)| *name == keyword);
    found.map(|(_, values, reason)| (*values, *reason))
}

/// A piece of the file inside a message.
pub(super) fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The word that was probably meant.
pub(super) fn nearest(
    word: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    if word.len() > 40 {
        return None;
    }
    known
        .map(|name| (strsim::osa_distance(word, name), name))
        .filter(|(distance, name)| *distance <= 2 && *distance * 2 < name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `did you mean …?`, or nothing.
pub(super) fn did_you_mean(word: &str, known: impl Iterator<Item = &'static str>) -> String {
    nearest(word, known).map_or_else(String::new, |name| format!("did you mean `{name}`?"))
}
