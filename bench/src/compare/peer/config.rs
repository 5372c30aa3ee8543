//! The configuration text of every peer. Only what the comparison needs is set; all else is as
//! each program has it.

use super::Place;

/// Enough for the works; HAProxy reserves descriptors for it, pipes included.
const HAPROXY_CONNECTIONS: usize = 9_000;
const HAPROXY_CONNECTIONS_SPLICING: usize = 2_000;

/// What a client may agree on; it offers nothing else either.
const SUITE: &str = "TLS_AES_128_GCM_SHA256";

pub(super) fn oxpecker(place: &Place<'_>) -> String {
    let (kind, tls, profile) = match place.certificate {
        None => ("layer4", "", String::new()),
        Some(certificate) => (
            "standard",
            "tls_client = \"bench\"\n",
            format!(
                r#"[profile.tls_client.bench]
parent = "clientssl"
cipher_suites = ["{SUITE}"]
certificates = [{{ certificate = "{}", key = "{}" }}]
"#,
                certificate.certificate.display(),
                certificate.key.display(),
            ),
        ),
    };
    format!(
        r#"[process]
threads = 1
[log]
access = "tcplog"
[[log.target]]
to = "udp:{syslog}"
facility = "local0"
[node.b]
address = "{address}"
[pool.p]
port = {port}
members = ["b"]
monitor = "tcp"
[virtual.v]
listen = "{listen}"
pool = "p"
type = "{kind}"
protocol_profile = "hour"
{tls}[profile.protocol.hour]
parent = "{parent}"
idle_timeout = "1h"
{profile}"#,
        syslog = place.syslog,
        address = place.backend.ip(),
        port = place.backend.port(),
        listen = place.listen,
        parent = if kind == "layer4" { "fastl4" } else { "tcp" },
    )
}

/// The same, reading the protocol.
pub(super) fn oxpecker_aware(place: &Place<'_>) -> String {
    let opaque = "type = \"layer4\"\n";
    let aware = "type = \"standard\"\nprotocol = \"beeswax\"\n";
    oxpecker(place).replacen(opaque, aware, 1).replacen("\"fastl4\"", "\"tcp\"", 1)
}

pub(super) fn haproxy(place: &Place<'_>, tuned: bool) -> String {
    let (pipes, splice, connections) = if tuned {
        (
            "    tune.pipesize 1048576\n",
            "    option splice-request\n    option splice-response\n",
            HAPROXY_CONNECTIONS_SPLICING,
        )
    } else {
        ("", "", HAPROXY_CONNECTIONS)
    };
    let tls = place.certificate.map_or(String::new(), |certificate| {
        format!(" ssl crt {} ssl-min-ver TLSv1.3 ciphersuites {SUITE}", certificate.both.display())
    });
    format!(
        "global
    nbthread 1
    maxconn {connections}
    log {syslog} local0
    stats socket {control} mode 600
{pipes}defaults
    mode tcp
    log global
    option tcplog
{splice}    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend v
    bind {listen}{tls}
    default_backend p
backend p
    server b {backend} check
",
        syslog = place.syslog,
        control = place.control_socket().display(),
        listen = place.listen,
        backend = place.backend,
    )
}

pub(super) fn nginx(place: &Place<'_>) -> String {
    let tls = place.certificate.map_or(String::new(), |certificate| {
        format!(
            "ssl_certificate {};
        ssl_certificate_key {};
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites {SUITE};",
            certificate.certificate.display(),
            certificate.key.display(),
        )
    });
    format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;
user root;
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {directory}/nginx.pid;
events {{ worker_connections 20000; }}
stream {{
    log_format tcp '$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received '
                   '$session_time $upstream_addr $upstream_connect_time';
    access_log {log} tcp;
    upstream p {{ server {backend}; }}
    server {{
        listen {listen}{ssl};
        {tls}
        proxy_pass p;
        proxy_connect_timeout 5s;
        proxy_timeout 1h;
        proxy_half_close on;
    }}
}}
",
        directory = place.directory.display(),
        log = place.log_file().display(),
        backend = place.backend,
        listen = place.listen,
        ssl = if tls.is_empty() { "" } else { " ssl" },
    )
}

pub(super) fn envoy(place: &Place<'_>) -> String {
    // BoringSSL's suites of TLS 1.3 cannot be chosen: the client's only one decides.
    let tls = place.certificate.map_or(String::new(), |certificate| {
        format!(
            r#"
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_params: {{ tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 }}
            tls_certificates:
            - certificate_chain: {{ filename: {} }}
              private_key: {{ filename: {} }}"#,
            certificate.certificate.display(),
            certificate.key.display(),
        )
    });
    format!(
        r#"static_resources:
  listeners:
  - address: {{ socket_address: {{ address: {listen_ip}, port_value: {listen_port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: bench
          cluster: p
          idle_timeout: 3600s
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: {log}{tls}
  clusters:
  - name: p
    type: STATIC
    connect_timeout: 5s
    circuit_breakers:
      thresholds: [{{ max_connections: 20000, max_pending_requests: 20000 }}]
    health_checks:
    - {{ timeout: 2s, interval: 2s, unhealthy_threshold: 3, healthy_threshold: 1, tcp_health_check: {{}} }}
    load_assignment:
      cluster_name: p
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: {backend_ip}, port_value: {backend_port} }} }} }}
"#,
        listen_ip = place.listen.ip(),
        listen_port = place.listen.port(),
        log = place.log_file().display(),
        backend_ip = place.backend.ip(),
        backend_port = place.backend.port(),
    )
}
