//! What a space should be: a table of pages, each with its own bytes.

use std::collections::BTreeMap;

use mm::space::{FaultAccess, FaultError, Protection};

use crate::program::RW;

/// The places of a page that the model looks at.
pub const PLACES: [usize; 2] = [3, 4095];
/// Bytes of a page, at these places.
pub type Bytes = [u8; PLACES.len()];

/// Objects, page by page.
pub type Objects = Vec<Vec<Bytes>>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    Own(Bytes),
    /// Of the object, until it is written to.
    Private {
        object: usize,
        page: usize,
    },
    Shared {
        object: usize,
        page: usize,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    pub protection: Protection,
    pub most: Protection,
    pub content: Content,
}

impl Page {
    pub const ZEROED: Self = Self { protection: RW, most: Protection::all(), content: Content::Own([0; PLACES.len()]) };
}

/// Pages by number, where the heap is, where the stack begins.
#[derive(Clone, Debug)]
pub struct Naive {
    pub pages: BTreeMap<usize, Page>,
    pub heap: (usize, usize),
    /// The stack's lowest page, its end, and how many pages it may have.
    pub stack: (usize, usize, usize),
}

impl Naive {
    pub fn is_free(&self, first: usize, pages: usize) -> bool {
        self.pages.range(first..first + pages).next().is_none()
    }

    pub fn unmap(&mut self, first: usize, pages: usize) {
        (first..first + pages).for_each(|page| _ = self.pages.remove(&page));
    }

    /// The page that an access finds, once a stack has grown to it.
    pub fn find(&mut self, page: usize, access: FaultAccess, objects: &Objects) -> Result<&mut Page, FaultError> {
        let (start, end, most) = self.stack;
        if page < start && end - page <= most {
            (page..start).for_each(|page| _ = self.pages.insert(page, Page::ZEROED));
            self.stack.0 = page;
        }
        let found = self.pages.get_mut(&page).ok_or(FaultError::NoArea)?;
        if !access.is_allowed(found.protection) {
            return Err(FaultError::NotAllowed);
        }
        match found.content {
            Content::Private { object, page } | Content::Shared { object, page } if page >= objects[object].len() => {
                Err(FaultError::Beyond)
            }
            _ => Ok(found),
        }
    }

    pub fn read(&mut self, page: usize, access: FaultAccess, objects: &Objects) -> Result<Bytes, FaultError> {
        self.find(page, access, objects).map(|found| match found.content {
            Content::Own(bytes) => bytes,
            Content::Private { object, page } | Content::Shared { object, page } => objects[object][page],
        })
    }

    pub fn write(&mut self, page: usize, place: usize, value: u8, objects: &mut Objects) -> Result<(), FaultError> {
        let found = self.find(page, FaultAccess::Write, objects)?;
        match &mut found.content {
            Content::Own(bytes) => bytes[place] = value,
            Content::Shared { object, page } => objects[*object][*page][place] = value,
            Content::Private { object, page } => {
                let mut bytes = objects[*object][*page];
                bytes[place] = value;
                found.content = Content::Own(bytes);
            }
        }
        Ok(())
    }

    /// As brk: the new end, or the old one.
    pub fn set_break(&mut self, to: usize) -> usize {
        let (start, old) = self.heap;
        let (from, end) = (old.div_ceil(4096), to.div_ceil(4096));
        if to >= start && (end <= from || self.is_free(from, end - from)) {
            match end {
                _ if end < from => self.unmap(end, from - end),
                _ => (from..end).for_each(|page| _ = self.pages.insert(page, Page::ZEROED)),
            }
            self.heap.1 = to;
        }
        self.heap.1
    }
}
