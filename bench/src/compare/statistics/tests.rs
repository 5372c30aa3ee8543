//! Medians of few values, and ratios that never pair two rounds.

use super::*;

fn outcome(peer: Peer, round: usize, cost: Result<f64, String>) -> Outcome {
    let result = cost.map(|cost| Sample {
        cost: Some(cost),
        whole: 0.0,
        rate: 0.0,
        p50: 0.0,
        p99: 0.0,
        p999: 0.0,
        foreign: 0.0,
        spliced: None,
    });
    Outcome { work: Work::Stream, peer, round, result }
}

#[test]
fn spread_of_few_values() {
    assert_eq!(Spread::of([]), None);
    assert_eq!(Spread::of([3.0]), Some(Spread { median: 3.0, min: 3.0, max: 3.0 }));
    assert_eq!(Spread::of([3.0, 1.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
    assert_eq!(Spread::of([9.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 9.0 }));
}

#[test]
fn ratios_are_formed_inside_a_round() {
    let outcomes = [
        outcome(Peer::Haproxy, 0, Ok(1.0)),
        outcome(Peer::Oxpecker, 0, Ok(2.0)),
        outcome(Peer::Oxpecker, 1, Ok(100.0)),
        outcome(Peer::Haproxy, 1, Err("no bytes in the window".to_owned())),
        outcome(Peer::Oxpecker, 2, Ok(40.0)),
        outcome(Peer::Haproxy, 2, Ok(10.0)),
    ];
    let expected = Some(Spread { median: 3.0, min: 2.0, max: 4.0 });
    assert_eq!(ratio(&outcomes, Work::Stream, Peer::Oxpecker, Peer::Haproxy), expected);
    assert_eq!(ratio(&outcomes, Work::Stream, Peer::Oxpecker, Peer::Nginx), None);
}
