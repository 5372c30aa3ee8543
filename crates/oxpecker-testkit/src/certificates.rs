//! Authorities and certificates of tests, made by the `openssl` command as administrators do.
//!
//! Elliptic curves unless told otherwise: RSA keys take seconds on a slow machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Nothing but what the commands say: Debian's own file would make every certificate an authority.
const REQUEST_CONFIG: &str = "[req]\ndistinguished_name = dn\n[dn]\n";

const EC: [&str; 6] =
    ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-batch"];

const RSA: [&str; 4] = ["-newkey", "rsa:2048", "-nodes", "-batch"];

/// A certificate and its key: `NAME.crt` and `NAME.key`.
#[derive(Debug, Clone)]
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Pair {
    fn within(dir: &Path, name: &str) -> Self {
        let file = |kind: &str| dir.join(format!("{name}.{kind}"));
        Self { certificate: file("crt"), key: file("key") }
    }

    /// Both paths without their last part, as the Python peers take them.
    pub fn stem(&self) -> String {
        self.certificate.with_extension("").display().to_string()
    }

    /// `sha256:3A:0F:…`
    #[track_caller]
    pub fn fingerprint(&self) -> String {
        let arguments =
            ["x509", "-noout", "-fingerprint", "-sha256", "-in", text(&self.certificate)];
        let said = openssl(&arguments);
        format!("sha256:{}", said.trim().rsplit_once('=').unwrap().1)
    }

    /// As `ssl.getpeercert()` and `openssl x509 -serial` write it.
    #[track_caller]
    pub fn serial(&self) -> String {
        let said = openssl(&["x509", "-noout", "-serial", "-in", text(&self.certificate)]);
        said.trim().rsplit_once('=').unwrap().1.to_owned()
    }

    /// The entry of `certificates` in a profile.
    pub fn entry(&self) -> String {
        let Self { certificate, key } = self;
        format!("{{ certificate = \"{}\", key = \"{}\" }}", certificate.display(), key.display())
    }
}

/// A certificate authority in a directory of its own.
#[derive(Debug)]
pub struct Authority {
    dir: PathBuf,
}

impl Authority {
    /// `dir` becomes its home; the directory's name is the authority's.
    #[track_caller]
    pub fn new(dir: PathBuf) -> Self {
        fs::create_dir_all(&dir).unwrap();
        let authority = Self { dir };
        authority.write("req.cnf", REQUEST_CONFIG);
        authority.write("index.txt", "");
        // With a number, lists of revocations become version 2; nobody reads version 1.
        authority.write("crlnumber", "01\n");
        let home = authority.dir.display();
        authority.write(
            "ca.cnf",
            &format!(
                "[ca]\ndefault_ca = own\n[own]\ndatabase = {home}/index.txt\nnew_certs_dir = {home}\n\
                 rand_serial = yes\ncrlnumber = {home}/crlnumber\ncertificate = {home}/ca.crt\nprivate_key = {home}/ca.key\n\
                 default_md = sha256\ndefault_days = 30\ndefault_crl_days = 30\npolicy = any\n\
                 unique_subject = no\ncopy_extensions = copy\n[any]\ncommonName = optional\n"
            ),
        );
        let name = authority.dir.file_name().unwrap().to_string_lossy().into_owned();
        let extensions = [
            "basicConstraints=critical,CA:TRUE",
            "keyUsage=critical,keyCertSign,cRLSign",
            "subjectKeyIdentifier=hash",
        ];
        let how = [&EC[..], &["-x509", "-days", "30"]].concat();
        authority.request("ca", &name, &extensions, &how, "ca.crt");
        authority
    }

    /// The certificate that others are to trust.
    pub fn certificate(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// A certificate for these subject alternative names, such as `DNS:a.example` or `IP:10.0.0.1`.
    #[track_caller]
    pub fn issue(&self, name: &str, names: &[&str]) -> Pair {
        self.sign(name, names, &EC, &[])
    }

    /// The same with a key of RSA.
    #[track_caller]
    pub fn issue_rsa(&self, name: &str, names: &[&str]) -> Pair {
        self.sign(name, names, &RSA, &[])
    }

    /// The same, but it ended to be valid years ago.
    #[track_caller]
    pub fn issue_expired(&self, name: &str, names: &[&str]) -> Pair {
        let dates = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"];
        self.sign(name, names, &EC, &dates)
    }

    /// The same, but it ends soon: `after` is what `date -d` understands, such as `+10 days`.
    #[track_caller]
    pub fn issue_ending(&self, name: &str, names: &[&str], after: &str) -> Pair {
        let said = Command::new("date").args(["-u", "-d", after, "+%Y%m%d%H%M%SZ"]).output();
        let end = String::from_utf8(said.unwrap().stdout).unwrap();
        self.sign(name, names, &EC, &["-enddate", end.trim()])
    }

    /// Nobody vouches for it but itself. `as_authority`: as `openssl req -x509` makes it by default.
    #[track_caller]
    pub fn self_signed(&self, name: &str, names: &[&str], as_authority: bool) -> Pair {
        let alternative = format!("subjectAltName={}", names.join(","));
        let constraint =
            format!("basicConstraints=CA:{}", if as_authority { "TRUE" } else { "FALSE" });
        let file = format!("{name}.crt");
        let how = ["-x509", "-days", "30"];
        let extensions = [alternative.as_str(), constraint.as_str()];
        self.request(name, name, &extensions, &[&EC, &how[..]].concat(), &file);
        Pair::within(&self.dir, name)
    }

    /// Revokes a certificate; the list that says so is returned, new for each call.
    #[track_caller]
    pub fn revoke(&self, pair: &Pair) -> PathBuf {
        self.manage(&["-revoke", text(&pair.certificate)]);
        let list = self.dir.join("ca.crl");
        self.manage(&["-gencrl", "-out", text(&list)]);
        list
    }

    #[track_caller]
    fn sign(&self, name: &str, names: &[&str], key: &[&str], dates: &[&str]) -> Pair {
        let alternative = format!("subjectAltName={}", names.join(","));
        let request = format!("{name}.csr");
        let extensions = [alternative.as_str(), "basicConstraints=CA:FALSE"];
        self.request(name, name, &extensions, key, &request);
        let pair = Pair::within(&self.dir, name);
        let request = self.dir.join(request);
        let files = ["-notext", "-in", text(&request), "-out", text(&pair.certificate)];
        self.manage(&[&files[..], dates].concat());
        pair
    }

    /// A new key `NAME.key` and a request or certificate for it.
    #[track_caller]
    fn request(&self, name: &str, subject: &str, extensions: &[&str], how: &[&str], out: &str) {
        let subject = format!("/CN={subject}");
        let (key, out) = (self.dir.join(format!("{name}.key")), self.dir.join(out));
        let config = self.dir.join("req.cnf");
        let mut arguments = vec!["req", "-config", text(&config), "-subj", &subject];
        arguments.extend(how);
        arguments.extend(extensions.iter().flat_map(|extension| ["-addext", extension]));
        arguments.extend(["-keyout", text(&key), "-out", text(&out)]);
        openssl(&arguments);
    }

    #[track_caller]
    fn manage(&self, arguments: &[&str]) {
        let config = self.dir.join("ca.cnf");
        openssl(&[&["ca", "-batch", "-config", text(&config)], arguments].concat());
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.dir.join(name), content).unwrap();
    }
}

/// The password of Java's stores, which tools take for granted.
pub const STORE_PASSWORD: &str = "changeit";

/// A pair as a server in Java wants it: `NAME.p12`, in the format that Java also takes for JKS.
#[track_caller]
pub fn java_key_store(pair: &Pair) -> PathBuf {
    let store = pair.certificate.with_extension("p12");
    let pass = format!("pass:{STORE_PASSWORD}");
    let files = ["-in", text(&pair.certificate), "-inkey", text(&pair.key), "-out", text(&store)];
    openssl(&[&["pkcs12", "-export", "-passout", &pass], &files[..]].concat());
    store
}

/// A trust store for clients in Java, at `store`, that believes this authority.
#[track_caller]
pub fn java_trust_store(authority: &Path, store: &Path) {
    let mut keytool = Command::new("keytool");
    keytool.args(["-importcert", "-noprompt", "-alias", "authority", "-storepass", STORE_PASSWORD]);
    keytool.arg("-file").arg(authority).arg("-keystore").arg(store);
    let output = keytool.output();
    let output = output.unwrap_or_else(|error| panic!("failed to start keytool: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Standard output of an `openssl` command that must not fail.
#[track_caller]
pub fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("failed to start openssl: {error}"));
    let (out, err) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "openssl {arguments:?}:\n{err}");
    String::from_utf8_lossy(out).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are ASCII")
}
