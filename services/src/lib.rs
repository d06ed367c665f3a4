//! Kernel services that stand on the allocators, and that no allocator needs.
//!
//! [`pool`] hands out frames that the zones do not know, [`radix`] finds a file's pages by their index, [`resource`]
//! says who has which addresses, [`isa`] what the 8237 reaches, [`command_line`] and [`number`] how the command line is
//! read, [`options`] what it asks of memory, [`disk_options`] of disks, [`message_ring`] how the log is kept,
//! [`ratelimit`] how often a report may repeat, [`budget`] how much many may hold together, [`tar`] what an archive of
//! files has, and [`pax`] what it says of a file with a long name, [`date`] how the machine's clock becomes seconds,
//! [`load_average`] how busy the machine was, [`badness`] who has to go when memory is out, [`printf`] how C prints,
//! [`module_line`] what a module is told by the program that brings it.
#![no_std]
#![forbid(unsafe_code)]

pub mod badness;
mod bigphysarea;
pub mod budget;
pub mod command_line;
pub mod date;
pub mod disk_options;
pub mod isa;
pub mod load_average;
pub mod message_ring;
pub mod module_line;
pub mod number;
pub mod options;
pub mod pax;
pub mod pool;
pub mod printf;
pub mod radix;
pub mod ratelimit;
pub mod resource;
pub mod shortage;
pub mod tar;

pub use bigphysarea::bigphysarea;
