//! The usual set-up: one virtual server, one pool, members m1, m2, … on addresses of the test.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use oxpecker_testkit::{Gateway, Launch, Net, TempDir};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_oxpecker");

const SOCKET: &str = "admin.sock";

/// Builds a configuration. Unlike the product's default there is no monitor: tests that want
/// probes ask for them, and no other test's members see connections that are not a client's.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) net: Net,
    members: Vec<String>,
    monitor: String,
    pool: String,
    listen: String,
    virtual_server: String,
    top: String,
}

impl Site {
    /// With `members` members, at [`Site::member_addr`] 1 to `members`.
    pub(crate) fn new(members: u8) -> Self {
        let net = Net::new();
        let listen = format!("\"{}\"", net.addr(1));
        Self {
            net,
            members: (1..=members).map(|n| format!("\"m{n}\"")).collect(),
            monitor: "monitor = \"none\"".into(),
            pool: String::new(),
            listen,
            virtual_server: String::new(),
            top: String::new(),
        }
    }

    /// Where clients connect to.
    pub(crate) fn front(&self) -> SocketAddr {
        self.net.addr(1)
    }

    pub(crate) fn member_addr(&self, number: u8) -> SocketAddr {
        self.net.addr(10 + number)
    }

    /// More lines for the pool.
    pub(crate) fn pool(mut self, lines: &str) -> Self {
        self.pool = format!("{}{lines}\n", self.pool);
        self
    }

    /// Probes members every 100 ms; one failure or pass is enough.
    pub(crate) fn monitored(mut self, more: &str) -> Self {
        self.monitor = "monitor = \"quick\"".into();
        let defaults = if more.contains("parent") { "" } else { "parent = \"tcp\"\n" };
        let table = format!(
            "[monitor.quick]\n{defaults}interval = \"100ms\"\nfall = 1\nrise = 1\n{more}\n"
        );
        self.top(&table)
    }

    /// Another table for member `number`, with more keys.
    pub(crate) fn member(mut self, number: usize, keys: &str) -> Self {
        self.members[number - 1] = format!("{{ node = \"m{number}\", {keys} }}");
        self
    }

    /// Instead of the usual address.
    pub(crate) fn listen(mut self, listen: &str) -> Self {
        self.listen = listen.into();
        self
    }

    /// More lines for the virtual server.
    pub(crate) fn virtual_server(mut self, lines: &str) -> Self {
        self.virtual_server = format!("{}{lines}\n", self.virtual_server);
        self
    }

    /// A protocol profile for the virtual server.
    pub(crate) fn profile(self, lines: &str) -> Self {
        self.virtual_server("protocol_profile = \"own\"")
            .top(&format!("[profile.protocol.own]\nparent = \"fastl4\"\n{lines}\n"))
    }

    /// Where the admin side listens with [`Site::admin`].
    pub(crate) fn admin_addr(&self) -> SocketAddr {
        SocketAddr::new(self.net.ip(1), 25_002)
    }

    /// The Unix socket of the admin side with [`Site::admin`], in the gateway's own directory.
    pub(crate) fn admin_socket(gateway: &Gateway) -> PathBuf {
        gateway.dir.join(SOCKET)
    }

    /// An `[admin]` with more keys and tables. To be started with [`Site::start_with_admin`].
    pub(crate) fn admin(self, more: &str) -> Self {
        let listen = self.admin_addr();
        self.top(&format!("[admin]\nlisten = \"{listen}\"\nsocket = \"@DIR@/{SOCKET}\"\n{more}\n"))
    }

    /// The text that [`Site::start_with_admin`] runs, for a directory.
    pub(crate) fn config_in(&self, dir: &Path) -> String {
        self.config().replace("@DIR@", &dir.display().to_string())
    }

    #[track_caller]
    pub(crate) fn start_with_admin(&self) -> Gateway {
        let dir = TempDir::new();
        let config = self.config_in(dir.path());
        Launch::within(dir, PROGRAM, &config).start()
    }

    /// More tables.
    pub(crate) fn top(mut self, tables: &str) -> Self {
        self.top = format!("{}{tables}\n", self.top);
        self
    }

    pub(crate) fn config(&self) -> String {
        let mut text = self.top.clone();
        for number in 1..=self.members.len() {
            let ip = self.member_addr(number as u8).ip();
            let _ = writeln!(text, "[node.m{number}]\naddress = \"{ip}\"");
        }
        let Self { members, monitor, pool, listen, virtual_server, .. } = self;
        let members = members.join(", ");
        let _ = writeln!(text, "[pool.p]\nport = 21050\nmembers = [{members}]\n{monitor}\n{pool}");
        let _ = writeln!(text, "[virtual.v]\nlisten = {listen}\npool = \"p\"\n{virtual_server}");
        text
    }

    pub(crate) fn launch(&self) -> Launch {
        Launch::new(PROGRAM, &self.config())
    }

    #[track_caller]
    pub(crate) fn start(&self) -> Gateway {
        self.launch().start()
    }
}
