//! Random changes of spaces, and reclaim, against a naive table of bytes.
//!
//! Each seed has its own machine. `SOAK=n` makes the test n times as long; a failure names the seed and the step.

#[path = "../common/mod.rs"]
mod common;
mod model;
mod naive;
#[path = "../common/program.rs"]
mod program;
#[path = "../common/swap.rs"]
mod swap;

use mm::Pfn;
use mm::testing::{Machine, TestKernel};
use model::Model;

/// Operations of one seed.
const STEPS: usize = 25_000;

fn run(machine: &Machine, seed: u64) {
    let soak = std::env::var("SOAK").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let memory = TestKernel::boot(machine);
    let mut model = Model::new(*memory, seed);
    for step in 0..STEPS * soak {
        model.step(step);
    }
    model.finish();
}

#[test]
fn random_spaces_agree_with_the_model() {
    run(&Machine::with_mib(24), 1);
    run(&Machine::with_mib(24), 2);
}

#[test]
fn random_spaces_with_pages_of_high_memory_agree_with_the_model() {
    run(&Machine { highmem_start: Pfn::new(18 * 256), ..Machine::with_mib(24) }, 3);
}

#[test]
fn random_spaces_whose_pages_are_poisoned_agree_with_the_model() {
    let memory = TestKernel::boot(&Machine { highmem_start: Pfn::new(18 * 256), ..Machine::with_mib(24) });
    memory.pages().poison_pages();
    let mut model = Model::new(*memory, 4);
    (0..STEPS).for_each(|step| model.step(step));
    model.finish();
}
