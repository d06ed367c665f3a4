//! Walls in `mm`: where `impl` blocks may stand, and whose fields are private.
//!
//! A type of `dir/x.rs` or `dir/mod.rs` may have blocks of its own in any file of `dir/` and below; a type of a file at
//! the top, `x.rs`, in that file and in `x/`. Blocks for a trait are free. Fields of the parts are private.

use syn::spanned::Spanned;
use syn::{Item, ItemStruct, Type, Visibility};

use super::finding::{Exceptions, Finding};
use super::names::Names;
use super::sources::{Crate, ModulePath, Source};

/// The parts that must not know each other's insides.
const PARTS: [&str; 6] = ["Memory", "PageTables", "PageAllocator", "ObjectAllocator", "AreaAllocator", "Kmap"];

/// Every block that stands elsewhere, and every field of a part that others see.
pub fn check(sources: &Crate, exceptions: &mut Exceptions) -> Vec<Finding> {
    let names = Names::new(sources);
    let mut found = Vec::new();
    for source in &sources.sources {
        let wall = Wall { sources, names: &names, source };
        wall.check(&source.module, &source.items, &mut found);
    }
    found.retain(|finding| !exceptions.allow(&finding.key));
    found
}

struct Wall<'a> {
    sources: &'a Crate,
    names: &'a Names<'a>,
    source: &'a Source,
}

impl Wall<'_> {
    fn check(&self, module: &ModulePath, items: &[Item], found: &mut Vec<Finding>) {
        for item in items {
            match item {
                Item::Impl(block) if block.trait_.is_none() => {
                    found.extend(self.stray(module, &block.self_ty, block.impl_token.span.start().line));
                }
                Item::Struct(part) if PARTS.contains(&part.ident.to_string().as_str()) => {
                    found.extend(self.open_fields(part));
                }
                Item::Mod(inner) => {
                    let path = [module.as_slice(), &[inner.ident.to_string()]].concat();
                    self.check(&path, inner.content.as_ref().map_or(&[], |(_, items)| items), found);
                }
                _ => {}
            }
        }
    }

    /// The finding, if a block for this type may not stand here.
    fn stray(&self, module: &ModulePath, of: &Type, line: usize) -> Option<Finding> {
        let Type::Path(of) = of else { return None };
        let path: Vec<String> = of.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let home = &self.sources.sources[self.names.file(module, &path)?];
        let (name, file) = (path.last()?, &self.source.path);
        let is_at_the_top = home.directory() == self.sources.directory;
        let directory = if is_at_the_top { home.path.trim_end_matches(".rs") } else { home.directory() };
        let is_inside = file.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
        if *file == home.path || is_inside {
            return None;
        }
        let place = if is_at_the_top { home.path.clone() } else { format!("{directory}/") };
        let text = format!("an impl block of {name} stands outside of {place}, where {name} is at home");
        Some(Finding::new(file, line, text).with_key(format!("impl {file} {name}")))
    }

    fn open_fields(&self, part: &ItemStruct) -> Vec<Finding> {
        let open = part.fields.iter().filter(|field| !matches!(field.vis, Visibility::Inherited));
        let finding = |field: &syn::Field| {
            let field_name = field.ident.as_ref().map_or_else(|| "0".to_owned(), ToString::to_string);
            let text = format!("field {field_name} of {} is not private", part.ident);
            let key = format!("field {} {}.{field_name}", self.source.path, part.ident);
            Finding::new(&self.source.path, field.span().start().line, text).with_key(key)
        };
        open.map(finding).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::house::finding::Exceptions;
    use crate::house::sources::sample;

    fn findings(files: &[(&str, &str)], exceptions: &str) -> Vec<String> {
        let mut exceptions = Exceptions::parse(exceptions).expect("well formed");
        super::check(&sample(files), &mut exceptions).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_block_in_another_directory_is_found() {
        let files = [("page/map.rs", "pub struct Map;"), ("zone.rs", "use crate::page::map::Map;\nimpl<T> Map {}")];
        let text = "mm/src/zone.rs:2: an impl block of Map stands outside of mm/src/page/, where Map is at home";
        assert_eq!(findings(&files, ""), [text]);
        assert!(findings(&files, "impl mm/src/zone.rs Map: because").is_empty());
    }

    #[test]
    fn a_type_of_a_file_at_the_top_stays_in_it_and_in_the_directory_of_its_name() {
        let files = [("a.rs", "pub struct A;"), ("a/b.rs", "use super::A; impl A {}")];
        assert!(findings(&files, "").is_empty());
        let files = [("a.rs", "pub struct A;"), ("ab.rs", "use crate::a::A; impl A {}")];
        assert_eq!(
            findings(&files, ""),
            ["mm/src/ab.rs:1: an impl block of A stands outside of mm/src/a.rs, where A is at home"]
        );
        let files = [("a.rs", "pub struct A;"), ("c/b.rs", "use crate::a::A; impl A {}")];
        assert_eq!(findings(&files, "").len(), 1);
    }

    #[test]
    fn blocks_at_home_and_blocks_for_traits_are_free() {
        let files = [
            ("page/mod.rs", "pub enum Page {} impl Page {}"),
            ("page/below/x.rs", "use crate::page::Page; impl Page {}"),
            ("zone.rs", "use crate::page::Page; impl Clone for Page {} bitflags! { struct F; } impl F {}"),
        ];
        assert!(findings(&files, "").is_empty());
    }

    #[test]
    fn fields_of_parts_are_private() {
        let text = "pub struct Kmap {\n    pub(crate) a: u8,\n    b: u8,\n}\npub struct Other { pub a: u8 }";
        assert_eq!(findings(&[("kmap.rs", text)], ""), ["mm/src/kmap.rs:2: field a of Kmap is not private"]);
    }
}
