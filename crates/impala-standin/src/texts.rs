//! Impala's error texts. Clients and load balancers match them, so they stay exact to the line
//! feed.

use crate::ids::Id;

/// An error for the client: an SQLSTATE and a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) state: Option<&'static str>,
    pub(crate) message: String,
}

/// SQLSTATE of nearly everything.
pub(crate) const GENERAL: &str = "HY000";
/// SQLSTATE of what Impala does not offer.
pub(crate) const NOT_OFFERED: &str = "HYC00";
/// SQLSTATE of a failed analysis, for Beeswax only.
pub(crate) const SYNTAX: &str = "42000";

impl Fault {
    pub(crate) fn general(message: impl Into<String>) -> Self {
        Self { state: Some(GENERAL), message: message.into() }
    }

    pub(crate) fn invalid_session(id: Id) -> Self {
        Self::general(format!("Invalid session id: {id}\n"))
    }

    pub(crate) fn malformed_handle(guid: usize, secret: usize) -> Self {
        Self::general(format!(
            "Malformed THandleIdentifier (guid size: {guid}, expected 16, secret size: {secret}, expected 16)\n"
        ))
    }

    /// An operation that is not registered.
    pub(crate) fn unknown_query(id: Id) -> Self {
        Self::of_query(id, &format!("Invalid or unknown query handle: {id}."))
    }

    /// An operation of another session, or one that is not in the query log.
    pub(crate) fn query_not_found(id: Id) -> Self {
        Self::of_query(id, &format!("Query id {id} not found."))
    }

    /// Since Impala 4.5 the calls that know the query name it (IMPALA-13115).
    pub(crate) fn of_query(id: Id, text: &str) -> Self {
        Self::general(format!("Query {id} failed:\n{text}\n\n"))
    }

    pub(crate) fn other_user(connection: &str, session: &str) -> Self {
        Self::general(format!(
            "The user authorized on the connection '{connection}' does not match the session username '{session}'\n"
        ))
    }

    pub(crate) fn expired(seconds: u64, last: &str) -> Self {
        Self::general(format!(
            "Client session expired due to more than {seconds}s of inactivity (last activity was at: {last}).\n"
        ))
    }

    pub(crate) fn unsupported() -> Self {
        Self { state: Some(NOT_OFFERED), message: "Unsupported operation".into() }
    }

    pub(crate) fn not_implemented() -> Self {
        Self { state: None, message: "Not implemented".into() }
    }

    pub(crate) fn shutting_down(status: &str) -> Self {
        Self::general(format!("Server is being shut down: {status}.\n"))
    }

    pub(crate) fn not_delegated(user: &str, other: &str, disabled: bool) -> Self {
        let why = if disabled { " User/group delegation is disabled." } else { "" };
        Self::general(format!("User '{user}' is not authorized to delegate to '{other}'.{why}\n"))
    }

    pub(crate) fn too_many_sessions(user: &str, limit: i64) -> Self {
        Self::general(format!(
            "Number of sessions for user {user} exceeds coordinator limit {limit}\n"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_exact() {
        let id = Id::parse("0807060504030201:100f0e0d00000000").unwrap();
        for (fault, expected) in [
            (Fault::invalid_session(id), "Invalid session id: 0807060504030201:100f0e0d00000000\n"),
            (
                Fault::unknown_query(id),
                "Query 0807060504030201:100f0e0d00000000 failed:\nInvalid or unknown query handle: \
                 0807060504030201:100f0e0d00000000.\n\n",
            ),
            (
                Fault::query_not_found(id),
                "Query 0807060504030201:100f0e0d00000000 failed:\nQuery id 0807060504030201:100f0e0d00000000 \
                 not found.\n\n",
            ),
            (
                Fault::other_user("a", "b"),
                "The user authorized on the connection 'a' does not match the session username 'b'\n",
            ),
        ] {
            assert_eq!(fault.message, expected);
        }
    }
}
