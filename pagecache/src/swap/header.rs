//! The first page of a swap area: what mkswap wrote there.
//!
//! The page ends with ten bytes of signature; the facts about the area lie 1024 bytes in, so that a boot sector may
//! stand before them: version, number of the last slot, how many slots are bad, 125 words that name the area, and the
//! bad slots. All numbers are of 32 bits, the lowest byte first. Slot 0 is this page.

use core::fmt;

use mm::PAGE_SIZE;

/// Ends the page. The format before this one had a bitmap in the page, and room for 128 MiB.
const SIGNATURE: &[u8; 10] = b"SWAPSPACE2";
const OLD_SIGNATURE: &[u8; 10] = b"SWAP-SPACE";
/// Where the signature begins.
const SIGNATURE_AT: usize = PAGE_SIZE - SIGNATURE.len();
/// The only version that there ever was.
const VERSION: u32 = 1;
/// Where version, last slot and number of bad slots stand, one after the other.
const FACTS_AT: usize = 1024;
/// Where the numbers of the bad slots begin.
const BAD_AT: usize = FACTS_AT + (3 + 125) * 4;

/// The most bad slots that the page has room for.
pub const MAX_BAD: usize = (SIGNATURE_AT - BAD_AT) / 4;

/// What a swap area is like, as its first page says.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// The number of the last slot.
    last: u32,
    /// Four bytes for each bad slot.
    bad: &'a [u8],
}

/// Why a page is no header of an area that can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderError {
    /// It does not end with a signature.
    NoSignature,
    /// It is of the format before this one.
    OldFormat,
    /// It is of a version that nobody knows.
    Version(u32),
    /// The device is shorter than the header says.
    Short {
        /// Pages that the header speaks of.
        said: u64,
        /// Pages that there are.
        pages: u64,
    },
    /// It names more bad slots than it has room for.
    TooManyBad(u32),
    /// It says that this slot is bad, which there is not.
    NoSuchSlot(u32),
    /// No slot is left.
    Empty,
}

impl<'a> Header<'a> {
    /// Reads the first page of an area on a device of `pages` pages.
    ///
    /// # Errors
    /// [`HeaderError`] says what is wrong.
    pub fn parse(page: &'a [u8; PAGE_SIZE], pages: u64) -> Result<Self, HeaderError> {
        match &page[SIGNATURE_AT..] {
            signature if signature == SIGNATURE => {}
            signature if signature == OLD_SIGNATURE => return Err(HeaderError::OldFormat),
            _ => return Err(HeaderError::NoSignature),
        }
        let fact = |number: usize| number_at(&page[FACTS_AT + 4 * number..]);
        let (version, last, bad) = (fact(0), fact(1), fact(2));
        if version != VERSION {
            return Err(HeaderError::Version(version));
        }
        if bad as usize > MAX_BAD {
            return Err(HeaderError::TooManyBad(bad));
        }
        let said = u64::from(last) + 1;
        if said > pages {
            return Err(HeaderError::Short { said, pages });
        }
        let header = Self { last, bad: &page[BAD_AT..BAD_AT + 4 * bad as usize] };
        match header.bad().find(|slot| !(1..=last).contains(slot)) {
            Some(slot) => Err(HeaderError::NoSuchSlot(slot)),
            None if last == 0 => Err(HeaderError::Empty),
            None => Ok(header),
        }
    }

    /// Writes what mkswap writes into `page`, which is all zeros, for a device of `pages` pages; without a name, and
    /// without bad slots. Says whether so few, or so many, pages can be an area.
    pub fn write(page: &mut [u8; PAGE_SIZE], pages: u64) -> bool {
        let Some(last) = u32::try_from(pages).ok().and_then(|pages| pages.checked_sub(1)).filter(|last| *last > 0)
        else {
            return false;
        };
        page[FACTS_AT..FACTS_AT + 4].copy_from_slice(&VERSION.to_le_bytes());
        page[FACTS_AT + 4..FACTS_AT + 8].copy_from_slice(&last.to_le_bytes());
        page[SIGNATURE_AT..].copy_from_slice(SIGNATURE);
        true
    }

    /// How many slots there are: this page, slot 0, is one of them.
    pub fn slots(&self) -> u32 {
        // What is said of the last page of a device that is as large as can be said.
        self.last.saturating_add(1)
    }

    /// The slots that cannot be used, beside slot 0. One may be named twice.
    pub fn bad(&self) -> impl Iterator<Item = u32> + 'a {
        self.bad.chunks_exact(4).map(number_at)
    }
}

/// The number in the first four of these bytes.
fn number_at(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSignature => f.write_str("Unable to find swap-space signature"),
            Self::OldFormat => f.write_str("a swap area of the format before SWAPSPACE2"),
            Self::Version(version) => write!(f, "Unable to handle swap header version {version}"),
            Self::Short { said, pages } => {
                write!(f, "Swap area shorter than signature indicates: {pages} pages instead of {said}")
            }
            Self::TooManyBad(bad) => write!(f, "a swap header with {bad} bad pages has room for {MAX_BAD}"),
            Self::NoSuchSlot(slot) => write!(f, "a swap header says that page {slot} is bad, which there is not"),
            Self::Empty => f.write_str("Empty swap-file"),
        }
    }
}

#[cfg(test)]
mod tests;
