//! Links the kernel, and every bootable test, by this directory's script.

fn main() {
    let dir = env!("CARGO_MANIFEST_DIR");
    println!("cargo:rustc-link-arg=-T{dir}/kernel.ld");
    println!("cargo:rerun-if-changed={dir}/kernel.ld");
}
