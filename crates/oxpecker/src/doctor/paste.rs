//! The exact values for Cloudera Manager, Hue, JDBC, ODBC and impala-shell.

use std::fmt::Write as _;

use oxpecker_config::model::{Listen, Login, Probe, Protocol, Virtual};

use super::Patient;
use crate::finding::Report;

/// Where Impala's recipes keep the authorities that Hue and impala-shell believe.
const TRUST: &str = "/etc/certs/truststore.pem";

pub(super) fn write(patient: &Patient<'_>, report: &mut Report) {
    for (index, virtual_server) in patient.config.virtuals.iter().enumerate() {
        let Some(name) = patient.public_name_of(virtual_server) else { continue };
        for port in ports(virtual_server) {
            let service = Service {
                name,
                port,
                protocol: protocol(patient, virtual_server),
                service: &patient.options.service,
                realm: patient.options.realm.as_deref(),
                tls: patient.has_tls[index],
                ends_tls: virtual_server.tls_client.is_some(),
                members_have_tls: virtual_server.tls_server.is_some(),
                ldap: patient.has_ldap || probes_log_in(patient, virtual_server),
            };
            let title = format!("for clients of virtual server `{}`", virtual_server.name);
            report.text(title, service.lines());
        }
    }
}

fn ports(virtual_server: &Virtual) -> Vec<u16> {
    let ports = virtual_server.listen.iter().filter_map(|listen| match listen {
        Listen::Tcp(address) => Some(address.port()),
        Listen::Unix(_) => None,
    });
    let mut ports: Vec<_> = ports.collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Which of Impala's protocols a virtual server most likely carries.
fn protocol(patient: &Patient<'_>, virtual_server: &Virtual) -> Protocol {
    let pool = &patient.config.pools[virtual_server.pool];
    let member_port = pool.members.first().map(|member| member.port);
    match (virtual_server.protocol, member_port) {
        (Protocol::Tcp, Some(21000)) => Protocol::Beeswax,
        (Protocol::Tcp, Some(28000)) => Protocol::Hs2Http,
        (Protocol::Tcp, _) => Protocol::Hs2,
        (protocol, _) => protocol,
    }
}

fn probes_log_in(patient: &Patient<'_>, virtual_server: &Virtual) -> bool {
    let monitor = patient.config.pools[virtual_server.pool].monitor.as_ref();
    monitor.is_some_and(|monitor| {
        matches!(
            &monitor.probe,
            Probe::Hs2(Login::Plain { .. })
                | Probe::Beeswax(Login::Plain { .. })
                | Probe::Hs2Http { login: Login::Plain { .. }, .. }
        )
    })
}

/// What clients of one port have to know.
struct Service<'a> {
    name: &'a str,
    port: u16,
    protocol: Protocol,
    /// First part of the principals.
    service: &'a str,
    /// With Kerberos.
    realm: Option<&'a str>,
    /// Clients speak TLS, whoever ends it.
    tls: bool,
    /// The gateway does.
    ends_tls: bool,
    members_have_tls: bool,
    /// Names and passwords are taken.
    ldap: bool,
}

impl Service<'_> {
    /// Writing to a string cannot fail, so results are let go.
    fn lines(&self) -> String {
        let mut text = String::new();
        self.shell(&mut text);
        if self.protocol == Protocol::Beeswax {
            let _ =
                writeln!(text, "(Hue, JDBC and ODBC do not speak Beeswax: they need port 21050)");
            return text;
        }
        if self.protocol == Protocol::Hs2 {
            self.cloudera_manager(&mut text);
            self.hue(&mut text);
        }
        self.jdbc(&mut text);
        self.odbc(&mut text);
        text
    }

    fn shell(&self, text: &mut String) {
        let Self { name, port, .. } = self;
        let protocol = match self.protocol {
            Protocol::Beeswax => " --protocol=beeswax",
            Protocol::Hs2Http => " --protocol=hs2-http",
            Protocol::Hs2 | Protocol::Tcp => "",
        };
        let service = match self.service {
            "impala" => String::new(),
            other => format!(" -s {other}"),
        };
        let tls = if self.tls { format!(" --ssl --ca_cert={TRUST}") } else { String::new() };
        let to = format!("impala-shell -i {name}:{port}{protocol}{tls}");
        if self.realm.is_some() {
            let _ = writeln!(text, "{to} -k{service}");
        }
        if self.ldap {
            // It refuses to send a password in clear text until told that it may.
            let clear = if self.tls { "" } else { " --auth_creds_ok_in_clear" };
            let _ = writeln!(text, "{to} -l -u USER{clear}");
        }
        if self.realm.is_none() && !self.ldap {
            let _ = writeln!(text, "{to}");
        }
        if self.ends_tls {
            let _ = writeln!(
                text,
                "  (where the gateway's certificate has an authority of its own: \
                 cat ca.crt >> {TRUST})"
            );
        }
    }

    fn cloudera_manager(&self, text: &mut String) {
        let Self { name, port, .. } = self;
        let _ = writeln!(text, "Cloudera Manager, \"Impala Daemons Load Balancer\": {name}:{port}");
        if self.realm.is_some() {
            let service = self.service;
            let _ = writeln!(
                text,
                "  (it puts {service}/{name} into every impalad's keytab; then restart Impala, \
                 then Hue)"
            );
        } else {
            let _ = writeln!(text, "  (then restart Impala, then Hue)");
        }
    }

    fn hue(&self, text: &mut String) {
        let Self { name, port, service, .. } = self;
        // What knows of no TLS at the impalads does not turn it on in Hue.
        if self.ends_tls && !self.members_have_tls {
            let _ = writeln!(
                text,
                "hue.ini (in Cloudera Manager: Hue Service Advanced Configuration Snippet for \
                 hue_safety_valve.ini; TLS is not set by itself, because the impalads have none):"
            );
        } else {
            let _ = writeln!(text, "hue.ini:");
        }
        let _ = writeln!(text, "  [impala]");
        let _ = writeln!(text, "    server_host={name}");
        let _ = writeln!(text, "    server_port={port}");
        if self.realm.is_some() {
            let _ = writeln!(text, "    impala_principal={service}/{name}");
        } else if self.ldap {
            let _ = writeln!(text, "    auth_username=hue");
            let _ = writeln!(text, "    auth_password_script=/etc/hue/impala-password.sh");
        }
        if self.tls {
            let _ = writeln!(text, "    [[ssl]]");
            let _ = writeln!(text, "      enabled=true");
            let _ = writeln!(text, "      validate=true");
            let _ = writeln!(text, "      cacerts={TRUST}");
        }
    }

    fn jdbc(&self, text: &mut String) {
        let Self { name, port, service, .. } = self;
        let http = self.protocol == Protocol::Hs2Http;
        let (hive_tls, tls) = if self.tls { (";ssl=true", ";SSL=1") } else { ("", "") };
        let (hive_http, http) = if http {
            (";transportMode=http;httpPath=cliservice", ";transportMode=http;httpPath=cliservice")
        } else {
            ("", "")
        };
        let mut line = |driver: &str, url: String| {
            let _ = writeln!(text, "JDBC, {driver}: {url}");
        };
        let hive = |how: &str| format!("jdbc:hive2://{name}:{port}/{how}{hive_tls}{hive_http}");
        let impala = |how: &str| format!("jdbc:impala://{name}:{port}/{how}{tls}{http}");
        if let Some(realm) = self.realm {
            line("Hive driver", hive(&format!(";principal={service}/{name}@{realm}")));
            line("Hive driver", hive(&format!(";principal={service}/_HOST@{realm}")));
            line(
                "Impala driver",
                impala(&format!(
                    ";AuthMech=1;KrbRealm={realm};KrbHostFQDN={name};KrbServiceName={service}"
                )),
            );
        }
        if self.ldap {
            line("Hive driver", hive(";user=USER;password=PASSWORD"));
            line("Impala driver", impala(";AuthMech=3;UID=USER;PWD=PASSWORD"));
        }
        if self.realm.is_none() && !self.ldap {
            // Over HTTP there is no SASL that could be left out.
            let no_sasl = if self.protocol == Protocol::Hs2Http { "" } else { ";auth=noSasl" };
            line("Hive driver", hive(no_sasl));
            line("Impala driver", impala(";AuthMech=0"));
        }
    }

    fn odbc(&self, text: &mut String) {
        let Self { name, port, service, .. } = self;
        let tls = if self.tls { format!(";SSL=1;TrustedCerts={TRUST}") } else { String::new() };
        let http = match self.protocol {
            Protocol::Hs2Http => ";ThriftTransport=2;HTTPPath=cliservice",
            _ => "",
        };
        let mut line = |how: &str| {
            let _ = writeln!(text, "ODBC: Host={name};Port={port};{how}{tls}{http}");
        };
        if let Some(realm) = self.realm {
            line(&format!("AuthMech=1;KrbFQDN={name};KrbRealm={realm};KrbServiceName={service}"));
        }
        if self.ldap {
            line("AuthMech=3;UID=USER;PWD=PASSWORD");
        }
        if self.realm.is_none() && !self.ldap {
            line("AuthMech=0");
        }
    }
}
