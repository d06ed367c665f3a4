//! The first serial port: a 16550 at its place on every PC.
//!
//! Sending and receiving are independent halves; each half belongs to one caller at a time, who has a lock for it.

use uart_16550::backend::PioBackend;
use uart_16550::spec::registers::IER;
use uart_16550::{Config, Uart16550};
use x86_64::instructions::port::Port;

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

/// No port answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoPort;

/// Whether the port interrupts when it has received a byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReceiveInterrupt {
    /// It does not.
    Off,
    /// It does.
    On,
}

/// The port's line status.
#[derive(Clone, Copy, Debug)]
pub struct LineStatus(u8);

impl LineStatus {
    /// A received byte waits in the FIFO.
    pub const fn has_input(self) -> bool {
        self.0 & RECEIVED != 0
    }

    /// A byte came while the FIFO was full.
    pub const fn has_lost_input(self) -> bool {
        self.0 & OVERRUN != 0
    }

    /// The port takes a byte to send.
    const fn may_send(self) -> bool {
        self.0 & MAY_SEND != 0
    }
}

/// Sets the port up, 115200 8N1, without interrupts.
pub fn init() -> Result<(), NoPort> {
    // SAFETY: 0x3f8 is the first serial port's, and only this module uses it.
    let uart: Result<Uart16550<PioBackend>, _> = unsafe { Uart16550::new_port(BASE) };
    let config = Config { interrupts: IER::empty(), baud_rate: uart_16550::BaudRate::Baud115200, ..Config::DEFAULT };
    uart.map_err(|_| NoPort)?.init(config).map_err(|_| NoPort)
}

/// Sends a byte, once the port takes one. Any context; the sending half is the caller's.
pub fn send(byte: u8) {
    while !status().may_send() {
        core::hint::spin_loop();
    }
    // SAFETY: the port just said that it takes a byte.
    unsafe { Port::<u8>::new(DATA).write(byte) };
}

/// The line status. Reading it forgets a lost byte, so the receiving half's owner alone may look for one.
pub fn status() -> LineStatus {
    // SAFETY: reading the status clears error bits alone.
    LineStatus(unsafe { Port::<u8>::new(STATUS).read() })
}

/// Takes a byte out of the FIFO, which holds one: the status says so. The receiving half is the caller's.
pub fn take_byte() -> u8 {
    // SAFETY: reading takes a byte out of the FIFO; of an empty one it returns a byte that means nothing.
    unsafe { Port::<u8>::new(DATA).read() }
}

/// Chooses the port's interrupts. The receiving half is the caller's.
pub fn set_interrupt(receive: ReceiveInterrupt) {
    let bits = match receive {
        ReceiveInterrupt::Off => 0,
        ReceiveInterrupt::On => RECEIVED,
    };
    // SAFETY: the register only says what may interrupt; an interrupt that has no handler is counted and ended.
    unsafe { Port::<u8>::new(INTERRUPTS).write(bits) };
}
