//! All that knows the machine: ports, tables, the boot protocol.

pub mod backtrace;
pub mod fw_cfg;
pub mod qemu;
pub mod serial;
pub mod symbols;
