//! What is known of a frame beyond the page map: objects, callers, areas.
//!
//! Where each list is in order, of frames or of addresses.

use std::rc::Rc;

/// A slab and the objects in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Slab {
    /// Its first frame.
    pub frame: u32,
    /// Its pages.
    pub pages: u32,
    /// Bytes from the start of these to the first object.
    pub start: u32,
    /// What each object is.
    pub objects: Vec<ObjectUse>,
}

/// Who has an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ObjectUse {
    /// Nobody.
    Free = 0,
    /// A magazine.
    Cached = 1,
    /// The quarantine.
    Quarantined = 2,
    /// Somebody.
    Live = 3,
    /// The kernel's word for it is damaged, or was just being changed.
    Unknown = 4,
}

impl ObjectUse {
    /// All of them, by their numbers.
    pub const ALL: [Self; 5] = [Self::Free, Self::Cached, Self::Quarantined, Self::Live, Self::Unknown];

    /// As one letter.
    pub const fn letter(self) -> char {
        match self {
            Self::Free => '.',
            Self::Cached => ',',
            Self::Quarantined => 'q',
            Self::Live => 'L',
            Self::Unknown => '?',
        }
    }
}

/// An area of addresses, as its descriptor has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NamedArea {
    /// The first address.
    pub start: u64,
    /// Mapped pages.
    pub pages: u32,
    /// What it is for: a number of [`KINDS`].
    pub kind: u8,
    /// Who allocated it: a number of a site; none if that is too large.
    pub site: u16,
}

/// What areas are for.
pub const KINDS: [&str; 4] = ["vmalloc", "ioremap", "vmap", "module"];

/// No site.
pub const NO_SITE: u16 = u16::MAX;

/// More about a picture's frames.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Details {
    /// Slabs, in order of their frames.
    pub slabs: Vec<Slab>,
    /// Who allocated the block that starts at a frame, by a site's number, in order of frames; where the kernel
    /// remembers that.
    pub owners: Vec<(u32, u16)>,
    /// Areas, in order of addresses.
    pub areas: Vec<NamedArea>,
    /// Places of calls, as `file:line`. Pictures share them.
    pub sites: Rc<Vec<String>>,
}

impl Details {
    /// The slab that a frame belongs to.
    pub fn slab_of(&self, frame: u32) -> Option<&Slab> {
        let behind = self.slabs.partition_point(|slab| slab.frame <= frame);
        let slab = self.slabs.get(behind.checked_sub(1)?)?;
        (frame.checked_sub(slab.frame)? < slab.pages).then_some(slab)
    }

    /// Who allocated the block that starts at a frame.
    pub fn owner_of(&self, frame: u32) -> Option<&str> {
        let at = self.owners.binary_search_by_key(&frame, |(frame, _)| *frame).ok()?;
        self.site(self.owners[at].1)
    }

    /// The area that an address lies in.
    pub fn area_of(&self, address: u64) -> Option<&NamedArea> {
        let behind = self.areas.partition_point(|area| area.start <= address);
        let area = self.areas.get(behind.checked_sub(1)?)?;
        (address.checked_sub(area.start)? / 4096 < area.pages.into()).then_some(area)
    }

    /// The place of a call.
    pub fn site(&self, number: u16) -> Option<&str> {
        self.sites.get(usize::from(number)).map(String::as_str)
    }
}

impl Slab {
    /// The objects of which a part lies in one of the slab's frames: the first one's number, and what they are.
    pub fn objects_in(&self, frame: u32, stride: u64) -> (usize, &[ObjectUse]) {
        let from = u64::from(frame.saturating_sub(self.frame)) * 4096;
        let before = from.saturating_sub(self.start.into());
        let end = (from + 4096).saturating_sub(self.start.into());
        let (first, behind) = (before / stride.max(1), end.div_ceil(stride.max(1)));
        let limit = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).min(self.objects.len());
        (limit(first), &self.objects[limit(first)..limit(behind).max(limit(first))])
    }
}

#[cfg(test)]
mod tests {
    use super::{Details, NamedArea, ObjectUse, Slab};

    #[test]
    fn the_objects_of_a_frame_are_those_of_which_it_has_a_part() {
        let slab = Slab { frame: 8, pages: 2, start: 64, objects: vec![ObjectUse::Live; 10] };
        // 800 bytes each: the sixth crosses from the first page to the second.
        assert_eq!(slab.objects_in(8, 800), (0, &slab.objects[..6]));
        assert_eq!(slab.objects_in(9, 800), (5, &slab.objects[5..]));
        let details = Details { slabs: vec![slab], ..Details::default() };
        let found = |frame| details.slab_of(frame).is_some();
        assert_eq!([7, 8, 9, 10].map(found), [false, true, true, false]);
    }

    #[test]
    fn an_address_leads_to_its_area() {
        let area = |start, pages| NamedArea { start, pages, kind: 0, site: 0 };
        let details = Details { areas: vec![area(0x1000, 2), area(0x4000, 1)], ..Details::default() };
        let found = |address| details.area_of(address).map(|area| area.start);
        assert_eq!(
            [0, 0x1000, 0x2fff, 0x3000, 0x4000].map(found),
            [None, Some(0x1000), Some(0x1000), None, Some(0x4000)]
        );
    }
}
