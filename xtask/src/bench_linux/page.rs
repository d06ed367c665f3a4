//! docs/benchmarks-linux.md: the two kernels side by side.

use std::fmt::Write;

use bench_report::commit;

use super::dd::Time;
use super::pair::Pair;
use super::{notes, summary};

/// Where it is kept.
pub const PAGE: &str = "docs/benchmarks-linux.md";

/// What is to be reached, as a part of what it costs on Linux.
const TARGETS: [(&str, f64); 10] = [
    ("proc_getpid", 0.5),
    ("proc_fault_anonymous", 0.5),
    ("proc_fork_exit_wait_busybox", 0.5),
    ("proc_cat_bigfile_scullp", 1.0),
    ("proc_pages_of_idle_shell", 1.0),
    ("disk_buffer_hit", 0.333),
    ("disk_swap_page", 0.5),
    ("disk_reclaim_clean_page", 0.333),
    ("disk_dd_to_64m", 1.5),
    ("disk_dd_from_64m", 1.5),
];

/// How the rows of the program procbench begin.
pub const PROCESSES: &str = "proc_";
/// How those of disks do.
pub const DISKS: &str = "disk_";

/// The whole document. `linux` is that kernel's name and version; `alone` is how many of our rows have no figure of it.
pub fn render(linux: &str, pairs: &[Pair<'_>], times: &[Time], alone: usize) -> String {
    let times = in_millions(times);
    let (processes, others): (Vec<&Pair<'_>>, Vec<_>) = pairs.iter().partition(|it| it.name.starts_with(PROCESSES));
    let (disks, allocators): (Vec<&Pair<'_>>, _) = others.into_iter().partition(|it| it.name.starts_with(DISKS));
    format!(
        "# Beside Linux\n\n\
         Written by `make bench-linux`. Measured at {}, beside {linux}.\n\n\
         {}\n\
         Both kernels run in the same QEMU with `-icount`: each figure is the median of many rounds, in instructions \
         an\noperation. Debian's hardening is switched off (`bench/linux/run.sh`). Lower is better.\n\n\
         ## Processes\n\n{}\n{}\n\
         ## Disks, and memory that is short\n\n{}\n{}\n{}\n{}\n\
         ## Allocators\n\n{}\n{}",
        commit(),
        summary::paragraph(&[pairs, &times].concat(), alone),
        notes::PROCESSES,
        table(&processes),
        notes::DISKS,
        table(&disks),
        notes::DD,
        table(&times.iter().collect::<Vec<_>>()),
        notes::ALLOCATORS,
        table(&allocators),
    )
}

/// Times as rows of the page, in millions of ticks.
pub fn in_millions(times: &[Time]) -> Vec<Pair<'_>> {
    times.iter().map(|time| Pair { name: &time.name, ours: time.ours / 1e6, linux: time.linux / 1e6 }).collect()
}

fn table(pairs: &[&Pair<'_>]) -> String {
    let mut text =
        String::from("| row | Scullery | Linux | Scullery / Linux | to reach |\n|---|---:|---:|---:|---:|\n");
    for pair in pairs {
        let name = [PROCESSES, DISKS].iter().find_map(|prefix| pair.name.strip_prefix(prefix)).unwrap_or(pair.name);
        let target = TARGETS.iter().find(|(name, _)| *name == pair.name);
        let target = target.map_or_else(|| "-".into(), |(_, most)| at_least_one_digit(*most));
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {name} | {:.1} | {:.1} | {:.3} | {target} |", pair.ours, pair.linux, pair.ratio());
    }
    text
}

fn at_least_one_digit(target: f64) -> String {
    if (target * 10.0).fract() == 0.0 { format!("{target:.1}") } else { target.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{Pair, Time, render};

    #[test]
    fn processes_and_disks_have_targets_and_tables_of_their_own() {
        let pair = |name, ours, linux| Pair { name, ours, linux };
        let pairs = [pair("kmalloc_8", 1.0, 4.0), pair("proc_getpid", 30.0, 60.0), pair("disk_buffer_hit", 1.0, 5.0)];
        let times = [Time { name: "disk_dd_to_64m".into(), ours: 5e6, linux: 4e6 }];
        let page = render("Linux 6.1", &pairs, &times, 2);
        let (processes, allocators) = page.split_once("## Allocators").expect("both tables");
        assert!(processes.contains("| getpid | 30.0 | 60.0 | 0.500 | 0.5 |"), "{page}");
        assert!(processes.contains("| buffer_hit | 1.0 | 5.0 | 0.200 | 0.333 |"), "{page}");
        assert!(processes.contains("| dd_to_64m | 5.0 | 4.0 | 1.250 | 1.5 |"), "{page}");
        assert!(allocators.contains("| kmalloc_8 | 1.0 | 4.0 | 0.250 | - |"), "{page}");
        assert!(page.lines().all(|line| line.len() <= 120), "{page}");
        let head = page.split("\nBoth kernels").next().expect("a head");
        assert!(head.contains("\nIn short: rows 4 (2 more have"), "{head}");
        assert!(head.contains("above 1: 1 (disk_dd_to_64m 1.250).\n"), "{head}");
    }
}
