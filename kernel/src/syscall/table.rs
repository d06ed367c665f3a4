//! All calls by number, and how often they came.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use kapi::Errno;

use super::entry::Entry;
use super::{
    attributes, copying, descriptors, files, identity, io, kernel_log, memory, modules, mounts, names, poll, process,
    refused, session, signal, swap, system, thread, time,
};
use crate::fs::procfs::{self, Source};

/// The rows of all families.
const FAMILIES: &[&[Entry]] = &[
    attributes::CALLS,
    copying::CALLS,
    descriptors::CALLS,
    files::CALLS,
    identity::CALLS,
    io::CALLS,
    kernel_log::CALLS,
    memory::CALLS,
    modules::CALLS,
    mounts::CALLS,
    names::CALLS,
    poll::CALLS,
    process::CALLS,
    refused::CALLS,
    session::CALLS,
    signal::CALLS,
    swap::CALLS,
    system::CALLS,
    thread::CALLS,
    time::CALLS,
];

/// Numbers that the table has room for.
const NUMBERS: usize = 512;

/// A function for each number.
static TABLE: [Option<Entry>; NUMBERS] = by_number();

const fn by_number() -> [Option<Entry>; NUMBERS] {
    let mut table = [None; NUMBERS];
    let mut family = 0;
    while family < FAMILIES.len() {
        let mut row = 0;
        while row < FAMILIES[family].len() {
            let entry = FAMILIES[family][row];
            assert!(table[entry.number as usize].is_none(), "two functions for one call");
            table[entry.number as usize] = Some(entry);
            row += 1;
        }
        family += 1;
    }
    table
}

/// How often calls of one number came.
struct Count {
    calls: AtomicU64,
    errors: AtomicU64,
}

/// The last place is for all numbers beyond the table.
static COUNTS: [Count; NUMBERS + 1] =
    [const { Count { calls: AtomicU64::new(0), errors: AtomicU64::new(0) } }; NUMBERS + 1];

/// What is known of the call with this number.
fn entry(number: usize) -> Option<&'static Entry> {
    TABLE.get(number)?.as_ref()
}

/// Notes that a call came; what is known of it.
pub(super) fn counted(number: usize) -> Option<&'static Entry> {
    let Some(entry) = TABLE.get(number) else {
        COUNTS[NUMBERS].calls.fetch_add(1, Relaxed);
        return None;
    };
    COUNTS[number].calls.fetch_add(1, Relaxed);
    entry.as_ref()
}

/// Notes that it failed.
pub(super) fn count_error(number: usize) {
    COUNTS[number.min(NUMBERS)].errors.fetch_add(1, Relaxed);
}

/// Has /proc/syscalls show what programs asked for. `ENOMEM`.
pub fn init() -> Result<(), Errno> {
    procfs::register("syscalls", Source::Text(write_counts))
}

/// All calls that came: number, name, how often, how many failed, and whether nobody answers.
fn write_counts(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{:>6} {:<24}{:>10}{:>10}", "number", "name", "calls", "errors")?;
    for (number, count) in COUNTS.iter().enumerate() {
        let (calls, errors) = (count.calls.load(Relaxed), count.errors.load(Relaxed));
        if calls == 0 {
            continue;
        }
        let name = abi::names::of(number).unwrap_or(if number < NUMBERS { "?" } else { "and beyond" });
        let remark = if entry(number).is_some() { "" } else { "  not implemented" };
        writeln!(out, "{number:>6} {name:<24}{calls:>10}{errors:>10}{remark}")?;
    }
    Ok(())
}
