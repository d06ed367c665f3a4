//! A write to /proc/slabinfo sets how many objects of a cache the CPUs keep.

use super::ObjectAllocator;
use crate::error::TuneError;
use crate::objects::cpu_caches::MagazineSizes;
use crate::objects::name::CacheName;
use crate::platform::{Lock, Platform};
use crate::report::Call;

impl<P: Platform> ObjectAllocator<P> {
    /// Sets how many objects each CPU may keep in its magazines of the cache `name`, up to 128, and how many of them a
    /// refill takes from slabs; what depots hold stays the same. A CPU's two magazines hold half of `limit` each,
    /// rounded up; between magazines and depot, objects move by whole magazines as always. With a limit of 0 there are
    /// no magazines. A refusal is reported. Process context. (Chapter's kernel: a write to /proc/slabinfo.)
    ///
    /// # Errors
    /// Why not. The cache is as it was.
    #[track_caller]
    pub fn tune_cache(&'static self, name: &str, limit: usize, batch: usize) -> Result<(), TuneError> {
        let call = Call::here(&"slabinfo");
        self.try_tune(name, limit, batch).inspect_err(|error| {
            self.refuse(call, error.reason());
        })
    }

    fn try_tune(&'static self, name: &str, limit: usize, batch: usize) -> Result<(), TuneError> {
        if batch > limit || (limit > 0 && batch == 0) {
            return Err(TuneError::BadNumbers);
        }
        if limit > 2 * MagazineSizes::MOST {
            return Err(TuneError::TooMany);
        }
        let name = CacheName::new(name).map_err(|_| TuneError::NoSuchCache)?;
        self.list.with(|list| {
            let cache = list.named(name).find(|cache| !cache.is_own()).ok_or(TuneError::NoSuchCache)?;
            if !cache.debug.is_empty() {
                return Err(TuneError::Debugged);
            }
            cache.sizes.tune(limit.div_ceil(2), batch);
            self.drain_objects(&cache);
            Ok(())
        })
    }
}
