//! What this kernel is called.

/// The system's name.
pub const NAME: &str = "Scullery";
/// The kernel's release.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");
/// What kind of kernel that is: a thread of the kernel may lose the processor at any time.
pub const KIND: &str = "PREEMPT";
/// The machine's architecture.
pub const MACHINE: &str = "x86_64";
