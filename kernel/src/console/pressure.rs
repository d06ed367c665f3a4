//! `pressure`: what requests of different flags do when memory is out.
//!
//! A file or a disk may be written to before, so that there are dirty pages to be written; processes that sleep on what
//! they have make pages to be swapped. (Chapter: "The Flags Argument".)

use core::time::Duration;

use ::mm::{GfpFlags, PAGE_SIZE};
use kapi::{Errno, OpenFlags};
use shell::env::File;
use shell::options::number;
use shell::{Env, Failure, Job, Outcome, Status};

use crate::mm::{memory, pressure};
use crate::sched::{self, Mutex};

/// What is asked for, row by row.
const ROWS: [(&str, GfpFlags); 4] = [
    ("GFP_KERNEL", GfpFlags::KERNEL),
    ("GFP_BUFFER", GfpFlags::BUFFER),
    ("GFP_ATOMIC", GfpFlags::ATOMIC),
    ("GFP_USER", GfpFlags::USER),
];
/// Pages that are asked for in each row, when no number is given.
const PAGES: u64 = 16;
/// The most of them.
const MAX_PAGES: u64 = 1024;
/// What is said of any other number.
const BAD_PAGES: &str = "pages go from 1 to 1024";
const _: () = assert!(MAX_PAGES == 1024, "as BAD_PAGES says");
/// The part of memory that is written to the file: less than wakes bdflush, which would write it back at once.
const DIRTY_PART: usize = 8;

/// By then threads that have ended have given back what they had.
const SETTLE: Duration = Duration::from_millis(50);

/// One run at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// What `help pressure` tells.
pub const MANUAL: &str = "\
FILE      is written to before each row, an eighth of memory at most: what it held is lost. /dev/ram0, for example.
pages=N   pages that are asked for in each row, one by one until one is refused: 1 to 1024, 16 if no number is given
All memory above the watermark min is taken for a moment; then pages are asked for with the flags of each row:
  got, failed   pages, and whether the request after them was refused
  ms, sleeps    how long all of them took, and how often one slept
  wrote         dirty pages that a request itself began to write
  kswapd        dirty pages that kswapd began to write meanwhile
  swapped       pages of processes that went to swap meanwhile
  reserve       pages from below min
";

/// `pressure [FILE] [pages=N]`: a line for each collection of flags.
pub fn run<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let (mut path, mut pages) = (None, PAGES);
    for word in job.args.iter() {
        match word.strip_prefix("pages=") {
            Some(count) => pages = number(count)?,
            None if path.is_none() => path = Some(word),
            None => return Err(Failure::Usage("too many operands")),
        }
    }
    if !(1..=MAX_PAGES).contains(&pages) {
        return Err(Failure::Argument(BAD_PAGES, "pages"));
    }
    let _alone = ALONE.lock().map_err(|error| Failure::Plain(error.into()))?;
    let mut out = job.out();
    writeln!(out, "flags        got failed     ms sleeps  wrote kswapd swapped reserve")?;
    for (name, gfp) in ROWS {
        job.go_on()?;
        if let Some(path) = path {
            dirty(job, path).map_err(|errno| Failure::Named(path, errno))?;
        }
        sched::sleep(SETTLE).map_err(|error| Failure::Plain(error.into()))?;
        let seen = pressure::observe(gfp, pages as usize).map_err(|error| Failure::Plain(error.into()))?;
        write!(out, "{name:<11} {:>4} {:>6} {:>6}", seen.granted, seen.failed, millis(seen.took))?;
        write!(out, " {:>6} {:>6} {:>6}", seen.sleeps, seen.laundered, seen.by_kswapd)?;
        writeln!(out, " {:>7} {:>7}", seen.swapped, seen.from_reserve)?;
    }
    out.finish()?;
    Ok(Status::OK)
}

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

/// Writes to the file's start, as much as it takes; nothing of it is on a disk then, if the disk's driver is not fast.
fn dirty<E: Env>(job: &Job<'_, E>, path: &str) -> Result<(), Errno> {
    const PATTERN: [u8; PAGE_SIZE] = [0x5a; PAGE_SIZE];
    // Dirty pages of high memory are of no use to the rows, none of which asks for that.
    let _high = pressure::hold_high_memory()?;
    let file = job.env.open(path, OpenFlags::WRITE)?;
    for _ in 0..memory().pages().managed_pages() / DIRTY_PART {
        job.go_on()?;
        match file.write(&PATTERN) {
            Ok(0) | Err(Errno::ENOSPC) => break,
            Ok(_) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
