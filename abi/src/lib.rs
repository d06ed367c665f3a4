//! What programs for Linux on x86-64 and a kernel say to each other, as bytes.
//!
//! The numbers and layouts are those of `linux-raw-sys`; here they meet the words of this kernel (`kapi`): a structure
//! becomes zero-padded bytes (`record!`), the numbers of open flags, devices and calls become types and names.
//! Nothing here needs a kernel, so all of it is tested on the host.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod device;
pub mod dirent;
pub mod names;
pub mod open;
pub mod proc_text;
pub mod record;
pub mod restart;
pub mod stat;
pub mod time;

pub use linux_raw_sys as linux;
