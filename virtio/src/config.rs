//! What a block device says of itself: its features and its configuration.

use bitflags::bitflags;
use kapi::block::MAX_SEGMENTS;
use kapi::mm::PAGE_SIZE;
use virtio_drivers::transport::Transport;

use crate::error::Unusable;

bitflags! {
    /// The features that matter here; [`Features::all`] is what is asked for.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Features: u64 {
        /// A segment has a longest length.
        const SIZE_MAX = 1 << 1;
        /// A request has a most of segments.
        const SEG_MAX = 1 << 2;
        /// The disk is only read.
        const READ_ONLY = 1 << 5;
        /// The disk has a cache of writes, and empties it on request.
        const FLUSH = 1 << 9;
        /// An entry of the queue may lead to a table.
        const TABLES = 1 << 28;
        /// Version 1 or later.
        const VERSION_1 = 1 << 32;
    }
}

/// Where in the configuration its fields are.
const CAPACITY: usize = 0;
const SIZE_MAX: usize = 8;
const SEG_MAX: usize = 12;

/// Sectors of 512 bytes that the device has now.
pub fn capacity(transport: &impl Transport) -> Result<u64, Unusable> {
    let halves = transport.read_consistent(|| {
        let low: u32 = transport.read_config_space(CAPACITY)?;
        let high: u32 = transport.read_config_space(CAPACITY + 4)?;
        Ok((low, high))
    });
    let (low, high) = halves.map_err(|_| Unusable::NoCapacity)?;
    Ok(u64::from(high) << 32 | u64::from(low))
}

/// Checks that the device takes the longest requests that there are.
pub fn check_limits(transport: &impl Transport, features: Features) -> Result<(), Unusable> {
    let limits = [(Features::SEG_MAX, SEG_MAX, MAX_SEGMENTS), (Features::SIZE_MAX, SIZE_MAX, PAGE_SIZE)];
    for (feature, field, least) in limits {
        let most: u32 = match features.contains(feature) {
            true => transport.read_config_space(field).map_err(|_| Unusable::TooFewSegments)?,
            false => u32::MAX,
        };
        if (most as usize) < least {
            return Err(Unusable::TooFewSegments);
        }
    }
    Ok(())
}
