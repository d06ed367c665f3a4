//! The console: the shell of crate `shell` on this kernel.
//!
//! [`line_reader`] has the lines that it reads of the [terminal](crate::tty). [`workers`] holds the threads that
//! commands run on, [`places`] counts those of jobs. [`process`] is what a command sees of the kernel, with [`streams`]
//! open; [`pipeline`] connects commands, [`commands`], [`kernel_log`], [`module_commands`], [`memory`], [`irqstress`],
//! [`pressure`] and [`uname`] are the commands that know this kernel, [`names`] is what Tab completes to.
#![forbid(unsafe_code)]

mod buffer;
mod commands;
mod crash;
mod irqstress;
mod job_commands;
mod jobs;
mod kernel_log;
pub mod line_reader;
mod memory;
mod module_commands;
pub mod names;
mod picture;
mod pipeline;
mod places;
mod pressure;
pub mod process;
mod programs;
mod reserve;
mod streams;
mod uname;
pub mod workers;

use shell::{Status, run_line};

use crate::board::qemu::{self, ExitCode};
use crate::{fs, startup, time, tty};
use crate::{klog, options, println};
use line_reader::{Line, LineReader};
use names::KernelNames;
use pipeline::ForegroundShell;

/// What a person is greeted with, if it is there.
const GREETING: &str = "/etc/motd";
/// The line that shows it.
const SHOW_GREETING: &str = "cat /etc/motd";

/// Runs the shell until its input ends or a command powers off. The last call of the boot thread.
pub fn run() -> ! {
    startup::check(format_args!("threads for commands"), workers::start());
    startup::check(format_args!("/dev/console"), tty::device::register());
    tty::set_commands(&Foreground);
    tty::start();
    let mut reader = LineReader::without_history();
    let mut status = Status::OK;
    klog!("boot: {} cycles from entry to prompt", time::cycles_since_entry());
    if let Some(path) = &options::get().init {
        run_init(path.as_str());
    }
    greet();
    loop {
        refill();
        status = match reader.read_line(&KernelNames) {
            Line::Typed(line) => run_line(&mut ForegroundShell, line, status),
            Line::Bad(reason) => {
                tty::show(b"sh: ");
                tty::show(reason.as_bytes());
                tty::show(b"\n");
                Status::SYNTAX
            }
            Line::Abandoned => Status::INTERRUPTED,
            Line::End => commands::power_off(),
        };
    }
}

/// Runs the program that the kernel option `init=` names. Comes back to a person at a terminal; otherwise the machine
/// ends with the program, and as it did.
fn run_init(path: &str) {
    match programs::run_init(path) {
        Ok(exit) => {
            klog!("init: {path} has ended with status {}", exit.shell_status());
            if !tty::is_terminal() {
                commands::power_off_after(exit.shell_status());
            }
        }
        Err(error) => {
            klog!("init: {path}: {error}");
            if !tty::is_terminal() {
                qemu::exit(ExitCode::Failure);
            }
        }
    }
    println!("This is the built-in console.");
}

/// Shows a person what the file of greetings says.
fn greet() {
    if tty::is_terminal() && fs::stat(&fs::Place::root(), GREETING).is_ok() {
        let _: Status = run_line(&mut ForegroundShell, SHOW_GREETING, Status::OK);
    }
}

/// Makes ready what the next line may need when memory is short, and tells a person of the jobs that have ended.
fn refill() {
    reserve::fill();
    // Without memory for its thread now, a worker that died gets one when it is claimed.
    let _: Result<(), _> = workers::start();
    if tty::is_terminal() {
        jobs::tell_ended();
    }
}

/// What ^C ends: the commands that the shell waits for.
struct Foreground;

impl tty::Commands for Foreground {
    fn interrupt(&self) -> bool {
        workers::interrupt_foreground() | jobs::interrupt_shell()
    }

    fn are_running(&self) -> bool {
        workers::has_foreground() || jobs::is_in_shell()
    }
}
