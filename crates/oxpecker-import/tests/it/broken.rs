//! Every sample, broken in many ways: never a panic, always a located message, in bounded time.

use std::fmt::Write;
use std::time::{Duration, Instant};

use oxpecker_config::{Input, Maps};
use oxpecker_import::{Format, Import, Verdict, import};
use proptest::prelude::*;

use crate::same::FORMATS;
use crate::{haproxy, read, samples, told};

/// Long enough for a busy machine, and far from what growth by the square would take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whatever is said has a place in the text.
#[track_caller]
fn located(format: Format, text: &str) -> Import {
    let imported = read(format, "input", text);
    let plain = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<usize> = plain.split('\n').map(|line| line.chars().count()).collect();
    for entry in &imported.report.entries {
        let at = &entry.at;
        let shown = || format!("{entry:?} in {text}");
        assert_eq!(at.file, "input", "{}", shown());
        assert!((1..=lines.len()).contains(&at.line), "{}", shown());
        assert!((1..=lines[at.line - 1] + 1).contains(&at.column), "{}", shown());
        assert!(entry.verdict == Verdict::Kept || !at.message.is_empty(), "{}", shown());
    }
    if imported.checked().is_none() {
        assert!(imported.report.count(Verdict::Refused) > 0, "refused without a word: {text}");
    }
    imported
}

/// Every place of a text, or with `MUTATE` unset every few.
fn places(text: &str, every: usize) -> impl Iterator<Item = usize> {
    let every = if std::env::var_os("MUTATE").is_some() { 1 } else { every };
    text.char_indices().map(|(at, _)| at).step_by(every)
}

#[test]
fn without_any_one_line_or_with_it_twice() {
    for (format, extension) in FORMATS {
        for (_, text) in samples(extension) {
            let lines: Vec<&str> = text.lines().collect();
            for number in 0..lines.len() {
                let rest = [&lines[..number], &lines[number + 1..]].concat();
                located(*format, &rest.join("\n"));
                let twice = [&lines[..=number], &lines[number..]].concat();
                located(*format, &twice.join("\n"));
            }
        }
    }
}

#[test]
fn cut_anywhere() {
    for (format, extension) in FORMATS {
        for (_, text) in samples(extension) {
            for at in places(&text, 41) {
                located(*format, &text[..at]);
            }
        }
    }
}

#[test]
fn with_garbage_put_in_anywhere() {
    let garbage = [
        "\"",
        "'",
        "\\",
        "$",
        "{",
        "}",
        "[",
        ",",
        ":",
        "\n",
        "#",
        "-1",
        "\0",
        "ä",
        "99999999999999999999",
        "\t",
    ];
    for (format, extension) in FORMATS {
        for (_, text) in samples(extension) {
            for (number, at) in places(&text, 19).enumerate() {
                let garbage = garbage[number % garbage.len()];
                located(*format, &format!("{}{garbage}{}", &text[..at], &text[at..]));
            }
        }
    }
}

/// Lines that end as Windows ends them, and a mark in front, mean the same.
#[test]
fn carriage_returns_and_a_byte_order_mark() {
    for (format, extension) in FORMATS {
        for (name, text) in samples(extension) {
            let plain = read(*format, &name, &text);
            let changed = format!("\u{feff}{}", text.replace('\n', "\r\n"));
            let changed = read(*format, &name, &changed);
            let config = |imported: &Import| imported.checked().map(|c| c.config.clone());
            assert!(config(&plain).is_some(), "{name}");
            assert_eq!(config(&plain), config(&changed), "{name}");
            let at = |imported: &Import| {
                imported.report.entries.iter().map(|e| (e.at.line, e.at.column)).collect::<Vec<_>>()
            };
            assert_eq!(at(&plain), at(&changed), "{name}");
        }
    }
}

/// A program, an archive, a picture: whatever `from_utf8_lossy` leaves of it.
#[test]
fn binary_input() {
    let bytes: Vec<u8> =
        (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let text = String::from_utf8_lossy(&bytes);
    for (format, _) in FORMATS {
        let imported = located(*format, &text);
        assert!(imported.checked().is_none());
        assert!(imported.report.entries.len() < 5000, "{}", imported.report.entries.len());
    }
}

#[track_caller]
fn in_time<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    assert!(start.elapsed() < PATIENCE, "{what} took {:?}", start.elapsed());
    result
}

#[test]
fn too_much_is_refused_with_a_word() {
    let huge = "#".repeat(17 << 20);
    for (format, _) in FORMATS {
        let imported = in_time("17 MiB", || {
            import(*format, &[Input::new("x", huge.as_str())], &Maps::default())
        });
        assert!(told(&imported)[0].contains("longer than 16 MiB"), "{:?}", told(&imported));
    }
}

/// Ten thousand servers are read; more are too many.
#[test]
fn many_servers() {
    let text = |count: usize| {
        let mut text = "defaults\n mode tcp\nlisten l\n bind 127.0.0.1:1\n".to_owned();
        for number in 0..count {
            let _ = writeln!(
                text,
                " server s{number} 10.{}.{}.{}:21050 check",
                number >> 16,
                number >> 8 & 255,
                number & 255
            );
        }
        text
    };
    let imported =
        in_time("9,000 servers", || haproxy(&text(9_000).replace("10.0.0.0", "10.9.9.9")));
    assert_eq!(
        imported.checked().unwrap().config.pools[0].members.len(),
        9_000,
        "{:?}",
        told(&imported)
    );
    let imported = in_time("100,000 servers", || haproxy(&text(100_000)));
    assert!(told(&imported).iter().any(|line| line.contains("more than 10000 servers")));
}

/// Lists of lists: what a megabyte or two can ask for.
#[test]
fn products_are_bounded() {
    let refused = |what: &str, format: Format, text: &str| {
        let imported = in_time(what, || read(format, "input", text));
        let told = told(&imported);
        let words = ["too large", "more than 10000"];
        let is_told = told.iter().any(|line| words.iter().any(|words| line.contains(words)));
        assert!(
            imported.checked().is_none() && is_told,
            "{what}: {:?}",
            &told[..told.len().min(5)]
        );
    };
    let front = "defaults\n mode tcp\nbackend b\n server s 10.0.0.1:1\nfrontend f\n";
    let binds = " bind 10.0.0.1:1-1000,10.0.0.2:1-1000\n".repeat(20_000);
    refused("many addresses", Format::Haproxy, &format!("{front}{binds} default_backend b\n"));
    let names = "acl n req.ssl_sni a.example.com\n".repeat(5_000);
    let uses = "use_backend b if n\n".repeat(5_000);
    refused(
        "names by rules",
        Format::Haproxy,
        &format!("{front} bind :1-1000\n{names}{uses} default_backend b\n"),
    );
    let logs = "log 127.0.0.1 local0\n".repeat(20_000);
    let listens = (0..5_000).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "backend b{number}\n server s 10.0.0.1:1");
        text
    });
    refused("targets of logs by heirs", Format::Haproxy, &format!("defaults\n{logs}{listens}"));
    let members = (0..50_000).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "/Common/10.{}.{}.1:21050 {{ }}", number >> 8, number & 255);
        text
    });
    let virtuals = "ltm virtual v { destination 10.0.0.1:1 pool p profiles { fastL4 } }\n";
    refused(
        "members",
        Format::Bigip,
        &format!("ltm pool p {{\n members {{\n{members}\n}}\n}}\n{virtuals}"),
    );
    let instances = "{\"InstanceId\": \"10.0.0.1\"},".repeat(20_000);
    let text = format!(
        "{{\"LoadBalancerDescriptions\": [{{\"LoadBalancerName\": \"x\", \"Instances\": [{}], \
         \"ListenerDescriptions\": [{{\"Listener\": {{\"Protocol\": \"TCP\", \"LoadBalancerPort\": 1, \
         \"InstancePort\": 1}}}}]}}]}}",
        instances.trim_end_matches(',')
    );
    refused("instances", Format::Elb, &text);
}

/// Each line wrong in its own way, and each section of the same name.
#[test]
fn many_problems_are_counted_and_not_all_shown() {
    let lines: String = (0..200_000).map(|number| format!(" nonsense{number}\n")).collect();
    let imported = in_time("200,000 problems", || haproxy(&format!("listen l\n{lines}")));
    assert!(imported.report.entries.len() < 5_000, "{}", imported.report.entries.len());
    let sections = "listen same\n bind :1\n server s 10.0.0.1:1\n".repeat(5_000);
    in_time("5,000 sections of one name", || haproxy(&sections));
}

#[test]
fn deep_conditions() {
    let text = format!("{}{}", ".if true\n".repeat(10_000), ".endif\n".repeat(10_000));
    let imported = in_time("deep conditions", || haproxy(&text));
    assert!(told(&imported).iter().any(|line| line.contains("more than 32 `.if`")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_is_answered(text in "(?s).{0,200}") {
        for (format, _) in FORMATS {
            located(*format, &text.replace('\u{feff}', ""));
        }
    }

    /// Words of the samples in any order reach further than letters do.
    #[test]
    fn any_words_of_the_samples_are_answered(
        picks in prop::collection::vec((any::<prop::sample::Index>(), 0..8_usize), 0..120),
    ) {
        for (format, extension) in FORMATS {
            let all: String = samples(extension).into_iter().map(|(_, text)| text).collect();
            let words: Vec<&str> = all.split_whitespace().collect();
            let text: String = picks
                .iter()
                .map(|(pick, gap)| format!("{}{}", pick.get(&words), if *gap == 0 { '\n' } else { ' ' }))
                .collect();
            located(*format, &text);
        }
    }
}
