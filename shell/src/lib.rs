//! The console's shell: parser, line editor and commands.
//!
//! Nothing here knows a kernel. A command sees the world through [`Env`]: open files, directories, memory, a clock,
//! ^C. A line runs through [`Machine`], which makes threads and pipes. The kernel implements both, and so do the host
//! tests. What every line needs lives in fixed buffers ([`text`], [`words`]); only commands that must remember their
//! input ask for memory, and say so when there is none.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should"))]

#[cfg(test)]
extern crate std;

pub mod commands;
pub mod complete;
pub mod editor;
pub mod env;
pub mod exec;
pub mod expected;
pub mod failure;
pub mod history;
pub mod io;
pub mod job;
pub mod keys;
pub mod lexer;
pub mod options;
mod order;
pub mod parser;
mod path;
pub mod plain;
mod prefix;
pub mod text;
pub mod words;

#[cfg(test)]
mod testing;

pub use env::{Env, File, Kind, Stat, Status, Stream};
pub use exec::{Machine, run_command, run_line};
pub use failure::{Failure, Outcome};
pub use job::{Command, CommandSet, Job};
