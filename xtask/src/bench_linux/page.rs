//! docs/benchmarks-linux.md: the two kernels side by side.

use std::fmt::Write;
use std::process::Command;

/// Where it is kept.
pub const PAGE: &str = "docs/benchmarks-linux.md";

/// A row that both kernels have.
#[derive(Debug, PartialEq)]
pub struct Pair<'a> {
    pub name: &'a str,
    pub ours: f64,
    pub linux: f64,
}

impl Pair<'_> {
    /// Less than 1 where ours costs less.
    pub fn ratio(&self) -> f64 {
        self.ours / self.linux
    }
}

/// What processes are to cost, as a part of what they cost on Linux.
const TARGETS: [(&str, f64); 5] = [
    ("proc_getpid", 0.5),
    ("proc_fault_anonymous", 0.5),
    ("proc_fork_exit_wait_busybox", 0.5),
    ("proc_cat_bigfile_scullp", 1.0),
    ("proc_pages_of_idle_shell", 1.0),
];

/// How the rows of the program procbench begin.
pub const PROCESSES: &str = "proc_";

const PROCESS_NOTES: &str = "\
`userland/procbench.c`, one static program, runs on both kernels, with the same static busybox beside it.

- getpid: the call alone, 1000 times.
- fault_anonymous: the first write to each of 256 pages. fault_copy_on_write: the same by a child that shares them.
- fork_exit_wait: of procbench itself. fork_exec_exit_wait: the child becomes `busybox true`.
- fork_exit_wait_busybox: what `(:)` costs a busybox shell beyond `{ :; }`, part of which is the shell's own work.
- cat_bigfile_scullp: `busybox sh -c 'cat /tmp/bigfile > /dev/scullp0'`, from fork to wait. On Linux scullp is the
  driver of `bench/linux/scullfam.c`, /tmp is a tmpfs, and sendfile is refused by such a driver, so that cat reads and
  writes.
- pages_of_idle_shell: how many pages the machine has less for each of 100 shells that wait for a line: pages of the
  process, of page tables, of its kernel stack, of the kernel's records. What all shells share does not count.
";

/// The whole document. `linux` is that kernel's name and version.
pub fn render(linux: &str, pairs: &[Pair<'_>]) -> String {
    let (processes, allocators): (Vec<&Pair<'_>>, _) = pairs.iter().partition(|it| it.name.starts_with(PROCESSES));
    format!(
        "# Beside Linux\n\n\
         Written by `make bench-linux`. Measured at {}, beside {linux}.\n\n\
         Both kernels run in the same QEMU with `-icount`: each figure is the median of many rounds, in instructions \
         an\noperation. Debian's hardening is switched off (`bench/linux/run.sh`). Lower is better.\n\n\
         ## Processes\n\n{PROCESS_NOTES}\n{}\n\
         ## Allocators\n\nThe command `bench` here, the module `bench/linux/membench.c` there.\n\n{}",
        commit(),
        table(&processes),
        table(&allocators),
    )
}

fn table(pairs: &[&Pair<'_>]) -> String {
    let mut text =
        String::from("| row | Scullery | Linux | Scullery / Linux | to reach |\n|---|---:|---:|---:|---:|\n");
    for pair in pairs {
        let name = pair.name.strip_prefix(PROCESSES).unwrap_or(pair.name);
        let target = TARGETS.iter().find(|(name, _)| *name == pair.name);
        let target = target.map_or_else(|| "-".into(), |(_, most)| format!("{most:.1}"));
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {name} | {:.1} | {:.1} | {:.3} | {target} |", pair.ours, pair.linux, pair.ratio());
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

#[cfg(test)]
mod tests {
    use super::{Pair, render};

    #[test]
    fn processes_have_targets_and_allocators_a_table_of_their_own() {
        let pairs =
            [Pair { name: "kmalloc_8", ours: 1.0, linux: 4.0 }, Pair { name: "proc_getpid", ours: 30.0, linux: 60.0 }];
        let page = render("Linux 6.1", &pairs);
        let (processes, allocators) = page.split_once("## Allocators").expect("both tables");
        assert!(processes.contains("| getpid | 30.0 | 60.0 | 0.500 | 0.5 |"), "{page}");
        assert!(allocators.contains("| kmalloc_8 | 1.0 | 4.0 | 0.250 | - |"), "{page}");
        assert!(page.lines().all(|line| line.len() <= 120), "{page}");
    }
}
