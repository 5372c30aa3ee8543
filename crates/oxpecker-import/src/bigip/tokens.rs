//! Words, quoted texts and braces.

use crate::files::Span;
use crate::report::Notes;

/// Braces within braces; BIG-IP has five or so.
const DEPTH_MAX: usize = 64;

/// A word or a block, with the stretch of the text it takes.
#[derive(Debug, Clone)]
pub(super) enum Token {
    Word { text: String, span: Span },
    Block { inner: Vec<Token>, span: Span },
}

impl Token {
    pub(super) fn span(&self) -> Span {
        match self {
            Self::Word { span, .. } | Self::Block { span, .. } => *span,
        }
    }
}

pub(super) struct Lexer<'t> {
    text: &'t str,
    file: usize,
    pub(super) at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str, file: usize) -> Self {
        Self { text, file, at: 0 }
    }

    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, start, end)
    }

    /// Skips blanks, comments and line ends; what comes next.
    pub(super) fn peek(&mut self) -> Option<char> {
        loop {
            let rest = &self.text[self.at..];
            let c = rest.chars().next()?;
            let skipped = if c.is_whitespace() {
                c.len_utf8()
            } else if c == '#' {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("\\\n") {
                2
            } else if rest.starts_with("\\\r\n") {
                3
            } else {
                return Some(c);
            };
            self.at += skipped;
        }
    }

    /// Whether the line ends before the next word. `\` at the end joins lines.
    pub(super) fn is_line_end(&self) -> bool {
        let mut rest = self.text[self.at..].trim_start_matches([' ', '\t', '\r']);
        while let Some(next) = rest.strip_prefix("\\\n").or_else(|| rest.strip_prefix("\\\r\n")) {
            rest = next.trim_start_matches([' ', '\t', '\r']);
        }
        rest.is_empty() || rest.starts_with(['\n', '#'])
    }

    /// The next word or block; nothing at the end and before a closing brace.
    pub(super) fn token(&mut self, notes: &mut Notes, depth: usize) -> Option<Token> {
        let start = match self.peek()? {
            '}' => return None,
            '{' => {
                let start = self.at;
                self.at += 1;
                return self.block(notes, start, depth);
            }
            _ => self.at,
        };
        let mut text = String::new();
        let mut in_quotes = false;
        let mut chars = self.text[start..].char_indices();
        let mut end = self.text.len();
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' => in_quotes = !in_quotes,
                '\\' => match chars.next() {
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, '\n')) if !in_quotes => {
                        end = start + offset;
                        break;
                    }
                    Some((_, c)) => text.push(c),
                    None => {}
                },
                c if !in_quotes && (c.is_whitespace() || matches!(c, '{' | '}')) => {
                    end = start + offset;
                    break;
                }
                c => text.push(c),
            }
        }
        let span = self.span(start, end);
        if in_quotes {
            notes.refuse(self.span(start, start + 1), "this quote is never closed", "");
        }
        self.at = end;
        Some(Token::Word { text, span })
    }

    fn block(&mut self, notes: &mut Notes, start: usize, depth: usize) -> Option<Token> {
        if depth >= DEPTH_MAX {
            let words = format!("more than {DEPTH_MAX} braces within each other");
            notes.refuse(self.span(start, start + 1), words, "");
            self.at = self.text.len();
            return None;
        }
        let mut inner = Vec::new();
        while let Some(token) = self.token(notes, depth + 1) {
            inner.push(token);
        }
        if self.text[self.at..].starts_with('}') {
            self.at += 1;
        } else {
            notes.refuse(
                self.span(start, start + 1),
                "this brace is never closed",
                "is the file complete?",
            );
        }
        Some(Token::Block { inner, span: self.span(start, self.at) })
    }

    /// Skips a block of another language (iRules): braces balance there, quotes may not.
    pub(super) fn skip_block(&mut self, notes: &mut Notes) {
        if self.peek() != Some('{') {
            return;
        }
        let start = self.at;
        let mut depth = 0_usize;
        let mut escaped = false;
        for (offset, c) in self.text[start..].char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '{' => depth += 1,
                '}' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at = start + offset + 1;
                        return;
                    }
                }
                _ => {}
            }
        }
        self.at = self.text.len();
        notes.refuse(
            self.span(start, start + 1),
            "this brace is never closed",
            "is the file complete?",
        );
    }

    pub(super) fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.find('\n').unwrap_or(rest.len());
    }
}
