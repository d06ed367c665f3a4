//! The host as a kernel: what the tests of a driver run it in.
//!
//! [`machine`] makes a machine, this thread's until it is dropped: the real allocators over memory of its own, a clock
//! that stands until the test moves it ([`pass`]), interrupts that the test raises ([`raise`]), a log to look at
//! ([`take_log`]). Nothing happens behind the test's back: timers and the work of ticks run in `pass`, other work there
//! and in its own `flush`, or when [`run_work`] is called. What runs in interrupt context is told so, so that calls
//! that may sleep are refused there as in the kernel. [`spawn`] starts a thread of the same machine.
//!
//! Key types: [`Host`], the kernel to test with; [`TestMachine`], [`TestThread`]; [`File`], a device that is open;
//! [`TestDisk`]. The files: `world.rs` what a machine is, `locks.rs` and `wait.rs` locks and waiting, `running.rs`
//! whose turn it is, `calls.rs` timers and work over the lists of `pending.rs`, `lines.rs` interrupts, `memory.rs`
//! allocations that fail and what is in use, `files.rs` open devices, `devices.rs` what a test puts in beside memory,
//! `disks.rs` disks and what is asked of them.

mod calls;
mod devices;
mod disks;
mod files;
mod lines;
mod locks;
mod memory;
mod pending;
mod running;
mod wait;
mod world;

use core::fmt;
use core::time::Duration;
use std::string::ToString;

use mm::testing::TestKernel;

use crate::kernel::Kernel;

pub use calls::{HostTimer, HostWork};
pub use devices::{FittedFloppy, HostRegion, fit_floppy, fit_screen, hide_ram};
pub use disks::{HostDisk, TestDisk, disk};
pub use files::{File, insmod, params};
pub use lines::{HostInterrupt, raise};
pub use locks::{HostMutex, HostSpinLock};
pub use memory::{fail_after, in_use, ram_bytes, reports, stop_failing};
pub use wait::HostWaitQueue;
pub use world::{TestMachine, TestThread, in_interrupt, machine, pass, run_work, spawn, take_log};

/// The kernel that tests run drivers in.
pub type Host = TestKernel;

impl Kernel for TestKernel {
    type Mutex<T: Send> = HostMutex<T>;
    type SpinLock<T: Send> = HostSpinLock<T>;
    type WaitQueue = HostWaitQueue;
    type Timer = HostTimer;
    type Work = HostWork;
    type Interrupt = HostInterrupt;

    fn uptime() -> Duration {
        world::uptime()
    }

    fn log(line: fmt::Arguments<'_>) {
        world::log(line.to_string());
    }
}
