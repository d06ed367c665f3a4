//! Where a byte lies on a 3.5-inch high-density disk.
//!
//! 80 cylinders, 2 heads, 18 sectors of 512 bytes a track.

/// Bytes of a sector.
pub(super) const SECTOR: usize = 512;
/// Sectors of a track.
pub(super) const SECTORS: u8 = 18;
/// Heads: the sides of the disk.
pub(super) const HEADS: usize = 2;
/// Cylinders: the places that the heads move to.
const CYLINDERS: usize = 80;
/// Bytes of a track.
pub(super) const TRACK_BYTES: usize = SECTOR * SECTORS as usize;
/// Bytes of the disk.
pub(super) const DISK_BYTES: usize = TRACK_BYTES * HEADS * CYLINDERS;

/// A track: what passes a head while the disk turns once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Track {
    /// 0 to 79.
    pub(super) cylinder: u8,
    /// 0 or 1.
    pub(super) head: u8,
}

impl Track {
    /// The track that holds the byte at `position`, and its offset there; `None` from the disk's end on.
    pub(super) fn at(position: u64) -> Option<(Self, usize)> {
        let position = usize::try_from(position).ok().filter(|&position| position < DISK_BYTES)?;
        let track = position / TRACK_BYTES;
        let place = Self { cylinder: (track / HEADS) as u8, head: (track % HEADS) as u8 };
        Some((place, position % TRACK_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use super::{DISK_BYTES, TRACK_BYTES, Track};

    #[test]
    fn tracks_alternate_between_the_heads() {
        let at = |position| Track::at(position).map(|(track, offset)| (track.cylinder, track.head, offset));
        assert_eq!(at(0), Some((0, 0, 0)));
        assert_eq!(at(TRACK_BYTES as u64 + 5), Some((0, 1, 5)));
        assert_eq!(at(2 * TRACK_BYTES as u64), Some((1, 0, 0)));
        assert_eq!(at(DISK_BYTES as u64 - 1), Some((79, 1, TRACK_BYTES - 1)));
        assert_eq!(at(DISK_BYTES as u64), None);
        assert_eq!(at(u64::MAX), None);
    }
}
