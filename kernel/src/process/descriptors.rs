//! What a process has open: files by number.
//!
//! Key types: [`Descriptors`]. The lowest free number is taken first. What is taken out is handed back to the caller,
//! so that no file is closed under the table's lock. Fork copies the table, and the two share their open files; a new
//! program keeps what is not marked [`OnExec::Close`].

use kapi::{Errno, LockError};
use mm::GfpFlags;

use crate::fs::OpenFile;
use crate::mm::KVec;
use crate::sched::{Mutex, MutexGuard};

/// What becomes of a descriptor when the process gets a new program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnExec {
    /// The new program has it.
    Keep,
    /// It is closed.
    Close,
}

/// The open files of a process.
pub struct Descriptors(Mutex<KVec<Option<Slot>>>);

/// An open file under its number.
#[derive(Clone)]
struct Slot {
    file: OpenFile,
    on_exec: OnExec,
}

impl Descriptors {
    /// Nothing is open.
    pub const fn new() -> Self {
        Self(Mutex::new(KVec::new()))
    }

    /// The file under `number`; `EBADF`.
    pub fn get(&self, number: i32) -> Result<OpenFile, Errno> {
        let slots = self.lock()?;
        Ok(slot(&slots, number)?.file.clone())
    }

    /// Opens `file` under the lowest number that is free, `from` or more, and less than `limit`; `EMFILE` when there is
    /// none, `ENOMEM`.
    pub fn add(&self, file: OpenFile, from: usize, limit: usize, on_exec: OnExec) -> Result<usize, Errno> {
        let mut slots = self.lock()?;
        let taken = slots.iter().skip(from).take_while(|slot| slot.is_some()).count();
        let number = from + taken;
        if number >= limit {
            return Err(Errno::EMFILE);
        }
        reach(&mut slots, number)?;
        slots[number] = Some(Slot { file, on_exec });
        Ok(number)
    }

    /// Whether a number less than `limit` is free.
    pub fn has_room(&self, limit: usize) -> Result<bool, Errno> {
        let slots = self.lock()?;
        Ok(slots.len() < limit || slots.iter().take(limit).any(Option::is_none))
    }

    /// Opens `file` under `number`, which is less than `limit`, and hands back what was open there. `EBADF` beyond the
    /// limit, `ENOMEM`.
    pub fn put(&self, file: OpenFile, number: i32, limit: usize, on_exec: OnExec) -> Result<Option<OpenFile>, Errno> {
        let number = usize::try_from(number).ok().filter(|number| *number < limit).ok_or(Errno::EBADF)?;
        let mut slots = self.lock()?;
        reach(&mut slots, number)?;
        Ok(slots[number].replace(Slot { file, on_exec }).map(|old| old.file))
    }

    /// Takes the file under `number` out; `EBADF`. It is closed when the caller, and whoever shares it, lets go of it.
    pub fn take(&self, number: i32) -> Result<OpenFile, Errno> {
        let mut slots = self.lock()?;
        slot(&slots, number)?;
        slots[number as usize].take().map(|slot| slot.file).ok_or(Errno::EBADF)
    }

    /// What becomes of `number` in a new program; `EBADF`.
    pub fn on_exec(&self, number: i32) -> Result<OnExec, Errno> {
        let slots = self.lock()?;
        Ok(slot(&slots, number)?.on_exec)
    }

    /// Says what becomes of `number` in a new program; `EBADF`.
    pub fn set_on_exec(&self, number: i32, on_exec: OnExec) -> Result<(), Errno> {
        let mut slots = self.lock()?;
        slot(&slots, number)?;
        if let Some(slot) = &mut slots[number as usize] {
            slot.on_exec = on_exec;
        }
        Ok(())
    }

    /// A table of the same open files, for a child; `ENOMEM`.
    pub fn try_clone(&self) -> Result<Self, Errno> {
        let slots = self.lock()?;
        let mut copy = KVec::with_capacity(slots.len(), GfpFlags::KERNEL)?;
        for slot in slots.iter() {
            copy.push(slot.clone(), GfpFlags::KERNEL)?;
        }
        Ok(Self(Mutex::new(copy)))
    }

    /// Closes what a new program shall not have. The table gets as small as what is left of it, if there is memory to
    /// do so: that of a parent with many files may be large.
    pub fn close_for_exec(&self) -> Result<(), Errno> {
        self.close_where(|slot| slot.on_exec == OnExec::Close)?;
        let mut slots = self.lock()?;
        let used = slots.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        slots.truncate(used);
        if let Ok(mut small) = KVec::with_capacity(used, GfpFlags::KERNEL) {
            while let Some(slot) = slots.pop() {
                small.push(slot, GfpFlags::KERNEL)?;
            }
            small.reverse();
            *slots = small;
        }
        Ok(())
    }

    /// Closes all.
    pub fn close_all(&self) -> Result<(), Errno> {
        self.close_where(|_| true)
    }

    /// The numbers in use from `from` on: the first, and its file.
    pub fn next(&self, from: usize) -> Result<Option<(usize, OpenFile)>, Errno> {
        let slots = self.lock()?;
        let mut rest = slots.iter().enumerate().skip(from);
        Ok(rest.find_map(|(number, slot)| slot.as_ref().map(|slot| (number, slot.file.clone()))))
    }

    /// Closes one after the other, each without the lock.
    fn close_where(&self, goes: impl Fn(&Slot) -> bool) -> Result<(), Errno> {
        let mut from = 0;
        let mut take = || -> Result<Option<Slot>, Errno> {
            let mut slots = self.lock()?;
            let mut rest = slots.iter_mut().enumerate().skip(from);
            Ok(rest.find_map(|(number, place)| {
                from = number + 1;
                place.take_if(|slot| goes(slot))
            }))
        };
        while let Some(slot) = take()? {
            drop(slot);
        }
        Ok(())
    }

    /// No call that only looks up a number is interrupted by a signal.
    fn lock(&self) -> Result<MutexGuard<'_, KVec<Option<Slot>>>, LockError> {
        self.0.lock_uninterruptible()
    }
}

impl Default for Descriptors {
    fn default() -> Self {
        Self::new()
    }
}

fn slot(slots: &KVec<Option<Slot>>, number: i32) -> Result<&Slot, Errno> {
    let number = usize::try_from(number).map_err(|_| Errno::EBADF)?;
    slots.get(number).and_then(Option::as_ref).ok_or(Errno::EBADF)
}

/// Makes room for `number`.
fn reach(slots: &mut KVec<Option<Slot>>, number: usize) -> Result<(), Errno> {
    while slots.len() <= number {
        slots.push(None, GfpFlags::KERNEL)?;
    }
    Ok(())
}
