//! The sample of F5's guide, and what differs from it.

use oxpecker_api::{Counts, Health, Traffic};

use super::*;

fn row(kind: &str, name: &str, numbers: [u64; NUMBERS]) -> StatisticsRow {
    let [bits_in, bits_out, packets_in, packets_out, current, maximum, total] = numbers;
    StatisticsRow {
        kind: kind.into(),
        key: name.into(),
        name: name.into(),
        status: "available".into(),
        health: Health::Up,
        reason: String::new(),
        traffic: Traffic { bits_in, bits_out, packets_in, packets_out },
        connections: Counts { current: current as u32, maximum: maximum as u32, total },
    }
}

/// Bits as they must have been for what the guide shows.
fn sample() -> StatisticsTable {
    let rows = vec![
        row("pool", "pool-nightly56-impala-21000", [15_640, 32_720, 22, 18, 0, 1, 1]),
        row("pool", "pool-nightly56-impala-21050", [187_060, 753_560, 258, 190, 1, 5, 5]),
        row("member", "nightly56-2:21050", [7_512, 1_720, 10, 4, 0, 2, 2]),
        row("member", "nightly56-3:21050", [3_744, 896, 5, 2, 0, 1, 1]),
        row("member", "nightly56-4:21050", [175_804, 750_944, 243, 184, 1, 2, 2]),
    ];
    StatisticsTable { of: "pools".into(), rows }
}

const WIDE: Screen = Screen { width: None, colours: false };

#[test]
fn the_guides_sample_is_written_as_f5_writes_it() {
    let expected = [
        "                                                  Bits   Packets              Connections",
        "Status     Pool/Member                      In     Out   In  Out  Current  Maximum  Total",
        "available  pool-nightly56-impala-21000   15.6K   32.7K   22   18        0        1      1",
        "available  pool-nightly56-impala-21050  187.1K  753.6K  258  190        1        5      5",
        "available  -- nightly56-2:21050           7.5K    1.7K   10    4        0        2      2",
        "available  -- nightly56-3:21050           3.7K     896    5    2        0        1      1",
        "available  -- nightly56-4:21050         175.8K  750.9K  243  184        1        2      2",
    ];
    let rendered = render(&sample(), Format::Normalized, false, WIDE);
    assert_eq!(rendered.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn it_fits_eighty_columns() {
    let screen = Screen { width: Some(80), colours: false };
    for line in render(&sample(), Format::Normalized, false, screen).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let mut busy = sample();
    busy.rows = vec![row("member", "nightly56-4:21050", [999_900_000; NUMBERS])];
    let rendered = render(&busy, Format::Normalized, false, screen);
    assert!(rendered.contains(" Cur ") && rendered.contains("999.9M"), "{rendered}");
    for line in rendered.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn numbers_in_full_and_in_bytes() {
    let exact = render(&sample(), Format::Exact, false, WIDE);
    assert!(exact.contains("-- nightly56-4:21050         175804  750944  243  184"), "{exact}");
    let bytes = render(&sample(), Format::Exact, true, WIDE);
    assert!(bytes.contains("Bytes") && bytes.contains(" 21975 "), "{bytes}");
}

#[test]
fn other_objects_have_other_headings() {
    for (of, heading) in [("nodes", "Node"), ("virtuals", "Virtual Server")] {
        let table = StatisticsTable { of: of.into(), rows: vec![row("node", "n", [0; NUMBERS])] };
        let rendered = render(&table, Format::Normalized, false, WIDE);
        assert!(rendered.lines().nth(1).is_some_and(|line| line.contains(heading)), "{rendered}");
    }
}
