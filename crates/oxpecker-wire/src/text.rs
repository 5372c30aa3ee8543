//! Makes text that a peer sent fit for one log line. Never shows raw control bytes.

/// Enough for Impala's longest status line (`Server is being shut down: ...`, about 250 characters).
const TEXT_CHARS_MAX: usize = 300;

/// What a peer said, on one line: decoded leniently, white space collapsed, controls escaped, cut.
pub(crate) fn clean(bytes: &[u8]) -> String {
    // One character has at most four bytes: no need to decode a megabyte to show its start.
    let start = bytes.get(..TEXT_CHARS_MAX * 4).unwrap_or(bytes);
    let decoded = String::from_utf8_lossy(start);
    let mut line = String::new();
    let mut count = 0;
    for word in decoded.split(|c: char| c.is_whitespace()).filter(|word| !word.is_empty()) {
        if count > 0 {
            line.push(' ');
        }
        for c in word.chars() {
            if count == TEXT_CHARS_MAX {
                line.push('…');
                return line;
            }
            count += 1;
            if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collapses_white_space_and_escapes_controls() {
        assert_eq!(
            clean(b" Invalid\tsession\nid \x1b[31m\xff\n"),
            "Invalid session id \\u{1b}[31m\u{fffd}"
        );
    }

    #[test]
    fn cuts_long_text() {
        let line = clean(&[b'x'; 100_000]);
        assert_eq!(line.chars().count(), TEXT_CHARS_MAX + 1);
    }
}
