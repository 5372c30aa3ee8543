//! Debian's pebble: a certificate authority that speaks ACME, with a name server of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::certificates::{Authority, Pair};
use crate::clients::{Client, run};
use crate::net::Net;
use crate::temp::TempDir;

/// Hosts of the test's network.
const AUTHORITY: u8 = 50;
const NAME_SERVER: u8 = 51;

/// Where it looks for `tls-alpn-01`; instead of 443, which takes root.
pub const TLS_PORT: u16 = crate::net::PORT;

/// Where it looks for `http-01`; instead of 80.
pub const HTTP_PORT: u16 = 21_080;

/// The authority. All names lead to host 1 of the test's network.
#[derive(Debug)]
pub struct Pebble {
    dir: TempDir,
    ca: Authority,
    address: SocketAddr,
    management: SocketAddr,
    dns: SocketAddr,
    env: Vec<(String, String)>,
    process: Option<Client>,
    _name_server: Client,
}

impl Pebble {
    /// Ready to start; its certificates are valid for `seconds`.
    #[track_caller]
    pub fn new(net: &Net, seconds: u32) -> Self {
        let dir = TempDir::new();
        let ca = Authority::new(dir.join("Pebble web CA"));
        let at = |host: u8, port: u16| SocketAddr::new(net.ip(host), port);
        let (address, management) = (at(AUTHORITY, 14_000), at(AUTHORITY, 15_000));
        let Pair { certificate, key } = ca.issue("pebble", &[&format!("IP:{}", address.ip())]);
        dir.write(
            "pebble.json",
            &format!(
                r#"{{ "pebble": {{
                    "listenAddress": "{address}", "managementListenAddress": "{management}",
                    "certificate": "{}", "privateKey": "{}",
                    "httpPort": {HTTP_PORT}, "tlsPort": {TLS_PORT},
                    "ocspResponderURL": "", "externalAccountBindingRequired": false,
                    "certificateValidityPeriod": {seconds} }} }}"#,
                certificate.display(),
                key.display()
            ),
        );
        let dns = at(NAME_SERVER, 8053);
        let mut command = Command::new("pebble-challtestsrv");
        command.args(["-dns01", &dns.to_string(), "-http01", "", "-https01", "", "-tlsalpn01", ""]);
        command.args(["-defaultIPv4", &net.ip(1).to_string(), "-defaultIPv6", ""]);
        command.args(["-management", &at(NAME_SERVER, 8055).to_string()]);
        let name_server = Client::start(command);
        Self {
            dir,
            ca,
            address,
            management,
            dns,
            env: vec![("PEBBLE_VA_NOSLEEP".into(), "1".into())],
            process: None,
            _name_server: name_server,
        }
    }

    /// One of the variables that make it misbehave.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts it with new keys and no memory of whoever knew it before.
    #[track_caller]
    pub fn start(&mut self) {
        let mut command = Command::new("pebble");
        command.arg("-config").arg(self.dir.join("pebble.json"));
        command.args(["-dnsserver", &self.dns.to_string()]);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let process = Client::start(command);
        process.out.wait("ACME directory available at");
        self.process = Some(process);
    }

    pub fn stop(&mut self) {
        self.process = None;
    }

    /// How often its log has this since it was started.
    #[track_caller]
    pub fn count(&self, part: &str) -> usize {
        self.process.as_ref().expect("it runs").out.count(part)
    }

    /// An `[acme.NAME]` table, with more keys.
    pub fn table(&self, name: &str, state: &Path, more: &str) -> String {
        format!(
            "[acme.{name}]\ndirectory = \"https://{}/dir\"\nca_file = \"{}\"\nstate = \"{}\"\n\
             agree_to_terms = true\n{more}\n",
            self.address,
            self.ca.certificate().display(),
            state.display()
        )
    }

    /// The authority that clients have to trust; it is another one after each start.
    #[track_caller]
    pub fn root(&self) -> PathBuf {
        let script = "import ssl, sys, urllib.request\n\
                      context = ssl.create_default_context(cafile=sys.argv[2])\n\
                      print(urllib.request.urlopen(sys.argv[1], context=context).read().decode())";
        let mut command = Command::new("/usr/bin/python3");
        let url = format!("https://{}/roots/0", self.management);
        command.args(["-c", script, &url]).arg(self.ca.certificate());
        self.dir.write("root.pem", &run(command).ok())
    }
}
