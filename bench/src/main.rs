//! Compares our allocators with published ones, all in one run.
//!
//! Allocators of pages, objects and areas.
//!
//! Prints the tables, and writes them to `docs/benchmarks.md` with a plot each. A program, not a test: it judges no
//! figure. With an argument it only prints the rows whose names contain that, for our allocators and the limits.
//!
//! `peers` has the allocators, `rows` what is measured, `results` what came out, `table`, `plot` and `page` the output.

mod arena;
mod clock;
mod cpu;
mod page;
mod peers;
mod plot;
mod random;
mod results;
mod rows;
mod table;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use peers::{Entrant, Role};
use results::Results;
use rows::Row;

fn main() -> Result<()> {
    cpu::become_cpu(0);
    if let Some(words) = std::env::args().nth(1) {
        try_out(rows::PAGES, peers::PAGES, &words);
        try_out(rows::OBJECTS, peers::OBJECTS, &words);
        try_out(rows::AREAS, peers::AREAS, &words);
        return Ok(());
    }
    let results = [
        measure("pages", rows::PAGES, peers::PAGES),
        measure("objects", rows::OBJECTS, peers::OBJECTS),
        measure("areas", rows::AREAS, peers::AREAS),
    ];
    results.iter().for_each(|results| println!("{}", table::render(results)));
    write("benchmarks.md", page::render(&results))?;
    page::SECTIONS
        .iter()
        .zip(&results)
        .try_for_each(|(section, results)| write(section.plot, plot::render(section.title, results)))
}

fn measure<R>(what: &str, rows: &[Row<R>], entrants: &[Entrant<R>]) -> Results {
    eprintln!("bench: measuring {what}, some minutes");
    Results::measure(rows, entrants, "")
}

fn write(name: &str, text: String) -> Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    fs::write(docs.join(name), text).with_context(|| format!("docs/{name}"))
}

/// Runs the rows whose names contain `words`, for our allocators and the limit, and prints the table: for work on ours.
fn try_out<R>(rows: &[Row<R>], entrants: &[Entrant<R>], words: &str) {
    let few: Vec<_> = entrants.iter().filter(|(role, _)| *role != Role::Peer).copied().collect();
    let results = Results::measure(rows, &few, words);
    if !results.lines.is_empty() {
        println!("{}", table::render(&results));
    }
}
