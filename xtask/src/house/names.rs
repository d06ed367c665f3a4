//! Which file a path in the source leads to: by modules, imports, re-exports.
//!
//! Only as much of the compiler's name resolution as the rules need: globs and macros' own items are not seen; an
//! unknown last name is taken to stand in the module before it.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Item, ItemUse, UseTree, Visibility};

use super::sources::{Crate, ModulePath};

/// How many imports are followed, one after the other.
const DEPTH: usize = 12;

/// One name that a `use` brings in.
#[derive(Debug, Clone)]
pub struct Import {
    /// What it is called here.
    pub name: String,
    /// The path as written.
    pub path: Vec<String>,
}

/// What is known of one module.
#[derive(Default)]
struct Module {
    /// Its file: an index into the crate's sources.
    file: usize,
    items: BTreeSet<String>,
    imports: BTreeMap<String, Vec<String>>,
}

/// The names of a crate.
pub struct Names<'a> {
    sources: &'a Crate,
    modules: BTreeMap<ModulePath, Module>,
    /// Macros that the crate exports: they are named at its root.
    macros: BTreeMap<String, ModulePath>,
}

impl<'a> Names<'a> {
    /// Reads the items of all files.
    pub fn new(sources: &'a Crate) -> Self {
        let mut this = Self { sources, modules: BTreeMap::new(), macros: BTreeMap::new() };
        for (file, source) in sources.sources.iter().enumerate() {
            this.add(file, &source.module, &source.items);
        }
        this
    }

    fn add(&mut self, file: usize, path: &ModulePath, items: &[Item]) {
        let mut module = Module { file, ..Module::default() };
        for item in items {
            match item {
                Item::Use(it) => {
                    module.imports.extend(imports(it).into_iter().map(|import| (import.name, import.path)));
                }
                Item::Mod(it) => {
                    if let Some((_, items)) = &it.content {
                        self.add(file, &[path.as_slice(), &[it.ident.to_string()]].concat(), items);
                    }
                }
                Item::Macro(it) => {
                    let exported = it.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"));
                    if let (Some(name), true) = (&it.ident, exported) {
                        self.macros.insert(name.to_string(), path.clone());
                    }
                }
                other => module.items.extend(item_name(other)),
            }
        }
        self.modules.insert(path.clone(), module);
    }

    /// The file that a path in `module` leads to; `None` for what other crates have, and for tests.
    pub fn file(&self, module: &ModulePath, path: &[String]) -> Option<usize> {
        let absolute = self.absolute(module, path, DEPTH)?;
        Some(self.modules.get(&self.target(&absolute, DEPTH)?)?.file)
    }

    /// The path from the root.
    fn absolute(&self, module: &ModulePath, path: &[String], depth: usize) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let here = self.modules.get(module)?;
        let child = [module.as_slice(), std::slice::from_ref(first)].concat();
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([module.as_slice(), rest].concat()),
            "super" => {
                let above = module.split_last()?.1.to_vec();
                let is_prefix = rest.first().is_some_and(|next| next == "super");
                if is_prefix { self.absolute(&above, rest, depth) } else { Some([above.as_slice(), rest].concat()) }
            }
            _ if self.is_module(&child) || here.items.contains(first) => Some([module.as_slice(), path].concat()),
            _ => {
                let import = here.imports.get(first).filter(|import| depth > 0 && import.first() != Some(first))?;
                Some([self.absolute(module, import, depth - 1)?.as_slice(), rest].concat())
            }
        }
    }

    /// The module in which the item stands that a path from the root names, or the module that it names.
    fn target(&self, path: &[String], depth: usize) -> Option<ModulePath> {
        let mut module = ModulePath::new();
        for (at, name) in path.iter().enumerate() {
            let here = self.modules.get(&module)?;
            let is_last = at + 1 == path.len();
            let child = [module.as_slice(), std::slice::from_ref(name)].concat();
            if is_last && here.items.contains(name) {
                return Some(module);
            }
            if self.is_module(&child) {
                module = child;
            } else if here.items.contains(name) {
                return Some(module);
            } else if let Some(import) = here.imports.get(name) {
                let start = self.absolute(&module, import, depth).filter(|_| depth > 0)?;
                return self.target(&[start.as_slice(), &path[at + 1..]].concat(), depth - 1);
            } else {
                let exported = self.macros.get(name).filter(|_| module.is_empty());
                return Some(exported.cloned().unwrap_or(module));
            }
        }
        Some(module)
    }

    fn is_module(&self, path: &ModulePath) -> bool {
        self.modules.contains_key(path) || self.sources.left_out.contains(path)
    }
}

/// The names that a declaration brings in; none if it names another crate by `::`.
pub fn imports(declaration: &ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    if declaration.leading_colon.is_none() {
        flatten(&declaration.tree, &mut Vec::new(), &mut found);
    }
    found
}

/// Whether others may name what the declaration brings in.
pub fn is_reexport(declaration: &ItemUse) -> bool {
    !matches!(declaration.vis, Visibility::Inherited)
}

fn flatten(tree: &UseTree, before: &mut Vec<String>, found: &mut Vec<Import>) {
    let leaf = |last: &str, name: &str| {
        let mut path = before.clone();
        if last != "self" || path.is_empty() {
            path.push(last.to_owned());
        }
        let name = if name == "self" { path.last().cloned().unwrap_or_default() } else { name.to_owned() };
        Import { name, path }
    };
    match tree {
        UseTree::Path(it) => {
            before.push(it.ident.to_string());
            flatten(&it.tree, before, found);
            before.pop();
        }
        UseTree::Name(it) => found.push(leaf(&it.ident.to_string(), &it.ident.to_string())),
        UseTree::Rename(it) => found.push(leaf(&it.ident.to_string(), &it.rename.to_string())),
        UseTree::Glob(_) => found.push(Import { name: "*".into(), path: before.clone() }),
        UseTree::Group(it) => it.items.iter().for_each(|tree| flatten(tree, before, found)),
    }
}

fn item_name(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(it) => it.ident.to_string(),
        Item::Enum(it) => it.ident.to_string(),
        Item::Fn(it) => it.sig.ident.to_string(),
        Item::Static(it) => it.ident.to_string(),
        Item::Struct(it) => it.ident.to_string(),
        Item::Trait(it) => it.ident.to_string(),
        Item::Type(it) => it.ident.to_string(),
        Item::Union(it) => it.ident.to_string(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::Names;
    use crate::house::sources::{Crate, sample};

    /// The file that a path leads to from a module, both with `::`.
    fn file<'a>(sources: &'a Crate, module: &str, path: &str) -> Option<&'a str> {
        let split =
            |text: &str| text.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let file = Names::new(sources).file(&split(module), &split(path))?;
        sources.sources[file].path.strip_prefix("mm/src/")
    }

    fn tree() -> Crate {
        sample(&[
            ("lib.rs", "pub use page::Page; pub use core::mem; use alloc::{self, vec};"),
            ("page/mod.rs", "pub use map::{Map, Word as Entry}; pub struct Page; mod inner { pub struct Deep; }"),
            ("page/map.rs", "use super::Page; use crate::order as size; pub struct Map; pub struct Word;"),
            ("order.rs", "pub const ZERO: u8 = 0; bitflags! { pub struct Made; }"),
            ("log.rs", "#[macro_export] macro_rules! klog { () => {} }"),
            ("testing/mod.rs", "pub struct World;"),
        ])
    }

    #[test]
    fn paths_lead_through_reexports_to_the_file_of_the_item() {
        let tree = tree();
        assert_eq!(file(&tree, "order", "crate::Page"), Some("page/mod.rs"));
        assert_eq!(file(&tree, "order", "crate::page::Entry"), Some("page/map.rs"));
        assert_eq!(file(&tree, "page::map", "super::Map::new"), Some("page/map.rs"));
        assert_eq!(file(&tree, "page::inner", "super::super::order::ZERO"), Some("order.rs"));
        assert_eq!(file(&tree, "page", "self::inner::Deep"), Some("page/mod.rs"));
    }

    #[test]
    fn names_that_were_imported_are_followed() {
        let tree = tree();
        assert_eq!(file(&tree, "page::map", "size::ZERO"), Some("order.rs"));
        assert_eq!(file(&tree, "page", "map::Map"), Some("page/map.rs"));
        assert_eq!(file(&tree, "page::map", "Page::new"), Some("page/mod.rs"));
    }

    #[test]
    fn other_crates_and_tests_are_no_files_of_the_crate() {
        let tree = tree();
        assert_eq!(file(&tree, "order", "crate::mem::swap"), None);
        assert_eq!(file(&tree, "order", "core::mem::swap"), None);
        assert_eq!(file(&tree, "order", "crate::testing::World"), None);
    }

    #[test]
    fn what_macros_make_stands_where_it_is_named() {
        let tree = tree();
        assert_eq!(file(&tree, "page", "crate::order::Made"), Some("order.rs"));
        assert_eq!(file(&tree, "page", "crate::klog"), Some("log.rs"));
    }
}
