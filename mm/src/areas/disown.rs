//! Whoever took areas is gone: which are left, and what leads there.

use super::AreaAllocator;
use crate::areas::area::{AreaRef, AreaState};
use crate::areas::lookup::AreaInfo;
use crate::areas::tree::AreaTree;
use crate::places::Places;
use crate::platform::{Lock, Platform};

impl<P: Platform> AreaAllocator<P> {
    /// Calls `visit` with each area that is not free and was taken by a caller in `places`; returns how many those are.
    /// Any context.
    pub(crate) fn each_area_in(&'static self, places: Places<'_>, visit: &mut dyn FnMut(&AreaInfo)) -> usize {
        self.iter().filter(|area| places.has_caller(area.caller)).inspect(|area| visit(area)).count()
    }

    /// Has free areas forget callers in `places`. Process context.
    pub(crate) fn forget_callers(&'static self, places: Places<'_>) {
        self.take_late_apart();
        let forget = |area: AreaRef| {
            if area.state() == AreaState::Free {
                area.forget_caller(places);
            }
        };
        let forget_all = |tree: &mut AreaTree| tree.for_each(&mut { forget });
        self.tree.with(forget_all);
        self.code.tree.with(forget_all);
    }
}
