//! Reads `[profile.tls_client.NAME]`, `[profile.tls_server.NAME]` and `[acme.NAME]`. The files
//! they name are not opened here.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::{Named, Read, chain};
use crate::context::{Ctx, shorten};
use crate::model::{
    Acme, AcmeChallenge, Certificate, CertificateFiles, ClientAuth, Passphrase, TlsClient,
    TlsServer, TlsVersion, TlsVersions, Verify,
};
use crate::reader::{Layer, Reader, Val};
use crate::text::Place;
use crate::values::{
    count_or_off, duration, each, entry_table, network, passphrase, path, reference, switch, tls,
    word,
};
use crate::words::{ChallengeKind, ClientCertificates, VerifyKind, word_of};

/// Where authorities ask for `http-01` (RFC 8555 §8.3).
const HTTP_LISTEN_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 80);

/// SHA-256 of a certificate.
type Fingerprint = [u8; 32];

pub(crate) fn tls_client(ctx: &mut Ctx<'_>, all: &[Named<'_>], index: usize) -> Read<TlsClient> {
    let named = &all[index];
    let (layers, _) = chain(ctx, all, |names| &names.tls_clients, index);
    let title = format!("[profile.tls_client.{}]", named.name);
    let mut reader = Reader::new(ctx, "profile.tls_client", title, named.place, layers);
    let parent = reader.own("parent", reference("tls_client profile", |names| &names.tls_clients));
    // `clientssl` has none: whoever uses it directly is told so at the virtual server.
    let certificates = if named.is_built_in() && !reader.is_written("certificates") {
        Some(Vec::new())
    } else {
        reader.required("certificates", each(certificate))
    };
    if matches!(&certificates, Some(list) if list.is_empty()) && !named.is_built_in() {
        let place = reader.place("certificates");
        reader.ctx.error(place, "`certificates` must not be empty");
    }
    let (versions, cipher_suites) = versions_and_suites(&mut reader);
    let alpn = reader.value("alpn", each(tls::alpn));
    let tickets = reader.value("tickets", switch);
    let asked = reader.value("client_certificates", word::<ClientCertificates>);
    let ca_file = reader.optional("client_ca_file", path);
    let crl_file = reader.optional("client_crl_file", path);
    let handshakes_per_source = reader.value("handshakes_per_source", count_or_off);
    let client_auth = client_auth(&mut reader, asked, ca_file, crl_file);
    let (places, mut entries) = reader.finish();
    if asked == Some(ClientCertificates::None) {
        entries.retain(|entry| !matches!(entry.key, "client_ca_file" | "client_crl_file"));
    }
    let build = || {
        parent?;
        let certificates = certificates?.into_iter().map(|(certificate, _)| certificate);
        Some(TlsClient {
            name: named.name.clone(),
            certificates: certificates.collect(),
            versions: versions?,
            cipher_suites: cipher_suites?,
            alpn: alpn?.into_iter().map(|(name, _)| name).collect(),
            tickets: tickets?,
            client_auth: client_auth?,
            handshakes_per_source: handshakes_per_source?,
        })
    };
    Read { item: build(), places, entries }
}

fn client_auth(
    reader: &mut Reader<'_, '_, '_>,
    asked: Option<ClientCertificates>,
    ca_file: Option<Option<PathBuf>>,
    crl_file: Option<Option<PathBuf>>,
) -> Option<Option<ClientAuth>> {
    let (asked, ca_file, crl_file) = (asked?, ca_file?, crl_file?);
    let told = word_of(asked);
    if asked == ClientCertificates::None {
        // Better no start than clients that nobody asks for their certificate.
        for key in ["client_ca_file", "client_crl_file"] {
            if reader.has_own(key) {
                let place = reader.place(key);
                let message = format!("`{key}` does nothing with `client_certificates = \"none\"`");
                let help = "write client_certificates = \"required\"";
                reader.ctx.error(place, message).help(help);
            }
        }
        return Some(None);
    }
    let Some(ca_file) = ca_file else {
        let place = reader.place("client_certificates");
        let message = format!("`client_certificates = \"{told}\"` needs `client_ca_file`");
        let help = "the authorities clients' certificates come from: client_ca_file = \"PATH\"";
        reader.ctx.error(place, message).help(help);
        return None;
    };
    let optional = asked == ClientCertificates::Optional;
    Some(Some(ClientAuth { ca_file, crl_file, optional }))
}

/// An entry of `certificates`.
fn certificate(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Certificate> {
    let read = |ctx: &mut Ctx<'_>, layer: Layer<'_>, place: Place| {
        let title = "`certificates`";
        let mut reader =
            Reader::new(ctx, "profile.tls_client.certificates", title, place, vec![layer]);
        let files = files(&mut reader);
        let acme = reader.optional("acme", reference("acme table", |names| &names.acmes));
        let names = reader.optional("names", each(tls::issued_name));
        let (from_files, from_acme) = (reader.is_written("certificate"), reader.is_written("acme"));
        if from_files == from_acme {
            let message = match from_files {
                true => "a certificate stands in files or comes from `acme`, not both",
                false => "`certificate` is missing in `certificates`",
            };
            let help =
                "write { certificate = \"PATH\", … } or { acme = \"NAME\", names = [\"…\"] }";
            reader.ctx.error(place, message).help(help).consequence();
        } else {
            let (useless, why) = match from_acme {
                true => {
                    (&["key", "chain", "passphrase"][..], "a certificate that comes from `acme`")
                }
                false => (&["names"][..], "a certificate that stands in files"),
            };
            for key in useless {
                if reader.is_written(key) {
                    let place = reader.place(key);
                    reader.ctx.error(place, format!("`{key}` does nothing for {why}"));
                }
            }
        }
        if from_acme && !matches!(&names, None | Some(Some(_))) {
            let help = "for example: names = [\"impala.example.com\"]";
            reader.ctx.error(place, "`acme` needs `names`").help(help).consequence();
        }
        if let Some(Some(list)) = &names {
            let place = reader.place("names");
            if list.is_empty() {
                reader.ctx.error(place, "`names` must not be empty");
            }
            twice(reader.ctx, list.iter().map(|(name, place)| (name.as_str(), *place)));
        }
        reader.finish_inline();
        let (acme, names) = (acme?, names?);
        match (files?, acme, names) {
            (Some(files), None, None) => Some(Certificate::Files(files)),
            (None, Some(acme), Some(names)) => {
                let names = names.into_iter().map(|(name, _)| name).collect();
                Some(Certificate::Acme { acme, names })
            }
            _ => None,
        }
    };
    entry_table(ctx, val, read, "certificate")
}

/// The second mention of a name is a slip, and does nothing.
fn twice<'n>(ctx: &mut Ctx<'_>, all: impl Iterator<Item = (&'n str, Place)>) {
    let mut seen = std::collections::HashMap::new();
    for (name, place) in all {
        if let Some(first) = seen.insert(name, place) {
            ctx.warn(place, format!("`{}` is listed twice", shorten(name))).note(first, "first");
        }
    }
}

/// `certificate`, `key`, `chain` and `passphrase`; `Some(None)` when there is no certificate.
fn files(reader: &mut Reader<'_, '_, '_>) -> Option<Option<CertificateFiles>> {
    let certificate = reader.optional("certificate", path);
    let key = reader.optional("key", path);
    let chain = reader.optional("chain", path);
    let passphrase: Option<Option<Passphrase>> = reader.optional("passphrase", passphrase);
    let (certificate, key, chain, passphrase) = (certificate?, key?, chain?, passphrase?);
    Some(certificate.map(|certificate| CertificateFiles { certificate, key, chain, passphrase }))
}

/// The same keys on both sides.
fn versions_and_suites(
    reader: &mut Reader<'_, '_, '_>,
) -> (Option<TlsVersions>, Option<Vec<String>>) {
    let min = reader.value("min_version", tls::version);
    let max = reader.value("max_version", tls::version);
    let suites = reader.optional("cipher_suites", each(tls::cipher_suite));
    let versions = min.zip(max).map(|(min, max)| TlsVersions { min, max });
    let own = ["cipher_suites", "max_version", "min_version"]
        .into_iter()
        .filter(|key| reader.has_own(key))
        .collect::<Vec<_>>();
    // A parent with the same problem has told it already.
    if let Some(versions) = versions.filter(|_| !own.is_empty()) {
        let TlsVersions { min, max } = versions;
        let written = own.iter().find(|key| **key != "cipher_suites");
        if let Some(key) = written.filter(|_| min > max) {
            let place = reader.place(key);
            let message = format!(
                "`min_version` ({}) is newer than `max_version` ({})",
                word_of(min),
                word_of(max)
            );
            reader.ctx.error(place, message);
        } else if let Some(Some(suites)) = &suites {
            let place = reader.place(own[0]);
            check_suites(reader.ctx, suites, versions, place);
        }
    }
    if let (Some(Some(suites)), true) = (&suites, reader.has_own("cipher_suites")) {
        twice(reader.ctx, suites.iter().map(|((name, _), place)| (*name, *place)));
        if suites.is_empty() {
            let place = reader.place("cipher_suites");
            let help = "leave the key out for all that are offered";
            reader.ctx.error(place, "`cipher_suites` must not be empty").help(help);
        }
    }
    let names = |suites: Vec<((&'static str, TlsVersion), Place)>| {
        suites.into_iter().map(|((name, _), _)| name.to_owned()).collect()
    };
    (versions, suites.map(|suites| suites.map(names).unwrap_or_default()))
}

/// Whether the suites and the versions fit together.
fn check_suites(
    ctx: &mut Ctx<'_>,
    suites: &[((&'static str, TlsVersion), Place)],
    versions: TlsVersions,
    place: Place,
) {
    const WHICH: &str = "those of TLS 1.3 begin with `TLS13_`, those of TLS 1.2 with `TLS_ECDHE_`";
    let has = |version| suites.iter().any(|((_, of), _)| *of == version);
    let wanted = [TlsVersion::V1_2, TlsVersion::V1_3];
    let wanted = wanted.into_iter().filter(|v| (versions.min..=versions.max).contains(v));
    let (have, lack): (Vec<_>, Vec<_>) = wanted.partition(|version| has(*version));
    if suites.is_empty() {
        return;
    }
    for version in lack {
        let shown = tls::shown_version(version);
        if have.is_empty() {
            let message =
                format!("`cipher_suites` has none for {shown}, and nothing else is offered");
            ctx.error(place, message).help(WHICH);
        } else {
            let message = format!("`cipher_suites` has none for {shown}: it is not offered then");
            let key = if version == versions.min { "min_version" } else { "max_version" };
            let help = format!("fine if it is meant so: write {key} = \"{}\"", word_of(have[0]));
            ctx.warn(place, message).help(help);
        }
    }
    if have.is_empty() {
        return;
    }
    for ((name, version), place) in suites {
        if !have.contains(version) {
            let message =
                format!("`{name}` does nothing: it is for {}", tls::shown_version(*version));
            ctx.warn(*place, message).help("`min_version` and `max_version` leave that out");
        }
    }
}

pub(crate) fn tls_server(ctx: &mut Ctx<'_>, all: &[Named<'_>], index: usize) -> Read<TlsServer> {
    let named = &all[index];
    let (layers, _) = chain(ctx, all, |names| &names.tls_servers, index);
    let title = format!("[profile.tls_server.{}]", named.name);
    let mut reader = Reader::new(ctx, "profile.tls_server", title, named.place, layers);
    let parent = reader.own("parent", reference("tls_server profile", |names| &names.tls_servers));
    let kind = reader.value("verify", word::<VerifyKind>);
    let fingerprints = reader.optional("fingerprints", each(tls::fingerprint));
    let server_name = reader.optional("server_name", tls::server_name);
    let ca_file = reader.optional("ca_file", path);
    let crl_file = reader.optional("crl_file", path);
    let (versions, cipher_suites) = versions_and_suites(&mut reader);
    let certificate = files(&mut reader);
    if matches!(certificate, Some(None)) {
        for key in ["key", "chain", "passphrase"] {
            if reader.has_own(key) && !reader.is_written("certificate") {
                let place = reader.place(key);
                reader.ctx.error(place, format!("`{key}` needs a `certificate`"));
            }
        }
    }
    let verify = verify(&mut reader, kind, fingerprints);
    let (places, mut entries) = reader.finish();
    if kind.is_some_and(|kind| kind != VerifyKind::Pinned) {
        entries.retain(|entry| entry.key != "fingerprints");
    }
    let build = || {
        parent?;
        Some(TlsServer {
            name: named.name.clone(),
            verify: verify?,
            server_name: server_name?,
            ca_file: ca_file?,
            crl_file: crl_file?,
            versions: versions?,
            cipher_suites: cipher_suites?,
            certificate: certificate?,
        })
    };
    Read { item: build(), places, entries }
}

fn verify(
    reader: &mut Reader<'_, '_, '_>,
    kind: Option<VerifyKind>,
    fingerprints: Option<Option<Vec<(Fingerprint, Place)>>>,
) -> Option<Verify> {
    let kind = kind?;
    if kind != VerifyKind::Required {
        for key in ["ca_file", "crl_file"] {
            if reader.has_own(key) {
                let place = reader.place(key);
                let message = format!("`{key}` does nothing with `verify = \"{}\"`", word_of(kind));
                reader.ctx.warn(place, message).help("write verify = \"required\"");
            }
        }
    }
    if kind != VerifyKind::Pinned && reader.has_own("fingerprints") {
        let place = reader.place("fingerprints");
        let message = format!("`fingerprints` do nothing with `verify = \"{}\"`", word_of(kind));
        reader.ctx.error(place, message).help("write verify = \"pinned\"");
    }
    match (kind, fingerprints?) {
        (VerifyKind::Required, _) => Some(Verify::Required),
        (VerifyKind::None, _) => Some(Verify::None),
        (VerifyKind::Pinned, Some(list)) if !list.is_empty() => {
            Some(Verify::Pinned(list.into_iter().map(|(fingerprint, _)| fingerprint).collect()))
        }
        (VerifyKind::Pinned, _) => {
            let key = if reader.has_own("fingerprints") { "fingerprints" } else { "verify" };
            let place = reader.place(key);
            let help = "`openssl x509 -noout -fingerprint -sha256 -in FILE` prints one";
            reader.ctx.error(place, "`verify = \"pinned\"` needs `fingerprints`").help(help);
            None
        }
    }
}

pub(crate) fn acme(ctx: &mut Ctx<'_>, named: &Named<'_>) -> Read<Acme> {
    let title = format!("[acme.{}]", named.name);
    let mut reader = Reader::new(ctx, "acme", title, named.place, vec![named.layer.clone()]);
    let directory = reader.required("directory", tls::https);
    let contact = reader.value("contact", each(tls::mail));
    let kind = reader.value("challenge", word::<ChallengeKind>);
    let http_listen = reader.optional("http_listen", network::tcp_listen);
    let state = reader.value("state", path);
    let ca_file = reader.optional("ca_file", path);
    let renew_before = reader.value("renew_before", duration);
    let agreed = if reader.is_written("agree_to_terms") {
        reader.required("agree_to_terms", switch)
    } else {
        Some(false)
    };
    if agreed == Some(false) {
        let place = reader.place("agree_to_terms");
        let message = format!("[acme.{}] needs `agree_to_terms = true`", named.name);
        let help = "authorities issue only to those who agree to their terms of service, and \
                    nobody but you can: read them, then write it";
        reader.ctx.error(place, message).help(help).consequence();
    }
    match kind {
        Some(ChallengeKind::Http01) => {
            reader.computed("http_listen", format!("\"{HTTP_LISTEN_DEFAULT}\""));
        }
        Some(ChallengeKind::TlsAlpn01) if reader.has_own("http_listen") => {
            let place = reader.place("http_listen");
            let message = "`http_listen` does nothing with `challenge = \"tls-alpn-01\"`";
            reader.ctx.error(place, message).help("write challenge = \"http-01\"");
        }
        _ => {}
    }
    let (places, mut entries) = reader.finish();
    if kind == Some(ChallengeKind::TlsAlpn01) {
        entries.retain(|entry| entry.key != "http_listen");
    }
    let build = || {
        agreed?;
        let listen = http_listen?.unwrap_or(HTTP_LISTEN_DEFAULT);
        Some(Acme {
            name: named.name.clone(),
            directory: directory?,
            contact: contact?.into_iter().map(|(mail, _)| mail).collect(),
            challenge: match kind? {
                ChallengeKind::TlsAlpn01 => AcmeChallenge::TlsAlpn01,
                ChallengeKind::Http01 => AcmeChallenge::Http01 { listen },
            },
            state: state?,
            ca_file: ca_file?,
            renew_before: renew_before?,
        })
    };
    Read { item: build(), places, entries }
}
