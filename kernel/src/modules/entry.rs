//! What a module says of itself: its name, its parameters, how it is made.
#![forbid(unsafe_code)]

use alloc::sync::Arc;

use kapi::{Errno, Module, Param, ParamSpec, Values};

use super::refused::Refused;
use crate::chrdev::Driver;
use crate::mm::Kernel;

/// The static that describes a module written in Rust.
pub(super) const ENTRY: &str = "MODULE";

/// The type behind a module of the kernel's own, or in a file: a static in either.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it is, on one line.
    pub about: &'static str,
    /// The parameters that it knows.
    pub params: &'static [ParamSpec],
    /// What follows the name in that of its file in /proc, if it has one.
    pub proc_suffix: Option<&'static str>,
    /// Makes its value.
    pub(super) load: Load,
}

/// Makes a module's value from the parameters of an insmod line.
pub type Load = fn(&[Param<'_>]) -> Result<Arc<dyn Driver>, Errno>;

impl Entry {
    /// The entry of the type `M`. `load` makes its value, by [`load::<M>`](load).
    pub const fn of<M: Module<Kernel>>(load: Load) -> Self {
        Self { name: M::NAME, about: M::ABOUT, params: M::PARAMS, proc_suffix: M::PROC_SUFFIX, load }
    }

    /// Whether it takes these parameters; `EINVAL`, with what it does take.
    pub(super) fn check(&self, params: &[Param<'_>]) -> Result<(), Refused> {
        match Values::read(self.params, params) {
            Ok(_) => Ok(()),
            Err(error) => Err(Refused::said(Errno::EINVAL, format_args!("{error}"))),
        }
    }
}

/// insmod's half of a module of the type `M`.
///
/// # Errors
/// `EINVAL` for parameters that its table does not allow, `ENOMEM`, and whatever `M` says.
#[inline(always)]
pub fn load<M: Module<Kernel>>(params: &[Param<'_>]) -> Result<Arc<dyn Driver>, Errno> {
    let module = M::load(&Values::read(M::PARAMS, params)?)?;
    Ok(Arc::try_new(module).map_err(|_| Errno::ENOMEM)?)
}
