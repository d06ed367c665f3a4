//! The functions of a kernel by name, and who calls them.
//!
//! gdb takes `break kmalloc` for every function whose path ends so, and finds those alone that are functions of their
//! own in the linked kernel.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

/// Whoever stops at a name of the book wants none of these.
const BENCHMARKS: &str = "kernel::bench::";
/// A call of a function in the same image: the opcode, then how far away it is, from the next instruction on.
const CALL: u8 = 0xe8;
const CALL_BYTES: usize = 5;

struct Function {
    path: String,
    addresses: Range<u64>,
}

/// The functions, and the code in which to look for calls.
pub struct Symbols {
    functions: Vec<Function>,
    text: Vec<u8>,
    start: u64,
}

impl Symbols {
    /// Reads a kernel.
    pub fn read(kernel: &Path) -> Result<Self> {
        let data = fs::read(kernel).with_context(|| format!("cannot read {}", kernel.display()))?;
        let file = object::File::parse(&*data)?;
        let section = file.section_by_name(".text").context("the kernel has no .text")?;
        let functions = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text).map(|symbol| {
            let path = format!("{:#}", rustc_demangle::demangle(symbol.name()?));
            Ok(Function { path, addresses: symbol.address()..symbol.address() + symbol.size() })
        });
        let functions = functions.collect::<Result<_>>()?;
        Ok(Self { functions, text: section.data()?.to_owned(), start: section.address() })
    }

    /// Whether a breakpoint at `name` stops where the kernel calls it, and at no benchmark.
    pub fn check(&self, name: &str) -> Result<()> {
        let meant: Vec<&Function> =
            self.functions.iter().filter(|function| last_name(&function.path) == name).collect();
        if let Some(function) = meant.iter().find(|function| function.path.contains(BENCHMARKS)) {
            bail!("`break {name}` stops at {}", function.path);
        }
        if meant.is_empty() {
            bail!("`break {name}` finds no function of its own");
        }
        if !meant.iter().any(|function| self.is_called(function)) {
            bail!("nobody calls {}", meant[0].path);
        }
        Ok(())
    }

    /// Whether code outside of the benchmarks, and of the function itself, calls it.
    fn is_called(&self, function: &Function) -> bool {
        let calls = self.text.windows(CALL_BYTES).enumerate().filter(|(_, bytes)| bytes[0] == CALL);
        let targets = calls.filter_map(|(at, bytes)| {
            let distance = i32::from_le_bytes(bytes[1..].try_into().ok()?);
            let from = self.start + at as u64;
            Some((from, (from + CALL_BYTES as u64).wrapping_add_signed(distance.into())))
        });
        let mut callers = targets.filter(|(_, to)| *to == function.addresses.start).map(|(from, _)| from);
        callers.any(|from| {
            let caller = self.functions.iter().find(|it| it.addresses.contains(&from));
            caller.is_some_and(|caller| !caller.path.contains(BENCHMARKS) && caller.path != function.path)
        })
    }
}

/// The last name of a path. One of a generic function ends in its arguments, and gdb does not find it by its name.
fn last_name(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Function, Symbols, last_name};

    fn function(path: &str, addresses: std::ops::Range<u64>) -> Function {
        Function { path: path.into(), addresses }
    }

    /// Three functions: the first one calls the second.
    fn symbols(caller: &str, called: &str) -> Symbols {
        let mut text = vec![0x90; 48];
        text[4..9].copy_from_slice(&[0xe8, 7, 0, 0, 0]);
        let functions = vec![function(caller, 100..116), function(called, 116..132), function("mm::vfree", 132..148)];
        Symbols { functions, text, start: 100 }
    }

    #[test]
    fn a_function_that_is_called_can_be_stopped_at() {
        let symbols = symbols("drivers::scull::write", "<mm::own::calls::Calls<kernel::Kernel>>::kmalloc");
        assert!(symbols.check("kmalloc").is_ok());
        assert!(symbols.check("kfree").is_err(), "it was compiled into its callers");
        assert!(symbols.check("vfree").is_err(), "nobody calls it");
    }

    #[test]
    fn benchmarks_do_not_count() {
        assert!(symbols("kernel::bench::probe::pairs", "mm::own::calls::kmalloc").check("kmalloc").is_err());
        assert!(symbols("kernel::bench::suites::run", "kernel::bench::suites::kmalloc").check("kmalloc").is_err());
    }

    #[test]
    fn a_generic_function_is_not_found() {
        assert_eq!(last_name("<mm::areas::AreaAllocator<a::B>>::ioremap"), "ioremap");
        assert_eq!(last_name("kernel::start"), "start");
        assert_ne!(last_name("mm::own::kmalloc::<kernel::Kernel>"), "kmalloc");
    }
}
