//! Keys and what they come to.

use std::time::Duration;

use oxpecker_api::Probe;

use super::*;
use crate::ctl::samples;

fn state() -> State {
    let mut members = vec![
        samples::member("hs2", "coord-1", 21050),
        samples::member("hs2", "coord-2", 21050),
        samples::member("beeswax", "coord-1", 21000),
    ];
    members[1].connections.current = 5;
    members[1].health = Health::Down;
    members[2].probe = Some(Probe {
        kind: "tcp".into(),
        passed: 1,
        failed: 0,
        last: None,
        last_seconds: Some(0.5),
        last_result: "passed".into(),
        version: None,
        webserver_address: None,
    });
    State::new(samples::snapshot(members), false)
}

fn press(state: &mut State, keys: &str) -> Option<Effect> {
    let mut effect = None;
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            '\u{8}' => KeyCode::Backspace,
            key => KeyCode::Char(key),
        };
        effect = state.key(KeyEvent::new(code, KeyModifiers::NONE));
    }
    effect
}

fn names(state: &State) -> Vec<String> {
    state.rows().into_iter().map(find::full_name).collect()
}

#[test]
fn sorting_goes_round_and_back() {
    let mut state = state();
    let by_name = ["beeswax/coord-1:21000", "hs2/coord-1:21050", "hs2/coord-2:21050"];
    assert_eq!(names(&state), by_name);
    for (sort, first) in [
        (Sort::Health, "hs2/coord-2:21050"),
        (Sort::Connections, "hs2/coord-2:21050"),
        (Sort::Opened, "beeswax/coord-1:21000"),
        (Sort::Operations, "beeswax/coord-1:21000"),
        (Sort::In, "beeswax/coord-1:21000"),
        (Sort::Out, "beeswax/coord-1:21000"),
        (Sort::Probe, "beeswax/coord-1:21000"),
        (Sort::Name, "beeswax/coord-1:21000"),
    ] {
        press(&mut state, "s");
        assert_eq!((state.sort, names(&state)[0].as_str()), (sort, first));
    }
    press(&mut state, "r");
    assert_eq!(names(&state)[0], "hs2/coord-2:21050");
}

#[test]
fn a_filter_is_typed_kept_undone_and_cleared() {
    let mut state = state();
    press(&mut state, "/COORD-12\u{8}\n");
    assert_eq!((state.filter.as_str(), names(&state).len()), ("COORD-1", 2));
    press(&mut state, "/zzz");
    assert_eq!(names(&state).len(), 0);
    // Nothing is chosen, so nothing can be asked for.
    assert_eq!(press(&mut state, "\n"), None);
    press(&mut state, "jd");
    assert_eq!(state.mode, Mode::Normal);
    press(&mut state, "/\u{1b}");
    assert_eq!(state.filter, "COORD-1zzz");
    press(&mut state, "\u{1b}");
    assert_eq!(names(&state).len(), 3);
}

/// `q` in a filter is a letter, and nothing is done without a yes.
#[test]
fn orders_want_a_yes() {
    let mut state = state();
    assert_eq!(press(&mut state, "jd"), None);
    let order =
        Order { pool: "hs2".into(), member: "coord-1:21050".into(), state: AdminState::Draining };
    assert_eq!(state.mode, Mode::Confirm(order.clone()));
    assert_eq!(press(&mut state, "z"), None);
    assert_eq!(press(&mut state, "n"), None);
    assert_eq!(state.mode, Mode::Normal);
    assert_eq!(press(&mut state, "dy"), Some(Effect::Order(order)));
    assert_eq!(press(&mut state, "e"), None);
    assert_eq!(state.message, "hs2/coord-1:21050 is enabled already");
    assert_eq!(press(&mut state, "/q"), None);
    assert_eq!(press(&mut state, "\nq"), Some(Effect::Quit));
}

/// The cursor is on a member, not on a line.
#[test]
fn the_cursor_stays_on_its_member() {
    let mut state = state();
    press(&mut state, "jj");
    assert_eq!(state.selected(&state.rows()), Some(2));
    press(&mut state, "ss");
    assert_eq!(state.selected(&state.rows()), Some(0));
    let gone = state.snapshot.members.remove(1);
    assert_eq!(
        (find::full_name(&gone).as_str(), state.selected(&state.rows())),
        ("hs2/coord-2:21050", Some(0))
    );
    state.snapshot.members.clear();
    assert_eq!(state.selected(&state.rows()), None);
}

#[test]
fn rates_are_those_between_two_looks() {
    let mut state = state();
    let mut later = state.snapshot.clone();
    later.at += Duration::from_secs(2);
    later.members[0].connections.total = 10;
    later.members[0].traffic.bits_out = 4000;
    state.report(Report::Away("nobody".into()));
    assert!(state.away.is_some());
    state.report(Report::Looked(Box::new(later)));
    assert!(state.away.is_none());
    let rates = state.rates_of(&state.snapshot.members[0]);
    assert_eq!(rates, Rates { connections: 5.0, bits_in: 0.0, bits_out: 2000.0 });
}
