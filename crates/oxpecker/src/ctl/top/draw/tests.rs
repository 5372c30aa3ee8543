//! The dashboard on screens of several sizes.

use oxpecker_api::AdminState;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::ctl::samples;

fn state() -> State {
    let mut members = vec![
        samples::member("hs2", "coord-1.example.com", 21050),
        samples::member("hs2", "coord-2", 21050),
    ];
    members[0].connections.current = 12;
    members[0].connections_max = Some(64);
    members[0].operations = 3;
    members[1].admin_state = AdminState::Draining;
    members[1].reason = "asked for".into();
    State::new(samples::snapshot(members), true)
}

fn drawn(state: &State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| line(y).trim_end().to_owned() + "\n").collect()
}

#[test]
fn eighty_columns_show_everything() {
    let screen = drawn(&state(), 80, 24);
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines[0].starts_with("Oxpecker 0.1.0  lb-1  up 1h 0m  2 members, 2 up"), "{screen}");
    assert!(
        lines[1].starts_with("conns 12 of 4000  new/s 0.0  in/s 0.0  out/s 0.0  sessions 4  ops 3"),
        "{screen}"
    );
    assert!(lines[2].starts_with("Virtual Server"), "{screen}");
    assert!(lines[3].starts_with("hue ") && lines[3].contains("0.0.0.0:21051"), "{screen}");
    let expected =
        "> hs2/coord-1.example.com… up           12/64     0.0    3     0.0     0.0       -";
    let row = lines.iter().find(|line| line.contains("coord-1")).unwrap();
    assert_eq!(
        row.split_whitespace().skip(2).collect::<Vec<_>>(),
        expected.split_whitespace().skip(2).collect::<Vec<_>>(),
        "{screen}"
    );
    assert!(
        lines.iter().any(|line| line.contains("hs2/coord-2:21050") && line.contains("draining")),
        "{screen}"
    );
    assert!(lines[23].starts_with("s sort: name  / filter  d drain"), "{screen}");
}

#[test]
fn help_and_questions_stand_in_the_middle() {
    let mut state = state();
    let press = |state: &mut State, key| {
        let _ = state.key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE));
    };
    press(&mut state, '?');
    let screen = drawn(&state, 80, 24);
    assert!(
        screen.contains("Any key goes back.") && screen.contains("drain it: nothing new"),
        "{screen}"
    );
    press(&mut state, 'z');
    press(&mut state, 'd');
    let screen = drawn(&state, 80, 24);
    assert!(screen.contains("Drain hs2/coord-1.example.com:21050?"), "{screen}");
    assert!(screen.contains("It has 12 connections and 3 operations."), "{screen}");
}

#[test]
fn no_size_is_too_small() {
    let mut state = state();
    for mode in [Mode::Normal, Mode::Help, Mode::Filter(String::new())] {
        state.mode = mode;
        for (width, height) in [(1, 1), (5, 3), (20, 5), (40, 10), (200, 60), (80, 2)] {
            drawn(&state, width, height);
        }
    }
}
