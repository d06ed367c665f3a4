//! Sizes of disks, as a parameter lists them.

use kapi::Errno;
use kapi::block::SECTOR_SIZE;
use kapi::services::number::memparse;

/// The most disks of a module.
const MAX_DISKS: usize = 8;

/// Bytes of each disk of a list like `64M,1M`: whole sectors, at least one. `EINVAL` when it is none, or has too many.
pub(super) fn sizes(list: &str) -> Result<impl Iterator<Item = u64> + Clone, Errno> {
    let sizes = list.split(',').map(|size| memparse(size.trim()).unwrap_or(0));
    let is_good = |size: u64| size > 0 && size.is_multiple_of(SECTOR_SIZE as u64) && usize::try_from(size).is_ok();
    if sizes.clone().all(is_good) && sizes.clone().count() <= MAX_DISKS { Ok(sizes) } else { Err(Errno::EINVAL) }
}

#[cfg(test)]
mod tests {
    use kapi::Errno;

    use super::sizes;

    #[test]
    fn lists_of_sizes_are_whole_sectors() {
        let all = |list| sizes(list).map(|sizes| sizes.collect::<std::vec::Vec<_>>());
        assert_eq!(all("64M, 1024"), Ok(std::vec![64 << 20, 1024]));
        assert_eq!(all("512"), Ok(std::vec![512]));
        for list in ["", "0", "100", "1M,", "1M,x", "1M,1M,1M,1M,1M,1M,1M,1M,1M"] {
            assert_eq!(all(list), Err(Errno::EINVAL), "{list}");
        }
    }
}
