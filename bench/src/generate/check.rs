//! The byte check before every measured work: pseudo-random bytes both ways at once, over several
//! connections, with each side ending its direction first in turn, and all of it under a deadline.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use nix::sys::epoll::EpollFlags;

use super::CONNECT_TIMEOUT;
use crate::duplex::{Duplex, SCRATCH_BYTES};
use crate::link::Link;
use crate::poll::{Events, Poll, READ, WRITE};
use crate::wire::{CheckPlan, ClosesFirst, REQUEST_BYTES, Request, Verdict};

/// Bytes up and down. The long ones go past any threshold from which a proxy splices.
const SIZES: [(u64, u64); 8] = [
    (0, 1),
    (1, 0),
    (100, 100),
    (65_536, 16_384),
    (70_001, 1_000_003),
    (1_000_003, 70_001),
    (3_000_017, 20_000_003),
    (20_000_003, 3_000_017),
];
/// The whole transfer takes a fraction of a second on an idle machine.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(20);
/// After the transfer the backend may still be reading what is under way.
const VERDICT_TIMEOUT: Duration = Duration::from_secs(5);
const VERDICT_RETRY: Duration = Duration::from_millis(5);
const WAIT_MAX: Duration = Duration::from_millis(50);

/// Which half-closed connections must go on carrying bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum HalfClose {
    Both,
    /// Only those that the client has closed for its part.
    Client,
}

/// Fails on the first byte that is lost, changed or too many, and on any stall.
pub(crate) fn check(to: SocketAddr, tls: bool, half_close: HalfClose) -> anyhow::Result<()> {
    let plans = plans(half_close);
    transfer(to, tls, &plans)?;
    let mut verdicts = connect(to, tls)?;
    let deadline = Instant::now() + VERDICT_TIMEOUT;
    for plan in &plans {
        loop {
            match ask(&mut verdicts, plan.id).with_context(|| name(plan))? {
                Verdict::Good => break,
                Verdict::Running if Instant::now() < deadline => std::thread::sleep(VERDICT_RETRY),
                verdict => anyhow::bail!("{}: verdict of the backend: {verdict:?}", name(plan)),
            }
        }
    }
    Ok(())
}

fn plans(half_close: HalfClose) -> Vec<CheckPlan> {
    // Seeds are the same in every run; ids must differ, since a backend may see many checks.
    let run = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
    let orders: &[ClosesFirst] = match half_close {
        HalfClose::Both => &[ClosesFirst::Client, ClosesFirst::Backend],
        HalfClose::Client => &[ClosesFirst::Client],
    };
    SIZES
        .iter()
        .flat_map(|&size| orders.iter().map(move |&order| (size, order)))
        .zip(1_u64..)
        .map(|(((up_bytes, down_bytes), closes_first), number)| CheckPlan {
            id: run.wrapping_add(number),
            seed: number.wrapping_mul(0xd134_2543_de82_ef95),
            up_bytes,
            down_bytes,
            closes_first,
        })
        .collect()
}

fn transfer(to: SocketAddr, tls: bool, plans: &[CheckPlan]) -> anyhow::Result<()> {
    let poll = Poll::new()?;
    let mut open = Vec::new();
    for (token, plan) in plans.iter().enumerate() {
        let mut stream = connect(to, tls)?;
        stream.write_all(&Request::Check(*plan).encode())?;
        poll.add(&stream, token, READ | WRITE)?;
        open.push(Some((stream, Duplex::client(plan), READ | WRITE)));
    }
    let deadline = Instant::now() + TRANSFER_TIMEOUT;
    let mut scratch = vec![0; SCRATCH_BYTES];
    let mut events = Events::new();
    while open.iter().any(Option::is_some) {
        if Instant::now() > deadline {
            let (stuck, plan) = open
                .iter()
                .zip(plans)
                .find_map(|(entry, plan)| entry.as_ref().map(|(_, duplex, _)| (duplex, plan)))
                .context("no connection left")?;
            anyhow::bail!("{}: time is up; {}", name(plan), stuck.describe());
        }
        for (token, _) in poll.wait(&mut events, WAIT_MAX)? {
            let Some((stream, duplex, interest)) = open[token].as_mut() else { continue };
            let plan = &plans[token];
            duplex
                .advance(stream, &mut scratch)
                .with_context(|| format!("{}: {}", name(plan), duplex.describe()))?;
            anyhow::ensure!(!duplex.is_bad(), "{}: {}", name(plan), duplex.describe());
            if duplex.is_done(stream) {
                open[token] = None;
                continue;
            }
            let wanted = duplex.interest(stream);
            follow(&poll, stream, token, interest, wanted)?;
        }
    }
    Ok(())
}

fn follow(
    poll: &Poll,
    stream: &Link,
    token: usize,
    current: &mut EpollFlags,
    wanted: EpollFlags,
) -> anyhow::Result<()> {
    if *current != wanted {
        poll.change(stream, token, wanted)?;
        *current = wanted;
    }
    Ok(())
}

fn connect(to: SocketAddr, tls: bool) -> anyhow::Result<Link> {
    let stream = TcpStream::connect_timeout(&to, CONNECT_TIMEOUT).context("connect")?;
    stream.set_read_timeout(Some(VERDICT_TIMEOUT))?;
    stream.set_write_timeout(Some(VERDICT_TIMEOUT))?;
    Ok(Link::new(stream, tls)?)
}

fn ask(stream: &mut Link, id: u64) -> anyhow::Result<Verdict> {
    stream.write_all(&Request::Verdict { id }.encode()).context("ask for the verdict")?;
    let mut answer = [0; REQUEST_BYTES];
    stream.read_exact(&mut answer).context("read the verdict")?;
    Ok(Verdict::decode(&answer))
}

fn name(plan: &CheckPlan) -> String {
    format!(
        "{} B up, {} B down, {:?} closes first",
        plan.up_bytes, plan.down_bytes, plan.closes_first
    )
}
