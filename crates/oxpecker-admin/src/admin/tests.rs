//! What a panic or an error in the admin side's thread leaves behind.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use tracing::field::{Field, Visit};
use tracing::span;

use super::*;

thread_local! {
    /// Messages of this thread.
    static TOLD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the messages of errors.
struct Listener;

struct Message;

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            TOLD.with_borrow_mut(|told| told.push(format!("{value:?}")));
        }
    }
}

impl tracing::Subscriber for Listener {
    fn enabled(&self, meta: &tracing::Metadata<'_>) -> bool {
        *meta.level() == tracing::Level::ERROR
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Message);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Each letter is what serving comes to: `p`anic, `e`rror, `d`one, `u`nwanted and a panic. Returns
/// how often it was begun, and what was told.
fn keep_up_through(outcomes: &str) -> (usize, Vec<String>) {
    let wanted = Rc::new(Cell::new(true));
    let mut left = outcomes.chars();
    let mut begun = 0;
    let serve = || {
        begun += 1;
        match left.next() {
            Some('d') => Ok(()),
            Some('e') => Err(io::ErrorKind::OutOfMemory.into()),
            outcome => {
                wanted.set(outcome == Some('p'));
                std::panic::resume_unwind(Box::new("on purpose"));
            }
        }
    };
    TOLD.with_borrow_mut(Vec::clear);
    tracing::subscriber::with_default(Listener, || {
        keep_up(serve, || wanted.get(), Duration::ZERO);
    });
    (begun, TOLD.take())
}

#[test]
fn a_panic_is_told_and_the_admin_side_begun_anew() {
    const PANIC: &str = "the admin side panicked, starting it anew";
    const ERROR: &str = "failed to run the admin side";
    let (begun, told) = keep_up_through("ppepd");
    assert_eq!((begun, told), (5, [PANIC, PANIC, ERROR, PANIC].map(str::to_owned).to_vec()));
}

#[test]
fn what_is_not_wanted_any_more_is_not_begun_anew() {
    assert_eq!(keep_up_through("d").0, 1);
    assert_eq!(keep_up_through("pu").0, 2);
}

/// Nothing of the panic gets out of the thread: whoever waits for it is not told of one.
#[test]
fn the_thread_ends_in_peace_after_a_panic() {
    let thread = thread::spawn(|| keep_up_through("pd").0);
    assert_eq!(thread.join().ok(), Some(2));
}
