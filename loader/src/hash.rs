//! The hash by which the kernel's symbols are found.

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The 64-bit hash of a symbol's name: FNV-1a (Fowler, Noll, Vo).
///
/// Whoever builds a table refuses two names of one hash, so that a name found by its hash is the name meant.
pub const fn hash(name: &[u8]) -> u64 {
    let mut hash = BASIS;
    let mut rest = name;
    while let [byte, behind @ ..] = rest {
        // A cast, because `From` is not for constants.
        hash = (hash ^ *byte as u64).wrapping_mul(PRIME);
        rest = behind;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn known_names_have_the_published_hashes() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
