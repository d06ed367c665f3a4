//! Requests of disks: what lies between who wants sectors and a disk's driver.
//!
//! Key type: [`Queue`], one a disk. Who wants a page read or written submits it ([`Queue::submit`]) and is told when
//! that has ended ([`Done`]). All memory that this takes was taken when the disk came: a fixed number of requests, for
//! which a submitter waits, in order, when all are taken. What is submitted for neighbouring sectors travels as one
//! request, and those that wait are started in the order of their sectors, one way over the disk (C-LOOK).
//!
//! The files, bottom up: `done.rs`, `name.rs`, `counts.rs`, `reports.rs` (words); `request.rs`, `elevator.rs` (order
//! and merging), `gate.rs` (who waits for a request), `state.rs` with `dispatch.rs` and `ending.rs` (all that a disk's
//! lock protects; no file so far knows a lock); `tags.rs` (requests that the driver has, no lock), `engine.rs` (the
//! lock), `queue.rs`, `expire.rs` (limits in time), `retire.rs` (disks that go).
//!
//! Lock order: a queue's lock, then those of its driver, timers, and the allocators; whoever is told that a request has
//! ended is told with none of these held.
//!
//! Of requests under way at the same time none waits for another: who writes sectors twice, or reads what it writes,
//! waits for the end of the first request, as the page cache does.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod atomic;
mod counts;
mod dispatch;
mod done;
mod elevator;
mod ending;
mod engine;
mod expire;
mod gate;
mod name;
mod queue;
mod reports;
mod request;
mod retire;
mod state;
mod tags;

pub use counts::{Counts, OpCounts};
pub use done::{Completion, Done, Patience, Refused};
pub use name::DiskName;
pub use queue::{Queue, Run};
pub use request::SLOTS;
