//! The arrows of a crate: which file names what of which other file.
//!
//! A `use` is an arrow, and so is a path in a type, an expression or a macro's arguments: moving a name from the one
//! to the other changes nothing. A re-export of what stands below is none, unless the module uses the name itself.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprCall, ItemMod, ItemUse, Macro, Path, Visibility};

use super::names::{self, Names};
use super::sources::{Crate, ModulePath};

/// One name by which a file depends on another.
#[derive(Debug, Clone)]
pub struct Arrow {
    /// The file that names: an index into the crate's sources.
    pub from: usize,
    /// The file with what is named.
    pub to: usize,
    /// As written.
    pub name: String,
    /// Where.
    pub line: usize,
}

/// All arrows of a crate.
pub fn all(sources: &Crate, names: &Names) -> Vec<Arrow> {
    let mut arrows = Vec::new();
    for (file, source) in sources.sources.iter().enumerate() {
        let module = source.module.clone();
        let mut reader = Reader { sources, names, file, module, arrows: &mut arrows };
        source.items.iter().for_each(|item| reader.visit_item(item));
    }
    arrows
}

struct Reader<'a> {
    sources: &'a Crate,
    names: &'a Names<'a>,
    file: usize,
    /// Where the visit is, with modules in the file.
    module: ModulePath,
    arrows: &'a mut Vec<Arrow>,
}

impl Reader<'_> {
    /// Notes a path, unless it leads out of the crate or stays in the file.
    fn note(&mut self, path: &[String], line: usize) {
        if let Some(to) = self.names.file(&self.module, path).filter(|to| *to != self.file) {
            self.arrows.push(Arrow { from: self.file, to, name: path.join("::"), line });
        }
    }

    fn is_below(&self, path: &[String]) -> bool {
        let target = self.names.file(&self.module, path);
        target.is_some_and(|file| self.sources.sources[file].module.starts_with(&self.module))
    }

    /// Whether it names a module around this one: what is used of it counts then, not the module's name.
    fn is_around(&self, path: &[String]) -> bool {
        let target = self.names.file(&self.module, path).map(|file| &self.sources.sources[file].module);
        target.is_some_and(|target| self.module.starts_with(target) && target.last() == path.last())
    }

    /// Notes paths among the arguments of a macro.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut colons, mut line) = (0, 0);
        for token in tokens {
            match token {
                TokenTree::Punct(it) if it.as_char() == ':' => colons += 1,
                TokenTree::Ident(it) => {
                    if colons != 2 {
                        self.end_of_tokens(&mut path, line);
                    }
                    (colons, line) = (0, it.span().start().line);
                    path.push(it.to_string());
                }
                TokenTree::Group(it) => {
                    if it.delimiter() != Delimiter::Parenthesis || path.len() > 1 {
                        self.end_of_tokens(&mut path, line);
                    }
                    path.clear();
                    self.note_tokens(it.stream());
                }
                _ => self.end_of_tokens(&mut path, line),
            }
        }
        self.end_of_tokens(&mut path, line);
    }

    fn end_of_tokens(&mut self, path: &mut Vec<String>, line: usize) {
        if path.len() > 1 || path.first().is_some_and(|name| is_type(name)) {
            self.note(path, line);
        }
        path.clear();
    }
}

/// Types, constants and statics are told from local variables by their first letter.
fn is_type(name: &str) -> bool {
    name.starts_with(char::is_uppercase)
}

fn segments(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_use(&mut self, declaration: &'ast ItemUse) {
        for import in names::imports(declaration) {
            let is_silent = names::is_reexport(declaration) && self.is_below(&import.path);
            if !is_silent && !self.is_around(&import.path) {
                self.note(&import.path, declaration.span().start().line);
            }
        }
    }

    fn visit_item_mod(&mut self, inner: &'ast ItemMod) {
        if inner.content.is_some() {
            self.module.push(inner.ident.to_string());
            visit::visit_item_mod(self, inner);
            self.module.pop();
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let names = segments(path);
        if path.leading_colon.is_none() && (names.len() > 1 || is_type(&names[0])) {
            self.note(&names, path.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(function) = &*call.func
            && let Some(name) = function.path.get_ident()
        {
            self.note(&[name.to_string()], name.span().start().line);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.note_tokens(call.tokens.clone());
    }

    /// Who may see an item is no arrow.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    /// Nor is what documentation and derives name.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

#[cfg(test)]
mod tests {
    use crate::house::names::Names;
    use crate::house::sources::sample;

    /// The arrows as `from > to name`.
    fn arrows(files: &[(&str, &str)]) -> Vec<String> {
        let sources = sample(files);
        let short = |file: usize| sources.sources[file].path.trim_start_matches("mm/src/").to_owned();
        let found = super::all(&sources, &Names::new(&sources));
        found.iter().map(|arrow| format!("{} > {} {}", short(arrow.from), short(arrow.to), arrow.name)).collect()
    }

    #[test]
    fn imports_are_arrows_in_groups_too() {
        let found = arrows(&[("a.rs", "use crate::{b::B, c::{self, C}};"), ("b.rs", "pub struct B;"), ("c.rs", "")]);
        assert_eq!(found, ["a.rs > b.rs crate::b::B", "a.rs > c.rs crate::c", "a.rs > c.rs crate::c::C"]);
    }

    #[test]
    fn paths_in_code_and_macros_are_arrows() {
        let text = "fn f() -> crate::b::B { assert!(crate::b::ok(1) && x::y); super::b::g() }";
        let found = arrows(&[("a.rs", text), ("b.rs", "")]);
        assert_eq!(found, ["a.rs > b.rs crate::b::B", "a.rs > b.rs crate::b::ok", "a.rs > b.rs super::b::g"]);
    }

    #[test]
    fn a_reexport_of_a_child_is_none_unless_it_is_used() {
        let child = ("d/c.rs", "pub struct C; pub fn g() {}");
        assert!(arrows(&[("d/mod.rs", "mod c; pub use c::C; pub(crate) use c::g;"), child]).is_empty());
        assert_eq!(arrows(&[("d/mod.rs", "mod c; use c::C;"), child]), ["d/mod.rs > d/c.rs c::C"]);
        assert_eq!(arrows(&[("d/mod.rs", "mod c; pub use c::C; struct S(C);"), child]), ["d/mod.rs > d/c.rs C"]);
        assert_eq!(arrows(&[("d/mod.rs", "mod c; pub use c::g; fn f() { g() }"), child]), ["d/mod.rs > d/c.rs g"]);
    }

    #[test]
    fn a_child_that_names_what_its_parent_defines_points_up() {
        let files =
            [("d/mod.rs", "mod c; pub use e::E; pub struct M;"), ("d/c.rs", "use super::{E, M};"), ("d/e.rs", "")];
        assert_eq!(arrows(&files), ["d/c.rs > d/e.rs super::E", "d/c.rs > d/mod.rs super::M"]);
    }

    #[test]
    fn a_module_around_counts_by_what_is_used_of_it() {
        let files = [("d/mod.rs", ""), ("d/c.rs", "use crate::d; fn f() { d::e::g() }"), ("d/e.rs", "")];
        assert_eq!(arrows(&[files[0], files[1], files[2]]), ["d/c.rs > d/e.rs d::e::g"]);
    }

    #[test]
    fn visibility_tests_and_other_crates_are_none() {
        let text = "pub(in crate::b) fn f() { core::mem::take(x) } #[cfg(test)] mod tests { use crate::b::B; }";
        assert!(arrows(&[("a.rs", text), ("b.rs", "pub struct B;")]).is_empty());
    }
}
