//! What a snapshot alone cannot tell: how much came within the last second, the most in a second, and how
//! often and how long a pool had no usable member. Somebody has to look every second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oxpecker_proxy::control::{Handle, PoolView, VirtualView};

use super::fields::{Field, Row};

/// How often [`Watch::observe`] is meant to be called: HAProxy's rates are of one second.
const PERIOD: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Process,
    Frontend(String),
    Backend(String),
    /// Pool and member.
    Server(String, String),
}

/// Connections a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) last: u32,
    pub(crate) max: u32,
    seen: u64,
}

/// A pool's changes between having a usable member and having none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Turns {
    is_up: bool,
    /// Uptime of the process when it turned last.
    since: Duration,
    pub(crate) times_down: u64,
    down_before: Duration,
}

impl Turns {
    /// Since it turned.
    pub(crate) fn lasts(&self, uptime: Duration) -> Duration {
        uptime.saturating_sub(self.since)
    }

    pub(crate) fn downtime(&self, uptime: Duration) -> Duration {
        let now = if self.is_up { Duration::ZERO } else { self.lasts(uptime) };
        self.down_before + now
    }
}

#[derive(Debug, Default)]
pub(crate) struct Watch {
    rates: HashMap<Key, Rate>,
    pools: HashMap<String, Turns>,
    /// What columns had when `clear counters all` was said, by the names of their rows.
    cleared: HashMap<(String, String), Vec<u64>>,
    /// Uptime at the last look.
    looked: Option<Duration>,
}

impl Watch {
    /// Objects that are gone are forgotten, so it holds no more than the configuration.
    pub(crate) fn observe(
        &mut self,
        uptime: Duration,
        virtuals: &[VirtualView],
        pools: &[PoolView],
    ) {
        let elapsed = self.looked.map(|looked| uptime.saturating_sub(looked));
        let mut before = std::mem::take(&mut self.rates);
        let mut count = |key: Key, seen: u64| {
            let rate = before.remove(&key).map_or(Rate { seen, ..Rate::default() }, |rate| {
                let last = per_second(seen.saturating_sub(rate.seen), elapsed);
                Rate { last, max: rate.max.max(last), seen }
            });
            self.rates.insert(key, rate);
        };
        let all = virtuals.iter().map(|frontend| frontend.connections.total_ever).sum();
        count(Key::Process, all);
        for frontend in virtuals {
            count(Key::Frontend(frontend.name.clone()), frontend.connections.total_ever);
        }
        for pool in pools {
            count(Key::Backend(pool.name.clone()), pool.connections.total_ever);
            for member in &pool.members {
                let key = Key::Server(pool.name.clone(), member.name.clone());
                count(key, member.connections.total_ever);
            }
        }
        self.turn(pools, uptime);
        self.looked = Some(uptime);
    }

    fn turn(&mut self, pools: &[PoolView], uptime: Duration) {
        let mut before = std::mem::take(&mut self.pools);
        for pool in pools {
            let is_up = is_up(pool);
            let since = if self.looked.is_some() { uptime } else { Duration::ZERO };
            let mut turns =
                before.remove(&pool.name).unwrap_or(Turns { is_up, since, ..Turns::default() });
            if turns.is_up != is_up {
                turns.down_before = turns.downtime(uptime);
                turns.times_down += u64::from(!is_up);
                turns.is_up = is_up;
                turns.since = uptime;
            }
            self.pools.insert(pool.name.clone(), turns);
        }
    }

    pub(crate) fn rate(&self, key: &Key) -> Rate {
        self.rates.get(key).copied().unwrap_or_default()
    }

    pub(crate) fn turns(&self, pool: &str) -> Turns {
        self.pools.get(pool).copied().unwrap_or_default()
    }

    /// Forgets the most in a second, as `clear counters` does.
    pub(crate) fn forget_maxima(&mut self) {
        for rate in self.rates.values_mut() {
            rate.max = 0;
        }
    }

    /// From now on the rows count from nought; they are as they are in the data plane.
    pub(crate) fn clear(&mut self, rows: &[Row]) {
        let of = |row: &Row| CLEARED.iter().map(|field| row.number(*field).unwrap_or(0)).collect();
        self.cleared = rows.iter().map(|row| (names(row), of(row))).collect();
    }

    /// Takes away what was there when counters were cleared.
    pub(crate) fn count_anew(&self, row: &mut Row) {
        let Some(before) = self.cleared.get(&names(row)) else { return };
        for (field, before) in CLEARED.iter().zip(before) {
            // What is less has begun anew itself: another object of the same name.
            if let Some(left) = row.number(*field).and_then(|now| now.checked_sub(*before)) {
                row.put(*field, left);
            }
        }
    }
}

/// Counters that only grow in the data plane; it resets the others itself.
const CLEARED: &[Field] = &[
    Field::Ereq,
    Field::Dcon,
    Field::Econ,
    Field::Wretr,
    Field::Wredis,
    Field::Chkfail,
    Field::Chkdown,
    Field::CliAbrt,
    Field::SrvAbrt,
    Field::Connect,
];

fn names(row: &Row) -> (String, String) {
    (row.text(Field::Pxname).to_owned(), row.text(Field::Svname).to_owned())
}

fn per_second(count: u64, elapsed: Option<Duration>) -> u32 {
    let Some(elapsed) = elapsed.filter(|elapsed| !elapsed.is_zero()) else { return 0 };
    let rate = u128::from(count) * 1_000_000_000 / elapsed.as_nanos();
    u32::try_from(rate).unwrap_or(u32::MAX)
}

/// Some member takes new clients.
pub(crate) fn is_up(pool: &PoolView) -> bool {
    pool.members.iter().any(super::server::takes_new)
}

/// A watch that several may look at; locked for moments only, and never across an await.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched(Arc<Mutex<Watch>>);

impl Watched {
    pub(crate) fn with<T>(&self, look: impl FnOnce(&Watch) -> T) -> T {
        look(&self.lock())
    }

    pub(crate) fn forget_maxima(&self) {
        self.lock().forget_maxima();
    }

    /// `rows` are asked for with nothing cleared.
    pub(crate) fn clear(&self, rows: impl FnOnce(&Watch) -> Vec<Row>) {
        let mut watch = self.lock();
        watch.cleared.clear();
        let rows = rows(&watch);
        watch.clear(&rows);
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        // Whoever panicked left numbers, and any are good enough to go on from.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks once a second until the task is dropped.
pub(crate) async fn watch(handle: Handle, watched: Watched) {
    let mut ticks = tokio::time::interval(PERIOD);
    // Asked for once: it counts descriptors, which older kernels do one by one.
    let (before, began) = (handle.status().uptime, tokio::time::Instant::now());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (virtuals, pools) = (handle.virtuals(), handle.pools());
        watched.lock().observe(before + began.elapsed(), &virtuals, &pools);
    }
}
