//! What the memory tests share.
//!
//! Conservation of pages, the kernel log, hoards of pages, calls in interrupt context.
#![allow(dead_code, reason = "each test file uses a part of this")]

pub mod modules;

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use core::time::Duration;

use kernel::debug::probe::probe_read;
use kernel::mm::{KString, KVec, Kernel};
use kernel::sync::SpinLock;
use kernel::testing::memory;
use kernel::timer::Timer;
use kernel::{log, sched};
use mm::own::KArc;
use mm::{CacheFlags, CacheSpec, GfpFlags, Order, Pfn, VirtAddr, ZoneKind};

pub const KERNEL: GfpFlags = GfpFlags::KERNEL;
pub const ATOMIC: GfpFlags = GfpFlags::ATOMIC;
pub const DMA: GfpFlags = GfpFlags::DMA;
/// Of any zone, to its last page.
pub const EVERYTHING: GfpFlags = GfpFlags::ATOMIC.union(GfpFlags::HIGHMEM);

/// The first physical address that ISA DMA does not reach.
pub const DMA_LIMIT: u64 = 16 << 20;

pub fn order(log2: usize) -> Order {
    Order::new(log2).unwrap()
}

pub fn nap(millis: u64) {
    sched::sleep(Duration::from_millis(millis)).unwrap();
}

/// Free blocks of each order of each zone, once threads that ended and caches have given back what they hold.
fn settled() -> [[usize; Order::COUNT]; ZoneKind::COUNT] {
    nap(30);
    merged()
}

/// Free blocks of each order of each zone, once caches and magazines have given back what they hold.
pub fn merged() -> [[usize; Order::COUNT]; ZoneKind::COUNT] {
    while memory().drop_caches() > 0 {}
    free_blocks()
}

/// Free blocks of each order of each zone.
pub fn free_blocks() -> [[usize; Order::COUNT]; ZoneKind::COUNT] {
    ZoneKind::ALL.map(|kind| memory().pages().zone_stats(kind).blocks)
}

/// Makes room for the caches that a test makes at once: the memory of caches never goes back.
fn make_room_for_caches() {
    let caches = ["test-room-1", "test-room-2", "test-room-3", "test-room-4"].map(|name| {
        let spec = CacheSpec { name, size: 64, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
        memory().kmem_cache_create(&spec).unwrap()
    });
    caches.into_iter().for_each(|cache| memory().kmem_cache_destroy(cache).unwrap());
}

/// Runs `f`, and checks that the allocators are sound and the same pages are free as before, in blocks of the same
/// sizes.
pub fn conserves<R>(f: impl FnOnce() -> R) -> R {
    make_room_for_caches();
    let before = settled();
    let result = f();
    assert_eq!(settled(), before, "free blocks of each order and zone");
    assert_eq!(memory().validate(), Ok(()));
    result
}

/// The kernel log from some moment on.
pub struct Log(log::Position);

impl Log {
    /// What is logged from now on.
    pub fn from_here() -> Self {
        Self(log::end())
    }

    /// All of it.
    pub fn whole() -> Self {
        Self(log::Position::FIRST)
    }

    /// Whether `text` was logged.
    pub fn shows(&self, text: &str) -> bool {
        self.count(text) > 0
    }

    /// How often `text` was logged.
    pub fn count(&self, text: &str) -> usize {
        let mut count = 0;
        self.each(|message| {
            count += message.windows(text.len()).filter(|&window| window == text.as_bytes()).count();
        });
        count
    }

    /// What was logged behind the first `mark`, up to the end of its line.
    pub fn line_after(&self, mark: &str) -> KString {
        let mut found = None;
        self.each(|message| {
            let text = core::str::from_utf8(message).unwrap();
            if let Some((_, rest)) = text.split_once(mark) {
                let line = rest.lines().next().unwrap_or_default();
                found.get_or_insert_with(|| KString::from_str(line, KERNEL).unwrap());
            }
        });
        found.unwrap_or_else(|| KString::from_str("", KERNEL).unwrap())
    }

    /// Calls `visit` with each message.
    fn each(&self, mut visit: impl FnMut(&[u8])) {
        let (mut position, mut message) = (self.0, log::Message::new());
        while let Some(next) = log::read(position, &mut message) {
            visit(message.text());
            position = next;
        }
    }
}

/// Runs `call` once in interrupt context, from a timer, and waits for its end.
pub fn in_interrupt(call: fn()) {
    static CALL: SpinLock<Option<fn()>> = SpinLock::new(None);
    static DONE: AtomicBool = AtomicBool::new(false);
    static TIMER: Timer = Timer::new(|_| {
        if let Some(call) = CALL.with(Option::take) {
            call();
        }
        DONE.store(true, SeqCst);
    });
    CALL.with(|slot| *slot = Some(call));
    DONE.store(false, SeqCst);
    TIMER.add(Duration::from_millis(10), 0);
    while !DONE.load(SeqCst) {
        nap(10);
    }
}

/// Single pages that are held, so that others find none.
pub struct Hoard(KVec<Pfn>);

impl Hoard {
    /// An empty hoard with room for all of memory: filling it allocates nothing else.
    pub fn new() -> Self {
        Self(KVec::with_capacity(memory().pages().managed_pages(), KERNEL).unwrap())
    }

    /// Takes pages until none is to be had with these flags.
    pub fn fill(&mut self, gfp: GfpFlags) {
        while let Ok(page) = memory().alloc_pages(gfp, Order::ZERO) {
            self.0.push(page, ATOMIC).unwrap();
        }
    }

    /// Takes pages as long as `more` holds.
    pub fn fill_while(&mut self, gfp: GfpFlags, more: impl Fn() -> bool) {
        while more() {
            self.0.push(memory().alloc_pages(gfp, Order::ZERO).unwrap(), ATOMIC).unwrap();
        }
    }

    /// Frees up to `count` pages for which `which` holds.
    pub fn release(&mut self, count: usize, which: impl Fn(Pfn) -> bool) {
        let mut left = count;
        self.0.retain(|&page| {
            let goes = left > 0 && which(page);
            if goes {
                left -= 1;
                memory().free_frames(page, Order::ZERO).unwrap();
            }
            !goes
        });
    }

    pub fn pages(&self) -> &[Pfn] {
        &self.0
    }
}

impl Drop for Hoard {
    fn drop(&mut self) {
        while let Some(page) = self.0.pop() {
            memory().free_frames(page, Order::ZERO).unwrap();
        }
    }
}

/// The byte at `offset` of a page of any zone, seen not by the addresses of an area but by kmap_atomic.
pub fn byte_of(page: Pfn, offset: usize) -> u8 {
    let shown = memory().kmap_atomic(page).unwrap();
    probe_read(shown.addr().add(offset)).unwrap()
}

/// Fills `bytes` bytes from `at` on with a pattern that depends on `seed`.
///
/// # Safety
/// The memory is the caller's.
pub unsafe fn stamp(at: VirtAddr, bytes: usize, seed: usize) {
    for offset in 0..bytes {
        // SAFETY: the caller's promise.
        unsafe { at.add(offset).as_mut_ptr::<u8>().write_volatile(mark(offset, seed)) };
    }
}

/// Whether the pattern of [`stamp`] is there.
///
/// # Safety
/// The memory is the caller's.
pub unsafe fn is_stamped(at: VirtAddr, bytes: usize, seed: usize) -> bool {
    // SAFETY: the caller's promise.
    (0..bytes).all(|offset| unsafe { at.add(offset).as_mut_ptr::<u8>().read_volatile() } == mark(offset, seed))
}

fn mark(offset: usize, seed: usize) -> u8 {
    (offset ^ (offset >> 8) ^ seed.wrapping_mul(101)) as u8
}

/// A counter that callbacks share with the test.
pub fn counter() -> KArc<AtomicU32, Kernel> {
    KArc::new(AtomicU32::new(0), KERNEL).unwrap()
}
