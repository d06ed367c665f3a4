//! What the allocators need from the kernel, or the test, that they run in.
//!
//! Key types: [`Platform`], and what it names: [`Lock`], [`Cpus`], [`KernelTables`]. A kernel implements [`Platform`]
//! once, over parts of its own or the ready ones; host tests and benchmarks implement it with threads
//! (`testing::HostPlatform`). Nothing in this crate names an architecture: page tables, locks and sleeping come in
//! through here.
//!
//! `machine.rs` is the trait; `interrupts.rs` and `lock.rs`: locks; `cpus.rs`: pins; `tables.rs`, `locked_tables.rs`:
//! page tables; `own_mappings.rs`: how the allocators call these.

mod cpus;
mod interrupts;
mod lock;
mod locked_tables;
mod machine;
mod own_mappings;
mod tables;

pub use cpus::{CountCpus, CpuCount, Cpus, MAX_CPUS, OneCpu, Pinned};
pub use interrupts::{Interrupts, NoInterrupts, Off};
pub use lock::{Lock, SpinLock};
pub use locked_tables::{LockedTables, Tlb};
pub use machine::{LastResort, Platform, Reclaiming, Verdict};
pub use tables::{KernelTables, NoTables};

pub(crate) use own_mappings::OwnMappings;
