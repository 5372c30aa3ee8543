//! The spool over real directories.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// A directory that goes away with its test.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("oxpecker-spool-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name).join("spool"))
    }

    fn open(&self, bytes_max: u64) -> Spool {
        Spool::open(&self.0, MINUTE, bytes_max).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != LOCK)
            .collect();
        names.sort();
        names
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.parent().unwrap());
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[track_caller]
fn append(spool: &mut Spool, lines: &str, now: &str) -> Lost {
    let (taken, lost, result) = spool.append(lines.as_bytes(), at(now));
    result.unwrap();
    assert_eq!(taken, lines.len());
    lost
}

/// Delivers everything and returns it.
fn deliver(spool: &mut Spool) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(file) = spool.next() {
        all.push(fs::read_to_string(&file.path).unwrap());
        spool.delivered(&file);
    }
    all
}

#[test]
fn a_file_ends_with_its_interval() {
    let dir = Dir::new();
    let mut spool = dir.open(1 << 20);
    append(&mut spool, "a\n", "2026-11-21T08:00:10Z");
    append(&mut spool, "b\n", "2026-11-21T08:00:59.9Z");
    assert_eq!(spool.due_in(at("2026-11-21T08:00:10Z")), Some(Duration::from_secs(50)));
    assert!(spool.next().is_none(), "it is still being written");
    append(&mut spool, "c\n", "2026-11-21T08:01:00Z");
    assert_eq!(spool.held(), (2, 6));
    spool.close_due(at("2026-11-21T08:01:59Z"));
    assert_eq!(deliver(&mut spool), ["a\nb\n"]);
    spool.close_due(at("2026-11-21T08:02:00Z"));
    assert_eq!(deliver(&mut spool), ["c\n"]);
    assert_eq!(spool.held(), (0, 0));
    assert!(dir.names().is_empty());
}

/// Otherwise its file would stay open for as long as the clock went back.
#[test]
fn a_clock_that_is_set_back_ends_the_file() {
    let dir = Dir::new();
    let mut spool = dir.open(1 << 20);
    append(&mut spool, "a\n", "2026-11-21T08:00:10Z");
    append(&mut spool, "b\n", "2026-11-21T07:00:10Z");
    spool.close();
    let mut all = deliver(&mut spool);
    all.sort();
    assert_eq!(all, ["a\n", "b\n"]);
}

#[test]
fn what_another_process_left_is_taken_up() {
    let dir = Dir::new();
    let mut spool = dir.open(1 << 20);
    append(&mut spool, "a\n", "2026-11-21T08:00:10Z");
    append(&mut spool, "b\nc\n", "2026-11-21T08:01:10Z");
    // As after kill -9 in the middle of a write.
    drop(spool);
    let open = dir.names().into_iter().find(|name| name.ends_with(".open")).unwrap();
    let mut file = OpenOptions::new().append(true).open(dir.0.join(open)).unwrap();
    file.write_all(b"half a li").unwrap();
    fs::write(dir.0.join("README"), "not ours").unwrap();
    let mut spool = dir.open(1 << 20);
    assert_eq!(spool.held(), (2, 6));
    assert_eq!(deliver(&mut spool), ["a\n", "b\nc\n"]);
    assert_eq!(dir.names(), ["README"]);
}

#[test]
fn an_unfinished_first_line_leaves_nothing() {
    let dir = Dir::new();
    drop(dir.open(1 << 20));
    fs::write(dir.0.join("20261121T0801Z_mi6b1xyz4f2k.open"), vec![b'x'; 10_000]).unwrap();
    let mut spool = dir.open(1 << 20);
    assert!(spool.next().is_none());
    assert!(dir.names().is_empty());
}

#[test]
fn a_spool_has_one_owner() {
    let dir = Dir::new();
    let first = dir.open(1 << 20);
    let error = Spool::open(&dir.0, MINUTE, 1 << 20).unwrap_err();
    assert!(matches!(error, SpoolError::InUse { .. }), "{error}");
    drop(first);
    dir.open(1 << 20);
}

#[test]
fn the_oldest_goes_when_there_is_no_room() {
    let dir = Dir::new();
    let bytes_max = 64 << 10;
    let mut spool = dir.open(bytes_max);
    let line = |n: u32| format!("{n:>99}\n");
    let mut lost = Lost::default();
    for n in 0..2000 {
        let gone = append(&mut spool, &line(n), "2026-11-21T08:00:10Z");
        lost.files += gone.files;
        lost.records += gone.records;
        assert!(spool.held().1 <= bytes_max);
    }
    spool.close();
    let kept = deliver(&mut spool).concat();
    let expected: String = (lost.records as u32..2000).map(line).collect();
    assert!(lost.files > 1 && kept == expected, "{lost:?}, {} bytes kept", kept.len());
    // A file is not so large that losing one loses all.
    assert!(kept.len() as u64 > bytes_max / 2);
}

#[test]
fn the_bound_holds_over_a_restart_and_spares_what_is_on_its_way() {
    let dir = Dir::new();
    let mut spool = dir.open(1 << 20);
    for minute in 0..8 {
        let now = format!("2026-11-21T08:0{minute}:10Z");
        append(&mut spool, &format!("{minute}{}\n", "x".repeat(15_000)), &now);
    }
    drop(spool);
    let mut spool = dir.open(64 << 10);
    let on_its_way = spool.next().unwrap();
    let lost = append(&mut spool, "new\n", "2026-11-21T08:09:10Z");
    assert_eq!((lost.files, lost.records), (4, 4));
    assert!(on_its_way.path.exists());
    spool.delivered(&on_its_way);
    spool.close();
    let firsts: Vec<String> = deliver(&mut spool).iter().map(|text| text[..1].to_owned()).collect();
    assert_eq!(firsts, ["5", "6", "7", "n"]);
}

/// A batch may be longer than a file, and a line, too.
#[test]
fn long_batches_are_split_at_lines() {
    let dir = Dir::new();
    let mut spool = dir.open(1 << 20);
    let line = format!("{}\n", "y".repeat(100_000));
    let long = format!("{}\n", "z".repeat(300_000));
    let batch = [&*line, &line, &line, &long, "end\n"].concat();
    append(&mut spool, &batch, "2026-11-21T08:00:10Z");
    spool.close();
    let files = deliver(&mut spool);
    assert_eq!(files.concat(), batch);
    assert!(files.len() > 2 && files.iter().all(|file| file.ends_with('\n')));
}
