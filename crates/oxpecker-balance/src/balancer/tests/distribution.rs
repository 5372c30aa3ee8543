//! How evenly 100,000 connections spread (test T7).

use super::*;

const PICKS: usize = 100_000;

/// The tests' own random numbers: xorshift64*, so that a seed means the same everywhere.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 32) as usize % bound
    }
}

/// Picks per member, in the order of the pool, with up to `open_max` connections open at once that
/// close in random order.
fn spread(method: Method, text: &str, open_max: usize) -> Vec<f64> {
    let mut lab = Lab::new(method, text);
    let names: Vec<_> = lab.spec.members.iter().map(|member| member.name.clone()).collect();
    names.iter().for_each(|name| lab.tell(&format!("{name}+")));
    let mut dice = Dice::new(42);
    for number in 0..PICKS {
        lab.request(client(number as u32), false, "").expect("a choice");
        if lab.open.len() >= open_max {
            let index = dice.below(lab.open.len());
            let (member, _) = lab.open.swap_remove(index);
            lab.balancer.release(member, lab.now, None);
        }
    }
    names.iter().map(|name| lab.view(name).total as f64).collect()
}

/// 1 when all are equal, 1/n when one has all.
fn jain(values: &[f64]) -> f64 {
    let sum: f64 = values.iter().sum();
    sum * sum / (values.len() as f64 * values.iter().map(|v| v * v).sum::<f64>())
}

#[test]
fn equal_weights_get_equal_shares() {
    use Method::*;
    for (method, open_max) in [(RoundRobin, 1), (RoundRobin, 300), (LeastConnections, 1)]
        .into_iter()
        .chain([(LeastConnections, 300), (RandomTwo, 300), (SourceHash, 1)])
    {
        let shares = spread(method, "a b c d e", open_max);
        let index = jain(&shares);
        assert!(index >= 0.999, "{method:?}, {open_max} open: {index}, {shares:?}");
        if method == RoundRobin {
            let max = shares.iter().copied().fold(f64::MIN, f64::max);
            let min = shares.iter().copied().fold(f64::MAX, f64::min);
            assert!(max / min <= 1.01, "{shares:?}");
        }
    }
}

#[test]
fn weights_are_met_within_one_percent() {
    use Method::*;
    for (method, open_max) in [(RoundRobin, 1), (LeastConnections, 1), (LeastConnections, 600)] {
        let weights = [1.0, 2.0, 3.0, 10.0];
        let shares = spread(method, "a*1 b*2 c*3 d*10", open_max);
        for (got, weight) in shares.iter().zip(weights) {
            let expected = PICKS as f64 * weight / 16.0;
            let error = (got / expected - 1.0).abs();
            assert!(error <= 0.01, "{method:?}, {open_max} open: {shares:?}");
        }
    }
}

/// Members leave just after their turn, as the poorest: nobody may end up owing or owed.
#[test]
fn rotation_stays_even_while_members_come_and_go() {
    let mut lab = Lab::new(Method::RoundRobin, "a b c d");
    lab.tell("a+ b+ c+ d+");
    for _ in 0..100 {
        let gone = lab.one_by_one(1);
        let rest = ["a", "b", "c", "d"].into_iter().filter(|name| *name != gone);
        lab.reload(&rest.collect::<Vec<_>>().join(" "));
        lab.reload("a b c d");
        lab.tell(&format!("{gone}+"));
    }
    let picks = lab.one_by_one(40);
    for name in ["a", "b", "c", "d"] {
        assert!(picks.matches(name).count().abs_diff(10) <= 1, "{picks}");
    }
}

/// Whoever is drained keeps what it earned or owes, and so do those that go on; that is less than one
/// round, however often it happens. So right after a drain six connections to two members may go 4
/// and 2, but nobody is ever more than two turns off.
#[test]
fn drains_leave_nobody_more_than_two_turns_off() {
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];
    let mut lab = Lab::new(Method::RoundRobin, "a b c d");
    lab.tell("a+ b+ c+ d+");
    let mut dice = Dice::new(7);
    for round in 0..500 {
        let mut left: Vec<_> = NAMES.into_iter().filter(|_| dice.below(2) == 0).collect();
        if left.is_empty() {
            left.push("a");
        }
        for name in NAMES {
            let state = if left.contains(&name) { 'e' } else { 'r' };
            lab.tell(&format!("{name}{state}"));
        }
        // The next change comes anywhere in a round.
        let picks = lab.one_by_one(20 + dice.below(8));
        for (taken, _) in picks.char_indices() {
            let so_far = &picks[..=taken];
            for name in &left {
                let fair = (taken + 1) as f64 / left.len() as f64;
                let off = (so_far.matches(name).count() as f64 - fair).abs();
                assert!(off <= 2.0, "round {round}, {left:?}: {name} is {off:.2} off in {so_far}");
            }
        }
    }
}

/// Without a bound, `a` would pay its one turn at weight 1000 back over a thousand turns.
#[test]
fn reduced_weight_does_not_starve_a_member() {
    let check = |reduce: fn(&mut Lab)| {
        let mut lab = Lab::new(Method::RoundRobin, "a*1000 b*1000");
        lab.tell("a+ b+");
        lab.choose();
        reduce(&mut lab);
        let picks = lab.one_by_one(8);
        assert!(picks.matches('a').count() >= 3, "{picks}");
    };
    check(|lab| lab.reload("a b"));
    check(|lab| {
        for name in ["a", "b"] {
            lab.balancer.set_weight(lab.id(name), 1);
        }
    });
}
