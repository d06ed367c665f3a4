//! Trees of address ranges: what nests, what is refused, and how it is written.

use mm::GfpFlags;
use mm::testing::{Booted, Machine, Rng, TestKernel};
use services::resource::{Claim, ResourceError, ResourceTree};

const GFP: GfpFlags = GfpFlags::KERNEL;

type Tree = ResourceTree<TestKernel>;

fn boot() -> Booted {
    TestKernel::boot(&Machine::with_mib(24))
}

fn place(tree: &mut Tree, first: u64, last: u64, name: &str) -> Result<(), ResourceError> {
    tree.request(first, last, Claim::Place, format_args!("{name}"), GFP)
}

fn claim(tree: &mut Tree, first: u64, last: u64) -> Result<(), ResourceError> {
    tree.request(first, last, Claim::Exclusive, format_args!("driver"), GFP)
}

fn text(tree: &Tree) -> String {
    let mut text = String::new();
    tree.write(8, &mut text).expect("strings grow");
    text
}

/// A machine with RAM, a bus and a device on it.
fn machine() -> Tree {
    let mut tree = Tree::new();
    for (first, last, name) in [
        (0x1000, 0x9fbff, "System RAM"),
        (0x8000_0000, 0xfebf_ffff, "PCI Bus 0000:00"),
        (0x10_0000, 0x7fd_ffff, "System RAM"),
        (0xfd00_0000, 0xfdff_ffff, "0000:00:02.0"),
        (0x100_0000, 0x104_ffff, "Kernel code"),
        (0xfed0_0000, u64::MAX, "the rest"),
    ] {
        place(&mut tree, first, last, name).expect("apart or inside");
    }
    tree
}

#[test]
fn ranges_nest_and_are_written_in_order() {
    let _machine = boot();
    let mut tree = machine();
    assert_eq!(claim(&mut tree, 0xfd00_0000, 0xfdff_ffff), Ok(()), "all of a place");
    let expected = "\
00001000-0009fbff : System RAM
00100000-07fdffff : System RAM
  01000000-0104ffff : Kernel code
80000000-febfffff : PCI Bus 0000:00
  fd000000-fdffffff : 0000:00:02.0
    fd000000-fdffffff : driver
fed00000-ffffffffffffffff : the rest
";
    assert_eq!(text(&tree), expected);
    assert_eq!(tree.validate(), Ok(()));
}

#[test]
fn what_is_claimed_or_lies_across_an_edge_is_refused() {
    let _machine = boot();
    let mut tree = machine();
    claim(&mut tree, 0xfd00_1000, 0xfd00_1fff).expect("free");
    let before = text(&tree);
    for (first, last) in [
        (0xfd00_1000, 0xfd00_1fff),
        (0xfd00_1fff, 0xfd00_1fff),
        (0xfd00_0000, 0xfd00_1000),
        (0xfcff_ffff, 0xfd00_0fff),
        (0xfdff_ffff, 0xfe00_0000),
        (0xfd00_0000, 0xfdff_ffff),
        (0, u64::MAX),
        (0, 0x1000),
    ] {
        assert_eq!(claim(&mut tree, first, last), Err(ResourceError::Busy), "{first:x}-{last:x}");
        assert_eq!(place(&mut tree, first, last, "place"), Err(ResourceError::Busy), "{first:x}-{last:x}");
    }
    assert_eq!(claim(&mut tree, 2, 1), Err(ResourceError::Empty));
    assert_eq!(text(&tree), before);
}

#[test]
fn only_a_claim_on_just_this_range_is_released() {
    let _machine = boot();
    let mut tree = machine();
    claim(&mut tree, 0xfd00_0000, 0xfd00_ffff).expect("free");
    for (first, last) in [(0xfd00_0000, 0xfd00_fffe), (0xfd00_0001, 0xfd00_ffff), (0x1000, 0x9fbff), (0, u64::MAX)] {
        assert_eq!(tree.release(first, last), Err(ResourceError::Nonexistent), "{first:x}-{last:x}");
    }
    assert_eq!(tree.release(0xfd00_0000, 0xfd00_ffff), Ok(()));
    assert_eq!(tree.release(0xfd00_0000, 0xfd00_ffff), Err(ResourceError::Nonexistent));
    assert_eq!(text(&tree), text(&machine()));
}

#[test]
fn random_requests_agree_with_a_naive_model() {
    let _machine = boot();
    for seed in 0..20 {
        println!("seed {seed}");
        let (mut rng, mut tree) = (Rng::new(seed), Tree::new());
        let mut held: Vec<(u64, u64, Claim)> = Vec::new();
        for _ in 0..600 {
            let first = rng.below(100) as u64;
            let longest = if rng.one_in(4) { 60 } else { 8 };
            let last = first + rng.below(longest) as u64;
            if rng.one_in(3) {
                let found = held.iter().position(|&range| range == (first, last, Claim::Exclusive));
                assert_eq!(tree.release(first, last).is_ok(), found.is_some());
                found.map(|at| held.remove(at));
                continue;
            }
            let kind = if rng.one_in(2) { Claim::Place } else { Claim::Exclusive };
            let fits = held
                .iter()
                .all(|&(a, b, other)| last < a || b < first || (a <= first && last <= b && other == Claim::Place));
            assert_eq!(tree.request(first, last, kind, format_args!("x"), GFP).is_ok(), fits, "{first}-{last}");
            if fits {
                held.push((first, last, kind));
            }
            assert_eq!(tree.validate(), Ok(()));
            assert_eq!(tree.entries().len(), held.len());
        }
    }
}

#[test]
fn without_memory_a_request_is_refused() {
    let machine = boot();
    let mut tree = Tree::new();
    machine.platform().fail_after(0);
    let refused = (0..4000).find_map(|at| claim(&mut tree, at, at).err());
    machine.platform().fail_never();
    assert_eq!(refused, Some(ResourceError::NoMemory));
    assert_eq!(tree.validate(), Ok(()));
}
