//! Numbers of processes, which are those of their threads.

use core::fmt;

/// The number of a process, of a group of processes or of a session; a group and a session have that of their first
/// member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pid(u32);

impl Pid {
    /// Nobody: the parent of a process that the kernel started.
    pub const NONE: Self = Self(0);

    /// The process of the thread with number `id`.
    pub const fn of_thread(id: u32) -> Self {
        Self(id)
    }

    /// The process that a program means by `number`; `None` where no process can have it.
    pub const fn from_user(number: i32) -> Option<Self> {
        if number > 0 { Some(Self(number as u32)) } else { None }
    }

    /// As programs see it.
    pub const fn to_user(self) -> i32 {
        self.0 as i32
    }

    /// As a plain number.
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
