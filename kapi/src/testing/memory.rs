//! Memory of a test's machine: allocations that fail, and what is in use.

use std::string::String;
use std::vec::Vec;

use mm::testing::TestKernel;

/// Makes all allocations of pages after the next `n` fail, until [`stop_failing`]. Partly used slabs still serve.
pub fn fail_after(n: i64) {
    TestKernel::memory().drop_caches();
    TestKernel::memory().platform().fail_after(n);
}

/// Ends [`fail_after`].
pub fn stop_failing() {
    TestKernel::memory().platform().fail_never();
}

/// Pages and cache objects in use: the same again when all that was allocated in between has been freed.
pub fn in_use() -> (usize, usize) {
    let memory = TestKernel::memory();
    memory.drop_caches();
    let objects = memory.objects().caches().map(|cache| cache.active_objects).sum();
    // What describes caches never goes back.
    let caches: usize = memory.objects().caches().take(1).map(|cache| cache.pages).sum();
    (memory.pages().managed_pages() - memory.pages().free_pages_total() - caches, objects)
}

/// Refused calls and failures that the allocators have reported.
pub fn reports() -> Vec<String> {
    TestKernel::memory().platform().take_reports()
}

/// The size of the machine's memory, in bytes.
pub fn ram_bytes() -> u64 {
    TestKernel::memory().pages().managed_pages() as u64 * mm::PAGE_SIZE as u64
}
