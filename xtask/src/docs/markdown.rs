//! The sessions in a document: blocks of code with prompts.
//!
//! A line that starts with `$ ` is typed on the host, one that starts with `# ` in the guest; the lines up to the next
//! prompt are what it prints, and a line `...` stands for any number of them. A comment of its own may stand before a
//! block: `<!-- numbers within 5 % -->`, `<!-- not run: WHY -->`, or `<!-- followed: NAME -->` for a text that a test
//! takes out and follows ([`followed`]).

use std::ops::Range;

use anyhow::{Context, Result, bail};

/// Stands for lines that a document leaves out.
pub const GAP: &str = "...";
const FENCE: &str = "```";
const INDENT: &str = "    ";

/// What a comment before a block says of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Marker {
    /// Nothing: the block is run, and shows what the machine prints.
    Exact,
    /// The block is run; its numbers may differ by so much, in percent.
    Within(f64),
    /// It is not run, and the comment says why.
    NotRun,
    /// A test follows it.
    Followed(String),
}

/// Who reads what is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// The shell of the host.
    Host,
    /// The shell of the guest.
    Guest,
}

/// A line that is typed, and what it prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where it is typed.
    pub prompt: Prompt,
    /// The line, without the prompt.
    pub command: String,
    /// What the document shows below it.
    pub shown: Vec<String>,
}

/// A block of code.
#[derive(Debug, Clone)]
pub struct Block {
    /// Its lines in the document, counted from 0.
    pub lines: Range<usize>,
    /// What stands before each of them.
    pub indent: &'static str,
    /// What the comment before it says.
    pub marker: Marker,
    /// What it shows, if it is a session.
    pub steps: Vec<Step>,
}

/// All blocks of code of a document.
pub fn blocks(text: &str) -> Result<Vec<Block>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let Some((range, indent)) = block_at(&lines, at) else {
            at += 1;
            continue;
        };
        at = range.end + 1;
        let content = range.clone().map(|line| lines[line].strip_prefix(indent).unwrap_or_default().trim_end());
        let steps = steps(content);
        let marker = marker(&lines[..range.start]).with_context(|| format!("line {}", range.start + 1))?;
        found.push(Block { lines: range, indent, marker, steps });
    }
    Ok(found)
}

/// The text of the block that the test `name` follows.
pub fn followed(text: &str, name: &str) -> Result<String> {
    let found = blocks(text)?.into_iter().find(|block| block.marker == Marker::Followed(name.to_owned()));
    let block = found.with_context(|| format!("no block after <!-- followed: {name} -->"))?;
    let lines: Vec<&str> = text.lines().collect();
    let content = block.lines.map(|line| lines[line].strip_prefix(block.indent).unwrap_or_default().trim_end());
    Ok(content.map(|line| format!("{line}\n")).collect())
}

/// The block that begins at a line: between fences, or indented lines with empty ones among them.
fn block_at(lines: &[&str], at: usize) -> Option<(Range<usize>, &'static str)> {
    if lines[at].starts_with(FENCE) {
        let length = lines[at + 1..].iter().position(|line| line.starts_with(FENCE))?;
        return Some((at + 1..at + 1 + length, ""));
    }
    let is_after_text = at > 0 && !lines[at - 1].is_empty();
    if is_after_text || !lines[at].starts_with(INDENT) {
        return None;
    }
    let rest = &lines[at..];
    let end = rest.iter().position(|line| !line.is_empty() && !line.starts_with(INDENT)).unwrap_or(rest.len());
    let length = rest[..end].iter().rposition(|line| !line.is_empty())? + 1;
    Some((at..at + length, INDENT))
}

fn steps<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in lines {
        let typed = [("$ ", Prompt::Host), ("# ", Prompt::Guest)];
        let typed = typed.iter().find_map(|(mark, prompt)| Some((line.strip_prefix(mark)?, *prompt)));
        if let Some((command, prompt)) = typed {
            steps.push(Step { prompt, command: command.to_owned(), shown: Vec::new() });
        } else if let Some(step) = steps.last_mut() {
            step.shown.push(line.to_owned());
        }
    }
    steps
}

/// What the last comment says, if only empty lines or a fence follow it.
fn marker(before: &[&str]) -> Result<Marker> {
    let last = before.iter().rev().find(|line| !line.is_empty() && !line.starts_with(FENCE));
    let comment = last.and_then(|line| line.strip_prefix("<!-- ")?.strip_suffix(" -->"));
    let Some(comment) = comment.filter(|comment| !comment.starts_with("figures: ")) else { return Ok(Marker::Exact) };
    if comment.starts_with("not run: ") {
        return Ok(Marker::NotRun);
    }
    if let Some(name) = comment.strip_prefix("followed: ") {
        return Ok(Marker::Followed(name.to_owned()));
    }
    match comment.strip_prefix("numbers within ").and_then(|rest| rest.strip_suffix(" %")) {
        Some(percent) => Ok(Marker::Within(percent.parse().with_context(|| format!("{percent} is no number"))?)),
        None => bail!("the comment {comment:?} before a block is not understood"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Marker, Prompt, blocks, followed};

    const TEXT: &str = "Text:\n\n    $ make run\n    ...\n    # free\n\n    Mem: 1\n\nMore.\n    not a block\n\n\
        <!-- numbers within 5 % -->\n```\n# ls\na\n```\n<!-- followed: it -->\n\n    one\n\n      two\n";

    #[test]
    fn a_block_is_indented_or_fenced() {
        let blocks = blocks(TEXT).expect("well formed");
        let lines: Vec<_> = blocks.iter().map(|block| (block.lines.start, block.lines.end)).collect();
        assert_eq!(lines, [(2, 7), (13, 15), (18, 21)]);
        assert_eq!(blocks[0].steps[0].prompt, Prompt::Host);
        assert_eq!(blocks[0].steps[0].shown, ["..."]);
        assert_eq!((blocks[0].steps[1].command.as_str(), blocks[0].steps[1].prompt), ("free", Prompt::Guest));
        assert_eq!(blocks[0].steps[1].shown, ["", "Mem: 1"]);
        assert!(blocks[2].steps.is_empty());
    }

    #[test]
    fn a_comment_before_a_block_is_its_marker() {
        let blocks = blocks(TEXT).expect("well formed");
        let markers: Vec<_> = blocks.into_iter().map(|block| block.marker).collect();
        assert_eq!(markers, [Marker::Exact, Marker::Within(5.0), Marker::Followed("it".into())]);
        assert_eq!(followed(TEXT, "it").expect("it is there"), "one\n\n  two\n");
        assert!(followed(TEXT, "that").is_err());
    }

    #[test]
    fn a_marker_that_nobody_knows_is_an_error() {
        for comment in ["numbers within x %", "not run", "exact"] {
            assert!(super::blocks(&format!("<!-- {comment} -->\n\n    # ls\n")).is_err(), "{comment}");
        }
    }
}
