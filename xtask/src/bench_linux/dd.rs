//! dd to and from a disk of QEMU's, by the host's clock.
//!
//! Both kernels run in turn, so that both meet the same host.

use std::fs::{self, File};

use anyhow::Result;

use super::runs::{MACHINE, linux_log, run_linux, run_ours};
use crate::bench_rows::{Row, row};
use crate::cargo;

/// How often both run.
const TURNS: usize = 5;
/// Bytes of the disk: what dd moves, and as much again.
const DISK_BYTES: u64 = 128 << 20;
const LINES: &str = "/bin/diskbench dd /dev/vda\n";

/// A row in ticks of the host's time: of the turn whose ratio is in the middle.
#[derive(Debug, Clone, PartialEq)]
pub struct Time {
    pub name: String,
    pub ours: f64,
    pub linux: f64,
}

impl Time {
    /// Less than 1 where ours takes less.
    pub fn ratio(&self) -> f64 {
        self.ours / self.linux
    }
}

/// Runs both in turn, and lays side by side what they took.
pub fn pairs() -> Result<Vec<Time>> {
    let disk = cargo::target_dir().join("bench-linux").join("dd.img");
    fs::create_dir_all(disk.parent().unwrap_or(&disk))?;
    File::create(&disk)?.set_len(DISK_BYTES)?;
    let mut times = Vec::new();
    for _ in 0..TURNS {
        run_linux(&[("DISK", &disk)])?;
        let linux = linux_log("linux-dd.log")?;
        let ours = run_ours(&format!("{MACHINE} DISK={}", disk.display()), LINES)?;
        let linux: Vec<Row<'_>> = linux.lines().filter_map(row).collect();
        times.extend(ours.lines().filter_map(row).filter_map(|row| beside(row, &linux)));
    }
    fs::remove_file(&disk)?;
    Ok(medians(times))
}

fn beside((name, ours): Row<'_>, theirs: &[Row<'_>]) -> Option<Time> {
    let &(_, linux) = theirs.iter().find(|(other, _)| *other == name)?;
    Some(Time { name: name.to_owned(), ours, linux })
}

/// Of each row the turn in the middle.
fn medians(mut times: Vec<Time>) -> Vec<Time> {
    times.sort_by(|left, right| left.name.cmp(&right.name).then(left.ratio().total_cmp(&right.ratio())));
    times.chunk_by(|left, right| left.name == right.name).map(|turns| turns[turns.len() / 2].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Time, medians};

    #[test]
    fn the_turn_in_the_middle_counts() {
        let time = |name: &str, ours, linux| Time { name: name.into(), ours, linux };
        let turns = vec![time("b", 9.0, 1.0), time("a", 3.0, 1.0), time("b", 2.0, 1.0), time("b", 4.0, 4.0)];
        assert_eq!(medians(turns), [time("a", 3.0, 1.0), time("b", 2.0, 1.0)]);
    }
}
