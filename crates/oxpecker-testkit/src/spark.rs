//! The Spark Thrift Server: a HiveServer2 in Java that is nothing of ours, with Hive's dialect.
//!
//! Starting it takes ten seconds and 330 MB, so the tests of one process share one of each kind,
//! started when the first test asks. It ends with the process of the tests.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::certificates::{Authority, java_key_store};
use crate::clients::installed;
use crate::lines::Lines;
use crate::net::Net;
use crate::temp::TempDir;

/// Java on two busy cores; alone it takes ten seconds.
const START_DEADLINE: Duration = Duration::from_secs(180);

/// Nobody else's files, and a database in memory.
const LOG4J: &str = "rootLogger.level = info
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n%ex
";

/// What Spark's own start script opens for Java 17.
const OPENED: &str = "java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio \
    java.util java.util.concurrent java.util.concurrent.atomic jdk.internal.ref sun.nio.ch \
    sun.nio.cs sun.security.action sun.util.calendar";

/// Ends the server and removes its files when standard input is closed: when the process that
/// holds the other end is gone, however it went. What it says itself interests nobody.
const KEEPER: &str = "dir=$1; shift; \"$@\" </dev/null & exec 2>/dev/null; \
    read -r _; kill -9 $!; wait; rm -rf \"$dir\"";

/// A running server. Log-in is SASL PLAIN; any password is right.
#[derive(Debug)]
pub struct Spark {
    addr: SocketAddr,
    dir: PathBuf,
    log: Lines,
    _net: Net,
    /// Its end is the server's; see [`KEEPER`].
    _keeper: Mutex<ChildStdin>,
}

/// The one that speaks clear text.
///
/// # Panics
/// When it does not start.
pub fn plain() -> &'static Spark {
    static SPARK: LazyLock<Spark> = LazyLock::new(|| Spark::start(false));
    &SPARK
}

/// Another that speaks clear text, for tests of which one owns a session.
///
/// # Panics
/// When it does not start.
pub fn other() -> &'static Spark {
    static SPARK: LazyLock<Spark> = LazyLock::new(|| Spark::start(false));
    &SPARK
}

/// The one that speaks TLS, with a certificate for `localhost` and for its own address.
///
/// # Panics
/// When it does not start.
pub fn tls() -> &'static Spark {
    static SPARK: LazyLock<Spark> = LazyLock::new(|| Spark::start(true));
    &SPARK
}

impl Spark {
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The certificate of the authority that signed the server's.
    pub fn authority(&self) -> PathBuf {
        self.dir.join("Spark CA/ca.crt")
    }

    #[track_caller]
    fn start(with_tls: bool) -> Self {
        let net = Net::new();
        let addr = net.addr(1);
        let temp = TempDir::new();
        let dir = temp.path().to_owned();
        temp.write("conf/log4j2.properties", LOG4J);
        let mut command = server(addr, &dir.display().to_string());
        if with_tls {
            let authority = Authority::new(temp.join("Spark CA"));
            let pair = authority.issue("spark", &["DNS:localhost", &format!("IP:{}", addr.ip())]);
            let store = java_key_store(&pair);
            for setting in [
                "use.SSL=true",
                &format!("keystore.path={}", store.display()),
                "keystore.password=changeit",
            ] {
                command.args(["--hiveconf", &format!("hive.server2.{setting}")]);
            }
        }
        // From here on the files are the keeper's.
        std::mem::forget(temp);
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "sh"]).arg(&dir).arg(command.get_program());
        let mut child = keeper
            .args(command.get_args())
            .env("SPARK_LOCAL_IP", addr.ip().to_string())
            .current_dir(&dir)
            // Ctrl-C in the terminal of the tests is not for it: they end, and it does then.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start sh: {error}"));
        let log = Lines::read_from(child.stderr.take().unwrap());
        let stdin = child.stdin.take().unwrap();
        // Waits for it, so that it is no zombie while the tests go on.
        thread::spawn(move || child.wait());
        let until = Instant::now() + START_DEADLINE;
        while log.count("HiveThriftServer2 started") == 0 {
            let late = Instant::now() > until;
            assert!(!late && !log.is_closed(), "Spark does not start:\n{}", log.all().join("\n"));
            thread::sleep(Duration::from_millis(20));
        }
        Self { addr, dir, log, _net: net, _keeper: Mutex::new(stdin) }
    }

    /// What it logs.
    pub fn log(&self) -> &Lines {
        &self.log
    }
}

fn server(addr: SocketAddr, dir: &str) -> Command {
    let (ip, port) = (addr.ip(), addr.port());
    let mut java = Command::new("java");
    java.args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    java.args(OPENED.split(' ').map(|name| format!("--add-opens=java.base/{name}=ALL-UNNAMED")));
    for property in [
        "spark.master=local[2]",
        "spark.app.name=tests",
        "spark.ui.enabled=false",
        &format!("spark.driver.host={ip}"),
        &format!("spark.driver.bindAddress={ip}"),
        &format!("spark.sql.warehouse.dir={dir}/warehouse"),
        &format!("spark.local.dir={dir}"),
        // impala-shell asks for the columns right after ExecuteStatement, and would get others.
        "spark.sql.hive.thriftServer.async=false",
        "spark.hadoop.javax.jdo.option.ConnectionURL=jdbc:derby:memory:metastore;create=true",
        &format!("derby.system.home={dir}"),
        &format!("java.io.tmpdir={dir}"),
        "jdk.reflect.useDirectMethodHandle=false",
    ] {
        java.arg(format!("-D{property}"));
    }
    java.arg("-cp").arg(format!("{dir}/conf:{}/*", installed("spark").display()));
    java.arg("org.apache.spark.sql.hive.thriftserver.HiveThriftServer2");
    for setting in [
        &*format!("server2.thrift.bind.host={ip}"),
        &format!("server2.thrift.port={port}"),
        "server2.authentication=NONE",
        &format!("server2.logging.operation.log.location={dir}/operations"),
        &format!("exec.scratchdir={dir}/scratch"),
        &format!("exec.local.scratchdir={dir}/local"),
        &format!("downloaded.resources.dir={dir}/resources"),
    ] {
        java.args(["--hiveconf", &format!("hive.{setting}")]);
    }
    java
}
