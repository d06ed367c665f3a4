//! What the documents show of the machine is what it prints.
//!
//! Each session of a document ([`markdown`]) is typed at a machine of its own ([`session`]) as part of `make test`, and
//! compared; `make docs` writes into the documents what the machines printed. Figures in the running text come from
//! the list of pinned ones ([`figures`]).

mod align;
mod exercises;
mod figures;
mod lists;
pub mod markdown;
mod session;

use std::fs;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};

use crate::parallel::{self, Job};
use crate::pins::Pins;
use crate::results::TestResult;
use markdown::{Block, Marker};
use session::{Output, Session};

/// The documents that speak of the machine as it is now.
pub const DOCUMENTS: [&str; 10] = [
    "README.md",
    "docs/guide.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs/lessons/1-kmalloc.md",
    "docs/lessons/2-flags.md",
    "docs/lessons/3-caches.md",
    "docs/lessons/4-pages.md",
    "docs/lessons/5-vmalloc.md",
    "docs/lessons/6-boot.md",
];
const LISTS: &str = "docs::README.md names all commands";
/// What the machine says to what was typed wrongly, which no document means to show.
const MISTYPED: [&str; 4] = ["command not found", "too many words", "too many operands", "invalid option"];
/// How to bring them up to date.
const REMEDY: &str = "if that is as it should be, `make docs` writes it";

/// A document, read.
struct Document {
    path: &'static str,
    text: String,
    blocks: Vec<Block>,
}

/// Lines that a document should have instead of some that it has.
struct Correction {
    path: &'static str,
    block: usize,
    lines: Vec<String>,
}

type Corrections = Arc<Mutex<Vec<Correction>>>;

/// One job for each machine that a document starts, and one for the figures of all.
pub fn jobs() -> Result<Vec<Job>> {
    let mut jobs = jobs_that_correct(&Corrections::default())?;
    let list = || lists::check(LISTS, &fs::read_to_string(DOCUMENTS[0])?);
    jobs.push(Job { name: LISTS.into(), work: Box::new(list) });
    jobs.push(Job { name: "docs::docs/lessons".into(), work: Box::new(|| exercises::check(&DOCUMENTS)) });
    jobs.push(Job { name: "docs::figures".into(), work: Box::new(|| Ok((check_figures()?, String::new()))) });
    Ok(jobs)
}

/// Whether each document's figures are the pinned ones.
fn check_figures() -> Result<Vec<TestResult>> {
    let pins = Pins::load()?;
    let judge = |document: Document| {
        let name = format!("docs::figures::{}", document.path);
        match figures::updated(&document.text, &pins) {
            Err(why) => TestResult::failed(name, why),
            Ok(text) if text == document.text => TestResult::ok(name),
            Ok(text) => {
                let stale = document.text.lines().zip(text.lines()).position(|(old, new)| old != new).unwrap_or(0);
                TestResult::failed(name, format!("line {} has an old figure; {REMEDY}", stale + 1))
            }
        }
    };
    Ok(documents()?.into_iter().map(judge).collect())
}

fn jobs_that_correct(corrections: &Corrections) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for document in documents()? {
        let sessions = session::sessions(&document.blocks).with_context(|| document.path)?;
        let document = Arc::new(document);
        for session in sessions {
            let line = session.first().map_or(0, |(block, _)| document.blocks[block].lines.start + 1);
            let name = format!("docs::{}:{line}", document.path);
            let (title, document, corrections) = (name.clone(), Arc::clone(&document), Arc::clone(corrections));
            jobs.push(Job { name, work: Box::new(move || check(&title, &document, &session, &corrections)) });
        }
    }
    Ok(jobs)
}

fn documents() -> Result<Vec<Document>> {
    let read = |path: &'static str| {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        let blocks = markdown::blocks(&text).context(path)?;
        Ok(Document { path, text, blocks })
    };
    DOCUMENTS.into_iter().map(read).collect()
}

/// Runs a machine; one result for each block that is typed at it.
fn check(
    title: &str,
    document: &Document,
    session: &Session,
    corrections: &Mutex<Vec<Correction>>,
) -> Result<(Vec<TestResult>, String)> {
    let (outputs, console) = session.run(title)?;
    let mut blocks: Vec<usize> = outputs.iter().map(|((block, _), _)| *block).collect();
    blocks.dedup();
    let mut results = Vec::new();
    for at in blocks {
        let block = &document.blocks[at];
        let name = format!("docs::{}:{}", document.path, block.lines.start + 1);
        let old: Vec<&str> = content(document, block);
        results.push(match corrected(block, at, &outputs) {
            Err(why) => TestResult::failed(name, format!("{why}; bring the block up to date by hand")),
            Ok(lines) => {
                let difference = difference(&block.marker, &old, &lines);
                corrections.lock().unwrap_or_else(PoisonError::into_inner).push(Correction {
                    path: document.path,
                    block: at,
                    lines,
                });
                difference.map_or_else(|| TestResult::ok(&*name), |why| TestResult::failed(&*name, why))
            }
        });
    }
    Ok((results, console))
}

fn content<'a>(document: &'a Document, block: &Block) -> Vec<&'a str> {
    let lines = document.text.lines().skip(block.lines.start).take(block.lines.len());
    lines.map(|line| line.strip_prefix(block.indent).unwrap_or_default().trim_end()).collect()
}

/// The lines of a block as they must read.
fn corrected(block: &Block, at: usize, outputs: &[Output]) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    for (step_at, step) in block.steps.iter().enumerate() {
        let prompt = match step.prompt {
            markdown::Prompt::Host => '$',
            markdown::Prompt::Guest => '#',
        };
        lines.push(format!("{prompt} {}", step.command));
        let output = outputs.iter().find(|(place, _)| *place == (at, step_at));
        let (_, output) = output.ok_or_else(|| format!("{:?} printed nothing", step.command))?;
        let is_mistyped = |line: &&String| MISTYPED.iter().any(|words| line.contains(words));
        if let Some(line) = output.iter().find(is_mistyped) {
            return Err(format!("{:?} is wrongly typed: {line}", step.command));
        }
        lines.extend(align::updated(&step.shown, output)?);
    }
    lines.truncate(lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1));
    Ok(lines)
}

fn difference(marker: &Marker, old: &[&str], new: &[String]) -> Option<String> {
    let same = |(old, new): (&&str, &String)| match marker {
        Marker::Within(percent) => align::is_close(old, new, *percent),
        _ => old == new,
    };
    let at = old
        .iter()
        .zip(new)
        .position(|pair| !same(pair))
        .or((old.len() != new.len()).then_some(()).map(|()| old.len().min(new.len())))?;
    let (says, prints) = (old.get(at).unwrap_or(&"(nothing)"), new.get(at).map_or("(nothing)", String::as_str));
    Some(format!("line {} of the block is out of date; {REMEDY}\n  it says: {says}\n  printed: {prints}", at + 1))
}

/// Runs the machines of the documents whose paths contain `filter`, and writes into these what was printed.
pub fn rewrite(filter: &str) -> Result<ExitCode> {
    let corrections = Corrections::default();
    let mut jobs = jobs_that_correct(&corrections)?;
    jobs.retain(|job| job.name.contains(filter));
    let mut results = parallel::run(jobs);
    let corrections = corrections.lock().unwrap_or_else(PoisonError::into_inner);
    let pins = Pins::load()?;
    for document in documents()? {
        let text = with_corrections(&document, &corrections);
        // What the machines printed is written even where a figure must be set right by hand.
        let text = figures::updated(&text, &pins).unwrap_or(text);
        if text != document.text {
            fs::write(document.path, text).with_context(|| format!("cannot write {}", document.path))?;
            println!("{} was brought up to date", document.path);
        }
    }
    results.extend(check_figures()?);
    let by_hand: Vec<&TestResult> = results.iter().filter(|result| is_by_hand(result)).collect();
    for result in &by_hand {
        println!("{}: {}", result.name, result.failure.as_deref().unwrap_or_default());
    }
    Ok(if by_hand.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_by_hand(result: &TestResult) -> bool {
    result.failure.as_deref().is_some_and(|why| !why.contains(REMEDY))
}

fn with_corrections(document: &Document, corrections: &[Correction]) -> String {
    let mut lines: Vec<String> = document.text.lines().map(str::to_owned).collect();
    for (at, block) in document.blocks.iter().enumerate().rev() {
        let found = corrections.iter().find(|it| it.path == document.path && it.block == at);
        let Some(correction) = found else { continue };
        let indented = |line: &String| format!("{}{line}", block.indent).trim_end().to_owned();
        lines.splice(block.lines.clone(), correction.lines.iter().map(indented));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::{Correction, Document, corrected, difference, markdown, with_corrections};

    fn document(text: &str) -> Document {
        Document { path: "README.md", text: text.into(), blocks: markdown::blocks(text).expect("well formed") }
    }

    #[test]
    fn a_block_reads_as_it_was_printed() {
        let document = document("a\n\n    $ make run\n    ...\n    x 1\n    # free\n    1\n\nz\n");
        let outputs = [((0, 0), vec!["w".into(), "x 2".into()]), ((0, 1), vec!["2".into(), String::new(), "3".into()])];
        let lines = corrected(&document.blocks[0], 0, &outputs).expect("all was printed");
        let corrections = [Correction { path: "README.md", block: 0, lines }];
        let expected = "a\n\n    $ make run\n    ...\n    x 2\n    # free\n    2\n\n    3\n\nz\n";
        assert_eq!(with_corrections(&document, &corrections), expected);
    }

    #[test]
    fn the_guide_says_what_slabs_lose() {
        let guide = std::fs::read_to_string("../docs/guide.md").expect("readable");
        let text = guide.split("The slabs themselves lose little").nth(1).expect("it does");
        for class in ["size-32", "size-64", "size-128", "size-256", "size-512"] {
            let line = guide.lines().find(|line| line.trim_start().starts_with(&format!("{class} "))).expect("shown");
            let numbers: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            let [_, objects, bytes, _, slabs, pages, ..] = numbers[..] else { panic!("{line}") };
            let lost = 100.0 - 100.0 * objects * bytes / (slabs * pages * 4096.0);
            // Of two digits that are as near, the guide takes the even one, as formatting does.
            let said = if lost == 0.0 { format!("nothing from {class} on") } else { format!("{lost:.1} %") };
            assert!(text.contains(&said), "{class}: {said}");
        }
    }

    #[test]
    fn a_difference_is_named_with_its_remedy() {
        let exact = markdown::Marker::Exact;
        let of = |old: &[&str], new: &[&str], marker| {
            difference(marker, old, &new.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(of(&["a", "1"], &["a", "1"], &exact), None);
        let why = of(&["a", "1"], &["a", "2"], &exact).expect("they differ");
        assert!(why.contains("line 2") && why.contains("make docs") && why.contains("printed: 2"), "{why}");
        assert!(of(&["a"], &["a", "b"], &exact).is_some());
        assert_eq!(of(&["100"], &["101"], &markdown::Marker::Within(2.0)), None);
    }
}
