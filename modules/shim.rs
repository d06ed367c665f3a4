//! Makes a module of its author's crate: the only place that names the kernel.
//!
//! xtask compiles this once for each module, beside the crate, which here is called `author` whatever its name; it says
//! by `MODULE_NAME` what that is, and by `MODULE_INFO` which file has its lines of `.modinfo`.
#![no_std]

extern crate alloc;

use alloc::sync::Arc;

use kapi::{Errno, Param, ParamSpec};
use kernel::chrdev::Driver;
use kernel::mm::Kernel;
use kernel::modules::{self, Entry};

type Module = author::Module<Kernel>;

const NAME: &str = <Module as kapi::Module<Kernel>>::NAME;
const ABOUT: &str = <Module as kapi::Module<Kernel>>::ABOUT;
const PARAMS: &[ParamSpec] = <Module as kapi::Module<Kernel>>::PARAMS;

const _: () = assert!(is(NAME, env!("MODULE_NAME")), "the module's NAME is not what Cargo.toml calls its crate");

/// What the loader looks for.
#[unsafe(no_mangle)]
pub static MODULE: Entry = Entry::of::<Module>(init);

/// Runs once, and is freed then.
#[unsafe(link_section = ".init.text")]
fn init(params: &[Param<'_>]) -> Result<Arc<dyn Driver>, Errno> {
    modules::load::<Module>(params)
}

#[used]
#[unsafe(link_section = ".modinfo")]
static INFO: [u8; include_bytes!(env!("MODULE_INFO")).len()] = *include_bytes!(env!("MODULE_INFO"));

#[used]
#[unsafe(link_section = ".modinfo")]
static ABOUT_LINE: [u8; ABOUT.len() + 7] = Lines::new().put("about=").put(ABOUT).put("\0").bytes;

#[used]
#[unsafe(link_section = ".modinfo")]
static PARAM_LINES: [u8; length_of_params()] = params();

/// A line for each parameter: `param=NAME:KIND:HELP`.
const fn params<const N: usize>() -> [u8; N] {
    let (mut lines, mut rest) = (Lines::new(), PARAMS);
    while let [param, behind @ ..] = rest {
        lines = lines.put("param=").put(param.name).put(":").put(param.type_name()).put(":").put(param.help).put("\0");
        rest = behind;
    }
    lines.bytes
}

const fn length_of_params() -> usize {
    let (mut length, mut rest) = (0, PARAMS);
    while let [param, behind @ ..] = rest {
        length += "param=::\0".len() + param.name.len() + param.type_name().len() + param.help.len();
        rest = behind;
    }
    length
}

/// Bytes, as far as they are written.
struct Lines<const N: usize> {
    bytes: [u8; N],
    written: usize,
}

impl<const N: usize> Lines<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], written: 0 }
    }

    const fn put(mut self, text: &str) -> Self {
        let mut rest = text.as_bytes();
        while let [byte, behind @ ..] = rest {
            self.bytes[self.written] = *byte;
            self.written += 1;
            rest = behind;
        }
        self
    }
}

const fn is(left: &str, right: &str) -> bool {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    while let ([a, left_behind @ ..], [b, right_behind @ ..]) = (left, right) {
        if *a != *b {
            return false;
        }
        (left, right) = (left_behind, right_behind);
    }
    left.is_empty() && right.is_empty()
}
