//! System errors in words, for whoever reads a reason, a log line or a finding.
//!
//! The standard library shows a failed system call as `Connection refused (os error 111)`. The
//! number says nothing that the words do not, and reasons stand amid sentences.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Display;

/// What the standard library writes before the number.
const CODE: &str = " (os error ";

/// A text that may hold system errors, without their numbers, and each beginning small.
pub fn without_codes(text: &str) -> Cow<'_, str> {
    if !text.contains(CODE) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(CODE) {
        let after = &rest[at + CODE.len()..];
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || !after[digits..].starts_with(')') {
            plain.push_str(&rest[..at + CODE.len()]);
            rest = after;
            continue;
        }
        push_with_small_end(&mut plain, &rest[..at]);
        rest = &after[digits + 1..];
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// The last fragment of `text` is the system's. It begins after what separates fragments, or after
/// the mark that begins a value of a log line.
fn push_with_small_end(plain: &mut String, text: &str) {
    let begin = text.rfind(['"', '=', '(', ':']).map_or(0, |at| at + 1);
    let (before, fragment) = text.split_at(begin);
    let words = fragment.trim_start();
    plain.push_str(before);
    plain.push_str(&fragment[..fragment.len() - words.len()]);
    let mut chars = words.chars();
    match (chars.next(), chars.next()) {
        // Names like RPC stay.
        (Some(first), Some(second)) if first.is_ascii_uppercase() && !second.is_uppercase() => {
            plain.push(first.to_ascii_lowercase());
            plain.push_str(&words[1..]);
        }
        _ => plain.push_str(words),
    }
}

/// An error without numbers.
pub fn in_words(error: &impl Display) -> String {
    without_codes(&error.to_string()).into_owned()
}

/// An error with its causes, without numbers.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    without_codes(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(without_codes(text), expected, "of `{text}`");
    }

    #[test]
    fn a_number_goes_and_the_words_begin_small() {
        check("Connection refused (os error 111)", "connection refused");
        check("connect: Connection refused (os error 111)", "connect: connection refused");
        check("RPC version wrong (os error 1)", "RPC version wrong");
        check(
            "no page at 10.0.0.1:25000 (No route to host (os error 113)): role is not known",
            "no page at 10.0.0.1:25000 (no route to host): role is not known",
        );
        check(
            "reason: A: Not found (os error 2); B: Permission denied (os error 13)",
            "reason: A: not found; B: permission denied",
        );
    }

    #[test]
    fn values_of_log_lines_are_found() {
        check(
            "m member=a error=Timer expired (os error 62) n=1",
            "m member=a error=timer expired n=1",
        );
        check(
            r#"m reason="probe failed: connect: Connection refused (os error 111)" n=1"#,
            r#"m reason="probe failed: connect: connection refused" n=1"#,
        );
        check(r#"{"error":"Broken pipe (os error 32)","n":1}"#, r#"{"error":"broken pipe","n":1}"#);
    }

    #[test]
    fn other_texts_stay() {
        for text in [
            "",
            "Connection refused",
            "said (os error )",
            "said (os error 111",
            "said (os error x1)",
            "Größe (os error",
        ] {
            check(text, text);
        }
        check("(os error 1) (os error 2)", "(os error 1)");
        check("É (os error 5)", "É");
        check(" (os error 5)", "");
    }

    #[test]
    fn what_the_system_says_is_known() {
        let refused = io::Error::from_raw_os_error(nix::libc::ECONNREFUSED);
        assert_eq!(in_words(&refused), "connection refused");
        // The same error made from its kind has no number to begin with.
        assert_eq!(in_words(&io::Error::from(refused.kind())), "connection refused");
        for code in 1..=133 {
            let words = in_words(&io::Error::from_raw_os_error(code));
            assert!(!words.contains("os error"), "{code}: {words}");
        }
    }

    #[test]
    fn causes_follow_their_error() {
        #[derive(Debug, thiserror::Error)]
        #[error("failed to read the key")]
        struct Outer(#[source] io::Error);
        let error = Outer(io::Error::from_raw_os_error(nix::libc::ENOENT));
        assert_eq!(chain(&error), "failed to read the key: no such file or directory");
    }
}
