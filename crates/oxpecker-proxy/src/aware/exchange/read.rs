//! What a client says: the head of a request, the head of a call, and how long it may take.

use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use oxpecker_wire::scan::{Fault, Progress};
use tokio::time::timeout;

use super::{Exchange, HELD_BYTES_MAX, Next};
use crate::aware::http;
use crate::aware::link::{Broken, Inward, Patience};
use crate::record::Close;

/// Most that is held back although it is known where it goes, so that it can be sent again.
const WHOLE_BYTES_MAX: usize = 64 * 1024;

impl Exchange<'_> {
    /// Reads the head of an HTTP request.
    pub(super) async fn read_request(&mut self) -> Result<(), Next> {
        self.client.inward = Inward::Raw;
        let gone = || Next::Close(Close::ClientGone { last_data: false });
        while self.client.received().is_empty() {
            match self.wait_for_client().await {
                Ok(true) => {}
                Ok(false) => {
                    self.client.endpoint().stream().reset_on_close();
                    return Err(Next::Close(Close::IdleTimeout));
                }
                Err(Broken::Ended) => return Err(Next::Close(Close::Finished)),
                Err(_) => return Err(gone()),
            }
        }
        // Begun heads are finished soon, or never.
        let patience = self.session.policy.config.protocol_profile.handshake_timeout;
        let mut request = match timeout(patience, http::read_request(&mut self.client)).await {
            Ok(Ok(Ok(request))) => request,
            Ok(Ok(Err(bad))) => return Err(self.refuse_request(bad).await),
            Ok(Err(_)) => return Err(gone()),
            Err(_) => {
                self.client.endpoint().stream().reset_on_close();
                return Err(Next::Close(Close::ClientTimeout));
            }
        };
        if request.take_expectation() {
            self.client.queue_bare(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.client.flush().await.map_err(|_| gone())?;
        }
        self.memory.requested(&request);
        self.request = Some(request);
        Ok(())
    }

    pub(super) async fn refuse_request(&mut self, bad: http::Bad) -> Next {
        let shared = &self.session.worker.shared;
        shared.sessions.unreadable.fetch_add(1, Ordering::Relaxed);
        self.client.queue_bare(bad.answer());
        // The connection ends either way.
        let _ = self.client.flush().await;
        Next::Close(Close::Unreadable)
    }

    /// Reads a call's head, and what has come with it. True: it is the whole call. `None`: the
    /// client has been idle for too long.
    pub(super) async fn read_call(&mut self) -> Result<Option<bool>, Broken> {
        let mut head = false;
        loop {
            let payload = self.client.payload()?;
            if payload.is_empty() && !head {
                if self.client.payload_is_over() {
                    // A body ends before its call does.
                    return Err(Fault::NotThrift.into());
                }
                if !self.wait_for_client().await? {
                    return Ok(None);
                }
                continue;
            }
            let (used, progress) = self.calls.feed(payload)?;
            self.held.extend_from_slice(&payload[..used]);
            let was_empty = payload.is_empty();
            self.client.took(used);
            match progress {
                Progress::End => return Ok(Some(true)),
                Progress::Head => head = true,
                Progress::More if head && (was_empty || self.held.len() > WHOLE_BYTES_MAX) => {
                    return Ok(Some(false));
                }
                Progress::More => {}
            }
            if !head && self.held.len() > HELD_BYTES_MAX {
                // No client puts so much in front of a handle. A coordinator may judge it.
                return Ok(Some(false));
            }
        }
    }

    /// How long all may be silent while nothing is open.
    pub(in crate::aware) fn silence_max(&self) -> Option<Duration> {
        let profile = &self.session.policy.config.protocol_profile;
        let limits = [profile.idle_timeout, profile.client_timeout, profile.server_timeout];
        limits.into_iter().flatten().min()
    }

    /// For a message that has begun: as long as something is open, it may take for ever.
    pub(in crate::aware) fn patience(&self) -> Patience {
        match self.memory.has_open_operations() {
            true => Patience::ENDLESS,
            false => Patience::new(self.silence_max()),
        }
    }

    /// False when the client's patience is over. Never while an operation is open.
    async fn wait_for_client(&mut self) -> Result<bool, Broken> {
        let Some(patience) = self.silence_max() else {
            return self.client_or_lines().await.map(|()| true);
        };
        loop {
            match timeout(patience, self.client_or_lines()).await {
                Ok(result) => return result.map(|()| true),
                Err(_) if self.memory.has_open_operations() => {}
                Err(_) => return Ok(false),
            }
        }
    }

    /// Receives more from the client. A line that its coordinator closes meanwhile is given up: the
    /// client must not count at a coordinator that knows nothing of it.
    async fn client_or_lines(&mut self) -> Result<(), Broken> {
        loop {
            let useless = std::future::poll_fn(|cx| {
                if let Poll::Ready(more) = self.client.poll_more(cx) {
                    return Poll::Ready(Err(more));
                }
                let mut lines = self.lines.iter_mut();
                match lines.position(|line| line.link.poll_useless(cx).is_ready()) {
                    Some(index) => Poll::Ready(Ok(index)),
                    None => Poll::Pending,
                }
            });
            match useless.await {
                Ok(index) => self.forget(index),
                Err(more) => return more,
            }
        }
    }
}
