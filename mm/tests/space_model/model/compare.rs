//! What must be so between two operations, and at the end.

use mm::space::FaultAccess;
use mm::testing::HostUser;

use super::{Model, OBJECT_PAGES, Process, Seen};
use crate::common::{at_rest, blocks};
use crate::naive::PLACES;
use crate::swap::is_zero_but_at;

impl Model {
    /// Compares every page of every space, and checks all invariants.
    pub(super) fn compare(&mut self) {
        let mut areas = vec![0; self.objects.len()];
        let here = self.here();
        let swapped: usize = self.processes.iter().map(|process| process.program.space.usage().swapped).sum();
        assert_eq!(swapped, self.swap.store.shares(), "{here}");
        for process in &mut self.processes {
            let Process { program, naive } = process;
            assert_eq!(program.space.validate(), Ok(()), "{here}");
            let pages = program
                .areas()
                .into_iter()
                .flat_map(|(start, end, protection)| (start / 4096..end / 4096).map(move |page| (page, protection)));
            assert!(pages.eq(naive.pages.iter().map(|(&page, found)| (page, found.protection))), "{here}");
            for area in program.space.areas().filter_map(|area| area.object) {
                let nth = self.objects.iter().position(|object| mm::space::Object::is_same(object, area.0));
                areas[nth.expect("one of ours")] += 1;
            }
            let numbers: Vec<usize> = naive.pages.keys().copied().collect();
            for page in numbers {
                for (place, offset) in PLACES.into_iter().enumerate() {
                    let expected = naive.read(page, FaultAccess::Read, &self.bytes).map(|bytes| bytes[place]);
                    assert_eq!(program.read(page * 4096 + offset), expected, "{here}: page {page:#x}");
                }
                if let Ok(start) = program.reach(page * 4096, FaultAccess::Read) {
                    // SAFETY: the page shows to the program, and tests have one thread.
                    let bytes = unsafe { core::slice::from_raw_parts(start, 4096) };
                    assert!(is_zero_but_at(bytes, &PLACES), "{here}: page {page:#x}");
                }
            }
        }
        for (nth, object) in self.objects.iter().enumerate() {
            assert_eq!(object.areas(), areas[nth], "{here}");
        }
        assert_eq!(self.memory.platform().take_reports(), Vec::<String>::new(), "{here}");
    }

    pub fn finish(mut self) {
        self.compare();
        self.processes.clear();
        self.swap.store.at_rest();
        HostUser.set_swap(None);
        assert!(self.objects.iter().all(|object| (0..OBJECT_PAGES).all(|page| object.users(page) == 0)));
        self.objects.clear();
        self.memory.drop_caches();
        at_rest(self.memory);
        assert_eq!(blocks(self.memory), self.start, "seed {}", self.seed);
        assert_eq!(self.memory.pages().anonymous_pages(), 0);
        assert!(self.failures > 50, "{}", self.failures);
        let Seen { swapped, unreadable, full, refused, emptied } = self.seen;
        let seen = [swapped / 100, unreadable, full, refused, emptied];
        assert!(seen.iter().all(|&times| times > 10), "{seen:?}");
    }
}
