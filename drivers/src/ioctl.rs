//! The drivers' ioctl numbers.
//!
//! A number is made of a direction and a size (bits 16 and up), the driver's magic letter and a running number. Six
//! forms exist for each value: S sets through a pointer, T tells by value, G gets through a pointer, Q answers by the
//! return value, X exchanges through a pointer, H shifts (tells and answers).

use crate::store::IoctlTable;

/// The value that an ioctl is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Field {
    /// The size of quanta, in bytes or as an order.
    Quantum,
    /// The length of quantum sets.
    Qset,
}

/// What an ioctl asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    /// Back to the defaults.
    Reset,
    /// Set through a pointer.
    Set(Field),
    /// Set by value.
    Tell(Field),
    /// Get through a pointer.
    Get(Field),
    /// Get by return value.
    Query(Field),
    /// Set and get through a pointer.
    Exchange(Field),
    /// Set by value and get by return value.
    Shift(Field),
}

use Command::{Exchange, Get, Query, Reset, Set, Shift, Tell};
use Field::{Qset, Quantum};

/// scull's commands, by running number.
const SCULL: [Command; 13] = [
    Reset,
    Set(Quantum),
    Set(Qset),
    Tell(Quantum),
    Tell(Qset),
    Get(Quantum),
    Get(Qset),
    Query(Quantum),
    Query(Qset),
    Exchange(Quantum),
    Exchange(Qset),
    Shift(Quantum),
    Shift(Qset),
];

/// The commands of scullc, scullp and scullv, by running number.
const OTHERS: [Command; 13] = [
    Reset,
    Set(Quantum),
    Tell(Quantum),
    Get(Quantum),
    Query(Quantum),
    Exchange(Quantum),
    Shift(Quantum),
    Set(Qset),
    Tell(Qset),
    Get(Qset),
    Query(Qset),
    Exchange(Qset),
    Shift(Qset),
];

/// Direction and size of a 4-byte value that travels through a pointer, in the bits where an ioctl number has them.
const fn direction(command: Command) -> u32 {
    match command {
        Set(_) => 0x4004_0000,
        Get(_) => 0x8004_0000,
        Exchange(_) => 0xc004_0000,
        Reset | Tell(_) | Query(_) | Shift(_) => 0,
    }
}

/// What `number` asks for, or `None` if it is not one of the table's.
pub(crate) fn decode(number: u32, table: IoctlTable) -> Option<Command> {
    let (magic, commands) = match table {
        IoctlTable::Scull => (b'k', &SCULL),
        IoctlTable::Others => (b'K', &OTHERS),
    };
    let index = number & 0xff;
    let command = *commands.get(index as usize)?;
    (number == direction(command) | u32::from(magic) << 8 | index).then_some(command)
}
