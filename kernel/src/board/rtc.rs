//! The real-time clock, which goes on while the machine is off.
//!
//! It is read once, at boot.

use services::date::Date;
use x86_64::instructions::port::Port;

/// Registers of the clock.
const SECOND: u8 = 0;
const MINUTE: u8 = 2;
const HOUR: u8 = 4;
const DAY: u8 = 7;
const MONTH: u8 = 8;
const YEAR: u8 = 9;
const STATUS_B: u8 = 0xb;

/// Of status B: hours go up to 23.
const HOURS_24: u8 = 1 << 1;
/// Of status B: numbers are binary, not two decimal digits.
const BINARY: u8 = 1 << 2;
/// Of an hour that goes up to 12: it is one of the afternoon.
const AFTERNOON: u8 = 1 << 7;

/// How often the clock may change while it is read before the reader gives up.
const TRIES: u32 = 8;

/// The clock's time, which is taken to be UTC of this century; `None` when it makes no sense.
pub fn read() -> Option<Date> {
    let mut clock = Clock { index: Port::new(0x70), data: Port::new(0x71) };
    let mut last = clock.sample();
    for _ in 0..TRIES {
        let sample = clock.sample();
        if sample == last {
            let status = clock.register(STATUS_B);
            return Some(decode(sample, status));
        }
        last = sample;
    }
    None
}

/// The clock's ports.
struct Clock {
    index: Port<u8>,
    data: Port<u8>,
}

impl Clock {
    fn register(&mut self, register: u8) -> u8 {
        // SAFETY: the ports are the clock's, and only boot reads it.
        unsafe { self.index.write(register) };
        // SAFETY: as above.
        unsafe { self.data.read() }
    }

    /// Second, minute, hour, day, month, year; the clock may change meanwhile.
    fn sample(&mut self) -> [u8; 6] {
        [SECOND, MINUTE, HOUR, DAY, MONTH, YEAR].map(|register| self.register(register))
    }
}

fn decode([second, minute, hour, day, month, year]: [u8; 6], status: u8) -> Date {
    let number = |value: u8| {
        let value = u32::from(value);
        if status & BINARY != 0 { value } else { (value >> 4) * 10 + (value & 0xf) }
    };
    let hour = match (status & HOURS_24, hour & AFTERNOON) {
        (0, afternoon) => number(hour & !AFTERNOON) % 12 + if afternoon != 0 { 12 } else { 0 },
        _ => number(hour),
    };
    Date {
        year: 2000 + number(year),
        month: number(month),
        day: number(day),
        hour,
        minute: number(minute),
        second: number(second),
    }
}
