//! A crate's sources, parsed, each with its module path; tests are left out.
//!
//! Left out: `tests.rs`, `testing.rs`, what lies in `tests/` and `testing/`, and every item under `#[cfg(test)]`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use syn::{Attribute, ImplItem, Item, Meta};

/// Names of a module path, from the crate's root, which has none.
pub type ModulePath = Vec<String>;

/// One file.
pub struct Source {
    /// From the top of the tree: `mm/src/page/map.rs`.
    pub path: String,
    /// `["page", "map"]`.
    pub module: ModulePath,
    /// Its items, without tests.
    pub items: Vec<Item>,
}

impl Source {
    /// The file's own name.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The directory that it lies in.
    pub fn directory(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(directory, _)| directory)
    }
}

/// The files of a crate.
pub struct Crate {
    /// Where they lie: `mm/src`.
    pub directory: String,
    /// In the order of their paths.
    pub sources: Vec<Source>,
    /// Modules that were left out, with all below them.
    pub left_out: BTreeSet<ModulePath>,
}

impl Crate {
    /// Reads the sources below `directory`.
    pub fn read(root: &Path, directory: &str) -> Result<Self> {
        let mut texts = Vec::new();
        for path in files(root, directory)?.into_iter().filter(|path| path.ends_with(".rs")) {
            let text = fs::read_to_string(root.join(&path)).with_context(|| format!("cannot read {path}"))?;
            texts.push((path, text));
        }
        Self::parse(directory, &texts)
    }

    /// Parses files, given as path and text.
    pub fn parse(directory: &str, texts: &[(String, String)]) -> Result<Self> {
        let mut this = Self { directory: directory.to_owned(), sources: Vec::new(), left_out: BTreeSet::new() };
        let has_library = texts.iter().any(|(path, _)| *path == format!("{directory}/lib.rs"));
        for (path, text) in texts {
            let module = module_path(path.strip_prefix(directory).unwrap_or(path), has_library);
            if let Some(at) = module.iter().position(|name| name == "tests" || name == "testing") {
                this.left_out.insert(module[..=at].to_vec());
                continue;
            }
            let mut items = syn::parse_file(text).with_context(|| format!("cannot parse {path}"))?.items;
            strip_tests(&mut items, &module, &mut this.left_out);
            this.sources.push(Source { path: path.clone(), module, items });
        }
        let left_out = &this.left_out;
        this.sources.retain(|source| !left_out.iter().any(|path| source.module.starts_with(path)));
        Ok(this)
    }
}

/// All files below a directory, sorted, as paths from the root.
pub fn files(root: &Path, directory: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(root.join(directory)).with_context(|| format!("cannot read {directory}"))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
        if entry.file_type()?.is_dir() {
            found.extend(files(root, &path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// `/page/map.rs` is `["page", "map"]`. Beside a library, `main.rs` is a program of its own that names it from outside.
fn module_path(path: &str, has_library: bool) -> ModulePath {
    let mut names: ModulePath =
        path.trim_end_matches(".rs").split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let is_root = matches!(names.as_slice(), [one] if one == "lib" || (one == "main" && !has_library));
    if is_root || names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

/// Takes out what is built for tests alone, and notes modules in files of their own.
fn strip_tests(items: &mut Vec<Item>, module: &ModulePath, left_out: &mut BTreeSet<ModulePath>) {
    items.retain(|item| {
        let for_tests = for_tests(attributes(item));
        if let (Item::Mod(inner), true) = (item, for_tests) {
            left_out.insert([module.as_slice(), &[inner.ident.to_string()]].concat());
        }
        !for_tests
    });
    for item in items {
        match item {
            Item::Mod(inner) => {
                let path = [module.as_slice(), &[inner.ident.to_string()]].concat();
                if let Some((_, items)) = &mut inner.content {
                    strip_tests(items, &path, left_out);
                }
            }
            Item::Impl(block) => block.items.retain(|item| !matches!(item, ImplItem::Fn(it) if for_tests(&it.attrs))),
            _ => {}
        }
    }
}

/// Whether one of them is `#[cfg(test)]`, alone or among others.
fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let words: Vec<String> = list.tokens.clone().into_iter().map(|token| token.to_string()).collect();
            words.first().is_some_and(|word| word == "test" || word == "all")
                && list.tokens.to_string().split(|c: char| !c.is_alphanumeric()).any(|word| word == "test")
        }
        _ => false,
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// A crate of files given as pairs, for the tests of the rules; the files of modules that are missing are empty.
#[cfg(test)]
pub fn sample(files: &[(&str, &str)]) -> Crate {
    let mut texts: Vec<_> = files.iter().map(|(path, text)| (format!("mm/src/{path}"), (*text).to_owned())).collect();
    let directories = files.iter().filter_map(|(path, _)| path.rsplit_once('/'));
    let modules = directories.map(|(directory, _)| format!("mm/src/{directory}/mod.rs"));
    for path in modules.chain(["mm/src/lib.rs".into()]).collect::<Vec<_>>() {
        let beside = path.replace("/mod.rs", ".rs");
        if !texts.iter().any(|(it, _)| *it == path || *it == beside) {
            texts.push((path, String::new()));
        }
    }
    Crate::parse("mm/src", &texts).expect("the sample parses")
}

#[cfg(test)]
mod tests {
    use super::{module_path, sample};

    #[test]
    fn modules_follow_the_files() {
        assert_eq!(module_path("/page/map.rs", true), ["page", "map"]);
        assert_eq!(module_path("/page/mod.rs", true), ["page"]);
        assert!(module_path("/lib.rs", true).is_empty() && module_path("/main.rs", false).is_empty());
        assert_eq!(module_path("/main.rs", true), ["main"]);
    }

    #[test]
    fn tests_are_left_out() {
        let found = sample(&[
            ("a.rs", "#[cfg(test)] mod tests { use super::X; } #[cfg(test)] mod sample; #[cfg(not(test))] fn f() {}"),
            ("a/sample.rs", ""),
            ("a/tests.rs", ""),
            ("testing/mod.rs", ""),
        ]);
        let paths: Vec<&str> = found.sources.iter().map(|source| source.path.as_str()).collect();
        assert_eq!(paths, ["mm/src/a.rs", "mm/src/lib.rs"]);
        assert_eq!(found.sources[0].items.len(), 1);
        assert_eq!(found.left_out.len(), 3);
    }
}
