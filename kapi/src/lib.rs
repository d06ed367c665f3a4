//! The interface between the kernel and its drivers: types and calls only.
//!
//! Drivers name this crate and no other. It re-exports the owning memory types of `mm`, adds what a character driver
//! is ([`CharDriver`], [`Module`]), its open files ([`OpenDevice`]) and what their bytes pass through ([`IoBuf`]), what
//! a driver of a disk is ([`BlockDriver`]), what drivers may have of the kernel ([`SleepLock`], [`SpinLock`],
//! [`WaitQueue`], [`Timer`], [`Work`], [`Interrupt`]), and the kernel and its machine as traits ([`Kernel`],
//! [`Hardware`], [`Disks`]), so that a driver runs unchanged in the kernel and in host tests (`testing`, a feature).
//! docs/first-driver.md shows one.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "testing")]
extern crate std;

pub mod block;
pub mod chrdev;
pub mod context;
pub mod errno;
pub mod file;
pub mod floppy;
pub mod hardware;
pub mod interrupt;
pub mod io_buf;
pub mod kernel;
pub mod lock;
pub mod module;
pub mod open_device;
pub mod params;
#[cfg(feature = "testing")]
pub mod testing;
pub mod timer;
pub mod wait;
pub mod work;

pub use block::{BlockDriver, BlockError, BlockOp, BlockRequest, Busy, Completer, Disks, Segment};
pub use chrdev::CharDriver;
pub use context::{LockError, WrongContext};
pub use errno::Errno;
pub use file::{Events, FileId, OpenFlags, Whence, seek};
pub use floppy::{FloppyBus, FloppyController, FloppyRegister};
pub use hardware::Hardware;
pub use interrupt::{Interrupt, IrqLine, IrqReturn, Sharing};
pub use io_buf::{IoBuf, Place, UserMemory};
pub use kernel::Kernel;
pub use lock::{SleepLock, SpinLock};
pub use mm;
pub use module::Module;
pub use open_device::{Minor, OpenDevice};
pub use params::{Param, ParamError, ParamKind, ParamSpec, Preset, Values};
pub use services;
pub use timer::Timer;
pub use wait::WaitQueue;
pub use work::{TaskQueue, Work};
