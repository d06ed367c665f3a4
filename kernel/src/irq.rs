//! Hardware interrupts: which handlers serve which line.
//!
//! Key types: [`Irq`], [`IrqChip`], [`IrqAction`]. An IRQ is a line of the machine; the chip knows the vector by which
//! the CPU sees it. A line has one handler, or several that share it and say whether they were meant. They run with
//! interrupts off, in interrupt context. After them come soft interrupts, and then, if one should run, another thread.
//!
//! A line on which nobody handles an interrupt a thousand times in a row would keep the machine from all else: it is
//! held back, until a handler comes or goes.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::hint::spin_loop;
use core::ops::Range;
use core::panic::Location;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use kapi::{Errno, IrqReturn, Sharing};

use crate::arch::percpu::HANDLED_IRQ;
use crate::arch::preempt::preempt_point;
pub use crate::board::irq::{Irq, IrqChip};
use crate::board::pic;
use crate::sync::preempt::in_interrupt;
use crate::sync::{SpinLock, preempt};
use crate::{klog, softirq};

/// Interrupts in a row that nobody handled, after which a line is held back.
const TOO_MANY: u32 = 1000;

/// The most handlers that share a line.
const MAX_SHARERS: usize = 8;

/// A line's handler. Interrupt context.
type Handler = dyn Fn(Irq) -> IrqReturn + Send + Sync;

/// A handler on a line, and what it was requested with.
struct Action {
    name: &'static str,
    sharing: Sharing,
    caller: &'static Location<'static>,
    handler: Box<Handler>,
}

/// The handlers of a line, in the order in which they came; behind them nothing.
type Line = [Option<Arc<Action>>; MAX_SHARERS];

static ACTIONS: SpinLock<[Line; Irq::COUNT]> = SpinLock::new([const { [const { None }; MAX_SHARERS] }; Irq::COUNT]);
static COUNTS: [AtomicU64; Irq::COUNT] = [const { AtomicU64::new(0) }; Irq::COUNT];
/// Interrupts in a row that nobody handled.
static UNHANDLED: [AtomicU32; Irq::COUNT] = [const { AtomicU32::new(0) }; Irq::COUNT];
static SPURIOUS: AtomicU64 = AtomicU64::new(0);

/// The machine's interrupt controller.
pub fn chip() -> &'static dyn IrqChip {
    &pic::PIC
}

/// Sets the controller up, with all lines masked. Once, before interrupts are let in.
pub fn init() {
    chip().init();
}

/// A handler that serves a line. Dropping it frees the line, and waits, spinning, for the handler if it runs: nothing
/// of it runs afterwards. (A handler that drops its own action runs to its end.) Any context.
#[must_use = "the handler goes when this is dropped"]
pub struct IrqAction {
    irq: Irq,
    action: Arc<Action>,
}

/// Has `handler` called for each interrupt on `irq`, and lets the line through. Any context.
///
/// # Errors
/// `EBUSY` when the line has a handler, unless all share it, and when it has eight; `ENOMEM`.
#[track_caller]
pub fn request_irq(
    irq: Irq,
    sharing: Sharing,
    name: &'static str,
    handler: impl Fn(Irq) -> IrqReturn + Send + Sync + 'static,
) -> Result<IrqAction, Errno> {
    let handler: Box<Handler> = Box::try_new(handler).map_err(|_| Errno::ENOMEM)?;
    add(irq, Action { name, sharing, caller: Location::caller(), handler })
}

/// The same code for all handlers.
fn add(irq: Irq, action: Action) -> Result<IrqAction, Errno> {
    let action = Arc::try_new(action).map_err(|_| Errno::ENOMEM)?;
    ACTIONS.with(|actions| {
        let line = &mut actions[irq.index()];
        let is_shared = |action: &Action| action.sharing == Sharing::Shared;
        if !line.iter().flatten().all(|other| is_shared(other) && is_shared(&action)) {
            return Err(Errno::EBUSY);
        }
        *line.iter_mut().find(|place| place.is_none()).ok_or(Errno::EBUSY)? = Some(action.clone());
        let_through(irq);
        Ok(())
    })?;
    Ok(IrqAction { irq, action })
}

/// Lets a line through that may have been held back.
fn let_through(irq: Irq) {
    UNHANDLED[irq.index()].store(0, Ordering::Relaxed);
    chip().unmask(irq);
}

impl IrqAction {
    /// Leaves the handler where it is, for good.
    pub fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for IrqAction {
    fn drop(&mut self) {
        free(self.irq, &self.action, 1);
    }
}

/// Takes `action` off its line. Beside a handler that runs there are `holders` references to it.
fn free(irq: Irq, action: &Arc<Action>, holders: usize) {
    let gone = ACTIONS.with(|actions| {
        let line = &mut actions[irq.index()];
        let index = line.iter().flatten().position(|other| Arc::ptr_eq(other, action))?;
        let gone = line[index].take();
        line[index..].rotate_left(1);
        match line[0] {
            None => chip().mask(irq),
            Some(_) => let_through(irq),
        }
        gone
    });
    drop(gone);
    while Arc::strong_count(action) > holders && !in_interrupt() {
        spin_loop();
    }
}

/// Interrupts so far on `irq`. Any context.
pub fn count(irq: Irq) -> u64 {
    COUNTS[irq.index()].load(Ordering::Relaxed)
}

/// Interrupts that turned out not to be any. Any context.
pub fn spurious() -> u64 {
    SPURIOUS.load(Ordering::Relaxed)
}

/// Whether `irq` has a handler. Any context.
pub fn is_served(irq: Irq) -> bool {
    ACTIONS.with(|actions| actions[irq.index()][0].is_some())
}

/// The names under which `irq`'s handlers were requested, with commas between. Any context.
pub fn names(irq: Irq) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let Some(first) = name(irq, 0) else { return f.write_str("no handler") };
        f.write_str(first)?;
        (1..MAX_SHARERS).map_while(|index| name(irq, index)).try_for_each(|name| write!(f, ", {name}"))
    })
}

/// The name of a line's handler, in the order in which they came.
#[inline(never)]
fn name(irq: Irq, index: usize) -> Option<&'static str> {
    ACTIONS.with(|actions| actions[irq.index()][index].as_ref().map(|action| action.name))
}

/// Frees the line of a handler whose requester stands in `range`, if there is one; returns the line and the requester.
/// For what was forgotten, when that code goes. Any context.
pub fn revoke(range: &Range<usize>) -> Option<(Irq, &'static Location<'static>)> {
    let (irq, action) = find(range)?;
    // One reference is the forgotten handle's.
    free(irq, &action, 2);
    Some((irq, action.caller))
}

fn find(range: &Range<usize>) -> Option<(Irq, Arc<Action>)> {
    ACTIONS.with(|actions| {
        let is_there = |action: &&Arc<Action>| range.contains(&core::ptr::from_ref(action.caller).addr());
        let mut lines = actions.iter().zip(0..);
        lines.find_map(|(line, number)| Some((Irq::new(number)?, line.iter().flatten().find(is_there)?.clone())))
    })
}

/// The line whose handler runs on this CPU now.
pub fn handled_now() -> Option<Irq> {
    HANDLED_IRQ.get().checked_sub(1).and_then(|number| Irq::new(number as u8))
}

/// Handles the interrupt that the CPU saw as `vector`; then soft interrupts; then another thread runs, if one should.
/// See [`crate::arch::upcalls`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
extern "C" fn kernel_interrupt(vector: u8) {
    match chip().accept(vector) {
        Some(irq) => handle(irq),
        None => {
            SPURIOUS.fetch_add(1, Ordering::Relaxed);
        }
    }
    softirq::run_pending();
    // `iretq` waits on the interrupted thread's stack until that thread runs again.
    preempt_point();
}

fn handle(irq: Irq) {
    preempt::enter_hardirq();
    let outer = HANDLED_IRQ.replace(u32::from(irq.number()) + 1);
    COUNTS[irq.index()].fetch_add(1, Ordering::Relaxed);
    let unhandled = &UNHANDLED[irq.index()];
    if call_handlers(irq) == IrqReturn::NotMine {
        if unhandled.fetch_add(1, Ordering::Relaxed) + 1 == TOO_MANY {
            hold_back(irq);
        }
    } else if unhandled.load(Ordering::Relaxed) != 0 {
        unhandled.store(0, Ordering::Relaxed);
    }
    chip().end(irq);
    HANDLED_IRQ.replace(outer);
    preempt::leave_hardirq();
}

/// Calls the line's handlers, and says whether one of them handled the interrupt.
#[inline]
fn call_handlers(irq: Irq) -> IrqReturn {
    let mut handled = IrqReturn::NotMine;
    for index in 0..MAX_SHARERS {
        let (action, is_last) = ACTIONS.with(|actions| {
            let line = &actions[irq.index()];
            (line[index].clone(), line.get(index + 1).is_none_or(Option::is_none))
        });
        if action.is_some_and(|action| (action.handler)(irq) == IrqReturn::Handled) {
            handled = IrqReturn::Handled;
        }
        if is_last {
            break;
        }
    }
    handled
}

#[cold]
#[inline(never)]
fn hold_back(irq: Irq) {
    chip().mask(irq);
    klog!("irq {}: nobody handled {TOO_MANY} interrupts in a row, held back ({})", irq.number(), names(irq));
}
