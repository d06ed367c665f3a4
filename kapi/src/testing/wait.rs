//! Wait queues of the host: threads that wait for a condition variable.

use core::time::Duration;
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use super::running::hold;
use super::world::{TICK, interrupted, may_sleep, try_world};
use crate::context::{LockError, WrongContext};
use crate::wait::WaitQueue;

/// How often a waiter looks whether ^C has come.
const GLANCE: Duration = Duration::from_millis(1);
/// Real time that a tick takes while somebody waits with a limit: for other threads of the test.
const REAL_TICK: Duration = Duration::from_micros(100);
/// A wait that takes longer never ends.
const TOO_LONG: Duration = Duration::from_secs(20);

/// Threads that wait.
#[derive(Debug, Default)]
pub struct HostWaitQueue {
    wakes: Mutex<u64>,
    woken: Condvar,
}

/// What ends a wait but its condition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    Interrupt,
    Nothing,
}

impl HostWaitQueue {
    fn wait(&self, ready: &mut dyn FnMut() -> bool, ends: Ends) -> Result<(), LockError> {
        if !may_sleep() {
            return Err(LockError::WrongContext);
        }
        let start = Instant::now();
        loop {
            let seen = self.wakes();
            if ready() {
                return Ok(());
            }
            if ends == Ends::Interrupt && interrupted() {
                return Err(LockError::Interrupted);
            }
            assert!(start.elapsed() < TOO_LONG, "a thread waits, and nobody wakes it");
            let wakes = hold(&self.wakes);
            let waited = self.woken.wait_timeout_while(wakes, GLANCE, |wakes| *wakes == seen);
            drop(waited);
        }
    }

    fn wake(&self) {
        *hold(&self.wakes) += 1;
        // All look again: a condition that one of them takes is false for the others.
        self.woken.notify_all();
    }
}

impl WaitQueue for HostWaitQueue {
    fn new() -> Self {
        Self::default()
    }

    fn wait_until(&self, mut ready: impl FnMut() -> bool) -> Result<(), LockError> {
        self.wait(&mut ready, Ends::Interrupt)
    }

    fn wait_until_uninterruptible(&self, mut ready: impl FnMut() -> bool) -> Result<(), WrongContext> {
        self.wait(&mut ready, Ends::Nothing).map_err(|_| WrongContext)
    }

    /// While a thread waits, the clock moves.
    fn wait_timeout(&self, mut ready: impl FnMut() -> bool, limit: Duration) -> Result<bool, LockError> {
        if !may_sleep() {
            return Err(LockError::WrongContext);
        }
        let ticks = limit.as_nanos().div_ceil(TICK.as_nanos());
        for _ in 0..ticks {
            if ready() {
                return Ok(true);
            }
            if interrupted() {
                return Err(LockError::Interrupted);
            }
            std::thread::sleep(REAL_TICK);
            if let Some(world) = try_world() {
                world.tick();
            }
        }
        Ok(ready())
    }

    fn wake_one(&self) {
        self.wake();
    }

    fn wake_all(&self) {
        self.wake();
    }

    fn wakes(&self) -> u64 {
        *hold(&self.wakes)
    }
}
