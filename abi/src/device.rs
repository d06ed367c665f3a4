//! Numbers of devices, as `st_rdev` and `mknod` have them.

/// The number of a device: the lower byte of the minor number, the major one, the rest of the minor one.
pub const fn encode(major: u32, minor: u32) -> u64 {
    let (major, minor) = (major as u64, minor as u64);
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (major & !0xfff) << 32
}

/// Major and minor number of a device.
pub const fn decode(device: u64) -> (u32, u32) {
    let major = (device >> 8 & 0xfff) | (device >> 32 & !0xfff);
    let minor = (device & 0xff) | (device >> 12 & 0xffff_ff00);
    (major as u32, minor as u32)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn numbers_are_those_of_makedev() {
        assert_eq!(encode(1, 3), 0x103);
        assert_eq!(encode(254, 0x123), 0x10_fe23);
        for (major, minor) in [(0, 0), (4, 64), (0xfff, 0xff), (0xffff_ffff, 0xffff_ffff), (300, 70000)] {
            assert_eq!(decode(encode(major, minor)), (major, minor));
        }
    }
}
