//! As much of Markdown as the documents here use: prose, fenced blocks, headings, links.

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line after the opening fence, counted from 1.
    pub(crate) line: usize,
    pub(crate) language: String,
    pub(crate) text: String,
}

/// A document taken apart.
#[derive(Debug, Default)]
pub(crate) struct Document<'a> {
    /// Numbered lines outside fenced blocks.
    pub(crate) prose: Vec<(usize, &'a str)>,
    pub(crate) blocks: Vec<Block>,
    /// The line of a fence that nothing closes.
    pub(crate) unclosed: Option<usize>,
}

pub(crate) fn parse(text: &str) -> Document<'_> {
    let mut document = Document::default();
    let mut open: Option<(usize, Block)> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let trimmed = line.trim_start();
        let ticks = trimmed.chars().take_while(|&c| c == '`').count();
        match &mut open {
            Some((least, _)) if ticks >= *least && trimmed[ticks..].trim().is_empty() => {
                document.blocks.extend(open.take().map(|(_, block)| block));
            }
            Some((_, block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            None if ticks >= 3 => {
                let language = trimmed[ticks..].trim().to_owned();
                open = Some((ticks, Block { line: number + 1, language, text: String::new() }));
            }
            None => document.prose.push((number, line)),
        }
    }
    document.unclosed = open.map(|(_, block)| block.line - 1);
    document
}

impl Document<'_> {
    /// Numbered link targets, as written.
    pub(crate) fn links(&self) -> Vec<(usize, String)> {
        let mut links = Vec::new();
        for (number, line) in &self.prose {
            let text = without_code(line);
            for (at, _) in text.match_indices("](") {
                let rest = &text[at + 2..];
                // A title may follow the target.
                let target = rest.split([')', ' ']).next().unwrap_or(rest);
                links.push((*number, target.to_owned()));
            }
        }
        links
    }

    /// What `#NAME` may name: the headings, as GitHub spells them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut anchors = Vec::new();
        for (_, line) in &self.prose {
            let text = line.trim_start_matches('#');
            if text.len() == line.len() || !text.starts_with(' ') {
                continue;
            }
            let name = slug(text.trim());
            let seen = names.iter().filter(|known| **known == name).count();
            anchors.push(if seen == 0 { name.clone() } else { format!("{name}-{seen}") });
            names.push(name);
        }
        anchors
    }
}

/// The line with what stands between backticks left out.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

fn slug(heading: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || "-_ ".contains(c);
    heading.to_lowercase().chars().filter(|&c| kept(c)).collect::<String>().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# One `[two]`, three

See [a](docs/a.md) and [b](b.md#x \"title\"), not `[c](c.md)`.

```toml
[not](a-link)
key = 1
```
# Again
# Again
#not a heading
";

    #[test]
    fn prose_and_blocks_are_told_apart() {
        let document = parse(TEXT);
        let text = "[not](a-link)\nkey = 1\n".to_owned();
        let block = Block { line: 6, language: "toml".into(), text };
        assert_eq!((document.blocks.as_slice(), document.unclosed), (&[block][..], None));
        let links = [(3, "docs/a.md".to_owned()), (3, "b.md#x".to_owned())];
        assert_eq!(document.links(), links);
    }

    #[test]
    fn anchors_are_githubs() {
        assert_eq!(parse(TEXT).anchors(), ["one-two-three", "again", "again-1"]);
    }

    #[test]
    fn a_longer_fence_holds_a_shorter_one() {
        let document = parse("````\n```toml\n````\n");
        assert_eq!(document.blocks[0].text, "```toml\n");
        assert_eq!(parse("x\n```sh\nls\n").unclosed, Some(2));
    }
}
