//! The host as a kernel, for tests, fuzzers and benchmarks of the allocators.
//!
//! [`TestKernel::boot`] makes a machine with real memory behind it (an anonymous file, mapped as the "direct map", and
//! mapped again page by page for vm areas, so that vmalloc'ed memory is really contiguous), and makes it the current
//! one of this thread. Reports are kept and can be asked for; allocations can be made to fail from the n-th on.

mod arena;
mod cpu;
mod lock;
mod platform;
mod rng;
mod tables;
mod tlb;
mod user;
mod user_format;

use core::alloc::Layout;
use core::cell::Cell;
use core::ops::Deref;
use core::ptr::NonNull;
use std::boxed::Box;
use std::vec;
use std::vec::Vec;

use crate::addr::{Pfn, PfnRange};
use crate::config::Config;
use crate::memory::Memory;
use crate::objects::DebugChoice;
use crate::own::Global;
use crate::page::{Page, PageMap, mark_present};
use crate::pages::AtomicFloor;
use crate::trusted::TrustedMemory;

pub use lock::HostLock;
pub use platform::{Event, HostPlatform};

use platform::CODE_PAGES;
pub use rng::Rng;
pub use user::HostUser;
pub use user_format::{HostRights, HostUserFormat};

/// The memory of a test machine.
#[derive(Clone)]
pub struct Machine {
    /// Usable frames, handed to the allocators at the start.
    pub ram: Vec<PfnRange>,
    /// First frame of HighMem; beyond the last frame for none.
    pub highmem_start: Pfn,
    /// Pages of address space for vm areas.
    pub vmalloc_pages: usize,
    /// Pages of address space for areas of modules, at most 4096.
    pub code_pages: usize,
    /// Where GFP_ATOMIC stops.
    pub atomic_floor: AtomicFloor,
    /// How caches are debugged, kmalloc's too.
    pub debug: DebugChoice,
}

impl Machine {
    /// `mib` MiB of memory from address 0 on, less the first frame, and plenty of addresses for vm areas.
    pub fn with_mib(mib: u32) -> Self {
        let end = Pfn::new(mib * 256);
        Self {
            ram: vec![PfnRange::new(Pfn::new(1), end)],
            highmem_start: Pfn::new(u32::MAX),
            vmalloc_pages: mib as usize * 1024,
            code_pages: CODE_PAGES,
            atomic_floor: AtomicFloor::LastPage,
            debug: DebugChoice::NONE,
        }
    }
}

/// The allocators of a test machine. Tests free on purpose what is not theirs, and name what they free themselves.
pub type TestMemory = TrustedMemory<HostPlatform>;

std::thread_local! {
    static CURRENT: Cell<Option<&'static TestMemory>> = const { Cell::new(None) };
}

/// The allocators of the machine that this thread works on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TestKernel;

// SAFETY: a test drops what it owns of a machine before the machine, on threads that work on it.
unsafe impl Global for TestKernel {
    type Platform = HostPlatform;

    fn memory() -> &'static Memory<HostPlatform> {
        Self::memory()
    }
}

impl TestKernel {
    /// This thread's machine.
    ///
    /// # Panics
    /// Before [`boot`](Self::boot) and [`enter`](Self::enter).
    pub fn memory() -> &'static TestMemory {
        CURRENT.get().expect("TestKernel::boot or enter comes first")
    }

    /// Starts a machine and makes it this thread's; it stops when the handle is dropped.
    ///
    /// Memory that outlives the handle must not be used any more; tests drop theirs first.
    pub fn boot(machine: &Machine) -> Booted {
        let memory = boot(machine);
        let before = CURRENT.replace(Some(memory));
        Booted { memory, before }
    }

    /// Makes another thread's machine this thread's, until the thread ends.
    pub fn enter(memory: &'static TestMemory) {
        CURRENT.set(Some(memory));
    }
}

/// A machine that runs.
pub struct Booted {
    memory: &'static TestMemory,
    before: Option<&'static TestMemory>,
}

impl Deref for Booted {
    type Target = &'static TestMemory;

    fn deref(&self) -> &&'static TestMemory {
        &self.memory
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        CURRENT.set(self.before);
        self.memory.platform().unmap_all();
    }
}

/// Entries for `frames` frames, leaked. No code touches those of holes, so the host gives them no memory.
fn zeroed_entries(frames: usize) -> NonNull<Page> {
    let layout = Layout::array::<Page>(frames).expect("a machine that fits the host");
    // SAFETY: a machine has frames, so the layout is not empty.
    let pages = unsafe { std::alloc::alloc_zeroed(layout) };
    // Zeros are the entries of frames without an owner.
    NonNull::new(pages).expect("the host has memory").cast()
}

/// Builds the page map and the allocators, and hands them all memory.
fn boot(machine: &Machine) -> &'static TestMemory {
    let end = machine.ram.iter().map(|range| range.end.as_u32()).max().unwrap_or(0);
    let frames = end.next_multiple_of(crate::page::SECTION_FRAMES);
    let mut present = vec![0; PageMap::present_words(frames)];
    for &range in &machine.ram {
        mark_present(&mut present, range);
    }
    let pages = zeroed_entries(frames as usize);
    // SAFETY: every entry exists and is leaked; nothing else uses them.
    let map = unsafe { PageMap::new(pages, frames, present.leak()) };
    let platform = HostPlatform::new(frames, machine.vmalloc_pages);
    let vmalloc_start = platform.vmalloc_start();
    let config = Config {
        highmem_start: machine.highmem_start,
        vmalloc_start,
        vmalloc_end: vmalloc_start.add(machine.vmalloc_pages * crate::addr::PAGE_SIZE),
        code_start: platform.code_start(),
        code_end: platform.code_start().add(machine.code_pages * crate::addr::PAGE_SIZE),
        kmap_start: platform.kmap_start(),
        atomic_floor: machine.atomic_floor,
    };
    let place = NonNull::from(Box::leak(Box::<Memory<HostPlatform>>::new_uninit())).cast();
    // SAFETY: the place is leaked, and nothing else knows of it.
    let memory = unsafe { Memory::init(place, platform, map, config) };
    for &range in &machine.ram {
        // SAFETY: the file's frames are the allocators' alone.
        unsafe { memory.release(range) }.expect("a machine has each frame once");
    }
    memory.set_slab_debug(machine.debug);
    memory.init_caches().expect("a machine has memory for the kmalloc caches");
    // Magazines and depots are empty: tests compare with the state at the start.
    memory.drop_caches();
    // SAFETY: a test machine is for tests.
    unsafe { TrustedMemory::new(memory) }
}
