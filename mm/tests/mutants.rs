//! The tests that judge mutants of the allocators, as one program.
//!
//! It is built in a fraction of the time that its parts take. `make mutants` runs it; `cargo test` runs the parts.
#![allow(clippy::duplicate_mod, reason = "each part brings the helpers in common/")]

#[path = "bad_frees.rs"]
mod bad_frees;
#[path = "calls.rs"]
mod calls;
#[path = "highmem.rs"]
mod highmem;
#[path = "objects.rs"]
mod objects;
#[path = "out_of_memory.rs"]
mod out_of_memory;
#[path = "percpu.rs"]
mod percpu;
#[path = "sharing.rs"]
mod sharing;
#[path = "slab.rs"]
mod slab;
#[path = "threads.rs"]
mod threads;
#[path = "tuning.rs"]
mod tuning;
#[path = "zeroing.rs"]
mod zeroing;
#[path = "zones.rs"]
mod zones;
