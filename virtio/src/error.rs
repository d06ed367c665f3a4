//! Why a device is not used.

use core::fmt;

use kapi::Errno;
use kapi::mm::AllocError;

/// Why a device cannot be driven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unusable {
    /// It is no block device.
    NotABlockDevice,
    /// It does not come out of a reset.
    NoReset,
    /// It offers no version 1, or does not agree to what was chosen of its offer.
    NoAgreement,
    /// It takes no tables of segments.
    NoTables,
    /// It takes fewer segments a request, or fewer bytes a segment, than requests have.
    TooFewSegments,
    /// It has no queue that is free.
    NoQueue,
    /// Its configuration has no capacity.
    NoCapacity,
    /// There is no memory for its requests.
    NoMemory,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotABlockDevice => "it is no block device",
            Self::NoReset => "it does not come out of a reset",
            Self::NoAgreement => "it does not agree to version 1 of virtio",
            Self::NoTables => "it takes no tables of segments (indirect descriptors)",
            Self::TooFewSegments => "it takes too few segments a request",
            Self::NoQueue => "it has no free queue",
            Self::NoCapacity => "its configuration has no capacity",
            Self::NoMemory => "there is no memory for its requests",
        })
    }
}

impl From<AllocError> for Unusable {
    fn from(_: AllocError) -> Self {
        Self::NoMemory
    }
}

impl From<Unusable> for Errno {
    fn from(reason: Unusable) -> Self {
        match reason {
            Unusable::NoMemory => Self::ENOMEM,
            Unusable::NoReset => Self::EIO,
            _ => Self::ENODEV,
        }
    }
}
