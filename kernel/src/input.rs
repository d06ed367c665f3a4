//! The console's input: bytes from the first serial port.
//!
//! Input arrives by interrupt in a ring of 4 KiB. When that is full the port's interrupt is switched off and its FIFO
//! holds the sender back, until a reader has made room: no input is lost, however much comes at once.

use spin::Once;

use crate::board::irq::Irq;
use crate::board::serial::{self, ReceiveInterrupt};
use crate::irq::{self, IrqBusy};
use crate::output;
use crate::sched::WaitQueue;
use crate::sync::SpinLock;

/// Sent when the console takes input; nothing is forwarded to the guest before it.
const XON: u8 = 0x11;
/// Bytes of input that wait for a reader.
const RING_LEN: usize = 4096;

/// What a [`Hook`] did with a byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// It is ordinary input, for the next reader.
    Queue,
    /// It was a command to the kernel, and is done with.
    Consumed,
}

/// Looks at each byte as it arrives: where ^C takes effect. Interrupt context, with the input locked: it may wake and
/// interrupt threads and write, but not read.
pub type Hook = fn(u8) -> Received;

struct Input {
    bytes: [u8; RING_LEN],
    /// Bytes ever received and ever read; each goes to its number modulo the length.
    received: usize,
    read: usize,
    overruns: u64,
}

static INPUT: SpinLock<Input> = SpinLock::new(Input { bytes: [0; RING_LEN], received: 0, read: 0, overruns: 0 });
static HOOK: Once<Hook> = Once::new();

/// Woken when input has arrived.
pub static INPUT_ARRIVED: WaitQueue = WaitQueue::new();

/// Has `hook` look at each byte that arrives. Later calls change nothing.
pub fn set_hook(hook: Hook) {
    HOOK.call_once(|| hook);
}

/// Receives by interrupt from here on, and tells the other end so.
pub fn ready_for_input() -> Result<(), IrqBusy> {
    irq::request_irq(Irq::SERIAL, "serial", receive)?;
    INPUT.with(|_| serial::set_interrupt(ReceiveInterrupt::On));
    output::send_mark(XON);
    Ok(())
}

/// The next byte of input, if one has arrived. A reader that ^C has `interrupted` gets none: what is typed behind it is
/// for the next reader. Any context.
pub fn read_byte(interrupted: impl FnOnce() -> bool) -> Option<u8> {
    INPUT.with(|input| {
        // The hook interrupts readers with the input locked: no byte behind ^C is there before it is known.
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

/// Bytes that the port lost because nothing took them from it in time. Any context.
pub fn overruns() -> u64 {
    INPUT.with(|input| input.overruns)
}

/// Takes all that the port has received, as far as there is room.
fn receive(_irq: Irq) {
    let arrived = INPUT.with(|input| {
        let before = input.received;
        while let Some(byte) = input.next_from_port() {
            if HOOK.get().is_none_or(|hook| hook(byte) == Received::Queue) {
                input.bytes[input.received % RING_LEN] = byte;
                input.received += 1;
            } else {
                // As on every Unix terminal, ^C takes along what was typed before it and nobody has read.
                input.read = input.received;
            }
        }
        input.received != before
    });
    if arrived {
        INPUT_ARRIVED.wake_all();
    }
}

impl Input {
    const fn is_full(&self) -> bool {
        self.received - self.read == RING_LEN
    }

    fn next_from_port(&mut self) -> Option<u8> {
        if self.is_full() {
            // What is in the FIFO raises the interrupt again when `read_byte` switches it on.
            serial::set_interrupt(ReceiveInterrupt::Off);
            return None;
        }
        let status = serial::status();
        if status.has_lost_input() {
            self.overruns += 1;
        }
        status.has_input().then(serial::take_byte)
    }
}
