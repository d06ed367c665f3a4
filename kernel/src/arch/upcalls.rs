//! The calls that the CPU's code makes into the kernel above it.
//!
//! `arch` names nothing of the kernel but itself. What an exception means, what an interrupt asks for and which thread
//! runs next is decided above; the linker connects these symbols to the functions there, so that the calls are
//! direct:
//!
//! | symbol | defined in | called |
//! |---|---|---|
//! | `kernel_exception` | `user/entry.rs` | for exceptions in the kernel, and for 2, 8 and 18 anywhere |
//! | `kernel_user_exception` | `user/entry.rs` | for exceptions in ring 3 |
//! | `kernel_syscall` | `user/entry.rs` | for system calls |
//! | `kernel_return` | `user/entry.rs` | before the way back to ring 3 |
//! | `kernel_interrupt` | `irq.rs` | by the trap entry, for vectors from 32 on |
//! | `kernel_preempt` | `sched/run_queue.rs` | where the preempt count has become 0 |

use super::trap_frame::TrapFrame;

// SAFETY: each is defined once, in the file named above, with this signature and this ABI; a missing one does not link.
unsafe extern "C" {
    /// Handles an exception, with interrupts off. What it changes in `frame` is what the CPU goes on with. Returns only
    /// if the interrupted code may go on.
    pub safe fn kernel_exception(frame: &mut TrapFrame);

    /// Handles an exception in ring 3, with interrupts off, on the stack of the thread. May sleep; returns if the
    /// thread goes on in ring 3, with what is in `frame` then.
    pub safe fn kernel_user_exception(frame: &mut TrapFrame);

    /// Handles a system call, with interrupts on, on the stack of the thread. May sleep; what it changes in `frame` is
    /// what the program goes on with.
    pub safe fn kernel_syscall(frame: &mut TrapFrame);

    /// Sees to what the thread has to do before it goes back to ring 3. May sleep; returns with interrupts off, and
    /// with a frame that [`make_user`](TrapFrame::make_user) made fit.
    pub safe fn kernel_return(frame: &mut TrapFrame);

    /// Handles the interrupt `vector`, with interrupts off, on the stack of what was interrupted. Returns with
    /// interrupts off and the preempt count as it was; other threads may have run meanwhile.
    pub safe fn kernel_interrupt(vector: u8);

    /// Runs another thread if one is ready. Interrupts are on, or `iretq` is about to restore them; the preempt count
    /// is 0: this CPU should change threads and is in no section. Does nothing before there are threads. May return on
    /// another CPU.
    pub safe fn kernel_preempt();
}
