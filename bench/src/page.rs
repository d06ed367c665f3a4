//! The document around the tables.

use std::fs;
use std::process::Command;

use crate::results::Results;
use crate::table;

/// A part of the document: a table and what must be known to read it.
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// The file of its plot, beside the document.
    pub plot: &'static str,
    notes: &'static str,
}

/// The parts, in the order of the results.
pub const SECTIONS: [Section; 3] = [
    Section { title: "Pages", plot: "benchmarks.svg", notes: PAGES },
    Section { title: "Objects", plot: "benchmarks-objects.svg", notes: OBJECTS },
    Section { title: "Areas", plot: "benchmarks-areas.svg", notes: AREAS },
];

const PAGES: &str = "\
Ours is alloc_pages and free_pages. All allocators manage 128 MiB.

- Pair: a block is allocated and freed, again and again. Batch: 1000 blocks are allocated, then all are freed, the last
  one first or at random.
- Steady: half of the memory is allocated; a page at random is freed and another one allocated, again and again.
- Drain: all memory is allocated page by page, then freed at random until it is merged again; only the frees and the
  merging count.
- 2 CPUs: both do the same at once, or one allocates and the other frees what it gets.
- talc, linked_list and rlsf are heaps, asked for blocks of whole pages that start at a page.
- Metadata kept inside the managed memory counts as the memory that cannot be handed out.
- Churn: 20 times, blocks of 1 to 8 pages grow to a half of the memory and shrink at random to a quarter; then they grow
  to a half again. Here more is better.
";

const OBJECTS: &str = "\
Ours is kmalloc, and kfree, which is told the pointer alone; the others are told the size too when they free. kmem_cache
is ours as well: kmem_cache_alloc and kmem_cache_free with a cache for the size. mimalloc and snmalloc are allocators
for programs, which let the host do what a kernel must do itself; they stand here for scale and are no \"best peer\".

- Pair and batch are as above.
- Mixed sizes: 4000 objects of 16 to 1024 bytes are live; one at random is freed and one of another size allocated,
  again and again (after Larson and Krishnan 1998).
- 2 CPUs: as above, with 64 bytes.
";

const AREAS: &str = "\
Ranges of addresses, as vmalloc takes them: ours is its allocator of vm areas with look-up by address, without pages and
page tables, and with a TLB flush that costs nothing. All have 4 GiB of addresses; a guard page follows each area.
offset-allocator wants its own handle back, so it has an array here that finds it by address.

- Pair: an area of 4 pages is allocated and freed, again and again, while no others are live, or 1000 others of 1 to 16
  pages that lie in a row.
- Mixed sizes: one of the live areas, at random, is freed and another one of 1 to 16 pages allocated, again and again.
- Two CPUs, each in a pair loop; then 500 areas at a time go from the one that allocates to the one that frees.
- First fit over a B-tree is the plain way, written for this comparison: all areas by address, and a walk to the first
  gap.
";

/// The whole document.
pub fn render(results: &[Results]) -> String {
    let mut text = format!(
        "# Benchmarks of the allocators\n\n\
         Written by `make bench`, which runs `cargo run --release -p bench`. Measured at {}.\n\n\
         Machine: {}.\n\
         Each figure is the median of many rounds, in ticks of the time-stamp counter for an allocation and its free.\n\
         All allocators of a table are measured in turn within one process, through calls that the compiler cannot\n\
         look into. Lower is better.\n\n\
         - The limit is a bare stack of numbers for each size: no lock, no check, no merging, one thread.\n\
         - Targets are what to pass, and what to pass with distinction.\n\
         - All but the limit can be used by several CPUs: those that are not made for it are behind a spinlock.\n\
         - `-`: the allocator has no such operation. `>`: given up, the figure is larger.\n",
        commit(),
        machine(),
    );
    for (section, results) in SECTIONS.iter().zip(results) {
        let Section { title, plot, notes } = section;
        let table = table::render(results);
        text += &format!("\n## {title}\n\n{notes}\n![{title}: the rows in ticks, as bars]({plot})\n\n{table}");
    }
    text
}

/// What was measured, as git names it.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changes = git(&["status", "--porcelain", "--untracked-files=no"]).filter(|changes| !changes.is_empty());
    let more = if changes.is_some() { " with changes" } else { "" };
    git(&["rev-parse", "--short", "HEAD"])
        .map_or_else(|| "an unknown commit".into(), |commit| format!("commit `{commit}`{more}"))
}

/// What the machine says of its processors.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut names = info.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = names.next().map_or("an unknown processor", |(_, name)| name);
    format!("{name}, CPUs: {}", 1 + names.count())
}
