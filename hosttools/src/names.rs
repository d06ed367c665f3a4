//! Names of functions, mangled by the compiler, as people read them.

/// Longest name kept; of a longer one the end is.
const LIMIT: usize = 80;

/// A function's path without hash, generic arguments and trait: `<a::B<T> as c::D>::e` is `a::B::e`. At most 80 bytes
/// of ASCII.
pub fn short(mangled: &str) -> String {
    let name = without_generics(&whole(mangled));
    let excess = name.len().saturating_sub(LIMIT);
    name.get(excess..).unwrap_or(&name).to_owned()
}

/// The path in full, without hashes.
pub fn whole(mangled: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(mangled))
}

fn without_generics(path: &str) -> String {
    let mut short = String::new();
    let mut rest = path;
    while let Some(open) = rest.find('<') {
        short.push_str(&rest[..open]);
        let inside = &rest[open + 1..];
        let close = closing_bracket(inside);
        let is_self_type = short.is_empty() || short.ends_with(['&', ' ', '(']);
        if is_self_type {
            let self_type = inside[..close].split(" as ").next().unwrap_or_default();
            short.push_str(&without_generics(self_type));
        } else if short.ends_with("::") {
            short.truncate(short.len() - 2);
        }
        rest = inside.get(close + 1..).unwrap_or_default();
    }
    short.push_str(rest);
    short.chars().filter(char::is_ascii).collect()
}

/// Where the bracket that is open at the text's start closes; the `>` of an arrow closes nothing.
fn closing_bracket(text: &str) -> usize {
    let mut depth = 1;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
        before = c;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{short, without_generics};

    #[test]
    fn generic_arguments_and_traits_are_dropped() {
        assert_eq!(without_generics("<a::B<T> as c::D>::e"), "a::B::e");
        assert_eq!(without_generics("a::f::<u8, fn(u8) -> b::C<u8>>"), "a::f");
        assert_eq!(without_generics("core::ptr::drop_in_place::<kernel::fs::File>"), "core::ptr::drop_in_place");
        assert_eq!(without_generics("kernel::start"), "kernel::start");
    }

    #[test]
    fn of_a_long_name_the_end_is_kept() {
        let name = short(&"n".repeat(200));
        assert_eq!(name.len(), 80);
        assert_eq!(short("memcpy"), "memcpy");
    }
}
