//! The queue of a disk: where requests are submitted, and end.

use alloc::sync::{Arc, Weak};

use kapi::block::{BlockQueue, Segment};
use kapi::mm::own::KArc;
use kapi::mm::{AllocError, GfpFlags, Platform};
use kapi::{BlockDriver, BlockError, BlockOp, Completer, Errno, Kernel, SpinLock, TaskQueue, WaitQueue, Work};

use crate::counts::Counts;
use crate::dispatch::Start;
use crate::done::{Done, Patience, Refused};
use crate::ending::Ending;
use crate::engine::{Engine, More, now};
use crate::name::DiskName;
use crate::request::Piece;
use crate::state::{Admission, State, Turn};

/// The requests of one disk, between those who submit and its driver.
pub struct Queue<K: Kernel> {
    pub(crate) engine: KArc<Engine<K>, K>,
    /// Tells of ends that were said in an interrupt.
    work: K::Work,
}

/// Requests of a run that are started together. Dropping it starts them.
#[must_use = "the run ends when this is dropped"]
pub struct Run<'a, K: Kernel>(&'a Queue<K>);

impl<K: Kernel> Queue<K> {
    /// A queue whose driver is still to come: until then all is refused. Process context; may sleep for memory.
    ///
    /// # Errors
    /// No memory.
    pub fn new(name: DiskName) -> Result<Self, AllocError> {
        let engine = KArc::new(Engine::new(name)?, GfpFlags::KERNEL)?;
        let told = engine.clone();
        let work = K::Work::new(TaskQueue::Immediate, move |_| told.run(Start::Later))?;
        Ok(Self { engine, work })
    }

    /// The way by which a driver of the queue says what has ended.
    pub fn completer(self: &Arc<Self>) -> Completer {
        let queue: Weak<Self> = Arc::downgrade(self);
        Completer::new(queue)
    }

    /// The driver comes. Process context.
    ///
    /// # Errors
    /// `EINVAL`: it can do no request at all.
    pub fn attach(&self, driver: Arc<dyn BlockDriver>) -> Result<(), Errno> {
        let (sectors, depth) = (driver.sectors(), driver.depth());
        if depth == 0 {
            return Err(Errno::EINVAL);
        }
        self.engine.state.with(|state| state.attach(driver, sectors, depth));
        Ok(())
    }

    /// The disk's name.
    pub fn name(&self) -> DiskName {
        self.engine.name
    }

    /// The driver, while there is one. Any context.
    pub fn driver(&self) -> Option<Arc<dyn BlockDriver>> {
        self.engine.state.with(|state| state.driver.clone())
    }

    /// What the disk has done so far. Any context.
    pub fn counts(&self) -> Counts {
        let now = now::<K>();
        self.engine.state.with(|state| {
            state.counts.pass(now);
            state.counts
        })
    }

    /// Whether requests are under way, or wait. Any context.
    pub fn is_busy(&self) -> bool {
        self.engine.state.with(|state| state.counts.in_flight > 0)
    }

    /// Has `segment` read from or written to the sectors from `sector` on. Needs no memory. Any context, but with
    /// [`Patience::Wait`] it may sleep for a request, in process context.
    ///
    /// # Errors
    /// Nothing was submitted, and `done` will not be told.
    pub fn submit(
        &self,
        op: BlockOp,
        sector: u64,
        segment: Segment,
        done: Done,
        patience: Patience,
    ) -> Result<(), Refused> {
        if op == BlockOp::Flush {
            return self.flush(done, patience);
        }
        self.enter(&Piece { op, sector, segment: Some(segment), done }, patience)
    }

    /// Has all that was written, and had ended, made durable. Context as [`submit`](Self::submit).
    ///
    /// # Errors
    /// As there.
    pub fn flush(&self, done: Done, patience: Patience) -> Result<(), Refused> {
        let driver = self.driver().ok_or(Refused::Failed(BlockError::Gone))?;
        if !driver.has_write_cache() {
            done.completion.completed(done.token, Ok(()));
            return Ok(());
        }
        self.enter(&Piece { op: BlockOp::Flush, sector: 0, segment: None, done }, patience)
    }

    /// Begins a run of requests for neighbouring sectors: what is submitted until it ends waits to travel together. Any
    /// context; until the run has ended its owner sleeps nowhere but in [`submit`](Self::submit).
    pub fn run(&self) -> Run<'_, K> {
        self.begin_run();
        Run(self)
    }

    /// [`run`](Self::run) without a guard: [`end_run`](Self::end_run) follows.
    pub fn begin_run(&self) {
        self.engine.state.with(|state| state.runs += 1);
    }

    /// Ends a run. Any context.
    pub fn end_run(&self) {
        self.engine.state.with(|state| state.runs = state.runs.saturating_sub(1));
        self.engine.run(Start::Later);
    }

    /// Has a request take `piece`, and starts what can start.
    fn enter(&self, piece: &Piece, patience: Patience) -> Result<(), Refused> {
        let (engine, now) = (&*self.engine, now::<K>());
        let (mut admission, mut ending) = (Err(BlockError::Gone), Ending::nothing());
        let admit = |state: &mut State<K>| {
            admission = state.check(piece).map(|()| state.admit(piece, Turn::Newcomer, now));
            if admission == Ok(Admission::Full) {
                state.dispatch(&engine.tags, Start::Now, now);
            }
        };
        let mut more = engine.step(Start::Later, now, &mut ending, admit);
        while more == More::Yes {
            more = engine.step(Start::Later, now, &mut ending, |_| ());
        }
        match admission.map_err(Refused::Failed)? {
            Admission::Taken => Ok(()),
            Admission::Full if patience == Patience::Wait && K::memory().platform().context().may_sleep() => {
                self.wait(piece)
            }
            Admission::Full => Err(Refused::Busy),
        }
    }

    /// Sleeps until a request has taken `piece`.
    fn wait(&self, piece: &Piece) -> Result<(), Refused> {
        let engine = &*self.engine;
        engine.state.with(|state| state.join(piece.op));
        engine.run(Start::Later);
        let mut outcome = Err(Refused::Busy);
        let mut ready = || {
            let now = now::<K>();
            outcome = engine.state.with(|state| {
                state.check(piece).map_err(Refused::Failed)?;
                match state.admit(piece, Turn::Waiter, now) {
                    Admission::Taken => Ok(()),
                    Admission::Full => Err(Refused::Busy),
                }
            });
            outcome != Err(Refused::Busy)
        };
        let waited = engine.waiters.wait_until_uninterruptible(&mut ready);
        engine.state.with(|state| state.leave(piece.op));
        engine.run(Start::Later);
        waited.map_err(|_| Refused::Busy).and(outcome)
    }

    /// Whether all is in its place: tests.
    pub fn validate(&self) -> bool {
        self.engine.state.with(|state| state.validate())
    }
}

impl<K: Kernel> BlockQueue for Queue<K> {
    fn complete(&self, tag: u16, result: Result<(), BlockError>) {
        match self.engine.tags.end(usize::from(tag), result) {
            Some(crate::tags::Hears::Nobody) => _ = self.work.queue(),
            Some(crate::tags::Hears::Starter) => {}
            None => K::log(format_args!("{}: the driver ends a request that it does not have: {tag}", self.name())),
        }
    }
}

impl<K: Kernel> Drop for Run<'_, K> {
    fn drop(&mut self) {
        self.0.end_run();
    }
}
