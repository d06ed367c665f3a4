//! Signals between processes.
//!
//! Who gets them, who is told, what happens on the way back to ring 3.
//!
//! Files, each naming those before it only:
//!
//! - [`mod@send`]: to one process; what its parent hears of a child
//! - [`group`]: to a group, by a key or a call; groups that nobody would let go on
//! - [`kill`]: whom a program means by a number
//! - [`alarm`]: SIGALRM after a time
//! - [`handler`]: a frame for a handler, and back
//! - [`resume`]: what is done on the way back to ring 3
//! - [`session`]: sessions and groups change; the terminal is told
//!
//! Lock order: the table of processes, then a process's signals, then the run queue.

pub mod alarm;
pub mod group;
pub mod handler;
pub mod kill;
pub mod resume;
pub mod send;
pub mod session;

pub use handler::sigreturn;
pub use resume::{Forced, before_return, force};
pub use send::{send, tell_parent, wants_zombie};
pub use session::{init, leave};
