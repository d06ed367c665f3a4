//! The console: the shell of crate `shell` on this kernel.
//!
//! [`tty`] turns the serial line, or a script, into bytes and lines. [`workers`] holds the threads that commands run
//! on, [`places`] counts those of jobs. [`process`] is what a command sees of the kernel, with [`streams`] open;
//! [`pipeline`] connects commands, [`commands`], [`kernel_log`], [`module_commands`], [`memory`], [`irqstress`] and
//! [`uname`] are the commands that know this kernel, [`names`] is what Tab completes to.
#![forbid(unsafe_code)]

mod buffer;
mod commands;
mod crash;
mod device;
mod irqstress;
mod job_commands;
mod jobs;
mod kernel_log;
mod memory;
mod module_commands;
pub mod names;
mod pipeline;
mod places;
pub mod process;
mod reserve;
mod streams;
pub mod tty;
mod uname;
pub mod workers;

use shell::{Status, run_line};

use crate::input::{self, Received};
use crate::klog;
use crate::{fs, output, startup, time};
use names::KernelNames;
use pipeline::ForegroundShell;
use tty::Line;

const INTERRUPT: u8 = 0x03;
/// What a person hears whose typing finds no room.
const BELL: &[u8] = b"\x07";
/// What a person is greeted with, if it is there.
const GREETING: &str = "/etc/motd";
/// The line that shows it.
const SHOW_GREETING: &str = "cat /etc/motd";

/// Runs the shell until its input ends or a command powers off. The last call of the boot thread.
pub fn run() -> ! {
    startup::check(format_args!("threads for commands"), workers::start());
    startup::check(format_args!("/dev/console"), device::register());
    tty::start(&Terminal);
    let mut reader = tty::LineReader::without_history();
    let mut status = Status::OK;
    klog!("boot: {} cycles from entry to prompt", time::cycles_since_entry());
    greet();
    loop {
        refill();
        status = match reader.read_line(&KernelNames) {
            Line::Typed(line) => run_line(&mut ForegroundShell, line, status),
            Line::Bad(reason) => {
                tty::write(b"sh: ");
                tty::write(reason.as_bytes());
                tty::write(b"\n");
                Status::SYNTAX
            }
            Line::Abandoned => Status::INTERRUPTED,
            Line::End => commands::power_off(),
        };
    }
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

/// What listens to the input: ^C ends the commands that the shell waits for.
struct Terminal;

impl input::Listener for Terminal {
    fn on_byte(&self, byte: u8) -> Received {
        if byte == INTERRUPT && tty::is_terminal() && (workers::interrupt_foreground() | jobs::interrupt_shell()) {
            output::write(b"^C\n");
            return Received::Consumed;
        }
        Received::Queue
    }

    fn is_waiting(&self) -> bool {
        tty::is_terminal() && (workers::has_foreground() || jobs::is_in_shell())
    }

    fn on_loss(&self) {
        output::write(BELL);
    }
}
