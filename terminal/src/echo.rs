//! What shows of what is typed.

use crate::output::{Column, Wire};
use crate::termios::{LocalModes, Termios};

/// Rubs out one column.
const RUB_OUT: &[u8] = b"\x08 \x08";
const BELL: &[u8] = b"\x07";

/// Shows `byte` as it is.
pub fn plain(byte: u8, termios: &Termios, column: &mut Column, wire: &mut impl Wire) {
    column.write(&[byte], termios, wire);
}

/// Shows `byte` as it would be typed: a control character as ^X.
pub fn visible(byte: u8, termios: &Termios, column: &mut Column, wire: &mut impl Wire) {
    if is_in_two(byte, termios) {
        column.write(&[b'^', byte ^ 0x40], termios, wire);
    } else {
        plain(byte, termios, column, wire);
    }
}

/// Where the cursor is behind `byte` that was shown by [`visible`].
pub fn column_after(column: Column, byte: u8, termios: &Termios) -> Column {
    if is_in_two(byte, termios) { Column(column.0 + 2) } else { column.after(byte, termios.input) }
}

/// Takes `columns` away in front of the cursor.
pub fn rub_out(columns: usize, column: &mut Column, wire: &mut impl Wire) {
    for _ in 0..columns {
        wire.send(RUB_OUT);
    }
    column.0 = column.0.saturating_sub(columns);
}

/// Moves back over a tab: what it skipped is blank as it is.
pub fn move_back(columns: usize, column: &mut Column, wire: &mut impl Wire) {
    for _ in 0..columns {
        wire.send(b"\x08");
    }
    column.0 = column.0.saturating_sub(columns);
}

/// Rings the bell.
pub fn bell(wire: &mut impl Wire) {
    wire.send(BELL);
}

/// Whether `byte` shows as ^X.
fn is_in_two(byte: u8, termios: &Termios) -> bool {
    byte.is_ascii_control() && !matches!(byte, b'\n' | b'\t') && termios.local.contains(LocalModes::ECHOCTL)
}
