//! Compares our allocators with published ones, all in one run.
//!
//! Allocators of pages, objects and areas.
//!
//! Prints the tables, and writes them to `docs/benchmarks.md` with a plot each. A program, not a test: it judges no
//! figure. With an argument it only prints the rows whose names contain that, for our allocators and the limits; with
//! `scale` it prints how ours grow.
//!
//! `peers` has the allocators, `rows` what is measured; `scale` has what a call of ours costs as there is more of
//! everything. What came out, and how it is shown, is `bench_report`'s.

mod arena;
mod clock;
mod cpu;
mod peers;
mod random;
mod rows;
mod scale;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use bench_report::{Results, Role, SECTIONS};

use peers::Entrant;
use rows::Row;

fn main() -> Result<()> {
    cpu::become_cpu(0);
    match std::env::args().nth(1).as_deref() {
        None => compare(),
        Some("scale") => {
            print!("{}", bench_report::scale::table(&scale::measure()));
            Ok(())
        }
        Some(words) => {
            try_out(rows::PAGES, peers::PAGES, words);
            try_out(rows::OBJECTS, peers::OBJECTS, words);
            try_out(rows::AREAS, peers::AREAS, words);
            Ok(())
        }
    }
}

/// Measures everything, prints it and writes the page.
fn compare() -> Result<()> {
    let results = [
        measure("Pages", rows::PAGES, peers::PAGES),
        measure("Objects", rows::OBJECTS, peers::OBJECTS),
        measure("Areas", rows::AREAS, peers::AREAS),
    ];
    results.iter().for_each(|results| println!("{}", bench_report::table(results)));
    eprintln!("bench: how ours grow, some seconds");
    let scale = scale::measure();
    println!("{}", bench_report::scale::table(&scale));
    write("benchmarks.md", bench_report::page(&results, &scale))?;
    write("benchmarks-scale.svg", bench_report::scale::plot(&scale))?;
    for (section, results) in SECTIONS.iter().zip(&results) {
        write(section.plot, bench_report::plot(results))?;
    }
    println!("{}", bench_report::summary(&results));
    Ok(())
}

fn measure<R>(title: &'static str, rows: &[Row<R>], entrants: &[Entrant<R>]) -> Results {
    eprintln!("bench: {title}, a minute or less");
    rows::measure(title, rows, entrants, "")
}

fn write(name: &str, text: String) -> Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    fs::write(docs.join(name), text).with_context(|| format!("docs/{name}"))
}

/// Runs the rows whose names contain `words`, for our allocators and the limit, and prints the table: for work on ours.
fn try_out<R>(rows: &[Row<R>], entrants: &[Entrant<R>], words: &str) {
    let few: Vec<_> = entrants.iter().filter(|(role, _)| *role != Role::Peer).copied().collect();
    let results = rows::measure("", rows, &few, words);
    if !results.lines.is_empty() {
        println!("{}", bench_report::table(&results));
    }
}
