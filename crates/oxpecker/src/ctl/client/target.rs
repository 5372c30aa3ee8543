//! Paths and queries of the API, with names made safe.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 3986's unreserved characters, and the colon of `node:port`.
const KEPT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    text: String,
    queried: bool,
}

impl Target {
    /// Below `/api/v1`.
    pub(crate) fn new(listing: &str) -> Self {
        Self { text: format!("{}/{listing}", oxpecker_api::PREFIX), queried: false }
    }

    /// One segment more.
    pub(crate) fn then(mut self, name: &str) -> Self {
        debug_assert!(!self.queried, "the path comes first");
        self.text.push('/');
        self.text.extend(utf8_percent_encode(name, KEPT));
        self
    }

    pub(crate) fn query(mut self, key: &str, value: &str) -> Self {
        self.text.push(if self.queried { '&' } else { '?' });
        self.queried = true;
        self.text.push_str(key);
        self.text.push('=');
        self.text.extend(utf8_percent_encode(value, KEPT));
        self
    }

    /// Only when there is something to ask for.
    pub(crate) fn ask(self, key: &str, value: Option<&impl ToString>) -> Self {
        match value {
            Some(value) => self.query(key, &value.to_string()),
            None => self,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// A member's own place.
pub(crate) fn member_target(pool: &str, member: &str) -> Target {
    Target::new("pools").then(pool).then("members").then(member)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_paths() {
        let target =
            member_target("a/b", "../c:1 ?#").query("search", "a&b=ü").ask("limit", Some(&3));
        assert_eq!(
            target.as_str(),
            "/api/v1/pools/a%2Fb/members/..%2Fc:1%20%3F%23?search=a%26b%3D%C3%BC&limit=3"
        );
        assert_eq!(Target::new("map").ask("x", None::<&u8>).as_str(), "/api/v1/map");
    }
}
