//! The memory of a running kernel, seen from the host: read, recorded, drawn.
//!
//! The guest's RAM is a file that QEMU maps and this program reads: nothing in the guest takes part. Bottom up:
//! `physical.rs` reads bytes at physical addresses, `tables.rs` follows page tables, `guest.rs` finds the header that
//! the kernel left, `inside.rs` reads objects, callers and areas, `picture.rs` and `details.rs` are all of the memory
//! at one moment; `record.rs`, by `parts.rs` and `codec.rs`, keeps pictures and the console in a file. `layout.rs` is
//! where a frame is drawn, `palette.rs` in which colour, `about.rs` what is told of it, `svg.rs` draws into files,
//! `view.rs` and `panel.rs` on a terminal, which `terminal.rs` and `guard.rs` give back; `keys.rs` tells the map's keys
//! from the console's, `screen.rs` is the state of all that, `player.rs` plays a recording, with `said.rs` for its
//! console, `console.rs` is its size, `machine.rs` runs QEMU, `session.rs` both together.
//!
//! What the guest's memory says is never believed: each access is checked, each walk bounded.
#![forbid(unsafe_op_in_unsafe_fn)]

pub mod about;
pub mod cell;
pub mod codec;
pub mod console;
pub mod details;
pub mod guard;
pub mod guest;
mod inside;
pub mod keys;
pub mod layout;
pub mod machine;
pub mod palette;
pub mod panel;
mod parts;
pub mod physical;
pub mod picture;
pub mod player;
pub mod record;
pub mod said;
pub mod screen;
pub mod session;
pub mod svg;
pub mod tables;
pub mod terminal;
pub mod view;
