//! The console: the shell of crate `shell` on this kernel.
//!
//! [`tty`] turns the serial line, or a script, into bytes and lines. [`workers`] holds the threads that commands run on.
//! [`process`] is what a command sees of the kernel, [`pipeline`] connects commands to pipelines, [`commands`] and
//! [`irqstress`] are the commands that know this kernel, [`names`] is what Tab completes to.
#![forbid(unsafe_code)]

mod buffer;
mod commands;
mod device;
mod irqstress;
mod names;
mod pipeline;
pub mod process;
mod reserve;
pub mod tty;
pub mod workers;

use shell::{Status, run_line};

use crate::arch::qemu::{self, ExitCode};
use crate::klog;
use pipeline::Front;
use tty::Line;

/// Runs the shell until its input ends or a command powers off. The last call of the boot thread.
pub fn run() -> ! {
    if let Err(error) = workers::start() {
        klog!("console: no thread for commands: {error}");
    }
    if let Err(error) = device::register() {
        klog!("console: no /dev/console: {error}");
    }
    tty::start();
    let mut reader = tty::LineReader::without_history();
    let mut status = Status::OK;
    klog!("boot: {} cycles from entry to prompt", crate::cycles_since_entry());
    loop {
        reserve::fill();
        status = match reader.read_line() {
            Line::Typed(line) => run_line(&mut Front, line, status),
            Line::Bad(reason) => {
                tty::write(b"sh: ");
                tty::write(reason.as_bytes());
                tty::write(b"\n");
                Status::SYNTAX
            }
            Line::Abandoned => Status::INTERRUPTED,
            Line::End => power_off(),
        };
    }
}

/// Ends the machine with success.
pub fn power_off() -> ! {
    qemu::exit(ExitCode::Success)
}
