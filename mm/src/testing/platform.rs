//! [`Platform`] on the host: locks, sleeping, mappings.
//! A spinlock is a mutex, waiters wait for a condition variable, and vm areas are really mapped.

mod mappings;
mod shortages;

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use core::time::Duration;
use std::string::{String, ToString};
use std::sync::{Condvar, Mutex};
use std::vec::Vec;

use super::arena::{File, Reserved};
use super::cpu::{HostCpus, HostPin, is_pinned};
use super::lock::{HostLock, hold, is_locked};
use super::tables::HostFormat;
use super::tlb::Tlb;
use super::user::UserTlb;
use crate::addr::{PAGE_SIZE, Pfn, PfnRange, VirtAddr};
use crate::context::Context;
use crate::flush::{AddressSpace, MustFlush};
use crate::gfp::ZoneKind;
use crate::mapper::{Access, Frames, Level, Mapping, PageMapper};
use crate::order::Order;
use crate::platform::{CpuCount, Cpus, LastResort, MAX_CPUS, Pinned, Platform, Reclaiming, Verdict};
use crate::report::Report;
use crate::sleep::{Slept, Waiting};
use crate::tag::Tag;

/// Pages that one page table maps.
const TABLE_PAGES: usize = 512;
/// Pages of addresses for areas of modules, behind the windows of kmap.
pub(super) const CODE_PAGES: usize = 4096;
/// Frames of the direct map that the page tables show, at most: 64 GiB.
const SHOWN_FRAMES: u32 = 64 << 18;
/// Longest sleep of [`Platform::wait_for_memory`] unless a test sets another.
const NAP: Duration = Duration::from_micros(50);

/// Whether a flush is to be held, or is.
const GATE_OPEN: u8 = 0;
const GATE_ARMED: u8 = 1;
const GATE_HELD: u8 = 2;

std::thread_local! {
    static CONTEXT: Cell<Context> = const { Cell::new(Context::Process) };
    static RECLAIMING: Cell<Reclaiming> = const { Cell::new(Reclaiming::No) };
    static INTERRUPT: Cell<Option<Interrupt>> = const { Cell::new(None) };
    /// Whether a handler runs that has interrupted the use of a CPU's caches.
    static INTRUDING: Cell<bool> = const { Cell::new(false) };
}

/// An interrupt to come: after how many steps, and its handler.
type Interrupt = (usize, fn());

/// The host beneath the allocators.
pub struct HostPlatform {
    cpus: HostCpus,
    file: File,
    memory: Reserved,
    /// Addresses for vm areas, then those for the windows of kmap, then those for areas of modules.
    areas: Reserved,
    vmalloc_pages: usize,
    /// The page tables lie in the machine's memory, but those of boot behind it.
    tables: Mutex<PageMapper<HostFormat>>,
    tlb: Mutex<Tlb>,
    /// How many stale translations there are, readable without the lock.
    stale: AtomicUsize,
    user_tlb: Mutex<UserTlb>,
    /// How many frames it leads to, readable without the lock.
    user_frames: AtomicUsize,
    reports: Mutex<Vec<String>>,
    naps: Condvar,
    /// Longest nap; held while a thread goes to sleep, so that no wake-up is lost.
    napping: Mutex<Duration>,
    /// Allocations that may still succeed; negative for no limit.
    budget: AtomicI64,
    reclaimer_woken: AtomicBool,
    /// What is answered when memory is out, the next one last; then it is a refusal.
    last_resorts: Mutex<Vec<LastResort>>,
    /// How often memory was out since somebody looked.
    shortages: AtomicUsize,
    /// Naps after which a request is told that it waits for itself; 0 for never.
    longest_wait: AtomicUsize,
    slept: Mutex<Vec<Slept>>,
    flushes: AtomicUsize,
    gate: AtomicU8,
    recording: AtomicBool,
    events: Mutex<Vec<Event>>,
}

/// Maps the direct map by large pages, with the frames behind the root for tables.
fn map_direct(tables: &mut PageMapper<HostFormat>, ram: PfnRange, at: VirtAddr) {
    let end = Pfn::new(ram.end.as_u32().next_multiple_of(TABLE_PAGES as u32));
    let (all, mut spare, mut done) = (Frames::Run(PfnRange::new(ram.start, end)), tables.root(), 0);
    while done < all.len() {
        let rights = (Mapping::Memory, Access::ReadWrite);
        spare = spare.add(1);
        done += tables.map(at.add(done * PAGE_SIZE), all.after(done), rights, &mut Some(spare)).expect("free entries");
    }
}

/// A call of the allocators on the platform; recorded between [`HostPlatform::record`] and
/// [`HostPlatform::take_events`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The mapping of the page at this address went.
    Unmapped(VirtAddr),
    /// Translations of this many pages from this address on were dropped.
    Flushed(VirtAddr, usize),
    /// The block that starts at this frame became free.
    Freed(Pfn),
}

impl HostPlatform {
    pub(super) fn new(frames: u32, vmalloc_pages: usize) -> Self {
        // Behind the machine's frames: the root, and a table for each GiB of the direct map that tables show.
        let (shown, root) = (frames.min(SHOWN_FRAMES), Pfn::new(frames));
        let (ram, own) = (PfnRange::new(Pfn::new(0), Pfn::new(shown)), 1 + shown.div_ceil(Level::Three.pages() as u32));
        let frames = (frames + own) as usize;
        let (file, memory) = (File::new(frames), Reserved::new(frames));
        file.map(memory.start(), 0, frames);
        // SAFETY: the file's frames show at `memory`, zeroed; the root's has no other user, and those that are offered
        // for tables belong to the allocators.
        let mut tables = unsafe { PageMapper::new(AddressSpace::Kernel, root, memory.start(), HostFormat) };
        map_direct(&mut tables, ram, memory.start());
        Self {
            cpus: HostCpus::new(),
            file,
            memory,
            areas: Reserved::new(vmalloc_pages.next_multiple_of(TABLE_PAGES) + TABLE_PAGES + CODE_PAGES),
            vmalloc_pages,
            tables: Mutex::new(tables),
            tlb: Mutex::default(),
            stale: AtomicUsize::new(0),
            user_tlb: Mutex::default(),
            user_frames: AtomicUsize::new(0),
            reports: Mutex::default(),
            naps: Condvar::new(),
            napping: Mutex::new(NAP),
            budget: AtomicI64::new(-1),
            reclaimer_woken: AtomicBool::new(false),
            last_resorts: Mutex::default(),
            shortages: AtomicUsize::new(0),
            longest_wait: AtomicUsize::new(0),
            slept: Mutex::default(),
            flushes: AtomicUsize::new(0),
            gate: AtomicU8::new(GATE_OPEN),
            recording: AtomicBool::new(false),
            events: Mutex::default(),
        }
    }

    pub(super) fn vmalloc_start(&self) -> VirtAddr {
        self.areas.start()
    }

    /// First address of the windows onto high memory.
    pub fn kmap_start(&self) -> VirtAddr {
        self.areas.start().add(self.vmalloc_pages.next_multiple_of(TABLE_PAGES) * PAGE_SIZE)
    }

    /// First address for areas of modules.
    pub fn code_start(&self) -> VirtAddr {
        self.kmap_start().add(TABLE_PAGES * PAGE_SIZE)
    }

    pub(super) fn unmap_all(&self) {
        self.memory.release();
        self.areas.release();
        self.file.close();
    }

    /// Runs `f` as if this thread were in `context`.
    pub fn in_context<R>(&self, context: Context, f: impl FnOnce() -> R) -> R {
        let before = CONTEXT.replace(context);
        let result = f();
        CONTEXT.set(before);
        result
    }

    /// Interrupts this thread at the `step`-th step, counted from 0, of its use of a CPU's caches: `handler` then runs
    /// in interrupt context. Returns the result of `f`, and whether there were that many steps.
    pub fn interrupt_at<R>(&self, step: usize, handler: fn(), f: impl FnOnce() -> R) -> (R, bool) {
        INTERRUPT.set(Some((step, handler)));
        let result = f();
        (result, INTERRUPT.take().is_none())
    }

    /// Lets the next flush begin and not end before [`release_flush`](Self::release_flush).
    pub fn hold_next_flush(&self) {
        self.gate.store(GATE_ARMED, SeqCst);
    }

    /// Whether that flush has begun.
    pub fn is_flush_held(&self) -> bool {
        self.gate.load(SeqCst) == GATE_HELD
    }

    /// Lets the flush that is held end.
    pub fn release_flush(&self) {
        self.gate.store(GATE_OPEN, SeqCst);
    }

    /// Takes the reports since the last call, as the log would show them.
    pub fn take_reports(&self) -> Vec<String> {
        core::mem::take(&mut hold(&self.reports))
    }

    /// Starts to record events.
    pub fn record(&self) {
        self.recording.store(true, Relaxed);
    }

    /// Ends recording; the events, oldest first.
    pub fn take_events(&self) -> Vec<Event> {
        self.recording.store(false, Relaxed);
        core::mem::take(&mut hold(&self.events))
    }

    /// Writes a violation of the platform's rules to the log.
    pub(super) fn complain(&self, what: &str) {
        hold(&self.reports).push(what.to_string());
    }

    fn note(&self, event: Event) {
        if self.recording.load(Relaxed) {
            hold(&self.events).push(event);
        }
    }

    fn drop_translations(&self, must_flush: MustFlush) {
        self.flushes.fetch_add(1, Relaxed);
        self.note(Event::Flushed(must_flush.start(), must_flush.pages()));
        let mut tlb = hold(&self.tlb);
        tlb.flush(&must_flush).into_iter().for_each(|page| self.areas.clear(page));
        self.stale.store(tlb.len(), Relaxed);
        must_flush.flushed();
    }

    /// Runs `f` with what the processor keeps of tables of processes.
    pub(super) fn with_user_tlb<R>(&self, f: impl FnOnce(&mut UserTlb) -> R) -> R {
        let mut tlb = hold(&self.user_tlb);
        let result = f(&mut tlb);
        self.user_frames.store(tlb.len(), Relaxed);
        result
    }

    /// How often translations were flushed.
    pub fn flushes(&self) -> usize {
        self.flushes.load(Relaxed)
    }
}

// SAFETY: a thread is a CPU, which it has to itself while it runs; a handler that intrudes is told to use no caches.
unsafe impl Pinned for HostPin {
    fn cpu(&self) -> usize {
        self.number()
    }

    fn cache_index(&self) -> usize {
        if INTRUDING.get() { MAX_CPUS } else { self.number() }
    }
}

// SAFETY: a CPU is borrowed if no thread has it, and waited for until its section has changed.
unsafe impl Cpus for HostPlatform {
    type Count = CpuCount<MAX_CPUS>;
    type Pin = HostPin;

    fn pin(&self) -> Option<HostPin> {
        self.cpus.current()
    }

    fn pin_idle(&self, cpu: usize) -> Option<HostPin> {
        self.cpus.borrow(cpu)
    }

    fn wait_for_pins(&self) {
        if !self.may_sleep() {
            self.complain("waited for pinned sections where that may be for ever");
            return;
        }
        self.cpus.wait_for_pins();
    }
}

// SAFETY: the file's frames show from `memory` on, and the parts are those of this machine.
unsafe impl Platform for HostPlatform {
    type Lock<T: Send> = HostLock<T>;
    type Cpus = Self;
    type Tables = Self;

    fn cpus(&self) -> &Self {
        self
    }

    fn tables(&self) -> &Self {
        self
    }

    fn context(&self) -> Context {
        match CONTEXT.get() {
            Context::Process if is_pinned() || is_locked() => Context::Atomic,
            context => context,
        }
    }

    fn direct_map(&self) -> VirtAddr {
        self.memory.start()
    }

    fn wake_reclaimer(&self) {
        self.reclaimer_woken.store(true, Relaxed);
    }

    fn wait_for_memory(&self, ready: &mut dyn FnMut() -> bool) {
        let napping = hold(&self.napping);
        let longest = *napping;
        drop(self.naps.wait_timeout_while(napping, longest, |_| !ready()));
    }

    fn out_of_memory(&self, _: &Waiting, _: Tag) -> LastResort {
        self.shortages.fetch_add(1, Relaxed);
        hold(&self.last_resorts).pop().unwrap_or(LastResort::Refuse)
    }

    fn reclaiming(&self) -> Reclaiming {
        RECLAIMING.get()
    }

    fn set_reclaiming(&self, now: Reclaiming) -> Reclaiming {
        RECLAIMING.replace(now)
    }

    fn after_nap(&self, waiting: &Waiting) -> Verdict {
        let longest = self.longest_wait.load(Relaxed);
        if longest > 0 && waiting.naps >= longest { Verdict::Fail } else { Verdict::TryOn }
    }

    fn slept(&self, slept: &Slept) {
        hold(&self.slept).push(*slept);
    }

    fn wake_waiters(&self) {
        drop(hold(&self.napping));
        self.naps.notify_all();
    }

    fn step(&self) {
        match INTERRUPT.get() {
            Some((0, handler)) => {
                INTERRUPT.set(None);
                INTRUDING.set(true);
                self.in_context(Context::Interrupt, handler);
                INTRUDING.set(false);
            }
            Some((left, handler)) => INTERRUPT.set(Some((left - 1, handler))),
            None => {}
        }
    }

    fn admits(&self, _order: Order) -> bool {
        let take = |left: i64| if left > 0 { Some(left - 1) } else { None };
        self.budget.load(Relaxed) < 0 || self.budget.fetch_update(Relaxed, Relaxed, take).is_ok()
    }

    fn on_free(&self, frame: Pfn, order: Order, _zone: ZoneKind) {
        self.note(Event::Freed(frame));
        if self.stale.load(Relaxed) > 0 && hold(&self.tlb).leads_to(frame, order.pages()) {
            self.complain("freed a page that a TLB still shows");
        }
        if self.user_frames.load(Relaxed) > 0 && hold(&self.user_tlb).leads_to(frame, order.pages()) {
            self.complain("freed a page that a TLB of a process still leads to");
        }
    }

    fn report(&self, report: &Report<'_>) {
        hold(&self.reports).push(report.to_string());
    }
}
