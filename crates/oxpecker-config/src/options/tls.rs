//! Options of TLS: toward clients, toward members, and of the authorities that issue
//! certificates by themselves.

use super::Fallback::{Required, Unset, Value};
use super::Kind::{CountOrOff, Duration, Other, Path, Switch, Word};
use super::{OptionDoc, TableDoc, option};
use crate::model::TlsVersion;
use crate::words::{ChallengeKind, ClientCertificates, VerifyKind, names};

/// The same on both sides.
const MIN_VERSION: OptionDoc = option(
    "min_version",
    Word(names::<TlsVersion>),
    Value("\"1.2\""),
    "Oldest version of TLS. TLS 1.0, 1.1 and SSL are not offered at all.",
    "\"1.3\"",
);

const MAX_VERSION: OptionDoc = option(
    "max_version",
    Word(names::<TlsVersion>),
    Value("\"1.3\""),
    "Newest version of TLS.",
    "\"1.2\"",
);

const CIPHER_SUITES: OptionDoc = option(
    "cipher_suites",
    Other("a list of cipher suites"),
    Unset("all that are offered"),
    "In IANA's names, best first. For TLS 1.3: `TLS13_AES_256_GCM_SHA384`, \
     `TLS13_AES_128_GCM_SHA256`, `TLS13_CHACHA20_POLY1305_SHA256` (also as `TLS_AES_…`). For TLS \
     1.2: `TLS_ECDHE_ECDSA_WITH_` or `TLS_ECDHE_RSA_WITH_` and `AES_256_GCM_SHA384`, \
     `AES_128_GCM_SHA256` or `CHACHA20_POLY1305_SHA256`. There are no weaker ones to switch off.",
    "[\"TLS13_AES_256_GCM_SHA384\", \"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\"]",
);

const PASSPHRASE: OptionDoc = option(
    "passphrase",
    Other("{ file = \"PATH\" }, { env = \"NAME\" }, { command = [\"PROGRAM\"] } or a text"),
    Unset("the key is not encrypted"),
    "Opens the key. See [Secrets](#secrets).",
    "{ file = \"front.pass\" }",
);

pub(super) static TLS_CLIENT: TableDoc = TableDoc {
    name: "profile.tls_client",
    heading: "[profile.tls_client.NAME]",
    doc: "TLS ended at the gateway. Takes everything from its parent and changes what it writes.",
    options: &[
        option(
            "parent",
            Other("the name of a tls_client profile"),
            Unset("none"),
            "`clientssl` or another `[profile.tls_client.NAME]`.",
            "\"clientssl\"",
        ),
        option(
            "certificates",
            Other(
                "a list of paths, `{ certificate = \"PATH\", … }` tables or \
                 `{ acme = \"NAME\", … }` tables",
            ),
            Required,
            "Certificates to choose from by the name the client asks for; the first is for \
             clients that do not ask. Tables with the keys of \
             [Certificates](#certificates-entries).",
            "[{ certificate = \"front.crt\", key = \"front.key\", chain = \"ca.crt\" }]",
        ),
        MIN_VERSION,
        MAX_VERSION,
        CIPHER_SUITES,
        option(
            "alpn",
            Other("a list of protocol names"),
            Value("[]"),
            "Protocols to agree on with clients that ask (ALPN), best first; `[]` = their question \
             is not answered. Impala's clients do not ask, and impalad's HTTP is 1.1.",
            "[\"http/1.1\"]",
        ),
        option(
            "tickets",
            Switch,
            Value("true"),
            "Clients may resume a session by ticket, which saves most of a handshake.",
            "false",
        ),
        option(
            "client_certificates",
            Word(names::<ClientCertificates>),
            Value("\"none\""),
            "Whether clients must show a certificate of their own. `optional`: those without one \
             may come too, but a bad one is refused.",
            "\"required\"",
        ),
        option(
            "client_ca_file",
            Path,
            Unset("no client shows one"),
            "PEM file with the authorities that clients' certificates come from.",
            "\"/etc/oxpecker/clients-ca.crt\"",
        ),
        option(
            "client_crl_file",
            Path,
            Unset("none is revoked"),
            "PEM file with the authorities' lists of revoked certificates.",
            "\"/etc/oxpecker/clients.crl\"",
        ),
        option(
            "handshakes_per_source",
            CountOrOff(1, 1_000_000),
            Value("\"off\""),
            "Handshakes that one source address may begin in a second: one client cannot take \
             the whole processor. Leave room for a NAT or a Hue server with many users behind \
             one address.",
            "50",
        ),
    ],
};

pub(super) static CERTIFICATE: TableDoc = TableDoc {
    name: "profile.tls_client.certificates",
    heading: "certificates entries",
    doc: "An entry of `certificates` in `[profile.tls_client.NAME]`: files, or `acme` and \
          `names`. The plain text `\"front.pem\"` is the same as `{ certificate = \"front.pem\" }`.",
    options: &[
        option(
            "certificate",
            Path,
            Unset("`acme` says where from"),
            "PEM file; may hold chain and key as well, as HAProxy's do.",
            "\"front.crt\"",
        ),
        option("key", Path, Unset("in the certificate's file"), "PEM file.", "\"front.key\""),
        option(
            "chain",
            Path,
            Unset("what the certificate's file holds"),
            "PEM file with the certificates in between.",
            "\"ca.crt\"",
        ),
        PASSPHRASE,
        option(
            "acme",
            Other("the name of an acme table"),
            Unset("the certificate stands in files"),
            "Obtain the certificate from this `[acme.NAME]`, and renew it in time.",
            "\"letsencrypt\"",
        ),
        option(
            "names",
            Other("a host name or a list of them"),
            Unset("the certificate stands in files"),
            "With `acme`: the names the certificate is for.",
            "[\"impala.example.com\"]",
        ),
    ],
};

pub(super) static TLS_SERVER: TableDoc = TableDoc {
    name: "profile.tls_server",
    heading: "[profile.tls_server.NAME]",
    doc: "TLS toward the members. Takes everything from its parent and changes what it writes.",
    options: &[
        option(
            "parent",
            Other("the name of a tls_server profile"),
            Unset("the defaults below"),
            "`serverssl` or another `[profile.tls_server.NAME]`.",
            "\"serverssl\"",
        ),
        option(
            "verify",
            Word(names::<VerifyKind>),
            Value("\"required\""),
            "What the member's certificate must be. `required`: from a trusted authority, not \
             expired, for the right name. `pinned`: one of `fingerprints`, whatever else it says. \
             `none`: anything. F5's serverssl does not look; here not looking has to be written.",
            "\"pinned\"",
        ),
        option(
            "fingerprints",
            Other("a SHA-256 fingerprint such as \"sha256:3A:0F:…\", or a list of them"),
            Unset("no certificate is pinned"),
            "With `verify = \"pinned\"`: the members' certificates, as `openssl x509 -noout \
             -fingerprint -sha256 -in FILE` prints them.",
            "[\"sha256:8F:43:43:46:64:8F:6B:96:DF:89:DD:A9:01:C5:17:6B:10:A6:D8:39:61:DD:3C:1A:\
             C8:8B:59:B2:DC:32:7A:A4\"]",
        ),
        option(
            "server_name",
            Other("a host name or an IP address"),
            Unset("the node's address or name"),
            "Name every member's certificate must carry, and the one asked for.",
            "\"impala.example.com\"",
        ),
        option(
            "ca_file",
            Path,
            Unset("the system's roots"),
            "PEM file with the certificate authorities to trust.",
            "\"/etc/oxpecker/ca.crt\"",
        ),
        option(
            "crl_file",
            Path,
            Unset("none is revoked"),
            "PEM file with the authorities' lists of revoked certificates.",
            "\"/etc/oxpecker/ca.crl\"",
        ),
        MIN_VERSION,
        MAX_VERSION,
        CIPHER_SUITES,
        option(
            "certificate",
            Path,
            Unset("none is shown"),
            "PEM file, shown to members that ask for a certificate; may hold chain and key as \
             well.",
            "\"gateway.crt\"",
        ),
        option("key", Path, Unset("in the certificate's file"), "PEM file.", "\"gateway.key\""),
        option(
            "chain",
            Path,
            Unset("what the certificate's file holds"),
            "PEM file with the certificates in between.",
            "\"ca.crt\"",
        ),
        PASSPHRASE,
    ],
};

pub(super) static ACME: TableDoc = TableDoc {
    name: "acme",
    heading: "[acme.NAME]",
    doc: "An authority that issues certificates by itself (ACME, RFC 8555), such as Let's Encrypt. \
          Named by `certificates` entries. See [tls.md](tls.md#certificates-that-come-by-themselves).",
    options: &[
        option(
            "directory",
            Other("an https address"),
            Required,
            "The authority's directory.",
            "\"https://acme-v02.api.letsencrypt.org/directory\"",
        ),
        option(
            "contact",
            Other("a mail address or a list of them"),
            Value("[]"),
            "Where the authority may write to.",
            "[\"ops@example.com\"]",
        ),
        option(
            "challenge",
            Word(names::<ChallengeKind>),
            Value("\"tls-alpn-01\""),
            "How the authority sees that the names are ours. `tls-alpn-01`: it connects to port \
             443 of each name, where a virtual server with `tls_client` must listen; nothing is \
             to be set there. `http-01`: it asks port 80 of each name, which `http_listen` answers.",
            "\"http-01\"",
        ),
        option(
            "http_listen",
            Other("\"ADDRESS:PORT\" or \"*:PORT\""),
            Unset("`0.0.0.0:80` for `http-01`"),
            "Where `http-01` is answered. Several authorities may name the same address.",
            "\"10.17.84.12:80\"",
        ),
        option(
            "state",
            Path,
            Value("\"/var/lib/oxpecker/acme\""),
            "Directory for accounts, keys and certificates. Each authority has one of its own in \
             it, for the gateway's user alone.",
            "\"/srv/oxpecker/acme\"",
        ),
        option(
            "ca_file",
            Path,
            Unset("the system's roots"),
            "PEM file with the authorities to trust when the directory is asked, for an authority \
             of one's own.",
            "\"/etc/oxpecker/ca.crt\"",
        ),
        option(
            "renew_before",
            Duration(3_600_000),
            Value("\"30d\""),
            "Renew when a certificate is valid for no longer than this. One for which that is more \
             than half of its life is renewed when a third of it is left.",
            "\"20d\"",
        ),
        option(
            "agree_to_terms",
            Switch,
            Required,
            "Must be written as `true`: authorities issue only to those who agree to their terms \
             of service, and nobody but the operator can.",
            "true",
        ),
    ],
};
