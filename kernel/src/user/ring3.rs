//! What the layer above is asked about threads in ring 3.

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use kapi::Errno;
use mm::{PAGE_SIZE, VirtAddr};

use crate::arch::layout::USER_END;
use crate::arch::trap_frame::TrapFrame;

pub use crate::mm::space::FaultAccess;

/// Who met a missing page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultFrom {
    /// The program.
    UserCode,
    /// The kernel, which copies for it.
    Copy,
}

/// A page of ring 3 that is missing, or does not allow what was wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageFault {
    /// The address, in the user half.
    pub at: VirtAddr,
    /// What was wanted.
    pub access: FaultAccess,
    /// Who wanted it.
    pub from: FaultFrom,
}

/// The layer above. All calls are about the running thread, in process context with interrupts on; they may sleep, and
/// may end the thread.
pub trait Ring3: Sync {
    /// A system call: its number in `frame.rax`, its arguments in `rdi`, `rsi`, `rdx`, `r10`, `r8` and `r9`; its result
    /// goes to `rax`.
    fn syscall(&self, frame: &mut TrapFrame);

    /// Brings the page for the access, if it can be; whether the access may be tried again. After a no, a copy ends
    /// there, and the program's fault is an [`exception`](Self::exception).
    fn page_fault(&self, fault: &PageFault) -> bool;

    /// An exception of the program: its number in `frame.vector`, its code in `frame.error`. For a page fault `at` is
    /// the address, of whichever half. The program goes on with what is in `frame` after that.
    fn exception(&self, frame: &mut TrapFrame, at: Option<VirtAddr>);

    /// The thread is on its way to ring 3, and was wanted before
    /// ([`notify_user`](crate::sched::Thread::notify_user)).
    fn before_return(&self, frame: &mut TrapFrame);
}

/// Null, or from a reference for good.
static SERVER: AtomicPtr<&'static dyn Ring3> = AtomicPtr::new(ptr::null_mut());

/// Says who serves ring 3, before the first thread goes there. A later call has its own way: a test can take the place
/// of the kernel's own processes.
pub fn serve(server: &'static &'static dyn Ring3) {
    SERVER.store(ptr::from_ref(server).cast_mut(), Ordering::Release);
}

/// Who serves ring 3.
#[inline]
pub(super) fn server() -> Option<&'static dyn Ring3> {
    // SAFETY: null, or set by `serve` from a reference for good, and never written to.
    unsafe { SERVER.load(Ordering::Acquire).as_ref() }.copied()
}

/// Brings the pages of `bytes` from `at` on for `access`, ahead of a copy that may not wait for them. They may be gone
/// again before it. Process context, with no lock held that a page's bringing could need.
///
/// # Errors
/// `EFAULT` when the first of them cannot be brought; those behind it are tried as far as they can be.
pub fn fault_in(at: VirtAddr, bytes: usize, access: FaultAccess) -> Result<(), Errno> {
    let server = server().ok_or(Errno::EFAULT)?;
    let end = at.as_usize().checked_add(bytes.max(1)).filter(|&end| end <= USER_END.as_usize()).ok_or(Errno::EFAULT)?;
    let first = at.page_down().as_usize();
    for page in (first..end).step_by(PAGE_SIZE) {
        let wanted = VirtAddr::new(page.max(at.as_usize()));
        if !server.page_fault(&PageFault { at: wanted, access, from: FaultFrom::Copy }) {
            return if page == first { Err(Errno::EFAULT) } else { Ok(()) };
        }
    }
    Ok(())
}
