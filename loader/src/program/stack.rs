//! What a program finds on its stack: arguments, environment, auxiliary vector.
//!
//! From the stack pointer upwards, as the System V ABI has it: the number of arguments, pointers to them, 0, pointers
//! to the environment, 0, pairs of the auxiliary vector, 16 random bytes, the strings, the program's path.

use linux_raw_sys::auxvec::{
    AT_BASE, AT_CLKTCK, AT_EGID, AT_ENTRY, AT_EUID, AT_EXECFN, AT_FLAGS, AT_GID, AT_HWCAP, AT_NULL, AT_PAGESZ, AT_PHDR,
    AT_PHENT, AT_PHNUM, AT_RANDOM, AT_SECURE, AT_UID,
};

use super::segment::PAGE;

/// What the auxiliary vector tells a program, beside what is the same for all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Auxiliary {
    /// Where its table of segments lies; 0 if nowhere.
    pub table_address: u64,
    /// Bytes of an entry of that table.
    pub table_entry_bytes: u16,
    /// Entries of that table.
    pub table_count: u16,
    /// Its first instruction.
    pub entry: u64,
    /// What the processor can do, as CPUID.1:EDX says.
    pub capabilities: u32,
    /// Ticks of a second, of times and the like.
    pub ticks_per_second: u32,
    /// The user: real and effective.
    pub users: [u32; 2],
    /// The group: real and effective.
    pub groups: [u32; 2],
    /// Bytes that differ from start to start.
    pub random: [u8; 16],
}

/// Strings, one after the other, each with a zero at its end and none within.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strings<'a>(&'a [u8]);

impl<'a> Strings<'a> {
    /// The strings in `bytes`; the last one may lack its zero, which is then missed where it is used. So it is refused.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        (bytes.is_empty() || bytes.ends_with(&[0])).then_some(Self(bytes))
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.0.iter().filter(|byte| **byte == 0).count()
    }

    /// Where each begins, in bytes from the first.
    fn offsets(self) -> impl Iterator<Item = usize> {
        let mut next = 0;
        self.0.split_inclusive(|byte| *byte == 0).map(move |string| {
            let offset = next;
            next += string.len();
            offset
        })
    }
}

/// The stack does not fit where it has to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StackTooLarge;

/// The first content of a program's stack.
#[derive(Clone, Copy, Debug)]
pub struct StartStack<'a> {
    arguments: Strings<'a>,
    environment: Strings<'a>,
    path: &'a [u8],
    auxiliary: Auxiliary,
    pointer: u64,
    random_at: u64,
    strings_at: u64,
    top: u64,
}

/// Bytes of the random bytes, and of all alignment.
const UNIT: u64 = 16;
const WORD: u64 = 8;
/// Pairs of the auxiliary vector, with that of its end.
const PAIRS: u64 = 17;

impl<'a> StartStack<'a> {
    /// The stack of a program that was called by `path`, without a zero, below `top`, which is aligned to 16 bytes. It
    /// may take `limit` bytes.
    pub fn new(
        top: u64,
        limit: u64,
        arguments: Strings<'a>,
        environment: Strings<'a>,
        path: &'a [u8],
        auxiliary: Auxiliary,
    ) -> Result<Self, StackTooLarge> {
        let strings = arguments.0.len() as u64 + environment.0.len() as u64 + path.len() as u64 + 1;
        let words = arguments.count() as u64 + environment.count() as u64 + 3 + 2 * PAIRS;
        let below = |from: u64, bytes: u64| from.checked_sub(bytes).map(|at| at & !(UNIT - 1)).ok_or(StackTooLarge);
        // A word of zeros ends it, as on Linux.
        let strings_at = below(top, strings + WORD)?;
        let random_at = below(strings_at, UNIT)?;
        let pointer = below(random_at, words * WORD)?;
        if top - pointer > limit {
            return Err(StackTooLarge);
        }
        Ok(Self { arguments, environment, path, auxiliary, pointer, random_at, strings_at, top })
    }

    /// The stack pointer that the program starts with.
    pub const fn pointer(&self) -> u64 {
        self.pointer
    }

    /// Where the first argument's text lies, and where the last one's ends: what ps shows.
    pub const fn arguments_at(&self) -> (u64, u64) {
        (self.strings_at, self.strings_at + self.arguments.0.len() as u64)
    }

    /// Calls `write` with the stack's bytes, piece by piece, from the stack pointer upwards to the top.
    pub fn write<E>(&self, write: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut out = Out { write, buffer: [0; BUFFER], len: 0, at: self.pointer };
        let environment_at = self.strings_at + self.arguments.0.len() as u64;
        let path_at = environment_at + self.environment.0.len() as u64;
        out.word(self.arguments.count() as u64)?;
        out.pointers(self.strings_at, self.arguments)?;
        out.pointers(environment_at, self.environment)?;
        for (name, value) in self.pairs(path_at) {
            out.word(u64::from(name))?;
            out.word(value)?;
        }
        out.zeros_to(self.random_at)?;
        out.bytes(&self.auxiliary.random)?;
        out.zeros_to(self.strings_at)?;
        [self.arguments.0, self.environment.0, self.path].iter().try_for_each(|strings| out.bytes(strings))?;
        out.zeros_to(self.top)?;
        out.flush()
    }

    fn pairs(&self, path_at: u64) -> [(u32, u64); PAIRS as usize] {
        let it = &self.auxiliary;
        let ([user, effective_user], [group, effective_group]) = (it.users, it.groups);
        let is_secure = user != effective_user || group != effective_group;
        [
            (AT_PHDR, it.table_address),
            (AT_PHENT, it.table_entry_bytes.into()),
            (AT_PHNUM, it.table_count.into()),
            (AT_PAGESZ, PAGE),
            (AT_BASE, 0),
            (AT_FLAGS, 0),
            (AT_ENTRY, it.entry),
            (AT_UID, user.into()),
            (AT_EUID, effective_user.into()),
            (AT_GID, group.into()),
            (AT_EGID, effective_group.into()),
            (AT_HWCAP, it.capabilities.into()),
            (AT_CLKTCK, it.ticks_per_second.into()),
            (AT_SECURE, is_secure.into()),
            (AT_RANDOM, self.random_at),
            (AT_EXECFN, path_at),
            (AT_NULL, 0),
        ]
    }
}

/// Bytes that are written at a time, at least.
const BUFFER: usize = 512;

/// Gathers small pieces into larger ones.
struct Out<W> {
    write: W,
    buffer: [u8; BUFFER],
    len: usize,
    /// Where the next byte goes.
    at: u64,
}

impl<E, W: FnMut(&[u8]) -> Result<(), E>> Out<W> {
    fn word(&mut self, word: u64) -> Result<(), E> {
        self.bytes(&word.to_le_bytes())
    }

    /// Pointers to `strings`, which begin at `at`, and a zero.
    fn pointers(&mut self, at: u64, strings: Strings<'_>) -> Result<(), E> {
        strings.offsets().try_for_each(|offset| self.word(at + offset as u64))?;
        self.word(0)
    }

    fn zeros_to(&mut self, end: u64) -> Result<(), E> {
        while self.at < end {
            self.bytes(&[0])?;
        }
        Ok(())
    }

    fn bytes(&mut self, mut bytes: &[u8]) -> Result<(), E> {
        self.at += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BUFFER - self.len));
            self.buffer[self.len..self.len + now.len()].copy_from_slice(now);
            self.len += now.len();
            if self.len == BUFFER {
                self.flush()?;
            }
            bytes = later;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), E> {
        let len = core::mem::take(&mut self.len);
        (self.write)(&self.buffer[..len])
    }
}
