//! What a module's names stand for.
#![forbid(unsafe_code)]

use core::iter;

use kapi::Errno;
use loader::{Exports, Object, Part};
use mm::GfpFlags;

use super::entry::ENTRY;
use super::refused::Refused;
use super::registry::{self, Pinned};
use crate::debug::symbols;
use crate::exports;
use crate::mm::KVec;

/// The key under which a Rust module says of which build of the kernel it is.
const BUILD: &str = "kernel";

/// The keys under which it names the modules that it was built with, and what each of them was built from.
const LENDERS: &str = "depends";
const BUILDS: &str = "crates";

/// Finds what a module's undefined names stand for: in the kernel, if it is of the same build; among what the kernel
/// offers to everybody; in modules that are attached.
pub(super) struct Linker {
    /// By the hashes of mangled names: for modules of this very build.
    kernel: Option<Exports<'static>>,
    lenders: KVec<Pinned>,
    failed: Option<Errno>,
}

impl Linker {
    /// The linker for this object. Refused: one of another build of the kernel or of a module that it needs, and one
    /// whose modules are not there.
    pub(super) fn of(object: &Object<'_>) -> Result<Self, Refused> {
        let kernel = match object.modinfo(BUILD) {
            None if is_rust(object) => return Err(no_build()),
            None => None,
            Some(build) => Some(same_build(build)?),
        };
        Ok(Self { kernel, lenders: lenders(object)?, failed: None })
    }

    /// The address of what is called `name`.
    pub(super) fn resolve(&mut self, name: &str) -> Option<u64> {
        let hash = loader::hash(name.as_bytes());
        let own = self.kernel.and_then(|exports| exports.find(hash)).map(|at| symbols::exported(at).as_u64());
        own.or_else(|| exports::find(name)).or_else(|| self.borrow(hash))
    }

    /// The address that an attached module has for the name with this hash; the module then stays.
    fn borrow(&mut self, hash: u64) -> Option<u64> {
        let (address, lender) = registry::lend(hash)?;
        if self.lenders.iter().all(|other| other.name() != lender.name()) {
            let kept = self.lenders.push(lender, GfpFlags::KERNEL);
            self.failed = self.failed.or(kept.err().map(Errno::from));
        }
        Some(address)
    }

    /// The modules that were found to have what this one needs.
    pub(super) fn into_lenders(self) -> Result<KVec<Pinned>, Refused> {
        self.failed.map_or(Ok(self.lenders), |errno| Err(errno.into()))
    }
}

/// The modules that the object was built with.
fn lenders(object: &Object<'_>) -> Result<KVec<Pinned>, Refused> {
    let listed = |key| object.modinfo(key).unwrap_or_default().split(',').filter(|word| !word.is_empty());
    let mut lenders = KVec::new();
    // A build that is not said is none that there is.
    let builds = listed(BUILDS).chain(iter::repeat(""));
    for (name, build) in listed(LENDERS).zip(builds) {
        let refused = |why| Refused::said(Errno::ENOEXEC, format_args!("it needs the module {name}, {why}"));
        let lender = registry::pin(name).map_err(|_| refused("which is not attached"))?;
        if lender.build() != build {
            return Err(refused("and this is another build of it"));
        }
        lenders.push(lender, GfpFlags::KERNEL)?;
    }
    Ok(lenders)
}

/// Whether it begins as modules in Rust do.
fn is_rust(object: &Object<'_>) -> bool {
    object.symbols(&[0; Part::COUNT]).any(|symbol| symbol.name == ENTRY)
}

fn no_build() -> Refused {
    Refused::said(Errno::ENOEXEC, format_args!("it does not say of which build of the kernel it is"))
}

/// The kernel's exports, if they are those of `build`.
fn same_build(build: &str) -> Result<Exports<'static>, Refused> {
    let no_exports = || Refused::said(Errno::ENOEXEC, format_args!("this kernel was built without exports"));
    let exports = symbols::exports().ok_or_else(no_exports)?;
    if exports.version() == build {
        return Ok(exports);
    }
    let own = exports.version();
    Err(Refused::said(Errno::ENOEXEC, format_args!("it is of build {build} of the kernel, and this is {own}")))
}
