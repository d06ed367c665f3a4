//! The page cache of this kernel, and the threads that write back.
//!
//! What is in it is the crate `pagecache`'s to say; files and disks make mappings of it (`fs`), and reclaim asks it for
//! pages. `bdflush` is woken when much is dirty, and `kupdated` looks for what is old now and then;
//! /proc/sys/vm/bdflush has the numbers that both go by.

use alloc::sync::Arc;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
use core::time::Duration;

use ::mm::AllocError;
use kapi::Errno;
use pagecache::{Backing, BdFlush, PageCache};
use spin::Once;

use super::global::{Kernel, memory};
use crate::sched::{self, WaitQueue};
use crate::time;

pub use pagecache::ErrorsSeen;

/// The bytes of a file or a disk in the page cache.
pub type Mapping = pagecache::Mapping<Kernel>;

/// The longest that the end of the machine waits for disks.
const LAST_SYNC: Duration = Duration::from_secs(30);

/// How long kupdated sleeps at most before it looks whether the interval is another one.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

static PAGE_CACHE: Once<PageCache<Kernel>> = Once::new();

/// The page cache.
pub fn page_cache() -> &'static PageCache<Kernel> {
    PAGE_CACHE.call_once(|| PageCache::new(|| time::ticks().0))
}

/// Gives the page cache its room, and lets reclaim ask it. Once, at boot, before the first mapping.
///
/// # Errors
/// No memory.
pub fn start() -> Result<(), AllocError> {
    page_cache().start()?;
    memory().pages().register_shrinker(page_cache())
}

/// Starts the two threads. Once, at boot.
///
/// # Errors
/// No memory.
pub fn start_threads() -> Result<(), AllocError> {
    sched::spawn("bdflush", run_bdflush)?;
    sched::spawn("kupdated", run_kupdated).map(drop)
}

fn run_bdflush() -> i32 {
    sched::set_essential();
    loop {
        if page_cache().bdflush_wait().is_err() {
            return 1;
        }
        page_cache().bdflush_round();
    }
}

fn run_kupdated() -> i32 {
    sched::set_essential();
    let mut last = time::ticks().0;
    loop {
        let interval = page_cache().bdflush().interval();
        let pause = if interval == 0 { LONGEST_SLEEP } else { LONGEST_SLEEP.min(time::TICK * interval) };
        if sched::sleep(pause).is_err() {
            return 1;
        }
        let (now, interval) = (time::ticks().0, page_cache().bdflush().interval());
        if interval != 0 && now - last >= u64::from(interval) {
            page_cache().kupdate_round();
            last = now;
        }
    }
}

/// The pages of `backing`, which holds `bytes` bytes; `name` is for people. Process context.
///
/// # Errors
/// `ENOMEM`, `EFBIG`.
pub fn mapping(backing: Arc<dyn Backing>, bytes: u64, name: &str) -> Result<Mapping, Errno> {
    page_cache().mapping(backing, bytes, name)
}

/// Waits until what was written to files is where it is kept. Process context.
///
/// # Errors
/// `EIO` when some of it could not be written.
pub fn sync() -> Result<(), Errno> {
    page_cache().sync()
}

/// The same before the machine ends: at most half a minute, however a disk answers.
pub fn sync_at_the_end() {
    static ENDED: WaitQueue = WaitQueue::new();
    static HAS_ENDED: AtomicBool = AtomicBool::new(false);
    if !page_cache().has_work() {
        return;
    }
    let syncing = sched::spawn("sync", || {
        let failed = sync().is_err();
        // Whoever waits may look before this thread has ended.
        HAS_ENDED.store(true, Release);
        ENDED.wake_all();
        i32::from(failed)
    });
    if syncing.is_err() {
        // Without memory for a thread of its own it is done here.
        let _: Result<(), _> = sync();
        return;
    }
    match ENDED.wait_timeout(|| HAS_ENDED.load(Acquire), LAST_SYNC) {
        Ok(true) => {}
        Ok(false) | Err(_) => crate::klog!("sync: the disks do not answer: what is not written is lost"),
    }
}

/// Writes /proc/sys/vm/bdflush.
pub fn show_bdflush(out: &mut dyn Write) -> fmt::Result {
    let numbers = page_cache().bdflush().numbers();
    for (nth, number) in numbers.iter().enumerate() {
        write!(out, "{}{number}", if nth == 0 { "" } else { "\t" })?;
    }
    writeln!(out)
}

/// Sets the first of the numbers to those that `line` has; the others stay. `EINVAL`, and nothing changes, where one is
/// out of its range, or none is given.
pub fn set_bdflush(line: &str) -> Result<(), Errno> {
    let mut numbers = page_cache().bdflush().numbers();
    let mut given = 0;
    for word in line.split_ascii_whitespace() {
        *numbers.get_mut(given).ok_or(Errno::EINVAL)? = word.parse().map_err(|_| Errno::EINVAL)?;
        given += 1;
    }
    let wanted = BdFlush::new(numbers).filter(|_| given > 0).ok_or(Errno::EINVAL)?;
    page_cache().set_bdflush(wanted);
    Ok(())
}
