//! Radix trees: against a naive model, without memory, with indices far apart.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::rc::Rc;

use mm::own::KBytes;
use mm::testing::{Booted, Machine, Rng, TestKernel};
use mm::{AllocError, GfpFlags};
use services::radix::{RadixTree, Tag};

const GFP: GfpFlags = GfpFlags::KERNEL;
/// Random operations of the model test.
const OPERATIONS: usize = 100_000;

type Tree<T> = RadixTree<T, TestKernel>;

fn boot() -> Booted {
    TestKernel::boot(&Machine::with_mib(24))
}

/// Objects from kmalloc that are allocated.
fn objects(machine: &Booted) -> usize {
    machine
        .objects()
        .caches()
        .filter(|cache| cache.name.as_str().starts_with("size-"))
        .map(|cache| cache.active_objects)
        .sum()
}

/// Indices at which levels begin and end, and the neighbours of these.
fn edges() -> impl Iterator<Item = u64> {
    (0..11).flat_map(|level| {
        let first = 1_u64 << (6 * level);
        [first - 1, first, first + 1, first.wrapping_mul(63), u64::MAX - (first - 1)]
    })
}

/// Some index: dense at the start, here and there, anywhere, or at an edge.
fn some_index(rng: &mut Rng) -> u64 {
    match rng.below(8) {
        0..=3 => rng.below(300) as u64,
        4 => (1 << 20) + rng.below(5000) as u64,
        5 => rng.next_u64() >> rng.below(64),
        6 => u64::MAX - rng.below(100) as u64,
        _ => edges().nth(rng.below(55)).expect("55 of them"),
    }
}

/// The tree and what it should be.
struct Model {
    tree: Tree<u64>,
    values: BTreeMap<u64, u64>,
    tagged: [BTreeSet<u64>; 2],
}

impl Model {
    fn new() -> Self {
        Self { tree: Tree::new(), values: BTreeMap::new(), tagged: Default::default() }
    }

    fn forget(&mut self, index: u64) -> Option<u64> {
        self.tagged.iter_mut().for_each(|tagged| _ = tagged.remove(&index));
        self.values.remove(&index)
    }

    fn truncate(&mut self, from: u64) {
        self.tree.remove_from(from);
        self.values.split_off(&from).keys().for_each(|index| _ = self.forget(*index));
        self.tagged.iter_mut().for_each(|tagged| _ = tagged.split_off(&from));
    }

    fn change_tag(&mut self, index: u64, tag: Tag, rng: &mut Rng) {
        let known = self.values.contains_key(&index);
        if rng.one_in(3) {
            assert_eq!(self.tree.clear_tag(index, tag), known);
            self.tagged[tag as usize].remove(&index);
        } else {
            assert_eq!(self.tree.set_tag(index, tag), known);
            if known {
                self.tagged[tag as usize].insert(index);
            }
        }
    }

    fn step(&mut self, rng: &mut Rng) {
        let (index, value) = (some_index(rng), rng.next_u64());
        let tag = Tag::ALL[rng.below(2)];
        match rng.below(16) {
            0..=3 => assert_eq!(self.tree.insert(index, value, GFP), Ok(self.values.insert(index, value))),
            4..=6 => assert_eq!(self.tree.remove(index), self.forget(index)),
            7 => {
                let popped = self.tree.pop_from(index);
                let expected = self.values.range(index..).next().map(|(&index, &value)| (index, value));
                assert_eq!(popped, expected);
                popped.into_iter().for_each(|(index, _)| _ = self.forget(index));
            }
            8 => {
                assert_eq!(self.tree.get_mut(index), self.values.get_mut(&index));
                self.tree.get_mut(index).into_iter().chain(self.values.get_mut(&index)).for_each(|old| *old = value);
            }
            9..=12 => self.change_tag(index, tag, rng),
            13 if rng.one_in(50) => self.truncate(index),
            _ => self.look(index, tag),
        }
    }

    fn look(&self, index: u64, tag: Tag) {
        let tagged = &self.tagged[tag as usize];
        assert_eq!(self.tree.get(index), self.values.get(&index));
        assert_eq!(self.tree.has_tag(index, tag), tagged.contains(&index));
        assert_eq!(self.tree.next(index), self.values.range(index..).next().map(|(&index, value)| (index, value)));
        let next = tagged.range(index..).next();
        assert_eq!(self.tree.next_tagged(index, tag), next.map(|index| (*index, &self.values[index])));
    }

    fn compare(&self) {
        assert_eq!(self.tree.validate(), Ok(()));
        assert_eq!(self.tree.len(), self.values.len());
        assert!(self.tree.iter().eq(self.values.iter().map(|(&index, value)| (index, value))));
    }
}

#[test]
fn random_operations_do_what_a_sorted_map_does() {
    let machine = boot();
    let start = objects(&machine);
    for seed in 0..4 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let mut model = Model::new();
        for step in 0..OPERATIONS / 4 {
            model.step(&mut rng);
            if step % 64 == 0 {
                model.compare();
            }
        }
        model.compare();
        drop(model.tree);
        assert_eq!(objects(&machine), start, "nodes are left");
    }
    machine.validate().expect("valid");
}

#[test]
fn emptied_index_by_index_it_holds_no_memory() {
    let machine = boot();
    let start = objects(&machine);
    let mut tree = Tree::new();
    let mut rng = Rng::new(7);
    let mut indices: Vec<u64> = edges().collect();
    indices.sort_unstable();
    indices.dedup();
    for &index in &indices {
        assert_eq!(tree.insert(index, index, GFP), Ok(None));
        assert_eq!(tree.validate(), Ok(()), "{index}");
    }
    assert!(tree.iter().eq(indices.iter().map(|index| (*index, index))));
    for from in [1, 64, 1 << 40, u64::MAX - 1, u64::MAX] {
        assert!(
            tree.iter_from(from).map(|(index, _)| index).eq(indices.iter().copied().filter(|&index| index >= from))
        );
    }
    while !indices.is_empty() {
        let index = indices.swap_remove(rng.below(indices.len()));
        assert_eq!(tree.remove(index), Some(index));
        assert_eq!((tree.remove(index), tree.validate()), (None, Ok(())), "{index}");
        assert_eq!(tree.nodes(), objects(&machine) - start);
    }
    assert_eq!(objects(&machine), start);
}

#[test]
fn the_first_value_alone_needs_no_node() {
    let machine = boot();
    let start = objects(&machine);
    let mut tree = Tree::new();
    tree.insert(0, 5, GFP).expect("no memory is needed");
    assert!(tree.set_tag(0, Tag::Writeback) && !tree.set_tag(1, Tag::Writeback));
    assert_eq!(objects(&machine), start);
    tree.insert(u64::MAX, 6, GFP).expect("memory");
    assert_eq!(objects(&machine), start + 11 + 10, "two paths from the top node on");
    assert!(tree.has_tag(0, Tag::Writeback) && !tree.has_tag(u64::MAX, Tag::Writeback));
    tree.remove_from(1);
    assert_eq!((objects(&machine), tree.get(0)), (start, Some(&5)), "as low as at the start");
    assert!(tree.has_tag(0, Tag::Writeback) && !tree.has_tag(0, Tag::Dirty));
    assert_eq!(tree.validate(), Ok(()));
}

#[test]
fn a_tag_is_found_from_far_and_goes_with_its_value() {
    let _machine = boot();
    let mut tree = Tree::new();
    for index in 0..10_000 {
        tree.insert(index, index, GFP).expect("memory");
    }
    for index in [77, 4096, 9999] {
        assert!(tree.set_tag(index, Tag::Dirty));
    }
    assert!(tree.set_tag(4096, Tag::Writeback));
    let dirty = |tree: &Tree<u64>, from| tree.next_tagged(from, Tag::Dirty).map(|(index, _)| index);
    assert_eq!(
        [0, 77, 78, 4097, 10_000].map(|from| dirty(&tree, from)),
        [Some(77), Some(77), Some(4096), Some(9999), None]
    );
    assert_eq!(tree.insert(77, 1, GFP), Ok(Some(77)));
    assert!(tree.has_tag(77, Tag::Dirty), "the slot's tags stay");
    assert_eq!((tree.remove(4096), tree.insert(4096, 0, GFP)), (Some(4096), Ok(None)));
    assert!(!tree.has_tag(4096, Tag::Dirty) && tree.next_tagged(0, Tag::Writeback).is_none());
    assert!(tree.clear_tag(77, Tag::Dirty));
    assert_eq!(dirty(&tree, 0), Some(9999));
    assert!(!tree.set_tag(10_000, Tag::Dirty) && !tree.clear_tag(1 << 50, Tag::Dirty));
    assert_eq!(tree.validate(), Ok(()));
}

/// As many objects as there are of the class that nodes of small values come from.
fn hog() -> impl Iterator<Item = KBytes<TestKernel>> {
    core::iter::from_fn(|| KBytes::new(1024, GFP).ok())
}

#[test]
fn without_memory_an_insertion_changes_nothing_and_a_removal_works() {
    let machine = boot();
    let value = NonZeroU64::MIN;
    for (before, index, nodes) in [
        (vec![], u64::MAX, 11),
        (vec![], 63, 1),
        (vec![0], u64::MAX, 11 + 10),
        (vec![5, 70], 1 << 30, 4 + 5),
        (vec![u64::MAX], 0, 10),
        (vec![0, 64 * 64], 65, 1),
        (vec![1, 2], 3, 0),
    ] {
        let start = objects(&machine);
        let mut tree = Tree::new();
        before.iter().for_each(|&index| assert_eq!(tree.insert(index, value, GFP), Ok(None)));
        let mut held: Vec<_> = hog().take(100).collect();
        machine.platform().fail_after(0);
        held.extend(hog());
        for granted in 0..nodes {
            let (count, in_use) = (held.len(), objects(&machine));
            held.truncate(count - granted);
            assert_eq!(tree.insert(index, value, GFP), Err(AllocError), "{granted} of {nodes} nodes for {index}");
            assert!(tree.iter().map(|(index, _)| index).eq(before.iter().copied()));
            assert_eq!((tree.validate(), objects(&machine)), (Ok(()), in_use - granted), "{granted} nodes for {index}");
            held.extend(hog());
            assert_eq!(held.len(), count, "a node is left");
        }
        held.truncate(held.len() - nodes);
        assert_eq!(tree.insert(index, value, GFP), Ok(None), "{nodes} nodes for {index}");
        tree.remove_from(0);
        assert!(tree.is_empty() && tree.validate().is_ok());
        drop(held);
        machine.platform().fail_never();
        machine.platform().take_reports();
        assert_eq!(objects(&machine), start);
    }
    machine.validate().expect("valid");
}

#[test]
fn every_value_is_dropped_once() {
    let _machine = boot();
    let value = Rc::new(());
    let mut tree = Tree::new();
    for index in (0..1000).chain([1 << 60]) {
        assert!(tree.insert(index, value.clone(), GFP).is_ok());
    }
    drop(tree.insert(3, value.clone(), GFP));
    assert_eq!(Rc::strong_count(&value), 1002);
    tree.remove_from(500);
    assert_eq!(Rc::strong_count(&value), 501);
    assert_eq!(tree.pop_from(100).map(|(index, _)| index), Some(100));
    assert_eq!(Rc::strong_count(&value), 500);
    drop(tree);
    assert_eq!(Rc::strong_count(&value), 1);
}

#[test]
fn how_many_nodes_an_insertion_makes_is_known_before() {
    let machine = boot();
    let mut rng = Rng::new(5);
    for _ in 0..40 {
        let mut tree = Tree::<u64>::new();
        for _ in 0..1 + rng.below(12) {
            let (index, before) = (some_index(&mut rng), objects(&machine));
            let missing = tree.missing_nodes(index);
            tree.insert(index, 0, GFP).expect("memory");
            assert_eq!(objects(&machine) - before, missing, "{index:x}");
        }
    }
}
