//! The allocators as Rust's global allocator: std's collections live on them.

mod common;

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr::NonNull;
use std::alloc::System;
use std::collections::{BTreeMap, HashMap, VecDeque};

use common::{Kernel, at_rest, blocks, boot, hoard, state};
use mm::own::{Buffer, Heap, IoMem, KVVec, KVmalloc, VBox, VmArea};
use mm::testing::{Rng, TestKernel};
use mm::{Context, GfpFlags, PAGE_SIZE, PhysAddr, VirtAddr};

static HEAP: Heap<TestKernel> = Heap::new();

std::thread_local! {
    /// Whether this thread's allocations go to its machine. Not those that the machine itself makes on the host.
    static ON: Cell<bool> = const { Cell::new(false) };
}

/// The host's heap, or that of the thread's machine.
struct Either;

fn off<R>(f: impl FnOnce() -> R) -> R {
    let was = ON.replace(false);
    let result = f();
    ON.set(was);
    result
}

/// Whether an address lies in the thread's machine.
fn is_machines(memory: *mut u8) -> bool {
    let (kernel, addr) = (TestKernel::memory(), VirtAddr::from_ptr(memory));
    kernel.frame_of(addr).is_some() || kernel.areas().area_at(addr).is_some()
}

// SAFETY: both heaps keep the contract; each gets back what it handed out.
unsafe impl GlobalAlloc for Either {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if ON.get() {
            // SAFETY: by the contract.
            off(|| unsafe { HEAP.alloc(layout) })
        } else {
            // SAFETY: by the contract.
            unsafe { System.alloc(layout) }
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if ON.get() && off(|| is_machines(memory)) {
            // SAFETY: by the contract.
            off(|| unsafe { HEAP.dealloc(memory, layout) });
        } else {
            // SAFETY: by the contract.
            unsafe { System.dealloc(memory, layout) };
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if ON.get() && off(|| is_machines(memory)) {
            // SAFETY: by the contract.
            off(|| unsafe { HEAP.realloc(memory, layout, size) })
        } else {
            // SAFETY: by the contract.
            unsafe { System.realloc(memory, layout, size) }
        }
    }
}

#[global_allocator]
static EITHER: Either = Either;

/// Runs `f`, whose allocations are those of this thread's machine; it frees them all.
fn on_the_machine(f: impl FnOnce()) {
    ON.set(true);
    f();
    ON.set(false);
}

#[test]
fn collections_of_std_live_on_it() {
    let memory = boot(64);
    let start = blocks(*memory);
    on_the_machine(|| {
        let mut squares: Vec<u64> = (0..100_000).map(|n| n * n).collect();
        assert!(is_machines(squares.as_mut_ptr().cast()), "it is not the host's");
        let mut names: BTreeMap<String, Box<[u64]>> = BTreeMap::new();
        let (mut queue, mut counts) = (VecDeque::new(), HashMap::new());
        for &square in squares.iter().step_by(7) {
            names.insert(format!("{square:x}"), vec![square; (square % 50) as usize].into());
            *counts.entry(square % 1000).or_insert(0u64) += 1;
            queue.push_back(square);
            if queue.len() > 500 {
                let old = queue.pop_front().expect("one of many");
                let kept = names.remove(&format!("{old:x}")).expect("it was put there");
                assert!(kept.iter().all(|&value| value == old));
            }
        }
        assert_eq!((names.len(), counts.values().sum::<u64>()), (500, 14_286));
        squares.truncate(10);
        squares.shrink_to_fit();
        assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
        let names: Vec<String> = names.into_keys().collect();
        assert!(names.is_sorted());
    });
    memory.drop_caches();
    assert_eq!(blocks(*memory), start);
    at_rest(*memory);
}

/// Memory that a test has, and what it is filled with.
struct Held {
    at: NonNull<u8>,
    layout: Layout,
    value: u8,
}

impl Held {
    fn new(at: NonNull<u8>, layout: Layout, value: u8) -> Self {
        assert_eq!(at.as_ptr().addr() % layout.align(), 0, "{layout:?} at {at:?}");
        // SAFETY: the memory has the bytes of its layout.
        unsafe { at.write_bytes(value, layout.size()) };
        Self { at, layout, value }
    }

    fn holds(&self, bytes: usize) -> bool {
        // SAFETY: the test owns these bytes, and has written them.
        let all = unsafe { core::slice::from_raw_parts(self.at.as_ptr(), bytes) };
        all.iter().all(|&byte| byte == self.value)
    }
}

fn random_layout(rng: &mut Rng) -> Layout {
    let most = 1 << rng.below(19);
    let size = 1 + rng.below(most);
    let align = if rng.one_in(20) { 1 << rng.below(20) } else { 1 << rng.below(7) };
    Layout::from_size_align(size, align).expect("a layout")
}

#[test]
fn memory_is_aligned_and_keeps_its_content_in_every_context() {
    const OPERATIONS: usize = 10_000;
    let memory = boot(64);
    let (start, mut rng) = (blocks(*memory), Rng::new(0x6865_6170_6865_6170));
    let (mut all, mut nulls): (Vec<Held>, usize) = (Vec::new(), 0);
    for operation in 0..OPERATIONS {
        let (value, layout) = (operation as u8, random_layout(&mut rng));
        let context = if rng.one_in(4) { Context::Interrupt } else { Context::Process };
        let is_large = |layout: Layout| layout.size().max(layout.align()) > 131_072;
        memory.platform().in_context(context, || match rng.below(if all.len() > 100 { 4 } else { 8 }) {
            0..2 if !all.is_empty() => {
                let held = all.swap_remove(rng.below(all.len()));
                assert!(held.holds(held.layout.size()));
                // SAFETY: it came from there, and is not used any more.
                unsafe { HEAP.dealloc(held.at.as_ptr(), held.layout) };
            }
            2..4 if !all.is_empty() => {
                let which = rng.below(all.len());
                let (at, old) = (all[which].at, all[which].layout);
                let new = Layout::from_size_align(layout.size(), old.align()).expect("a layout");
                // SAFETY: it came from there; it is not used any more if this succeeds.
                match NonNull::new(unsafe { HEAP.realloc(at.as_ptr(), old, new.size()) }) {
                    Some(moved) => {
                        let held = Held { at: moved, layout: new, value: all[which].value };
                        assert!(held.holds(old.size().min(new.size())), "{old:?} to {new:?}");
                        all[which] = Held::new(moved, new, value);
                    }
                    None => {
                        assert!(context == Context::Interrupt && is_large(new) && all[which].holds(old.size()));
                        nulls += 1;
                    }
                }
            }
            choice => {
                let at = match choice % 2 {
                    // SAFETY: the layout has bytes.
                    0 => unsafe { HEAP.alloc(layout) },
                    // SAFETY: as above.
                    _ => unsafe { HEAP.alloc_zeroed(layout) },
                };
                match NonNull::new(at) {
                    Some(at) => {
                        let zero = Held { at, layout, value: 0 };
                        assert!(choice % 2 == 0 || zero.holds(layout.size()));
                        all.push(Held::new(at, layout, value));
                    }
                    None => {
                        assert!(context == Context::Interrupt && is_large(layout), "{layout:?}");
                        nulls += 1;
                    }
                }
            }
        });
        if operation % 1000 == 0 {
            memory.validate().expect("valid");
        }
    }
    assert_eq!(memory.platform().take_reports().len(), nulls);
    assert!(nulls > 20, "{nulls}");
    for held in all {
        assert!(held.holds(held.layout.size()));
        // SAFETY: it came from there, and is not used any more.
        unsafe { HEAP.dealloc(held.at.as_ptr(), held.layout) };
    }
    memory.drop_caches();
    assert_eq!(blocks(*memory), start);
    at_rest(*memory);
}

#[test]
fn without_memory_there_is_null_and_what_was_there_stays() {
    let memory = boot(32);
    memory.platform().set_nap(core::time::Duration::ZERO);
    let kernel: Kernel = *memory;
    let layouts = [(100, 8), (5000, 8), (200_000, 64)].map(|(size, align)| Layout::from_size_align(size, align));
    let layouts = layouts.map(|layout| layout.expect("a layout"));
    // SAFETY: the layouts have bytes.
    let all = layouts.map(|layout| Held::new(NonNull::new(unsafe { HEAP.alloc(layout) }).expect("memory"), layout, 5));
    let pages = hoard(kernel, GfpFlags::ATOMIC);
    for held in &all {
        // SAFETY: it came from there.
        assert!(unsafe { HEAP.realloc(held.at.as_ptr(), held.layout, 1 << 20) }.is_null());
        // SAFETY: the layout has bytes.
        assert!(unsafe { HEAP.alloc_zeroed(Layout::new::<[u8; 1 << 20]>()) }.is_null());
        assert!(held.holds(held.layout.size()));
    }
    let reports = memory.platform().take_reports();
    assert_eq!(reports.len(), 6, "{reports:?}");
    memory.free_pages_bulk(&pages);
    // SAFETY: they came from there, and are not used any more.
    all.iter().for_each(|held| unsafe { HEAP.dealloc(held.at.as_ptr(), held.layout) });
    at_rest(kernel);
}

#[test]
fn wrong_layouts_and_pointers_do_no_harm() {
    let memory = boot(32);
    let layout = Layout::new::<[u8; 100]>();
    let others = [(1, 1), (4000, 4096), (1 << 20, 1 << 20)].map(|(size, align)| Layout::from_size_align(size, align));
    for other in others.map(|other| other.expect("a layout")) {
        for size in [100, 300_000] {
            let right = Layout::from_size_align(size, 8).expect("a layout");
            // SAFETY: the layout has bytes.
            let at = NonNull::new(unsafe { HEAP.alloc(right) }).expect("memory");
            let held = Held::new(at, right, 9);
            // SAFETY: it came from there; what it has is looked up.
            let grown = unsafe { HEAP.realloc(at.as_ptr(), other, 400_000) };
            assert!(Held { at: NonNull::new(grown).expect("memory"), ..held }.holds(size));
            // SAFETY: as above.
            unsafe { HEAP.dealloc(grown, other) };
            let before = state(*memory);
            // SAFETY: it is free, which is told.
            unsafe { HEAP.dealloc(grown, right) };
            // SAFETY: as above.
            assert!(unsafe { HEAP.realloc(grown, right, 10) }.is_null());
            assert_eq!(memory.platform().take_reports().len(), 2);
            assert_eq!(state(*memory), before);
        }
    }
    let mut own = [7u8; 64];
    // SAFETY: the wrong pointer is told.
    unsafe { HEAP.dealloc(own.as_mut_ptr(), layout) };
    // SAFETY: as above.
    assert!(unsafe { HEAP.realloc(own.as_mut_ptr(), layout, 200) }.is_null());
    assert_eq!((memory.platform().take_reports().len(), own), (2, [7; 64]));
    // SAFETY: null is no memory.
    unsafe { HEAP.dealloc(core::ptr::null_mut(), layout) };
    at_rest(*memory);
}

#[test]
fn owners_of_areas_are_dropped_in_any_context() {
    let memory = boot(32);
    let start = blocks(*memory);
    let free = memory.pages().free_pages_total();
    let area = VmArea::<TestKernel>::new(50 * PAGE_SIZE).expect("memory");
    let values = KVVec::<u64, TestKernel>::try_collect(0..50_000, GfpFlags::KERNEL).expect("memory");
    let boxed = VBox::<_, TestKernel>::new([3u8; 9000], GfpFlags::KERNEL).expect("memory");
    let device = IoMem::<TestKernel>::map(PhysAddr::new(0xfe00_0010), 100).expect("addresses");
    let addresses =
        [area.addr(), VirtAddr::from_ptr(values.as_ptr()), VirtAddr::from_ptr(boxed.as_ptr()), device.addr()];
    memory.platform().in_context(Context::Interrupt, || drop((area, values, boxed, device)));
    assert_eq!(memory.platform().take_reports(), Vec::<String>::new());
    memory.validate().expect("areas that wait are valid");
    assert!(memory.pages().free_pages_total() < free - 100, "their pages are free later");
    for addr in addresses {
        assert!(memory.vfree(addr).is_err(), "nobody frees them twice");
    }
    assert_eq!(memory.platform().take_reports().len(), 4);
    memory.drop_caches();
    assert_eq!((blocks(*memory), memory.areas().iter().count()), (start, 0));
    // The next areas see to it too.
    let area = VmArea::<TestKernel>::new(50 * PAGE_SIZE).expect("memory");
    memory.platform().in_context(Context::Atomic, || drop(area));
    let next = VmArea::<TestKernel>::new(3 * PAGE_SIZE).expect("memory");
    assert_eq!(memory.areas().iter().count(), 1);
    drop(next);
    // Raw calls stay in process context.
    let raw = memory.vmalloc(PAGE_SIZE).expect("memory");
    memory.platform().in_context(Context::Interrupt, || assert!(memory.vfree(raw).is_err()));
    assert_eq!(memory.platform().take_reports(), ["vfree: may sleep, called in interrupt context"]);
    memory.vfree(raw).expect("a right free");
    at_rest(*memory);
}

#[test]
fn vectors_of_every_allocator_grow_and_shrink() {
    use mm::own::{Allocator, Kmalloc, Vec, Vmalloc, Wiped};
    fn exercise<A: Allocator>(most: u32) {
        let mut vec = Vec::<u32, A>::new();
        (0..most).try_for_each(|n| vec.push(n, GfpFlags::KERNEL)).expect("memory");
        assert!(vec.iter().copied().eq(0..most) && vec.capacity() >= most as usize);
        assert!(vec.footprint() >= vec.len() * 4);
        vec.retain(|n| n % 3 == 0);
        let rest = vec.split_off(vec.len() / 2, GfpFlags::KERNEL).expect("memory");
        assert_eq!(rest.into_iter().next_back(), Some((most - 1) / 3 * 3));
        let clone = vec.try_clone(GfpFlags::KERNEL).expect("memory");
        assert!(clone == vec);
    }
    let memory = boot(64);
    let start = blocks(*memory);
    exercise::<Kmalloc<TestKernel>>(30_000);
    exercise::<Vmalloc<TestKernel>>(100_000);
    exercise::<KVmalloc<TestKernel>>(100_000);
    exercise::<Wiped<KVmalloc<TestKernel>>>(100_000);
    let aligned = Layout::from_size_align(10, 1 << 21).expect("a layout");
    for alloc in [Vmalloc::<TestKernel>::alloc, KVmalloc::<TestKernel>::alloc] {
        let at = alloc(aligned, GfpFlags::KERNEL).expect("memory");
        assert_eq!(at.addr().get() % (1 << 21), 0);
        assert_eq!(at.len(), PAGE_SIZE);
        // SAFETY: it came from vmalloc, as either would have it, and is not used any more.
        unsafe { Vmalloc::<TestKernel>::free(at.cast()) };
    }
    memory.drop_caches();
    assert_eq!(blocks(*memory), start);
    at_rest(*memory);
}
