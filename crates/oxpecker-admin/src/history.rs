//! The last hour of every member: a sample each ten seconds in a ring, so memory has a bound.
//!
//! Only looks at counters that others keep; a gateway without anybody who looks at the page works
//! the same for it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use oxpecker_api::{History as Answer, Sample, Series};
use oxpecker_config::model::Role;
use oxpecker_proxy::control::{AdminState, Health, MemberView, PoolView};
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior};

use crate::api::extract::Asked;
use crate::app::App;
use crate::route::{Needs, Route};

/// Fine enough to see a burst of logins, and 360 of them are an hour.
const INTERVAL: Duration = Duration::from_secs(10);

/// An hour.
const SAMPLES_MAX: usize = 360;

/// Members beyond are not recorded: with this many the rings hold 12 MB.
const MEMBERS_MAX: usize = 1000;

/// Series in one answer; more are asked for by their pool or member.
const SERIES_MAX: usize = 100;

/// What is read of one member, all counters since the start of the process.
#[derive(Debug, Clone, PartialEq)]
struct Reading {
    pool: String,
    member: String,
    connections: u32,
    usable: bool,
    counters: Counters,
}

/// They only grow; what lies between two readings is the sample.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Counters {
    bytes_in: u64,
    bytes_out: u64,
    connects: u64,
    connect_time: Duration,
    probes: u64,
    probe_time: Duration,
}

pub(crate) fn routes() -> Vec<Route> {
    let path = format!("{}/history", oxpecker_api::PREFIX);
    vec![Route::get(path, Needs::Role(Role::Viewer), history)]
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    pool: Option<String>,
    member: Option<String>,
}

async fn history(State(app): State<Arc<App>>, Asked(asked): Asked<Which>) -> Json<Answer> {
    let wanted = Wanted { pool: asked.pool.as_deref(), member: asked.member.as_deref() };
    Json(app.history.answer(wanted))
}

/// One for the process.
#[derive(Debug, Default)]
pub(crate) struct History {
    rings: Mutex<Rings>,
}

#[derive(Debug, Default)]
struct Rings {
    lines: HashMap<(String, String), Line>,
    /// The members in the order of the configuration, as last seen.
    order: Vec<(String, String)>,
    left_out: usize,
}

#[derive(Debug)]
struct Line {
    samples: VecDeque<Packed>,
    last: Counters,
    /// On a clock that never goes back.
    last_at: Duration,
}

/// 32 bytes; `NaN` = nothing was measured.
#[derive(Debug, Clone, Copy)]
struct Packed {
    at: i64,
    connections: u32,
    bits_in_per_second: f32,
    bits_out_per_second: f32,
    connect_seconds: f32,
    probe_seconds: f32,
    usable: bool,
}

/// Whose lines are wanted; `None` = all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) pool: Option<&'a str>,
    pub(crate) member: Option<&'a str>,
}

impl History {
    fn rings(&self) -> MutexGuard<'_, Rings> {
        self.rings.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn answer(&self, wanted: Wanted<'_>) -> Answer {
        self.rings().answer(wanted)
    }

    /// Members that are beyond the bound.
    pub(crate) fn left_out(&self) -> usize {
        self.rings().left_out
    }
}

/// Takes samples for as long as the admin side runs; one task of its runtime.
pub(crate) async fn sample(app: Arc<App>) {
    let began = Instant::now();
    let mut ticks = tokio::time::interval(INTERVAL);
    // After a suspended machine wakes, the hour it missed is a gap, not a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let at = Timestamp::now().as_second();
        let readings = readings(&app.control.pools());
        app.history.rings().observe(at, began.elapsed(), readings);
    }
}

impl Rings {
    /// `at` is seconds since 1970, `clock` never goes back. Members that are gone are forgotten.
    fn observe(&mut self, at: i64, clock: Duration, readings: Vec<Reading>) {
        self.left_out = readings.len().saturating_sub(MEMBERS_MAX);
        self.order.clear();
        let mut old = std::mem::take(&mut self.lines);
        for reading in readings.into_iter().take(MEMBERS_MAX) {
            let key = (reading.pool, reading.member);
            let fresh =
                || Line { samples: VecDeque::new(), last: reading.counters, last_at: clock };
            let mut line = old.remove(&key).unwrap_or_else(fresh);
            line.take(at, clock, reading.connections, reading.usable, reading.counters);
            self.order.push(key.clone());
            self.lines.insert(key, line);
        }
    }

    fn answer(&self, wanted: Wanted<'_>) -> Answer {
        let matches = |key: &&(String, String)| {
            wanted.pool.is_none_or(|pool| pool == key.0)
                && wanted.member.is_none_or(|member| member == key.1)
        };
        let series = |key: &(String, String)| {
            let line = self.lines.get(key)?;
            let samples = line.samples.iter().map(Packed::unpack).collect();
            Some(Series { pool: key.0.clone(), member: key.1.clone(), samples })
        };
        let mut keys = self.order.iter().filter(matches);
        let series = keys.by_ref().take(SERIES_MAX).filter_map(series).collect();
        let truncated = keys.next().is_some();
        Answer { interval_seconds: INTERVAL.as_secs_f64(), series, truncated }
    }
}

impl Line {
    fn take(&mut self, at: i64, clock: Duration, connections: u32, usable: bool, now: Counters) {
        let elapsed = clock.saturating_sub(self.last_at).as_secs_f64();
        // The first reading is only what the next is compared with.
        if elapsed <= 0.0 {
            return;
        }
        let last = std::mem::replace(&mut self.last, now);
        self.last_at = clock;
        // A member that was removed and added again counts from zero.
        let bits = |now: u64, last: u64| (now.saturating_sub(last) * 8) as f64 / elapsed;
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(Packed {
            at,
            connections,
            bits_in_per_second: bits(now.bytes_in, last.bytes_in) as f32,
            bits_out_per_second: bits(now.bytes_out, last.bytes_out) as f32,
            connect_seconds: mean(now.connects, last.connects, now.connect_time, last.connect_time),
            probe_seconds: mean(now.probes, last.probes, now.probe_time, last.probe_time),
            usable,
        });
    }
}

/// Of what came since the last reading; `NaN` when nothing did.
fn mean(now: u64, last: u64, time_now: Duration, time_last: Duration) -> f32 {
    match now.saturating_sub(last) {
        0 => f32::NAN,
        count => (time_now.saturating_sub(time_last).as_secs_f64() / count as f64) as f32,
    }
}

impl Packed {
    fn unpack(&self) -> Sample {
        let measured = |seconds: f32| (!seconds.is_nan()).then_some(f64::from(seconds));
        Sample {
            at: self.at,
            connections: self.connections,
            bits_in_per_second: f64::from(self.bits_in_per_second),
            bits_out_per_second: f64::from(self.bits_out_per_second),
            connect_seconds: measured(self.connect_seconds),
            probe_seconds: measured(self.probe_seconds),
            usable: self.usable,
        }
    }
}

/// All members of a snapshot, in its order.
fn readings(pools: &[PoolView]) -> Vec<Reading> {
    pools.iter().flat_map(|pool| &pool.members).map(reading).collect()
}

fn reading(member: &MemberView) -> Reading {
    let up = matches!(member.health, Health::Up | Health::Unknown);
    Reading {
        pool: member.pool.clone(),
        member: member.name.clone(),
        connections: member.connections.open,
        usable: up && member.admin_state == AdminState::Enabled,
        counters: Counters {
            bytes_in: member.traffic_ever.bytes_in,
            bytes_out: member.traffic_ever.bytes_out,
            connects: member.connects,
            connect_time: member.connect_time,
            probes: member.probe.passed,
            probe_time: member.probe.time,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, connections: u32, counters: Counters) -> Reading {
        Reading { pool: "hs2".into(), member: name.into(), connections, usable: true, counters }
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_sample_is_what_came_since_the_last() {
        let mut history = Rings::default();
        let before = Counters {
            bytes_in: 1000,
            connects: 5,
            connect_time: seconds(5),
            ..Counters::default()
        };
        history.observe(100, seconds(10), vec![member("a:1", 3, before)]);
        assert!(
            history.answer(Wanted::default()).series[0].samples.is_empty(),
            "nothing to compare"
        );
        let after = Counters {
            bytes_in: 2000,
            bytes_out: 500,
            connects: 7,
            connect_time: seconds(6),
            ..Counters::default()
        };
        history.observe(110, seconds(20), vec![member("a:1", 4, after)]);
        let expected = Sample {
            at: 110,
            connections: 4,
            bits_in_per_second: 800.0,
            bits_out_per_second: 400.0,
            connect_seconds: Some(0.5),
            probe_seconds: None,
            usable: true,
        };
        assert_eq!(history.answer(Wanted::default()).series[0].samples, [expected]);
    }

    #[test]
    fn counters_that_begin_anew_are_no_flood() {
        let mut history = Rings::default();
        let many = Counters { bytes_in: 1 << 40, ..Counters::default() };
        history.observe(0, seconds(1), vec![member("a:1", 0, many)]);
        history.observe(10, seconds(11), vec![member("a:1", 0, Counters::default())]);
        assert_eq!(history.answer(Wanted::default()).series[0].samples[0].bits_in_per_second, 0.0);
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let mut history = Rings::default();
        for n in 0..1000 {
            history.observe(
                n * 10,
                seconds(n as u64 * 10),
                vec![member("a:1", 0, Counters::default())],
            );
        }
        let answer = history.answer(Wanted::default());
        assert_eq!(answer.series[0].samples.len(), SAMPLES_MAX);
        assert_eq!(answer.series[0].samples.last().map(|sample| sample.at), Some(9990));
        assert_eq!(answer.series[0].samples[0].at, 9990 - 3590);
        assert!(size_of::<Packed>() <= 32);
    }

    #[test]
    fn members_that_are_gone_are_forgotten_and_too_many_are_counted() {
        let mut history = Rings::default();
        let crowd = (0..1003).map(|n| member(&format!("m{n}:1"), 0, Counters::default()));
        history.observe(0, seconds(1), crowd.collect());
        assert_eq!(history.left_out, 3);
        assert_eq!(history.lines.len(), MEMBERS_MAX);
        let answer = history.answer(Wanted::default());
        assert_eq!((answer.series.len(), answer.truncated), (SERIES_MAX, true));
        let one = history.answer(Wanted { pool: Some("hs2"), member: Some("m999:1") });
        assert_eq!((one.series.len(), one.truncated), (1, false));
        assert_eq!(history.answer(Wanted { pool: Some("x"), member: None }).series, []);
        history.observe(10, seconds(11), vec![member("m5:1", 0, Counters::default())]);
        assert_eq!((history.lines.len(), history.order.len(), history.left_out), (1, 1, 0));
    }
}
