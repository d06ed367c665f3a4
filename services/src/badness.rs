//! Which process goes first when memory is out. (Linux 2.4: `badness`.)
//!
//! Much memory speaks against a process; CPU time that it has used, and time that it has been there, speak for it: the
//! less work is lost, the better.

/// Seconds of CPU time that count as one.
const CPU_UNIT: u64 = 8;
/// Seconds since a process began that count as one.
const RUN_UNIT: u64 = 1024;

/// How much speaks against a process with `pages` of addresses that has used `cpu_seconds` and began `run_seconds` ago.
///
/// ```
/// use services::badness::badness;
///
/// // A hundred mebibytes of half a minute's work, and ten of a shell.
/// assert!(badness(25_600, 30, 40) > badness(2_560, 1, 4_000));
/// ```
pub const fn badness(pages: u64, cpu_seconds: u64, run_seconds: u64) -> u64 {
    pages / root(cpu_seconds / CPU_UNIT) / root(root(run_seconds / RUN_UNIT))
}

/// The square root, at least 1.
const fn root(of: u64) -> u64 {
    let root = of.isqrt();
    if root == 0 { 1 } else { root }
}

#[cfg(test)]
mod tests {
    use super::badness;

    #[test]
    fn memory_speaks_against_a_process() {
        assert_eq!(badness(0, 0, 0), 0);
        assert_eq!(badness(1000, 0, 0), 1000);
        assert_eq!(badness(1000, 7, 1023), 1000);
    }

    #[test]
    fn work_speaks_for_it_by_the_square_root() {
        assert_eq!(badness(1000, 4 * 8, 0), 500);
        assert_eq!(badness(1000, 100 * 8, 0), 100);
    }

    #[test]
    fn age_speaks_for_it_by_the_fourth_root() {
        assert_eq!(badness(1000, 0, 15 * 1024), 1000);
        assert_eq!(badness(1000, 0, 16 * 1024), 500);
        assert_eq!(badness(1000, 4 * 8, 16 * 1024), 250);
    }

    #[test]
    fn the_largest_numbers_are_no_trouble() {
        assert_eq!(badness(u64::MAX, u64::MAX, u64::MAX), u64::MAX / 1_518_500_249 / 11_585);
    }
}
