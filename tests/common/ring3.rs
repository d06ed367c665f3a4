//! Programs in ring 3, for tests of the kernel's edge.
//!
//! A program is a few instructions of assembly, position-independent, at [`CODE`]; behind it are a page of data and a
//! page of stack, both zeros. The layer above that these tests are knows the calls below, and nothing of processes.
#![allow(dead_code, reason = "each test file uses a part of this")]

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use kernel::arch::layout::{DIRECT_MAP, USER_END};
use kernel::arch::paging::kernel_root;
use kernel::arch::trap_frame::TrapFrame;
use kernel::mm::KVec;
use kernel::sched::{self, Thread};
use kernel::sync::SpinLock;
use kernel::testing::memory;
use kernel::user::{self, FaultAccess, FaultFrom, PageFault, Ring3};
use mm::mapper::Level;
use mm::{GfpFlags, PAGE_SIZE, Pfn, VirtAddr};

/// Where a program begins; its page can be read and executed.
pub const CODE: VirtAddr = VirtAddr::new(0x40_0000);
/// Its page of data.
pub const DATA: VirtAddr = VirtAddr::new(0x50_0000);
/// The end of its page of stack.
pub const STACK: VirtAddr = VirtAddr::new(0x60_1000);
/// Zeros come here when they are touched.
pub const DEMAND: VirtAddr = VirtAddr::new(0x70_0000);
/// The last page of the user half, which can be executed.
pub const LAST_PAGE: VirtAddr = VirtAddr::new(USER_END.as_usize() - PAGE_SIZE);

/// Ends with the status in rdi.
pub const EXIT: u64 = 0;
/// Counts the call, and returns the count.
pub const COUNT: u64 = 1;
/// Copies rsi bytes, a page at most, from rdi: what came, or -EFAULT.
pub const COPY_FROM: u64 = 2;
/// Copies rsi bytes, a page at most, to rdi.
pub const COPY_TO: u64 = 3;
/// Sleeps, interruptibly, until it is wanted.
pub const PAUSE: u64 = 4;
/// Faults in the kernel.
pub const OOPS: u64 = 5;
/// The return value of any other.
pub const NO_CALL: u64 = -38i64 as u64;

/// A program: its name, and its lines.
macro_rules! program {
    ($name:ident: $($line:literal),* $(,)?) => {
        core::arch::global_asm!(
            ".pushsection .rodata.programs, \"a\"",
            concat!(stringify!($name), "_start:"),
            $($line,)*
            concat!(stringify!($name), "_end:"),
            ".popsection",
        );
        fn $name() -> &'static [u8] {
            unsafe extern "C" {
                #[link_name = concat!(stringify!($name), "_start")]
                static START: u8;
                #[link_name = concat!(stringify!($name), "_end")]
                static END: u8;
            }
            let (start, end) = (&raw const START, &raw const END);
            // SAFETY: the two are the ends of what stands between the labels above.
            unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
        }
    };
}
pub(crate) use program;

/// How a program ended.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// By itself, with this status.
    Exit(u64),
    /// By an exception: the registers, and the address of a page fault.
    Exception(TrapFrame, Option<VirtAddr>),
}

impl End {
    /// The exception's registers.
    pub fn frame(&self) -> TrapFrame {
        match self {
            Self::Exception(frame, _) => *frame,
            Self::Exit(status) => panic!("the program ended with {status:#x}"),
        }
    }

    /// Checks that it was a page fault at `at` with this error code.
    pub fn assert_page_fault(&self, at: usize, error: u64) {
        let Self::Exception(frame, address) = self else { panic!("no exception: {self:?}") };
        assert_eq!((frame.vector, frame.error), (14, error), "{self:x?}");
        assert_eq!(*address, Some(VirtAddr::new(at)));
    }

    /// Checks that it was the exception `vector`.
    pub fn assert_exception(&self, vector: u64) {
        let Self::Exception(frame, _) = self else { panic!("no exception {vector}: {self:?}") };
        assert_eq!(frame.vector, vector, "{self:x?}");
    }
}

/// Page tables of a program, made by hand.
pub struct Space {
    root: VirtAddr,
    pages: SpinLock<KVec<VirtAddr>>,
}

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const NO_EXECUTE: u64 = 1 << 63;

/// What a page of a program may be used for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    Data,
    Code,
}

impl Space {
    fn new() -> Self {
        let root = memory().get_zeroed_page(GfpFlags::KERNEL).unwrap();
        let kernel = DIRECT_MAP.add(kernel_root().unwrap().phys().as_u64() as usize);
        for slot in 256..512 {
            // SAFETY: both are tables; the kernel's upper half stays as it is.
            unsafe { entry(root, slot).write(entry(kernel, slot).read()) };
        }
        Self { root, pages: SpinLock::new(KVec::new()) }
    }

    fn root(&self) -> Pfn {
        memory().frame_of(self.root).unwrap()
    }

    /// Maps a page of zeros at `at`, and returns where the kernel sees it.
    pub fn map(&self, at: VirtAddr, rights: Rights) -> VirtAddr {
        let mut table = self.root;
        for level in [Level::Four, Level::Three, Level::Two] {
            let entry = entry(table, level.index(at));
            // SAFETY: an entry of a table of this space.
            if unsafe { entry.read() } == 0 {
                let below = self.page();
                // SAFETY: as above.
                unsafe { entry.write(phys(below) | PRESENT | WRITABLE | USER) };
            }
            // SAFETY: as above.
            table = DIRECT_MAP.add((unsafe { entry.read() } & 0x000f_ffff_ffff_f000) as usize);
        }
        let page = self.page();
        let rights = if rights == Rights::Code { 0 } else { WRITABLE | NO_EXECUTE };
        // SAFETY: an entry of a table of this space.
        unsafe { entry(table, Level::One.index(at)).write(phys(page) | PRESENT | USER | rights) };
        page
    }

    fn page(&self) -> VirtAddr {
        let page = memory().get_zeroed_page(GfpFlags::KERNEL).unwrap();
        let mut room = KVec::with_capacity(1, GfpFlags::KERNEL).unwrap();
        core::mem::swap(&mut room, &mut *self.pages.lock());
        room.push(page, GfpFlags::KERNEL).unwrap();
        *self.pages.lock() = room;
        page
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.pages.with(|pages| pages.iter().for_each(|&page| memory().free_page(page).unwrap()));
        memory().free_page(self.root).unwrap();
    }
}

fn entry(table: VirtAddr, index: usize) -> *mut u64 {
    table.add(index * 8).as_mut_ptr()
}

fn phys(page: VirtAddr) -> u64 {
    memory().frame_of(page).unwrap().phys().as_u64()
}

/// A program that runs, or ran.
pub struct Program {
    pub space: Space,
    pub data: VirtAddr,
    end: SpinLock<Option<End>>,
    /// Calls of [`COUNT`].
    pub calls: AtomicU64,
    /// Times that it was wanted on its way to ring 3.
    pub wanted: AtomicU64,
    /// Whether it ends when it is wanted.
    pub doomed: AtomicBool,
}

impl Program {
    /// A program of these instructions.
    pub fn new(code: &[u8]) -> Arc<Self> {
        let space = Space::new();
        write(space.map(CODE, Rights::Code), code);
        let data = space.map(DATA, Rights::Data);
        space.map(VirtAddr::new(STACK.as_usize() - PAGE_SIZE), Rights::Data);
        let program = Self {
            space,
            data,
            end: SpinLock::new(None),
            calls: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
            doomed: AtomicBool::new(false),
        };
        Arc::try_new(program).ok().unwrap()
    }

    /// Starts it.
    pub fn start(self: &Arc<Self>) -> Thread {
        self.start_with(TrapFrame::user(CODE, STACK))
    }

    /// Starts it with these registers.
    pub fn start_with(self: &Arc<Self>, frame: TrapFrame) -> Thread {
        user::serve(&Server);
        let program = self.clone();
        let thread = sched::spawn("program", move || {
            // SAFETY: the space stays as long as the thread's owner, who outlives its time in ring 3.
            unsafe { sched::user::attach(program.space.root()) }.unwrap();
            assert!(sched::user::set_owner(program).is_ok());
            sched::user::enter_after(&frame).unwrap();
            0
        });
        thread.unwrap()
    }

    /// How it ended; it has.
    pub fn end(&self) -> End {
        self.end.with(|end| *end).unwrap()
    }

    /// Runs it to its end.
    pub fn run(self: &Arc<Self>) -> End {
        self.start().join().unwrap();
        self.end()
    }

    fn ends(&self, end: End) -> ! {
        self.end.with(|place| *place = Some(end));
        sched::exit(0)
    }
}

/// Runs a program of these instructions to its end.
pub fn run(code: &[u8]) -> End {
    Program::new(code).run()
}

/// Writes `bytes` to the page at `page`.
pub fn write(page: VirtAddr, bytes: &[u8]) {
    assert!(bytes.len() <= PAGE_SIZE);
    // SAFETY: the page is the caller's.
    unsafe { page.as_mut_ptr::<u8>().copy_from(bytes.as_ptr(), bytes.len()) };
}

/// The word at `offset` of the page at `page`.
pub fn word(page: VirtAddr, offset: usize) -> u64 {
    // SAFETY: the page is the caller's.
    unsafe { page.add(offset).as_mut_ptr::<u64>().read_volatile() }
}

/// The layer above.
struct Server;

fn current<R>(f: impl FnOnce(&Program) -> R) -> R {
    sched::user::with_owner(f).unwrap()
}

impl Ring3 for Server {
    fn syscall(&self, frame: &mut TrapFrame) {
        let bytes = &mut [0; PAGE_SIZE][..(frame.rsi as usize).min(PAGE_SIZE)];
        let at = VirtAddr::new(frame.rdi as usize);
        let answer = |result: Result<(), kapi::Errno>, value: usize| match result {
            Ok(()) => value as u64,
            Err(errno) => -i64::from(errno.number()) as u64,
        };
        frame.rax = match frame.rax {
            EXIT => current(|program| program.ends(End::Exit(frame.rdi))),
            COUNT => current(|program| program.calls.fetch_add(1, SeqCst) + 1),
            COPY_FROM => answer(user::copy_from(at, bytes), bytes.len()),
            COPY_TO => answer(user::copy_to(at, bytes), bytes.len()),
            PAUSE => {
                let queue = sched::WaitQueue::new();
                u64::from(queue.wait_until_interruptible(|| false).is_err())
            }
            OOPS => dies(),
            _ => NO_CALL,
        };
    }

    fn page_fault(&self, fault: &PageFault) -> bool {
        let is_wanted = fault.at.page_down() == DEMAND && fault.access != FaultAccess::Execute;
        if is_wanted {
            assert!(fault.from == FaultFrom::UserCode || fault.from == FaultFrom::Copy);
            sched::yield_now().unwrap();
            current(|program| program.space.map(DEMAND, Rights::Data));
        }
        is_wanted
    }

    fn exception(&self, frame: &mut TrapFrame, at: Option<VirtAddr>) {
        current(|program| program.ends(End::Exception(*frame, at)))
    }

    fn before_return(&self, _: &mut TrapFrame) {
        current(|program| {
            program.wanted.fetch_add(1, SeqCst);
            if program.doomed.load(SeqCst) {
                program.ends(End::Exit(137));
            }
        });
    }
}

#[inline(never)]
fn dies() -> u64 {
    let null_page = core::hint::black_box(core::ptr::without_provenance::<u64>(8));
    // SAFETY: none: the address is not mapped, and that is the point.
    unsafe { null_page.read_volatile() }
}
