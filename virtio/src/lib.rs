//! A virtio block device: its queue, its requests, its end.
//!
//! Key types: [`Disk`], over a [`Transport`](virtio_drivers::transport::Transport) of the crate `virtio-drivers`, which
//! knows where a device's registers are and what is said through them. The queue is this crate's own (`rings.rs`,
//! `queue.rs`): that crate's wants a reference to each buffer, and a page of high memory has no address to refer to.
//! Here a buffer is a frame. Every request is one entry of the queue, which leads to a table of its own
//! (`request.rs`), so that as many requests are under way as the queue has entries, whatever their length. All memory
//! for them is taken when the device is found: a request needs none.
//!
//! Invariants:
//! (a) an entry's number, its request's and the caller's tag are one number;
//! (b) what the device may write to is made of atomics: it changes at any time, and is checked before it counts;
//! (c) a request's memory is the device's from `start` until its tag comes back, or until the device was reset.
//!
//! (Source: Virtual I/O Device (VIRTIO) Version 1.2, sections 2.7, 4.1 and 5.2.)
#![no_std]
#![forbid(unsafe_code)]

mod config;
mod disk;
mod error;
mod queue;
mod request;
mod rings;

pub use disk::{Bus, Disk};
pub use error::Unusable;
pub use rings::ENTRIES;
