//! A terminal with a screen that can be read, and modes that can be looked at.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oxpecker_testkit::clients;
use oxpecker_testkit::wait::wait_for;
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use vt100::Parser;

/// A program in a terminal of its own.
pub(super) struct Tty {
    child: Child,
    keyboard: File,
    /// The program's side, kept open so that its modes can be read afterwards.
    inner: File,
    screen: Arc<Mutex<Parser>>,
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Tty {
    #[track_caller]
    pub(super) fn start(command: &Command, columns: u16, rows: u16) -> Self {
        let (keyboard, inner) = clients::terminal();
        tcsetwinsize(&inner, size(columns, rows)).unwrap();
        // It makes the terminal the controlling one of a new session, then becomes the program.
        let mut program = Command::new("setsid");
        program.arg("--ctty").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => program.env(name, value),
                None => program.env_remove(name),
            };
        }
        let child = program
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .stdin(inner.try_clone().unwrap())
            .stdout(inner.try_clone().unwrap())
            .stderr(inner.try_clone().unwrap())
            .spawn()
            .unwrap();
        let screen = Arc::new(Mutex::new(Parser::new(rows, columns, 0)));
        let (mut from, drawn) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                drawn.lock().unwrap().process(&buffer[..n]);
            }
        });
        Self { child, keyboard, inner, screen }
    }

    #[track_caller]
    pub(super) fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    pub(super) fn resize(&self, columns: u16, rows: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(rows, columns);
        tcsetwinsize(&self.inner, size(columns, rows)).unwrap();
    }

    pub(super) fn contents(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Waits until the screen is as it should be, and returns it.
    #[track_caller]
    pub(super) fn wait(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for(what, || {
                last = self.contents();
                is_so(&last).then_some(())
            });
        }));
        assert!(found.is_ok(), "not so: {what}; the screen:\n{last}");
        last
    }

    #[track_caller]
    pub(super) fn wait_text(&self, text: &str) -> String {
        self.wait(&format!("`{text}` is shown"), |screen| screen.contains(text))
    }

    #[track_caller]
    pub(super) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    #[track_caller]
    pub(super) fn wait_exit(&mut self) -> ExitStatus {
        wait_for("the program ends", || self.child.try_wait().unwrap())
    }

    /// As a shell wants it: lines, echo, its own screen, a cursor.
    #[track_caller]
    pub(super) fn check_restored(&self) {
        let modes = tcgetattr(&self.inner).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO), "{modes:?}");
        let is_own = || {
            let parser = self.screen.lock().unwrap();
            !parser.screen().alternate_screen() && !parser.screen().hide_cursor()
        };
        wait_for("its last words have arrived", || is_own().then_some(()));
    }

    pub(super) fn is_raw(&self) -> bool {
        let modes = tcgetattr(&self.inner).unwrap().local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
