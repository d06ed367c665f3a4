//! Trees against a naive model, with memory and without.

mod common;

use std::collections::BTreeMap;
use std::rc::Rc;

use common::{Hog, TestTree, Token, at, boot, file, tree};
use kapi::Errno;
use mm::testing::{Booted, Rng};
use vfs::{At, Kind, New, Number, Replace};

/// Random operations with as much memory as they want.
const OPERATIONS: usize = 10_000;
/// Random operations without.
const STARVED: usize = 1_000;

const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

/// A file as the model sees it.
#[derive(Clone, PartialEq, Debug)]
struct File {
    kind: Kind,
    holds: usize,
    /// Of a directory.
    names: BTreeMap<&'static str, Number>,
}

/// What the tree should be: files by number, and nothing that can be found out otherwise.
#[derive(Clone, PartialEq)]
struct Model(BTreeMap<Number, File>);

/// What may be done.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Create(Number, &'static str, Kind),
    Link(Number, &'static str, Number),
    Unlink(Number, &'static str),
    RemoveDirectory(Number, &'static str),
    Rename(Number, &'static str, Number, &'static str, Replace),
    Hold(Number),
    Release(Number),
}

const ROOT: Number = 1;

impl Model {
    fn new() -> Self {
        Self(BTreeMap::from([(ROOT, File { kind: Kind::Directory, holds: 0, names: BTreeMap::new() })]))
    }

    fn directory(&self, number: Number) -> Result<&File, Errno> {
        let file = self.0.get(&number).ok_or(Errno::ENOENT)?;
        if file.kind == Kind::Directory { Ok(file) } else { Err(Errno::ENOTDIR) }
    }

    fn child(&self, directory: Number, name: &str) -> Result<Number, Errno> {
        self.directory(directory)?.names.get(name).copied().ok_or(Errno::ENOENT)
    }

    fn names_of(&self, number: Number) -> usize {
        self.0.values().flat_map(|file| file.names.values()).filter(|&&other| other == number).count()
    }

    fn is_removed(&self, directory: Number) -> bool {
        directory != ROOT && self.names_of(directory) == 0
    }

    fn kind(&self, number: Number) -> Kind {
        self.0[&number].kind
    }

    /// Whether `inner` is `outer`, or somewhere in it.
    fn contains(&self, outer: Number, inner: Number) -> bool {
        outer == inner || self.0[&outer].names.values().any(|&child| self.contains(child, inner))
    }

    fn put(&mut self, directory: Number, name: &'static str, number: Number) {
        self.0.get_mut(&directory).expect("it is there").names.insert(name, number);
    }

    fn take(&mut self, directory: Number, name: &str) {
        self.0.get_mut(&directory).expect("it is there").names.remove(name);
    }

    /// Drops what nothing leads to.
    fn sweep(&mut self) {
        let gone = self.0.iter().filter(|(number, file)| file.holds == 0 && self.is_removed(**number));
        let gone: Vec<_> = gone.map(|(number, _)| *number).collect();
        gone.iter().for_each(|number| drop(self.0.remove(number)));
    }

    /// Whether something new may have this name.
    fn may_enter(&self, directory: Number, name: &str) -> Result<(), Errno> {
        match self.child(directory, name) {
            Ok(_) => Err(Errno::EEXIST),
            Err(Errno::ENOENT) if self.0.contains_key(&directory) && !self.is_removed(directory) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What the operation should say, and what it leaves.
    fn run(&mut self, operation: Operation, fresh: Number) -> Result<(), Errno> {
        match operation {
            Operation::Create(directory, name, kind) => {
                self.may_enter(directory, name)?;
                self.0.insert(fresh, File { kind, holds: 0, names: BTreeMap::new() });
                self.put(directory, name, fresh);
            }
            Operation::Link(directory, name, number) => {
                self.may_enter(directory, name)?;
                match self.0.get(&number) {
                    None => return Err(Errno::ENOENT),
                    Some(file) if file.kind == Kind::Directory => return Err(Errno::EPERM),
                    Some(_) if self.names_of(number) == 0 => return Err(Errno::ENOENT),
                    Some(_) => self.put(directory, name, number),
                }
            }
            Operation::Unlink(directory, name) => match self.kind(self.child(directory, name)?) {
                Kind::Directory => return Err(Errno::EISDIR),
                _ => self.take(directory, name),
            },
            Operation::RemoveDirectory(directory, name) => {
                let number = self.child(directory, name)?;
                if !self.directory(number)?.names.is_empty() {
                    return Err(Errno::ENOTEMPTY);
                }
                self.take(directory, name);
            }
            Operation::Rename(from, name, to, new, replace) => self.rename(from, name, to, new, replace)?,
            Operation::Hold(number) => self.0.get_mut(&number).ok_or(Errno::ENOENT)?.holds += 1,
            Operation::Release(number) => self.0.get_mut(&number).expect("it is held").holds -= 1,
        }
        self.sweep();
        Ok(())
    }

    fn rename(
        &mut self,
        from: Number,
        name: &'static str,
        to: Number,
        new: &'static str,
        replace: Replace,
    ) -> Result<(), Errno> {
        let moved = self.child(from, name)?;
        let target = self.directory(to)?.names.get(new).copied();
        match target {
            Some(_) if replace == Replace::No => return Err(Errno::EEXIST),
            Some(target) if target == moved => return Ok(()),
            _ => {}
        }
        let is_directory = self.kind(moved) == Kind::Directory;
        if is_directory && self.contains(moved, to) {
            return Err(Errno::EINVAL);
        }
        match target.map(|target| (self.kind(target) == Kind::Directory, &self.0[&target].names)) {
            Some((true, _)) if !is_directory => return Err(Errno::EISDIR),
            Some((false, _)) if is_directory => return Err(Errno::ENOTDIR),
            Some((true, names)) if !names.is_empty() => return Err(Errno::ENOTEMPTY),
            None if self.is_removed(to) => return Err(Errno::ENOENT),
            _ => {}
        }
        self.take(from, name);
        self.put(to, new, moved);
        Ok(())
    }
}

/// Does the operation to the tree; what it has made.
fn run(tree: &mut TestTree, operation: Operation, token: &Token) -> Result<Option<Number>, Errno> {
    let now = at(2);
    match operation {
        Operation::Create(directory, name, kind) => {
            let new = match kind {
                Kind::Directory => New::directory(0o755),
                Kind::Link => New::link("where")?,
                _ => file(token),
            };
            return tree.create(directory, name, new, now).map(Some);
        }
        Operation::Link(directory, name, number) => tree.link(directory, name, number, now)?,
        Operation::Unlink(directory, name) => drop(tree.unlink(directory, name, now)?),
        Operation::RemoveDirectory(directory, name) => drop(tree.remove_directory(directory, name, now)?),
        Operation::Rename(directory, name, to, new, replace) => {
            let (from, to) = (At { directory, name }, At { directory: to, name: new });
            drop(tree.rename(from, to, replace, now)?);
        }
        Operation::Hold(number) => tree.hold(number)?,
        Operation::Release(number) => drop(tree.release(number)),
    }
    Ok(None)
}

/// Some operation; most of them on what is there.
fn some_operation(model: &Model, rng: &mut Rng) -> Operation {
    let numbers: Vec<_> = model.0.keys().copied().collect();
    let mut number = || if rng.one_in(30) { 999_999 } else { numbers[rng.below(numbers.len())] };
    let (one, other) = (number(), number());
    let mut name = || NAMES[rng.below(NAMES.len())];
    let (name, new) = (name(), name());
    let replace = if rng.one_in(4) { Replace::No } else { Replace::Yes };
    let kind = [Kind::File, Kind::Directory, Kind::Directory, Kind::Link][rng.below(4)];
    match rng.below(16) {
        // Not so much that a file cannot be looked at one by one.
        0..=4 if numbers.len() < 60 => Operation::Create(one, name, kind),
        0..=2 => Operation::Link(one, name, other),
        3..=5 => Operation::Unlink(one, name),
        6..=7 => Operation::RemoveDirectory(one, name),
        8..=13 => Operation::Rename(one, name, other, new, replace),
        14 => Operation::Hold(one),
        _ => match model.0.iter().find(|(_, file)| file.holds > 0) {
            Some((held, _)) => Operation::Release(*held),
            None => Operation::Hold(other),
        },
    }
}

/// Whether the tree is what the model says, through all that can be asked.
fn compare(tree: &TestTree, model: &Model, token: &Token) {
    assert_eq!(tree.validate(), Ok(()));
    assert_eq!(tree.len(), model.0.len());
    let files = model.0.values().filter(|file| file.kind == Kind::File).count();
    assert_eq!(Rc::strong_count(token) - 1, files, "contents live as long as their files");
    for (&number, file) in &model.0 {
        let stat = tree.stat(number).expect("it is there");
        assert_eq!((stat.id.inode, stat.kind()), (number, file.kind));
        let mut listed = BTreeMap::new();
        let mut place = 0;
        while let Ok(Some((entry, next))) = tree.next_name(number, place) {
            let name = NAMES.iter().find(|name| ***name == *entry.name).expect("a name of ours");
            assert_eq!(listed.insert(*name, entry.value.number), None, "listed twice");
            assert_eq!(tree.child(number, name), Ok(entry.value.number));
            place = next;
        }
        assert_eq!(listed, file.names);
        for &child in file.names.values().filter(|child| model.kind(**child) == Kind::Directory) {
            assert_eq!(tree.parent(child), Ok(number));
        }
    }
}

/// One step of both; says whether they went.
fn step(tree: &mut TestTree, model: &mut Model, operation: Operation, token: &Token) -> Result<(), Errno> {
    let before = model.clone();
    let done = run(tree, operation, token);
    let fresh = done.ok().flatten().unwrap_or(0);
    let expected = model.run(operation, fresh);
    if done == Err(Errno::ENOMEM) {
        *model = before;
        return Err(Errno::ENOMEM);
    }
    assert_eq!(done.map(drop), expected, "{operation:?}");
    Ok(())
}

fn start() -> (Booted, TestTree, Model, Token) {
    let machine = boot();
    (machine, tree(), Model::new(), Rc::new(()))
}

#[test]
fn random_operations_leave_what_a_naive_tree_has() {
    let (machine, mut tree, mut model, token) = start();
    for seed in 0..4 {
        let mut rng = Rng::new(seed);
        for count in 0..OPERATIONS / 4 {
            let operation = some_operation(&model, &mut rng);
            step(&mut tree, &mut model, operation, &token).expect("there is memory");
            if count % 100 == 0 {
                compare(&tree, &model, &token);
            }
        }
        compare(&tree, &model, &token);
    }
    drop(tree);
    assert_eq!(Rc::strong_count(&token), 1);
    machine.validate().expect("valid");
}

#[test]
fn operations_without_memory_change_nothing() {
    let (machine, mut tree, mut model, token) = start();
    let start = common::objects(&machine);
    let mut rng = Rng::new(9);
    let mut hog = Hog::new(&machine);
    let mut refused = 0;
    for count in 0..STARVED {
        let left = rng.below(12);
        hog.leave(&mut rng, left);
        let operation = some_operation(&model, &mut rng);
        refused += usize::from(step(&mut tree, &mut model, operation, &token).is_err());
        if count % 20 == 0 {
            compare(&tree, &model, &token);
        }
    }
    assert!(refused > STARVED / 20, "{refused} of {STARVED} operations had no memory");
    compare(&tree, &model, &token);
    hog.end(&machine);
    drop(tree);
    assert!(common::objects(&machine) < start, "the tree itself is gone");
    assert_eq!(Rc::strong_count(&token), 1);
    machine.validate().expect("valid");
}
