//! The exact values for Cloudera Manager, Hue, JDBC, ODBC and impala-shell.

use std::fmt::Write as _;

use oxpecker_config::model::{Listen, Protocol, Virtual};

use super::Patient;
use crate::finding::Report;

pub(super) fn write(patient: &Patient<'_>, report: &mut Report) {
    for virtual_server in &patient.config.virtuals {
        let Some(name) = patient.public_name_of(virtual_server) else { continue };
        for port in ports(virtual_server) {
            let title = format!("for clients of virtual server `{}`", virtual_server.name);
            report.text(title, lines(patient, virtual_server, name, port));
        }
    }
}

fn ports(virtual_server: &Virtual) -> Vec<u16> {
    let ports = virtual_server.listen.iter().filter_map(|listen| match listen {
        Listen::Tcp(address) => Some(address.port()),
        Listen::Unix(_) => None,
    });
    let mut ports: Vec<_> = ports.collect();
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

fn lines(patient: &Patient<'_>, virtual_server: &Virtual, name: &str, port: u16) -> String {
    let service = &patient.options.service;
    let realm = patient.options.realm.as_deref();
    let tls = virtual_server.tls_client.is_some();
    let protocol = protocol(patient, virtual_server);
    let mut text = String::new();
    let shell_flags = format!(
        "{}{}",
        if realm.is_some() { " -k" } else { "" },
        if tls { " --ssl --ca_cert=CA.pem" } else { "" },
    );
    let shell_protocol = match protocol {
        Protocol::Beeswax => " --protocol=beeswax",
        Protocol::Hs2Http => " --protocol=hs2-http",
        Protocol::Hs2 | Protocol::Tcp => "",
    };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "impala-shell -i {name}:{port}{shell_protocol}{shell_flags}");
    if protocol == Protocol::Hs2 || protocol == Protocol::Tcp {
        let _ = writeln!(text, "Cloudera Manager, \"Impala Daemons Load Balancer\": {name}:{port}");
        let _ = writeln!(text, "  (then restart Impala and Hue)");
        let _ = writeln!(text, "hue.ini:");
        let _ = writeln!(text, "  [impala]");
        let _ = writeln!(text, "    server_host={name}");
        let _ = writeln!(text, "    server_port={port}");
        if let Some(realm) = realm {
            let _ = writeln!(text, "    impala_principal={service}/{name}@{realm}");
        }
        if tls {
            let _ = writeln!(text, "    [[ssl]]");
            let _ = writeln!(text, "      enabled=true");
            let _ = writeln!(text, "      validate=true");
            let _ = writeln!(text, "      cacerts=/etc/certs/truststore.pem");
        }
        let security = match realm {
            Some(realm) => format!(";principal={service}/{name}@{realm}"),
            None => ";auth=noSasl".to_owned(),
        };
        let ssl = if tls { ";ssl=true" } else { "" };
        let _ = writeln!(text, "JDBC (Hive driver):   jdbc:hive2://{name}:{port}/{security}{ssl}");
        let cloudera = match realm {
            Some(realm) => {
                format!(";AuthMech=1;KrbHostFQDN={name};KrbServiceName={service};KrbRealm={realm}")
            }
            None => ";AuthMech=0".to_owned(),
        };
        let ssl = if tls { ";SSL=1" } else { "" };
        let _ = writeln!(text, "JDBC (Impala driver): jdbc:impala://{name}:{port}{cloudera}{ssl}");
        let authentication = match realm {
            Some(realm) => {
                format!("AuthMech=1, KrbFQDN={name}, KrbServiceName={service}, KrbRealm={realm}")
            }
            None => "AuthMech=0".to_owned(),
        };
        let ssl = if tls { ", SSL=1" } else { "" };
        let _ = writeln!(text, "ODBC: Host={name}, Port={port}, {authentication}{ssl}");
    }
    text
}
