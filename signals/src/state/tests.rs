//! Tests of sending and delivery.

use super::{Delivery, MaskChange, Protection, Sent, SignalState};
use crate::action::{Action, ActionFlags, Handler};
use crate::info::{Code, Info};
use crate::set::SignalSet;
use crate::signal::Signal;
use crate::stack::AlternateStack;

const HANDLER: u64 = 0x40_1000;

fn ordinary() -> SignalState {
    SignalState::new(Protection::Ordinary)
}

fn with_flags(flags: ActionFlags) -> Action {
    Action { handler: Handler::At(HANDLER), flags, ..Action::DEFAULT }
}

fn handled(delivery: Delivery) -> Option<Signal> {
    match delivery {
        Delivery::Handle { info, .. } => Some(info.signal),
        _ => None,
    }
}

#[test]
fn defaults_end_stop_or_do_nothing() {
    let mut state = ordinary();
    assert_eq!(state.send(Info::kernel(Signal::CHLD)), Ok(Sent::Ignored));
    assert_eq!(state.send(Info::kernel(Signal::CONT)), Ok(Sent::Ignored));
    assert_eq!(state.send(Info::kernel(Signal::TSTP)), Ok(Sent::Due));
    assert_eq!(state.send(Info::kernel(Signal::TERM)), Ok(Sent::Due));
    assert_eq!(state.take_next(), Delivery::Terminate(Info::kernel(Signal::TERM)));
    assert_eq!(state.take_next(), Delivery::Stop(Signal::TSTP));
    assert_eq!(state.take_next(), Delivery::Nothing);
}

#[test]
fn what_is_blocked_waits_even_if_it_would_be_ignored() {
    let mut state = ordinary();
    state.change_mask(MaskChange::Block, SignalSet::of(&[Signal::CHLD, Signal::KILL]));
    assert_eq!(state.send(Info::kernel(Signal::CHLD)), Ok(Sent::Waits));
    assert!(!state.is_due() && state.waiting().contains(Signal::CHLD));
    // A handler that comes before the unblocking gets it.
    assert!(state.set_action(Signal::CHLD, with_flags(ActionFlags::empty())).is_some());
    state.change_mask(MaskChange::Unblock, SignalSet::of(&[Signal::CHLD]));
    assert_eq!(handled(state.take_next()), Some(Signal::CHLD));
}

#[test]
fn kill_and_stop_cannot_be_blocked_or_caught() {
    let mut state = ordinary();
    state.change_mask(MaskChange::Set, SignalSet::from_bits(u64::MAX));
    assert_eq!(state.set_action(Signal::KILL, with_flags(ActionFlags::empty())), None);
    assert_eq!(state.send(Info::kernel(Signal::KILL)), Ok(Sent::Due));
    assert!(state.is_killed());
    assert_eq!(state.take_next(), Delivery::Terminate(Info::kernel(Signal::KILL)));
}

#[test]
fn stop_and_continue_cancel_each_other() {
    let mut state = ordinary();
    state.change_mask(MaskChange::Block, SignalSet::of(&[Signal::CONT]));
    assert_eq!(state.send(Info::kernel(Signal::TSTP)), Ok(Sent::Due));
    assert_eq!(state.send(Info::kernel(Signal::CONT)), Ok(Sent::Waits));
    assert_eq!(state.waiting(), SignalSet::of(&[Signal::CONT]));
    assert_eq!(state.send(Info::kernel(Signal::STOP)), Ok(Sent::Due));
    assert_eq!(state.waiting(), SignalSet::of(&[Signal::STOP]));
}

#[test]
fn a_handler_blocks_its_signal_and_gets_the_old_mask_back() {
    let mut state = ordinary();
    let mask = SignalSet::of(&[Signal::USR2]);
    let action = Action { mask, ..with_flags(ActionFlags::empty()) };
    assert!(state.set_action(Signal::USR1, action).is_some());
    state.change_mask(MaskChange::Block, SignalSet::of(&[Signal::INT]));
    assert_eq!(state.send(Info::sent_by(Signal::USR1, 3)), Ok(Sent::Due));
    let Delivery::Handle { info, mask, .. } = state.take_next() else { panic!("a handler was set") };
    assert_eq!((info, mask), (Info::sent_by(Signal::USR1, 3), SignalSet::of(&[Signal::INT])));
    assert_eq!(state.blocked(), SignalSet::of(&[Signal::INT, Signal::USR1, Signal::USR2]));
    assert_eq!(state.send(Info::sent_by(Signal::USR1, 4)), Ok(Sent::Waits));
}

#[test]
fn flags_keep_the_signal_open_and_reset_the_action() {
    let mut state = ordinary();
    let flags = ActionFlags::NODEFER | ActionFlags::RESETHAND;
    assert!(state.set_action(Signal::USR1, with_flags(flags)).is_some());
    assert_eq!(state.send(Info::kernel(Signal::USR1)), Ok(Sent::Due));
    assert_eq!(handled(state.take_next()), Some(Signal::USR1));
    assert_eq!((state.blocked(), state.action(Signal::USR1).handler), (SignalSet::EMPTY, Handler::Default));
}

#[test]
fn a_replaced_mask_comes_back_after_the_handler_or_the_call() {
    let mut state = ordinary();
    let before = SignalSet::of(&[Signal::CHLD]);
    assert!(state.set_action(Signal::CHLD, with_flags(ActionFlags::empty())).is_some());
    state.change_mask(MaskChange::Set, before);
    state.replace_mask(SignalSet::EMPTY);
    assert_eq!(state.send(Info::kernel(Signal::CHLD)), Ok(Sent::Due));
    let Delivery::Handle { mask, .. } = state.take_next() else { panic!("a handler was set") };
    assert_eq!(mask, before);
    state.change_mask(MaskChange::Set, mask);
    state.replace_mask(SignalSet::EMPTY);
    state.give_mask_back();
    assert_eq!(state.blocked(), before);
}

#[test]
fn a_fault_that_is_blocked_or_ignored_ends_the_program() {
    let fault = Info::fault(Signal::SEGV, Code::NOT_MAPPED, 0x1234);
    for prepare in [
        |state: &mut SignalState| state.change_mask(MaskChange::Block, SignalSet::of(&[Signal::SEGV])),
        |state: &mut SignalState| {
            let ignore = Action { handler: Handler::Ignore, ..Action::DEFAULT };
            assert!(state.set_action(Signal::SEGV, ignore).is_some());
        },
    ] {
        let mut state = SignalState::new(Protection::Init);
        prepare(&mut state);
        // One that was sent before does not hide where the program is at.
        let _ = state.send(Info::sent_by(Signal::SEGV, 9));
        state.force(fault);
        assert_eq!(state.take_next(), Delivery::Terminate(fault));
    }
}

#[test]
fn a_fault_goes_to_its_handler() {
    let mut state = ordinary();
    assert!(state.set_action(Signal::SEGV, with_flags(ActionFlags::empty())).is_some());
    state.force(Info::fault(Signal::SEGV, Code::NOT_MAPPED, 0));
    assert_eq!(handled(state.take_next()), Some(Signal::SEGV));
    // In its handler it is blocked: a second one ends the program.
    state.force(Info::fault(Signal::SEGV, Code::NOT_MAPPED, 8));
    assert_eq!(state.take_next(), Delivery::Terminate(Info::fault(Signal::SEGV, Code::NOT_MAPPED, 8)));
}

#[test]
fn the_first_process_is_protected_but_from_itself() {
    let mut state = SignalState::new(Protection::Init);
    for signal in [Signal::KILL, Signal::TERM, Signal::STOP] {
        assert_eq!(state.send(Info::sent_by(signal, 7)), Ok(Sent::Ignored), "{signal}");
    }
    assert!(state.set_action(Signal::TERM, with_flags(ActionFlags::empty())).is_some());
    assert_eq!(state.send(Info::sent_by(Signal::TERM, 7)), Ok(Sent::Due));
    assert_eq!(handled(state.take_next()), Some(Signal::TERM));
    assert_eq!(state.fork().send(Info::sent_by(Signal::KILL, 7)), Ok(Sent::Due));
}

#[test]
fn a_child_has_the_actions_and_no_signals_a_new_program_neither() {
    let mut state = ordinary();
    let ignore = Action { handler: Handler::Ignore, ..Action::DEFAULT };
    assert!(state.set_action(Signal::INT, ignore).is_some());
    assert!(state.set_action(Signal::USR1, with_flags(ActionFlags::SIGINFO)).is_some());
    state.change_mask(MaskChange::Block, SignalSet::of(&[Signal::USR1]));
    assert_eq!(state.send(Info::kernel(Signal::USR1)), Ok(Sent::Waits));
    let child = state.fork();
    assert_eq!((child.waiting(), child.blocked()), (SignalSet::EMPTY, state.blocked()));
    assert_eq!(child.action(Signal::USR1), state.action(Signal::USR1));
    state.exec();
    assert_eq!((state.action(Signal::USR1), state.action(Signal::INT)), (Action::DEFAULT, ignore));
    assert_eq!((state.waiting(), state.stack), (SignalSet::of(&[Signal::USR1]), AlternateStack::NONE));
}

#[test]
fn what_a_call_waits_for_is_neither_ignored_nor_held_back() {
    let mut state = ordinary();
    let wanted = SignalSet::of(&[Signal::CHLD]);
    state.change_mask(MaskChange::Block, wanted);
    state.await_signals(wanted);
    assert_eq!(state.send(Info::kernel(Signal::CHLD)), Ok(Sent::Due));
    assert!(state.is_due());
    assert_eq!(state.take(wanted), Some(Info::kernel(Signal::CHLD)));
    state.change_mask(MaskChange::Unblock, wanted);
    assert_eq!(state.send(Info::kernel(Signal::CHLD)), Ok(Sent::Due));
    assert_eq!(state.take(wanted), Some(Info::kernel(Signal::CHLD)));
    state.await_signals(SignalSet::EMPTY);
    assert_eq!(state.send(Info::kernel(Signal::CHLD)), Ok(Sent::Ignored));
}

#[test]
fn ignoring_drops_what_waits() {
    let mut state = ordinary();
    state.change_mask(MaskChange::Block, SignalSet::of(&[Signal::INT]));
    assert_eq!(state.send(Info::kernel(Signal::INT)), Ok(Sent::Waits));
    assert!(state.set_action(Signal::INT, Action { handler: Handler::Ignore, ..Action::DEFAULT }).is_some());
    assert_eq!(state.waiting(), SignalSet::EMPTY);
}
