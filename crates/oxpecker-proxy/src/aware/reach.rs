//! Where a call is taken: lines to coordinators, kept, opened, and looked for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use oxpecker_wire::answer;
use oxpecker_wire::scan::ReplyScanner;
use oxpecker_wire::scan::handle::{ID_BYTES, Id};
use oxpecker_wire::scan::method::Names;
use tokio::time::timeout;

use super::errand;
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
        let lost = match member {
            Some(member) => self.line_to(member).await?,
            None => Err(None),
        };
        Ok(match lost {
            Ok(index) => Ok(index),
            Err(Some(error)) => Err(Refusal::not_let_in(&error)),
            Err(None) => {
                self.memory.coordinator_lost(self.calls.call());
                let end = OperationEnd::CoordinatorLost;
                Err(match route::refusal_of(self.calls.call()) {
                    Some(text) => Refusal::general(text, end),
                    None => Refusal::link(LOST_IN_MID_CALL, end),
                })
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

    /// A line to this member, the one there is or a new one. The inner error: it refused the
    /// client, in words, or it cannot be reached.
    pub(super) async fn line_to(
        &mut self,
        member: Arc<MemberState>,
    ) -> Result<Result<usize, Option<LoginError>>, Close> {
        let fits = |line: &Line| line.member.id == member.id && self.may_use(line);
        let known = self.lines.iter().position(fits);
        if let Some(index) = known.and_then(|index| self.live(index)) {
            return Ok(Ok(index));
        }
        match Line::to(self.session, member, &self.client).await {
            Ok(line) => Ok(self.add(line).await.map_err(Some)),
            Err(Close::ClientGoneEarly) => Err(Close::ClientGoneEarly),
            Err(_) => Ok(Err(None)),
        }
    }

    /// The line, unless it has died; then it is forgotten.
    fn live(&mut self, index: usize) -> Option<usize> {
        if !self.lines.get(index)?.link.is_dead() {
            return Some(index);
        }
        self.lines.remove(index);
        self.current = 0;
        None
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
        if self.lines.len() >= LINES_MAX {
            // Not the one that is a session.
            let own = self.memory.own_place();
            let oldest = self.lines.iter().position(|line| Some(&line.place) != own);
            self.lines.remove(oldest.unwrap_or(0));
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
                Ok(Ok(Some(index))) => {
                    let place = &self.lines[index].place;
                    self.memory.found(id, Secret::new(*secret), is_operation, place);
                    return Ok(Ok(index));
                }
                Ok(Ok(None)) => {}
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

    /// The line to a member, if it knows the handle in question.
    async fn ask(
        &mut self,
        member: &Arc<MemberState>,
        questions: &[Vec<u8>],
    ) -> Result<Option<usize>, Close> {
        for question in questions {
            let Ok(index) = self.line_to(Arc::clone(member)).await? else { return Ok(None) };
            let mut replies = ReplyScanner::new(self.dialect);
            if self.put_question(index, question, &mut replies).await.is_none() {
                self.lines.remove(index);
                return Ok(None);
            }
            let reply = replies.reply();
            if reply.is_error() && answer::is_shutting_down(reply.error.kept()) {
                continue;
            }
            let known = !reply.is_error()
                || reply.status.is_some() && !answer::is_unknown_handle(reply.error.kept());
            return Ok(known.then_some(index));
        }
        Ok(None)
    }

    /// `None`: there was no answer that can be read, or the line ends with it.
    async fn put_question(
        &mut self,
        index: usize,
        question: &[u8],
        replies: &mut ReplyScanner,
    ) -> Option<()> {
        let Line { link, cookie, .. } = &mut self.lines[index];
        errand::ask(link, self.request.as_ref(), cookie, question, replies).await
    }
}
