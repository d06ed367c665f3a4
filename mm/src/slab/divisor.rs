//! Division without a division: which object is it, and is it one at all?
//!
//! A stride is an odd number times a power of two. Modulo 2^32 an odd number has an inverse; multiplying by it and
//! rotating the power of two away maps the 2^32 offsets onto themselves, one to one. The multiples of the stride go to
//! their quotients 0, 1, 2, ..., so every other offset goes beyond the last of these. One comparison with the number
//! of objects then tells a pointer to the start of an object from all others: those into an object, behind the last
//! one, and, since offsets wrap around, before the first. (Granlund and Montgomery 1994, section 9.)

/// What offsets are divided by: the bytes from one object to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Divisor {
    inverse: u32,
    shift: u32,
}

impl Divisor {
    /// The divisor `stride`, which is not 0 and at most 2^31.
    pub(crate) const fn new(stride: usize) -> Self {
        let shift = stride.trailing_zeros();
        let odd = (stride >> shift) as u32;
        // Newton's iteration doubles the bits that are right; an odd number is its own inverse modulo 8.
        let mut inverse = odd;
        let mut bits = 3;
        while bits < u32::BITS {
            inverse = inverse.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(inverse)));
            bits *= 2;
        }
        Self { inverse, shift }
    }

    /// The quotient of `offset`, if it is a multiple; else a number larger than any quotient.
    #[inline]
    pub(crate) const fn quotient(self, offset: u32) -> u32 {
        offset.wrapping_mul(self.inverse).rotate_right(self.shift)
    }
}

#[cfg(test)]
mod tests {
    use super::Divisor;

    #[test]
    fn multiples_are_divided_and_all_else_is_beyond() {
        // Shows: K4
        for stride in (8..=131_072).step_by(4) {
            let divisor = Divisor::new(stride);
            let objects = (4 * 131_072 / stride) as u32;
            for object in [0, 1, 2, objects / 2, objects - 1] {
                let offset = object * stride as u32;
                assert_eq!(divisor.quotient(offset), object);
                for wrong in [1, 2, 3, 4, stride as u32 / 2, stride as u32 - 1] {
                    assert!(divisor.quotient(offset + wrong) >= objects, "{stride}: {offset} + {wrong}");
                    assert!(divisor.quotient(offset.wrapping_sub(wrong)) >= objects, "{stride}: {offset} - {wrong}");
                }
            }
            assert!(divisor.quotient(0u32.wrapping_sub(stride as u32)) >= objects);
        }
    }

    #[test]
    fn a_block_has_as_many_quotients_as_objects() {
        for stride in [8, 12, 60, 64, 100, 104, 192, 344, 704, 3000, 4032, 4096, 5056] {
            let (divisor, objects) = (Divisor::new(stride), 32_768 / stride as u32);
            let valid = (0..32_768).filter(|&offset| divisor.quotient(offset) < objects).count();
            assert_eq!(valid, objects as usize, "{stride}");
        }
    }
}
