//! A disk's lock, and what is done without it: telling who waits.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use core::time::Duration;

use kapi::mm::AllocError;
use kapi::{Kernel, SpinLock, WaitQueue};

use crate::dispatch::Start;
use crate::ending::{Ending, Took};
use crate::name::DiskName;
use crate::state::State;
use crate::tags::Tags;

/// How long a driver may take for a request, until somebody says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Whether there is more to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum More {
    /// Something has ended.
    Yes,
    /// Nothing has.
    No,
}

/// A disk's requests behind their lock.
pub(crate) struct Engine<K: Kernel> {
    pub(crate) name: DiskName,
    pub(crate) state: K::SpinLock<State<K>>,
    pub(crate) tags: Tags,
    /// Those that wait for a request, and those that wait until the driver has none.
    pub(crate) waiters: K::WaitQueue,
    timeout: AtomicU64,
}

/// Milliseconds since boot.
pub(crate) fn now<K: Kernel>() -> u64 {
    let uptime = K::uptime();
    uptime.as_secs() * 1000 + u64::from(uptime.subsec_millis())
}

impl<K: Kernel> Engine<K> {
    pub(crate) fn new(name: DiskName) -> Result<Self, AllocError> {
        Ok(Self {
            name,
            state: SpinLock::new(State::new()?),
            tags: Tags::new(),
            waiters: WaitQueue::new(),
            timeout: AtomicU64::new(TIMEOUT.as_millis() as u64),
        })
    }

    /// Milliseconds that a driver may take.
    pub(crate) fn timeout(&self) -> u64 {
        self.timeout.load(Relaxed)
    }

    pub(crate) fn set_timeout(&self, timeout: Duration) {
        self.timeout.store(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Tells of all that has ended, and starts what waits. Any context.
    pub(crate) fn run(&self, start: Start) {
        let (now, mut ending) = (now::<K>(), Ending::nothing());
        while self.step(start, now, &mut ending, |_| ()) == More::Yes {}
    }

    /// Does `first` under the lock, starts what waits, and takes one request out that has ended; then tells of that
    /// end, with no lock held. Whether there is more to do.
    #[inline]
    pub(crate) fn step(&self, start: Start, now: u64, ending: &mut Ending, first: impl FnOnce(&mut State<K>)) -> More {
        let (took, wakes, fails) = self.state.with(|state| {
            first(state);
            state.dispatch(&self.tags, start, now);
            let tags = state.free_tags;
            let took = state.take_ended(&self.tags, now, ending);
            if state.free_tags != tags {
                state.dispatch(&self.tags, start, now);
            }
            let is_over = state.is_going && !state.is_under_way();
            (took, state.should_wake() || is_over, state.is_going && state.elevator.len() > 0)
        });
        if wakes {
            self.waiters.wake_all();
        }
        if took == Took::One {
            self.tell(ending);
        }
        if fails || self.tags.has_ended() { More::Yes } else { More::No }
    }

    /// Tells of an end, without the lock.
    fn tell(&self, ending: &Ending) {
        if let Some(report) = &ending.report {
            K::log(format_args!("{}: {report}", self.name));
        }
        ending.ended.tell(ending.result);
    }
}
