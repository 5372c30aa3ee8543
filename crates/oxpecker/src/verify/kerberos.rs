//! Logins with the ticket of whoever runs this, by MIT's tools and impala-shell: the gateway itself
//! needs no Kerberos library to pass logins through.

use std::io;
use std::net::ToSocketAddrs;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use oxpecker_config::model::Protocol;

use super::{Service, explain, spread};
use crate::finding::Section;

/// Of one run of impala-shell. Starting it takes a second or two.
const PATIENCE: Duration = Duration::from_secs(60);

/// The shell to log in with, if there is one.
pub(super) fn examine<'a>(
    service: &'a Service<'a>,
    realm: &str,
    has_tls: bool,
    section: &mut Section,
) -> Option<Shell<'a>> {
    let Some(public) = service.public_name() else {
        section.fault(
            "the name that clients use is not known",
            "a ticket is for a name",
            "pass --public-name, or write `public_name` in [virtual.NAME]",
        );
        return None;
    };
    let public = public.to_lowercase();
    let principal = format!("{}/{public}@{realm}", service.options.service);
    if !has_ticket(section) || !kdc_knows(&principal, section) {
        return None;
    }
    let shell = Shell { service, public, has_tls };
    if let Err(error) = shell.command().arg("--version").output() {
        section.note(format!(
            "{} is not here ({error}): nobody logged in with the ticket; --impala-shell names it",
            service.options.impala_shell.display()
        ));
        return None;
    }
    spread::one_after_another(service, section, || shell.log_in());
    Some(shell)
}

fn has_ticket(section: &mut Section) -> bool {
    match Command::new("klist").arg("-s").output() {
        Err(error) => no_tools(section, &error),
        Ok(output) if output.status.success() => return true,
        Ok(_) => {
            section.fault("there is no valid ticket", "no login can be tried", "kinit, then again");
        }
    }
    false
}

fn kdc_knows(principal: &str, section: &mut Section) -> bool {
    match Command::new("kvno").arg(principal).output() {
        Err(error) => no_tools(section, &error),
        Ok(output) if output.status.success() => {
            section.fine(format!("the KDC gives a ticket for {principal}"));
            return true;
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            section.fault(
                format!("the KDC gives no ticket for {principal}: {}", said.trim()),
                "clients end with `Could not start SASL`, although their own ticket is good",
                explain::remedy(&said)
                    .unwrap_or("KRB5_TRACE=/dev/stderr kvno PRINCIPAL shows each step"),
            );
        }
    }
    false
}

fn no_tools(section: &mut Section, error: &io::Error) {
    section.note(format!(
        "klist and kvno are not here ({error}): Kerberos was not tried (package krb5-user or \
         krb5-workstation)"
    ));
}

/// impala-shell as a user of the gateway would call it.
pub(super) struct Shell<'a> {
    service: &'a Service<'a>,
    public: String,
    has_tls: bool,
}

impl Shell<'_> {
    fn command(&self) -> Command {
        Command::new(&self.service.options.impala_shell)
    }

    /// The coordinator's name, or the last words of the shell.
    pub(super) fn log_in(&self) -> Result<String, String> {
        let Self { service, public, has_tls } = self;
        let mut command = self.command();
        let to = if self.leads_there() { public.clone() } else { service.address.ip().to_string() };
        command.args(["-i", &format!("{to}:{}", service.address.port())]);
        command.args(["-k", "-b", public, "-s", &service.options.service, "-q", "select 1"]);
        command.arg(match service.protocol() {
            Protocol::Beeswax => "--protocol=beeswax",
            Protocol::Hs2Http => "--protocol=hs2-http",
            Protocol::Hs2 | Protocol::Tcp => "--protocol=hs2",
        });
        if *has_tls {
            command.arg("--ssl");
            // The certificate is for the name.
            if let (Some(file), true) = (&service.options.ca_file, self.leads_there()) {
                command.arg("--ca_cert").arg(file);
            }
        }
        let output = run(command).map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            Ok(coordinator(&said).unwrap_or_default())
        } else {
            Err(telling(&said))
        }
    }

    /// The name's address is the one that is looked at.
    fn leads_there(&self) -> bool {
        let found = (self.public.as_str(), self.service.address.port()).to_socket_addrs();
        found.is_ok_and(|mut found| found.any(|address| address == self.service.address))
    }
}

/// `Query submitted at: 2026-11-21 10:00:00 (Coordinator: http://host:25000)`
fn coordinator(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("(Coordinator: ")?;
    rest.split_once(')').map(|(name, _)| name.to_owned())
}

/// The lines that say what went wrong, on one line.
fn telling(said: &str) -> String {
    const WORDS: [&str; 8] =
        ["rror", "SASL", "GSS", "erberos", "not found", "reset", "read 0 bytes", "refused"];
    let lines = said.lines().map(str::trim);
    let found: Vec<_> =
        lines.filter(|line| WORDS.iter().any(|word| line.contains(word))).take(4).collect();
    if found.is_empty() { said.trim().replace('\n', "; ") } else { found.join("; ") }
}

/// What it prints is far less than a pipe holds, so it may be read at the end.
fn run(mut command: Command) -> io::Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let until = Instant::now() + PATIENCE;
    while child.try_wait()?.is_none() {
        if Instant::now() >= until {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::other(format!("impala-shell did not end within {PATIENCE:?}")));
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output()
}
