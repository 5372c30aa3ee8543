//! A Kerberos realm of one's own: MIT's KDC on a loopback address, its files in a directory of the
//! test. The machine's own configuration is neither read nor touched.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::net::Net;
use crate::temp::TempDir;
use crate::wait::wait_until;

pub const REALM: &str = "EXAMPLE.TEST";

/// Not Kerberos' own, which only root may open.
const KDC_PORT: u16 = 10_088;

const KRB5_CONF: &str = "[libdefaults]
    default_realm = EXAMPLE.TEST
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
[realms]
    EXAMPLE.TEST = {
        kdc = ADDRESS
    }
[domain_realm]
    .example.test = EXAMPLE.TEST
";

const KDC_CONF: &str = "[kdcdefaults]
    kdc_listen = ADDRESS
    kdc_tcp_listen = ADDRESS
[realms]
    EXAMPLE.TEST = {
        database_name = HOME/principal
        key_stash_file = HOME/stash
        acl_file = HOME/kadm5.acl
        supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
    }
[logging]
    kdc = FILE:HOME/kdc.log
";

/// A running KDC; killed when dropped.
#[derive(Debug)]
pub struct Kdc {
    child: Child,
    dir: TempDir,
    _net: Net,
}

impl Kdc {
    /// A realm `EXAMPLE.TEST` with these principals, such as `impala/lb.example.test`. Their keys
    /// are random.
    ///
    /// # Panics
    /// When MIT's programs are not there.
    #[track_caller]
    pub fn start(principals: &[&str]) -> Self {
        let (net, dir) = (Net::new(), TempDir::new());
        let address = SocketAddr::new(net.ip(1), KDC_PORT);
        let home = dir.path().display().to_string();
        for (name, text) in [("krb5.conf", KRB5_CONF), ("kdc.conf", KDC_CONF)] {
            let text = text.replace("ADDRESS", &address.to_string());
            dir.write(name, &text.replace("HOME", &home));
        }
        dir.write("kadm5.acl", "");
        run(&mut within(dir.path(), "kdb5_util", &["create", "-r", REALM, "-s", "-P", "master"]));
        for principal in principals {
            let query = format!("addprinc -randkey {principal}");
            run(&mut within(dir.path(), "kadmin.local", &["-q", &query]));
        }
        let child = within(dir.path(), "krb5kdc", &["-n"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start krb5kdc: {error}"));
        let kdc = Self { child, dir, _net: net };
        wait_until("the KDC answers", || TcpStream::connect(address).is_ok());
        kdc
    }

    /// One of MIT's programs, or another that reads `KRB5_CONFIG`, as in this realm.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        within(self.dir.path(), program, arguments)
    }

    /// What a program in this realm needs in its environment.
    pub fn krb5_conf(&self) -> PathBuf {
        self.dir.join("krb5.conf")
    }

    pub fn dir(&self) -> &TempDir {
        &self.dir
    }

    /// A file with the keys of these principals, written by MIT's `ktadd`.
    #[track_caller]
    pub fn keytab(&self, name: &str, principals: &[&str]) -> PathBuf {
        let file = self.dir.join(name);
        for principal in principals {
            let query = format!("ktadd -norandkey -k {} {principal}", file.display());
            run(&mut self.command("kadmin.local", &["-q", &query]));
        }
        file
    }

    /// Logs a user in; what `KRB5CCNAME` has to say then. The user must be one of the principals.
    #[track_caller]
    pub fn ticket(&self, user: &str) -> String {
        let keytab = self.keytab(&format!("{user}.keytab"), &[user]);
        let cache = format!("FILE:{}", self.dir.join(&format!("{user}.cc")).display());
        let keytab = keytab.display().to_string();
        run(&mut self.command("kinit", &["-c", &cache, "-kt", &keytab, user]));
        cache
    }

    /// Standard output of one of MIT's programs that must not fail.
    #[track_caller]
    pub fn ask(&self, program: &str, arguments: &[&str]) -> String {
        run(&mut self.command(program, arguments))
    }
}

impl Drop for Kdc {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn within(dir: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command.env("KRB5_CONFIG", dir.join("krb5.conf"));
    command.env("KRB5_KDC_PROFILE", dir.join("kdc.conf"));
    // Nobody's tickets: where one is wanted it is named.
    command.env("KRB5CCNAME", format!("FILE:{}", dir.join("no.cc").display()));
    command
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!("failed to start {command:?}: {error}; scripts/test-clients.sh installs it")
    });
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {out}\n{err}");
    out.into_owned()
}
