//! What both host programs use: tables of symbols, the toolchain's programs.
//!
//! The tables are those that images and modules carry. [`functions`] names what lies at an address, for backtraces;
//! [`exports`] says where a name lies, for whoever links a module. The program that makes images and the one that
//! builds modules write both.
#![forbid(unsafe_code)]

pub mod exports;
pub mod functions;
pub mod names;
pub mod toolchain;
