//! Programs in ring 3, for tests of the kernel's edge.
//!
//! A program is a few instructions of assembly, position-independent, at [`CODE`]; it has data at [`DATA`] and a stack
//! below [`STACK`], zeros that come when they are touched. The layer above that these tests are knows the calls below,
//! and no more of processes than that each has a space.
#![allow(dead_code, reason = "each test file uses a part of this")]

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use kernel::arch::fpu::FpuImage;
use kernel::arch::layout::USER_END;
use kernel::arch::trap_frame::TrapFrame;
use kernel::mm::space::{MapRequest, Place, Protection, UserSpace, new_space};
use kernel::sched::{self, Mutex, Thread};
use kernel::sync::SpinLock;
use kernel::user::{self, PageFault, Ring3};
use mm::{PAGE_SIZE, VirtAddr};

/// Where a program begins; its page can be read and executed.
pub const CODE: VirtAddr = VirtAddr::new(0x40_0000);
/// Its data: two pages, and nothing behind them.
pub const DATA: VirtAddr = VirtAddr::new(0x50_0000);
/// The end of its stack.
pub const STACK: VirtAddr = VirtAddr::new(0x60_1000);
/// The last page of the user half.
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
/// Lets others run.
pub const YIELD: u64 = 6;
/// Puts other values into the floating-point registers.
pub const CLOBBER: u64 = 7;
/// Asks for the base of fs in rdi: 0, or -EPERM.
pub const SET_FS: u64 = 8;
/// The return value of any other.
pub const NO_CALL: u64 = -38i64 as u64;

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

/// A program that runs, or ran.
pub struct Program {
    space: Mutex<UserSpace>,
    end: SpinLock<Option<End>>,
    /// Calls of [`COUNT`].
    pub calls: AtomicU64,
    /// Pages that were brought.
    pub faults: AtomicU64,
    /// Times that it was wanted on its way to ring 3.
    pub wanted: AtomicU64,
    /// Whether it ends when it is wanted.
    pub doomed: AtomicBool,
}

const READ_WRITE: Protection = Protection::READ.union(Protection::WRITE);

impl Program {
    /// A program of these instructions.
    pub fn new(code: &[u8]) -> Arc<Self> {
        let program = Self {
            space: Mutex::new(new_space().unwrap()),
            end: SpinLock::new(None),
            calls: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
            doomed: AtomicBool::new(false),
        };
        program.map_code(CODE, 0, code);
        program.map(DATA, 2 * PAGE_SIZE, READ_WRITE);
        program.map(VirtAddr::new(STACK.as_usize() - PAGE_SIZE), PAGE_SIZE, READ_WRITE);
        Arc::try_new(program).ok().unwrap()
    }

    /// Maps zeros at `at`.
    pub fn map(&self, at: VirtAddr, bytes: usize, protection: Protection) {
        let request = MapRequest { at: Place::FixedNoReplace(at), protection, ..MapRequest::anonymous(bytes) };
        assert_eq!(self.space.lock().unwrap().map(request), Ok(at));
    }

    /// Maps a page that has `code` at `offset`, to be read and executed.
    pub fn map_code(&self, at: VirtAddr, offset: usize, code: &[u8]) {
        self.map(at, PAGE_SIZE, READ_WRITE);
        let mut space = self.space.lock().unwrap();
        space.copy_in(at.add(offset), code).unwrap();
        space.protect(at, PAGE_SIZE, Protection::READ.union(Protection::EXEC)).unwrap();
    }

    /// The word at `at`.
    pub fn word(&self, at: VirtAddr) -> u64 {
        let mut bytes = [0; 8];
        self.space.lock().unwrap().copy_out(at, &mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    }

    /// Starts it.
    pub fn start(self: &Arc<Self>) -> Thread {
        self.start_with(TrapFrame::user(CODE, STACK))
    }

    /// Starts it with these registers.
    pub fn start_with(self: &Arc<Self>, frame: TrapFrame) -> Thread {
        self.spawn(move || {
            sched::user::enter_after(&frame).unwrap();
            0
        })
    }

    /// Starts it, with an heir for its thread.
    pub fn start_for(self: &Arc<Self>, heir: &'static dyn sched::Heir) -> Thread {
        self.spawn(move || {
            sched::set_heir(heir);
            sched::user::enter_after(&TrapFrame::user(CODE, STACK)).unwrap();
            0
        })
    }

    /// Runs `work`, code of the kernel, in a thread that has the program's space, to its end.
    pub fn visit(self: &Arc<Self>, work: impl FnOnce() -> i32 + Send + 'static) -> i32 {
        self.spawn(work).join().unwrap()
    }

    fn spawn(self: &Arc<Self>, work: impl FnOnce() -> i32 + Send + 'static) -> Thread {
        user::serve(&SERVER);
        let program = self.clone();
        let thread = sched::spawn("program", move || {
            let root = program.space.lock().unwrap().root();
            // SAFETY: the space stays as long as the thread's owner, who outlives its time in ring 3.
            unsafe { sched::user::attach(root) }.unwrap();
            assert!(sched::user::set_owner(program).is_ok());
            work()
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

/// The layer above.
struct Server;

static SERVER: &dyn Ring3 = &Server;

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
            YIELD => u64::from(sched::yield_now().is_err()),
            CLOBBER => {
                sched::user::set_fpu(&FpuImage::new());
                0
            }
            SET_FS => answer(sched::user::set_fs_base(at), 0),
            _ => NO_CALL,
        };
    }

    fn page_fault(&self, fault: &PageFault) -> bool {
        // It may sleep.
        sched::yield_now().unwrap();
        current(|program| {
            let brought = program.space.lock().is_ok_and(|mut space| space.fault(fault.at, fault.access).is_ok());
            program.faults.fetch_add(u64::from(brought), SeqCst);
            brought
        })
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
