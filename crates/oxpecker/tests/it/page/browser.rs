//! A real Chromium without a screen, driven through WebDriver as a person would: it clicks, types,
//! and reads what is shown.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};
use std::{fs, thread};

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oxpecker_testkit::{DEADLINE, TempDir, wait_until};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A browser takes all of a small machine: one at a time.
static ONE: Mutex<()> = Mutex::new(());

const POLL: Duration = Duration::from_millis(30);

/// How the page is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Eyes {
    pub(super) width: u32,
    pub(super) dark: bool,
    pub(super) script: bool,
}

impl Eyes {
    pub(super) const DESK: Self = Self { width: 1280, dark: false, script: true };
    pub(super) const PHONE: Self = Self { width: 390, dark: false, script: true };
}

pub(super) struct Browser {
    runtime: Runtime,
    client: Client,
    driver: Child,
    base: String,
    eyes: Eyes,
    _profile: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Looks at the page at `base`, such as `http://127.0.0.1:25002`.
    #[track_caller]
    pub(super) fn new(base: &str, eyes: Eyes) -> Self {
        let turn = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let profile = TempDir::new();
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed by scripts/test-clients.sh");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let wanted = capabilities(&profile, eyes);
        let url = format!("http://127.0.0.1:{port}");
        let client = runtime.block_on(connect(&url, &wanted));
        let base = base.to_owned();
        Self { runtime, client, driver, base, eyes, _profile: profile, _turn: turn }
    }

    fn run<T>(&self, what: impl Future<Output = Result<T, CmdError>>) -> Result<T, CmdError> {
        self.runtime.block_on(what)
    }

    #[track_caller]
    pub(super) fn open(&self, path: &str) {
        self.run(self.client.goto(&format!("{}{path}", self.base))).unwrap();
    }

    fn find(&self, css: &str) -> Option<Element> {
        self.run(self.client.find(Locator::Css(css))).ok()
    }

    /// What is shown of the first element that matches; `None` when there is none.
    pub(super) fn text(&self, css: &str) -> Option<String> {
        let found = self.find(css)?;
        // It may be replaced while we look.
        self.run(found.text()).ok()
    }

    #[track_caller]
    pub(super) fn wait_text(&self, css: &str, wanted: &str) {
        let until = Instant::now() + DEADLINE;
        loop {
            let text = self.text(css);
            if text.as_ref().is_some_and(|text| text.contains(wanted)) {
                return;
            }
            assert!(Instant::now() < until, "`{css}` does not say `{wanted}` but {text:?}");
            thread::sleep(POLL);
        }
    }

    #[track_caller]
    pub(super) fn wait_gone(&self, css: &str) {
        wait_until(&format!("`{css}` is gone"), || self.find(css).is_none());
    }

    #[track_caller]
    pub(super) fn click(&self, css: &str) {
        wait_until(&format!("`{css}` can be clicked"), || {
            self.find(css).is_some_and(|found| self.run(found.click()).is_ok())
        });
    }

    #[track_caller]
    pub(super) fn type_into(&self, css: &str, text: &str) {
        let field = self.find(css).unwrap_or_else(|| panic!("there is no `{css}`"));
        self.run(field.send_keys(text)).unwrap();
    }

    /// To whatever has the focus.
    #[track_caller]
    pub(super) fn press(&self, key: Key) {
        let focused = self.run(self.client.active_element()).unwrap();
        self.run(focused.send_keys(&char::from(key).to_string())).unwrap();
    }

    /// Presses Tab until the focus is on what matches.
    #[track_caller]
    pub(super) fn tab_to(&self, css: &str) {
        const STOPS_MAX: usize = 200;
        for _ in 0..STOPS_MAX {
            if self.is_focused(css) {
                return;
            }
            self.press(Key::Tab);
        }
        panic!("Tab does not lead to `{css}`");
    }

    pub(super) fn is_focused(&self, css: &str) -> bool {
        self.script(&format!("return document.activeElement.matches({css:?})")) == json!(true)
    }

    #[track_caller]
    pub(super) fn script(&self, script: &str) -> Value {
        self.run(self.client.execute(script, Vec::new())).unwrap()
    }

    /// Addresses of all that the page has loaded.
    #[track_caller]
    pub(super) fn loaded(&self) -> Vec<String> {
        let script = "return performance.getEntries().map((one) => one.name)\
                      .filter((name) => name.includes(':'))";
        serde_json::from_value(self.script(script)).unwrap()
    }

    /// A view that scrolls sideways is one that nobody reads on a phone.
    #[track_caller]
    pub(super) fn check_width(&self, view: &str) {
        let wide = self.script("return document.documentElement.scrollWidth - innerWidth");
        assert!(wide.as_i64().is_some_and(|wide| wide <= 0), "{view} is {wide} pixels too wide");
    }

    /// Kept below the build directory, for people to look at.
    #[track_caller]
    pub(super) fn screenshot(&self, name: &str) {
        let png = self.run(self.client.screenshot()).unwrap();
        let directory = screenshots();
        fs::create_dir_all(&directory).unwrap();
        let Eyes { width, dark, script } = self.eyes;
        let looks = if dark { "dark" } else { "light" };
        let plain = if script { "" } else { "-plain" };
        fs::write(directory.join(format!("{name}-{width}-{looks}{plain}.png")), png).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; the driver alone would leave it behind.
        let _ = self.runtime.block_on(self.client.clone().close());
        let _ = kill(Pid::from_raw(self.driver.id() as i32), Signal::SIGTERM);
        for _ in 0..100 {
            if matches!(self.driver.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn screenshots() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page")
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Tries until the driver listens.
async fn connect(url: &str, wanted: &serde_json::Map<String, Value>) -> Client {
    const TRIES: u32 = 300;
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(wanted.clone());
    let mut last = None;
    for _ in 0..TRIES {
        match builder.connect(url).await {
            Ok(client) => return client,
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no browser: {last:?}");
}

fn capabilities(profile: &TempDir, eyes: Eyes) -> serde_json::Map<String, Value> {
    let mut arguments = vec![
        "--headless=new".to_owned(),
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-quic".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        format!("--window-size={},900", eyes.width.max(500)),
        format!("--user-data-dir={}", profile.path().display()),
    ];
    if eyes.dark {
        arguments.push("--force-dark-mode".to_owned());
    }
    let mut options = json!({ "args": arguments });
    if eyes.width < 500 {
        let metrics =
            json!({ "width": eyes.width, "height": 844, "pixelRatio": 1.0, "touch": true });
        options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
    }
    if !eyes.script {
        options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
    }
    let all = json!({ "browserName": "chrome", "goog:chromeOptions": options });
    match all {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    }
}
