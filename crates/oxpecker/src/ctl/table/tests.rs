//! What is shown at which width.

use super::*;

fn example() -> Table {
    let columns =
        vec![text("Member"), text("Health"), number("Connections").rank(1), text("Since").rank(2)];
    let mut table = Table::new(columns).with_remarks("Reason");
    table.row([
        "hs2/coord-1:21050".into(),
        Cell::new("up", Tone::Good),
        "12".into(),
        "3h 4m".into(),
    ]);
    table.row_with(
        ["hs2/coord-2:21050".into(), Cell::new("down", Tone::Bad), "0".into(), "4 s".into()],
        "failed to connect: Connection refused",
    );
    table
}

#[track_caller]
fn check(width: Option<usize>, expected: &[&str]) {
    let rendered = example().render(Screen { width, colours: false });
    assert_eq!(rendered.lines().collect::<Vec<_>>(), expected);
    for line in rendered.lines() {
        assert!(width.is_none_or(|width| line.chars().count() <= width), "{line}");
    }
}

#[test]
fn without_a_terminal_lines_are_as_long_as_they_get() {
    check(
        None,
        &[
            "Member             Health  Connections  Since  Reason",
            "hs2/coord-1:21050  up               12  3h 4m",
            "hs2/coord-2:21050  down              0  4 s    failed to connect: Connection refused",
        ],
    );
}

#[test]
fn a_remark_without_room_stands_below() {
    check(
        Some(60),
        &[
            "Member             Health  Connections  Since",
            "hs2/coord-1:21050  up               12  3h 4m",
            "hs2/coord-2:21050  down              0  4 s",
            "    failed to connect: Connection refused",
        ],
    );
}

#[test]
fn columns_leave_by_rank_and_names_stay() {
    check(
        Some(40),
        &[
            "Member             Health  Connections",
            "hs2/coord-1:21050  up               12",
            "hs2/coord-2:21050  down              0",
            "    failed to connect: Connection",
            "    refused",
        ],
    );
    let narrow = example().render(Screen { width: Some(10), colours: false });
    assert!(narrow.starts_with("Member             Health\n"), "{narrow}");
}

#[test]
fn colours_are_around_the_words_only() {
    let painted = example().render(Screen { width: Some(100), colours: true });
    assert!(painted.contains("hs2/coord-1:21050  \x1b[32mup\x1b[0m               12"), "{painted}");
}
