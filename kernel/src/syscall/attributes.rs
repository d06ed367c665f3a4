//! What is known of files, and changed of it.

use alloc::sync::Arc;

use abi::stat::Attributes;
use kapi::Errno;
use linux_raw_sys::general::{
    AT_EACCESS, AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_STATX_SYNC_TYPE, AT_SYMLINK_NOFOLLOW, S_IFBLK, S_IFCHR,
    S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, UTIME_NOW, UTIME_OMIT,
};
use mm::VirtAddr;
use vfs::Rights;

use super::call::{Call, Outcome};
use super::entry::{Entry, calls};
use crate::fs::{self, Change, Follow, Kind, Node, OpenFile, Stat, Timestamp};
use crate::time::realtime;
use crate::user;

pub(super) const CALLS: &[Entry] = calls![
    stat(Path, Address),
    lstat(Path, Address),
    fstat(Fd, Address),
    newfstatat(Fd, Path, Address, Flags),
    statx(Fd, Path, Flags, Flags, Address),
    access(Path, Flags),
    faccessat(Fd, Path, Flags),
    faccessat2(Fd, Path, Flags, Flags),
    chmod(Path, Mode),
    fchmod(Fd, Mode),
    fchmodat(Fd, Path, Mode),
    fchmodat2(Fd, Path, Mode, Flags),
    chown(Path, Count, Count),
    lchown(Path, Count, Count),
    fchown(Fd, Count, Count),
    fchownat(Fd, Path, Count, Count, Flags),
    utime(Path, Address),
    utimes(Path, Address),
    futimesat(Fd, Path, Address),
    utimensat(Fd, Path, Address, Flags),
    truncate(Path, Count),
];

/// What a call is about: what a name leads to, or what is open.
enum Subject {
    Named(Arc<dyn Node>),
    Open(OpenFile),
}

impl Subject {
    /// What arguments `directory` and `path` name, with flags of the `at` calls.
    fn at(call: &Call<'_>, directory: usize, path: usize, flags: u32) -> Result<Self, Errno> {
        let name = call.path_or_empty(path)?;
        if name.is_empty() {
            return if flags & AT_EMPTY_PATH == 0 { Err(Errno::ENOENT) } else { Self::of_directory(call, directory) };
        }
        let follow = if flags & AT_SYMLINK_NOFOLLOW != 0 { Follow::No } else { Follow::Yes };
        Ok(Self::Named(call.place_at(directory, &name)?.node(name.as_str(), follow)?))
    }

    /// What the descriptor is itself; the current directory, if it says so.
    fn of_directory(call: &Call<'_>, directory: usize) -> Result<Self, Errno> {
        if call.int(directory) == AT_FDCWD {
            return Ok(Self::Named(call.place()?.directory()?));
        }
        Ok(Self::Open(call.file(directory)?))
    }

    /// What argument `path` names.
    fn named(call: &Call<'_>, path: usize, follow: Follow) -> Result<Self, Errno> {
        Ok(Self::Named(call.place()?.node(call.path(path)?.as_str(), follow)?))
    }

    fn stat(&self) -> Result<Stat, Errno> {
        match self {
            Self::Named(node) => node.stat(),
            Self::Open(file) => file.stat(),
        }
    }

    fn node(&self) -> Result<&Arc<dyn Node>, Errno> {
        match self {
            Self::Named(node) => Ok(node),
            Self::Open(file) => file.node().ok_or(Errno::EINVAL),
        }
    }

    fn change(&self, call: &Call<'_>, change: Change) -> Outcome {
        call.place()?.change(self.node()?, change)?;
        Ok(0)
    }

    /// Sets both times to now.
    fn touch(&self, call: &Call<'_>) -> Outcome {
        call.place()?.touch(self.node()?)?;
        Ok(0)
    }
}

/// `EINVAL` for flags that are not among `known`.
const fn check(flags: u32, known: u32) -> Result<u32, Errno> {
    if flags & !known == 0 { Ok(flags) } else { Err(Errno::EINVAL) }
}

fn stat(call: &mut Call<'_>) -> Outcome {
    tell(call, 1, &Subject::named(call, 0, Follow::Yes)?)
}

fn lstat(call: &mut Call<'_>) -> Outcome {
    tell(call, 1, &Subject::named(call, 0, Follow::No)?)
}

fn fstat(call: &mut Call<'_>) -> Outcome {
    tell(call, 1, &Subject::Open(call.file(0)?))
}

fn newfstatat(call: &mut Call<'_>) -> Outcome {
    let flags = check(call.word(3), AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT)?;
    tell(call, 2, &Subject::at(call, 0, 1, flags)?)
}

fn tell(call: &Call<'_>, at: usize, subject: &Subject) -> Outcome {
    user::copy_to(call.address(at), &attributes(&subject.stat()?).stat())?;
    Ok(0)
}

fn statx(call: &mut Call<'_>) -> Outcome {
    let known = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE;
    let subject = Subject::at(call, 0, 1, check(call.word(2), known)?)?;
    user::copy_to(call.address(4), &attributes(&subject.stat()?).statx())?;
    Ok(0)
}

/// In the words of programs.
fn attributes(stat: &Stat) -> Attributes {
    let known = &stat.attributes;
    let (kind, rdev) = match known.kind {
        Kind::File => (S_IFREG, (0, 0)),
        Kind::Directory => (S_IFDIR, (0, 0)),
        Kind::Link => (S_IFLNK, (0, 0)),
        Kind::Device { major, minor } => (S_IFCHR, (major.into(), minor.into())),
        Kind::Block { major, minor } => (S_IFBLK, (major.into(), minor.into())),
        Kind::Pipe => (S_IFIFO, (0, 0)),
    };
    let time = |time: Timestamp| (time.seconds, time.nanos);
    Attributes {
        device: (0, stat.id.device),
        inode: stat.id.inode,
        links: known.links,
        mode: kind | u32::from(known.mode),
        user: known.user,
        group: known.group,
        rdev,
        size: stat.size,
        blocks: stat.blocks,
        accessed: time(known.accessed),
        modified: time(known.modified),
        changed: time(known.changed),
    }
}

fn access(call: &mut Call<'_>) -> Outcome {
    may(call, &Subject::named(call, 0, Follow::Yes)?, call.word(1), Asked::Real)
}

fn faccessat(call: &mut Call<'_>) -> Outcome {
    may(call, &Subject::at(call, 0, 1, 0)?, call.word(2), Asked::Real)
}

fn faccessat2(call: &mut Call<'_>) -> Outcome {
    let flags = check(call.word(3), AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    let asked = if flags & AT_EACCESS != 0 { Asked::Effective } else { Asked::Real };
    may(call, &Subject::at(call, 0, 1, flags)?, call.word(2), asked)
}

/// About whose rights is asked. The way to the file is always the effective user's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Real,
    Effective,
}

fn may(call: &Call<'_>, subject: &Subject, wanted: u32, asked: Asked) -> Outcome {
    let wanted = u16::try_from(wanted).ok().and_then(Rights::from_bits).ok_or(Errno::EINVAL)?;
    let who = call.process.credentials();
    let who = if asked == Asked::Real { who.as_real() } else { who };
    vfs::may(&who, &subject.stat()?.attributes, wanted)?;
    Ok(0)
}

fn chmod(call: &mut Call<'_>) -> Outcome {
    Subject::named(call, 0, Follow::Yes)?.change(call, mode(call, 1))
}

fn fchmod(call: &mut Call<'_>) -> Outcome {
    Subject::Open(call.file(0)?).change(call, mode(call, 1))
}

fn fchmodat(call: &mut Call<'_>) -> Outcome {
    Subject::at(call, 0, 1, 0)?.change(call, mode(call, 2))
}

fn fchmodat2(call: &mut Call<'_>) -> Outcome {
    let flags = check(call.word(3), AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    Subject::at(call, 0, 1, flags)?.change(call, mode(call, 2))
}

fn mode(call: &Call<'_>, index: usize) -> Change {
    Change::Mode(call.word(index) as u16 & 0o7777)
}

fn chown(call: &mut Call<'_>) -> Outcome {
    Subject::named(call, 0, Follow::Yes)?.change(call, owner(call, 1))
}

fn lchown(call: &mut Call<'_>) -> Outcome {
    Subject::named(call, 0, Follow::No)?.change(call, owner(call, 1))
}

fn fchown(call: &mut Call<'_>) -> Outcome {
    Subject::Open(call.file(0)?).change(call, owner(call, 1))
}

fn fchownat(call: &mut Call<'_>) -> Outcome {
    let flags = check(call.word(4), AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    Subject::at(call, 0, 1, flags)?.change(call, owner(call, 2))
}

/// Owner and group that arguments `index` and the next one say; -1 leaves one as it is.
fn owner(call: &Call<'_>, index: usize) -> Change {
    let id = |index: usize| Some(call.word(index)).filter(|id| *id != u32::MAX);
    Change::Owner { user: id(index), group: id(index + 1) }
}

fn utime(call: &mut Call<'_>) -> Outcome {
    let subject = Subject::named(call, 0, Follow::Yes)?;
    let Some(at) = call.optional(1) else { return subject.touch(call) };
    let seconds = |at: VirtAddr| user::read_value::<i64>(at).map(|seconds| Timestamp { seconds, nanos: 0 });
    subject.change(call, Change::Times { accessed: Some(seconds(at)?), modified: Some(seconds(at.add(8))?) })
}

fn utimes(call: &mut Call<'_>) -> Outcome {
    let subject = Subject::named(call, 0, Follow::Yes)?;
    set_times(call, &subject, call.optional(1), Fraction::Micros)
}

fn futimesat(call: &mut Call<'_>) -> Outcome {
    let subject = at_or_open(call, 0)?;
    set_times(call, &subject, call.optional(2), Fraction::Micros)
}

fn utimensat(call: &mut Call<'_>) -> Outcome {
    let flags = check(call.word(3), AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    let subject = at_or_open(call, flags)?;
    set_times(call, &subject, call.optional(2), Fraction::Nanos)
}

/// Without a path, what is open itself.
fn at_or_open(call: &Call<'_>, flags: u32) -> Result<Subject, Errno> {
    match call.optional(1) {
        Some(_) => Subject::at(call, 0, 1, flags),
        None => Ok(Subject::Open(call.file(0)?)),
    }
}

/// What a time's second number counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fraction {
    Micros,
    Nanos,
}

/// Sets both times to those at `at`, or to now.
fn set_times(call: &Call<'_>, subject: &Subject, at: Option<VirtAddr>, fraction: Fraction) -> Outcome {
    let Some(at) = at else { return subject.touch(call) };
    let mut bytes = [0; 32];
    user::copy_from(at, &mut bytes)?;
    let (first, second) = bytes.split_at(16);
    if fraction == Fraction::Nanos && [first, second].map(pair).iter().all(|(_, part)| *part == NOW) {
        return subject.touch(call);
    }
    subject.change(call, Change::Times { accessed: time_of(first, fraction)?, modified: time_of(second, fraction)? })
}

/// What stands for a time that is not told: now, and what the file has.
const NOW: u64 = UTIME_NOW as u64;
const OMIT: u64 = UTIME_OMIT as u64;

/// The two numbers of 16 bytes.
fn pair(bytes: &[u8]) -> (u64, u64) {
    let mut pair = [0; 16];
    pair.copy_from_slice(bytes);
    abi::record::pair(&pair)
}

/// The time that is stored at `bytes`; `None` stands for the time that the file has. `EINVAL`.
fn time_of(bytes: &[u8], fraction: Fraction) -> Result<Option<Timestamp>, Errno> {
    let (seconds, part) = pair(bytes);
    let nanos = match (fraction, part) {
        (Fraction::Nanos, NOW) => return Ok(Some(Timestamp::from(realtime()))),
        (Fraction::Nanos, OMIT) => return Ok(None),
        (Fraction::Nanos, 0..1_000_000_000) => part as u32,
        (Fraction::Micros, 0..1_000_000) => part as u32 * 1000,
        _ => return Err(Errno::EINVAL),
    };
    Ok(Some(Timestamp { seconds: seconds as i64, nanos }))
}

fn truncate(call: &mut Call<'_>) -> Outcome {
    let (path, size) = (call.path(0)?, call.position(1)?);
    fs::truncate(&call.place()?, path.as_str(), size)?;
    Ok(0)
}
