//! An object of a debugged cache: red zones, poison, and a record of its users.
//!
//! ```text
//!   ... | red zone | object: what was asked for | red zone ........... | record | ... | red zone | object | ...
//!         64 bytes   the rest of it belongs to the red zone   64 bytes
//! ```
//!
//! A red zone says whether its object is live. The record lies behind it, out of reach of a write that runs 64 bytes
//! too far; it has a seal, so that one that was overwritten all the same is not believed. The functions here check and
//! repair one object, which only the caller uses meanwhile.

use core::ops::Range;
use core::panic::Location;
use core::ptr::NonNull;

use crate::addr::VirtAddr;
use crate::objects::debug::DebugFlags;
use crate::places::Places;
use crate::report::{Damage, Dump};

/// Bytes of a red zone.
pub(super) const ZONE: usize = 64;

/// Bytes behind an object of `size` bytes: red zone, then, aligned, its record.
pub(super) const fn behind(size: usize) -> usize {
    record_offset(size) + size_of::<Record>() - size
}

/// Where the record is, from the object's start.
const fn record_offset(size: usize) -> usize {
    (size + ZONE).next_multiple_of(align_of::<Record>())
}

/// Bytes of the pattern that fills red zones.
const WORD: usize = size_of::<u64>();
/// The bytes of a red zone around a free object, and around a live one. (The magic numbers of 2.4.)
const FREE_ZONE: [u8; WORD] = 0x5a2c_f071_5a2c_f071_u64.to_ne_bytes();
const LIVE_ZONE: [u8; WORD] = 0x170f_c2a5_170f_c2a5_u64.to_ne_bytes();
/// The bytes of a free object, and its last one.
const POISON: u8 = 0x5a;
const POISON_END: u8 = 0xa5;
/// Mixed into the seal of a record.
const KEY: usize = 0x6b3d_94f0_a85c_17e2_u64 as usize;

/// The place of a call.
pub(super) type User = &'static Location<'static>;

/// The two users that are remembered.
#[derive(Clone, Copy)]
pub(super) enum Event {
    Alloc = 0,
    Free = 1,
}

/// Whether an object is live.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Live,
    Free,
}

impl Life {
    /// What its red zones are filled with.
    const fn zone(self) -> [u8; WORD] {
        match self {
            Self::Live => LIVE_ZONE,
            Self::Free => FREE_ZONE,
        }
    }
}

/// What is known of an object's users.
#[derive(Clone, Copy)]
#[repr(C)]
struct Record {
    /// Addresses of the places where it was allocated and freed; 0 for none.
    users: [usize; 2],
    /// Bytes that were asked for.
    requested: usize,
    seal: usize,
}

impl Record {
    const fn new(requested: usize) -> Self {
        Self { users: [0; 2], requested, seal: 0 }
    }

    /// The seal of this record at this place.
    fn sum(&self, place: *const Self) -> usize {
        self.users[0] ^ self.users[1].rotate_left(1) ^ self.requested.rotate_left(2) ^ place.addr() ^ KEY
    }
}

/// An object of a debugged cache, with its surroundings.
#[derive(Clone, Copy)]
pub(super) struct Watched {
    object: NonNull<u8>,
    size: usize,
    flags: DebugFlags,
}

/// What is wrong with an object, for a report.
#[derive(Clone, Copy)]
pub(super) struct Finding {
    pub(super) addr: VirtAddr,
    pub(super) damage: Damage,
    pub(super) dump: Dump,
    pub(super) users: [Option<User>; 2],
}

impl Watched {
    /// # Safety
    /// `object` is `size` bytes; where `flags` need space, [`ZONE`] bytes before it and [`behind`] bytes behind it
    /// belong to it, and [`prepare`](Self::prepare) comes first. Only the caller uses these as long as this exists, and
    /// the object itself, except that an owner may write to one that is live.
    pub(super) unsafe fn new(object: NonNull<u8>, size: usize, flags: DebugFlags) -> Self {
        Self { object, size, flags }
    }

    fn bytes(&mut self, range: Range<isize>) -> &mut [u8] {
        let first = self.object.as_ptr().wrapping_offset(range.start);
        let len = range.end.saturating_sub(range.start).max(0);
        // SAFETY: by the contract of `new` the ranges asked for here belong to the object and to the caller.
        unsafe { core::slice::from_raw_parts_mut(first, len as usize) }
    }

    /// The red zone before the object.
    fn before() -> Range<isize> {
        -(ZONE as isize)..0
    }

    /// The red zone behind it: of a live one, from the end of what was asked for.
    fn behind(&self, life: Life) -> Range<isize> {
        let start = if life == Life::Live { self.requested() } else { self.size };
        start as isize..(self.size + ZONE) as isize
    }

    fn content(&mut self) -> &mut [u8] {
        self.bytes(0..self.size as isize)
    }

    /// Prepares fresh memory for a free object.
    pub(super) fn prepare(&mut self) {
        self.write_record(Record::new(self.size));
        self.mark(Life::Free);
    }

    /// Makes a free object live: so many bytes were asked for, by this user.
    pub(super) fn hand_out(&mut self, requested: usize, user: User) {
        let users = [user_bits(Some(user)), user_bits(self.users()[Event::Free as usize])];
        self.write_record(Record { users, ..Record::new(requested.clamp(1, self.size)) });
        self.mark(Life::Live);
    }

    /// Changes how many bytes were asked for, of a live object without damage.
    pub(super) fn resize(&mut self, requested: usize) {
        let users = self.users().map(user_bits);
        self.write_record(Record { users, ..Record::new(requested.clamp(1, self.size)) });
        if self.flags.contains(DebugFlags::RED_ZONE) {
            self.fill(self.behind(Life::Live), Life::Live);
        }
    }

    /// Makes a live object free, by this user.
    pub(super) fn take_back(&mut self, user: User) {
        let users = [user_bits(self.users()[Event::Alloc as usize]), user_bits(Some(user))];
        self.write_record(Record { users, ..Record::new(self.size) });
        self.mark(Life::Free);
    }

    /// Writes red zones and poison, or zeros, as an object in `life` has them.
    fn mark(&mut self, life: Life) {
        if self.flags.contains(DebugFlags::POISON) && life == Life::Free {
            let content = self.content();
            content.fill(POISON);
            if let Some(last) = content.last_mut() {
                *last = POISON_END;
            }
        } else if self.flags.contains(DebugFlags::ZERO_ON_FREE) && life == Life::Free
            || self.flags.contains(DebugFlags::ZERO_ON_ALLOC) && life == Life::Live
        {
            self.content().fill(0);
        }
        if self.flags.contains(DebugFlags::RED_ZONE) {
            self.fill(Self::before(), life);
            self.fill(self.behind(life), life);
        }
    }

    /// Fills a red zone.
    fn fill(&mut self, zone: Range<isize>, life: Life) {
        let pattern = turned(life.zone(), zone.start);
        self.bytes(zone).chunks_mut(WORD).for_each(|chunk| chunk.copy_from_slice(&pattern[..chunk.len()]));
    }

    /// The first wrong byte of a red zone.
    fn wrong_in(&mut self, zone: Range<isize>, life: Life) -> Option<isize> {
        let (start, pattern) = (zone.start, turned(life.zone(), zone.start));
        let mut chunks = self.bytes(zone).chunks(WORD).enumerate();
        let (nth, chunk) = chunks.find(|(_, chunk)| *chunk != &pattern[..chunk.len()])?;
        let at = chunk.iter().zip(pattern).position(|(&byte, right)| byte != right)?;
        Some(start + (nth * WORD + at) as isize)
    }

    /// The first damage to an object in `life`, and the place of the first wrong byte, counted from the object's start.
    pub(super) fn damage(&mut self, life: Life) -> Option<(Damage, isize)> {
        if self.flags.contains(DebugFlags::RED_ZONE) {
            if let Some(at) = self.wrong_in(Self::before(), life) {
                return Some((Damage::Before, at));
            }
            if let Some(at) = self.wrong_in(self.behind(life), life) {
                return Some((Damage::Behind, at));
            }
        }
        if self.flags.need_space() && self.record().is_none() {
            return Some((Damage::Record, record_offset(self.size) as isize));
        }
        if self.flags.contains(DebugFlags::POISON) && life == Life::Free {
            let (last, rest) = self.content().split_last()?;
            let wrong = rest.iter().position(|&byte| byte != POISON);
            let end = if *last == POISON_END { None } else { Some(rest.len()) };
            return wrong.or(end).map(|at| (Damage::AfterFree, at as isize));
        }
        None
    }

    /// The first damage to an object in `life`, which is repaired.
    pub(super) fn find(&mut self, life: Life) -> Option<Finding> {
        let (damage, at) = self.damage(life)?;
        let addr = VirtAddr::from_ptr(self.object.as_ptr());
        let finding = Finding { addr, damage, dump: self.dump(at), users: self.users() };
        self.repair(damage, life);
        Some(finding)
    }

    /// Repairs the damage around an object in `life`.
    fn repair(&mut self, damage: Damage, life: Life) {
        match damage {
            Damage::Before => self.fill(Self::before(), life),
            Damage::Behind => self.fill(self.behind(life), life),
            Damage::Record => self.write_record(Record::new(self.size)),
            Damage::AfterFree => self.mark(Life::Free),
            Damage::SlabEnd => {}
        }
    }

    /// Up to eight bytes from `at` on, counted from the object's start, for a report.
    fn dump(&mut self, at: isize) -> Dump {
        let room = if self.flags.need_space() { behind(self.size) } else { 0 };
        let len = ((self.size + room) as isize - at).clamp(0, 8);
        let mut bytes = [0; 8];
        bytes[..len as usize].copy_from_slice(self.bytes(at..at + len));
        Dump { at, bytes, len: len as usize }
    }

    /// Forgets the users that lie in `places`; not who has a live object now.
    pub(super) fn forget_users(&mut self, life: Life, places: Places<'_>) {
        let Some(record) = self.record() else { return };
        let mut users = self.users();
        let first = if life == Life::Live { Event::Free } else { Event::Alloc };
        for user in &mut users[first as usize..] {
            *user = user.filter(|&user| !places.has_caller(Some(user)));
        }
        let users = users.map(user_bits);
        if users != record.users {
            self.write_record(Record { users, ..record });
        }
    }

    fn record_place(&self) -> *mut Record {
        self.object.as_ptr().wrapping_add(record_offset(self.size)).cast()
    }

    fn write_record(&mut self, mut record: Record) {
        if self.flags.need_space() {
            if !self.flags.contains(DebugFlags::USERS) {
                record.users = [0; 2];
            }
            record.seal = record.sum(self.record_place());
            // SAFETY: by the contract of `new` the place belongs to the object, whose start is aligned to 8.
            unsafe { self.record_place().write(record) };
        }
    }

    /// The record, if there is one and nothing else was written there.
    fn record(&self) -> Option<Record> {
        if !self.flags.need_space() {
            return None;
        }
        // SAFETY: as in `write_record`; numbers, whatever they are.
        let record = unsafe { self.record_place().read() };
        (record.seal == record.sum(self.record_place())).then_some(record)
    }

    /// Bytes that were asked for: those of the whole object if that is not known.
    pub(super) fn requested(&self) -> usize {
        self.record().map_or(self.size, |record| record.requested)
    }

    /// The last users, as far as they are known.
    pub(super) fn users(&self) -> [Option<User>; 2] {
        let users = self.record().map_or([0; 2], |record| record.users);
        // SAFETY: the seal says that `user_bits` made the number.
        users.map(|user| unsafe { (user as *const Location<'static>).as_ref() })
    }
}

/// A user as it stands in a record.
fn user_bits(user: Option<User>) -> usize {
    user.map_or(0, |user| core::ptr::from_ref(user).expose_provenance())
}

/// The pattern as it is from the place `start` on.
fn turned(pattern: [u8; WORD], start: isize) -> [u8; WORD] {
    core::array::from_fn(|at| pattern[(start + at as isize).rem_euclid(WORD as isize) as usize])
}
