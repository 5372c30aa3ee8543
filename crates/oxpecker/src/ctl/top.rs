//! `oxpecker top`: a dashboard that refreshes itself, with rates, and drain and enable at hand.
//!
//! One thread talks to the gateway, this one to the terminal: a gateway that is slow or away never
//! makes the keyboard dead. However it ends, the terminal is given back as it was.

mod draw;
mod poll;
mod rates;
mod state;

use std::io::{self, IsTerminal};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use ratatui::layout::{Position, Rect};

use super::client::{Access, Client};
use super::screen::Screen;
use super::words;
use crate::exit::Exit;
#[cfg(test)]
pub(super) use poll::Snapshot;
use poll::{Order, Report};
use state::{Effect, State};

/// Orders that wait for the gateway: more means that it is stuck, and the user is told.
const ORDERS_MAX: usize = 4;

/// Reports that wait to be drawn.
const REPORTS_MAX: usize = 8;

/// How long reports and signals may wait while no key is pressed.
const TICK: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Between two looks
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = interval)]
    interval: Duration,
    #[command(flatten)]
    access: Access,
}

/// Faster than this shows nothing more.
const INTERVAL_MIN: Duration = Duration::from_millis(200);

fn interval(text: &str) -> Result<Duration, &'static str> {
    let interval = words::read_duration(text)?;
    if interval < INTERVAL_MIN { Err("200ms is the least") } else { Ok(interval) }
}

pub(super) fn top(options: &Options) -> anyhow::Result<Exit> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        anyhow::bail!("top needs a terminal; `oxpecker stats` and `members` are for scripts");
    }
    let client = Client::new(&options.access)?;
    // Before the screen changes: what is wrong stays readable then.
    let first = poll::look(&client)?;
    // Before there are other threads, which would take the signals instead.
    let signals = signals().context("failed to prepare for signals")?;
    let (orders, to_do) = mpsc::sync_channel(ORDERS_MAX);
    let (told, reports) = mpsc::sync_channel(REPORTS_MAX);
    let interval = options.interval;
    std::thread::Builder::new()
        .name("poll".into())
        .spawn(move || poll::run(&client, interval, &to_do, &told))
        .context("failed to start a thread")?;
    let mut state = State::new(first, Screen::now().colours);
    let terminal = ratatui::try_init().context("failed to prepare the terminal")?;
    let result = watch(terminal, &mut state, &signals, &orders, &reports);
    ratatui::restore();
    result?;
    Ok(Exit::Fine)
}

/// Signals that would leave the terminal broken become something to read.
fn signals() -> nix::Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        set.add(signal);
    }
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// Until the user or a signal ends it.
fn watch(
    mut terminal: DefaultTerminal,
    state: &mut State,
    signals: &SignalFd,
    orders: &mpsc::SyncSender<Order>,
    reports: &mpsc::Receiver<Report>,
) -> anyhow::Result<()> {
    let mut stale = true;
    loop {
        if stale {
            terminal.draw(|frame| draw::draw(frame, state))?;
        }
        if signals.read_signal().context("failed to read signals")?.is_some() {
            return Ok(());
        }
        stale = event::poll(TICK)?;
        let happened = if stale { Some(event::read()?) } else { None };
        let effect = match happened {
            Some(Event::Key(key)) if key.is_press() => state.key(key),
            // What was there is lost, also when the size is the old one again by now. Not `clear`:
            // that asks the terminal where its cursor is, and not every terminal answers.
            Some(Event::Resize(..)) => {
                terminal.resize(Rect::from((Position::ORIGIN, terminal.size()?)))?;
                None
            }
            _ => None,
        };
        match effect {
            Some(Effect::Quit) => return Ok(()),
            Some(Effect::Order(order)) => {
                let taken = orders.try_send(order).is_ok();
                state.ordered(taken);
            }
            None => {}
        }
        while let Ok(report) = reports.try_recv() {
            state.report(report);
            stale = true;
        }
    }
}
