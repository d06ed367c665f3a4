//! Swap as address spaces use it, against tables of bytes.
//!
//! Spaces and the page cache are the real ones, and disks fail.
//!
//! Each seed has its own machine. `SOAK=n` makes the test n times as long; a failure names the seed and the step.

mod calls;
#[path = "../common/mod.rs"]
mod common;
mod model;
mod threads;
mod world;

use kapi::mm::PAGE_SIZE;
use kapi::testing;

use model::Model;
use world::World;

/// Operations of one seed.
const STEPS: usize = 50_000;

#[test]
fn random_programs_agree_with_the_model() {
    let soak = std::env::var("SOAK").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    for seed in [1, 2] {
        let _machine = testing::machine();
        let world = World::new(&[120 * PAGE_SIZE, 80 * PAGE_SIZE + 100]);
        let mut model = Model::new(world, seed);
        (0..STEPS * soak).for_each(|step| model.step(step));
        model.finish();
        world.finish();
    }
}
