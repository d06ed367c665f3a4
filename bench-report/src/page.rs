//! The document around the tables.

use std::fs;

use crate::commit::commit;
use crate::notes;
use crate::results::Results;
use crate::scale::{self, Panel};
use crate::summary::{Ahead, ahead};
use crate::table;

/// A part of the document: a table and what must be known to read it.
pub struct Section {
    /// The file of its plot, beside the document.
    pub plot: &'static str,
    /// What the rows are.
    notes: &'static str,
    /// What they must do: where the limit is.
    limits: &'static str,
}

/// The parts, in the order of the results.
pub const SECTIONS: [Section; 3] = [
    Section { plot: "benchmarks.svg", notes: notes::PAGES, limits: notes::PAGES_LIMITS },
    Section { plot: "benchmarks-objects.svg", notes: notes::OBJECTS, limits: notes::OBJECTS_LIMITS },
    Section { plot: "benchmarks-areas.svg", notes: notes::AREAS, limits: notes::AREAS_LIMITS },
];

/// The whole document.
pub fn render(results: &[Results], scale: &[Panel]) -> String {
    let mut text = format!(
        "# Benchmarks of the allocators\n\n\
         Written by `make bench`, which runs `cargo run --release -p bench`. Measured at {}.\n\n\
         {}\n\
         Machine: {}.\n\
         Each figure is the median of many rounds, in ticks of the time-stamp counter for an allocation and its free.\n\
         All allocators of a table are measured in turn within one process, through calls that the compiler cannot\n\
         look into. Lower is better.\n\n\
         - The limit is a bare stack of numbers for each size: no lock, no check, no merging, one thread.\n\
         - Targets are what to pass, and what to pass with distinction.\n\
         - All but the limit can be used by several CPUs: those that are not made for it are behind a spinlock.\n\
         - `-`: the allocator has no such operation. `>`: given up, the figure is larger.\n\
         - What was tried, and is not kept, was measured with the change on a tree shortly before commit `55cdfe9`.\n",
        commit(),
        head(results),
        machine(),
    );
    for (section, results) in SECTIONS.iter().zip(results) {
        let Section { plot, notes, limits } = section;
        let title = results.title;
        let table = table::render(results);
        text += &format!(
            "\n## {title}\n\n{notes}\n![{title}: the rows in ticks, as bars]({plot})\n\n{table}\n\
             What the rows must do, and where the limit is:\n\n{limits}"
        );
    }
    text + &format!(
        "\n## Scale\n\n{}\n{}\n![Scale: ticks for a call, as lines](benchmarks-scale.svg)\n{}",
        notes::SCALE,
        scale::verdict(scale),
        scale::table(scale)
    )
}

/// How many rows there are, and in which a peer is ahead.
fn head(results: &[Results]) -> String {
    let rows: usize = results.iter().map(|results| results.lines.len()).sum();
    let behind: Vec<Ahead> = results.iter().flat_map(ahead).collect();
    if behind.is_empty() {
        return format!("Rows: {rows}. No peer is ahead in any.\n");
    }
    let mut lines = vec![["row", "ours", "peer", "theirs", "ours / theirs"].map(String::from).to_vec()];
    lines.extend(behind.iter().map(|it| it.cells().to_vec()));
    format!("Rows: {rows}. A peer is ahead in {}:\n\n{}", behind.len(), table::align(&lines))
}

/// What the machine says of its processors.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut names = info.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = names.next().map_or("an unknown processor", |(_, name)| name);
    format!("{name}, CPUs: {}", 1 + names.count())
}

#[cfg(test)]
mod tests {
    use super::{SECTIONS, render};
    use crate::results::Results;
    use crate::rows::{Heading, Outcome, Role, Unit};
    use crate::scale::{Curve, Panel};

    fn results(title: &'static str, ours: f64, theirs: f64) -> Results {
        let heading = Heading { name: "pair", unit: Unit::Ticks, targets: &[] };
        let columns = vec![(Role::Ours, "Scullery"), (Role::Peer, "bitmap")];
        Results {
            title,
            columns,
            lines: vec![(heading, vec![Some(Outcome::Exactly(ours)), Some(Outcome::Exactly(theirs))])],
        }
    }

    fn scale() -> Vec<Panel> {
        let curve = Curve { name: "boot", points: vec![(1, 10.0), (16, 40.0)], why: "Frames." };
        vec![Panel { title: "GiB", curves: vec![curve] }]
    }

    #[test]
    fn the_page_says_at_its_head_who_is_ahead() {
        let page = render(&[results("Pages", 20.0, 16.0), results("Objects", 1.0, 1.0)], &scale());
        let head = page.split("\nMachine:").next().expect("a head");
        assert!(head.contains("Rows: 2. A peer is ahead in 1:\n\n| row         | ours |"), "{head}");
        assert!(head.contains("| Pages: pair | 20.0 | bitmap |   16.0 |          1.25 |"), "{head}");
        assert!(render(&[results("Pages", 1.0, 1.0)], &scale()).contains("\nRows: 1. No peer is ahead in any.\n"));
    }

    #[test]
    fn the_page_has_all_tables_and_plots_with_their_limits() {
        let titles = ["Pages", "Objects", "Areas"];
        let page = render(&titles.map(|title| results(title, 1.0, 1.0)), &scale());
        for (section, title) in SECTIONS.iter().zip(titles) {
            assert!(page.contains(&format!("\n## {title}\n")) && page.contains(section.plot), "{page}");
            assert!(page.contains(section.limits), "{page}");
        }
        assert!(page.contains("- boot, over GiB: 4.0 times. Frames."), "{page}");
        let is_wide = |line: &&str| line.len() > 120 && !line.starts_with('|');
        assert_eq!(page.lines().find(is_wide), None);
    }
}
