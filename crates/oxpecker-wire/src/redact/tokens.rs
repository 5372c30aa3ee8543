//! A statement in pieces: just as much of SQL as tells a literal from a name. Never fails; whatever
//! is cut off or makes no sense becomes some piece, and all pieces together are the text.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A name or keyword, also with dots and digits in it.
    Word(&'a str),
    Number(&'a str),
    /// With its quotes, the closing one as far as it is there.
    Literal(&'a str),
    /// A name in backquotes, with these.
    Quoted(&'a str),
    Comment(&'a str),
    /// White space, or control characters.
    Space(&'a str),
    Symbol(&'a str),
}

/// The pieces of `text`, in order.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let (make, length) = piece(rest, first);
        let (token, behind) = rest.split_at(length);
        rest = behind;
        Some(make(token))
    })
}

type Make<'a> = fn(&'a str) -> Token<'a>;

/// What begins with `first`, and how long it is.
fn piece(rest: &str, first: char) -> (Make<'_>, usize) {
    match first {
        '\'' | '"' => (Token::Literal, literal(rest, first)),
        '`' => {
            let end = rest[1..].find('`').map_or(rest.len(), |at| at + 2);
            (Token::Quoted, end)
        }
        '-' if rest.starts_with("--") => (Token::Comment, rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => {
            let end = rest[2..].find("*/").map_or(rest.len(), |at| at + 4);
            (Token::Comment, end)
        }
        c if is_space(c) => (Token::Space, run(rest, is_space)),
        c if c.is_ascii_digit() => (Token::Number, run(rest, |c| c.is_alphanumeric() || c == '.')),
        c if c.is_alphanumeric() || c == '_' => {
            (Token::Word, run(rest, |c| c.is_alphanumeric() || c == '_' || c == '.'))
        }
        c => (Token::Symbol, c.len_utf8()),
    }
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// Bytes of the literal at the front, whose quote may be doubled or escaped inside.
fn literal(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            _ if c == quote && chars.peek().is_some_and(|(_, next)| *next == quote) => {
                chars.next();
            }
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}
