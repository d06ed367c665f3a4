//! Allocates and frees, so that one sees what that costs in a module.
//!
//! A read of N bytes of /dev/pairs0 calls kmalloc and kfree N times and gives nothing. The kernel's command `bench`
//! times it, beside the same loop in the kernel.
#![no_std]

use core::arch::asm;
use core::marker::PhantomData;

use kapi::mm::GfpFlags;
use kapi::{CharDriver, Errno, IoBuf, Kernel, OpenDevice, ParamKind, ParamSpec, Preset, Values};

/// What the kernel makes of this crate.
pub type Module<K> = Pairs<K>;

/// The module, and what it asks for.
#[derive(Debug)]
pub struct Pairs<K: Kernel> {
    size: usize,
    /// A variable, as in the kernel's loop.
    gfp: GfpFlags,
    kernel: PhantomData<fn() -> K>,
}

impl<K: Kernel> kapi::Module<K> for Pairs<K> {
    const NAME: &'static str = "pairs";
    const ABOUT: &'static str = "allocates and frees as often as bytes are read";
    const PARAMS: &'static [ParamSpec] = &[ParamSpec {
        name: "size",
        kind: ParamKind::Number { least: 1, most: 131_072, default: Preset::Number(64) },
        help: "bytes of an object",
    }];

    fn load(values: &Values<'_>) -> Result<Self, Errno> {
        let size = values.number("size").and_then(|size| usize::try_from(size).ok()).ok_or(Errno::EINVAL)?;
        Ok(Self { size, gfp: GfpFlags::KERNEL, kernel: PhantomData })
    }

    fn devices(&self) -> u16 {
        1
    }
}

impl<K: Kernel> CharDriver for Pairs<K> {
    fn open(&self, _file: &mut OpenDevice) -> Result<(), Errno> {
        Ok(())
    }

    fn read(&self, _file: &OpenDevice, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        for _ in 0..buf.remaining() {
            let object = K::memory().kmalloc(hidden(self.size), self.gfp)?;
            let address = hidden(object.as_ptr().expose_provenance());
            // SAFETY: it was allocated just now, and is used by nobody. What was just allocated can be freed.
            let _ = unsafe { K::memory().kfree(core::ptr::with_exposed_provenance(address)) };
        }
        Ok(0)
    }
}

/// The same value, of which the optimiser knows nothing any more; nothing is executed.
#[inline(always)]
fn hidden(mut value: usize) -> usize {
    // SAFETY: a comment does nothing.
    unsafe { asm!("/* {0} */", inout(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

#[cfg(test)]
mod tests {
    use kapi::testing::{self, File, Host, insmod};
    use kapi::{Errno, Minor, OpenFlags};

    use super::Pairs;

    #[test]
    fn a_read_gives_nothing_and_keeps_nothing() -> Result<(), Errno> {
        let _machine = testing::machine();
        let pairs: Pairs<Host> = insmod(&["size=100"])?;
        let before = testing::in_use();
        assert_eq!(File::open(&pairs, Minor(0), OpenFlags::READ)?.read(500)?, []);
        assert_eq!(testing::in_use(), before);
        assert_eq!(insmod::<Pairs<Host>>(&["size=0"]).err(), Some(Errno::EINVAL));
        Ok(())
    }
}
