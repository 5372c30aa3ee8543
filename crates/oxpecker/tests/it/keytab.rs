//! `oxpecker keytab`, compared with what MIT's own programs make and read.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use oxpecker_testkit::Kdc;

use crate::site::PROGRAM;

const LB: &str = "impala/lb.example.test";
const OWN: &str = "impala/n1.example.test";

fn keytab(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).arg("keytab").args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What `klist -kKet` prints: principals, versions, times, types and the keys themselves. Without
/// its first lines, which name the file.
#[track_caller]
fn listed(kdc: &Kdc, file: &Path) -> Vec<String> {
    let said = kdc.ask("klist", &["-kKet", text(file)]);
    said.lines().skip(3).map(str::to_owned).collect()
}

/// The recipe's four lines.
#[track_caller]
fn merged_by_ktutil(kdc: &Kdc, first: &Path, second: &Path) -> std::path::PathBuf {
    let merged = kdc.dir().join("ktutil.keytab");
    let mut child = kdc.command("ktutil", &[]).stdin(Stdio::piped()).spawn().unwrap();
    let script = format!(
        "read_kt {}\nread_kt {}\nwrite_kt {}\nquit\n",
        first.display(),
        second.display(),
        merged.display()
    );
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    merged
}

#[test]
fn a_merge_is_what_ktutil_makes() {
    let kdc = Kdc::start(&[LB, OWN]);
    let (proxy, own) = (kdc.keytab("proxy.keytab", &[LB]), kdc.keytab("impala.keytab", &[OWN]));
    let theirs = merged_by_ktutil(&kdc, &proxy, &own);
    let ours = kdc.dir().join("merged.keytab");
    let output = keytab(&["merge", text(&proxy), text(&own), "-o", text(&ours)]);
    assert!(output.status.success(), "{output:?}");
    let list = listed(&kdc, &theirs);
    assert_eq!(list.len(), 4, "two types for each principal: {list:?}");
    assert_eq!(listed(&kdc, &ours), list);
    // The KDC takes its keys.
    kdc.ask("kinit", &["-c", "MEMORY:", "-kt", text(&ours), LB]);
    kdc.ask("kinit", &["-c", "MEMORY:", "-kt", text(&ours), OWN]);
    let mode = fs::metadata(&ours).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    // Twice the same changes nothing, and what is there is never written over.
    let again = kdc.dir().join("again.keytab");
    let output = keytab(&["merge", text(&ours), text(&own), text(&theirs), "-o", text(&again)]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read(&again).unwrap(), fs::read(&ours).unwrap());
    let output = keytab(&["merge", text(&proxy), "-o", text(&ours)]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(listed(&kdc, &ours), list);
}

#[test]
fn a_list_has_the_principals_of_klist_and_no_key() {
    let kdc = Kdc::start(&[LB, OWN]);
    let file = kdc.keytab("both.keytab", &[LB, OWN]);
    // An entry that was removed leaves a hole.
    let holed = kdc.dir().join("holed.keytab");
    fs::copy(&file, &holed).unwrap();
    kdc.ask("kadmin.local", &["-q", &format!("ktremove -k {} {LB} all", holed.display())]);
    assert!(fs::read(&holed).unwrap().len() > fs::read(&file).unwrap().len() / 2 + 50);
    for file in [file, holed] {
        let listed = kdc.ask("klist", &["-ke", text(&file)]);
        let theirs: Vec<(String, String)> = listed
            .lines()
            .skip(3)
            .map(|line| {
                let words: Vec<_> = line.split_whitespace().collect();
                (words[1].to_owned(), words[0].to_owned())
            })
            .collect();
        let output = keytab(&["list", text(&file)]);
        let out = String::from_utf8(output.stdout).unwrap();
        let ours: Vec<(String, String)> = out
            .lines()
            .map(|line| {
                let (principal, rest) = line.split_once(" (version ").unwrap();
                (principal.to_owned(), rest.split_once(',').unwrap().0.to_owned())
            })
            .collect();
        assert_eq!(ours, theirs);
        for line in listed_keys(&kdc, &file) {
            assert!(!out.contains(&line), "a key is shown: {out}");
        }
    }
}

/// The keys, as hexadecimal digits.
fn listed_keys(kdc: &Kdc, file: &Path) -> Vec<String> {
    let lines = listed(kdc, file).into_iter();
    let keys: Vec<_> = lines
        .filter_map(|line| Some(line.split_once("(0x")?.1.trim_end_matches(')').to_owned()))
        .collect();
    assert!(!keys.is_empty());
    keys
}

#[test]
fn other_files_are_refused_with_the_place() {
    let kdc = Kdc::start(&[LB]);
    let whole = kdc.keytab("whole.keytab", &[LB]);
    let cut = kdc.dir().join("cut.keytab");
    let bytes = fs::read(&whole).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 3]).unwrap();
    let other = kdc.dir().write("other.keytab", "-----BEGIN CERTIFICATE-----\n");
    let out = kdc.dir().join("out.keytab");
    for (file, told) in [
        (&cut, "the file ends in the middle of the entry at byte"),
        (&other, "not a keytab: it does not begin with the bytes 05 02"),
        (&kdc.dir().join("none.keytab"), "no such file"),
        (&kdc.dir().path().to_owned(), "directory"),
    ] {
        let output = keytab(&["merge", text(&whole), text(file), "-o", text(&out)]);
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(err.contains(told) && err.contains(text(file)), "{err}");
        assert!(!out.exists(), "nothing is written after an error");
    }
}
