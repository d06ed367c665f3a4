//! Random calls, against a naive model of bytes.
//!
//! Reads, writes, syncs, cuts, reclaim, failures of every kind of request, little memory.
//!
//! `SOAK=n` makes the test n times as long; a failure names the seed and the step.

#[path = "../common/mod.rs"]
mod common;
mod file;
mod model;

use model::Model;

/// Operations of one seed.
const STEPS: usize = 34_000;

fn run(seed: u64) {
    let soak = std::env::var("SOAK").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let _machine = kapi::testing::machine();
    let mut model = Model::new(seed);
    for step in 0..STEPS * soak {
        model.step(step);
    }
    model.finish();
}

#[test]
fn random_calls_agree_with_the_model() {
    (1..=3).for_each(run);
}
