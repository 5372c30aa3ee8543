//! Moves bytes between a client and a member without looking at them.
//!
//! Each direction is a [`Flow`]. A flow reads into its thread's one scratch buffer and writes
//! at once; it owns memory only for what the other side refused, and gives that back as soon
//! as it is sent. A stream that keeps coming in large pieces goes through a kernel pipe
//! instead ([`pipe`]) until its pieces turn small. An idle connection holds no buffer and no
//! pipe. Nothing here takes a lock that another thread holds while it works.

mod flow;
pub(crate) mod pipe;

use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::connection::registry::Cut;
use crate::counters::Moved;
use crate::endpoint::Endpoint;
use flow::{Flow, FlowPoll, Peer};

/// Where the measurements put the knee: 1 MB fetches cost as little as through a pipe, and one
/// buffer a thread is no memory worth counting.
pub(crate) const SCRATCH_BYTES: usize = 256 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into());
}

/// Runs `work` with the thread's scratch buffer, which must not be asked for again inside.
pub(crate) fn with_scratch<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| work(scratch))
}

/// How long silence may last; `None` = for ever.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) client: Option<Duration>,
    pub(crate) member: Option<Duration>,
    pub(crate) idle: Option<Duration>,
}

/// Who is busy at the end of its patience is asked again after this.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// Why a relay is over.
#[derive(Debug)]
pub(crate) enum End {
    /// Both sides said goodbye and everything was delivered.
    Finished,
    ClientGone,
    MemberGone,
    ClientTimeout,
    MemberTimeout,
    IdleTimeout,
    Cut(Cut),
}

/// [`End`] has parts that cannot be copied; what makes one can.
type MakeEnd = fn() -> End;

/// What a relay needs of the connection it works for.
pub(crate) trait Watch {
    fn patience(&self) -> Patience;
    /// Told about bytes as they pass.
    fn moved(&self, up: Moved, down: Moved, at: Instant);
    /// Ready when the connection is to end. Asked on every poll.
    fn poll_cut(&self) -> Poll<Cut>;
    /// Wants to see every byte: nothing may go past it through a kernel pipe.
    const READS: bool = false;
    /// Something is under way that silence must not end.
    fn is_busy(&self) -> bool {
        false
    }
    /// Bytes that are about to be passed on, if `READS`.
    fn saw(&mut self, _: Way, _: &[u8]) {}
    /// Whoever sends this way says no more.
    fn ended(&mut self, _: Way) {}
}

/// Which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the client to the member.
    Up,
    Down,
}

/// Shows one direction's bytes to whoever watches.
pub(crate) struct Tap<'a, W: Watch> {
    way: Way,
    watch: &'a mut W,
}

impl<W: Watch> Tap<'_, W> {
    fn reads(&self) -> bool {
        W::READS
    }

    fn saw(&mut self, bytes: &[u8]) {
        if W::READS {
            self.watch.saw(self.way, bytes);
        }
    }

    fn ended(&mut self) {
        self.watch.ended(self.way);
    }
}

/// Small on purpose: with its two streams it is most of what an idle connection costs.
pub(crate) struct Relay {
    client: Endpoint,
    member: Endpoint,
    up: Flow,
    down: Flow,
    /// When a byte last moved. One moment serves both sides: a byte that moves is activity of
    /// the one that sent it and of the one that took it.
    active: Instant,
}

impl Relay {
    pub(crate) fn new(client: Endpoint, member: Endpoint) -> Self {
        Self { client, member, up: Flow::default(), down: Flow::default(), active: Instant::now() }
    }

    /// Relays until either side or `watch` ends it. What could not be delivered is dropped with
    /// the relay; a side that did not end cleanly is passed on as a reset.
    pub(crate) async fn run(&mut self, watch: &mut impl Watch) -> End {
        let end = match self.deadline(watch) {
            None => std::future::poll_fn(|cx| self.poll(cx, watch)).await,
            Some((deadline, _)) => {
                let mut sleep = pin!(tokio::time::sleep_until(deadline));
                std::future::poll_fn(|cx| {
                    if let Poll::Ready(end) = self.poll(cx, watch) {
                        return Poll::Ready(end);
                    }
                    self.poll_deadline(cx, watch, sleep.as_mut())
                })
                .await
            }
        };
        match &end {
            End::Finished => {}
            End::Cut(Cut::Drop) => {
                for side in [self.client.stream(), self.member.stream()] {
                    if side.silence_on_close().is_err() {
                        side.reset_on_close();
                    }
                }
            }
            _ => {
                self.client.stream().reset_on_close();
                self.member.stream().reset_on_close();
            }
        }
        end
    }

    /// Bytes from the client and bytes to the client.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.up.bytes, self.down.bytes)
    }

    /// The member is done and only its last data is still on the way to the client.
    pub(crate) fn member_finished(&self) -> bool {
        self.down.ended()
    }

    pub(crate) fn client_truncated(&self) -> bool {
        self.client.was_truncated()
    }

    pub(crate) fn member_truncated(&self) -> bool {
        self.member.was_truncated()
    }

    /// For a relay that has to begin anew with another member.
    pub(crate) fn into_client(self) -> Endpoint {
        self.client
    }

    fn poll(&mut self, cx: &mut Context<'_>, watch: &mut impl Watch) -> Poll<End> {
        if let Poll::Ready(cut) = watch.poll_cut() {
            return Poll::Ready(End::Cut(cut));
        }
        let (up_before, down_before) = (self.up.moved(), self.down.moved());
        let end = SCRATCH.with_borrow_mut(|scratch| self.poll_flows(cx, scratch, watch));
        let (up, down) = (self.up.moved() - up_before, self.down.moved() - down_before);
        if up.reads + down.reads > 0 {
            self.active = Instant::now();
            // A request means that the answer before it is complete: the next one has to
            // prove anew that it is a long stream.
            if up.reads > 0 {
                self.down.begin_answer();
            }
            if down.reads > 0 {
                self.up.begin_answer();
            }
            watch.moved(up, down, self.active);
        } else if self.up.take_wrote() | self.down.take_wrote() {
            self.active = Instant::now();
        }
        end
    }

    fn poll_flows<W: Watch>(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        watch: &mut W,
    ) -> Poll<End> {
        let last = self.down.is_done();
        let tap = Tap { way: Way::Up, watch };
        match self.up.poll(cx, &mut self.client, &mut self.member, scratch, last, tap) {
            FlowPoll::Pending | FlowPoll::Done => {}
            FlowPoll::Failed(Peer::From) => return Poll::Ready(End::ClientGone),
            // The member takes no more, but its last words may still lie unread: the other
            // direction goes on and finds the end of the stream or the error itself.
            FlowPoll::Failed(Peer::To) => self.up.give_up(),
            FlowPoll::Failed(Peer::ToReset) => {
                self.up.give_up();
                self.down.cut_off();
            }
        }
        let last = self.up.is_done();
        let tap = Tap { way: Way::Down, watch };
        match self.down.poll(cx, &mut self.member, &mut self.client, scratch, last, tap) {
            FlowPoll::Pending => Poll::Pending,
            FlowPoll::Done if self.up.is_broken() => Poll::Ready(End::MemberGone),
            FlowPoll::Done if self.up.is_done() => Poll::Ready(End::Finished),
            FlowPoll::Done => Poll::Pending,
            FlowPoll::Failed(Peer::From) => Poll::Ready(End::MemberGone),
            FlowPoll::Failed(Peer::To | Peer::ToReset) => Poll::Ready(End::ClientGone),
        }
    }

    /// The next moment at which somebody's patience ends, and what it would mean.
    fn deadline(&self, watch: &impl Watch) -> Option<(Instant, MakeEnd)> {
        let patience = watch.patience();
        let candidates: [(Option<Duration>, MakeEnd); 3] = [
            (patience.client, || End::ClientTimeout),
            (patience.member, || End::MemberTimeout),
            (patience.idle, || End::IdleTimeout),
        ];
        candidates
            .into_iter()
            .filter_map(|(patience, end)| Some((self.active + patience?, end)))
            .min_by_key(|(at, _)| *at)
    }

    /// Activity only notes the time; the timer finds out when it fires that it was too early.
    fn poll_deadline(
        &self,
        cx: &mut Context<'_>,
        watch: &impl Watch,
        mut sleep: Pin<&mut Sleep>,
    ) -> Poll<End> {
        while sleep.as_mut().poll(cx).is_ready() {
            let Some((deadline, end)) = self.deadline(watch) else { return Poll::Pending };
            let now = Instant::now();
            if deadline > now {
                sleep.as_mut().reset(deadline);
            } else if watch.is_busy() {
                sleep.as_mut().reset(now + BUSY_PAUSE);
            } else {
                return Poll::Ready(end());
            }
        }
        Poll::Pending
    }
}
