//! Calls into modules in C: what a function takes it gives back at its end.
//!
//! A spin lock's guard in Rust ends with its scope. In C a forgotten `spin_unlock` or `sti` would leave the thread, or
//! the interrupt, in a section for good: nothing could sleep any more, and no other thread run. So every call into a
//! module in C goes through [`called`].

use core::fmt;

use x86_64::VirtAddr;
use x86_64::instructions::interrupts;

use crate::debug::symbols;
use crate::klog;
use crate::sync::{preempt, spin};

/// What a function finds, and has to leave.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    sections: u32,
    interrupts_on: bool,
}

/// Calls `function`, which `call` does. If it returns with other locks held than it was called with, or with interrupts
/// on that were off or the other way round, that is reported, and is as before. Any context.
pub fn called<R>(function: *const (), call: impl FnOnce() -> R) -> R {
    let before = State::now();
    let result = call();
    let after = State::now();
    if after != before {
        before.restore();
        report(function, before, after);
    }
    result
}

impl State {
    fn now() -> Self {
        Self { sections: preempt::sections(), interrupts_on: interrupts::are_enabled() }
    }

    fn restore(self) {
        interrupts::disable();
        while preempt::sections() > self.sections {
            preempt::leave_section();
        }
        while preempt::sections() < self.sections {
            preempt::enter_section();
        }
        if self.interrupts_on {
            preempt::enter_section();
            // A thread that should run by now does.
            spin::leave(true);
        }
    }
}

#[cold]
fn report(function: *const (), before: State, after: State) {
    klog!("{} returned {}", Function(function), How { before, after });
}

/// A function, by its name as people know it.
pub struct Function(pub *const ());

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match symbols::lookup(VirtAddr::from_ptr(self.0)) {
            Some(place) => place.fmt(f),
            None => write!(f, "{:016x}", self.0.addr()),
        }
    }
}

/// In what state a function returned, where that is not the one that it found.
struct How {
    before: State,
    after: State,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (self.before, self.after);
        let held = after.sections.saturating_sub(before.sections);
        let plural = |count| if count == 1 { "" } else { "s" };
        match (before.interrupts_on, after.interrupts_on) {
            // `cli` has a section as well, and so has a lock that switches interrupts off.
            (true, false) if held < 2 => return f.write_str("with interrupts off"),
            (true, false) => return write!(f, "with interrupts off and {held} locks held, cli counted as one"),
            (false, true) => f.write_str("with interrupts on, ")?,
            _ => {}
        }
        let given = before.sections.saturating_sub(after.sections);
        match given {
            0 => write!(f, "with {held} lock{} held", plural(held)),
            _ => write!(f, "with {given} lock{} given back that its caller holds", plural(given)),
        }
    }
}
