//! The PCI functions of this machine, found once at boot.

use core::fmt::{self, Write};

use kapi::Errno;
use mm::GfpFlags;
use spin::Once;

use crate::board::pci::scan;
pub use crate::board::pci::{Bar, Function, Kind, VGA};
use crate::mm::KVec;

static FUNCTIONS: Once<KVec<Function>> = Once::new();

/// Finds all functions. Once, after kmalloc stands and before drivers. `ENOMEM`: those that were found before are kept.
pub fn init() -> Result<(), Errno> {
    let mut found = KVec::new();
    let outcome = scan(&mut |function| found.push(function, GfpFlags::KERNEL));
    FUNCTIONS.call_once(|| found);
    Ok(outcome?)
}

/// All functions, in the order in which they were found. Any context.
pub fn functions() -> &'static [Function] {
    FUNCTIONS.get().map_or(&[], |functions| functions.as_slice())
}

/// The first function of a class.
pub fn find(class: (u8, u8)) -> Option<&'static Function> {
    functions().iter().find(|function| function.class == class)
}

/// Writes /proc/pci, in the form of 2.4.
pub fn write_functions(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "PCI devices found:")?;
    for function in functions() {
        let at = function.address;
        writeln!(out, "  Bus {:2}, device {:3}, function {:2}:", at.bus(), at.device(), at.function())?;
        let (vendor, device, revision) = (function.vendor, function.device, function.revision);
        writeln!(out, "    {}: PCI device {vendor:04x}:{device:04x} (rev {revision}).", function.kind())?;
        if let Some(irq) = function.irq {
            writeln!(out, "      IRQ {irq}.")?;
        }
        function.ranges().try_for_each(|range| writeln!(out, "      {range}"))?;
    }
    Ok(())
}
