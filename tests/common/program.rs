//! Programs of tests, as lines of assembler.

/// A program: its name, and its lines.
macro_rules! program {
    ($name:ident: $($line:literal),* $(,)?) => {
        core::arch::global_asm!(
            ".pushsection .rodata.programs, \"a\"",
            concat!(stringify!($name), "_start:"),
            $($line,)*
            concat!(stringify!($name), "_end:"),
            ".popsection",
        );
        fn $name() -> &'static [u8] {
            unsafe extern "C" {
                #[link_name = concat!(stringify!($name), "_start")]
                static START: u8;
                #[link_name = concat!(stringify!($name), "_end")]
                static END: u8;
            }
            let (start, end) = (&raw const START, &raw const END);
            // SAFETY: the two are the ends of what stands between the labels above.
            unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
        }
    };
}
