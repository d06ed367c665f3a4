//! Says in one line why a target cannot have this crate, if it cannot.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let widths = env::var("CARGO_CFG_TARGET_HAS_ATOMIC").unwrap_or_default();
    if !widths.split(',').any(|width| width == "64") {
        let target = env::var("TARGET").unwrap_or_default();
        println!(
            "cargo::error=mm needs atomic operations on 64 bits, which {target} does not have: the words of the \
             page map and the entries of page tables have 64 bits, and CPUs and interrupts share them without a lock"
        );
    }
}
