//! The terminal: what is at the other end of the serial line.
//!
//! Bytes take one way in. From a person's terminal each goes through the line discipline (crate `terminal`) as it
//! arrives, in interrupt context: it shows, edits the line, sends a signal. Those for which the discipline has no room
//! wait in the ring of [`input`]. From a pipe or a script bytes are taken when somebody reads, as they
//! are. Whoever reads is either the built-in shell, which edits lines itself, or a command or a program, which gets
//! them line by line.
//!
//! Who a key's signal goes to and who may read is said with numbers of groups and sessions ([`job_control`]); this room
//! knows no processes. Files, each naming those before it only:
//!
//! - [`job_control`]: whose terminal it is, what is asked of the layer of processes
//! - [`far_end`]: a person, a pipe or a script
//! - `line`: the person's terminal: the discipline under its lock, and the keys
//! - `plain`: lines from a pipe or a script
//! - [`transfer`]: reads and writes of either
//! - [`control`]: modes and more, as programs ask for them by ioctl
//! - [`device`]: /dev/console, /dev/tty, /dev/ttyS0
//!
//! Lock order: the readers' mutex, then the serial input's lock, then the terminal's, then the serial output's. Under
//! the serial input's, but not under the terminal's, signals are sent: the table of processes is below both.
#![forbid(unsafe_code)]

pub mod control;
pub mod device;
pub mod far_end;
pub mod job_control;
mod line;
mod plain;
pub mod transfer;

pub use far_end::{end as end_input, is_terminal};
pub use job_control::{Caller, Commands, Group, Processes, Session, acquire, release, set_commands, set_processes};
pub use line::{read_key, set_modes};
pub use plain::read_plain_byte;
pub use transfer::{Waiting, read, show, write};

use crate::input;
use crate::klog;
use crate::output::{self, LineEnds};

/// Finds out what is at the other end, and tells it that input is read from here on. Does nothing the second time.
pub fn start() {
    let Some(window) = far_end::find() else { return };
    line::set_window(window);
    if is_terminal() {
        output::set_line_ends(LineEnds::ReturnNewline);
    }
    input::set_listener(&line::Keys);
    if input::ready_for_input().is_err() {
        klog!("console: no input, the serial port's interrupt line is taken");
    }
}
