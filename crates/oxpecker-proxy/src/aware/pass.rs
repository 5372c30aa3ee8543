//! One attempt at a call: sent over a line, its reply brought back.

use std::io;
use std::time::Duration;

use oxpecker_config::model::ServiceDown;
use oxpecker_wire::answer;
use oxpecker_wire::scan::Progress;
use oxpecker_wire::scan::method::{Dialect, Method};

use super::exchange::{Exchange, HELD_BYTES_MAX, close_of, drain_client, until_end};
use super::http;
use super::line::{Debt, Line};
use super::link::{Broken, Inward, PumpError, pump};
use super::registry::OperationEnd;
use super::route;
use crate::connection::Session;
use crate::record::Close;
use crate::state::MemberState;

/// How often a connection that waits for a reply asks for its member's health.
const DOWN_CHECK: Duration = Duration::from_secs(2);

/// How one attempt at a call ended, if not well.
pub(super) enum Failed {
    NotServed(NotServed),
    /// The client's connection ends.
    Close(Close),
}

/// The line that was tried is still there, and the client has heard nothing.
pub(super) enum NotServed {
    /// The coordinator takes nothing new.
    Leaving,
    /// Nothing of an answer has come.
    Lost,
}

impl Failed {
    const LEAVING: Self = Self::NotServed(NotServed::Leaving);
    const LOST: Self = Self::NotServed(NotServed::Lost);
}

impl From<Close> for Failed {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

impl Exchange<'_> {
    /// Sends the call over a line and brings the reply back.
    pub(super) async fn pass(&mut self, index: usize, whole: bool) -> Result<(), Failed> {
        self.lines[index].debt = Debt::Part;
        match self.send(index, whole).await {
            Ok(()) => {}
            Err(Failed::NotServed(NotServed::Lost)) if self.is_http => {
                return self.early_answer(index, whole).await;
            }
            Err(failed) => return Err(failed),
        }
        if !self.calls.call().expects_reply() {
            self.lines[index].debt = Debt::Nothing;
            return Ok(());
        }
        self.lines[index].debt = Debt::Reply;
        let response = match self.is_http {
            true => Some(self.read_response(index).await?),
            false => None,
        };
        let response = match response {
            Some(response) if response.status != http::OK => {
                return self.pass_on(index, response).await;
            }
            response => response,
        };
        let over = self.read_reply(index).await?;
        if self.is_refused_by_leaving() && whole && over {
            let drained = http::drain(&mut self.lines[index].link).await;
            if !drained.is_ok_and(|clean| clean) {
                self.lines[index].is_spent = true;
            }
            self.lines[index].debt = Debt::Nothing;
            return Err(Failed::LEAVING);
        }
        let mut longer = 0;
        if let (Some(tags), Some(handle)) = (&self.tags, self.replies.reply().handle()) {
            let place = &self.lines[index].place;
            longer = route::seal(&mut self.answer, handle, tags, place);
        }
        if let (Some(response), Some(request)) = (&response, &self.request) {
            let cookie =
                response.queue(&mut self.client, longer, request.keeps_cookies, request.closes);
            if let Some(cookie) = cookie {
                self.lines[index].cookie = cookie;
            }
        }
        self.client.queue(&self.answer);
        let patience = self.patience();
        let Self { client, lines, replies, .. } = self;
        let link = &mut lines[index].link;
        if !over {
            let mut feed = |bytes: &[u8]| until_end(bytes, |bytes| replies.feed(bytes));
            match pump(link, Some(client), patience, &mut feed).await {
                Ok(()) => {}
                Err(PumpError::To(error)) if error.kind() == io::ErrorKind::TimedOut => {
                    return Err(Close::ClientTimeout.into());
                }
                Err(PumpError::To(_)) => return Err(Close::ClientGone { last_data: false }.into()),
                Err(PumpError::From(Broken::Stalled)) => return Err(Close::MemberTimeout.into()),
                // The client has a part of the reply: nothing else can be said any more.
                Err(PumpError::From(_)) => return Err(Close::MemberGone.into()),
            }
        }
        if let Some(response) = &response {
            match patience.within(http::drain(link)).await {
                Some(Ok(true)) => {}
                // The client was promised another length than it would get.
                Some(_) => return Err(Close::MemberGone.into()),
                None => return Err(Close::MemberTimeout.into()),
            }
            lines[index].is_spent = response.closes;
            response.queue_end(client);
        }
        self.flush_client().await?;
        let (call, reply) = (self.calls.call(), self.replies.reply());
        self.memory.learn(call, reply, self.replies.position(), &self.lines[index].place);
        self.lines[index].debt = Debt::Nothing;
        // Another call's reply: who knows what comes next.
        self.lines[index].is_spent |= !reply.answers(call);
        self.memory.note_results(call, reply);
        if self.dialect == Dialect::Beeswax && self.memory.has_own_session() {
            // Its session ends with its coordinator.
            self.session.registered.conn.bind(self.lines[index].member.id);
        }
        self.lines.retain(|line| !line.is_spent);
        Ok(())
    }

    /// A new session or statement that its coordinator does not take because it leaves.
    fn is_refused_by_leaving(&self) -> bool {
        let makes_new = matches!(
            self.calls.call().method(),
            Method::OpenSession | Method::query | Method::executeAndWait | Method::explain
        );
        let reply = self.replies.reply();
        makes_new && reply.is_error() && answer::is_shutting_down(reply.error.kept())
    }

    /// Sends the call with what is around it.
    async fn send(&mut self, index: usize, whole: bool) -> Result<(), Failed> {
        let patience = self.patience();
        let Self { session, client, lines, calls, held, request, shorter, memory, .. } = self;
        let Line { link, cookie, member, .. } = &mut lines[index];
        if let Some(request) = request {
            request.queue(link, *shorter, cookie);
        }
        link.queue(held);
        let sending = async {
            if !whole {
                let mut feed = |bytes: &[u8]| until_end(bytes, |bytes| calls.feed(bytes));
                match pump(client, Some(link), patience, &mut feed).await {
                    Ok(()) => {}
                    Err(PumpError::To(_)) => return Err(Failed::LOST),
                    Err(PumpError::From(error)) => return Err(close_of(&error).into()),
                }
                memory.asks(calls.call());
            }
            if let Some(request) = request {
                drain_client(client, patience).await?;
                request.queue_end(link);
            }
            link.flush_within(patience).await.map_err(|_| Failed::LOST)
        };
        tokio::select! {
            biased;
            sent = sending => sent,
            () = given_up(session, member) => Err(Failed::LOST),
        }
    }

    /// A server that refuses a log-in may answer without having read all, and close. That answer is
    /// what its client needs.
    async fn early_answer(&mut self, index: usize, whole: bool) -> Result<(), Failed> {
        // One that took nothing more may say nothing either.
        let patience = self.patience();
        let heard = patience.within(self.read_response(index)).await;
        let response = heard.unwrap_or(Err(Failed::LOST))?;
        if response.status == http::OK {
            return Err(Failed::LOST);
        }
        self.swallow(whole).await?;
        self.lines[index].is_spent = true;
        self.pass_on(index, response).await
    }

    async fn read_response(&mut self, index: usize) -> Result<http::Response, Failed> {
        let Line { link, member, debt, .. } = &mut self.lines[index];
        *debt = Debt::Part;
        link.inward = Inward::Raw;
        tokio::select! {
            biased;
            response = http::read_response(link) => response.map_err(|_| Failed::LOST),
            () = given_up(self.session, member) => Err(Failed::LOST),
            () = self.client.left() => Err(Close::ClientGone { last_data: false }.into()),
        }
    }

    /// Passes on an answer that has no reply in it: a log-in that failed, a server in trouble.
    async fn pass_on(&mut self, index: usize, response: http::Response) -> Result<(), Failed> {
        self.memory.gave_up(OperationEnd::Failed, "");
        let closes = response.closes || self.request.as_ref().is_some_and(|request| request.closes);
        let patience = self.patience();
        let Self { client, lines, .. } = self;
        let link = &mut lines[index].link;
        response.queue(client, 0, false, closes);
        let client_gone = |_| Close::ClientGone { last_data: true };
        loop {
            let payload = link.payload().map_err(|_| Close::MemberGone)?;
            let count = payload.len();
            client.queue(payload);
            link.took(count);
            if count > 0 {
                client.flush_within(patience).await.map_err(client_gone)?;
            } else if link.payload_is_over() {
                break;
            } else if !matches!(patience.within(link.more()).await, Some(Ok(()))) {
                if link.may_end() {
                    break;
                }
                return Err(Close::MemberGone.into());
            }
        }
        response.queue_end(client);
        client.flush_within(patience).await.map_err(client_gone)?;
        lines[index].is_spent |= response.closes;
        lines[index].debt = Debt::Nothing;
        lines.retain(|line| !line.is_spent);
        if closes { Err(Close::Finished.into()) } else { Ok(()) }
    }

    /// Reads a reply's head, and what has come with it, into `answer`. True: it is the whole reply.
    async fn read_reply(&mut self, index: usize) -> Result<bool, Failed> {
        let Self { session, client, lines, replies, answer, .. } = self;
        let Line { link, member, debt, .. } = &mut lines[index];
        replies.reset();
        answer.clear();
        let mut head = false;
        loop {
            let payload = link.payload().map_err(|_| Failed::LOST)?;
            if payload.is_empty() && !head {
                if link.payload_is_over() {
                    return Err(Failed::LOST);
                }
                tokio::select! {
                    biased;
                    more = link.more() => more.map_err(|_| Failed::LOST)?,
                    () = given_up(session, member) => return Err(Failed::LOST),
                    () = client.left() => {
                        return Err(Close::ClientGone { last_data: false }.into());
                    }
                }
                continue;
            }
            *debt = Debt::Part;
            let (used, progress) = replies.feed(payload).map_err(|_| Failed::LOST)?;
            answer.extend_from_slice(&payload[..used]);
            let was_empty = payload.is_empty();
            link.took(used);
            match progress {
                Progress::End => return Ok(true),
                Progress::Head => head = true,
                Progress::More if head && was_empty => return Ok(false),
                Progress::More if !head && answer.len() > HELD_BYTES_MAX => return Ok(false),
                Progress::More => {}
            }
        }
    }
}

/// Ends when the pool wants connections to a member that is down to end. A coordinator that hangs
/// closes nothing, and a call may take hours: only its monitor can tell.
async fn given_up(session: &Session, member: &MemberState) {
    if session.pool.config.service_down == ServiceDown::None {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(DOWN_CHECK).await;
        if session.worker.shared.balancer().is_down(member.id) {
            return;
        }
    }
}
