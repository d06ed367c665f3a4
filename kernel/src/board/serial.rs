//! The first serial port: the kernel's console.
//!
//! Output waits until the port takes each byte, so a slow reader loses nothing. Input arrives by interrupt in a ring of
//! 4 KiB. When that is full the port's interrupt is switched off and its FIFO holds the sender back, until a reader has
//! made room: no input is lost, however much comes at once.

use core::fmt;

use spin::Once;
use uart_16550::backend::PioBackend;
use uart_16550::spec::registers::IER;
use uart_16550::{Config, Uart16550};
use x86_64::instructions::port::Port;

use crate::irq::{self, Irq, IrqBusy};
use crate::panic::is_panicking;
use crate::sched::WaitQueue;
use crate::sync::SpinLock;

/// The port's I/O base on every PC.
const BASE: u16 = 0x3f8;
/// Register: data, received and to send.
const DATA: u16 = BASE;
/// Register: interrupts that are on.
const INTERRUPTS: u16 = BASE + 1;
/// Register: line status.
const STATUS: u16 = BASE + 5;
/// Interrupt and line status: data was received.
const RECEIVED: u8 = 1 << 0;
/// Line status: a byte came while the FIFO was full, and was lost.
const OVERRUN: u8 = 1 << 1;
/// Line status: a byte to send may be written.
const MAY_SEND: u8 = 1 << 5;

/// First byte the kernel sends: what came before is the firmware's.
const START_MARK: u8 = 0x02;
/// Sent when the console takes input; nothing is forwarded to the guest before it.
const XON: u8 = 0x11;

/// Bytes that are sent without letting interrupts in: about a millisecond's worth.
const BURST_LEN: usize = 16;
/// Bytes of input that wait for a reader.
const RING_LEN: usize = 4096;

/// What a [`Hook`] did with a byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// It is ordinary input, for whoever reads next.
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

struct Output {
    at_line_start: bool,
}

static INPUT: SpinLock<Input> = SpinLock::new(Input { bytes: [0; RING_LEN], received: 0, read: 0, overruns: 0 });
static OUTPUT: SpinLock<Output> = SpinLock::new(Output { at_line_start: true });
static HOOK: Once<Hook> = Once::new();

/// Woken when input has arrived.
pub static INPUT_ARRIVED: WaitQueue = WaitQueue::new();

/// Sets the port up, 115200 8N1, and sends the start mark. Without a port, output goes nowhere.
pub fn init() {
    // SAFETY: 0x3f8 is the first serial port's, and only this module uses it.
    let uart: Result<Uart16550<PioBackend>, _> = unsafe { Uart16550::new_port(BASE) };
    let config = Config { interrupts: IER::empty(), baud_rate: uart_16550::BaudRate::Baud115200, ..Config::DEFAULT };
    if uart.is_ok_and(|mut uart| uart.init(config).is_ok()) {
        send(START_MARK);
    }
}

/// Has `hook` look at each byte that arrives. Later calls change nothing.
pub fn set_hook(hook: Hook) {
    HOOK.call_once(|| hook);
}

/// Receives by interrupt from here on, and tells the other end so.
pub fn ready_for_input() -> Result<(), IrqBusy> {
    irq::request_irq(Irq::SERIAL, "serial", receive)?;
    INPUT.with(|_| set_interrupts(RECEIVED));
    OUTPUT.with(|_| send(XON));
    Ok(())
}

/// The next byte of input, if one has arrived. Any context.
pub fn read_byte() -> Option<u8> {
    INPUT.with(|input| {
        if input.received == input.read {
            return None;
        }
        let was_full = input.is_full();
        let byte = input.bytes[input.read % RING_LEN];
        input.read += 1;
        if was_full {
            set_interrupts(RECEIVED);
        }
        Some(byte)
    })
}

/// Bytes that the port lost because nobody took them from it in time. Any context.
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
            set_interrupts(0);
            return None;
        }
        let status = line_status();
        if status & OVERRUN != 0 {
            self.overruns += 1;
        }
        // SAFETY: reading takes a byte out of the FIFO, which INPUT's lock allows this CPU alone.
        (status & RECEIVED != 0).then(|| unsafe { Port::<u8>::new(DATA).read() })
    }
}

/// Writes bytes to the console as they are. Others' output may come in between, so that interrupts are not off for
/// long. Any context.
pub fn write(bytes: &[u8]) {
    for burst in bytes.chunks(BURST_LEN) {
        with_output(|output| output.write(burst));
    }
}

/// Writes a whole line, with its end, that nothing gets between; starts a new line first if need be. Any context.
pub fn write_line(line: &[u8]) {
    with_output(|output| {
        if !output.at_line_start {
            output.write(b"\n");
        }
        output.write(line);
    });
}

/// A panic may have come from within the lock: it prints without.
fn with_output(f: impl FnOnce(&mut Output)) {
    if !is_panicking() {
        OUTPUT.with(f);
    } else if let Some(mut output) = OUTPUT.try_lock() {
        f(&mut output);
    } else {
        f(&mut Output { at_line_start: false });
    }
}

impl Output {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            send(byte);
            self.at_line_start = byte == b'\n';
        }
    }
}

fn send(byte: u8) {
    while line_status() & MAY_SEND == 0 {
        core::hint::spin_loop();
    }
    // SAFETY: the port just said that it takes a byte.
    unsafe { Port::<u8>::new(DATA).write(byte) };
}

fn line_status() -> u8 {
    // SAFETY: reading the status clears error bits alone, and only the receiver looks at those.
    unsafe { Port::<u8>::new(STATUS).read() }
}

/// Chooses the port's interrupts. The caller holds INPUT's lock.
fn set_interrupts(interrupts: u8) {
    // SAFETY: the register only says what may interrupt; line SERIAL has a handler before any is switched on.
    unsafe { Port::<u8>::new(INTERRUPTS).write(interrupts) };
}

struct Writer;

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(text.as_bytes());
        Ok(())
    }
}

/// Writes formatted text to the console, not to the log; what `print!` expands to. Any context.
pub fn print(args: fmt::Arguments<'_>) {
    // The writer never fails.
    let _ = fmt::Write::write_fmt(&mut Writer, args);
}

/// Prints to the console without a line end.
#[macro_export]
macro_rules! print {
    ($($arg:tt)*) => { $crate::board::serial::print(format_args!($($arg)*)) };
}

/// Prints one line to the console.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($arg:tt)*) => { $crate::print!("{}\n", format_args!($($arg)*)) };
}
