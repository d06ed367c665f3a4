//! The text of /proc/scullmem, scullcmem, scullpmem and scullvmem.
//!
//! As the originals print it, with two differences: pointers have 16 digits, and nothing is cut off. Only the quanta of
//! the last item are listed.

use core::fmt::{self, Write};

use kapi::Kernel;
use kapi::mm::own::Buffer;

use crate::device::ScullDevice;
use crate::store::QuantumStore;

/// Writes device number `index`, with the blank line before it.
pub(crate) fn write_device<K: Kernel, S: QuantumStore<K>>(
    out: &mut dyn Write,
    index: usize,
    device: &ScullDevice<K, S>,
) -> fmt::Result {
    let spec = S::SPEC;
    let geometry = device.geometry();
    let (qset, unit, size) = (geometry.qset(), spec.unit.value(geometry.quantum()), device.size());
    writeln!(out, "\nDevice {index}: qset {qset}, {} {unit}, sz {size}", spec.unit_label)?;
    device.for_each_item(&mut |item| {
        let (at, set) = (item.addr().as_usize(), item.set_addr().as_usize());
        writeln!(out, "  item at {at:016x}, qset at {set:016x}")
    })?;
    for (slot, quantum) in device.last_item().quanta() {
        // C's "% 4i": a blank for the sign, and at least four characters with it.
        writeln!(out, "     {slot:>3}{}{:016x}", spec.colon, quantum.addr().as_usize())?;
    }
    Ok(())
}
