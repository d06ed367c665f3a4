//! The depot of a zone: full magazines of blocks, traded whole.
//!
//! A magazine is a chain through the entries of its blocks; the upper half of the first block's link leads to the
//! depot's next magazine.

use super::pageset::capacity;
use crate::addr::Pfn;
use crate::order::Order;
use crate::page::{BlockChain, NIL, PageMap, Word};
use crate::platform::MAX_CPUS;

/// Full magazines of one zone and order, in a pile for each CPU that traded them in.
///
/// A CPU gets its own back first: their entries in the page map are still in its data cache, and it is slow to follow a
/// chain that another CPU has there.
pub(super) struct Depot {
    piles: [u32; MAX_CPUS],
    magazines: u32,
}

impl Depot {
    pub(super) const EMPTY: Self = Self { piles: [NIL; MAX_CPUS], magazines: 0 };

    pub(super) const fn magazines(&self) -> u32 {
        self.magazines
    }

    /// Takes a full magazine, from the pile of `cpu` if that has one.
    pub(super) fn pop(&mut self, map: &PageMap, order: Order, cpu: usize) -> Option<BlockChain> {
        if self.magazines == 0 {
            return None;
        }
        let own = self.piles.get(cpu).is_some_and(|&head| head != NIL);
        let pile = if own { cpu } else { self.piles.iter().position(|&head| head != NIL)? };
        let magazine = BlockChain::from_head(self.piles[pile], capacity(order));
        self.piles[pile] = (map.at(Pfn::new(magazine.head())).link() >> 32) as u32;
        self.magazines -= 1;
        Some(magazine)
    }

    /// Checks that the magazines are full and every block in them reads `cached`.
    pub(super) fn validate(&self, map: &PageMap, order: Order, cached: Word) -> Result<(), &'static str> {
        let mut magazines = 0;
        for mut head in self.piles {
            while head != NIL && magazines < self.magazines {
                if !BlockChain::from_head(head, capacity(order)).is_sound(map, |word| word == cached) {
                    return Err("a depot holds a block that is not cached");
                }
                head = (map.at(Pfn::new(head)).link() >> 32) as u32;
                magazines += 1;
            }
            if head != NIL {
                return Err("a depot has more magazines than it counts");
            }
        }
        if magazines == self.magazines { Ok(()) } else { Err("a depot has fewer magazines than it counts") }
    }

    /// Adds a full magazine to the pile of `cpu`.
    pub(super) fn push(&mut self, map: &PageMap, magazine: BlockChain, cpu: usize) {
        let first = map.at(Pfn::new(magazine.head()));
        let pile = &mut self.piles[cpu];
        first.set_link(u64::from(first.link() as u32) | u64::from(*pile) << 32);
        *pile = magazine.head();
        self.magazines += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{Depot, capacity};
    use crate::addr::Pfn;
    use crate::order::Order;
    use crate::page::tests::map;
    use crate::page::{BlockChain, SECTION_FRAMES};

    #[test]
    fn a_cpu_gets_its_own_magazines_back_the_last_one_first() {
        let (order, map) = (Order::MAX, map(16 * SECTION_FRAMES, &[(0, 16 * SECTION_FRAMES)]));
        let mut depot = Depot::EMPTY;
        let all = [0, 1, 2, 3].map(|nth| {
            let mut magazine = BlockChain::EMPTY;
            for block in 0..capacity(order) {
                magazine.push(&map, Pfn::new((4 * nth + block) * SECTION_FRAMES));
            }
            magazine
        });
        assert!(depot.pop(&map, order, 1).is_none());
        for (magazine, cpu) in all.into_iter().zip([2, 1, 1, 2]) {
            depot.push(&map, magazine, cpu);
        }
        assert_eq!(depot.magazines(), 4);
        assert_eq!(depot.pop(&map, order, 2), Some(all[3]), "its own");
        assert_eq!(depot.pop(&map, order, 5), Some(all[2]), "another's");
        assert_eq!(depot.pop(&map, order, 2), Some(all[0]));
        assert_eq!(depot.pop(&map, order, 2), Some(all[1]), "another's, when its own are gone");
        assert!(depot.pop(&map, order, 2).is_none() && depot.magazines() == 0);
    }
}
