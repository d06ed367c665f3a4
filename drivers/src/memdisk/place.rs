//! Room for disks in the RAM that `mem=` hid.

use kapi::mm::own::IoMem;
use kapi::mm::{PAGE_SIZE, PfnRange, kib};
use kapi::{Errno, Hardware};

use super::medium::Medium;

/// Claims `bytes` bytes of hidden RAM in one piece for the module `name`, and maps them. `ENOMEM`, and a line in the
/// log, when there is no such piece that nobody has.
pub(super) fn hidden<K: Hardware>(bytes: u64, name: &str) -> Result<Medium<K>, Errno> {
    let frames = usize::try_from(bytes.div_ceil(PAGE_SIZE as u64)).map_err(|_| Errno::EINVAL)?;
    let mut longest = 0;
    let mut found = None;
    K::hidden_ram(&mut |range| {
        longest = longest.max(range.frames());
        if found.is_none() {
            found = claim::<K>(range, frames, name);
        }
    });
    let Some((range, claim)) = found else {
        if longest == 0 {
            K::log(format_args!("{name}: the kernel option mem= hides no RAM for disks"));
        } else {
            let (wanted, longest) = (bytes / 1024, kib(longest));
            K::log(format_args!(
                "{name}: no {wanted} KiB of the RAM that mem= hides are free in one piece: the longest has {longest}"
            ));
        }
        return Err(Errno::ENOMEM);
    };
    let ram = IoMem::map(range.start.phys(), frames * PAGE_SIZE)?;
    Ok(Medium::Hidden { ram, claim })
}

/// Claims so many frames of `range`: the first ones that nobody has, in steps of their number and of the rest.
fn claim<K: Hardware>(range: PfnRange, frames: usize, name: &str) -> Option<(PfnRange, K::MemRegion)> {
    let last = range.frames().checked_sub(frames)?;
    let step = STEP.min(frames.max(1));
    let mut offset = 0;
    while offset <= last {
        let start = range.start.add(u32::try_from(offset).ok()?);
        let part = PfnRange::new(start, start.add(u32::try_from(frames).ok()?));
        if let Ok(claim) = K::claim_memory(start.phys(), (frames * PAGE_SIZE) as u64, name) {
            return Some((part, claim));
        }
        offset += step;
    }
    None
}

/// Frames of the largest step in search of free ones.
const STEP: usize = 256;
