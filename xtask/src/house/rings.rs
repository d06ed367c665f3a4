//! No ring of arrows between the files and directories that lie side by side.
//!
//! An arrow between two files counts in the directory where their ways part: there it leads from the one's entry to the
//! other's. The file of the module itself (`mod.rs`, `lib.rs`) is one of the entries.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::slice;

use super::arrows::{self, Arrow};
use super::finding::{Exceptions, Finding};
use super::names::Names;
use super::self_calls;
use super::sources::{Crate, ModulePath};

/// How many names a step of a ring shows.
const NAMES_SHOWN: usize = 4;

/// The arrows between the entries of one directory.
type Graph = BTreeMap<(String, String), Vec<Arrow>>;

/// Every ring; exceptions take arrows out.
pub fn check(sources: &Crate, exceptions: &mut Exceptions) -> Vec<Finding> {
    let names = Names::new(sources);
    let mut graphs: BTreeMap<ModulePath, Graph> = BTreeMap::new();
    for arrow in arrows::all(sources, &names).into_iter().chain(self_calls::all(sources)) {
        let (module, from, to) = placed(sources, &arrow);
        graphs.entry(module).or_default().entry((from, to)).or_default().push(arrow);
    }
    graphs.iter().flat_map(|(module, graph)| rings_of(sources, module, graph, exceptions)).collect()
}

/// The module where the ways of the two files part, and its entries on them.
fn placed(sources: &Crate, arrow: &Arrow) -> (ModulePath, String, String) {
    let (from, to) = (&sources.sources[arrow.from].module, &sources.sources[arrow.to].module);
    let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    (from[..shared].to_vec(), entry(sources, arrow.from, shared), entry(sources, arrow.to, shared))
}

/// What a file's entry is called in the module of so many names.
fn entry(sources: &Crate, file: usize, depth: usize) -> String {
    let source = &sources.sources[file];
    let Some(name) = source.module.get(depth) else { return source.file_name().to_owned() };
    let is_directory = sources
        .sources
        .iter()
        .any(|other| other.module.len() > depth + 1 && other.module.starts_with(&source.module[..=depth]));
    if is_directory { format!("{name}/") } else { format!("{name}.rs") }
}

fn rings_of(sources: &Crate, module: &ModulePath, graph: &Graph, exceptions: &mut Exceptions) -> Vec<Finding> {
    let directory = [slice::from_ref(&sources.directory), module.as_slice()].concat().join("/");
    let key = |from: &str, to: &str| format!("ring {directory} {from} -> {to}");
    let (excused, kept): (Vec<_>, Vec<_>) = graph.keys().partition(|(from, to)| exceptions.has(&key(from, to)));
    let next = successors(kept.into_iter());
    for (from, to) in excused {
        // An arrow is in need of its exception while there is a way back.
        if way(&next, to, from).is_some() {
            exceptions.allow(&key(from, to));
        }
    }
    let mut found: Vec<Finding> = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for node in next.keys().copied() {
        if seen.contains(node) {
            continue;
        }
        let members = ring_around(&next, node);
        if let Some(cycle) = shortest_cycle(&next, &members) {
            found.push(describe(sources, &directory, graph, &members, &cycle));
        }
        seen.extend(members);
    }
    found
}

type Successors<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

fn successors<'a>(edges: impl Iterator<Item = &'a (String, String)>) -> Successors<'a> {
    let mut next = Successors::new();
    for (from, to) in edges {
        next.entry(from).or_default().insert(to);
        next.entry(to).or_default();
    }
    next
}

/// The shortest way from one entry to another, both included; a way has at least one step.
fn way<'a>(next: &Successors<'a>, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut queue = VecDeque::from([vec![from]]);
    let mut seen = BTreeSet::new();
    while let Some(so_far) = queue.pop_front() {
        let here = so_far.last().copied()?;
        for step in next.get(here).into_iter().flatten().copied() {
            let longer = [so_far.as_slice(), &[step]].concat();
            if step == to {
                return Some(longer);
            }
            if seen.insert(step) {
                queue.push_back(longer);
            }
        }
    }
    None
}

/// All entries from which there is a way to `node` and back; it alone if there is none.
fn ring_around<'a>(next: &Successors<'a>, node: &'a str) -> BTreeSet<&'a str> {
    let both = |other: &&'a str| way(next, node, other).is_some() && way(next, other, node).is_some();
    next.keys().copied().filter(|other| *other == node || both(other)).collect()
}

fn shortest_cycle<'a>(next: &Successors<'a>, members: &BTreeSet<&'a str>) -> Option<Vec<&'a str>> {
    members.iter().filter_map(|node| way(next, node, node)).min_by_key(Vec::len)
}

fn describe(sources: &Crate, directory: &str, graph: &Graph, members: &BTreeSet<&str>, cycle: &[&str]) -> Finding {
    let mut text = format!("{directory} has a ring, {}", cycle.join(" -> "));
    let mut first = None;
    for step in cycle.windows(2) {
        let arrows = graph.get(&(step[0].to_owned(), step[1].to_owned())).map_or(&[][..], Vec::as_slice);
        let Some(arrow) = arrows.first() else { continue };
        first = first.or(Some(arrow));
        let place = format!("{}:{}", sources.sources[arrow.from].path, arrow.line);
        text += &format!("\n    {} names {} ({place})", step[0], names_of(arrows));
    }
    if members.len() + 1 > cycle.len() {
        let all: Vec<&str> = members.iter().copied().collect();
        text += &format!("\n    in one ring: {} entries: {}", all.len(), all.join(" "));
    }
    let (file, line) = first.map_or((directory, 1), |arrow| (sources.sources[arrow.from].path.as_str(), arrow.line));
    Finding::new(file, line, text)
}

/// The names of an arrow, without those that one of the others brought in.
fn names_of(arrows: &[Arrow]) -> String {
    let names: BTreeSet<&str> = arrows.iter().map(|arrow| arrow.name.as_str()).collect();
    let first = |name: &str| name.split("::").next().unwrap_or_default().to_owned();
    let is_new =
        |name: &str| !names.iter().any(|other| *other != name && other.ends_with(&format!("::{}", first(name))));
    let (shown, more): (Vec<_>, Vec<_>) =
        names.iter().copied().filter(|name| is_new(name)).enumerate().partition(|(at, _)| *at < NAMES_SHOWN);
    let shown: Vec<&str> = shown.into_iter().map(|(_, name)| name).collect();
    shown.join(", ") + &if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) }
}

#[cfg(test)]
mod tests {
    use crate::house::finding::Exceptions;
    use crate::house::sources::sample;

    fn findings(files: &[(&str, &str)], exceptions: &str) -> Vec<String> {
        let mut exceptions = Exceptions::parse(exceptions).expect("well formed");
        let mut found = super::check(&sample(files), &mut exceptions);
        found.extend(exceptions.unused());
        found.iter().map(ToString::to_string).collect()
    }

    const RING: [(&str, &str); 3] =
        [("a.rs", "use crate::b::B;"), ("b.rs", "pub struct B;\nfn f() { crate::c::g() }"), ("c.rs", "use crate::a;")];

    #[test]
    fn a_ring_is_shown_with_the_names_that_close_it() {
        let text = "mm/src/a.rs:1: mm/src has a ring, a.rs -> b.rs -> c.rs -> a.rs\n    \
            a.rs names crate::b::B (mm/src/a.rs:1)\n    \
            b.rs names crate::c::g (mm/src/b.rs:2)\n    \
            c.rs names crate::a (mm/src/c.rs:1)";
        assert_eq!(findings(&RING, ""), [text]);
    }

    #[test]
    fn an_order_has_no_ring() {
        let files =
            [("lib.rs", "pub use a::A;"), ("a.rs", "use crate::{b, c};"), ("b.rs", "use crate::c;"), ("c.rs", "")];
        assert!(findings(&files, "").is_empty());
    }

    #[test]
    fn arrows_between_directories_make_a_ring_of_directories() {
        let files = [("d/x.rs", "use crate::e::y;"), ("e/y.rs", ""), ("e/z.rs", "use crate::d::x;")];
        assert!(findings(&files, "")[0].contains("mm/src has a ring, d/ -> e/ -> d/"));
    }

    #[test]
    fn a_module_and_its_child_make_a_ring_too() {
        let files = [("d/mod.rs", "mod c;\nuse c::C;\npub struct M;"), ("d/c.rs", "use super::M;")];
        assert!(findings(&files, "")[0].starts_with("mm/src/d/c.rs:1: mm/src/d has a ring, c.rs -> mod.rs -> c.rs"));
    }

    #[test]
    fn an_exception_takes_out_an_arrow_and_must_be_needed() {
        assert!(findings(&RING, "ring mm/src c.rs -> a.rs: because").is_empty());
        let idle = findings(&RING[..2], "ring mm/src a.rs -> b.rs: because");
        assert!(idle[0].contains("nothing needs the exception"), "{idle:?}");
    }
}
