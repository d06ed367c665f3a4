//! Compares the page allocator with those of crates.io, all in one run.
//!
//! Prints a table, and writes it to `docs/benchmarks.md` with a plot in `docs/benchmarks.svg`. A program, not a test:
//! it judges no figure. With an argument it only prints the rows whose names contain that, for our allocator.
//!
//! `peers` has the allocators, `rows` what is measured, `table` and `plot` the output.

mod arena;
mod clock;
mod cpu;
mod peers;
mod plot;
mod random;
mod rows;
mod table;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use peers::{LIMIT, OURS, PEERS};
use rows::ROWS;

const COMMAND: &str = "cargo run --release -p bench";

fn main() -> Result<()> {
    cpu::become_cpu(0);
    if let Some(words) = std::env::args().nth(1) {
        try_out(&words);
        return Ok(());
    }
    let results: Vec<_> = ROWS
        .iter()
        .map(|row| {
            eprintln!("measuring: {}", row.name);
            row.run(&PEERS)
        })
        .collect();
    let table = table::render(&results);
    print!("{table}");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let write = |name: &str, text: String| fs::write(docs.join(name), text).with_context(|| format!("docs/{name}"));
    write("benchmarks.md", page(&table))?;
    write("benchmarks.svg", plot::render(&results))
}

/// Runs the rows whose names contain `words`, for our allocator and the limit alone, and prints their figures: for work
/// on our allocator.
fn try_out(words: &str) {
    for row in ROWS.iter().filter(|row| row.name.contains(words)) {
        let outcomes = row.run(&PEERS[..=LIMIT]);
        println!(
            "{:<36} ours {:>8}  limit {:>8}",
            row.name,
            table::figure(outcomes[OURS]),
            table::figure(outcomes[LIMIT])
        );
    }
}

/// The document around the table.
fn page(table: &str) -> String {
    format!(
        "# Benchmarks of the page allocator\n\n\
         Written by `make bench` (`{COMMAND}`).\n\n\
         Machine: {}, {} CPUs. Each figure is the median of many rounds, in ticks of the time-stamp counter for one\n\
         allocation and its free; drain counts frees and merging only. All allocators manage 128 MiB and are measured in\n\
         turn within one process, through calls that the compiler cannot look into. Lower is better, but for the last row.\n\n\
         - The limit is a bare stack of numbers: no lock, no check, no merging, one thread.\n\
         - Targets are what to pass, and what to pass with distinction.\n\
         - talc, linked_list and rlsf are heaps, asked for blocks of whole pages that start at a page.\n\
         - `-`: the allocator has no such operation. `>`: given up, the figure is larger.\n\
         - Metadata kept inside the managed memory counts as the memory that cannot be handed out.\n\
         - Churn: 20 times, blocks of 1 to 8 pages grow to a half of the memory and shrink at random to a quarter.\n\n\
         ![The rows in ticks, as bars](benchmarks.svg)\n\n{table}",
        cpu_name(),
        std::thread::available_parallelism().map_or(1, usize::from),
    )
}

/// What the machine says that its processor is.
fn cpu_name() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| "an unknown processor".to_string(), |(_, name)| name.to_string())
}
