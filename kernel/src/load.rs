//! The load: how many threads wanted to run of late.

use core::time::Duration;

use services::load_average::{Average, INTERVAL_SECONDS, LoadAverages};

use crate::sched;
use crate::sync::SpinLock;
use crate::timer::Timer;

static LOAD: SpinLock<LoadAverages> = SpinLock::new(LoadAverages::new());
static SAMPLER: Timer = Timer::new(sample);

/// Takes samples from now on.
pub fn start() {
    SAMPLER.add(Duration::from_secs(INTERVAL_SECONDS), 0);
}

fn sample(_: usize) {
    let running = sched::ready_threads();
    LOAD.with(|load| load.sample(running));
    start();
}

/// Over 1, 5 and 15 minutes. Any context.
pub fn averages() -> [Average; 3] {
    LOAD.with(|load| load.get())
}
