//! One area of a space: what it shows, and what may be done there.

use super::object::Object;
use super::words::{Content, Growth, MapRequest, Role, Sharing};
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::mapper::Protection;

/// Addresses below a growing area that stay free, so that a stack runs into them and not into an area: 1 MiB, as on
/// Linux.
pub(super) const GUARD: usize = 1 << 20;

/// What is the same in a whole area.
#[derive(Clone, Debug)]
pub(super) struct Area<O> {
    pub(super) start: VirtAddr,
    pub(super) end: VirtAddr,
    pub(super) protection: Protection,
    pub(super) most: Protection,
    pub(super) sharing: Sharing,
    pub(super) growth: Growth,
    pub(super) role: Role,
    /// An object's page is that of `start`.
    pub(super) content: Content<O>,
}

impl<O: Object> Area<O> {
    /// The area that was asked for, at these addresses.
    pub(super) fn new(start: VirtAddr, end: VirtAddr, request: MapRequest<O>) -> Self {
        let MapRequest { protection, most, sharing, growth, role, content, .. } = request;
        Self { start, end, protection, most, sharing, growth, role, content }
    }

    /// Pages of addresses.
    pub(super) fn pages(&self) -> usize {
        (self.end.as_usize() - self.start.as_usize()) / PAGE_SIZE
    }

    /// The lowest address that no other area is given.
    pub(super) fn low(&self) -> VirtAddr {
        match self.growth {
            Growth::None => self.start,
            Growth::Down => VirtAddr::new(self.start.as_usize().saturating_sub(GUARD)),
        }
    }

    /// The object and its page that `at`, an address of the area, shows.
    pub(super) fn object_at(&self, at: VirtAddr) -> Option<(&O, u64)> {
        match &self.content {
            Content::Anonymous => None,
            Content::Object(object, first) => {
                Some((object, first.wrapping_add(((at.as_usize() - self.start.as_usize()) / PAGE_SIZE) as u64)))
            }
        }
    }

    /// Whether it shows an object as all see it.
    pub(super) fn is_shared_object(&self) -> bool {
        self.sharing == Sharing::Shared && matches!(self.content, Content::Object(..))
    }

    /// The part from `at` on, which becomes an area of its own; this one ends there.
    pub(super) fn split_off(&mut self, at: VirtAddr) -> Self {
        let mut upper = self.clone();
        upper.start = at;
        if let (Content::Object(object, first), Some((_, page))) = (&mut upper.content, self.object_at(at)) {
            *first = page;
            object.mapped();
        }
        self.end = at;
        upper
    }

    /// Whether `upper`, which starts where this one ends, could be part of it.
    pub(super) fn continues_in(&self, upper: &Self) -> bool {
        let alike = self.end == upper.start
            && (self.protection, self.most) == (upper.protection, upper.most)
            && (self.sharing, self.growth, self.role) == (upper.sharing, upper.growth, upper.role);
        alike
            && match (self.object_at(self.end), &upper.content) {
                (None, Content::Anonymous) => true,
                (Some((object, page)), Content::Object(other, first)) => page == *first && object.is_same(other),
                _ => false,
            }
    }

    /// One area more, or less, shows the object, if there is one.
    pub(super) fn tell(&self, what: impl FnOnce(&O)) {
        if let Content::Object(object, _) = &self.content {
            what(object);
        }
    }
}

/// An area, as others see it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AreaInfo<'a, O> {
    /// The first address.
    pub start: VirtAddr,
    /// The first address behind it.
    pub end: VirtAddr,
    /// What may be done there.
    pub protection: Protection,
    /// Who sees what is written.
    pub sharing: Sharing,
    /// What it is for.
    pub role: Role,
    /// The object and the page of it that `start` shows, where it is not memory of the process's own.
    pub object: Option<(&'a O, u64)>,
}

impl<'a, O: Object> AreaInfo<'a, O> {
    pub(super) fn of(area: &'a Area<O>) -> Self {
        let Area { start, end, protection, sharing, role, .. } = *area;
        Self { start, end, protection, sharing, role, object: area.object_at(start) }
    }
}
