//! From lines to files in a directory, and what the status says on the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::*;
use crate::settings::{Layout, Naming, StoreSettings};
use crate::status::Status;

/// Only a bug waits so long.
const DEADLINE: Duration = Duration::from_secs(20);

fn settings(home: &Path) -> Settings {
    Settings {
        store: StoreSettings::Directory(home.join("store")),
        naming: Naming {
            layout: Layout::Flat,
            prefix: None,
            name: "lb".into(),
            account: "0".into(),
            region: "r".into(),
            host: "h".into(),
        },
        interval: Duration::from_secs(24 * 3600),
        spool: home.join("spool"),
        spool_bytes_max: 64 << 10,
    }
}

/// A directory of the test; what an earlier run left goes.
fn home(name: &str) -> PathBuf {
    let home =
        std::env::temp_dir().join(format!("oxpecker-delivery-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).unwrap();
    home
}

#[track_caller]
fn wait(watch: &Watch, is_so: impl Fn(&Status) -> bool) -> Status {
    let until = Instant::now() + DEADLINE;
    loop {
        let status = watch.status();
        if is_so(&status) {
            return status;
        }
        assert!(Instant::now() < until, "{status:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn delivered(home: &Path) -> String {
    let files = fs::read_dir(home.join("store")).unwrap();
    let mut paths: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn the_status_tells_of_waiting_failing_and_delivering() {
    let home = home("status");
    let (mut delivery, mut recorder) = Delivery::new(true);
    let watch = delivery.watch();
    assert_eq!(watch.status(), Status::default());
    // Before there is a spool lines wait in memory.
    recorder.record("early");
    recorder.flush();
    let prepared = delivery.prepare(Some(settings(&home))).unwrap();
    delivery.install(prepared);
    recorder.record("late");
    recorder.flush();
    let status = watch.status();
    assert!(status.enabled && !status.failing);
    assert_eq!((status.spool_files, status.spool_bytes), (1, 11));

    // There is no directory yet.
    let other = Settings { spool_bytes_max: 128 << 10, ..settings(&home) };
    let prepared = delivery.prepare(Some(other)).unwrap();
    delivery.install(prepared);
    let status = wait(&watch, |status| status.failing);
    let text = status.last_failure.unwrap().text;
    assert!(text.starts_with("there is no directory") && text.ends_with("store"), "{text}");
    assert_eq!((status.files_shipped, status.last_success), (0, None));
    fs::create_dir(home.join("store")).unwrap();
    let status = wait(&watch, |status| status.files_shipped == 1);
    assert!(!status.failing && status.last_success.is_some());
    assert_eq!((status.bytes_shipped, status.spool_files, status.records_lost), (11, 0, 0));

    recorder.record("last");
    recorder.flush();
    delivery.stop(DEADLINE);
    assert_eq!(watch.status().files_shipped, 2);
    assert_eq!(delivered(&home), "early\nlate\nlast\n");
    let _ = fs::remove_dir_all(home);
}

/// The disk refuses: the newest lines stay, and the others are counted.
#[test]
fn lines_wait_in_memory_while_the_disk_refuses_and_are_bounded() {
    let home = home("refused");
    fs::create_dir(home.join("store")).unwrap();
    let (mut delivery, mut recorder) = Delivery::new(true);
    let big = Settings { spool_bytes_max: 1 << 30, ..settings(&home) };
    let prepared = delivery.prepare(Some(big)).unwrap();
    delivery.install(prepared);
    fs::remove_dir_all(home.join("spool")).unwrap();
    let line = |n: u64| format!("{n:>99}");
    (0..20_000).for_each(|n| recorder.record(&line(n)));
    recorder.flush();
    let lost = delivery.watch().status().records_lost;
    assert!(lost > 0 && recorder.buffer.len() <= BUFFER_BYTES_MAX, "{lost}");
    fs::create_dir(home.join("spool")).unwrap();
    recorder.flush();
    assert!(recorder.buffer.is_empty());
    delivery.stop(DEADLINE);
    let expected: String = (lost..20_000).map(|n| line(n) + "\n").collect();
    assert!(delivered(&home) == expected);
    let _ = fs::remove_dir_all(home);
}

#[test]
fn nothing_is_kept_when_nothing_is_wanted() {
    let (delivery, mut recorder) = Delivery::new(false);
    recorder.record("x");
    recorder.flush();
    assert!(recorder.buffer.is_empty() && !delivery.watch().status().enabled);
}
