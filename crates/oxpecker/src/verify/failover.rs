//! One member is taken out on request: new logins must succeed on others, and it must come back.
//!
//! Whatever happens, Ctrl-C included, the member ends in the state that it had. What runs on it is
//! left alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{process, thread};

use anyhow::Context;
use nix::sys::signal::{SigSet, Signal};
use oxpecker_api::{AdminState, Member, MemberChange, Pool};

use super::Service;
use super::spread;
use crate::ctl::{Access, Client, Target, find_member, member_target};
use crate::finding::Section;

/// Until a member that was enabled again gets its first new client.
const COMEBACK: Duration = Duration::from_secs(20);

/// Between two logins that wait for it.
const PAUSE: Duration = Duration::from_millis(50);

const COMMENT: &str = "oxpecker verify --failover";

/// What a signal does to a shell's exit status.
const SIGNALLED: i32 = 128;

/// Which member, and how to talk about it with the gateway.
pub(super) struct Failover {
    client: Client,
    member: Member,
    guard: Guard,
}

/// Gives the member its state back: at the end, on an error, on a signal; once.
#[derive(Clone)]
struct Guard {
    /// Its own client: the other may be in the middle of a request.
    client: Arc<Mutex<Client>>,
    taken_out: Arc<Mutex<Option<Member>>>,
}

impl Failover {
    pub(super) fn new(access: &Access, member: &str) -> anyhow::Result<Self> {
        let client = Client::new(access)?;
        let member = find_member(&client, member)?;
        let guard =
            Guard { client: Arc::new(Mutex::new(Client::new(access)?)), taken_out: Arc::default() };
        guard.watch_signals().context("failed to prepare for signals")?;
        Ok(Self { client, member, guard })
    }

    pub(super) fn is_about(&self, service: &Service<'_>) -> bool {
        service.config.pools[service.virtual_server.pool].name == self.member.pool
    }

    fn name(&self) -> String {
        format!("{}/{}", self.member.pool, self.member.name)
    }

    fn look(&self) -> anyhow::Result<Member> {
        Ok(self.client.get(&member_target(&self.member.pool, &self.member.name))?)
    }

    fn set(&self, state: AdminState) -> anyhow::Result<Member> {
        let change = change_to(state);
        let target = member_target(&self.member.pool, &self.member.name);
        Ok(self.client.patch(&target, &change)?)
    }

    /// Takes the member out, logs in, and brings it back.
    pub(super) fn examine(
        &self,
        service: &Service<'_>,
        section: &mut Section,
        log_in: &mut dyn FnMut() -> Result<String, String>,
    ) -> anyhow::Result<()> {
        if !self.can_be_spared(section)? {
            return Ok(());
        }
        // A client that sticks to a draining member still comes to it.
        let state = if service.virtual_server.persistence.is_some() {
            AdminState::Disabled
        } else {
            AdminState::Draining
        };
        self.guard.take_out(self.look()?);
        let result = self.set(state).and_then(|out| self.without(&out, service, section, log_in));
        let restored = self.guard.restore();
        result?;
        restored.with_context(|| format!("{} is still out: `oxpecker enable` it", self.name()))?;
        self.comes_back(service, section, log_in)
    }

    /// It carries clients, and another can in its place.
    fn can_be_spared(&self, section: &mut Section) -> anyhow::Result<bool> {
        let pool: Pool = self.client.get(&Target::new("pools").then(&self.member.pool))?;
        let name = self.name();
        let Some(member) = pool.members.iter().find(|member| member.name == self.member.name)
        else {
            anyhow::bail!("{name} is no member any more");
        };
        if !member.usable {
            section.fault(
                format!("{name} takes no clients already: {}", member.reason),
                "a member that is out cannot fail over",
                "enable it, or name another member",
            );
            return Ok(false);
        }
        if !pool.members.iter().any(|other| other.usable && other.name != member.name) {
            section.fault(
                format!("no other member of {} is usable", self.member.pool),
                "if this one goes, nobody can log in",
                "`oxpecker members` tells why the others are not",
            );
            return Ok(false);
        }
        Ok(true)
    }

    fn without(
        &self,
        out: &Member,
        service: &Service<'_>,
        section: &mut Section,
        log_in: &mut dyn FnMut() -> Result<String, String>,
    ) -> anyhow::Result<()> {
        let name = self.name();
        let logins = service.options.logins;
        let (mut reached, mut failures) = (spread::Reached::new(), Vec::new());
        for _ in 0..logins {
            match log_in() {
                Ok(coordinator) => *reached.entry(coordinator).or_insert(0) += 1,
                Err(error) => failures.push(error),
            }
        }
        let new = self.look()?.connections.total.saturating_sub(out.connections.total);
        if let Some(first) = failures.first() {
            section.fault(
                format!("without {name}, {} of {logins} logins failed: {first}", failures.len()),
                "clients meet the same when this coordinator dies",
                super::explain::remedy(first).unwrap_or(
                    "look at `retries` and `connect_timeout` of the pool, and at the \
                                other members: `oxpecker members`",
                ),
            );
        }
        if new > 0 {
            section.fault(
                format!("{name} got {new} new connections while it was out"),
                "a drain would never end",
                "if this is not a mistake of another operator's, it is one of ours: please report it",
            );
        } else if failures.is_empty() {
            let counts = spread::counts(&reached);
            section.fine(format!("without {name}, {logins} logins went elsewhere: {counts}"));
        }
        Ok(())
    }

    fn comes_back(
        &self,
        service: &Service<'_>,
        section: &mut Section,
        log_in: &mut dyn FnMut() -> Result<String, String>,
    ) -> anyhow::Result<()> {
        let name = self.name();
        let before = self.look()?;
        if !before.usable {
            section.fault(
                format!("{name} is enabled again, and takes no clients: {}", before.reason),
                "it was usable before",
                "look at the coordinator; its probes say more in `oxpecker members`",
            );
            return Ok(());
        }
        if spread::sticks(service) {
            section.fine(format!("{name} is enabled again"));
            return Ok(());
        }
        let until = Instant::now() + COMEBACK;
        while Instant::now() < until {
            // The login may fail for reasons that were told above.
            let _ = log_in();
            if self.look()?.connections.total > before.connections.total {
                section.fine(format!("{name} is enabled again, and new clients come to it"));
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        section.warning(
            format!("{name} is enabled again, and no new client came to it in {COMEBACK:?}"),
            "the others carry its share",
            "a small weight, a lower priority or many open connections are reasons for it",
        );
        Ok(())
    }
}

fn change_to(state: AdminState) -> MemberChange {
    MemberChange { admin_state: Some(state), weight: None, comment: Some(COMMENT.into()) }
}

impl Guard {
    fn take_out(&self, member: Member) {
        *self.taken_out.lock().unwrap_or_else(PoisonError::into_inner) = Some(member);
    }

    fn restore(&self) -> anyhow::Result<()> {
        // Held until it is done: whoever comes second finds nothing to do, and the state is back.
        let mut taken_out = self.taken_out.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(member) = taken_out.as_ref() else { return Ok(()) };
        let target = member_target(&member.pool, &member.name);
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let _: Member = client.patch(&target, &change_to(member.admin_state))?;
        *taken_out = None;
        Ok(())
    }

    /// A thread of its own takes the signals, for a login may take long.
    fn watch_signals(&self) -> anyhow::Result<()> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
            set.add(signal);
        }
        set.thread_block()?;
        let guard = self.clone();
        thread::Builder::new().name("signals".into()).spawn(move || {
            let Ok(signal) = set.wait() else { return };
            match guard.restore() {
                Ok(()) => eprintln!("oxpecker: interrupted; the member is as it was"),
                Err(error) => eprintln!(
                    "oxpecker: interrupted, and the member is still out: `oxpecker enable` it: {error:#}"
                ),
            }
            process::exit(SIGNALLED + signal as i32);
        })?;
        Ok(())
    }
}

/// Also when a panic unwinds.
impl Drop for Failover {
    fn drop(&mut self) {
        if let Err(error) = self.guard.restore() {
            eprintln!("oxpecker: {} is still out: `oxpecker enable` it: {error:#}", self.name());
        }
    }
}
