//! The console's input: bytes from the first serial port.
//!
//! Input arrives by interrupt in a ring of 16 KiB. When that is full the port's interrupt is switched off and its FIFO
//! holds the sender back, until a reader has made room: no input is lost, however much comes at once. One exception is
//! made, for a person: as long as ^C would end something, what finds no room is lost instead, so that ^C is seen.

use kapi::{Errno, IrqReturn, Sharing};
use spin::Once;

use crate::board::irq::Irq;
use crate::board::serial::{self, ReceiveInterrupt};
use crate::irq;
use crate::output;
use crate::sched::WaitQueue;
use crate::sync::SpinLock;

/// Sent when the console takes input; nothing is forwarded to the guest before it.
const XON: u8 = 0x11;
/// Bytes of input that wait for a reader.
pub const RING_LEN: usize = 16 << 10;

/// What a [`Listener`] did with a byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// It waits for a reader.
    Queue,
    /// The listener has it.
    Taken,
    /// The listener has it, and what waits was typed in vain.
    Consumed,
}

/// Whether bytes that came before wait for a reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backlog {
    /// None do.
    None,
    /// Some do.
    Some,
}

/// Looks at each byte as it arrives: where ^C takes effect. Interrupt context, with the input locked: it may wake and
/// interrupt threads and write, but not read.
pub trait Listener: Sync {
    /// What becomes of a byte, which may come behind others.
    fn on_byte(&self, byte: u8, backlog: Backlog) -> Received;

    /// Whether it must see each byte as it comes, at the price of those for which there is no room.
    fn is_waiting(&self) -> bool;

    /// Bytes were lost for lack of room.
    fn on_loss(&self);
}

struct Input {
    bytes: [u8; RING_LEN],
    /// Bytes ever received and ever read; each goes to its number modulo the length.
    received: usize,
    read: usize,
    overruns: u64,
}

static INPUT: SpinLock<Input> = SpinLock::new(Input { bytes: [0; RING_LEN], received: 0, read: 0, overruns: 0 });
static LISTENER: Once<&'static dyn Listener> = Once::new();

/// Woken when input has arrived.
pub static INPUT_ARRIVED: WaitQueue = WaitQueue::new();

/// Has `listener` look at each byte that arrives. Later calls change nothing.
pub fn set_listener(listener: &'static dyn Listener) {
    LISTENER.call_once(|| listener);
}

/// Receives by interrupt from here on, and tells the other end so.
pub fn ready_for_input() -> Result<(), Errno> {
    irq::request_irq(Irq::SERIAL, Sharing::Exclusive, "serial", receive)?.keep();
    INPUT.with(|_| serial::set_interrupt(ReceiveInterrupt::On));
    output::send_mark(XON);
    Ok(())
}

/// The next byte of input, if one has arrived. A reader that ^C has `interrupted` gets none: what is typed behind it is
/// for the next reader. Any context.
pub fn read_byte(interrupted: impl FnOnce() -> bool) -> Option<u8> {
    INPUT.with(|input| {
        // The listener interrupts readers with the input locked: no byte behind ^C is there before it is known.
        if input.received == input.read || interrupted() {
            return None;
        }
        Some(input.take())
    })
}

/// Gives `take` the bytes that wait, the oldest first, until it refuses one: that one and those behind it stay. `take`
/// runs with the input locked, as a [`Listener`] does. Any context.
pub fn hand_over(mut take: impl FnMut(u8) -> bool) {
    INPUT.with(|input| {
        while input.received != input.read && take(input.bytes[input.read % RING_LEN]) {
            input.take();
        }
    });
}

/// Whether bytes wait. Any context.
pub fn has_bytes() -> bool {
    INPUT.with(|input| input.backlog() == Backlog::Some)
}

/// Looks again at what the port holds back: from here on the listener waits for it. Any context.
pub fn look_again() {
    INPUT.with(|input| {
        if input.is_full() {
            serial::set_interrupt(ReceiveInterrupt::On);
        }
    });
}

/// Bytes that the port lost because nothing took them from it in time. Any context.
pub fn overruns() -> u64 {
    INPUT.with(|input| input.overruns)
}

/// Takes all that the port has received, as far as there is room.
fn receive(_irq: Irq) -> IrqReturn {
    let listener = LISTENER.get();
    let arrived = INPUT.with(|input| {
        let (before, mut lost) = (input.received, false);
        loop {
            if input.is_full() && !listener.is_some_and(|listener| listener.is_waiting()) {
                // What is in the FIFO raises the interrupt again when it is switched on.
                serial::set_interrupt(ReceiveInterrupt::Off);
                break;
            }
            let Some(byte) = input.next_from_port() else { break };
            match listener.map_or(Received::Queue, |listener| listener.on_byte(byte, input.backlog())) {
                Received::Queue if input.is_full() => lost = true,
                Received::Queue => {
                    input.bytes[input.received % RING_LEN] = byte;
                    input.received += 1;
                }
                Received::Taken => {}
                // As on every Unix terminal, ^C takes along what was typed before it and nobody has read.
                Received::Consumed => input.read = input.received,
            }
        }
        if let Some(listener) = listener.filter(|_| lost) {
            listener.on_loss();
        }
        input.received != before
    });
    if arrived {
        INPUT_ARRIVED.wake_all();
    }
    IrqReturn::Handled
}

impl Input {
    const fn is_full(&self) -> bool {
        self.received - self.read == RING_LEN
    }

    const fn backlog(&self) -> Backlog {
        if self.received == self.read { Backlog::None } else { Backlog::Some }
    }

    /// The oldest byte, of those that there are.
    fn take(&mut self) -> u8 {
        let was_full = self.is_full();
        let byte = self.bytes[self.read % RING_LEN];
        self.read += 1;
        if was_full {
            serial::set_interrupt(ReceiveInterrupt::On);
        }
        byte
    }

    fn next_from_port(&mut self) -> Option<u8> {
        let status = serial::status();
        if status.has_lost_input() {
            self.overruns += 1;
        }
        status.has_input().then(serial::take_byte)
    }
}
