//! The machine's name: /etc/hostname's, until somebody gives it another one.

use kapi::{Errno, OpenFlags};

use crate::fs::{self, Place};
use crate::sync::SpinLock;

/// Where the name is, on the first line.
const FILE: &str = "/etc/hostname";
/// What is told where it is not.
const NAMELESS: &str = "(none)";
/// Bytes of the longest name.
pub const MAX: usize = 64;

/// A machine's name.
#[derive(Clone, Copy)]
pub struct Hostname {
    bytes: [u8; MAX],
    len: usize,
}

static NAME: SpinLock<Option<Hostname>> = SpinLock::new(None);

impl Hostname {
    /// `None` for what is no name: nothing, no text, or text of more than one line.
    fn new(name: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(name).ok()?;
        if text.is_empty() || text.len() > MAX || text.contains(char::is_control) {
            return None;
        }
        let mut bytes = [0; MAX];
        bytes[..name.len()].copy_from_slice(name);
        Some(Self { bytes, len: name.len() })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        // It was looked at when it was made.
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or(NAMELESS)
    }
}

/// The machine's name. May sleep, the first time.
pub fn get() -> Hostname {
    let nameless = || Hostname::new(NAMELESS.as_bytes()).unwrap_or(Hostname { bytes: [b'?'; MAX], len: 1 });
    NAME.with(|name| *name).or_else(read).unwrap_or_else(nameless)
}

/// The first line of the file.
fn read() -> Option<Hostname> {
    let file = fs::open(&Place::root(), FILE, OpenFlags::READ, 0).ok()?;
    let mut bytes = [0; MAX];
    let read = file.read_bytes(&mut bytes).ok()?;
    let line = bytes[..read].split(|byte| *byte == b'\n').next().unwrap_or_default();
    let name = Hostname::new(line.trim_ascii())?;
    NAME.with(|place| *place.get_or_insert(name));
    Some(name)
}

/// Gives the machine another name; `EINVAL` for what is none. Any context.
pub fn set(name: &[u8]) -> Result<(), Errno> {
    let name = Hostname::new(name).ok_or(Errno::EINVAL)?;
    NAME.with(|place| *place = Some(name));
    Ok(())
}
