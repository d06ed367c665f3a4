//! In which order modules are built: each after those that it uses.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::manifest::Manifest;

/// Sorts modules so that each comes behind those that it uses, `known` being built already; refuses two of one name,
/// uses of what is no module, and rings.
pub fn sort<T>(mut modules: Vec<T>, known: &[&str], manifest: impl Fn(&T) -> &Manifest) -> Result<Vec<T>> {
    let mut built: BTreeSet<String> = known.iter().map(|&name| name.to_owned()).collect();
    let mut all = built.clone();
    for module in &modules {
        let name = &manifest(module).name;
        if !all.insert(name.clone()) {
            bail!("{} would be a second module called {name}", manifest(module).source.display());
        }
    }
    let mut sorted = Vec::new();
    while !modules.is_empty() {
        let is_ready = |module: &T| manifest(module).modules().all(|name| built.contains(name));
        let Some(place) = modules.iter().position(is_ready) else {
            bail!("{}", obstacle(modules.iter().map(manifest), &all));
        };
        let module = modules.remove(place);
        built.insert(manifest(&module).name.clone());
        sorted.push(module);
    }
    Ok(sorted)
}

/// Why none of these can be built next.
fn obstacle<'a>(modules: impl Iterator<Item = &'a Manifest>, all: &BTreeSet<String>) -> String {
    let mut names = Vec::new();
    for manifest in modules {
        if let Some(unknown) = manifest.modules().find(|name| !all.contains(*name)) {
            return format!("{} depends on {unknown}, which is neither kapi nor a module", manifest.name);
        }
        names.push(manifest.name.as_str());
    }
    format!("modules use each other in a ring: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::sort;
    use crate::modules::manifest::{Abi, Manifest, UnsafeCode};

    fn module(name: &str, uses: &[&str]) -> Manifest {
        Manifest {
            name: name.into(),
            source: format!("/m/{name}/src/lib.rs").into(),
            edition: "2024".into(),
            license: String::new(),
            crates: uses.iter().map(|&name| name.to_owned()).collect(),
            unsafe_code: UnsafeCode::Forbidden,
            abi: Abi::Rust,
            c: None,
        }
    }

    fn sorted(modules: Vec<Manifest>) -> Result<Vec<String>, String> {
        let sorted = sort(modules, &["known"], |manifest| manifest).map_err(|error| error.to_string())?;
        Ok(sorted.into_iter().map(|manifest| manifest.name).collect())
    }

    #[test]
    fn a_module_comes_behind_those_that_it_uses() {
        let modules = vec![module("a", &["c", "known"]), module("b", &[]), module("c", &["b"])];
        assert_eq!(sorted(modules).expect("no ring"), ["b", "c", "a"]);
    }

    #[test]
    fn what_cannot_be_built_is_told() {
        let ring = sorted(vec![module("a", &["b"]), module("b", &["a"])]).expect_err("a ring");
        assert!(ring.contains("ring: a, b"), "{ring}");
        let unknown = sorted(vec![module("a", &["log"])]).expect_err("no module");
        assert!(unknown.contains("a depends on log"), "{unknown}");
        let twice = sorted(vec![module("a", &[]), module("a", &[])]).expect_err("one name");
        assert!(twice.contains("/m/a/src/lib.rs would be a second module called a"), "{twice}");
        assert!(sorted(vec![module("known", &[])]).is_err());
    }
}
