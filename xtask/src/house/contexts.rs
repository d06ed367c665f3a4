//! A public call of `mm` says in which context it may be made, or if it sleeps.
//!
//! Calls are the functions that take GFP flags or note their caller. Whose first line begins with the name of another
//! call, in brackets, refers to what is said there.

use syn::spanned::Spanned;
use syn::{Attribute, Expr, FnArg, ImplItem, Item, Lit, Meta, Signature, TraitItem, Type, Visibility};

use super::finding::Finding;
use super::sources::Crate;

/// One of these words is in the documentation.
const WORDS: [&str; 2] = ["ontext", "leep"];

/// Every call whose documentation has none of the words.
pub fn check(sources: &Crate) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in &sources.sources {
        check_items(&source.path, &source.items, &mut found);
    }
    found
}

fn check_items(path: &str, items: &[Item], found: &mut Vec<Finding>) {
    for item in items {
        match item {
            Item::Fn(it) if is_public(&it.vis) => found.extend(silent(path, &it.attrs, &it.sig)),
            Item::Impl(block) if block.trait_.is_none() => {
                let functions = block.items.iter().filter_map(|item| match item {
                    ImplItem::Fn(it) if is_public(&it.vis) => silent(path, &it.attrs, &it.sig),
                    _ => None,
                });
                found.extend(functions);
            }
            Item::Trait(it) if is_public(&it.vis) => {
                let functions = it.items.iter().filter_map(|item| match item {
                    TraitItem::Fn(it) => silent(path, &it.attrs, &it.sig),
                    _ => None,
                });
                found.extend(functions);
            }
            Item::Mod(inner) => check_items(path, inner.content.as_ref().map_or(&[], |(_, items)| items), found),
            _ => {}
        }
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The finding, if a function is a call and says nothing of contexts.
fn silent(path: &str, attributes: &[Attribute], signature: &Signature) -> Option<Finding> {
    let notes_caller = attributes.iter().any(|attribute| attribute.path().is_ident("track_caller"));
    if !notes_caller && !signature.inputs.iter().any(is_gfp) {
        return None;
    }
    let text: Vec<String> = attributes.iter().filter_map(doc).collect();
    let refers = text.first().is_some_and(|line| line.trim_start().starts_with("[`"));
    if refers || text.iter().any(|line| WORDS.iter().any(|word| line.contains(word))) {
        return None;
    }
    let name = &signature.ident;
    let what = format!("the documentation of {name} does not say in which context it may be called, or if it sleeps");
    Some(Finding::new(path, signature.span().start().line, what))
}

fn is_gfp(argument: &FnArg) -> bool {
    let FnArg::Typed(typed) = argument else { return false };
    let Type::Path(of) = &*typed.ty else { return false };
    of.path.segments.last().is_some_and(|segment| segment.ident == "GfpFlags")
}

/// A line of documentation.
fn doc(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(value) = &attribute.meta else { return None };
    match &value.value {
        Expr::Lit(literal) if value.path.is_ident("doc") => match &literal.lit {
            Lit::Str(line) => Some(line.value()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::house::sources::sample;

    fn findings(text: &str) -> Vec<String> {
        super::check(&sample(&[("a.rs", text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn calls_that_say_nothing_of_contexts_are_found() {
        let text = "pub struct A;\nimpl A {\n    /// Makes one.\n    #[track_caller]\n    pub fn make() {}\n}";
        let expected = "mm/src/a.rs:5: the documentation of make does not say in which context it may be called, or if \
                        it sleeps";
        assert_eq!(findings(text), [expected]);
        assert_eq!(findings("/// Makes one.\npub fn make(gfp: GfpFlags) {}").len(), 1);
        assert_eq!(findings("pub trait T { fn make(gfp: crate::gfp::GfpFlags); }").len(), 1);
    }

    #[test]
    fn calls_that_say_it_or_refer_to_another_are_fine() {
        for doc in ["Sleeps if `gfp` allows it.", "Process context.", "[`other`](Self::other), twice."] {
            assert!(findings(&format!("/// {doc}\npub fn make(gfp: GfpFlags) {{}}")).is_empty(), "{doc}");
        }
        for text in ["pub fn len() {}", "#[track_caller] fn own() {}", "pub(crate) fn own(gfp: GfpFlags) {}"] {
            assert!(findings(text).is_empty(), "{text}");
        }
    }
}
