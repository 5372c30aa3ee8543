//! A Kerberos login with the ticket of whoever runs this, by MIT's own tools: the gateway itself
//! needs no Kerberos library to pass logins through.

use std::process::{Command, Output};

use super::Service;
use crate::finding::Section;

pub(super) fn examine(service: &Service<'_>, section: &mut Section) {
    let Some(realm) = &service.options.realm else { return };
    let Some(public) = service.public_name() else {
        section.fault(
            "the name that clients use is not known",
            "a ticket is for a name",
            "pass --public-name, or write `public_name` in [virtual.NAME]",
        );
        return;
    };
    let principal = format!("{}/{public}@{realm}", service.options.service);
    match run("klist", &["-s"]) {
        Err(error) => return no_tools(section, &error),
        Ok(output) if !output.status.success() => {
            section.fault("there is no valid ticket", "no login can be tried", "kinit, then again");
            return;
        }
        Ok(_) => {}
    }
    match run("kvno", &[&principal]) {
        Err(error) => no_tools(section, &error),
        Ok(output) if output.status.success() => {
            section.fine(format!("the KDC gives a ticket for {principal}"));
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            section.fault(
                format!("the KDC gives no ticket for {principal}: {}", said.trim()),
                "clients end with `Could not start SASL`, although their own ticket is good",
                explain(&said, &principal, realm),
            );
        }
    }
}

/// The usual reasons for Kerberos' words.
fn explain(said: &str, principal: &str, realm: &str) -> String {
    if said.contains("not found in Kerberos database") && said.contains("krbtgt/") {
        format!(
            "the client looks for {principal} in a realm of its own: map the gateway's domain to \
             {realm} in [domain_realm] of its krb5.conf"
        )
    } else if said.contains("not found in Kerberos database") {
        format!(
            "create {principal} in the KDC (addprinc -randkey), put its key into every \
             coordinator's keytab, set impalad's --principal to it and restart Impala"
        )
    } else {
        "KRB5_TRACE=/dev/stderr kvno PRINCIPAL shows each step".to_owned()
    }
}

fn no_tools(section: &mut Section, error: &std::io::Error) {
    section.note(format!("klist and kvno are not here ({error}): Kerberos was not tried"));
}

fn run(program: &str, arguments: &[&str]) -> std::io::Result<Output> {
    Command::new(program).args(arguments).output()
}
