//! The number of the object at an address, if one starts there, by no division.
//!
//! A stride is an odd number times a power of two. Modulo 2^32 an odd number has an inverse; multiplying by it and
//! rotating the power of two away maps the 2^32 offsets onto themselves, one to one. The multiples of the stride go to
//! their quotients 0, 1, 2, ..., so every other offset goes beyond the last of these. One comparison with the number
//! of objects then tells a pointer to the start of an object from all others: those into an object, behind the last
//! one, and, since offsets wrap around, before the first. (Granlund and Montgomery 1994, section 9.)

use crate::addr::VirtAddr;

/// The addresses of a slab's objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ObjectIndex {
    /// The inverse of the stride's odd part.
    inverse: u32,
    /// The first object's address times the inverse: subtracted from a product, it subtracts that address before it.
    first: u32,
    /// The stride's power of two.
    shift: u8,
}

impl ObjectIndex {
    /// The places from `first` on, `stride` bytes apart: not 0 and at most 2^31.
    pub(super) const fn new(first: VirtAddr, stride: usize) -> Self {
        let shift = stride.trailing_zeros();
        let odd = (stride >> shift) as u32;
        // Newton's iteration doubles the bits that are right; an odd number is its own inverse modulo 8.
        let mut inverse = odd;
        let mut bits = 3;
        while bits < u32::BITS {
            inverse = inverse.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(inverse)));
            bits *= 2;
        }
        Self { inverse, first: (first.as_usize() as u32).wrapping_mul(inverse), shift: shift as u8 }
    }

    /// All of it as one number, for a sum.
    pub(super) const fn bits(&self) -> u64 {
        (self.inverse as u64) << 32 ^ self.first as u64 ^ (self.shift as u64) << 24
    }

    /// The number of the object that starts at `addr`, which is less than 2^31 bytes from the first; if none does, a
    /// number larger than any object's.
    #[inline]
    pub(super) const fn number(&self, addr: VirtAddr) -> u32 {
        (addr.as_usize() as u32).wrapping_mul(self.inverse).wrapping_sub(self.first).rotate_right(self.shift as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::ObjectIndex;
    use crate::addr::VirtAddr;

    /// An address with many bits, close to a multiple of 2^32.
    const FIRST: VirtAddr = VirtAddr::new(0xffff_8882_ffff_f0c4);

    #[test]
    fn starts_of_objects_have_their_numbers_and_all_else_is_beyond() {
        // Shows: K4
        for stride in (8..=131_072).step_by(4) {
            let index = ObjectIndex::new(FIRST, stride);
            let objects = (4 * 131_072 / stride) as u32;
            for object in [0, 1, 2, objects / 2, objects - 1] {
                let start = FIRST.add(object as usize * stride);
                assert_eq!(index.number(start), object);
                for wrong in [1, 2, 3, 4, stride / 2, stride - 1] {
                    assert!(index.number(start.add(wrong)) >= objects, "{stride}: {object} + {wrong}");
                    assert!(
                        index.number(start.add(0usize.wrapping_sub(wrong))) >= objects,
                        "{stride}: {object} - {wrong}"
                    );
                }
            }
            assert!(index.number(FIRST.add(0usize.wrapping_sub(stride))) >= objects);
        }
    }

    #[test]
    fn a_block_has_as_many_objects_as_fit() {
        for stride in [8, 12, 60, 64, 100, 104, 192, 344, 704, 3000, 4032, 4096, 5056] {
            let (index, objects) = (ObjectIndex::new(FIRST, stride), 32_768 / stride as u32);
            let valid = (0..32_768).filter(|&offset| index.number(FIRST.add(offset)) < objects).count();
            assert_eq!(valid, objects as usize, "{stride}");
        }
    }
}
