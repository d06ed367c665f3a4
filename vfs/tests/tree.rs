//! Trees: attributes, limits, costs, removed directories.

mod common;

use std::rc::Rc;

use common::{DEVICE, TestTree, at, boot, costs, file, tree};
use kapi::{Errno, FileId};
use vfs::{At, Change, Kind, LINK_MAX, New, Replace, Timestamp};

fn links(tree: &TestTree, number: u64) -> u32 {
    tree.stat(number).expect("it is there").attributes.links
}

fn times(tree: &TestTree, number: u64) -> [i64; 3] {
    let attributes = tree.stat(number).expect("it is there").attributes;
    [attributes.accessed, attributes.modified, attributes.changed].map(|moment: Timestamp| moment.seconds)
}

#[test]
fn links_and_times_are_kept() {
    let _machine = boot();
    let (mut tree, token) = (tree(), Rc::new(()));
    let root = tree.root();
    let directory = tree.create(root, "d", New::directory(0o7777 | 0xf000), at(2)).expect("made");
    let stat = tree.stat(directory).expect("it is there");
    assert_eq!((stat.attributes.mode, stat.kind()), (0o7777, Kind::Directory));
    assert_eq!(stat.id, FileId { device: DEVICE, inode: directory });
    assert_eq!((links(&tree, root), links(&tree, directory)), (3, 2));
    assert_eq!(times(&tree, root), [1, 2, 2], "a new name changes its directory");

    let one = tree.create(directory, "one", file(&token), at(3)).expect("made");
    assert_eq!((links(&tree, one), times(&tree, one)), (1, [3, 3, 3]));
    assert_eq!(tree.link(root, "two", one, at(4)), Ok(()));
    assert_eq!((links(&tree, one), times(&tree, one), times(&tree, root)), (2, [3, 3, 4], [1, 4, 4]));
    assert!(tree.unlink(directory, "one", at(5)).expect("removed").is_none());
    assert_eq!((links(&tree, one), times(&tree, one), times(&tree, directory)), (1, [3, 3, 5], [2, 5, 5]));
    assert!(tree.unlink(root, "two", at(6)).expect("removed").is_some(), "with its last name it goes");
    assert_eq!(tree.stat(one), Err(Errno::ENOENT));

    let link = tree.create(root, "l", New::link("d/one").expect("memory"), at(7)).expect("made");
    assert_eq!((tree.stat(link).expect("there").size, tree.stat(link).expect("there").attributes.mode), (5, 0o777));
}

#[test]
fn attributes_change_one_by_one() {
    let _machine = boot();
    let (mut tree, token) = (tree(), Rc::new(()));
    let number = tree.create(tree.root(), "f", file(&token), at(2)).expect("made");
    let change = |tree: &mut TestTree, change, now| tree.change(number, change, at(now)).expect("it is there");
    change(&mut tree, Change::Mode(0o104_755), 3);
    change(&mut tree, Change::Owner { user: Some(5), group: None }, 4);
    change(&mut tree, Change::Owner { user: None, group: Some(6) }, 5);
    let before_1970 = Timestamp { seconds: -1, nanos: 500 };
    change(&mut tree, Change::Times { accessed: Some(before_1970), modified: None }, 6);
    let attributes = tree.stat(number).expect("it is there").attributes;
    assert_eq!((attributes.mode, attributes.user, attributes.group), (0o4755, 5, 6));
    assert_eq!((attributes.accessed, attributes.modified.seconds, attributes.changed.seconds), (before_1970, 2, 6));
    change(&mut tree, Change::Content, 7);
    assert_eq!(times(&tree, number)[1..], [7, 7]);
}

#[test]
fn a_renamed_directory_takes_its_links_along() {
    let _machine = boot();
    let (mut tree, token) = (tree(), Rc::new(()));
    let root = tree.root();
    let [a, b] = ["a", "b"].map(|name| tree.create(root, name, New::directory(0o755), at(1)).expect("made"));
    let inner = tree.create(a, "inner", New::directory(0o755), at(1)).expect("made");
    let rename = |tree: &mut TestTree, from, to| tree.rename(from, to, Replace::Yes, at(9)).map(|gone| gone.is_some());
    let at_name = |directory, name| At { directory, name };
    assert_eq!(rename(&mut tree, at_name(a, "inner"), at_name(b, "moved")), Ok(false));
    assert_eq!([links(&tree, a), links(&tree, b), links(&tree, root)], [2, 3, 4]);
    assert_eq!((tree.parent(inner), tree.name_of(b, inner)), (Ok(b), Ok("moved")));
    assert_eq!(times(&tree, inner)[2], 9);
    // Over an empty directory, which goes; not over a full one.
    assert_eq!(rename(&mut tree, at_name(root, "b"), at_name(root, "a")), Ok(true));
    assert_eq!((tree.child(root, "a"), links(&tree, root), tree.stat(a)), (Ok(b), 3, Err(Errno::ENOENT)));
    tree.create(root, "x", New::directory(0o755), at(1)).expect("made");
    assert_eq!(rename(&mut tree, at_name(root, "x"), at_name(root, "a")), Err(Errno::ENOTEMPTY));
    for (directory, name) in [(b, "b"), (inner, "b")] {
        assert_eq!(rename(&mut tree, at_name(root, "a"), at_name(directory, name)), Err(Errno::EINVAL), "{name}");
    }
    let one = tree.create(root, "one", file(&token), at(1)).expect("made");
    tree.link(root, "two", one, at(1)).expect("linked");
    assert_eq!(rename(&mut tree, at_name(root, "one"), at_name(root, "two")), Ok(false), "the same file");
    assert_eq!((tree.child(root, "one"), links(&tree, one)), (Ok(one), 2), "nothing happens");
    assert_eq!(tree.validate(), Ok(()));
}

#[test]
fn a_removed_directory_that_is_held_takes_nothing_more() {
    let _machine = boot();
    let (mut tree, token) = (tree(), Rc::new(()));
    let root = tree.root();
    let directory = tree.create(root, "d", New::directory(0o755), at(1)).expect("made");
    tree.hold(directory).expect("it is there");
    assert!(tree.remove_directory(root, "d", at(2)).expect("removed").is_none());
    assert_eq!(links(&tree, directory), 0);
    assert_eq!(tree.create(directory, "f", file(&token), at(3)), Err(Errno::ENOENT));
    let other = tree.create(root, "o", file(&token), at(3)).expect("made");
    assert_eq!(tree.link(directory, "f", other, at(3)), Err(Errno::ENOENT));
    let into = tree.rename(At { directory: root, name: "o" }, At { directory, name: "f" }, Replace::Yes, at(3));
    assert_eq!(into.map(|_| ()), Err(Errno::ENOENT));
    assert!(tree.next_name(directory, 0).expect("still there").is_none());
    assert_eq!(tree.validate(), Ok(()));
    assert!(tree.release(directory).is_some());
    assert_eq!(tree.stat(directory), Err(Errno::ENOENT));
}

#[test]
fn a_name_keeps_its_place_while_others_come_and_go() {
    let _machine = boot();
    let (mut tree, token) = (tree(), Rc::new(()));
    let root = tree.root();
    for n in 0..1000 {
        tree.create(root, &format!("f{n}"), file(&token), at(1)).expect("made");
    }
    let (mut place, mut seen) = (0, Vec::new());
    while let Some((entry, next)) = tree.next_name(root, place).expect("there") {
        seen.push(entry.name.as_str().to_owned());
        place = next;
        // What was listed goes, and something new comes: behind all that was there.
        if let Some(name) = seen.last().filter(|name| name.starts_with('f')) {
            drop(tree.unlink(root, name, at(2)).expect("it is there"));
        }
        if seen.len() % 10 == 1 && seen.len() < 1000 {
            tree.create(root, &format!("n{}", seen.len()), file(&token), at(3)).expect("made");
        }
    }
    let old: Vec<_> = (0..1000).map(|n| format!("f{n}")).collect();
    assert_eq!(seen[..1000], old, "each once, oldest first");
    assert_eq!(seen.len(), 1100);
    assert_eq!(tree.validate(), Ok(()));
}

#[test]
fn wrong_names_are_refused_and_limits_hold() {
    let _machine = boot();
    let (mut tree, token) = (tree(), Rc::new(()));
    let root = tree.root();
    for (name, error) in [("", Errno::EINVAL), ("..", Errno::EINVAL), ("a/b", Errno::EINVAL)] {
        assert_eq!(tree.create(root, name, file(&token), at(1)), Err(error), "{name}");
    }
    assert_eq!(tree.create(root, &"n".repeat(256), file(&token), at(1)), Err(Errno::ENAMETOOLONG));
    let number = tree.create(root, "f", file(&token), at(1)).expect("made");
    assert_eq!(tree.create(number, "x", file(&token), at(1)), Err(Errno::ENOTDIR));
    assert_eq!(tree.create(root, "f", file(&token), at(1)), Err(Errno::EEXIST));
    for n in 1..LINK_MAX {
        assert_eq!(tree.link(root, &format!("{n}"), number, at(1)), Ok(()));
    }
    assert_eq!(tree.link(root, "more", number, at(1)), Err(Errno::EMLINK));
    assert_eq!(Rc::strong_count(&token), 2, "what was refused is dropped");
}

#[test]
fn names_files_and_links_are_charged_and_come_back() {
    let _machine = boot();
    let costs = costs(|| 100_000);
    let mut tree = TestTree::new(DEVICE, 0o755, costs, at(1)).expect("it fits");
    let token = Rc::new(());
    let (root, empty) = (tree.root(), costs.budget.used());
    assert!(empty > 0);
    let error = (0..).find_map(|n| tree.create(root, &format!("f{n}"), file(&token), at(1)).err());
    assert_eq!(error, Some(Errno::ENOSPC));
    let count = Rc::strong_count(&token) - 1;
    assert!((100..600).contains(&count), "{count} files");
    assert_eq!(tree.len(), count + 1);
    let long = New::link(&"t".repeat(4000)).expect("memory");
    assert_eq!(tree.create(root, "l", long, at(1)), Err(Errno::ENOSPC));
    for n in 0..count {
        drop(tree.unlink(root, &format!("f{n}"), at(1)).expect("it is there"));
    }
    assert_eq!(costs.budget.used(), empty);
    drop(tree);
    assert_eq!(costs.budget.used(), 0);
}
