//! Who may come in: passwords, the `impala.auth` cookie, and delegation.

use crate::options::{Auth, Options};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::collections::HashMap;
use std::time::{Duration, Instant};

pub(crate) const COOKIE_NAME: &str = "impala.auth";

/// The rules of this stand-in.
pub(crate) struct Authenticator {
    pub(crate) mode: Auth,
    users: HashMap<String, String>,
    proxies: HashMap<String, Vec<String>>,
    /// Made at start, so a cookie of another coordinator, or of this one before a restart, is worth
    /// nothing.
    cookie_key: [u8; 32],
    cookie_lifetime: Duration,
    started: Instant,
}

impl Authenticator {
    pub(crate) fn new(options: &Options) -> Self {
        let mut cookie_key = [0; 32];
        crate::ids::fill_random(&mut cookie_key);
        let rules = options.authorized_proxy_users.split(';').filter_map(|rule| {
            let (user, others) = rule.split_once('=')?;
            Some((user.trim().to_owned(), others.split(',').map(|o| o.trim().to_owned()).collect()))
        });
        Self {
            mode: options.auth,
            users: options.users.iter().cloned().collect(),
            proxies: rules.collect(),
            cookie_key,
            cookie_lifetime: options.max_cookie_lifetime,
            started: Instant::now(),
        }
    }

    /// Whether that is the user's password. Without a list of users any will do, as long as there
    /// is a name.
    pub(crate) fn password_is_right(&self, user: &str, password: &str) -> bool {
        if user.is_empty() {
            return false;
        }
        self.users.is_empty() || self.users.get(user).is_some_and(|known| known == password)
    }

    /// Reads a SASL PLAIN response, `authzid NUL authcid NUL password`. The user is the one acted
    /// for when one is given, as in impalad, which does not compare the two.
    pub(crate) fn plain(&self, response: &[u8]) -> Option<String> {
        let mut parts = response.splitn(3, |b| *b == 0);
        let mut next = || std::str::from_utf8(parts.next()?).ok();
        let (acts_for, user, password) = (next()?, next()?, next()?);
        if !self.password_is_right(user, password) {
            return None;
        }
        Some(if acts_for.is_empty() { user } else { acts_for }.to_owned())
    }

    /// Reads the value of an `Authorization` header.
    pub(crate) fn basic(&self, header: &str) -> Option<String> {
        let (scheme, value) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = STANDARD.decode(value.trim()).ok()?;
        let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        self.password_is_right(user, password).then(|| user.to_owned())
    }

    /// Whether the user may act for the other one.
    pub(crate) fn may_delegate(&self, user: &str, other: &str) -> bool {
        // Rules name the short form of a user.
        let short = user.split(['@', '/']).next().unwrap_or(user);
        self.proxies
            .get(short)
            .is_some_and(|allowed| allowed.iter().any(|a| a == "*" || a == other))
    }

    /// Whether nobody may act for anybody.
    pub(crate) fn delegation_is_disabled(&self) -> bool {
        self.proxies.is_empty()
    }

    /// A `Set-Cookie` value for a user who has just logged in.
    pub(crate) fn new_cookie(&self, user: &str) -> Option<String> {
        if self.cookie_lifetime.is_zero() {
            return None;
        }
        let mut random = [0; 4];
        crate::ids::fill_random(&mut random);
        let time = self.started.elapsed().as_millis();
        let content = format!("u={user}&t={time}&r={}&a=ldap", u32::from_le_bytes(random));
        let signature = URL_SAFE.encode(self.signer(&content).finalize().into_bytes());
        let age = self.cookie_lifetime.as_secs();
        Some(format!("{COOKIE_NAME}={signature}&{content};HttpOnly;Max-Age={age}"))
    }

    /// The user of a cookie we made; `None` for any other.
    pub(crate) fn cookie_user(&self, value: &str) -> Option<String> {
        let (signature, content) = value.split_once('&')?;
        let signature = URL_SAFE.decode(signature).ok()?;
        self.signer(content).verify_slice(&signature).ok()?;
        let field =
            |name: &str| content.split('&').find_map(|f| f.strip_prefix(name)?.strip_prefix('='));
        let made = Duration::from_millis(field("t")?.parse().ok()?);
        let young = self.started.elapsed().saturating_sub(made) < self.cookie_lifetime;
        if young { field("u").map(str::to_owned) } else { None }
    }

    fn signer(&self, content: &str) -> Hmac<Sha256> {
        let mut signer = Hmac::<Sha256>::new_from_slice(&self.cookie_key)
            .expect("HMAC takes keys of any length");
        signer.update(content.as_bytes());
        signer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(users: &[(&str, &str)]) -> Authenticator {
        let users = users.iter().map(|(u, p)| (u.to_string(), p.to_string())).collect();
        Authenticator::new(&Options {
            auth: Auth::Plain,
            users,
            authorized_proxy_users: "gw=*;hue=alice, bob".into(),
            ..Options::default()
        })
    }

    #[test]
    fn plain_takes_the_user_acted_for() {
        let auth = with(&[("alice", "secret")]);
        assert_eq!(auth.plain(b"\0alice\0secret"), Some("alice".into()));
        assert_eq!(auth.plain(b"bob\0alice\0secret"), Some("bob".into()));
        for wrong in [
            &b"\0alice\0Secret"[..],
            b"\0bob\0secret",
            b"alice\0secret",
            b"",
            b"\0\0",
            b"\0\xff\0x",
        ] {
            assert_eq!(auth.plain(wrong), None);
        }
        assert_eq!(with(&[]).plain(b"\0anyone\0anything"), Some("anyone".into()));
        assert_eq!(with(&[]).plain(b"\0\0anything"), None);
    }

    #[test]
    fn basic_reads_the_header() {
        let auth = with(&[("alice", "se:cret")]);
        assert_eq!(auth.basic("Basic YWxpY2U6c2U6Y3JldA=="), Some("alice".into()));
        for wrong in ["Basic", "Basic !", "Bearer YWxpY2U6c2U6Y3JldA==", "Basic YWxpY2U="] {
            assert_eq!(auth.basic(wrong), None);
        }
    }

    #[test]
    fn cookies_are_good_on_the_issuer_only() {
        let (one, other) = (with(&[]), with(&[]));
        let cookie = one.new_cookie("alice").unwrap();
        let value = cookie.strip_prefix("impala.auth=").unwrap().split(';').next().unwrap();
        assert_eq!(one.cookie_user(value), Some("alice".into()));
        assert_eq!(other.cookie_user(value), None);
        assert_eq!(one.cookie_user(&value.replace("u=alice", "u=admin")), None);
        assert_eq!(one.cookie_user(""), None);
    }

    #[test]
    fn delegation_follows_the_rules() {
        let auth = with(&[]);
        assert!(auth.may_delegate("gw/host@REALM", "anyone"));
        assert!(auth.may_delegate("hue", "bob") && !auth.may_delegate("hue", "carol"));
        assert!(!auth.may_delegate("alice", "bob"));
    }
}
