//! The driver of a disk: requests to the device, and answers back.
//!
//! The device is reset when it does not answer, and all that it had is offered to it again but what is given up: reads
//! and writes are the same done twice. A device that cannot be reset is cut off from memory, and is gone.

use core::fmt;
use core::hint::spin_loop;

use kapi::block::{BlockDriver, BlockError, BlockRequest, Busy, Completer};
use kapi::{IrqReturn, Kernel, SleepLock, SpinLock};
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};

use crate::config::{self, Features};
use crate::error::Unusable;
use crate::queue::{Outcome, Queue};
use crate::rings::ENTRIES;

/// The device's only queue that is used.
const QUEUE: u16 = 0;
/// How often the device is asked whether its reset is over.
const RESET_LOOKS: u32 = 100_000;

/// Where a device is.
pub trait Bus: Send + Sync + 'static {
    /// The way to its registers.
    type Transport: Transport + Send + 'static;

    /// Keeps the device from memory, for good. Any context.
    fn cut_off(&self);
}

/// How far a device is believed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    /// It works.
    Well,
    /// It was reset: it answers no more, and is told nothing.
    Reset,
    /// It has said what cannot be, or is about to be reset: nothing of it counts.
    Unsound,
    /// It is gone.
    Gone,
}

struct State<K: Kernel, T> {
    transport: T,
    queue: Queue<K>,
    health: Health,
}

/// A disk.
pub struct Disk<K: Kernel, B: Bus> {
    name: &'static str,
    bus: B,
    /// Inside of the lock of the disk's queue.
    state: K::SpinLock<State<K, B::Transport>>,
    /// Whoever gives a request up.
    giving_up: K::Mutex<()>,
    completer: Completer,
    features: Features,
    sectors: u64,
    depth: u16,
}

impl<K: Kernel, B: Bus> Disk<K, B> {
    /// Takes the device behind `transport` into use. Its interrupts are to reach [`interrupt`](Self::interrupt).
    /// Process context; may sleep for memory.
    ///
    /// # Errors
    /// What is wrong with the device; it has been reset then, if it can be.
    pub fn new(
        name: &'static str,
        bus: B,
        mut transport: B::Transport,
        completer: Completer,
    ) -> Result<Self, Unusable> {
        if transport.device_type() != DeviceType::Block {
            return Err(Unusable::NotABlockDevice);
        }
        let entries = match entries(&mut transport) {
            Ok(entries) => entries,
            Err(reason) => {
                bus.cut_off();
                // Dropping it would wait for the end of a reset.
                core::mem::forget(transport);
                return Err(reason);
            }
        };
        let mut queue = Queue::new(entries)?;
        let (features, sectors) = begin(&mut transport, &mut queue).inspect_err(|_| bus.cut_off())?;
        let state = SpinLock::new(State { transport, queue, health: Health::Well });
        let giving_up = SleepLock::new(());
        Ok(Self { name, bus, state, giving_up, completer, features, sectors, depth: entries })
    }

    /// The device's interrupt, or that of another one on the same line. Interrupt context.
    pub fn interrupt(&self) -> IrqReturn {
        // Reading what has happened takes the interrupt back.
        let happened = self.state.with(|state| state.transport.ack_interrupt());
        if happened.is_empty() {
            return IrqReturn::NotMine;
        }
        if happened.contains(InterruptStatus::DEVICE_CONFIGURATION_INTERRUPT) {
            self.log(format_args!("its configuration has changed; it goes on as it was"));
        }
        self.take_answers();
        IrqReturn::Handled
    }

    /// Passes on what the device has answered. Any context.
    fn take_answers(&self) {
        loop {
            match self.state.with(State::take) {
                Answer::None => break,
                Answer::Nonsense => self.log(format_args!("it answers what nobody has asked: not heard any more")),
                Answer::Ended(tag, outcome) => self.completer.complete(tag, outcome),
            }
        }
    }

    /// Gives all that the device had back to whoever wants it; the device is gone.
    fn give_back(&self) {
        let lost = self.state.with(|state| {
            state.health = Health::Gone;
            core::mem::take(&mut state.queue.under_way)
        });
        lost.tags().for_each(|tag| self.completer.complete(tag, Err(BlockError::Gone)));
    }

    /// Takes the device from a request by force.
    fn wrest(&self, tag: u16) {
        self.log(format_args!("no answer to a request: the device is reset"));
        let is_reset = self.state.with(|state| {
            state.health = Health::Unsound;
            reset(&mut state.transport)
        });
        if is_reset.is_err() {
            self.bus.cut_off();
        }
        // It may have answered until now.
        self.state.with(|state| state.health = Health::Reset);
        self.take_answers();
        let outcome = is_reset.and_then(|()| {
            self.state.with(|state| {
                state.queue.under_way.remove(tag);
                state.begin_again()
            })
        });
        if let Err(reason) = outcome {
            self.state.with(|state| state.queue.under_way.remove(tag));
            self.log(format_args!("given up, {reason}"));
            self.give_back();
        }
    }

    fn log(&self, text: fmt::Arguments<'_>) {
        K::log(format_args!("{}: {text}", self.name));
    }
}

impl<K: Kernel, B: Bus> BlockDriver for Disk<K, B> {
    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn is_read_only(&self) -> bool {
        self.features.contains(Features::READ_ONLY)
    }

    fn depth(&self) -> usize {
        self.depth.into()
    }

    fn has_write_cache(&self) -> bool {
        self.features.contains(Features::FLUSH)
    }

    fn start(&self, request: BlockRequest<'_>) -> Result<(), Busy> {
        let health = self.state.with(|state| state.start(&request))?;
        if health == Health::Gone {
            self.completer.complete(request.tag, Err(BlockError::Gone));
        }
        Ok(())
    }

    fn abort(&self, tag: u16) {
        // Nothing else is done under this lock, so that it is not broken by a thread that dies.
        let outcome = self.giving_up.with_uninterruptible(|()| {
            // Perhaps only the interrupt has not come.
            self.take_answers();
            if self.state.with(|state| state.queue.under_way.has(tag)) {
                self.wrest(tag);
            }
        });
        debug_assert!(outcome.is_ok(), "abort is for process context");
    }
}

/// What the device says next.
enum Answer {
    None,
    Nonsense,
    Ended(u16, Outcome),
}

impl<K: Kernel, T: Transport> State<K, T> {
    fn start(&mut self, request: &BlockRequest<'_>) -> Result<Health, Busy> {
        if self.health == Health::Gone {
            return Ok(Health::Gone);
        }
        if !self.queue.is_free(request.tag) {
            return Err(Busy);
        }
        self.queue.start(request);
        if self.health == Health::Well && self.queue.wants_notice() {
            self.transport.notify(QUEUE);
        }
        Ok(self.health)
    }

    fn take(&mut self) -> Answer {
        if !matches!(self.health, Health::Well | Health::Reset) {
            return Answer::None;
        }
        match self.queue.take() {
            Ok(None) => Answer::None,
            Ok(Some((tag, outcome))) => Answer::Ended(tag, outcome),
            Err(_) => {
                self.health = Health::Unsound;
                Answer::Nonsense
            }
        }
    }

    /// Has a device that was reset go on with all that is under way.
    fn begin_again(&mut self) -> Result<(), Unusable> {
        begin(&mut self.transport, &mut self.queue)?;
        self.health = Health::Well;
        self.transport.notify(QUEUE);
        Ok(())
    }
}

/// How many requests the device can have at a time.
fn entries(transport: &mut impl Transport) -> Result<u16, Unusable> {
    reset(transport)?;
    let most = transport.max_queue_size(QUEUE).min(ENTRIES as u32);
    // A power of two, as queues are.
    most.checked_ilog2().map(|log2| 1 << log2).ok_or(Unusable::NoQueue)
}

fn reset(transport: &mut impl Transport) -> Result<(), Unusable> {
    transport.set_status(DeviceStatus::empty());
    for _ in 0..RESET_LOOKS {
        if transport.get_status() == DeviceStatus::empty() {
            return Ok(());
        }
        spin_loop();
    }
    Err(Unusable::NoReset)
}

/// Agrees with a device that was reset on features, and gives it the queue. Returns what it can, and its sectors.
fn begin<K: Kernel>(transport: &mut impl Transport, queue: &mut Queue<K>) -> Result<(Features, u64), Unusable> {
    let features = transport.begin_init(Features::all());
    if !features.contains(Features::VERSION_1) || !transport.get_status().contains(DeviceStatus::FEATURES_OK) {
        return Err(Unusable::NoAgreement);
    }
    if !features.contains(Features::TABLES) {
        return Err(Unusable::NoTables);
    }
    config::check_limits(transport, features)?;
    let sectors = config::capacity(transport)?;
    if transport.queue_used(QUEUE) {
        return Err(Unusable::NoQueue);
    }
    queue.begin_again();
    let at = queue.addresses();
    transport.queue_set(QUEUE, queue.entries().into(), at.descriptors, at.available, at.used);
    transport.finish_init();
    Ok((features, sectors))
}
