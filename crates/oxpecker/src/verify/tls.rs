//! The certificate that clients see: issuer, names, dates, and whether it verifies.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use oxpecker_proxy::{inspect_certificate, verifying_client};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::Service;
use super::login::{Client, LoginError};
use crate::finding::Section;

const PATIENCE: Duration = Duration::from_secs(5);

/// False: nothing further can be tried.
pub(super) fn examine(service: &Service<'_>, section: &mut Section) -> anyhow::Result<bool> {
    if !speaks_tls(service) {
        return Ok(true);
    }
    let name = name(service);
    let certificate = match inspect_certificate(service.address, &name, PATIENCE) {
        Ok(Some(certificate)) => certificate,
        Ok(None) => {
            section.fault(
                "no TLS is spoken here",
                "clients with --ssl cannot connect",
                "the gateway that runs has another configuration than the one given: `oxpecker reload`",
            );
            return Ok(false);
        }
        Err(error) => {
            section.fault(
                format!("could not connect: {error}"),
                "nobody else can either",
                "is the gateway running? `oxpecker status`",
            );
            return Ok(false);
        }
    };
    section.fine(format!("the certificate is issued by {}", certificate.issuer));
    match service.public_name() {
        Some(public) if certificate.covers(public) => {
            section.fine(format!("it is for {}", certificate.names.join(", ")));
        }
        Some(public) => section.fault(
            format!("it is for {}, not for {public}", certificate.names.join(", ")),
            "clients that verify it end with `hostname does not match the certificate`",
            format!("issue a certificate with DNS:{public} among its names"),
        ),
        None => section.note(format!(
            "it is for {}; without `public_name` nobody knows what clients ask for",
            certificate.names.join(", ")
        )),
    }
    match Client::new(service, client(service)?)?.log_in() {
        Err(LoginError::Tls(error)) => {
            section.fault(
                format!("it does not verify: {error}"),
                "impala-shell with --ca_cert and JDBC with a trust store refuse it, too",
                "pass the authority's file with --ca_file here, and with --ca_cert to clients",
            );
            Ok(false)
        }
        _ => Ok(true),
    }
}

/// Ended here, or passed through to members that speak it.
fn speaks_tls(service: &Service<'_>) -> bool {
    service.virtual_server.tls_client.is_some()
        || service.virtual_server.sni_peek
        || matches!(inspect_certificate(service.address, &name(service), PATIENCE), Ok(Some(_)))
}

fn name(service: &Service<'_>) -> String {
    service.public_name().map_or_else(|| service.address.ip().to_string(), str::to_owned)
}

/// What a client that verifies the gateway needs; `None` in clear text.
pub(super) fn client(
    service: &Service<'_>,
) -> anyhow::Result<Option<(Arc<ClientConfig>, ServerName<'static>)>> {
    if !speaks_tls(service) {
        return Ok(None);
    }
    let config = verifying_client(service.options.ca_file.as_deref())
        .context("failed to read the authorities")?;
    let name = name(service);
    let server_name = ServerName::try_from(name.clone())
        .with_context(|| format!("`{name}` is no name of a server"))?;
    Ok(Some((config, server_name)))
}
