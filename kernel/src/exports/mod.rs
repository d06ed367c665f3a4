//! What the kernel offers to modules that are not of its own build.
//!
//! They are functions of the C ABI, found by their names.
//!
//! Names, parameters and results here are for good: what is offered stays. One is declared by
//! [`export!`](crate::export) beside the function itself.

use core::slice;

unsafe extern "C" {
    static __exports_start: u8;
    static __exports_end: u8;
}

/// A function or variable by its name.
#[repr(C)]
pub struct Export {
    name: &'static str,
    function: *const (),
}

// SAFETY: nobody follows it here.
unsafe impl Sync for Export {}

impl Export {
    /// The function at `function` under the name `name`; see [`export!`](crate::export).
    pub const fn new(name: &'static str, function: *const ()) -> Self {
        Self { name, function }
    }
}

/// Offers functions of the C ABI, which stand here, to all modules under their own names.
#[macro_export]
macro_rules! export {
    ($($(#[$meta:meta])* extern "C" fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? $body:block)+) => {
        $($(#[$meta])* extern "C" fn $name($($argument: $type),*) $(-> $result)? $body
        $crate::offer!($name);)+
    };
}

/// Offers a function that stands elsewhere, or under another name the address of what stands behind the equals sign.
#[macro_export]
macro_rules! offer {
    ($name:ident) => {
        $crate::offer!($name = $name as *const ());
    };
    ($name:ident = $address:expr) => {
        const _: () = {
            // SAFETY: kernel.ld collects these statics into the table that they are read from.
            #[used]
            #[unsafe(link_section = ".exports")]
            static EXPORT: $crate::exports::Export = $crate::exports::Export::new(stringify!($name), $address);
        };
    };
}

/// The address of what is offered under this name.
pub fn find(name: &str) -> Option<u64> {
    table().iter().find(|export| export.name == name).map(|export| export.function.addr() as u64)
}

/// All names, with their addresses.
pub fn all() -> impl Iterator<Item = (&'static str, u64)> {
    table().iter().map(|export| (export.name, export.function.addr() as u64))
}

fn table() -> &'static [Export] {
    let start = &raw const __exports_start;
    let len = ((&raw const __exports_end).addr() - start.addr()) / size_of::<Export>();
    // SAFETY: between these marks kernel.ld puts the statics that `export!` makes, aligned, and nothing else.
    unsafe { slice::from_raw_parts(start.cast(), len) }
}
