//! Access logs taken to a bucket or a directory: moto's S3 server, which checks signatures, and
//! the real program.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use nix::sys::signal::Signal;
use oxpecker_testkit::client::Talk;
use oxpecker_testkit::clients::{Client, installed};
use oxpecker_testkit::{
    Authority, Gateway, Launch, Member, Pair, Tcplog, TempDir, connect, wait_until,
};

use crate::site::{PROGRAM, Site};

/// The keys of `delivery/store.py`.
const KEY_ID: &str = "AKIADELIVERYTEST0001";
const SECRET: &str = "swordfish/And+MoreOfIt";

/// A running S3 store; killed when dropped, and its objects are gone then.
struct Store(Client);

impl Store {
    #[track_caller]
    fn start(address: SocketAddr) -> Self {
        Self::start_with(address, 0, None)
    }

    /// `status` as in [`Store::answer`].
    #[track_caller]
    fn start_with(address: SocketAddr, status: u16, tls: Option<&Pair>) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/delivery/store.py");
        let mut command = std::process::Command::new(installed("s3/bin/python"));
        command.arg("-u").arg(script);
        let words = [address.ip().to_string(), address.port().to_string(), status.to_string()];
        command.args(words);
        if let Some(Pair { certificate, key }) = tls {
            command.args([certificate, key]);
        }
        let client = Client::start(command);
        client.out.wait("ready");
        Self(client)
    }

    /// Objects by key.
    #[track_caller]
    fn dump(&mut self, bucket: &str) -> BTreeMap<String, String> {
        serde_json::from_str(&self.0.ask(&format!("dump {bucket}"))).unwrap()
    }

    /// Every request gets this status from now on; 0 = as usual.
    #[track_caller]
    fn answer(&mut self, status: u16) {
        self.0.ask(&format!("answer {status}"));
    }
}

/// One member, and a delivery with these lines.
struct Set {
    site: Site,
    dir: TempDir,
    _member: Member,
}

impl Set {
    fn new() -> Self {
        let site = Site::new(1);
        let member = Member::echo(site.member_addr(1));
        let dir = TempDir::new();
        dir.write("s3.key", &format!("{SECRET}\n"));
        Self { site, dir, _member: member }
    }

    fn store_address(&self) -> SocketAddr {
        SocketAddr::new(self.site.net.ip(80), 9000)
    }

    /// Lines for the bucket `logs` of the store.
    fn bucket(&self) -> String {
        format!(
            "bucket = \"logs\"\nendpoint = \"http://{}\"\naccess_key_id = \"{KEY_ID}\"\n\
             secret_access_key = {{ file = \"{}\" }}\n",
            self.store_address(),
            self.dir.join("s3.key").display(),
        )
    }

    fn spool(&self) -> std::path::PathBuf {
        self.dir.join("spool")
    }

    fn config(&self, lines: &str) -> String {
        let spool = self.spool();
        let table = format!("[log.delivery]\nspool = \"{}\"\n{lines}\n", spool.display());
        format!("{table}{}", self.site.config())
    }

    #[track_caller]
    fn start(&self, lines: &str) -> Gateway {
        Launch::new(PROGRAM, &self.config(lines)).start()
    }

    /// Connections one after the other, until there are `n` records altogether.
    #[track_caller]
    fn speak(&self, gateway: &Gateway, n: usize) {
        while gateway.records().len() < n {
            let before = gateway.records().len();
            connect(self.site.front()).check_echo(b"hello");
            gateway.wait_record(before + 1);
        }
    }

    /// Names in the spool beside its lock.
    fn waiting(&self) -> Vec<String> {
        let names = fs::read_dir(self.spool()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "lock").collect()
    }

    #[track_caller]
    fn wait_empty(&self) {
        wait_until("everything is delivered", || self.waiting().is_empty());
    }
}

/// The records that the gateway printed.
fn printed(gateway: &Gateway) -> Vec<String> {
    let mut lines = gateway.out.all();
    lines.retain(|line| Tcplog::parse(line).is_some());
    lines
}

/// The lines of files, in order of their names.
fn lines(objects: &BTreeMap<String, String>) -> Vec<String> {
    objects.values().flat_map(|text| text.lines().map(str::to_owned)).collect()
}

/// Files below a directory, by path relative to it.
fn files(dir: &Path) -> BTreeMap<String, String> {
    let (mut found, mut todo) = (BTreeMap::new(), vec![dir.to_owned()]);
    while let Some(path) = todo.pop() {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

#[track_caller]
fn stop(gateway: &mut Gateway) {
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.wait_exit(), 0, "{:?}", gateway.err.all());
}

/// Over TLS with an authority of the test's own.
#[test]
fn records_arrive_in_a_bucket_by_interval() {
    let set = Set::new();
    let address = set.store_address();
    let authority = Authority::new(set.dir.join("ca"));
    let pair = authority.issue("store", &[&format!("IP:{}", address.ip())]);
    let mut store = Store::start_with(address, 0, Some(&pair));
    let mut gateway = set.start(&format!(
        "{}prefix = \"Cluster1-Impala\"\ninterval = \"1s\"\nname = \"impala-lb\"\n\
         account = \"123456789012\"\nca_file = \"{}\"\n",
        set.bucket().replace("http:", "https:"),
        authority.certificate().display(),
    ));
    while store.dump("logs").len() < 3 {
        set.speak(&gateway, printed(&gateway).len() + 5);
    }
    stop(&mut gateway);
    let objects = store.dump("logs");
    assert_eq!(lines(&objects), printed(&gateway));
    assert!(set.waiting().is_empty());
    for (key, text) in &objects {
        let (path, name) = key.rsplit_once('/').unwrap();
        let [account, service, region, lb, end, _host, unique] =
            name.split('_').collect::<Vec<_>>()[..]
        else {
            panic!("{key}")
        };
        let day = format!("{}/{}/{}", &end[..4], &end[4..6], &end[6..8]);
        let root = "Cluster1-Impala/AWSLogs/123456789012/elasticloadbalancing/us-east-1";
        assert_eq!(path, format!("{root}/{day}"));
        assert_eq!((account, service), ("123456789012", "elasticloadbalancing"));
        assert_eq!((region, lb), ("us-east-1", "impala-lb"));
        assert!(end.len() == 16 && unique.ends_with(".log"), "{key}");
        assert!(text.ends_with('\n'));
    }
}

/// Refused, then answering errors, then gone in the middle: clients do not notice, and nothing is
/// lost or sent twice.
#[test]
fn an_outage_of_the_store_loses_nothing() {
    let set = Set::new();
    let mut gateway = set.start(&format!("{}interval = \"1s\"\n", set.bucket()));
    set.speak(&gateway, 10);
    let told = gateway.out.wait("failed to deliver access logs, they stay in the spool");
    assert!(told.contains("`endpoint`"), "{told}");

    let mut store = Store::start_with(set.store_address(), 503, None);
    set.speak(&gateway, 20);
    gateway.out.wait("the store said 503");
    assert_eq!(store.dump("logs").len(), 0);
    store.answer(0);
    gateway.out.wait("access logs are delivered again");
    set.wait_empty();
    let mut arrived = lines(&store.dump("logs"));
    assert_eq!(arrived, printed(&gateway));
    // Each reason is told once, however often it was tried.
    assert_eq!(gateway.out.count("failed to deliver access logs"), 2);

    drop(store);
    let mark = gateway.out.mark();
    set.speak(&gateway, 30);
    gateway.out.wait_since(mark, "failed to deliver access logs");
    // The end of the process does not wait long for a store that is away.
    stop(&mut gateway);
    let told = gateway.out.wait("access logs stay in the spool");
    assert!(told.contains(&set.spool().display().to_string()), "{told}");
    let mut records = printed(&gateway);

    let mut store = Store::start(set.store_address());
    let mut gateway = set.start(&format!("{}interval = \"1s\"\n", set.bucket()));
    set.speak(&gateway, 5);
    stop(&mut gateway);
    arrived.extend(lines(&store.dump("logs")));
    records.extend(printed(&gateway));
    assert_eq!(arrived, records);
}

#[test]
fn a_killed_process_loses_nothing() {
    let set = Set::new();
    let mut store = Store::start(set.store_address());
    // The file would stay open for the day.
    let lines_of_table = format!("{}interval = \"24h\"\n", set.bucket());
    let gateway = set.start(&lines_of_table);
    set.speak(&gateway, 10);
    let open = || {
        let name = set.waiting().into_iter().find(|name| name.ends_with(".open"))?;
        Some((name.clone(), fs::read_to_string(set.spool().join(name)).ok()?))
    };
    wait_until("all records are in the file", || {
        open().is_some_and(|(_, text)| text.lines().count() == 10)
    });
    gateway.signal(Signal::SIGKILL);
    let records = printed(&gateway);
    drop(gateway);
    // As if it had died in the middle of a write.
    let (name, text) = open().unwrap();
    fs::write(set.spool().join(name), format!("{text}127.0.0.1:3 [half")).unwrap();

    let mut gateway = set.start(&lines_of_table);
    let told = gateway.out.wait("took up an access log that was being written");
    assert!(told.contains("cut_bytes=17"), "{told}");
    set.wait_empty();
    assert_eq!(lines(&store.dump("logs")), records);
    stop(&mut gateway);
    assert_eq!(lines(&store.dump("logs")), records);
}

#[test]
fn wrong_credentials_are_told_and_lose_nothing() {
    let set = Set::new();
    let mut store = Store::start(set.store_address());
    let good = format!("{}interval = \"1s\"\n", set.bucket());
    let mut gateway = set.start(&good.replace(KEY_ID, "AKIAUNKNOWN"));
    set.speak(&gateway, 5);
    let told = gateway.out.wait("403 InvalidAccessKeyId");
    assert!(told.contains(" error ") && told.contains("check `access_key_id`"), "{told}");

    set.dir.write("s3.key", "not-the-swordfish");
    assert!(gateway.reload(&set.config(&good)).contains("reloaded"));
    gateway.out.wait("403 SignatureDoesNotMatch");
    // A key that may do nothing.
    set.dir.write("s3.key", SECRET);
    let nobody = good.replace(KEY_ID, "AKIADELIVERYTEST0002");
    assert!(gateway.reload(&set.config(&nobody)).contains("reloaded"));
    let told = gateway.out.wait("403 AccessDenied");
    assert!(told.contains("s3:PutObject"), "{told}");
    let elsewhere = good.replace("\"logs\"", "\"no-such-logs\"");
    assert!(gateway.reload(&set.config(&elsewhere)).contains("reloaded"));
    gateway.out.wait("404 NoSuchBucket");

    assert!(gateway.reload(&set.config(&good)).contains("reloaded"));
    set.wait_empty();
    assert_eq!(lines(&store.dump("logs")), printed(&gateway));
    stop(&mut gateway);
    let said = [gateway.out.all(), gateway.err.all()].concat().join("\n");
    assert!(!said.contains("swordfish") && !said.contains("Signature="), "{said}");
}

fn launch(set: &Set, table: &str, environment: &[(&str, &str)]) -> Launch {
    let launch = Launch::new(PROGRAM, &set.config(table));
    environment.iter().fold(launch, |launch, (name, value)| launch.env(name, value))
}

#[test]
fn credentials_come_from_the_environment_or_the_instance() {
    let set = Set::new();
    let mut store = Store::start(set.store_address());
    let endpoint = format!("http://{}", set.store_address());
    let table = format!("bucket = \"logs\"\nendpoint = \"{endpoint}\"\ninterval = \"1s\"\n");
    let nobody = [("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")];
    let none = launch(&set, &table, &nobody).start();
    set.speak(&none, 1);
    let told = none.out.wait("no credentials for the store");
    assert!(told.contains(" error ") && told.contains("`access_key_id`"), "{told}");
    let mut records = printed(&none);
    drop(none);
    let environments: [&[(&str, &str)]; 2] = [
        &[("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET)],
        // moto's own keys of a role are behind it.
        &[("AWS_METADATA_ENDPOINT", &endpoint)],
    ];
    for environment in environments {
        let mut gateway = launch(&set, &table, environment).start();
        set.speak(&gateway, 3);
        set.wait_empty();
        stop(&mut gateway);
        records.extend(printed(&gateway));
    }
    assert_eq!(lines(&store.dump("logs")), records);
}

/// The newest records stay, and the log says how many went.
#[test]
fn a_full_spool_loses_the_oldest_and_counts_them() {
    let set = Set::new();
    let table = format!("{}spool_max = \"64KiB\"\n", set.bucket());
    let config = format!("[log]\naccess = \"json\"\n{}", set.config(&table));
    let mut gateway = Launch::new(PROGRAM, &config).start();
    let records = |gateway: &Gateway| {
        let mut lines = gateway.out.all();
        lines.retain(|line| line.contains("\"record\":\"access\""));
        lines
    };
    while gateway.out.count("access records lost") < 3 {
        for _ in 0..20 {
            connect(set.site.front()).check_echo(b"hello");
        }
    }
    let mut store = Store::start(set.store_address());
    gateway.out.wait("access logs are delivered again");
    stop(&mut gateway);
    let lost: usize = gateway
        .out
        .all()
        .iter()
        .filter(|line| line.contains("access records lost"))
        .map(|line| {
            let count = line.split("records=").nth(1).unwrap();
            count.split(' ').next().unwrap().parse::<usize>().unwrap()
        })
        .sum();
    let records = records(&gateway);
    assert!(lost > 0 && lost < records.len());
    assert_eq!(lines(&store.dump("logs")), records[lost..]);
}

/// Without a store; the directory may be a mount that is away.
#[test]
fn a_directory_receives_files_once_it_is_there() {
    let set = Set::new();
    let to = set.dir.join("mount");
    let mut gateway = set.start(&format!(
        "directory = \"{}\"\nlayout = \"flat\"\nprefix = \"impala/a\"\ninterval = \"1s\"\n",
        to.display()
    ));
    set.speak(&gateway, 5);
    let told = gateway.out.wait("failed to deliver access logs");
    assert!(told.contains("there is no directory") && !to.exists(), "{told}");
    fs::create_dir(&to).unwrap();
    set.wait_empty();
    set.speak(&gateway, 10);
    stop(&mut gateway);
    let files = files(&to);
    assert_eq!(lines(&files), printed(&gateway));
    for name in files.keys() {
        assert!(name.starts_with("impala/a/oxpecker_20") && name.ends_with(".log"), "{name}");
    }
}

/// What waits follows the new target; what is switched off stays on the disk.
#[test]
fn a_reload_changes_the_target() {
    let set = Set::new();
    let mut store = Store::start(set.store_address());
    let first = set.dir.join("first");
    fs::create_dir(&first).unwrap();
    let daily = format!("{}interval = \"24h\"\n", set.bucket());
    let mut gateway =
        set.start(&format!("directory = \"{}\"\ninterval = \"24h\"\n", first.display()));
    set.speak(&gateway, 5);
    // A reload that changes nothing, or one that fails, leaves the file open.
    assert!(gateway.hangup().contains("reloaded"));
    let bad = format!("{daily}ca_file = \"/nonexistent/ca.crt\"\n");
    let bad = bad.replace("http:", "https:");
    assert!(gateway.reload(&set.config(&bad)).contains("reload failed"));
    gateway.out.wait("/nonexistent/ca.crt");
    assert!(files(&first).is_empty());
    wait_until("it is in the spool", || set.waiting().len() == 1);

    assert!(gateway.reload(&set.config(&daily)).contains("reloaded"));
    set.wait_empty();
    assert_eq!(lines(&store.dump("logs")), printed(&gateway));
    set.speak(&gateway, 10);
    let other = daily.replace("\"logs\"", "\"Cluster1-logs\"");
    assert!(gateway.reload(&set.config(&other)).contains("reloaded"));
    set.wait_empty();
    set.speak(&gateway, 15);
    assert_eq!(lines(&store.dump("Cluster1-logs")), printed(&gateway)[5..10]);
    let before = printed(&gateway);
    assert!(gateway.reload(&set.site.config()).contains("reloaded"));
    let told = gateway.out.wait("access logs stay in the spool");
    assert!(told.contains("files=1"), "{told}");
    set.speak(&gateway, 20);

    assert!(gateway.reload(&set.config(&other)).contains("reloaded"));
    set.wait_empty();
    set.speak(&gateway, 25);
    stop(&mut gateway);
    let expected = [&before[5..], &printed(&gateway)[20..]].concat();
    assert_eq!(lines(&store.dump("Cluster1-logs")), expected);
    assert_eq!(lines(&store.dump("logs")), before[..5]);
    assert!(files(&first).is_empty());
}

#[test]
fn two_gateways_do_not_share_a_spool() {
    let set = Set::new();
    let _first = set.start(&set.bucket());
    let other = Site::new(1);
    let config = set
        .config(&set.bucket())
        .replace(&format!("{}", set.site.front()), &format!("{}", other.front()));
    let mut second = Launch::new(PROGRAM, &config).spawn();
    assert_eq!(second.wait_exit(), 1);
    let said = second.err.all().join("\n");
    assert!(said.contains("is used by another process") && said.contains("spool"), "{said}");
}

/// Before anybody starts it.
#[test]
fn check_looks_at_the_authority_file() {
    let set = Set::new();
    let table = format!("{}ca_file = \"none.crt\"\n", set.bucket()).replace("http:", "https:");
    let file = set.dir.write("oxpecker.toml", &set.config(&table));
    let output = std::process::Command::new(PROGRAM).args(["check", "-f"]).arg(&file).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("ca_file = \"none.crt\"") && said.contains("failed to read"), "{said}");
}
