//! Allocation in interrupt context, beside threads; and what is refused.
//!
//! Machine:
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use core::time::Duration;

use common::{ATOMIC, DMA, KERNEL, Log, conserves, in_interrupt, is_stamped, order, stamp};
use kapi::{IrqReturn, Sharing};
use kernel::irq::{self, Irq};
use kernel::mm::{Kernel, KernelPlatform};
use kernel::sched::{self, spawn};
use kernel::sync::SpinLock;
use kernel::testing::memory;
use kernel::timer::Timer;
use mm::{CacheFlags, CacheRef, CacheSpec, Context, GfpFlags, Global, Order, PhysAddr, VirtAddr};

kernel::test_kernel!(test_main);

/// A line that no device uses, raised by its vector.
const FREE_LINE: u8 = 3;

const SPEC: CacheSpec<'static> =
    CacheSpec { name: "irqalloc", size: 320, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };

static CACHE: SpinLock<Option<CacheRef<KernelPlatform>>> = SpinLock::new(None);

fn cache() -> CacheRef<KernelPlatform> {
    CACHE.with(|cache| *cache).unwrap()
}

/// A piece of memory, and how it was allocated.
#[derive(Clone, Copy)]
enum Piece {
    Pages(VirtAddr, Order),
    Object(NonNull<u8>, usize),
    Cached(NonNull<u8>),
}

// SAFETY: a piece is plain memory that whoever holds it owns.
unsafe impl Send for Piece {}

impl Piece {
    /// Allocates the piece that `number` stands for, and stamps it.
    fn new(number: usize, gfp: GfpFlags) -> Option<Self> {
        let piece = match number % 3 {
            0 => {
                let order = order(number / 3 % 4);
                memory().get_free_pages(gfp, order).ok().map(|addr| Self::Pages(addr, order))
            }
            1 => {
                let size = 1 + number * 37 % 5000;
                memory().kmalloc(size, gfp).ok().map(|object| Self::Object(object, size))
            }
            _ => memory().kmem_cache_alloc(cache(), gfp).ok().map(Self::Cached),
        }?;
        // SAFETY: the memory is ours.
        unsafe { stamp(piece.addr(), piece.bytes(), piece.addr().as_usize() >> 5) };
        Some(piece)
    }

    fn addr(&self) -> VirtAddr {
        match *self {
            Self::Pages(addr, _) => addr,
            Self::Object(object, _) | Self::Cached(object) => VirtAddr::from_ptr(object.as_ptr()),
        }
    }

    /// Bytes that are stamped: the beginning is enough to notice a second owner.
    fn bytes(&self) -> usize {
        match *self {
            Self::Pages(..) => 64,
            Self::Object(_, size) => size.min(64),
            Self::Cached(_) => 64,
        }
    }

    /// Frees the piece; says whether nobody else wrote to it.
    fn free(self) -> bool {
        // SAFETY: the memory is still ours.
        let intact = unsafe { is_stamped(self.addr(), self.bytes(), self.addr().as_usize() >> 5) };
        let freed = match self {
            Self::Pages(addr, order) => memory().free_pages(addr, order),
            Self::Object(object, _) => memory().kfree(object.as_ptr()),
            Self::Cached(object) => memory().kmem_cache_free(cache(), object),
        };
        intact && freed.is_ok()
    }
}

/// Pieces on their way from interrupts to threads and back, so that each frees what the other allocated.
static EXCHANGE: SpinLock<[Option<Piece>; 32]> = SpinLock::new([None; 32]);
static STOP: AtomicBool = AtomicBool::new(false);
static BROKEN: AtomicU32 = AtomicU32::new(0);
static IRQ_ROUNDS: AtomicU32 = AtomicU32::new(0);
static THREAD_ROUNDS: AtomicU32 = AtomicU32::new(0);

/// Allocates a piece, leaves it in the exchange, and frees the one that lay there.
fn round(number: usize, gfp: GfpFlags) {
    let fresh = Piece::new(number, gfp);
    let slot = number * 7 % 32;
    if let Some(old) = EXCHANGE.with(|pieces| core::mem::replace(&mut pieces[slot], fresh)) {
        BROKEN.fetch_add(u32::from(!old.free()), SeqCst);
    }
    BROKEN.fetch_add(u32::from(fresh.is_none()), SeqCst);
}

/// Rounds of one call from an interrupt.
const AT_ONCE: u32 = 100;

fn rounds_in_interrupt() {
    assert_eq!(sched::context(), Context::Interrupt);
    for _ in 0..AT_ONCE {
        round(IRQ_ROUNDS.fetch_add(1, SeqCst) as usize * 5, ATOMIC);
    }
}

/// A thread's work: rounds until it is told to stop.
fn rounds_in_thread() -> i32 {
    while !STOP.load(SeqCst) {
        round(THREAD_ROUNDS.fetch_add(1, SeqCst) as usize, KERNEL);
    }
    0
}

fn start() {
    CACHE.with(|slot| assert!(slot.is_none()));
    let cache = memory().kmem_cache_create(&SPEC).unwrap();
    CACHE.with(|slot| *slot = Some(cache));
    STOP.store(false, SeqCst);
    for counter in [&BROKEN, &IRQ_ROUNDS, &THREAD_ROUNDS] {
        counter.store(0, SeqCst);
    }
}

fn end() {
    for slot in 0..32 {
        if let Some(piece) = EXCHANGE.with(|pieces| pieces[slot].take()) {
            assert!(piece.free());
        }
    }
    assert_eq!(BROKEN.load(SeqCst), 0);
    assert_eq!(memory().validate(), Ok(()));
    memory().kmem_cache_destroy(CACHE.with(Option::take).unwrap()).unwrap();
}

#[test_case]
fn timers_allocate_while_threads_do() {
    // Shows: S4, S43
    static TIMER: Timer = Timer::new(|_| {
        rounds_in_interrupt();
        if !STOP.load(SeqCst) {
            TIMER.add(Duration::from_millis(10), 0);
        }
    });
    conserves(|| {
        start();
        let threads = [(); 3].map(|()| spawn("worker", rounds_in_thread).unwrap());
        TIMER.add(Duration::from_millis(10), 0);
        common::nap(200);
        STOP.store(true, SeqCst);
        for thread in threads {
            assert_eq!(thread.join(), Ok(0));
        }
        TIMER.cancel();
        assert!(IRQ_ROUNDS.load(SeqCst) > 1000, "{IRQ_ROUNDS:?}");
        assert!(THREAD_ROUNDS.load(SeqCst) > 3000, "{THREAD_ROUNDS:?}");
        end();
    });
}

#[test_case]
fn handlers_allocate_with_interrupts_off() {
    // Shows: S4
    fn handler(_irq: Irq) -> IrqReturn {
        assert!(!x86_64::instructions::interrupts::are_enabled());
        rounds_in_interrupt();
        IrqReturn::Handled
    }
    conserves(|| {
        start();
        let line = Irq::new(FREE_LINE).unwrap();
        let action = irq::request_irq(line, Sharing::Exclusive, "irqalloc", handler).unwrap();
        let worker = spawn("worker", rounds_in_thread).unwrap();
        for _ in 0..30 {
            // SAFETY: the vector is that of a line whose handler is ours.
            unsafe { core::arch::asm!("int {}", const 32 + FREE_LINE) };
            sched::yield_now().unwrap();
        }
        STOP.store(true, SeqCst);
        assert_eq!(worker.join(), Ok(0));
        drop(action);
        assert_eq!(IRQ_ROUNDS.load(SeqCst), 30 * AT_ONCE);
        assert!(THREAD_ROUNDS.load(SeqCst) > 1000, "{THREAD_ROUNDS:?}");
        end();
    });
}

/// Calls that may sleep, each refused.
fn try_to_sleep() {
    for gfp in [KERNEL, GfpFlags::USER, GfpFlags::BUFFER, KERNEL | DMA] {
        assert!(memory().kmalloc(100, gfp).is_err());
        assert!(memory().get_free_pages(gfp, Order::ZERO).is_err());
        assert!(memory().alloc_pages(gfp, Order::ZERO).is_err());
    }
    assert!(memory().alloc_pages(GfpFlags::HIGHUSER, Order::ZERO).is_err());
    assert!(memory().vmalloc(100).is_err());
    assert!(memory().ioremap(PhysAddr::new(0xa_0000), 100).is_err());
    assert!(memory().kmem_cache_create(&SPEC).is_err());
    // Whoever asks for what the context allows gets it.
    let object = memory().kmalloc(100, Kernel::context_gfp()).unwrap();
    memory().kfree(object.as_ptr()).unwrap();
}

#[test_case]
fn requests_that_may_sleep_are_refused_and_reported() {
    // Shows: K11
    static LOCK: SpinLock<()> = SpinLock::new(());
    conserves(|| {
        let places: [(&str, fn()); 2] = [
            ("called in interrupt context", || in_interrupt(try_to_sleep)),
            ("called in atomic context", || LOCK.with(|()| try_to_sleep())),
        ];
        for (context, attempt) in places {
            let (log, before) = (Log::from_here(), memory().pages().events().wrong_contexts);
            attempt();
            assert_eq!(memory().pages().events().wrong_contexts, before + 16);
            assert!(log.shows(context) && log.shows("tests/irqalloc.rs"));
            for call in ["kmalloc", "__get_free_pages", "alloc_pages", "vmalloc", "ioremap", "kmem_cache_create"] {
                assert!(log.shows(call), "{call} was not reported");
            }
        }
        // The same calls in process context.
        for gfp in [KERNEL, GfpFlags::USER, GfpFlags::BUFFER] {
            let object = memory().kmalloc(100, gfp).unwrap();
            memory().kfree(object.as_ptr()).unwrap();
        }
    });
}

#[test_case]
fn frees_are_allowed_everywhere() {
    static PIECES: SpinLock<[Option<Piece>; 12]> = SpinLock::new([None; 12]);
    conserves(|| {
        start();
        for number in 0..12 {
            let piece = Piece::new(number, KERNEL);
            PIECES.with(|pieces| pieces[number] = piece);
        }
        let refused = memory().pages().events().wrong_contexts;
        in_interrupt(|| {
            let pieces = PIECES.with(core::mem::take);
            assert!(pieces.into_iter().flatten().map(Piece::free).filter(|&intact| intact).count() == 12);
        });
        assert_eq!(memory().pages().events().wrong_contexts, refused);
        end();
    });
}
