//! What /proc tells of swap, and what may be set.

use core::fmt;
use core::sync::atomic::Ordering::Relaxed;

use kapi::{Kernel, SpinLock};
use mm::kib;
use mm::own::{KArc, KString};

use super::area::{MAX_AREAS, Phase, Swap, Totals};

/// The most that [`Swap::set_read_ahead`] takes: 32 pages, as many as a request of a disk has.
pub const MAX_READ_AHEAD: u32 = 5;

/// What is told of an area.
struct Facts<K: Kernel> {
    name: KArc<KString<K>, K>,
    slots: usize,
    used: usize,
    priority: i16,
}

impl<K: Kernel> Swap<K> {
    /// Slots of all areas that give some out. Any context.
    pub fn totals(&self) -> Totals {
        self.areas.with(|areas| areas.totals())
    }

    /// /proc/swaps, as Linux 2.4 has it: sizes in kB. Process context.
    ///
    /// # Errors
    /// `out` has failed.
    pub fn write_areas(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        writeln!(out, "Filename\t\t\tType\t\tSize\tUsed\tPriority")?;
        (0..MAX_AREAS).filter_map(|number| self.facts(u8::try_from(number).ok()?)).try_for_each(|facts| {
            let (size, used) = (kib(facts.slots), kib(facts.used));
            writeln!(out, "{:<31} partition\t{size}\t{used}\t{}", facts.name.as_str(), facts.priority)
        })
    }

    fn facts(&self, number: u8) -> Option<Facts<K>> {
        self.areas.with(|areas| {
            let area = areas.get(number).filter(|area| area.phase != Phase::Closed)?;
            let (slots, used) = (area.map.good(), area.map.used());
            Some(Facts { name: area.name.clone(), slots, used, priority: area.priority })
        })
    }

    /// How many pages are read at once when one is wanted, as a power of two: /proc/sys/vm/page-cluster. Any context.
    pub fn read_ahead(&self) -> u32 {
        self.read_ahead.load(Relaxed)
    }

    /// Sets it; says whether it was small enough. Any context.
    pub fn set_read_ahead(&self, power: u32) -> bool {
        let is_right = power <= MAX_READ_AHEAD;
        if is_right {
            self.read_ahead.store(power, Relaxed);
        }
        is_right
    }
}
