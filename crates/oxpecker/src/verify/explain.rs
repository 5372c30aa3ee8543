//! What the words of clients, servers and Kerberos mean, and what mends it.

/// A text that is met in errors, and what to do then. The first that fits counts.
const KNOWN: [(&[&str], &str); 12] = [
    (
        &["krbtgt/", "not found"],
        "the client takes the gateway's host for one of another realm: map its domain to the \
         cluster's realm in [domain_realm] of krb5.conf",
    ),
    (
        &["not found in Kerberos database"],
        "the KDC does not know the gateway's principal: `addprinc -randkey` it, put its key into \
         every coordinator's keytab, set impalad's --principal to it and restart Impala (in \
         Cloudera Manager: set \"Impala Daemons Load Balancer\", restart Impala)",
    ),
    (
        &["Clock skew too great"],
        "the clocks differ by more than 300 s: let all hosts take the time from the same servers",
    ),
    (&["No Kerberos credentials"], "there is no ticket: kinit, then again"),
    (&["requires a valid kerberos ticket"], "there is no ticket: kinit, then again"),
    (
        &["GSS"],
        "the coordinator has no key for the principal that the client asked for, or an older one: \
         `oxpecker doctor --keytab` looks at its keytab; then restart Impala",
    ),
    (
        &["Could not start SASL"],
        "the client got no ticket for the gateway's principal, although its own is good: was Impala \
         restarted after the load balancer's name was set? `kvno PRINCIPAL` tells the KDC's reason",
    ),
    (&["Unsupported mechanism type PLAIN"], "the cluster wants Kerberos: kinit, and give --realm"),
    (
        &["Unsupported mechanism type GSSAPI"],
        "the cluster does not take Kerberos: give --user and --password-file instead of --realm",
    ),
    (
        &["CERTIFICATE_VERIFY_FAILED"],
        "the certificate is for another name or from an authority that is not trusted: see the \
         lines about it above, and --ca-file",
    ),
    (
        &["reset by peer"],
        "Error 104: the session's coordinator ended, and sessions live on one coordinator. Connect \
         again (`connect HOST:PORT;` in impala-shell; Hue does by itself). If it always happens, no \
         coordinator is usable: the access log says which were tried",
    ),
    (
        &["read 0 bytes"],
        "the other side hung up without a word: it wants a login (--user and --password-file, or \
         --realm) or TLS, the password is wrong, or no coordinator is usable",
    ),
];

/// What mends an error with these words, when it is a usual one.
pub(super) fn remedy(said: &str) -> Option<&'static str> {
    let fits = |words: &&[&str]| words.iter().all(|word| said.contains(word));
    KNOWN.iter().find(|(words, _)| fits(words)).map(|(_, remedy)| *remedy)
}
