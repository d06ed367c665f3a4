//! Jobs that boot guests, a few at a time.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::Result;

use crate::progress;
use crate::results::TestResult;

/// Guests that run at the same time.
const WORKERS: usize = 2;

/// One guest to boot, and what to make of it.
pub struct Job {
    /// For the progress line, and for choosing by name.
    pub name: String,
    /// Boots the guest; returns its tests' results, and the text to show if one failed.
    pub work: Box<dyn FnOnce() -> Result<(Vec<TestResult>, String)> + Send>,
}

/// Runs all jobs and prints a line as each ends; the results come in the order in which they ended.
pub fn run(jobs: Vec<Job>) -> Vec<TestResult> {
    progress::expect(jobs.len());
    let queue = Mutex::new(jobs.into_iter());
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(job) = next(&queue) {
                    let done = run_one(job);
                    results.lock().unwrap_or_else(PoisonError::into_inner).extend(done);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn next(queue: &Mutex<impl Iterator<Item = Job>>) -> Option<Job> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).next()
}

fn run_one(job: Job) -> Vec<TestResult> {
    let started = Instant::now();
    let _activity = progress::begin(job.name.clone());
    let (results, console) = match (job.work)() {
        Ok(done) => done,
        Err(error) => (vec![TestResult::failed(&*job.name, format!("{error:#}"))], String::new()),
    };
    let seconds = started.elapsed().as_secs_f32();
    if results.iter().all(|result| result.failure.is_none()) {
        progress::say(&format!("ok     {}: {} tests, {seconds:.1} s", job.name, results.len()));
    } else {
        progress::say(&format!("FAILED {}, {seconds:.1} s\n{console}", job.name));
    }
    results
}
