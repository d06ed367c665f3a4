//! Random operations over all calls at once, against a naive model.
//!
//! Each seed has its own machine. `SOAK=n` makes the test n times as long; a failure names the seed and the step.

#[path = "../common/mod.rs"]
mod common;
mod held;
mod model;

use common::with_ram;
use mm::Pfn;
use mm::objects::{DebugChoice, DebugFlags};
use mm::pages::AtomicFloor;
use mm::testing::{Machine, TestKernel};
use model::Model;

/// Operations of one seed.
const STEPS: usize = 80_000;

fn run(machine: &Machine, seed: u64) {
    let soak = std::env::var("SOAK").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let memory = TestKernel::boot(machine);
    let mut model = Model::new(*memory, machine.atomic_floor, seed);
    for step in 0..STEPS * soak {
        model.step(step);
    }
    model.finish();
}

#[test]
fn random_calls_on_a_plain_machine_agree_with_the_model() {
    // Shows: S2, S13, S38, S41, S51
    run(&Machine::with_mib(48), 1);
    run(&Machine::with_mib(64), 2);
}

#[test]
fn random_calls_with_high_memory_agree_with_the_model() {
    // Shows: S9, K5
    run(&Machine { highmem_start: Pfn::new(20 * 256 + 77), ..Machine::with_mib(40) }, 3);
}

#[test]
fn random_calls_on_a_small_machine_under_pressure_agree_with_the_model() {
    // Shows: K1, K17
    run(&Machine::with_mib(6), 4);
    run(&Machine { atomic_floor: AtomicFloor::QuarterOfMin, ..Machine::with_mib(12) }, 5);
}

#[test]
fn random_calls_on_debugged_caches_agree_with_the_model() {
    // Shows: K3, K4
    let letters = DebugFlags::from_letters("FZPU").expect("letters that exist");
    let zeroed = DebugFlags::ZERO_ON_ALLOC | DebugFlags::ZERO_ON_FREE;
    for (all, seed) in [(letters, 7), (zeroed, 8), (letters | DebugFlags::COUNT, 9)] {
        let debug = DebugChoice { all, ..DebugChoice::NONE };
        run(&Machine { debug, highmem_start: Pfn::new(50 * 256), ..Machine::with_mib(64) }, seed);
    }
}

#[test]
fn random_calls_on_memory_full_of_holes_agree_with_the_model() {
    let holes: Vec<(u32, u32)> = (0..40).map(|at| (at * 300 + 7, at * 300 + 7 + 50 + 5 * at)).collect();
    run(&with_ram(&holes), 6);
}
