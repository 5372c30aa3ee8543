//! Where `oxpecker import` writes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{LISTEN, with};
use crate::command_line::oxpecker;

#[test]
fn a_file_that_is_there_is_written_over_only_when_told_to() {
    let (dir, file) = with("haproxy.cfg", LISTEN);
    let to = dir.write("oxpecker.toml", "# weeks of work\n");
    fs::set_permissions(&to, fs::Permissions::from_mode(0o644)).unwrap();
    let arguments = ["import", "haproxy", &file, "-o", to.to_str().unwrap()];
    let (status, _, err) = oxpecker(&arguments);
    assert_eq!(status, 2, "{err}");
    assert!(err.contains("oxpecker.toml is there already") && err.contains("--force"), "{err}");
    assert_eq!(fs::read_to_string(&to).unwrap(), "# weeks of work\n");
    let (status, _, err) = oxpecker(&[&arguments[..], &["--force"]].concat());
    assert_eq!(status, 0, "{err}");
    assert!(fs::read_to_string(&to).unwrap().contains("[virtual.hs2]"));
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o640);
}

/// Such as `/dev/stdout`, or a pipe of the shell.
#[test]
fn what_keeps_nothing_needs_no_force() {
    let (_dir, file) = with("haproxy.cfg", LISTEN);
    let (status, _, err) = oxpecker(&["import", "haproxy", &file, "-o", "/dev/null"]);
    assert_eq!(status, 0, "{err}");
}

#[test]
fn a_file_in_another_encoding_is_told_with_place_and_remedy() {
    let (dir, file) = with("haproxy.cfg", "");
    let text = b"global\n    maxconn 10\n    description B\xfcro\n";
    fs::write(&file, text).unwrap();
    let (status, _, err) = oxpecker(&["import", "haproxy", &file]);
    assert_eq!(status, 3, "{err}");
    assert!(err.contains("line 3, column 18") && err.contains("iconv -f latin1 -t utf8"), "{err}");
    drop(dir);
}
