//! In which order areas give out slots.
//!
//! The area of the highest priority first; of equal ones each in turn, so that two disks share the work. An area
//! without a priority of its own gets one below all others, from -1 down.

use mm::space::SwapSlot;

/// The areas that give out slots, each by its number, with its priority: the next to be asked among equals first.
#[derive(Debug)]
pub(super) struct Order {
    /// The highest priority first; the first `len` count.
    areas: [(i16, u8); SwapSlot::AREAS],
    len: usize,
}

impl Order {
    /// No areas.
    pub const fn new() -> Self {
        Self { areas: [(0, 0); SwapSlot::AREAS], len: 0 }
    }

    /// The priority of an area that comes without one.
    pub fn lowest(&self) -> i16 {
        self.areas[..self.len].last().map_or(-1, |last| last.0.min(0).saturating_sub(1))
    }

    /// Puts an area in, behind those of its priority.
    pub fn add(&mut self, area: u8, priority: i16) {
        if self.len < SwapSlot::AREAS {
            let at = self.areas[..self.len].partition_point(|other| other.0 >= priority);
            self.areas[self.len] = (priority, area);
            self.len += 1;
            self.areas[at..self.len].rotate_right(1);
        }
    }

    /// Takes an area out.
    pub fn remove(&mut self, area: u8) {
        if let Some(at) = self.areas[..self.len].iter().position(|other| other.1 == area) {
            self.areas[at..self.len].rotate_left(1);
            self.len -= 1;
        }
    }

    /// What the first area that has something gives; of its equals, it is the last one to be asked next time.
    pub fn pick<T>(&mut self, mut ask: impl FnMut(u8) -> Option<T>) -> Option<T> {
        for equals in self.areas[..self.len].chunk_by_mut(|one, other| one.0 == other.0) {
            for at in 0..equals.len() {
                if let Some(given) = ask(equals[at].1) {
                    equals[at..].rotate_left(1);
                    return Some(given);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::Order;
    use mm::space::SwapSlot;

    fn picks(order: &mut Order, times: usize, full: &[u8]) -> Vec<Option<u8>> {
        (0..times).map(|_| order.pick(|area| (!full.contains(&area)).then_some(area))).collect()
    }

    #[test]
    fn the_highest_goes_first_and_equals_take_turns() {
        let mut order = Order::new();
        assert_eq!(order.pick(Some), None);
        for (area, priority) in [(0, 1), (1, 5), (2, 5), (3, -1), (4, 5)] {
            order.add(area, priority);
        }
        let some = |areas: &[u8]| areas.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(picks(&mut order, 4, &[]), some(&[1, 2, 4, 1]));
        assert_eq!(picks(&mut order, 3, &[4]), some(&[2, 1, 2]));
        assert_eq!(picks(&mut order, 2, &[1, 2, 4]), some(&[0, 0]));
        order.remove(0);
        order.remove(9);
        assert_eq!(picks(&mut order, 1, &[1, 2, 4]), some(&[3]));
        assert_eq!(picks(&mut order, 1, &[1, 2, 3, 4]), [None]);
    }

    #[test]
    fn without_a_priority_each_is_below_the_others() {
        let mut order = Order::new();
        for (area, priority) in [(0, -1), (1, -2)] {
            assert_eq!(order.lowest(), priority);
            order.add(area, priority);
        }
        order.add(2, 7);
        assert_eq!(order.lowest(), -3);
        order.remove(0);
        order.remove(1);
        assert_eq!(order.lowest(), -1);
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let mut order = Order::new();
        (0..=u8::MAX).for_each(|area| order.add(area, 0));
        let mut areas: Vec<u8> = picks(&mut order, SwapSlot::AREAS, &[]).into_iter().flatten().collect();
        areas.dedup();
        assert_eq!(areas.len(), SwapSlot::AREAS);
    }
}
