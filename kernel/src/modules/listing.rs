//! What /proc says of modules: /proc/modules, /proc/ksyms.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use super::image::Image;
use super::registry;
use crate::debug::symbols;
use crate::exports;

/// Writes /proc/modules, in the words of Linux since 2.6: name, bytes, users, the modules that need it, its state,
/// where its code lies.
pub fn write_modules(out: &mut dyn Write) -> fmt::Result {
    let names = registry::names().map_err(|_| fmt::Error)?;
    for module in names.iter().filter_map(|name| registry::find(name).ok()) {
        // Its own code says it: should that die here, the others must not be held.
        let bytes = module.footprint();
        let modules = registry::all().map_err(|_| fmt::Error)?;
        let needed_by = fmt::from_fn(|f| {
            let mut others = modules.iter().filter(|other| other.needs(module.name())).peekable();
            if others.peek().is_none() {
                return f.write_str("-");
            }
            others.try_for_each(|other| write!(f, "{},", other.name()))
        });
        let start = module.image().map_or(0, |image| image.text.start().as_u64());
        let (name, users, state) = (module.name(), module.users(), module.state());
        writeln!(out, "{name} {bytes} {users} {needed_by} {state} 0x{start:016x}")?;
    }
    Ok(())
}

/// Writes /proc/ksyms, as Linux 2.4 does: addresses of functions and their names, behind those of a module its name.
pub fn write_ksyms(out: &mut dyn Write) -> fmt::Result {
    let modules = registry::all().map_err(|_| fmt::Error)?;
    for module in modules.iter() {
        for (address, name) in module.image().into_iter().flat_map(|image: &Image| image.text.functions()) {
            writeln!(out, "{address:016x} {name}\t[{}]", module.name())?;
        }
    }
    exports::all().try_for_each(|(name, address)| writeln!(out, "{address:016x} {name}"))?;
    symbols::of_kernel().try_for_each(|(address, name)| writeln!(out, "{address:016x} {name}"))
}
