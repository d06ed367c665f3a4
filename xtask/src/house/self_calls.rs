//! Calls through `self`: arrows that no import shows.
//!
//! A type's `impl` blocks may stand in several files of its directory. A method there that calls one of another file,
//! by `self.name()` or `Self::name`, depends on that file as if it had imported it.

use std::collections::BTreeMap;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Expr, ExprMethodCall, ExprPath, ImplItem, Item, ItemImpl, Type};

use super::arrows::Arrow;
use super::sources::Crate;

/// The file of each method, by type and name. Where several files have one, a call may mean either: it counts for none.
type Methods = BTreeMap<(String, String), Option<usize>>;

/// The arrows of a crate's calls through `self`.
pub fn all(sources: &Crate) -> Vec<Arrow> {
    let methods = methods(sources);
    let mut arrows = Vec::new();
    for (file, source) in sources.sources.iter().enumerate() {
        for block in source.items.iter().filter_map(implementation) {
            let Some(name) = type_name(block) else { continue };
            Calls { methods: &methods, name, file, arrows: &mut arrows }.visit_item_impl(block);
        }
    }
    arrows
}

fn methods(sources: &Crate) -> Methods {
    let mut methods = Methods::new();
    for (file, source) in sources.sources.iter().enumerate() {
        for block in source.items.iter().filter_map(implementation) {
            let Some(name) = type_name(block) else { continue };
            for item in &block.items {
                if let ImplItem::Fn(method) = item {
                    let entry = methods.entry((name.clone(), method.sig.ident.to_string())).or_insert(Some(file));
                    *entry = entry.filter(|&known| known == file);
                }
            }
        }
    }
    methods
}

fn implementation(item: &Item) -> Option<&ItemImpl> {
    if let Item::Impl(block) = item { Some(block) } else { None }
}

/// The last name of the type that a block is for.
fn type_name(block: &ItemImpl) -> Option<String> {
    let Type::Path(path) = &*block.self_ty else { return None };
    path.path.segments.last().map(|segment| segment.ident.to_string())
}

struct Calls<'a> {
    methods: &'a Methods,
    /// The type of the block.
    name: String,
    file: usize,
    arrows: &'a mut Vec<Arrow>,
}

impl Calls<'_> {
    fn note(&mut self, method: &str, line: usize) {
        let Some(&Some(to)) = self.methods.get(&(self.name.clone(), method.to_owned())) else { return };
        if to != self.file {
            self.arrows.push(Arrow { from: self.file, to, name: format!("self.{method}"), line });
        }
    }
}

impl<'ast> Visit<'ast> for Calls<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if matches!(&*call.receiver, Expr::Path(receiver) if receiver.path.is_ident("self")) {
            self.note(&call.method.to_string(), call.method.span().start().line);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        let names: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let [first, method] = names.as_slice()
            && first == "Self"
        {
            self.note(method, path.span().start().line);
        }
        visit::visit_expr_path(self, path);
    }
}

#[cfg(test)]
mod tests {
    use crate::house::sources::sample;

    /// The arrows as `from > to name`.
    fn arrows(files: &[(&str, &str)]) -> Vec<String> {
        let sources = sample(files);
        let short = |file: usize| sources.sources[file].path.trim_start_matches("mm/src/").to_owned();
        let found = super::all(&sources);
        found.iter().map(|arrow| format!("{} > {} {}", short(arrow.from), short(arrow.to), arrow.name)).collect()
    }

    #[test]
    fn a_call_through_self_points_to_the_file_of_the_method() {
        let files = [
            ("d/a.rs", "impl<P> Part<P> { fn a(&self) { self.b(); self.a(); other.b(); Self::c(1) } }"),
            ("d/b.rs", "impl<P> Part<P> { fn b(&self) {} fn c(n: u8) {} }"),
        ];
        assert_eq!(arrows(&files), ["d/a.rs > d/b.rs self.b", "d/a.rs > d/b.rs self.c"]);
    }

    #[test]
    fn a_method_of_another_type_or_of_several_files_is_none() {
        let files = [
            ("d/a.rs", "impl Part { fn a(&self) { self.b(); self.shrink() } }"),
            ("d/b.rs", "impl Other { fn b(&self) {} } impl One for Part { fn shrink(&self) {} }"),
            ("d/c.rs", "impl Two for Part { fn shrink(&self) {} }"),
        ];
        assert!(arrows(&files).is_empty());
    }

    #[test]
    fn calls_in_closures_and_arguments_count() {
        let files = [
            ("d/a.rs", "impl Part { fn a(&self) { x.map(|y| self.b(y)).or_else(Self::c) } }"),
            ("d/b.rs", "impl Part { fn b(&self, y: u8) {} fn c() {} }"),
        ];
        assert_eq!(arrows(&files).len(), 2);
    }
}
