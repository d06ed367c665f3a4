//! A person's terminal: the discipline under its lock, and its keys.

use kapi::Errno;
use signals::Signal;
use terminal::{Discipline, LocalModes, Patience, Peek, Position, Termios, Window, Wire};

use super::{far_end, job_control};
use crate::input::{self, Backlog, Listener, Received};
use crate::output;
use crate::sched::{self, WaitQueue};
use crate::sync::SpinLock;

/// What a person hears whose typing finds no room.
const BELL: &[u8] = b"\x07";

struct State {
    discipline: Discipline,
    window: Window,
}

static STATE: SpinLock<State> =
    SpinLock::new(State { discipline: Discipline::new(), window: Window { rows: 0, columns: 0, width: 0, height: 0 } });
/// Woken when a read may have something.
pub(super) static READABLE: WaitQueue = WaitQueue::new();
/// Woken when output that a key has stopped goes on.
pub(super) static WRITABLE: WaitQueue = WaitQueue::new();

/// To the serial port.
struct Port;

impl Wire for Port {
    fn send(&mut self, bytes: &[u8]) {
        output::send(bytes);
    }
}

/// What listens to the input.
pub(super) struct Keys;

impl Listener for Keys {
    fn on_byte(&self, byte: u8, backlog: Backlog) -> Received {
        if !far_end::is_terminal() {
            return Received::Queue;
        }
        let change = STATE.with(|state| state.key(byte, backlog));
        change.wake();
        match change.signal {
            Some(signal) => {
                let commands_end = signal == Signal::INT && job_control::interrupt_commands();
                // Whoever has a shell of its own sees to where it goes on.
                if commands_end && job_control::is_leader_in_foreground() {
                    output::write(b"\n");
                }
                job_control::send_to_foreground(signal);
                change.received
            }
            None => change.received,
        }
    }

    fn is_waiting(&self) -> bool {
        far_end::is_terminal() && job_control::has_foreground() && STATE.with(|state| state.has_keys())
    }

    fn on_loss(&self) {
        output::write(BELL);
    }
}

/// What a byte, or new modes, led to.
struct Change {
    received: Received,
    signal: Option<Signal>,
    is_readable: bool,
    goes_on: bool,
}

impl Change {
    fn wake(&self) {
        if self.is_readable {
            READABLE.wake_all();
        }
        if self.goes_on {
            WRITABLE.wake_all();
        }
    }
}

impl State {
    /// Takes a byte that has arrived behind others that wait, or not.
    fn key(&mut self, byte: u8, backlog: Backlog) -> Change {
        self.changing(|discipline| {
            if backlog == Backlog::None && discipline.can_receive() {
                return (Received::Taken, discipline.receive(byte, &mut Port));
            }
            // Out of its turn, so that a full buffer keeps nobody from ending what does not read.
            let signal = discipline.signal_of(byte);
            if signal.is_some() {
                discipline.interrupt(byte, &mut Port);
            }
            (if signal.is_some() { Received::Taken } else { Received::Queue }, signal)
        })
    }

    /// Changes the discipline and notes who is to be told.
    fn changing(&mut self, change: impl FnOnce(&mut Discipline) -> (Received, Option<Signal>)) -> Change {
        let was_stopped = self.discipline.is_stopped();
        let (received, signal) = change(&mut self.discipline);
        let drops = signal.is_some() && !self.discipline.termios().local.contains(LocalModes::NOFLSH);
        Change {
            received: if drops { Received::Consumed } else { received },
            signal,
            is_readable: self.discipline.is_readable(),
            goes_on: was_stopped && !self.discipline.is_stopped(),
        }
    }

    const fn has_keys(&self) -> bool {
        self.discipline.termios().local.contains(LocalModes::ISIG)
    }
}

/// Changes the discipline in a way that bytes have no part in.
fn change(f: impl FnOnce(&mut Discipline)) {
    let change = STATE.with(|state| {
        state.changing(|discipline| {
            f(discipline);
            (Received::Taken, None)
        })
    });
    change.wake();
}

/// Gives the discipline what waits in the ring, as far as it has room.
fn pump() {
    input::hand_over(|byte| {
        let change = STATE.with(|state| {
            state
                .discipline
                .can_receive()
                .then(|| state.changing(|discipline| (Received::Taken, discipline.receive(byte, &mut Port))))
        });
        let Some(change) = change else { return false };
        change.wake();
        // Keys were looked at when they arrived, but for those that the modes of then made ordinary bytes.
        if let Some(signal) = change.signal {
            job_control::send_to_foreground(signal);
        }
        true
    });
}

/// The modes.
pub(super) fn modes() -> Termios {
    STATE.with(|state| *state.discipline.termios())
}

/// Changes the modes. What was typed and not read stays.
pub fn set_modes(termios: Termios) {
    change(|discipline| discipline.set_termios(termios));
    pump();
}

/// Drops what was typed and not read.
pub(super) fn drop_input() {
    change(Discipline::clear);
    input::hand_over(|_| true);
}

/// Stops output, or lets it go on.
pub(super) fn set_stopped(stopped: bool) {
    change(|discipline| discipline.set_stopped(stopped));
}

/// Bytes that a program may read.
pub(super) fn waiting() -> usize {
    STATE.with(|state| state.discipline.waiting())
}

/// Whether a read would not wait.
pub(super) fn is_readable() -> bool {
    STATE.with(|state| state.discipline.is_readable())
}

/// Without lines: whether so many bytes wait, and the caller may have them: what is typed behind ^C is for the next.
pub(super) fn has(bytes: usize) -> bool {
    STATE.with(|state| !sched::interrupted() && state.discipline.has(bytes))
}

/// Whether a read may have something, and the caller is one that may have it.
pub(super) fn may_read() -> bool {
    STATE.with(|state| !sched::interrupted() && state.discipline.is_readable())
}

/// Whether a key has stopped the output.
pub(super) fn is_stopped() -> bool {
    STATE.with(|state| state.discipline.is_stopped())
}

/// How long a read with room for `room` bytes waits.
pub(super) fn patience(room: usize) -> Patience {
    STATE.with(|state| state.discipline.patience(room))
}

/// Copies what a read may have now; it is taken by [`take_up_to`].
pub(super) fn peek(into: &mut [u8]) -> (Position, Peek) {
    STATE.with(|state| (state.discipline.position(), state.discipline.peek(into)))
}

/// All before `position` was read: there may be room for more.
pub(super) fn take_up_to(position: Position) {
    STATE.with(|state| state.discipline.take_up_to(position));
    pump();
}

/// Shows what a program writes.
pub(super) fn show(bytes: &[u8]) {
    STATE.with(|state| state.discipline.write(bytes, &mut Port));
}

/// The size of the window.
pub(super) fn window() -> Window {
    STATE.with(|state| state.window)
}

/// Sets the size of the window, and says whether that is another.
pub(super) fn set_window(window: Window) -> bool {
    STATE.with(|state| core::mem::replace(&mut state.window, window) != window)
}

/// The next byte that is typed, for the built-in shell, which has set the modes so that bytes come singly. Sleeps; ^C
/// ends the wait with `EINTR`.
pub fn read_key() -> Result<u8, Errno> {
    let mut byte = [0];
    loop {
        READABLE.wait_until_interruptible(may_read)?;
        let (_, peek) = peek(&mut byte);
        take_up_to(peek.next);
        if peek.count == 1 {
            return Ok(byte[0]);
        }
    }
}
