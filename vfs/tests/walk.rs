//! Ways along paths: names, dots, slashes, links, circles.

mod common;

use std::cell::Cell;

use common::{TestTree, at, boot, file, tree};
use kapi::Errno;
use mm::GfpFlags;
use mm::own::KString;
use mm::testing::TestKernel;
use vfs::{Body, Follow, Last, Link, MAX_LINKS, Names, New, Number, Replace, walk};

/// A tree to walk in. The link `magic` leads to a file without a name.
struct Files {
    tree: TestTree,
    looked_up: Cell<usize>,
    /// A directory that nobody may go through.
    closed: Cell<Option<Number>>,
}

/// What `magic` leads to.
const NAMELESS: Number = 1_000_000;

impl Names for Files {
    type Node = Number;
    type Kernel = TestKernel;

    fn root(&self) -> Result<Number, Errno> {
        Ok(self.tree.root())
    }

    fn child(&self, directory: &Number, name: &str) -> Result<Number, Errno> {
        self.looked_up.set(self.looked_up.get() + 1);
        self.tree.child(*directory, name)
    }

    fn parent(&self, directory: &Number) -> Result<Number, Errno> {
        self.tree.parent(*directory)
    }

    fn is_directory(&self, node: &Number) -> bool {
        matches!(self.tree.body(*node), Ok(Body::Directory(_)))
    }

    fn search(&self, directory: &Number) -> Result<(), Errno> {
        if self.closed.get() == Some(*directory) { Err(Errno::EACCES) } else { Ok(()) }
    }

    fn link(&self, node: &Number) -> Result<Option<Link<Number, TestKernel>>, Errno> {
        if *node == NAMELESS {
            return Ok(None);
        }
        Ok(match self.tree.body(*node)? {
            Body::Link(text) if text.as_str() == "magic" => Some(Link::Node(NAMELESS)),
            Body::Link(text) if text.as_str() == "magic root" => Some(Link::Node(self.tree.root())),
            Body::Link(text) => Some(Link::Text(KString::from_str(text, GfpFlags::KERNEL)?)),
            Body::Directory(_) | Body::Other(_) => None,
        })
    }
}

/// Directories end in a slash, files do not, links say where they lead.
const MADE: [(&str, &str); 20] = [
    ("d/", ""),
    ("d/e/", ""),
    ("d/e/f", ""),
    ("d/up", "../x"),
    ("d/here", "."),
    ("x", ""),
    ("to_d", "d"),
    ("to_d_slash", "d/"),
    ("to_f", "/d/e/f"),
    ("to_to_f", "to_f"),
    ("far", "to_d/e/../e/./f"),
    ("none", "nowhere"),
    ("none_in", "d/nothing"),
    ("self", "self"),
    ("ring1", "ring2/a"),
    ("ring2", "/ring1"),
    ("file_slash", "x/"),
    ("magic", "magic"),
    ("magic_root", "magic root"),
    ("root", "/"),
];

fn files() -> Files {
    let mut tree = tree();
    for (path, text) in MADE {
        let (directory, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path.trim_end_matches('/')));
        let parts = directory.split('/').filter(|part| !part.is_empty());
        let at_directory = parts.fold(tree.root(), |at, part| tree.child(at, part).expect("made before"));
        let new = match (path.ends_with('/'), text) {
            (true, _) => New::directory(0o755),
            (false, "") => file(&std::rc::Rc::new(())),
            (false, text) => New::link(text).expect("memory"),
        };
        tree.create(at_directory, name, new, at(1)).expect("made");
    }
    Files { tree, looked_up: Cell::new(0), closed: Cell::new(None) }
}

impl Files {
    fn node(&self, path: &str, follow: Follow) -> Result<Number, Errno> {
        walk(self, &self.tree.root(), path, follow)?.node()
    }

    /// What the path of the same name without links, dots and slashes leads to.
    fn plain(&self, path: &str) -> Number {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts.fold(self.tree.root(), |at, part| self.tree.child(at, part).expect("it is there"))
    }
}

#[test]
fn paths_lead_where_they_say() {
    let _machine = boot();
    let files = files();
    const SAME: [(&str, &str); 24] = [
        ("/", ""),
        ("//", ""),
        (".", ""),
        ("..", ""),
        ("/../..", ""),
        ("d", "d"),
        ("d/", "d"),
        ("d//e///f", "d/e/f"),
        ("./d/./e/.", "d/e"),
        ("d/e/..", "d"),
        ("d/e/../..", ""),
        ("d/e/../../x", "x"),
        ("to_d", "d"),
        ("to_d/", "d"),
        ("to_d/.", "d"),
        ("to_d/..", ""),
        ("to_d_slash", "d"),
        ("to_d_slash/e/f", "d/e/f"),
        ("to_f", "d/e/f"),
        ("to_to_f", "d/e/f"),
        ("far", "d/e/f"),
        ("d/up", "x"),
        ("d/here/here/e", "d/e"),
        ("root/d", "d"),
    ];
    for (path, plain) in SAME {
        assert_eq!(files.node(path, Follow::Yes), Ok(files.plain(plain)), "{path}");
    }
    assert_eq!(files.node("magic_root/d/e", Follow::Yes), Ok(files.plain("d/e")));
    assert_eq!(files.node("magic", Follow::Yes), Ok(NAMELESS));
    assert_eq!(
        walk(&files, &files.plain("d"), "e/f", Follow::Yes).map(|found| found.node),
        Ok(Some(files.plain("d/e/f")))
    );
}

#[test]
fn what_is_wrong_with_a_path_is_said() {
    let _machine = boot();
    let files = files();
    let long = "d/".repeat(3000);
    let name = "n".repeat(256);
    let wrong: [(&str, Errno); 17] = [
        ("", Errno::ENOENT),
        ("nothing", Errno::ENOENT),
        ("nothing/x", Errno::ENOENT),
        ("nothing/..", Errno::ENOENT),
        ("none", Errno::ENOENT),
        ("none/x", Errno::ENOENT),
        ("x/", Errno::ENOTDIR),
        ("x/.", Errno::ENOTDIR),
        ("x/..", Errno::ENOTDIR),
        ("x/y", Errno::ENOTDIR),
        ("file_slash", Errno::ENOTDIR),
        ("magic/x", Errno::ENOTDIR),
        ("self", Errno::ELOOP),
        ("ring1", Errno::ELOOP),
        ("ring2/b", Errno::ELOOP),
        (&long, Errno::ENAMETOOLONG),
        (&name, Errno::ENAMETOOLONG),
    ];
    for (path, error) in wrong {
        let found = walk(&files, &files.tree.root(), path, Follow::Yes);
        let found = found.and_then(|found| match (found.slash, found.node()?) {
            (true, node) if !files.is_directory(&node) => Err(Errno::ENOTDIR),
            (_, node) => Ok(node),
        });
        assert_eq!(found, Err(error), "{path}");
    }
}

#[test]
fn a_link_at_the_end_is_followed_on_demand() {
    let _machine = boot();
    let files = files();
    let kind =
        |path| files.tree.body(files.node(path, Follow::No).expect(path)).map(|body| matches!(body, Body::Link(_)));
    for link in ["to_d", "to_f", "self", "none", "d/up", "to_d/up"] {
        assert_eq!(kind(link), Ok(true), "{link}");
    }
    // Something comes behind it.
    for path in ["to_d/", "to_d/.", "to_d/e"] {
        assert_eq!(kind(path), Ok(false), "{path}");
    }
}

#[test]
fn what_is_missing_has_a_directory_to_be_made_in() {
    let _machine = boot();
    let files = files();
    for (path, directory, name, slash) in [
        ("new", "", "new", false),
        ("d/e/new", "d/e", "new", false),
        ("to_d/new/", "d", "new", true),
        ("none", "", "nowhere", false),
        ("none_in", "d", "nothing", false),
        ("none_in/", "d", "nothing", true),
    ] {
        let found = walk(&files, &files.tree.root(), path, Follow::Yes).expect(path);
        assert_eq!((found.node, found.directory, found.slash), (None, files.plain(directory), slash), "{path}");
        assert!(matches!(found.last, Last::Name(last) if &*last == name), "{path}");
    }
}

#[test]
fn the_last_part_is_told() {
    let _machine = boot();
    let files = files();
    let last = |path| walk(&files, &files.tree.root(), path, Follow::No).expect(path).last;
    assert!(matches!(last("/"), Last::Dot) && matches!(last("d/."), Last::Dot));
    assert!(matches!(last("d/e/.."), Last::DotDot));
    assert!(matches!(last("d/e//"), Last::Name(name) if &*name == "e"));
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let _machine = boot();
    let mut files = files();
    let root = files.tree.root();
    for n in 0..MAX_LINKS + 2 {
        let text = if n == 0 { "x".to_owned() } else { format!("l{}", n - 1) };
        files.tree.create(root, &format!("l{n}"), New::link(&text).expect("memory"), at(1)).expect("made");
    }
    let x = files.plain("x");
    assert_eq!(files.node(&format!("l{}", MAX_LINKS - 1), Follow::Yes), Ok(x));
    assert_eq!(files.node(&format!("l{MAX_LINKS}"), Follow::Yes), Err(Errno::ELOOP));
    // Links one after the other count as well.
    let path = |count| "d/here/../".repeat(count) + "x";
    assert_eq!(files.node(&path(MAX_LINKS), Follow::Yes), Ok(x));
    assert_eq!(files.node(&path(MAX_LINKS + 1), Follow::Yes), Err(Errno::ELOOP));
    // The way ends at the limit, however much the links would lead to.
    files.looked_up.set(0);
    assert_eq!(files.node("ring1", Follow::Yes), Err(Errno::ELOOP));
    assert!(files.looked_up.get() <= 2 * MAX_LINKS);
}

#[test]
fn what_was_renamed_is_where_it_is_now() {
    let _machine = boot();
    let mut files = files();
    let (root, e) = (files.tree.root(), files.plain("d/e"));
    let (from, to) = (vfs::At { directory: root, name: "d" }, vfs::At { directory: root, name: "moved" });
    files.tree.rename(from, to, Replace::Yes, at(2)).expect("renamed");
    assert_eq!(files.node("d/e", Follow::Yes), Err(Errno::ENOENT));
    assert_eq!(walk(&files, &e, "../../moved/e/f", Follow::Yes).expect("there").node, Some(files.plain("moved/e/f")));
}

#[test]
fn a_closed_directory_ends_the_way() {
    let _machine = boot();
    let files = files();
    files.closed.set(Some(files.plain("d")));
    assert_eq!(files.node("d", Follow::Yes), Ok(files.plain("d")), "the way to it is open");
    for path in ["d/e", "d/.", "d/..", "d/nothing", "to_d/e/f", "/d/e/f", "to_f"] {
        assert_eq!(files.node(path, Follow::Yes), Err(Errno::EACCES), "{path}");
    }
    assert_eq!(files.node("x/y", Follow::Yes), Err(Errno::ENOTDIR));
}
