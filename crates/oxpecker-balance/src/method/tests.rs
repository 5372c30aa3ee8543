//! Each method on candidates written as text; sequences of picks as strings.

use super::*;

/// `a:2*3` is a member `a` with load 2 and weight 3; both default to 0 and 1.
fn candidates(text: &str) -> Vec<Candidate> {
    let parse = |(slot, text): (usize, &str)| {
        let (text, weight) = text.split_once('*').unwrap_or((text, "1"));
        let (name, load) = text.split_once(':').unwrap_or((text, "0"));
        let weight: u16 = weight.parse().expect("a weight");
        Candidate {
            slot,
            weight,
            effective_weight: u32::from(weight) * crate::slow_start::WEIGHT_SCALE,
            load: load.parse().expect("a load"),
            name_hash: crate::hash::hash_name(name),
            credit: 0,
        }
    };
    text.split_whitespace().enumerate().map(parse).collect()
}

fn letter(index: usize) -> char {
    (b'a' + index as u8) as char
}

/// Picks as often as `expected` is long; `counting` says whether picks add to the load.
#[track_caller]
fn check_picks(method: Method, members: &str, counting: bool, expected: &str) {
    let mut candidates = candidates(members);
    let mut random = Random::new(1);
    let mut got = String::new();
    for _ in expected.chars() {
        let client = IpAddr::from([10, 0, 0, 1]);
        let index = pick(method, &mut candidates, client, &mut random).expect("a pick");
        candidates[index].load += u32::from(counting);
        got.push(letter(index));
    }
    assert_eq!(got, expected, "{method:?} of {members}");
}

#[test]
fn nobody_is_picked_from_nobody() {
    use Method::*;
    for method in [RoundRobin, LeastConnections, SourceHash, RandomTwo] {
        let client = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(pick(method, &mut [], client, &mut Random::new(1)), None);
    }
}

#[test]
fn round_robin_interleaves_weights() {
    let check = |members, expected| check_picks(Method::RoundRobin, members, false, expected);
    check("a b c", "abcabcabc");
    check("a*5 b c", "aabacaaaabacaa");
    check("a*2 b*4", "babbab");
    check("a", "aaa");
}

#[test]
fn least_connections_compares_load_for_weight() {
    let check = |members, expected| check_picks(Method::LeastConnections, members, true, expected);
    check("a:3 b:1 c:2", "bbccab");
    // The last of a round won it without a rival, and so is first in the next.
    check("a b c", "abccba");
    check("a:2*2 b:2*3", "b");
    check("a:4000000000*65535 b:4000000000*65534", "a"); // no product overflows
}

#[test]
fn ties_of_least_connections_go_round_by_weight() {
    let check = |members, expected| check_picks(Method::LeastConnections, members, false, expected);
    check("a b c", "abcabc");
    check("a:1 b c", "bcbcbc");
    check("a*2 b", "abaaba");
}

#[test]
fn random_two_takes_the_lighter_of_two() {
    let mut random = Random::new(7);
    let mut members = candidates("a:9 b:5 c:1 d:5");
    let mut picks = [0u32; 4];
    for _ in 0..60_000 {
        let client = IpAddr::from([10, 0, 0, 1]);
        picks[pick(Method::RandomTwo, &mut members, client, &mut random).expect("a pick")] += 1;
    }
    // Of the six pairs `a` wins none and `c` its three; `b` and `d` beat `a` and share their own.
    assert_eq!(picks[0], 0);
    for (index, expected) in [(1, 15_000), (2, 30_000), (3, 15_000)] {
        assert!(picks[index].abs_diff(expected) < 600, "{picks:?}");
    }
}

/// Winners of `sources` sources among the members given by name and weight.
fn winners(members: &[(&str, u16)], sources: u32) -> Vec<String> {
    let text: Vec<_> = members.iter().map(|(name, weight)| format!("{name}*{weight}")).collect();
    let mut candidates = candidates(&text.join(" "));
    let winner = |source: u32| {
        let client = IpAddr::from((0x0a00_0000 + source).to_be_bytes());
        let index = pick(Method::SourceHash, &mut candidates, client, &mut Random::new(0));
        members[index.expect("a pick")].0.to_owned()
    };
    (0..sources).map(winner).collect()
}

/// Loses each member in turn; `members` by name and weight.
#[track_caller]
fn check_only_lost_sources_move(members: &[(&str, u16)], sources: u32) {
    let before = winners(members, sources);
    for (index, (lost, _)) in members.iter().enumerate() {
        let mut rest = members.to_vec();
        rest.remove(index);
        rest.reverse(); // the order in the file must not matter
        for (before, after) in before.iter().zip(winners(&rest, sources)) {
            assert!(*before == after || before == lost, "from {before} to {after}");
        }
    }
    assert_eq!(winners(members, sources), before);
}

#[test]
fn source_hash_moves_only_the_lost_members_sources() {
    let even = [("coord-1", 1), ("coord-2", 1), ("coord-3", 1), ("coord-4", 1), ("coord-5", 1)];
    check_only_lost_sources_move(&even, 40);
    check_only_lost_sources_move(&even, 10_000);
}

proptest::proptest! {
    #[test]
    fn source_hash_moves_only_lost_sources_under_any_weights(weights: [u16; 4]) {
        let weight = |index: usize| weights[index].max(1);
        let members = [("a", weight(0)), ("b", weight(1)), ("c", weight(2)), ("d", weight(3))];
        check_only_lost_sources_move(&members, 100);
    }
}

#[test]
fn source_hash_spreads_by_weight() {
    for members in [[("a", 1), ("b", 1), ("c", 1)], [("a", 1), ("b", 2), ("c", 7)]] {
        let winners = winners(&members, 10_000);
        let total: u16 = members.iter().map(|(_, weight)| weight).sum();
        for (name, weight) in members {
            let got = winners.iter().filter(|winner| *winner == name).count();
            let expected = 10_000 * usize::from(weight) / usize::from(total);
            // Four standard deviations of a fair draw are below 200 of 10,000.
            assert!(got.abs_diff(expected) < 200, "{name}: {got}, not {expected}");
        }
    }
}

/// A source on the same member on every replica and in every version, or an upgrade moves clients.
#[test]
fn source_hash_is_the_same_in_every_version() {
    let even = winners(&[("a", 1), ("b", 1), ("c", 1)], 24).concat();
    let uneven = winners(&[("a", 1), ("b", 2), ("c", 3)], 24).concat();
    // From a second implementation with floating-point logarithms, in Python.
    assert_eq!(even, "bcbacbacabcacbbbbbcbaccb");
    assert_eq!(uneven, "bcbccbbccbcbcccbbbcbaccb");
}
