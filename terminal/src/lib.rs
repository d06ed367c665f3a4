//! A terminal's line discipline.
//!
//! What becomes of each byte that is typed, and of each that a program writes.
//!
//! No clock, no locks, no memory of its own: a kernel keeps one [`Discipline`] a terminal, under its lock, feeds it
//! what arrives, in interrupt context too, and reads from it what programs may have. What is to be shown goes to a
//! [`Wire`]. Modes are those of POSIX; their numbers and layouts those of Linux on x86-64 (crate `linux-raw-sys`).
//!
//! - [`termios`], [`window`]: the modes and the size, as programs set them
//! - [`queue`]: bytes on their way to programs, in lines
//! - [`output`]: from programs to the wire; columns
//! - [`discipline`]: all of it together
//! - `edit`: what the editing keys do to the line
//! - `echo`: what of it shows
//!
//! Left out, as nobody here would miss them: parity errors and breaks marked in the input (PARMRK), the echo of
//! printing terminals (ECHOPRT), upper case only (IUCLC, OLCUC), delays and fill characters. Programs may set them;
//! they do nothing.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod discipline;
mod echo;
mod edit;
pub mod output;
pub mod queue;
pub mod termios;
pub mod window;

pub use discipline::{Discipline, Patience};
pub use output::Wire;
pub use queue::{Peek, Position};
pub use termios::{InputModes, Key, LocalModes, OutputModes, Termios};
pub use window::Window;
