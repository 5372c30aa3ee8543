//! Route: every call goes to the coordinator that owns its handle, and its reply comes back.
//!
//! One call at a time, as Thrift's clients make them; what a client sends before its answer waits.
//! Heads are held back until it is clear where they go, bodies are passed on as they are read.

mod read;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use oxpecker_config::model::ServiceDown;
use oxpecker_wire::answer;
use oxpecker_wire::scan::method::{Dialect, Method};
use oxpecker_wire::scan::{CallScanner, Fault, Progress, ReplyScanner};

use super::access::Access;
use super::http;
use super::learn::Memory;
use super::line::{Credentials, Line};
use super::link::{Broken, Link, Patience, PumpError, pump};
use super::pass::{Failed, NotServed};
use super::reach::{LOST_IN_MID_CALL, Refusal, Unreached};
use super::registry::OperationEnd;
use super::route::{self, Target};
use super::tags::Tags;
use crate::connection::Session;
use crate::counters::Moved;
use crate::record::Close;
use crate::state::MemberState;

/// Most of a message that is held back: all that a coordinator must not see before it is chosen.
pub(super) const HELD_BYTES_MAX: usize = 256 * 1024;
/// Buffers larger than this are given back between calls.
const IDLE_BYTES: usize = 2048;

/// What becomes of a connection after a call.
pub(super) enum Next {
    Again,
    Close(Close),
    /// What follows is no Thrift: whatever was received goes to a member as it is.
    Opaque(Vec<u8>),
}

pub(super) struct Exchange<'a> {
    pub(super) session: &'a mut Session,
    pub(super) client: Link,
    pub(super) lines: Vec<Line>,
    /// Index of the line that was used last.
    pub(super) current: usize,
    pub(super) credentials: Option<Arc<Credentials>>,
    pub(super) dialect: Dialect,
    pub(super) tags: Option<Arc<Tags>>,
    pub(super) calls: CallScanner,
    pub(super) replies: ReplyScanner,
    /// The call's begin; without tags once it was routed.
    pub(super) held: Vec<u8>,
    /// How much shorter it is than it came.
    pub(super) shorter: usize,
    /// The reply's begin.
    pub(super) answer: Vec<u8>,
    pub(super) memory: Memory,
    pub(super) vain_searches: u8,
    pub(super) is_http: bool,
    /// What is around the call.
    pub(super) request: Option<http::Request>,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        session: &'a mut Session,
        client: Link,
        dialect: Dialect,
        credentials: Option<Credentials>,
        line: Option<Line>,
    ) -> Self {
        let tags = session.policy.tags.clone();
        let credentials = credentials.map(Arc::new);
        let access = credentials.clone().map_or(Access::Bare, Access::Plain);
        let memory = Memory::new(session, access);
        Self {
            session,
            client,
            lines: line.into_iter().collect(),
            current: 0,
            credentials,
            dialect,
            tags,
            calls: CallScanner::new(dialect),
            replies: ReplyScanner::new(dialect),
            held: Vec::new(),
            shorter: 0,
            answer: Vec::new(),
            memory,
            vain_searches: 0,
            is_http: false,
            request: None,
        }
    }

    /// Calls come in HTTP requests.
    pub(super) fn over_http(mut self) -> Self {
        self.is_http = true;
        self
    }

    /// Serves calls until the connection ends.
    pub(super) async fn run(mut self) -> Close {
        let close = loop {
            match self.serve_call().await {
                Next::Again => {}
                Next::Close(close) => break close,
                Next::Opaque(first) => return self.go_opaque(first).await,
            }
        };
        self.keep_lines();
        self.finish();
        close
    }

    fn finish(&mut self) {
        self.session.particulars().bytes = (self.client.bytes_in, self.client.bytes_out);
        self.memory.connection_ended(self.dialect);
    }

    async fn serve_call(&mut self) -> Next {
        self.rest();
        if self.is_http
            && let Err(next) = self.read_request().await
        {
            return next;
        }
        let whole = match self.read_call().await {
            Ok(whole) => whole,
            Err(Broken::Thrift(fault)) => return self.unreadable(&fault).await,
            Err(Broken::Ended) if self.calls.position() == 0 => {
                return Next::Close(Close::Finished);
            }
            Err(Broken::Ended | Broken::Stalled | Broken::Io(_) | Broken::Http(_)) => {
                return Next::Close(Close::ClientGone { last_data: false });
            }
        };
        let Some(whole) = whole else {
            self.client.endpoint().stream().reset_on_close();
            return Next::Close(Close::IdleTimeout);
        };
        let before = self.traffic();
        self.memory.called();
        self.memory.asks(self.calls.call());
        let result = self.serve(whole).await;
        match result {
            Ok(()) => self.memory.is_done(),
            Err(close) => self.memory.gave_up(OperationEnd::of_close(close), ""),
        }
        let after = self.traffic();
        let [up, down] = [0, 1].map(|i| Moved { bytes: after[i] - before[i], reads: 1 });
        self.session.count(up, down, self.lines.get(self.current).map(|line| &*line.member));
        match result {
            Ok(()) if self.request.as_ref().is_some_and(|request| request.closes) => {
                Next::Close(Close::Finished)
            }
            Ok(()) => Next::Again,
            Err(close) => {
                if close != Close::Finished {
                    // Whoever waits for the rest of an answer must not take it for whole.
                    self.client.endpoint().stream().reset_on_close();
                }
                Next::Close(close)
            }
        }
    }

    fn traffic(&self) -> [u64; 2] {
        [self.client.bytes_in, self.client.bytes_out]
    }

    /// Between calls: forgets the last and gives back large buffers.
    fn rest(&mut self) {
        if self.calls.call().statement.total() > IDLE_BYTES as u64 {
            self.calls.release();
        }
        self.calls.reset();
        self.replies.reset();
        self.request = None;
        self.shorter = 0;
        for buffer in [&mut self.held, &mut self.answer] {
            buffer.clear();
            buffer.shrink_to(IDLE_BYTES);
        }
        self.client.give_back_memory();
        for line in &mut self.lines {
            line.link.give_back_memory();
        }
    }

    async fn unreadable(&mut self, fault: &Fault) -> Next {
        if self.is_http {
            return self.refuse_request(http::Bad::Request).await;
        }
        let shared = &self.session.worker.shared;
        shared.sessions.unreadable.fetch_add(1, Ordering::Relaxed);
        let strict = self.session.policy.config.strict_protocol || self.credentials.is_some();
        tracing::debug!(
            client = %self.session.client(), virtual_server = %self.session.policy.config.name,
            %fault, strict, "a client's message could not be read"
        );
        if strict {
            return Next::Close(Close::Unreadable);
        }
        let mut first = std::mem::take(&mut self.held);
        first.extend_from_slice(self.client.received());
        Next::Opaque(first)
    }

    async fn go_opaque(mut self, first: Vec<u8>) -> Close {
        self.finish();
        let current = self.current;
        let line = if current < self.lines.len() {
            self.lines.swap_remove(current)
        } else {
            match Line::to_any(self.session, &self.client).await {
                Ok(line) => line,
                Err(close) => return close,
            }
        };
        super::pass_on(self.session, self.client, line, &first, None).await
    }

    /// Takes a call to where it belongs, elsewhere again if need be, and answers it in any case.
    async fn serve(&mut self, whole: bool) -> Result<(), Close> {
        let mut target = route::target(self.calls.call(), self.tags.as_deref(), &self.memory);
        let mut stripped = false;
        let mut repeated = false;
        self.session.particulars().tried.clear();
        loop {
            let index = match self.line_for(&target).await? {
                Ok(index) => index,
                Err(refusal) => return self.refuse(whole, refusal).await,
            };
            self.current = index;
            self.session.registered.conn.set_guest_of(self.lines[index].member.id);
            if !stripped {
                self.shorter =
                    route::strip(&mut self.held, self.calls.call(), self.tags.as_deref());
                stripped = true;
            }
            self.memory.sends_to(&self.lines[index].place);
            let failed = match self.pass(index, whole).await {
                Ok(()) => return Ok(()),
                // The line may be gone.
                Err(Failed::Close(close)) => return Err(close),
                Err(Failed::NotServed(failed)) => failed,
            };
            let method = self.calls.call().method();
            match failed {
                NotServed::Leaving => {
                    let member = Arc::clone(&self.lines[index].member);
                    self.session.particulars().tried.push(member.id);
                    tracing::info!(
                        member = %member.name, client = %self.session.client(),
                        "the coordinator is leaving; the session goes to another one"
                    );
                    let may_go = !self.memory.lose_own_session();
                    if may_go && self.session.tried().len() < self.session.pool.members.len() {
                        target = Target::New;
                        continue;
                    }
                    // All are leaving, or it would be another session: its own words.
                    let text = String::from_utf8_lossy(self.replies.reply().error.kept()).into();
                    let refusal = Refusal::general(text, OperationEnd::Failed);
                    return self.refuse(whole, refusal).await;
                }
                NotServed::Lost => {
                    let member = Arc::clone(&self.lines[index].member);
                    tracing::debug!(
                        member = %member.name, client = %self.session.client(),
                        "the connection to a coordinator was lost"
                    );
                    self.forget(index);
                    if whole && method == Method::OpenSession {
                        self.session.particulars().tried.push(member.id);
                        if self.session.tried().len() <= self.session.pool.members.len() {
                            continue;
                        }
                    }
                    if whole && method.may_be_repeated() && !repeated {
                        repeated = true;
                        if target == Target::Any {
                            self.session.particulars().tried.push(member.id);
                        }
                        continue;
                    }
                    let refusal = self.after_loss(member).await?;
                    return self.refuse(whole, refusal).await;
                }
            }
        }
    }

    /// What to say when a connection was lost in mid-call: does its coordinator still live?
    async fn after_loss(&mut self, member: Arc<MemberState>) -> Result<Refusal, Close> {
        let unknown = route::refusal_of(self.calls.call());
        let hangs = self.session.pool.config.service_down != ServiceDown::None
            && self.session.worker.shared.balancer().is_down(member.id);
        let reached = if hangs { Err(Unreached::Gone) } else { self.line_to(member).await? };
        Ok(match (unknown, reached) {
            (Some(text), Err(Unreached::Gone)) => {
                self.memory.coordinator_lost(self.calls.call());
                Refusal::general(text, OperationEnd::CoordinatorLost)
            }
            (None, Err(Unreached::Gone)) => {
                Refusal::link(LOST_IN_MID_CALL, OperationEnd::CoordinatorLost)
            }
            _ => Refusal::link(LOST_IN_MID_CALL, OperationEnd::AnswerLost),
        })
    }

    /// Answers a call in a coordinator's place.
    async fn refuse(&mut self, whole: bool, refusal: Refusal) -> Result<(), Close> {
        self.swallow(whole).await?;
        self.memory.gave_up(refusal.end, refusal.sql_state);
        let call = self.calls.call();
        let (Some(header), true) = (call.header(), call.expects_reply()) else { return Ok(()) };
        let reply = answer::failure(self.dialect, header, refusal.sql_state, &refusal.text);
        if let Some(request) = &self.request {
            http::queue_own(&mut self.client, reply.len(), request.closes);
        }
        self.client.queue(&reply);
        self.flush_client().await
    }

    /// Takes the rest of a call that goes nowhere.
    pub(super) async fn swallow(&mut self, whole: bool) -> Result<(), Close> {
        let patience = self.patience();
        if !whole {
            let Self { client, calls, .. } = self;
            let mut feed = |bytes: &[u8]| until_end(bytes, |bytes| calls.feed(bytes));
            match pump(client, None, patience, &mut feed).await {
                Ok(()) => {}
                Err(PumpError::From(error)) => return Err(close_of(&error)),
                Err(PumpError::To(_)) => return Err(Close::ClientGone { last_data: false }),
            }
            self.memory.asks(self.calls.call());
        }
        if self.is_http {
            return drain_client(&mut self.client, patience).await;
        }
        Ok(())
    }

    /// Sends the client what is queued for it.
    pub(super) async fn flush_client(&mut self) -> Result<(), Close> {
        let patience = self.patience();
        self.client.flush_within(patience).await.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Close::ClientTimeout,
            _ => Close::ClientGone { last_data: true },
        })
    }
}

/// Takes what is left of a request's body behind its call.
pub(super) async fn drain_client(client: &mut Link, patience: Patience) -> Result<(), Close> {
    match patience.within(http::drain(client)).await {
        Some(Ok(true)) => Ok(()),
        Some(Ok(false)) => Err(Close::Unreadable),
        Some(Err(error)) => Err(close_of(&error)),
        None => Err(Close::ClientTimeout),
    }
}

/// What a client did whose call could not be read to its end.
pub(super) fn close_of(error: &Broken) -> Close {
    match error {
        Broken::Thrift(_) | Broken::Http(_) => Close::Unreadable,
        Broken::Ended | Broken::Io(_) => Close::ClientGone { last_data: false },
        Broken::Stalled => Close::ClientTimeout,
    }
}

/// Feeds a scanner behind a message's head.
pub(super) fn until_end<E>(
    bytes: &[u8],
    mut feed: impl FnMut(&[u8]) -> Result<(usize, Progress), E>,
) -> Result<(usize, bool), E> {
    let mut used = 0;
    loop {
        let (count, progress) = feed(&bytes[used..])?;
        used += count;
        match progress {
            Progress::End => return Ok((used, true)),
            Progress::More => return Ok((used, false)),
            Progress::Head => {}
        }
    }
}
