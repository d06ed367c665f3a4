//! A terminal's modes: `struct termios`, as TCGETS and TCSETS have it.

use bitflags::bitflags;
use linux_raw_sys::general as raw;

bitflags! {
    /// What becomes of input. Modes that do nothing here are kept.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct InputModes: u32 {
        /// The eighth bit is dropped.
        const ISTRIP = raw::ISTRIP;
        /// A newline becomes a carriage return.
        const INLCR = raw::INLCR;
        /// Carriage returns are dropped.
        const IGNCR = raw::IGNCR;
        /// A carriage return becomes a newline.
        const ICRNL = raw::ICRNL;
        /// Keys stop output and let it go on.
        const IXON = raw::IXON;
        /// Any key lets it go on.
        const IXANY = raw::IXANY;
        /// The bell rings when there is no room.
        const IMAXBEL = raw::IMAXBEL;
        /// Characters may have several bytes.
        const IUTF8 = raw::IUTF8;
        const _ = !0;
    }

    /// What becomes of output. Modes that do nothing here are kept.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct OutputModes: u32 {
        /// Something does; else all goes out as it is.
        const OPOST = raw::OPOST;
        /// A newline becomes a carriage return and a newline.
        const ONLCR = raw::ONLCR;
        /// A carriage return becomes a newline.
        const OCRNL = raw::OCRNL;
        /// No carriage return goes out in column 0.
        const ONOCR = raw::ONOCR;
        /// A newline goes to column 0 by itself.
        const ONLRET = raw::ONLRET;
        /// Tabs become blanks.
        const XTABS = raw::XTABS;
        const _ = !0;
    }

    /// What keys do and what shows. Modes that do nothing here are kept.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct LocalModes: u32 {
        /// Keys send signals.
        const ISIG = raw::ISIG;
        /// Input is read in lines, which can be edited.
        const ICANON = raw::ICANON;
        /// What is typed shows.
        const ECHO = raw::ECHO;
        /// An erased character goes away.
        const ECHOE = raw::ECHOE;
        /// Killing a line starts a new one.
        const ECHOK = raw::ECHOK;
        /// A newline shows even if nothing else does.
        const ECHONL = raw::ECHONL;
        /// A control character shows as ^X.
        const ECHOCTL = raw::ECHOCTL;
        /// A killed line goes away.
        const ECHOKE = raw::ECHOKE;
        /// A signal's key keeps what was typed.
        const NOFLSH = raw::NOFLSH;
        /// Background output sends a signal.
        const TOSTOP = raw::TOSTOP;
        /// The keys beyond POSIX's: word, reprint, literal.
        const IEXTEN = raw::IEXTEN;
        const _ = !0;
    }
}

/// A key that does something, by its place in `c_cc`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Key {
    /// SIGINT.
    Interrupt = raw::VINTR as u8,
    /// SIGQUIT.
    Quit = raw::VQUIT as u8,
    /// The last character goes.
    Erase = raw::VERASE as u8,
    /// The line goes.
    Kill = raw::VKILL as u8,
    /// What there is of the line goes to the program; at its start, that is the end of the file.
    EndOfFile = raw::VEOF as u8,
    /// Output goes on.
    Start = raw::VSTART as u8,
    /// Output stops.
    Stop = raw::VSTOP as u8,
    /// SIGTSTP.
    Suspend = raw::VSUSP as u8,
    /// Ends a line.
    EndOfLine = raw::VEOL as u8,
    /// The line shows again.
    Reprint = raw::VREPRINT as u8,
    /// The last word goes.
    Word = raw::VWERASE as u8,
    /// The next key means itself.
    Literal = raw::VLNEXT as u8,
    /// Ends a line, too.
    EndOfLine2 = raw::VEOL2 as u8,
}

/// How many places `c_cc` has.
const KEYS: usize = raw::NCCS as usize;

/// A terminal's modes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Termios {
    /// What becomes of input.
    pub input: InputModes,
    /// What becomes of output.
    pub output: OutputModes,
    /// The line's speed and format, which are kept and mean nothing here.
    pub control: u32,
    /// What keys do and what shows.
    pub local: LocalModes,
    /// The discipline's number: there is only 0.
    pub number: u8,
    /// What the keys send, by their places in `c_cc`; among them two numbers that are no keys.
    pub keys: [u8; KEYS],
}

impl Termios {
    /// Bytes of a `struct termios`.
    pub const BYTES: usize = 36;

    /// What a terminal begins with: lines that are edited and show.
    pub const SANE: Self = Self {
        input: InputModes::ICRNL.union(InputModes::IXON).union(InputModes::IUTF8),
        output: OutputModes::OPOST.union(OutputModes::ONLCR),
        control: raw::B115200 | raw::CS8 | raw::CREAD | raw::HUPCL,
        local: LocalModes::ISIG
            .union(LocalModes::ICANON)
            .union(LocalModes::ECHO)
            .union(LocalModes::ECHOE)
            .union(LocalModes::ECHOK)
            .union(LocalModes::ECHOCTL)
            .union(LocalModes::ECHOKE)
            .union(LocalModes::IEXTEN),
        number: 0,
        keys: Self::USUAL_KEYS,
    };

    /// As [`SANE`](Self::SANE), but each byte goes to whoever reads, as it is typed, and nothing shows or sends
    /// signals: for a program that edits lines itself.
    pub const RAW: Self = Self { input: InputModes::IUTF8, local: LocalModes::empty(), ..Self::SANE };

    const USUAL_KEYS: [u8; KEYS] = {
        let mut keys = [0; KEYS];
        keys[Key::Interrupt as usize] = 0x03;
        keys[Key::Quit as usize] = 0x1c;
        keys[Key::Erase as usize] = 0x7f;
        keys[Key::Kill as usize] = 0x15;
        keys[Key::EndOfFile as usize] = 0x04;
        keys[Key::Start as usize] = 0x11;
        keys[Key::Stop as usize] = 0x13;
        keys[Key::Suspend as usize] = 0x1a;
        keys[Key::Reprint as usize] = 0x12;
        keys[Key::Word as usize] = 0x17;
        keys[Key::Literal as usize] = 0x16;
        keys[raw::VMIN as usize] = 1;
        keys
    };

    /// Whether `byte` is the key `key`; a key that is 0 is none.
    pub const fn is_key(&self, byte: u8, key: Key) -> bool {
        byte != 0 && self.keys[key as usize] == byte
    }

    /// The byte that `key` sends; 0: none.
    pub const fn key(&self, key: Key) -> u8 {
        self.keys[key as usize]
    }

    /// Without lines: how many bytes a read waits for.
    pub const fn least(&self) -> usize {
        self.keys[raw::VMIN as usize] as usize
    }

    /// Without lines: how long a read waits, in tenths of a second; 0: for ever.
    pub const fn tenths(&self) -> u8 {
        self.keys[raw::VTIME as usize]
    }

    /// Whether input is read in lines.
    pub const fn is_canonical(&self) -> bool {
        self.local.contains(LocalModes::ICANON)
    }

    /// From what a program gives.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let mut keys = [0; KEYS];
        keys.copy_from_slice(&bytes[17..17 + KEYS]);
        Self {
            input: InputModes::from_bits_retain(word(0)),
            output: OutputModes::from_bits_retain(word(4)),
            control: word(8),
            local: LocalModes::from_bits_retain(word(12)),
            number: bytes[16],
            keys,
        }
    }

    /// As a program sees it.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let words = [self.input.bits(), self.output.bits(), self.control, self.local.bits()];
        for (i, word) in words.iter().enumerate() {
            bytes[i * 4..i * 4 + 4].copy_from_slice(&word.to_le_bytes());
        }
        bytes[16] = self.number;
        bytes[17..17 + KEYS].copy_from_slice(&self.keys);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use core::mem::{offset_of, size_of};

    use linux_raw_sys::general::termios;

    use super::{Key, LocalModes, Termios};

    #[test]
    fn layout_is_that_of_linux() {
        assert_eq!(size_of::<termios>(), Termios::BYTES);
        let offsets = (offset_of!(termios, c_oflag), offset_of!(termios, c_cflag), offset_of!(termios, c_lflag));
        assert_eq!(offsets, (4, 8, 12));
        assert_eq!((offset_of!(termios, c_line), offset_of!(termios, c_cc)), (16, 17));
    }

    #[test]
    fn programs_read_back_what_they_set_whatever_it_is() {
        let bytes: [u8; Termios::BYTES] = core::array::from_fn(|i| 0xff - i as u8);
        assert_eq!(Termios::from_bytes(&bytes).to_bytes(), bytes);
        assert_eq!(Termios::from_bytes(&Termios::SANE.to_bytes()), Termios::SANE);
    }

    #[test]
    fn keys_are_where_programs_look_and_0_is_no_key() {
        let bytes = Termios::SANE.to_bytes();
        assert_eq!((bytes[17], bytes[18], bytes[19], bytes[21], bytes[27]), (0x03, 0x1c, 0x7f, 0x04, 0x1a));
        assert!(!Termios::SANE.is_key(0, Key::EndOfLine));
        assert!(Termios::SANE.is_canonical() && !Termios::RAW.local.contains(LocalModes::ISIG));
    }
}
