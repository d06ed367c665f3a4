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
    /// It is ordinary input, for the next reader.
    Queue,
    /// It was a command to the kernel, and is done with.
    Consumed,
}

/// Looks at each byte as it arrives: where ^C takes effect. Interrupt context, with the input locked: it may wake and
/// interrupt threads and write, but not read.
pub trait Listener: Sync {
    /// What becomes of a byte.
    fn on_byte(&self, byte: u8) -> Received;

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
        let was_full = input.is_full();
        let byte = input.bytes[input.read % RING_LEN];
        input.read += 1;
        if was_full {
            serial::set_interrupt(ReceiveInterrupt::On);
        }
        Some(byte)
    })
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
            if listener.is_some_and(|listener| listener.on_byte(byte) == Received::Consumed) {
                // As on every Unix terminal, ^C takes along what was typed before it and nobody has read.
                input.read = input.received;
            } else if input.is_full() {
                lost = true;
            } else {
                input.bytes[input.received % RING_LEN] = byte;
                input.received += 1;
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

    fn next_from_port(&mut self) -> Option<u8> {
        let status = serial::status();
        if status.has_lost_input() {
            self.overruns += 1;
        }
        status.has_input().then(serial::take_byte)
    }
}
