//! The guides in docs/: every command in them is run, in their order, and every configuration.
//!
//! The names of the guides lead to addresses of the test by a file of hosts; that needs root.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use oxpecker_testkit::clients::{beeline, installed};
use oxpecker_testkit::namespace::with_hosts;
use oxpecker_testkit::{Gateway, Kdc, Launch, Net, Standin, TempDir};

use super::need_root;
use crate::clients::kerberized;
use crate::site::PROGRAM;

/// The fenced blocks of a guide in one language, in order.
#[track_caller]
fn blocks(guide: &str, language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(guide);
    let text = fs::read_to_string(path).unwrap();
    let fence = format!("\n```{language}\n");
    let blocks = text.split(fence.as_str()).skip(1);
    blocks.map(|rest| rest.split_once("\n```").unwrap().0.to_owned() + "\n").collect()
}

/// A directory in which commands of a guide run, as they are written.
struct Desk {
    dir: TempDir,
    hosts: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Desk {
    #[track_caller]
    fn new(names: &[(IpAddr, &str)]) -> Self {
        need_root();
        let dir = TempDir::new();
        let lines: String = names.iter().map(|(ip, name)| format!("{ip} {name}\n")).collect();
        let hosts = dir.write("hosts", &format!("127.0.0.1 localhost\n{lines}"));
        fs::create_dir(dir.join("bin")).unwrap();
        symlink(PROGRAM, dir.join("bin/oxpecker")).unwrap();
        symlink(installed("shell/bin/impala-shell"), dir.join("bin/impala-shell")).unwrap();
        let path = format!("{}:{}", dir.join("bin").display(), std::env::var("PATH").unwrap());
        let environment = vec![("PATH", path), ("HOME", dir.path().display().to_string())];
        Self { dir, hosts, environment }
    }

    /// Everything that the commands of a block print; none of them may fail.
    #[track_caller]
    fn run(&self, block: &str) -> String {
        let mut command = with_hosts(&self.hosts, "bash");
        command.args(["-e", "-o", "pipefail", "-c", block]);
        self.finish(command, block)
    }

    #[track_caller]
    fn finish(&self, mut command: Command, what: &str) -> String {
        command.current_dir(self.dir.path()).envs(self.environment.iter().cloned());
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{}:\n{what}\n{said}", output.status);
        said
    }

    /// The gateway, with the configuration beside the commands.
    #[track_caller]
    fn gateway(&self, config: &str) -> Gateway {
        self.dir.write("oxpecker.toml", config);
        let hosts = self.hosts.display().to_string();
        let bind = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        let launch = Launch::new(PROGRAM, config);
        launch.through(&["unshare", "--mount", "sh", "-c", bind, &hosts]).start()
    }
}

/// A guide's addresses and networks become the test's.
fn localized(text: &str, net: &Net) -> String {
    let text = text.replace("10.0.0.0/8", "127.0.0.0/8").replace("10.17.84.5:", "10.17.84.1:");
    let text = text.replace("10.17.84.12:", "10.17.84.1:");
    let net = net.ip(1).to_string();
    text.replace("10.17.84.", &format!("{}.", net.rsplit_once('.').unwrap().0))
}

#[test]
fn kerberos() {
    // The realm of the tests' KDC has another name than the guide's.
    let renamed = |text: &str| {
        text.replace("example.com", "example.test").replace("EXAMPLE.COM", "EXAMPLE.TEST")
    };
    let own = ["impala/coord-1.example.test", "impala/coord-2.example.test"];
    let kdc = Kdc::start(&[&["alice"], &own[..]].concat());
    let net = Net::new();
    let mut desk = Desk::new(&[
        (net.ip(1), "impala.example.test"),
        (net.ip(11), "coord-1.example.test"),
        (net.ip(12), "coord-2.example.test"),
    ]);
    let tickets = format!("FILE:{}", desk.dir.join("tickets").display());
    let file = |name: &str| kdc.dir().join(name).display().to_string();
    desk.environment.extend([
        ("KRB5_CONFIG", file("krb5.conf")),
        ("KRB5_KDC_PROFILE", file("kdc.conf")),
        ("KRB5CCNAME", tickets),
    ]);
    fs::copy(kdc.keytab("alice.keytab", &["alice"]), desk.dir.join("alice.keytab")).unwrap();
    let sh: Vec<String> = blocks("kerberos.md", "sh").iter().map(|text| renamed(text)).collect();
    let [principal, merge, doctor, look, direct] = &sh[..] else {
        panic!("the guide has other commands: {sh:#?}")
    };
    desk.run(principal);
    // The same on each coordinator.
    let mut coordinators = Vec::new();
    for (own, host) in own.iter().zip(11..) {
        let keytab = kdc.keytab(&format!("{host}.keytab"), &[own]);
        fs::copy(keytab, desk.dir.join("impala.keytab")).unwrap();
        let said = desk.run(merge);
        for name in ["impala/impala.example.test@EXAMPLE.TEST", &format!("{own}@EXAMPLE.TEST")] {
            // Two types each, listed by both programs.
            assert_eq!(said.matches(name).count(), 4, "{said}");
        }
        let merged = desk.dir.join(&format!("{host}.merged"));
        fs::rename(desk.dir.join("merged.keytab"), &merged).unwrap();
        let flag = "--flag-shown=principal=impala/impala.example.test@EXAMPLE.TEST";
        let hostname = format!("--hostname=coord-{}.example.test", host - 10);
        coordinators.push(kerberized(&kdc, net.addr(host), &merged, &[flag, &hostname]));
    }
    let [config] = &blocks("kerberos.md", "toml")[..] else { panic!("it has one configuration") };
    let _gateway = desk.gateway(&renamed(&localized(config, &net)));
    let said = desk.run(doctor);
    assert!(said.contains("\n0 faults, "), "{said}");
    // What the guide gives as impalad's flags is what is printed for each host.
    for line in ["--principal=impala/impala", "--be_principal=impala/coord-1", "--keytab_file="] {
        assert!(said.contains(line), "{said}");
    }
    let said = desk.run(look);
    assert!(said.contains("10 logins: ") && said.contains("\n0 faults, "), "{said}");
    assert_eq!(said.matches(":25000 5").count(), 2, "five at each: {said}");
    let said = desk.run(direct);
    assert!(said.contains("Coordinator: http://coord-1.example.test:25000"), "{said}");
}

#[test]
fn hue() {
    let net = Net::new();
    let desk = Desk::new(&[(net.ip(1), "impala.example.com")]);
    let _standins = [11, 12].map(|host| Standin::start(net.ip(host), &[]));
    let [config] = &blocks("hue.md", "toml")[..] else { panic!("it has one configuration") };
    let gateway = desk.gateway(&localized(config, &net));
    gateway.out.wait_count(2, "to=\"up\"");
    let sh = blocks("hue.md", "sh");
    let [doctor, verify] = &sh[..] else { panic!("the guide has other commands: {sh:#?}") };
    let said = desk.run(doctor);
    let [ini] = &blocks("hue.md", "ini")[..] else { panic!("it has one hue.ini") };
    for line in ini.lines().skip(1) {
        assert!(said.contains(line.trim()), "`{line}` is not printed: {said}");
    }
    let said = desk.run(verify);
    let told = "one client is always given the same coordinator, as Hue needs it";
    assert!(said.contains(told), "{said}");
}

#[test]
fn tls() {
    let net = Net::new();
    let desk = Desk::new(&[(net.ip(1), "impala.example.com")]);
    let _standins = [11, 12].map(|host| Standin::start(net.ip(host), &["--sample"]));
    let authority = oxpecker_testkit::Authority::new(desk.dir.join("Cluster CA"));
    for name in ["ca.crt", "ca.key"] {
        fs::copy(authority.certificate().with_file_name(name), desk.dir.join(name)).unwrap();
    }
    let sh = blocks("tls.md", "sh");
    let [issue, believe, shell, fingerprint, shown, accepted] = &sh[..] else {
        panic!("the guide has other commands: {sh:#?}")
    };
    desk.run(issue);
    desk.run(believe);
    let offload = blocks("tls.md", "toml")
        .into_iter()
        .find(|block| block.contains("tls_client = \"front\"") && !block.contains("tls_server"));
    let config = format!(
        "node.coord-1.address = \"10.17.84.11\"\nnode.coord-2.address = \"10.17.84.12\"\n\
         pool.hs2 = {{ port = 21050, members = [\"coord-1\", \"coord-2\"], monitor = \"none\" }}\n{}",
        offload.expect("it shows offload")
    );
    let config = config.replace("\"front.", &format!("\"{}/front.", desk.dir.path().display()));
    let config = config.replace("\"ca.crt", &format!("\"{}/ca.crt", desk.dir.path().display()));
    let config = config.replace("\"10.17.84.12:", "\"10.17.84.1:");
    let _gateway = desk.gateway(&localized(&config, &net));
    let said = desk.run(shell);
    assert!(said.contains("Fetched 1 row(s)"), "{said}");
    fs::copy(desk.dir.join("front.crt"), desk.dir.join("coord-1.crt")).unwrap();
    assert!(desk.run(fingerprint).contains("Fingerprint="));
    let said = desk.run(shown);
    assert!(
        said.contains("issuer=CN = Cluster CA") && said.contains("DNS:impala.example.com"),
        "{said}"
    );
    assert!(desk.run(accepted).contains("Verify return code: 0 (ok)"));
    let said = desk.run("oxpecker verify -f oxpecker.toml --ca-file ca.crt");
    assert!(said.contains("the certificate verifies") && said.contains("\n0 faults, "), "{said}");
    // The line for Hive's driver; the stand-ins know no SASL.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tls.md");
    let text = fs::read_to_string(path).unwrap();
    let url = text.split("`jdbc:hive2:").nth(1).unwrap().split('`').next().unwrap();
    let client = beeline();
    let mut command = with_hosts(&desk.hosts, client.get_program().to_str().unwrap());
    command.args(client.get_args()).args(["--silent=true", "--outputformat=csv2"]);
    command.args(["-u", &format!("jdbc:hive2:{url};auth=noSasl"), "-e", "show tables"]);
    assert!(desk.finish(command, url).contains("web_logs"));
}
