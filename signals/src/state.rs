//! All of a process's signals: what sending one does, and what comes next.

use linux_raw_sys::general as raw;

use crate::action::{Action, ActionFlags, Handler};
use crate::info::Info;
use crate::pending::{Pending, QueueFull};
use crate::set::SignalSet;
use crate::signal::{DefaultAction, Signal};
use crate::stack::AlternateStack;

/// What a signal did to the process that it was sent to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// Nothing: the process ignores it.
    Ignored,
    /// It waits until the process unblocks it.
    Waits,
    /// It waits, and the process is to look at it now: a sleep that a signal may interrupt ends.
    Due,
}

/// How a process's mask changes (`sigprocmask`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MaskChange {
    /// These are blocked too.
    Block,
    /// These are not blocked any more.
    Unblock,
    /// These are blocked and no others.
    Set,
}

impl MaskChange {
    /// The change with this number.
    pub const fn new(number: u64) -> Option<Self> {
        match number as u32 {
            _ if number > u32::MAX as u64 => None,
            raw::SIG_BLOCK => Some(Self::Block),
            raw::SIG_UNBLOCK => Some(Self::Unblock),
            raw::SIG_SETMASK => Some(Self::Set),
            _ => None,
        }
    }
}

/// Whether signals end a process that sets no action.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protection {
    /// They do.
    Ordinary,
    /// The first process: no signal ends or stops it but for what it does itself.
    Init,
}

/// What a process has to do next about its signals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// Nothing.
    Nothing,
    /// It stops.
    Stop(Signal),
    /// It ends.
    Terminate(Info),
    /// It runs a handler.
    Handle {
        /// The signal and its cause.
        info: Info,
        /// What it wants done.
        action: Action,
        /// The mask that comes back when the handler returns.
        mask: SignalSet,
    },
}

/// The signals of one process.
#[derive(Clone, Debug)]
pub struct SignalState {
    pending: Pending,
    blocked: SignalSet,
    /// The mask that `sigsuspend` and its like have replaced, until a handler or the call's end brings it back.
    replaced: Option<SignalSet>,
    /// What a call waits for: none of it is ignored, and all of it ends the wait, blocked or not.
    awaited: SignalSet,
    actions: [Action; Signal::COUNT],
    /// What the program itself did goes through to it, whatever it has blocked or its protection says.
    forced: SignalSet,
    protection: Protection,
    /// The stack for handlers.
    pub stack: AlternateStack,
}

impl SignalState {
    /// A process without actions, masks and signals.
    pub const fn new(protection: Protection) -> Self {
        Self {
            pending: Pending::new(),
            blocked: SignalSet::EMPTY,
            replaced: None,
            awaited: SignalSet::EMPTY,
            actions: [Action::DEFAULT; Signal::COUNT],
            forced: SignalSet::EMPTY,
            protection,
            stack: AlternateStack::NONE,
        }
    }

    /// Those of a new child: what its parent has set, and no signal waits.
    pub fn fork(&self) -> Self {
        let (pending, forced) = (Pending::new(), SignalSet::EMPTY);
        // The child of a call that replaced the mask would never give it back.
        let blocked = self.replaced.unwrap_or(self.blocked);
        let (replaced, awaited) = (None, SignalSet::EMPTY);
        Self { pending, forced, blocked, replaced, awaited, protection: Protection::Ordinary, ..*self }
    }

    /// The process runs another program: handlers are gone with the old one, what is ignored stays so.
    pub fn exec(&mut self) {
        for action in &mut self.actions {
            let handler = if action.handler == Handler::Ignore { Handler::Ignore } else { Handler::Default };
            *action = Action { handler, ..Action::DEFAULT };
        }
        self.stack = AlternateStack::NONE;
    }

    /// The process is the first one from here on.
    pub const fn protect(&mut self) {
        self.protection = Protection::Init;
    }

    /// What is done about `signal`.
    pub const fn action(&self, signal: Signal) -> Action {
        self.actions[signal.index()]
    }

    /// Sets what is done about `signal` and returns what was; signals that wait and are ignored now are dropped.
    /// `None`, and nothing changes, for one that nobody can catch.
    pub fn set_action(&mut self, signal: Signal, action: Action) -> Option<Action> {
        if signal.is_unstoppable() {
            return None;
        }
        let before = core::mem::replace(&mut self.actions[signal.index()], action);
        if self.would_ignore(signal) {
            self.pending.discard(SignalSet::of(&[signal]));
        }
        Some(before)
    }

    /// What is blocked.
    pub const fn blocked(&self) -> SignalSet {
        self.blocked
    }

    /// Changes what is blocked.
    pub fn change_mask(&mut self, how: MaskChange, signals: SignalSet) {
        let mask = match how {
            MaskChange::Block => self.blocked | signals,
            MaskChange::Unblock => self.blocked.without(signals),
            MaskChange::Set => signals,
        };
        self.blocked = mask.without(SignalSet::UNSTOPPABLE);
    }

    /// Blocks `signals` alone, until a handler has run or [`give_mask_back`](Self::give_mask_back) is called.
    pub fn replace_mask(&mut self, signals: SignalSet) {
        let before = self.replaced.unwrap_or(self.blocked);
        self.replaced = Some(before);
        self.change_mask(MaskChange::Set, signals);
    }

    /// Ends what [`replace_mask`](Self::replace_mask) began, if no handler has.
    pub fn give_mask_back(&mut self) {
        if let Some(mask) = self.replaced.take() {
            self.blocked = mask;
        }
    }

    /// Which signals wait.
    pub const fn waiting(&self) -> SignalSet {
        self.pending.set()
    }

    /// Whether one waits that is not blocked, or that is awaited.
    pub fn is_due(&self) -> bool {
        !self.pending.set().without(self.blocked.without(self.awaited)).is_empty()
    }

    /// Whether the process is to end: it has SIGKILL.
    pub const fn is_killed(&self) -> bool {
        self.pending.set().contains(Signal::KILL)
    }

    /// A call waits for these signals, or for none any more.
    pub const fn await_signals(&mut self, signals: SignalSet) {
        self.awaited = signals.without(SignalSet::UNSTOPPABLE);
    }

    /// Takes the first signal of `wanted` that waits, for `sigtimedwait`.
    pub fn take(&mut self, wanted: SignalSet) -> Option<Info> {
        self.pending.take(wanted.without(SignalSet::UNSTOPPABLE))
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// A real-time signal finds no place.
    pub fn send(&mut self, info: Info) -> Result<Sent, QueueFull> {
        let signal = info.signal;
        if signal == Signal::CONT {
            self.pending.discard(SignalSet::STOPS);
        } else if SignalSet::STOPS.contains(signal) {
            self.pending.discard(SignalSet::of(&[Signal::CONT]));
        }
        let is_blocked = self.blocked.contains(signal);
        // What is blocked may be wanted by the time it is not.
        let is_awaited = self.awaited.contains(signal);
        if !is_blocked && !is_awaited && self.would_ignore(signal) {
            return Ok(Sent::Ignored);
        }
        self.pending.add(info)?;
        Ok(if is_blocked && !is_awaited { Sent::Waits } else { Sent::Due })
    }

    /// Sends a signal for what the program just did: it cannot be put off. Where the program blocks or ignores it, it
    /// ends the program.
    pub fn force(&mut self, info: Info) {
        let signal = info.signal;
        let only = SignalSet::of(&[signal]);
        if self.blocked.contains(signal) || self.action(signal).handler == Handler::Ignore {
            self.actions[signal.index()] = Action::DEFAULT;
            self.blocked = self.blocked.without(only);
        }
        self.pending.discard(only);
        self.forced |= only;
        // A standard signal always has a place.
        let _: Result<(), QueueFull> = self.pending.add(info);
    }

    /// The process is to end by `signal`, whatever it has set: its frame cannot be written, for one.
    pub fn force_default(&mut self, info: Info) {
        self.actions[info.signal.index()] = Action::DEFAULT;
        self.force(info);
    }

    /// What comes next, taken out of the queue.
    pub fn take_next(&mut self) -> Delivery {
        while let Some(info) = self.pending.take(!self.blocked) {
            let signal = info.signal;
            let only = SignalSet::of(&[signal]);
            let was_forced = self.forced.contains(signal);
            self.forced = self.forced.without(only);
            let action = self.action(signal);
            let is_protected = self.protection == Protection::Init && !was_forced;
            match (action.handler, signal.default_action()) {
                (Handler::At(_), _) => return self.handle(info, action),
                (Handler::Ignore, _) => {}
                (Handler::Default, DefaultAction::Ignore | DefaultAction::Continue) => {}
                (Handler::Default, _) if is_protected => {}
                (Handler::Default, DefaultAction::Stop) => return Delivery::Stop(signal),
                (Handler::Default, DefaultAction::Terminate) => return Delivery::Terminate(info),
            }
        }
        Delivery::Nothing
    }

    fn handle(&mut self, info: Info, action: Action) -> Delivery {
        let mask = self.replaced.take().unwrap_or(self.blocked);
        if action.flags.contains(ActionFlags::RESETHAND) {
            self.actions[info.signal.index()].handler = Handler::Default;
        }
        let own =
            if action.flags.contains(ActionFlags::NODEFER) { SignalSet::EMPTY } else { SignalSet::of(&[info.signal]) };
        self.change_mask(MaskChange::Block, action.mask | own);
        Delivery::Handle { info, action, mask }
    }

    /// Whether a signal that comes now, not blocked, has no effect.
    fn would_ignore(&self, signal: Signal) -> bool {
        let is_default = self.action(signal).handler == Handler::Default;
        let does_nothing = matches!(signal.default_action(), DefaultAction::Ignore | DefaultAction::Continue);
        self.action(signal).handler == Handler::Ignore
            || (is_default && (does_nothing || self.protection == Protection::Init))
    }
}

#[cfg(test)]
mod tests;
