//! The kernel's side of the serial line: what to show, and when to send.
//!
//! The kernel marks two moments with a byte each, which the user never sees: its first byte (STX) tells its
//! own text from the firmware's, and XON says that it reads the port from here on.

/// First byte the kernel sends: all before it is the firmware's and the bootloader's.
pub const START_MARK: u8 = 0x02;
/// Sent once, when the guest takes input.
pub const XON: u8 = 0x11;

/// How far the guest has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Firmware or bootloader run.
    Firmware,
    /// The kernel boots.
    Booting,
    /// The kernel takes input.
    Ready,
}

/// A filter over the bytes that the guest sends.
#[derive(Debug)]
pub struct Console {
    stage: Stage,
}

impl Console {
    /// A console whose guest is not started yet.
    pub fn new() -> Self {
        Self { stage: Stage::Firmware }
    }

    /// How far the guest has come.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Takes bytes from the guest, up to the mark by which it takes input; returns those to show, and those behind the
    /// mark.
    pub fn filter<'a>(&mut self, bytes: &'a [u8]) -> (Vec<u8>, &'a [u8]) {
        let mut shown = Vec::with_capacity(bytes.len());
        for (place, &byte) in bytes.iter().enumerate() {
            match (self.stage, byte) {
                (Stage::Firmware, START_MARK) => self.stage = Stage::Booting,
                (Stage::Firmware, _) => {}
                (Stage::Booting, XON) => {
                    self.stage = Stage::Ready;
                    return (shown, &bytes[place + 1..]);
                }
                (Stage::Booting | Stage::Ready, _) => shown.push(byte),
            }
        }
        (shown, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::{Console, Stage};

    fn filtered(console: &mut Console, bytes: &[u8]) -> Vec<u8> {
        let (mut shown, rest) = console.filter(bytes);
        if !rest.is_empty() {
            shown.extend(filtered(console, rest));
        }
        shown
    }

    #[test]
    fn firmware_text_and_marks_are_dropped() {
        let mut console = Console::new();
        assert_eq!(filtered(&mut console, b"SeaBIOS \x11 \x1b[2J"), b"");
        assert_eq!(filtered(&mut console, b"boot\x02Scull"), b"Scull");
        assert_eq!(console.stage(), Stage::Booting);
        assert_eq!(filtered(&mut console, b"ery\n\x11# "), b"ery\n# ");
        assert_eq!(console.stage(), Stage::Ready);
    }

    #[test]
    fn what_comes_behind_the_mark_is_apart() {
        let mut console = Console::new();
        assert_eq!(console.filter(b"\x02log\n\x11# "), (b"log\n".to_vec(), b"# ".as_slice()));
    }

    #[test]
    fn later_control_bytes_are_the_users() {
        let mut console = Console::new();
        filtered(&mut console, b"\x02\x11");
        assert_eq!(filtered(&mut console, b"\x02\x11"), b"\x02\x11");
    }
}
