//! impalad's flags that matter behind a balancer, as `/varz` shows them.

use oxpecker_config::model::Node;
use serde_json::Value;

use super::super::{Patient, kerberos};
use crate::finding::Section;

/// impalad's default for the connections of each port.
const SERVICE_THREADS_DEFAULT: u64 = 64;

fn value(page: &Value, flag: &str) -> Option<String> {
    let flag = page["flags"].as_array()?.iter().find(|found| found["name"] == flag)?;
    flag["current"].as_str().map(str::to_owned).or_else(|| Some(flag["current"].to_string()))
}

/// True: names and passwords are taken (LDAP).
pub(super) fn examine(
    patient: &Patient<'_>,
    section: &mut Section,
    node: &Node,
    page: &Value,
) -> bool {
    if !page["flags"].is_array() {
        return false;
    }
    let name = node.name.as_str();
    let value = |flag: &str| value(page, flag);
    let number = |name: &str| value(name).and_then(|text| text.parse::<u64>().ok());
    if let Some(threads) = number("fe_service_threads")
        && threads <= SERVICE_THREADS_DEFAULT
    {
        section.warning(
            format!("{name}: takes {threads} connections on each port (--fe_service_threads)"),
            "behind a balancer more come; those beyond are accepted and then get no answer",
            "raise --fe_service_threads, or write `connections_max` for the member a little lower",
        );
    }
    for flag in ["idle_session_timeout", "idle_query_timeout"] {
        if let Some(seconds @ 1..) = number(flag) {
            section.note(format!(
                "{name}: --{flag}={seconds}: impalad itself ends what is idle for {seconds} s"
            ));
        }
    }
    if let Some(realm) = &patient.options.realm {
        principal(patient, section, name, realm, value("principal").as_deref());
        own_principal(patient, section, node, realm, value("be_principal").as_deref());
        if value("keytab_file").as_deref() == Some("") {
            section.fault(
                format!("{name}: has no --keytab_file"),
                "impalad takes no ticket, from clients and from other impalads",
                "set --keytab_file (see the flags below) and restart impalad",
            );
        }
    }
    if value("ping_expose_webserver_url").as_deref() == Some("false") {
        section.note(format!(
            "{name}: --ping_expose_webserver_url=false: impala-shell does not print which coordinator a \
             session is on"
        ));
    }
    let tls = [value("ssl_server_certificate"), value("ssl_private_key")];
    if let [Some(certificate), Some(key)] = &tls
        && certificate.is_empty() != key.is_empty()
    {
        let lacks = if key.is_empty() { "ssl_private_key" } else { "ssl_server_certificate" };
        section.fault(
            format!("{name}: has no --{lacks}, and the flag that belongs to it"),
            "impalad serves no TLS with one of the two",
            "set --ssl_server_certificate and --ssl_private_key, and restart impalad",
        );
    }
    value("enable_ldap_auth").as_deref() == Some("true")
}

/// Clients ask for a ticket for the gateway's name, so every coordinator has to answer to it.
fn principal(
    patient: &Patient<'_>,
    section: &mut Section,
    node: &str,
    realm: &str,
    found: Option<&str>,
) {
    let service = &patient.options.service;
    let needed = patient.public_names().into_iter();
    let needed: Vec<_> =
        needed.map(|name| format!("{service}/{}@{realm}", name.to_lowercase())).collect();
    let Some(first) = needed.first() else { return };
    let why =
        "clients end with `Could not start SASL`: they ask for a ticket for the gateway's name";
    let fix = format!("set --principal={first} (see the flags below) and restart impalad");
    match found {
        Some(found) if needed.iter().any(|needed| needed == found) => {
            section.fine(format!("{node}: --principal={found}"));
        }
        None | Some("") => section.fault(format!("{node}: has no --principal"), why, fix),
        Some(found) => {
            section.fault(format!("{node}: --principal={found}, not {first}"), why, fix);
        }
    }
}

/// To other impalads each one is itself.
fn own_principal(
    patient: &Patient<'_>,
    section: &mut Section,
    node: &Node,
    realm: &str,
    found: Option<&str>,
) {
    let (Some(found), Some(host)) = (found, kerberos::host_name(node)) else { return };
    let needed = format!("{}/{host}@{realm}", patient.options.service);
    if found != needed {
        let told = match found {
            "" => "has no --be_principal".to_owned(),
            found => format!("--be_principal={found}, not {needed}"),
        };
        section.fault(
            format!("{}: {told}", node.name),
            "other impalads ask for a ticket for the host's own name, and refuse each other",
            format!("set --be_principal={needed} (see the flags below) and restart impalad"),
        );
    }
}

/// Flags that all coordinators of a cluster have or none.
pub(super) fn compare(section: &mut Section, pages: &[(&str, &Value)]) {
    for flag in ["ssl_server_certificate", "enable_ldap_auth"] {
        let is_set = |page: &Value| value(page, flag).map(|text| !matches!(&*text, "" | "false"));
        let of = |wanted: bool| {
            let found = pages.iter().filter(|(_, page)| is_set(page) == Some(wanted));
            found.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
        };
        let (with, without) = (of(true), of(false));
        if !with.is_empty() && !without.is_empty() {
            section.warning(
                format!("--{flag} is set on {with} and not on {without}"),
                "whether a client can log in depends on the coordinator that it happens to get",
                "set it alike on all of them, and restart impalad",
            );
        }
    }
}
