//! Kernel services that stand on the allocators, and that no allocator needs.
//!
//! [`pool`] hands out frames that the zones do not know, [`radix`] finds a file's pages by their index, [`resource`]
//! says who has which addresses, [`isa`] what the 8237 reaches, [`command_line`] and [`number`] how the command line is
//! read, [`options`] what it asks of memory, [`message_ring`] how the log is kept, [`ratelimit`] how often a report may
//! repeat, [`budget`] how much many may hold together, [`pax`] what a tar archive says of a file with a
//! long name, [`date`] how the machine's clock becomes seconds.
#![no_std]
#![forbid(unsafe_code)]

mod bigphysarea;
pub mod budget;
pub mod command_line;
pub mod date;
pub mod isa;
pub mod message_ring;
pub mod number;
pub mod options;
pub mod pax;
pub mod pool;
pub mod radix;
pub mod ratelimit;
pub mod resource;

pub use bigphysarea::bigphysarea;
