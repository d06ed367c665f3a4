//! What several tests share: a machine, a tree, and memory that runs out.
#![allow(dead_code, reason = "each test uses a part")]

use std::rc::Rc;

use mm::own::KBytes;
use mm::testing::{Booted, Machine, Rng, TestKernel};
use mm::{GfpFlags, PAGE_SIZE};
use services::budget::Budget;
use vfs::{Costs, Kind, New, Timestamp, Tree};

/// What the tests keep for a file: one each, so that those that are there can be counted.
pub type Token = Rc<()>;
/// A tree of such files.
pub type TestTree = Tree<Token, TestKernel>;

/// The device of all trees here.
pub const DEVICE: u32 = 7;

/// A machine for a test.
pub fn boot() -> Booted {
    TestKernel::boot(&Machine::with_mib(24))
}

/// A moment.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

/// A budget for this test alone, with `limit` bytes.
pub fn costs(limit: fn() -> u64) -> Costs {
    Costs { budget: Box::leak(Box::new(Budget::new())), limit }
}

/// An empty tree that may cost what it wants.
pub fn tree() -> TestTree {
    TestTree::new(DEVICE, 0o755, costs(|| u64::MAX), at(1)).expect("there is memory")
}

/// A file.
pub fn file(token: &Token) -> New<Token, TestKernel> {
    New::other(Kind::File, 0o644, token.clone())
}

/// Objects from kmalloc that are allocated.
pub fn objects(machine: &Booted) -> usize {
    let kmalloc = machine.objects().caches().filter(|cache| cache.name.as_str().starts_with("size-"));
    kmalloc.map(|cache| cache.active_objects).sum()
}

/// All memory that kmalloc would have found, some of each size, given back at random.
pub struct Hog(Vec<KBytes<TestKernel>>);

impl Hog {
    /// Takes all there is: from now on only what is given back can be allocated.
    pub fn new(machine: &Booted) -> Self {
        machine.platform().fail_after(0);
        let mut hog = Self(Vec::new());
        hog.take();
        hog
    }

    fn take(&mut self) {
        let mut size = 16;
        while size <= 32 * PAGE_SIZE {
            while let Ok(bytes) = KBytes::new(size, GfpFlags::KERNEL | GfpFlags::NOWARN) {
                self.0.push(bytes);
            }
            size *= 2;
        }
    }

    /// Gives back `count` pieces that were taken, and takes what somebody else has freed meanwhile.
    pub fn leave(&mut self, rng: &mut Rng, count: usize) {
        self.take();
        for _ in 0..count.min(self.0.len()) {
            let at = rng.below(self.0.len());
            self.0.swap_remove(at);
        }
    }

    /// Gives all back.
    pub fn end(self, machine: &Booted) {
        machine.platform().fail_never();
        machine.platform().take_reports();
    }
}
