//! What looks like a secret, by the name in front of it or by itself. Rather too much is taken for
//! one than too little.

/// Parts of names whose values are nobody's business: of query options, table properties, JDBC and
/// object-store settings.
const SECRET_NAMES: [&str; 18] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "credential",
    "api_key",
    "apikey",
    "access.key",
    "access_key",
    "accesskey",
    "account.key",
    "private.key",
    "private_key",
    "jdbc.auth",
    "signature",
    "authorization",
];

/// Delegation tokens, keys and JWTs are longer; few other words are.
const TOKEN_BYTES_MIN: usize = 40;

/// Stands for a secret.
pub(super) const MASK: &str = "***";

/// A value behind this name is a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

/// Random letters and digits of some length, as keys and tokens are.
pub(super) fn is_token(text: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || "-_.+=".contains(c);
    text.len() >= TOKEN_BYTES_MIN
        && text.chars().all(part)
        && text.contains(|c: char| c.is_ascii_lowercase())
        && text.contains(|c: char| c.is_ascii_uppercase())
        && text.contains(|c: char| c.is_ascii_digit())
}

/// Text inside a literal or comment, such as a JDBC URL, without the secrets in it.
pub(super) fn mask_pairs(text: &str, out: &mut String) {
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        out.push_str(if is_token(name) { MASK } else { name });
        rest = behind;
        let Some(first) = rest.chars().next() else { return };
        let (separator, behind) = rest.split_at(first.len_utf8());
        out.push_str(separator);
        rest = behind;
        if matches!(first, '=' | ':') && is_secret_name(name) {
            rest = skip_value(rest, out);
        } else if first == ':' && rest.starts_with("//") {
            rest = mask_user_info(rest, out);
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || "_.-".contains(c)
}

fn skip_value<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let value = rest.trim_start_matches(' ');
    let end = value.find(|c: char| c.is_whitespace() || "&;,)}'\"".contains(c));
    out.push_str(MASK);
    &value[end.unwrap_or(value.len())..]
}

/// `//user:password@host`: what stands before the `@`.
fn mask_user_info<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let authority = &rest[2..];
    let end = authority.find(|c: char| c.is_whitespace() || "/?#".contains(c));
    let authority = &authority[..end.unwrap_or(authority.len())];
    out.push_str("//");
    match authority.rfind('@') {
        Some(at) => {
            out.push_str(MASK);
            &rest[2 + at..]
        }
        None => &rest[2..],
    }
}
