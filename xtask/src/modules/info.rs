//! A module's section `.modinfo`: lines `KEY=VALUE`, a zero behind each.
//!
//! - `name`, `license`: as Cargo.toml has them
//! - `kernel`: the version of the kernel that it was built for; no other can load it; none for the C ABI
//! - `crate`: the compiler's hash of its own crate
//! - `depends`: the modules that it uses, with commas between them; `crates`: the hash that each had, in the same order

use super::manifest::{Abi, Manifest};

/// What is written for a module that was built for the kernel of this version, and uses modules of these hashes.
pub fn section(manifest: &Manifest, kernel: &str, own: &str, used: &[(String, String)]) -> Vec<u8> {
    let (names, hashes): (Vec<&str>, Vec<&str>) =
        used.iter().map(|(name, hash)| (name.as_str(), hash.as_str())).unzip();
    let kernel = if manifest.abi == Abi::C { "" } else { kernel };
    let all = [
        ("name", manifest.name.as_str()),
        ("license", manifest.license.as_str()),
        ("kernel", kernel),
        ("crate", own),
        ("depends", &names.join(",")),
        ("crates", &hashes.join(",")),
    ];
    let given = all.into_iter().filter(|(_, value)| !value.is_empty());
    given.flat_map(|(key, value)| format!("{key}={value}\0").into_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::section;
    use crate::modules::manifest::{Abi, Manifest, UnsafeCode};

    #[test]
    fn each_line_ends_in_a_zero_and_what_is_not_given_is_left_out() {
        let manifest = Manifest {
            name: "b".into(),
            source: "src/lib.rs".into(),
            edition: "2024".into(),
            license: String::new(),
            crates: vec!["drivers".into(), "a".into(), "c".into()],
            unsafe_code: UnsafeCode::Forbidden,
            abi: Abi::Rust,
            c: None,
        };
        let used = [("a".to_owned(), "12".to_owned()), ("c".to_owned(), "34".to_owned())];
        let section = section(&manifest, "ab", "cd", &used);
        assert_eq!(section, b"name=b\0kernel=ab\0crate=cd\0depends=a,c\0crates=12,34\0");
        let plain = Manifest { abi: Abi::C, ..manifest };
        assert_eq!(super::section(&plain, "ab", "cd", &[]), b"name=b\0crate=cd\0");
    }
}
