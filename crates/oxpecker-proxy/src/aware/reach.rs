//! Where a call is taken: lines to coordinators, kept, opened, and looked for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use oxpecker_wire::answer;
use oxpecker_wire::scan::ReplyScanner;
use oxpecker_wire::scan::call::Call;
use oxpecker_wire::scan::handle::{ID_BYTES, Id};
use oxpecker_wire::scan::method::Names;
use tokio::time::timeout;

use super::errand::{self, NoReply};
use super::exchange::Exchange;
use super::http;
use super::line::{Line, LoginError};
use super::place::Place;
use super::registry::{OperationEnd, Secret};
use super::route::{self, Target};
use crate::record::Close;
use crate::state::MemberState;

/// Lines of one client. Beyond it the oldest is given up; a session that lived there is reached
/// over a new one.
const LINES_MAX: usize = 8;
/// Of these, to one member: each takes one of its service threads. There is more than one only where
/// a client speaks for several users over HTTP.
const LINES_TO_MEMBER_MAX: usize = 2;

/// Members that are asked about a handle that nobody here knows.
const SEARCH_MEMBERS_MAX: usize = 16;
/// How long one of them may take.
const SEARCH_PATIENCE: Duration = Duration::from_secs(3);
/// Handles of one connection that were looked for in vain; then no more are.
const VAIN_SEARCHES_MAX: u8 = 8;

pub(super) const LOST_IN_MID_CALL: &str = "The connection to the coordinator was lost while it worked on this \
    call. Whether the call was carried out is not known.\n";
const SESSION_LOST: &str = "The connection to the coordinator was lost, and with it the session's \
    database and options.\n";
const NO_RESOURCES: &str =
    "The gateway has no descriptor or port left for a connection to the coordinator.\n";
const NO_COORDINATOR: &str = "Could not connect to a coordinator: none is available.\n";

/// What the client is told instead of an answer.
pub(super) struct Refusal {
    pub(super) sql_state: &'static str,
    pub(super) text: String,
    /// For the record, if the call asked for a statement.
    pub(super) end: OperationEnd,
}

impl Refusal {
    pub(super) fn general(text: String, end: OperationEnd) -> Self {
        Self { sql_state: answer::GENERAL, text, end }
    }

    pub(super) fn link(text: impl Into<String>, end: OperationEnd) -> Self {
        Self { sql_state: answer::LINK_FAILURE, text: text.into(), end }
    }

    fn not_let_in(error: &LoginError) -> Self {
        let end = match error {
            LoginError::Refused(_) | LoginError::NotSasl => OperationEnd::LoginRefused,
            LoginError::TimedOut(_) | LoginError::Io(_) => OperationEnd::CoordinatorLost,
        };
        Self::link(format!("{error}\n"), end)
    }
}

/// What a call hears whose coordinator is gone.
fn gone(call: &Call, end: OperationEnd) -> Refusal {
    match route::refusal_of(call) {
        Some(text) => Refusal::general(text, end),
        None => Refusal::link(LOST_IN_MID_CALL, end),
    }
}

/// Why there is no line to a coordinator.
pub(super) enum Unreached {
    Login(LoginError),
    /// The gateway has no descriptor or port left, which says nothing of the coordinator.
    NoResources,
    /// It is not configured here; behind another virtual server or gateway it may well live.
    NotHere,
    Gone,
}

/// What a member says of a handle. The index is that of the line to it.
enum Found {
    Here(usize),
    /// It does not believe who asks.
    NotLoggedIn(usize),
    Nothing,
}

impl Exchange<'_> {
    /// The line a call goes over. The inner error is for the client.
    pub(super) async fn line_for(
        &mut self,
        target: &Target,
    ) -> Result<Result<usize, Refusal>, Close> {
        let pool = Arc::clone(&self.session.pool);
        let member = match target {
            Target::New | Target::Any => return self.line_to_some(target).await,
            Target::Refuse(text) => {
                let text = text.clone();
                return Ok(Err(Refusal::general(text, OperationEnd::UnknownSession)));
            }
            Target::Search { names, id, secret } => {
                return self.search(*names, *id, secret).await;
            }
            Target::Place(place) => place.member(&pool),
            Target::Marked(mark) => {
                let places: Vec<_> = pool
                    .members
                    .iter()
                    .map(|member| (Place::of(member), Arc::clone(member)))
                    .collect();
                let tags = self.tags.as_ref();
                let places = places.iter().map(|(place, member)| (place, Arc::clone(member)));
                tags.and_then(|tags| tags.find(*mark, places))
            }
        };
        let reached = match member {
            Some(member) => self.line_to(member).await?,
            None => Err(Unreached::NotHere),
        };
        Ok(match reached {
            Ok(index) => Ok(index),
            Err(Unreached::Login(error)) => Err(Refusal::not_let_in(&error)),
            Err(Unreached::NoResources) => {
                Err(Refusal::link(NO_RESOURCES, OperationEnd::NoCoordinator))
            }
            Err(Unreached::NotHere) => Err(gone(self.calls.call(), OperationEnd::UnknownSession)),
            Err(Unreached::Gone) => {
                self.memory.coordinator_lost(self.calls.call());
                Err(gone(self.calls.call(), OperationEnd::CoordinatorLost))
            }
        })
    }

    /// The line of before, or one to a member that the balancer chooses.
    async fn line_to_some(&mut self, target: &Target) -> Result<Result<usize, Refusal>, Close> {
        if *target == Target::Any
            && let Some(own) = self.memory.own_place()
        {
            let line = self.lines.iter().position(|line| line.place == *own);
            if let Some(index) = line.and_then(|index| self.live(index)) {
                return Ok(Ok(index));
            }
            if self.memory.lose_own_session() {
                return Ok(Err(Refusal::link(SESSION_LOST, OperationEnd::CoordinatorLost)));
            }
        }
        let current = self.lines.get(self.current).filter(|line| self.may_use(line));
        if let Some(index) = current.map(|_| self.current).and_then(|index| self.live(index)) {
            let member = self.lines[index].member.id;
            let takes_new = || self.session.worker.shared.balancer().takes_new(member);
            let tried = self.session.tried().contains(&member);
            if !tried && (*target == Target::Any || takes_new()) {
                return Ok(Ok(index));
            }
        }
        match Line::to_any(self.session, &self.client).await {
            Ok(line) => Ok(match self.add(line).await {
                Ok(index) => Ok(index),
                Err(error) => Err(Refusal::not_let_in(&error)),
            }),
            Err(Close::ClientGoneEarly) => Err(Close::ClientGoneEarly),
            Err(close @ Close::ClientLeftQueue) => Err(close),
            Err(_) => Ok(Err(Refusal::link(NO_COORDINATOR, OperationEnd::NoCoordinator))),
        }
    }

    /// A line to this member, the one there is or a new one.
    pub(super) async fn line_to(
        &mut self,
        member: Arc<MemberState>,
    ) -> Result<Result<usize, Unreached>, Close> {
        let fits = |line: &Line| line.member.id == member.id && self.may_use(line);
        let known = self.lines.iter().position(fits);
        if let Some(index) = known.and_then(|index| self.live(index)) {
            return Ok(Ok(index));
        }
        match Line::to(self.session, member, &self.client).await {
            Ok(line) => Ok(self.add(line).await.map_err(Unreached::Login)),
            Err(Close::ClientGoneEarly) => Err(Close::ClientGoneEarly),
            Err(Close::NoResources) => Ok(Err(Unreached::NoResources)),
            Err(Close::NoUsableMember) => Ok(Err(Unreached::NotHere)),
            Err(_) => Ok(Err(Unreached::Gone)),
        }
    }

    /// The line, unless it has died; then it is forgotten.
    fn live(&mut self, index: usize) -> Option<usize> {
        if !self.lines.get(index)?.link.is_dead() {
            return Some(index);
        }
        self.forget(index);
        None
    }

    /// Gives up a line; its coordinator counts one client less.
    pub(super) fn forget(&mut self, index: usize) {
        self.lines.remove(index);
        self.current = match self.current {
            current if current > index => current - 1,
            current if current == index => 0,
            current => current,
        };
    }

    /// A line serves nobody but whom it was opened for.
    fn may_use(&self, line: &Line) -> bool {
        *line.identity == *self.identity()
    }

    fn identity(&self) -> &[u8] {
        self.request.as_ref().map_or(&[], http::Request::identity)
    }

    /// Logs in over a new line, if the client did.
    async fn add(&mut self, mut line: Line) -> Result<usize, LoginError> {
        if let Some(credentials) = &self.credentials {
            let patience = self.session.policy.config.protocol_profile.handshake_timeout;
            line.log_in(credentials, patience).await?;
        }
        line.identity = self.identity().into();
        // Not the one that is a session.
        let own = self.memory.own_place();
        let spare = |other: &&Line| Some(&other.place) != own;
        let to_same = |other: &Line| other.member.id == line.member.id;
        let oldest = if self.lines.iter().filter(spare).filter(|other| to_same(other)).count()
            >= LINES_TO_MEMBER_MAX
        {
            self.lines.iter().position(|other| spare(&other) && to_same(other))
        } else if self.lines.len() >= LINES_MAX {
            Some(self.lines.iter().position(|other| spare(&other)).unwrap_or(0))
        } else {
            None
        };
        if let Some(oldest) = oldest {
            self.forget(oldest);
        }
        self.lines.push(line);
        Ok(self.lines.len() - 1)
    }

    /// Asks the coordinators whose handle this is.
    async fn search(
        &mut self,
        names: Names,
        id: Id,
        secret: &[u8; ID_BYTES],
    ) -> Result<Result<usize, Refusal>, Close> {
        let is_operation = matches!(names, Names::Operation | Names::OperationAndSession);
        let vain =
            || Refusal::general(route::refusal(is_operation, id), OperationEnd::UnknownSession);
        if self.vain_searches >= VAIN_SEARCHES_MAX {
            return Ok(Err(vain()));
        }
        self.session.worker.shared.sessions.searches.fetch_add(1, Ordering::Relaxed);
        let questions = answer::questions(names, id, secret);
        let pool = Arc::clone(&self.session.pool);
        for member in pool.members.iter().take(SEARCH_MEMBERS_MAX) {
            let before = self.lines.len();
            let asking = self.ask(member, &questions);
            match timeout(SEARCH_PATIENCE, asking).await {
                Ok(Ok(Found::Here(index))) => {
                    let place = &self.lines[index].place;
                    self.memory.found(id, Secret::new(*secret), is_operation, place);
                    return Ok(Ok(index));
                }
                // It shall tell the client so.
                Ok(Ok(Found::NotLoggedIn(index))) => return Ok(Ok(index)),
                Ok(Ok(Found::Nothing)) => {}
                Ok(Err(close)) => return Err(close),
                // It may be in the middle of an answer.
                Err(_) => self.lines.retain(|line| line.member.id != member.id),
            }
            // Only connections of use are kept.
            self.lines.truncate(before);
        }
        self.vain_searches += 1;
        Ok(Err(vain()))
    }

    /// Asks a member whether it knows the handle in question.
    async fn ask(
        &mut self,
        member: &Arc<MemberState>,
        questions: &[Vec<u8>],
    ) -> Result<Found, Close> {
        for question in questions {
            let Ok(index) = self.line_to(Arc::clone(member)).await? else {
                return Ok(Found::Nothing);
            };
            let mut replies = ReplyScanner::new(self.dialect);
            let asked = self.put_question(index, question, &mut replies).await;
            if asked.is_err() {
                // There may be more of an answer on it.
                self.forget(index);
            }
            match asked {
                Ok(()) => {}
                Err(NoReply::NotLoggedIn) => {
                    let line = self.line_to(Arc::clone(member)).await?;
                    return Ok(line.map_or(Found::Nothing, Found::NotLoggedIn));
                }
                Err(NoReply::Other) => return Ok(Found::Nothing),
            }
            let reply = replies.reply();
            if reply.is_error() && answer::is_shutting_down(reply.error.kept()) {
                continue;
            }
            let known = !reply.is_error()
                || reply.status.is_some() && !answer::is_unknown_handle(reply.error.kept());
            return Ok(if known { Found::Here(index) } else { Found::Nothing });
        }
        Ok(Found::Nothing)
    }

    async fn put_question(
        &mut self,
        index: usize,
        question: &[u8],
        replies: &mut ReplyScanner,
    ) -> Result<(), NoReply> {
        let Line { link, cookie, .. } = &mut self.lines[index];
        errand::ask(link, self.request.as_ref(), cookie, question, replies).await
    }
}
