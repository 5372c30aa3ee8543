//! The certificate that clients see: issuer, names, dates, and whether it verifies.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use oxpecker_proxy::{ShownCertificate, inspect_certificate, verifying_client};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::Service;
use super::login::{Client, LoginError};
use crate::finding::Section;

const PATIENCE: Duration = Duration::from_secs(10);

/// Where TLS is not asked for, it is only found by trying; a server without it may say nothing.
const PATIENCE_TO_GUESS: Duration = Duration::from_secs(2);

/// How to speak TLS, verifying the server; `None`: clear text is spoken.
pub(super) type Tls = Option<(Arc<ClientConfig>, ServerName<'static>)>;

/// `None`: nothing further can be tried.
pub(super) fn examine(service: &Service<'_>, section: &mut Section) -> anyhow::Result<Option<Tls>> {
    let name =
        service.public_name().map_or_else(|| service.address.ip().to_string(), str::to_owned);
    let must = service.virtual_server.tls_client.is_some() || service.virtual_server.sni_peek;
    let patience = if must { PATIENCE } else { PATIENCE_TO_GUESS };
    let certificate = match inspect_certificate(service.address, &name, patience) {
        Ok(Some(certificate)) => certificate,
        Ok(None) if !must => return Ok(Some(None)),
        Ok(None) => {
            no_tls(service, section);
            return Ok(None);
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            section.fault(
                format!("TLS is spoken, but not with us: {error}"),
                "clients of today are refused, too",
                "let the server offer TLS 1.2 or newer, and look at `cipher_suites`",
            );
            return Ok(None);
        }
        Err(error) => {
            section.fault(
                format!("could not connect: {error}"),
                "clients on this machine cannot either; what others see depends on the networks between",
                "is the gateway running, and does a firewall let this machine in? `ss -ltn` there \
                 shows its ports",
            );
            return Ok(None);
        }
    };
    names(service, section, &certificate);
    let config = verifying_client(service.options.ca_file.as_deref())
        .context("failed to read the authorities")?;
    let server_name = ServerName::try_from(name.clone())
        .with_context(|| format!("`{name}` is no name of a server"))?;
    let tls = Some((config, server_name));
    match Client::new(service, tls.clone())?.shake_hands() {
        Err(LoginError::Tls(error)) => {
            section.fault(
                format!("the certificate does not verify: {error}"),
                "impala-shell with --ca_cert and JDBC with a trust store refuse it, too",
                "pass the authority's file with --ca-file here, and with --ca_cert to clients",
            );
            Ok(None)
        }
        Err(error) => {
            section.fault(
                format!("TLS did not come about: {error}"),
                "clients meet the same",
                "the gateway's log at level `info` has the reason",
            );
            Ok(None)
        }
        Ok(()) => {
            section.fine("the certificate verifies");
            Ok(Some(tls))
        }
    }
}

fn no_tls(service: &Service<'_>, section: &mut Section) {
    let fix = if service.virtual_server.tls_client.is_some() {
        "the gateway that runs has another configuration than this one: `systemctl reload oxpecker`"
    } else {
        "TLS is passed through here, so the coordinators have to speak it: `oxpecker doctor` tells \
         which do not"
    };
    section.fault("no TLS is spoken here", "clients with --ssl cannot connect", fix);
}

fn names(service: &Service<'_>, section: &mut Section, certificate: &ShownCertificate) {
    section.fine(format!("the certificate is issued by {}", certificate.issuer));
    let names = certificate.names.join(", ");
    match service.public_name() {
        Some(public) if certificate.covers(public) => section.fine(format!("it is for {names}")),
        Some(public) => section.fault(
            format!("the certificate is for {names}, not for {public}"),
            "clients that verify it end with `hostname does not match the certificate`",
            format!(
                "issue a certificate with DNS:{public} among its names; where TLS is passed \
                 through, for each coordinator"
            ),
        ),
        None => section.note(format!(
            "it is for {names}; without `public_name` nobody knows what clients ask for"
        )),
    }
}
