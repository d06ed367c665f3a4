//! The book's breakpoints as commands of gdb, found by name in the sources.
//!
//! Most of these functions are compiled into their callers and have no symbol to stop at; a line of the source has a
//! place in each caller, unless all that it does is to call on. tools/scullery.gdb asks for the commands; `make test`
//! makes sure that each function is there, once, and that the kernel has code of it (`code.rs`).

mod code;
mod symbols;

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::results::TestResult;
use crate::{cargo, house};
use code::Code;
use symbols::Symbols;

/// How the paths of files begin that only call on: the calls of the chapter are defined once more in these.
const FACADES: [&str; 2] = ["mm/src/memory", "mm/src/own/calls.rs"];

/// A function to stop at.
struct Stop {
    /// gdb's convenience variable that holds the breakpoint's number.
    name: &'static str,
    function: &'static str,
    /// How the path of its file begins and ends.
    file: (&'static str, &'static str),
    from_start: FromStart,
}

/// Whether a breakpoint holds before somebody enables it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FromStart {
    Enabled,
    Disabled,
}

const fn of_the_book(name: &'static str) -> Stop {
    Stop { name, function: name, file: ("mm/src/", ".rs"), from_start: FromStart::Disabled }
}

const fn of_the_buddy(name: &'static str, function: &'static str) -> Stop {
    Stop { name, function, file: ("mm/src/", "/buddy.rs"), from_start: FromStart::Disabled }
}

const fn at_the_end(name: &'static str, function: &'static str) -> Stop {
    Stop { name, function, file: ("kernel/src/", ".rs"), from_start: FromStart::Enabled }
}

/// All of them, in the order in which gdb numbers them.
const STOPS: [Stop; 12] = [
    of_the_book("kmalloc"),
    // kmem_cache_alloc itself is nothing but what is compiled into it.
    Stop { name: "kmem_cache_alloc", ..of_the_book("alloc_by_handle") },
    // kfree and kmem_cache_free only call on; this is where both arrive.
    Stop { name: "kfree", ..of_the_book("free_to_magazine") },
    // All calls for pages arrive here.
    Stop { name: "get_free_pages", ..of_the_book("alloc_block") },
    // vmalloc and its kin, then vfree, vunmap and iounmap.
    Stop { name: "vmalloc", ..of_the_book("build_area") },
    Stop { name: "vfree", ..of_the_book("take_apart") },
    of_the_book("ioremap"),
    of_the_book("kmap"),
    of_the_buddy("buddy_alloc", "alloc"),
    of_the_buddy("buddy_free", "free"),
    // A fault ends its thread; one that nobody survives is a panic.
    at_the_end("oops", "end_thread"),
    at_the_end("panic", "panic"),
];

/// What somebody with the book types after `break`; docs/guide.md lists them.
const BOOK: [&str; 13] = [
    "kmalloc",
    "kfree",
    "kmem_cache_create",
    "kmem_cache_alloc",
    "kmem_cache_free",
    "kmem_cache_destroy",
    "get_free_pages",
    "free_pages",
    "vmalloc",
    "vfree",
    "ioremap",
    "iounmap",
    "kmap",
];

/// Where a breakpoint goes.
struct Place {
    file: String,
    /// From the function's first line to its last.
    lines: RangeInclusive<usize>,
}

/// Prints the commands.
pub fn print() -> Result<ExitCode> {
    let mut commands = String::new();
    for (stop, place) in checked_places()? {
        commands += &format!("break {}:{}\nset ${} = $bpnum\n", place.file, place.lines.start(), stop.name);
        if stop.from_start == FromStart::Disabled {
            commands += &format!("disable ${}\n", stop.name);
        }
    }
    print!("{commands}");
    Ok(ExitCode::SUCCESS)
}

/// Whether all of them would stop somewhere in the kernel that make built.
pub fn test() -> TestResult {
    let name = "kernel::every_breakpoint_has_code";
    match checked_places() {
        Ok(_) => TestResult::ok(name),
        Err(error) => TestResult::failed(name, format!("{error:#}")),
    }
}

/// Whether `break NAME` stops at the kernel's own calls, for each of the book's names.
pub fn test_names() -> TestResult {
    let name = "kernel::the_books_names_are_functions_that_are_called";
    let kernel = cargo::target_dir().join("x86_64-kernel/kernel/kernel");
    match Symbols::read(&kernel).and_then(|symbols| BOOK.iter().try_for_each(|name| symbols.check(name))) {
        Ok(()) => TestResult::ok(name),
        Err(error) => TestResult::failed(name, format!("{error:#}")),
    }
}

/// The places of all of them, each with code in the kernel.
fn checked_places() -> Result<Vec<(&'static Stop, Place)>> {
    let code = Code::read(&cargo::target_dir().join("x86_64-kernel/kernel/kernel"))?;
    let places = places(Path::new("."))?;
    for (stop, place) in &places {
        if !code.is_in(&place.file, place.lines.clone()) {
            let (file, line) = (&place.file, place.lines.start());
            bail!("nobody can stop in {} ({file}:{line}): the kernel has no code of it", stop.function);
        }
    }
    Ok(places)
}

fn places(root: &Path) -> Result<Vec<(&'static Stop, Place)>> {
    let mut sources = Vec::new();
    for path in house::files(root, "mm/src")?.into_iter().chain(house::files(root, "kernel/src")?) {
        let text = fs::read_to_string(root.join(&path)).with_context(|| format!("cannot read {path}"))?;
        sources.push((path, text));
    }
    STOPS.iter().map(|stop| Ok((stop, place(stop, &sources)?))).collect()
}

/// The one function that is meant.
fn place(stop: &Stop, sources: &[(String, String)]) -> Result<Place> {
    let (begin, end) = stop.file;
    let files = sources.iter().filter(|(path, _)| path.starts_with(begin) && path.ends_with(end) && is_searched(path));
    let place = |file: &str, lines| Place { file: file.to_owned(), lines };
    let mut places: Vec<Place> =
        files.flat_map(|(path, text)| functions(text, stop.function).map(|lines| place(path, lines))).collect();
    if places.len() > 1 {
        places.retain(|place| !FACADES.iter().any(|facade| place.file.starts_with(facade)));
    }
    let found: Vec<String> = places.iter().map(|place| format!("{}:{}", place.file, place.lines.start())).collect();
    match (places.pop(), places.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => bail!("no function {} in {begin}*{end} to stop at", stop.function),
        _ => bail!("to stop at {}, choose: {}", stop.function, found.join(", ")),
    }
}

/// Not tests, and not the kernel's benchmarks, which are called by what they measure.
fn is_searched(path: &str) -> bool {
    !path.contains("/bench/") && !path.contains("/testing") && !path.contains("/tests")
}

/// The lines, counted from 1, of each function of this name; it ends where a brace stands below its first word.
fn functions(text: &str, name: &str) -> impl Iterator<Item = RangeInclusive<usize>> {
    let begins = text.lines().enumerate().filter(|(_, line)| declares(line, name));
    begins.map(|(at, line)| {
        let indent = line.len() - line.trim_start().len();
        let end = format!("{}}}", &line[..indent]);
        let length = text.lines().skip(at).position(|line| line == end).unwrap_or(0);
        at + 1..=at + 1 + length
    })
}

/// Whether a line such as `    pub(crate) fn name(` begins a function of this name.
fn declares(line: &str, name: &str) -> bool {
    let Some((before, after)) = line.trim_start().split_once("fn ") else { return false };
    let mut words = before.split(' ').filter(|word| !word.is_empty());
    let is_declaration = words.all(|word| word.starts_with("pub") || word == "unsafe");
    is_declaration && after.strip_prefix(name).is_some_and(|rest| rest.starts_with(['(', '<']))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{BOOK, STOPS, declares, functions, place, places};

    fn found(name: &str, sources: &[(&str, &str)]) -> Result<String, String> {
        let stop = STOPS.iter().find(|stop| stop.name == name).expect("in the table");
        let sources: Vec<_> = sources.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let found = place(stop, &sources).map_err(|error| error.to_string())?;
        Ok(format!("{}:{}", found.file, found.lines.start()))
    }

    #[test]
    fn a_part_goes_before_the_facade() {
        let (facade, part) =
            (("mm/src/memory/objects.rs", "    pub fn kmalloc("), ("mm/src/objects/kmalloc.rs", "\nfn kmalloc<T>("));
        assert_eq!(found("kmalloc", &[facade, part]).as_deref(), Ok("mm/src/objects/kmalloc.rs:2"));
        assert_eq!(found("kmalloc", &[facade]).as_deref(), Ok("mm/src/memory/objects.rs:1"));
    }

    #[test]
    fn none_and_two_are_errors() {
        let source = "pub fn kmalloc(";
        assert!(found("kmalloc", &[("kernel/src/a.rs", source)]).is_err());
        let both = found("kmalloc", &[("mm/src/a.rs", source), ("mm/src/b.rs", source)]);
        assert_eq!(both, Err("to stop at kmalloc, choose: mm/src/a.rs:1, mm/src/b.rs:1".into()));
    }

    #[test]
    fn only_the_beginning_of_a_function_counts() {
        let text =
            "// fn kmap(\nlet x = kmap(fn a);\n    pub(crate) fn kmap(self) {\n        x\n    }\npub fn kmap_atomic(\n";
        assert_eq!(functions(text, "kmap").collect::<Vec<_>>(), [3..=5]);
        assert!(!declares("pub const fn kmap(", "kmap"));
    }

    #[test]
    fn every_breakpoint_has_its_place_in_the_tree() {
        let places = places(Path::new("..")).expect("each function is there, once");
        assert!(places.iter().all(|(_, place)| place.lines.end() > place.lines.start()));
    }

    #[test]
    fn the_guide_lists_the_names_of_the_book() {
        let guide = fs::read_to_string("../docs/guide.md").expect("readable");
        let section = guide.split("\n## Breakpoints\n").nth(1).expect("it is there");
        let missing = BOOK.iter().filter(|name| !section.contains(&format!("`{name}`")));
        assert_eq!(missing.collect::<Vec<_>>(), Vec::<&&str>::new());
    }

    #[test]
    fn the_lines_that_readme_shows_of_gdb_are_the_sources() {
        let readme = fs::read_to_string("../README.md").expect("readable");
        let lines: Vec<&str> = readme.lines().collect();
        let stops = lines.windows(2).filter(|pair| pair[0].contains("Breakpoint "));
        let mut checked = 0;
        for pair in stops {
            let (file, number) = pair[0].rsplit(' ').next().and_then(|at| at.rsplit_once(':')).expect("a place");
            let source = fs::read_to_string(Path::new("..").join(file)).expect("readable");
            let line = source.lines().nth(number.parse::<usize>().expect("a line") - 1).expect("it is there");
            assert_eq!(pair[1].trim_start(), format!("{number}\t{line}"), "{file}");
            assert!(readme.contains(&format!("`break {file}:{number}`")));
            checked += 1;
        }
        assert!(checked > 0);
    }

    #[test]
    fn the_first_stop_of_the_gdb_file_is_a_function_of_the_kernel() {
        let file = fs::read_to_string("../tools/scullery.gdb").expect("readable");
        let first = file.lines().find_map(|line| line.strip_prefix("thbreak kernel::")).expect("a first stop");
        let library = fs::read_to_string("../kernel/src/lib.rs").expect("readable");
        assert_eq!(functions(&library, first).count(), 1);
    }
}
