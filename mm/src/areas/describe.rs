//! Where descriptors of areas are, for readers of the machine's memory.

use core::mem::offset_of;

use super::AreaAllocator;
use super::area::VmArea;
use crate::outside::AreaFields;
use crate::platform::Platform;

impl<P: Platform> AreaAllocator<P> {
    /// The cache of descriptors, and their fields. Any context.
    pub(crate) fn describe(&self) -> AreaFields {
        AreaFields {
            cache: self.descriptors.number().into(),
            start: offset_of!(VmArea, start) as u64,
            pages: offset_of!(VmArea, pages) as u64,
            word: offset_of!(VmArea, word) as u64,
            caller: offset_of!(VmArea, caller) as u64,
            bytes: size_of::<VmArea>() as u64,
        }
    }
}
