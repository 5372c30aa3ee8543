//! What TLS and ACME options take: versions, cipher suites, fingerprints, names, addresses.

use std::net::IpAddr;

use super::{bad, filled, text};
use crate::context::{Ctx, did_you_mean, listed, shorten};
use crate::model::TlsVersion;
use crate::reader::Val;
use crate::words::{Word, word_of};

use TlsVersion::{V1_2, V1_3};

/// What rustls 0.23 offers with aws-lc-rs, under the names it knows them by.
const SUITES: &[(&str, TlsVersion)] = &[
    ("TLS13_AES_256_GCM_SHA384", V1_3),
    ("TLS13_AES_128_GCM_SHA256", V1_3),
    ("TLS13_CHACHA20_POLY1305_SHA256", V1_3),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", V1_2),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", V1_2),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", V1_2),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", V1_2),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", V1_2),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", V1_2),
];

/// A label of a host name, and the whole of it (RFC 1035).
const LABEL_BYTES_MAX: usize = 63;
const NAME_BYTES_MAX: usize = 253;

/// "`key` must be …, not `found`".
fn must_be<T>(ctx: &mut Ctx<'_>, val: &Val<'_>, found: &str, help: &str) -> Option<T> {
    let kind = val.doc.kind.describe();
    let message = format!("`{}` must be {kind}, not `{}`", val.doc.key, shorten(found));
    bad(ctx, val, message, help)
}

pub(crate) fn version(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<TlsVersion> {
    let found = text(ctx, val)?;
    if let Some((_, version)) = TlsVersion::WORDS.iter().find(|(word, _)| *word == found) {
        return Some(*version);
    }
    let plain = found.to_ascii_lowercase().replace([' ', '_', '-'], "");
    let plain = plain.trim_start_matches("tls").trim_start_matches('v');
    if plain.starts_with("ssl") || matches!(plain, "1" | "1.0" | "1.1") {
        let message = format!("`{}` cannot be `{}`", val.doc.key, shorten(&found));
        let help = "SSL, TLS 1.0 and TLS 1.1 are broken and not offered at all; \
                    write \"1.2\" or \"1.3\"";
        return bad(ctx, val, message, help);
    }
    let meant = TlsVersion::WORDS.iter().find(|(word, _)| *word == plain);
    let help = meant.map_or(String::new(), |(word, _)| format!("write \"{word}\""));
    must_be(ctx, val, &found, &help)
}

/// A suite under the library's name, and the version it is for.
pub(crate) fn cipher_suite(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<(&'static str, TlsVersion)> {
    let found = filled(ctx, val)?;
    let known = |name: &str| SUITES.iter().find(|(known, _)| *known == name).copied();
    let of_13 = found.strip_prefix("TLS_").map(|rest| format!("TLS13_{rest}"));
    if let Some(suite) = known(&found).or_else(|| known(&of_13?)) {
        return Some(suite);
    }
    let shown = shorten(&found);
    let upper = found.to_ascii_uppercase();
    if let Some((name, _)) = SUITES.iter().find(|(name, _)| openssl(name) == upper) {
        let help = format!("write \"{name}\"");
        return bad(ctx, val, format!("`{shown}` is OpenSSL's name of a cipher suite"), &help);
    }
    if found.contains([':', '!', '+', '@']) {
        let message = format!("`{shown}` is not the name of a cipher suite");
        let help = "OpenSSL's cipher strings are not read here; write a list of names";
        return bad(ctx, val, message, help);
    }
    if let Some(reason) = weakness(&upper.replace('-', "_")) {
        let message = format!("cipher suite `{shown}` is not offered at all: {reason}");
        let help = "leave it out; without `cipher_suites` all that are safe are offered";
        return bad(ctx, val, message, help);
    }
    let names = || SUITES.iter().map(|(name, _)| *name);
    let help = did_you_mean(&found, names()).or_else(|| listed("known:", names()));
    ctx.error(val.place, format!("no cipher suite is called `{shown}`")).help_if(help);
    None
}

/// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` → `ECDHE-RSA-AES128-GCM-SHA256`.
fn openssl(name: &str) -> String {
    let short = name.trim_start_matches("TLS_").replace("_WITH", "");
    let short = short.replace("AES_", "AES").replace("POLY1305_SHA256", "POLY1305");
    short.replace('_', "-")
}

/// Why a suite of this name (upper case, with `_`) is not offered.
fn weakness(name: &str) -> Option<&'static str> {
    let has = |word: &str| name.split('_').any(|part| part == word);
    let reasons: &[(&str, &str)] = &[
        ("NULL", "it encrypts nothing"),
        ("RC4", "RC4 is broken"),
        ("3DES", "3DES is broken"),
        ("DES", "DES is broken"),
        ("CBC3", "3DES is broken"),
        ("EXPORT", "it was made to be broken"),
        ("EXP", "it was made to be broken"),
        ("MD5", "MD5 is broken"),
        ("ANON", "nobody shows a certificate"),
        ("CBC", "CBC mode leaks what it encrypts"),
        ("PSK", "keys shared beforehand are not supported"),
    ];
    if let Some((_, reason)) = reasons.iter().find(|(word, _)| has(word)) {
        return Some(reason);
    }
    let first = name.trim_start_matches("TLS_").split('_').next().unwrap_or("");
    let authenticated = has("GCM") || has("CCM") || has("CCM8") || has("POLY1305");
    // In OpenSSL's names RSA key exchange is the one that is not written.
    let openssl_rsa = ["AES128", "AES256", "CAMELLIA128", "CAMELLIA256"].contains(&first);
    if name.starts_with("TLS_RSA_") || openssl_rsa {
        return Some("with RSA key exchange, who gets the key later reads what was recorded");
    }
    if first == "DHE" || first == "EDH" || first == "DH" {
        return Some("finite-field Diffie-Hellman is not supported, ECDHE is");
    }
    (first == "ECDHE" && !authenticated && has_sha(name))
        .then_some("CBC mode leaks what it encrypts")
}

/// OpenSSL does not write CBC: `ECDHE-RSA-AES128-SHA`.
fn has_sha(name: &str) -> bool {
    name.rsplit('_').next().is_some_and(|last| last.starts_with("SHA"))
}

/// `sha256:AA:BB:…`, the same without colons or mark, or what `openssl x509` prints.
pub(crate) fn fingerprint(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<[u8; 32]> {
    let found = filled(ctx, val)?;
    let plain = found.trim().to_ascii_lowercase();
    let plain = match plain.split_once('=') {
        Some((before, after)) if before.ends_with("fingerprint") => after,
        _ => plain.as_str(),
    };
    let digits: String = plain.trim_start_matches("sha256:").replace([':', ' '], "");
    let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hex && digits.len() == 64 {
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
        }
        return Some(bytes);
    }
    let print = "`openssl x509 -noout -fingerprint -sha256 -in FILE` prints it";
    let help = match digits.len() {
        _ if found.to_ascii_lowercase().starts_with("sha256/") => {
            format!("that is a fingerprint of the key, not of the certificate; {print}")
        }
        40 if is_hex => format!("that is a SHA-1 fingerprint; {print}"),
        length if is_hex => format!("64 hexadecimal digits are needed, here are {length}; {print}"),
        _ => print.to_owned(),
    };
    must_be(ctx, val, &found, &help)
}

/// Letters, digits and inner hyphens; `_` where certificates allow it.
fn is_host_name(name: &str, underscores: bool) -> bool {
    let good = |label: &str| {
        let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || (underscores && b == b'_');
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // What ends in a number is an address gone wrong.
    let last = name.rsplit('.').next().unwrap_or("");
    name.len() <= NAME_BYTES_MAX
        && name.split('.').all(good)
        && !last.bytes().all(|b| b.is_ascii_digit())
}

/// A name in lower case, without the dot at its end.
fn folded(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn name_help(found: &str) -> &'static str {
    if found.contains("://") || found.contains('/') {
        "the name alone, without `https://` and path"
    } else if found.parse::<IpAddr>().is_ok() {
        "an address is no name; clients that connect to one ask for none"
    } else if found.contains('*') {
        "a name without `*`"
    } else if found.contains(':') {
        "without the port"
    } else if !found.is_ascii() {
        "write it as it stands in DNS (`xn--…`)"
    } else {
        ""
    }
}

/// A host name, in lower case.
pub(crate) fn host_name(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = filled(ctx, val)?;
    let name = folded(&found);
    if is_host_name(&name, true) {
        return Some(name);
    }
    must_be(ctx, val, &found, name_help(&found))
}

/// A name that a certificate may be asked for.
pub(crate) fn issued_name(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = filled(ctx, val)?;
    let name = folded(&found);
    if is_host_name(&name, false) {
        return Some(name);
    }
    let help = match found.starts_with("*.") {
        true => "certificates for `*.` need a challenge in DNS, which is not offered; name each",
        false => name_help(&found),
    };
    must_be(ctx, val, &found, help)
}

/// A name, or `*.` and a name; in lower case.
pub(crate) fn sni_name(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = filled(ctx, val)?;
    let name = folded(&found);
    if is_host_name(name.strip_prefix("*.").unwrap_or(&name), true) {
        return Some(name);
    }
    let help = match found.contains('*') {
        true => "`*` stands for the whole first label: \"*.dev.example.com\"",
        false => name_help(&found),
    };
    must_be(ctx, val, &found, help)
}

/// What a member's certificate is for: a name, or an address.
pub(crate) fn server_name(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = filled(ctx, val)?;
    let name = folded(&found);
    if found.parse::<IpAddr>().is_ok() || is_host_name(&name, true) {
        return Some(name);
    }
    must_be(ctx, val, &found, name_help(&found))
}

/// A protocol name of ALPN.
pub(crate) fn alpn(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    // One byte holds its length.
    const BYTES_MAX: usize = 255;
    let found = filled(ctx, val)?;
    if found == "acme-tls/1" {
        let help = "it is answered by itself while a certificate is obtained";
        return bad(ctx, val, "`acme-tls/1` cannot be offered to clients".to_owned(), help);
    }
    if found.len() > BYTES_MAX || !found.bytes().all(|b| b.is_ascii_graphic()) {
        let message = format!("`{}` is not the name of a protocol", shorten(&found));
        return bad(ctx, val, message, "such as \"http/1.1\" or \"h2\"");
    }
    Some(found)
}

/// A host name or address of a URL, with or without a port.
pub(crate) fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let is_address = match inner {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.parse::<std::net::Ipv4Addr>().is_ok(),
    };
    good_port && (is_address || is_host_name(&host.to_ascii_lowercase(), true))
}

/// `https://HOST[:PORT][/PATH]`
pub(crate) fn https(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = filled(ctx, val)?;
    let printable = found.bytes().all(|b| b.is_ascii_graphic()) && !found.contains(['#', '\\']);
    let good_host = |rest: &str| is_authority(rest.split(['/', '?']).next().unwrap_or(""));
    if printable && found.strip_prefix("https://").is_some_and(good_host) {
        return Some(found);
    }
    let help = if found.starts_with("http://") {
        "the authority's word must not be changed on the way: only https"
    } else if ["letsencrypt", "lets-encrypt", "let's encrypt"].contains(&&*found.to_lowercase()) {
        "write \"https://acme-v02.api.letsencrypt.org/directory\""
    } else {
        "such as \"https://acme-v02.api.letsencrypt.org/directory\""
    };
    must_be(ctx, val, &found, help)
}

/// A mail address, without `mailto:`.
pub(crate) fn mail(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = filled(ctx, val)?;
    let address = found.strip_prefix("mailto:").unwrap_or(&found);
    // `?` would add headers to the address.
    let good_local = |local: &str| {
        !local.is_empty()
            && local.bytes().all(|b| b.is_ascii_graphic() && !b"?,@\"<>()".contains(&b))
    };
    let good = address
        .rsplit_once('@')
        .is_some_and(|(local, host)| good_local(local) && is_host_name(host, false));
    if good { Some(address.to_owned()) } else { must_be(ctx, val, &found, "") }
}

/// For messages: `TLS 1.2`.
pub(crate) fn shown_version(version: TlsVersion) -> String {
    format!("TLS {}", word_of(version))
}
