//! What must be known to read the tables: what rows are, and their limits.

pub const PAGES: &str = "\
Ours is alloc_pages and free_pages. All allocators manage 128 MiB.

- Pair: a block is allocated and freed, again and again. Batch: 1000 blocks are allocated, then all are freed, the last
  one first or at random.
- Steady: half of the memory is allocated; a page at random is freed and another one allocated, again and again.
- Drain: all memory is allocated page by page, then freed at random until it is merged again; only the frees and the
  merging count.
- 2 CPUs: both do the same at once, or one allocates and the other frees what it gets.
- talc, linked_list and rlsf are heaps, asked for blocks of whole pages that start at a page.
- Metadata kept inside the managed memory counts as the memory that cannot be handed out.
- Churn: 20 times, blocks of 1 to 8 pages grow to a half of the memory and shrink at random to a quarter; then they grow
  to a half again. Here more is better.
";

pub const PAGES_LIMITS: &str = "\
- Pair: one line of the CPU's magazine and the page's entry of 16 bytes, both hot. A call through a pointer and back,
  twice, is what the bare stack takes; the rest is the pin of the CPU, the check of the caller's context, and those of
  the entry that a wrong free is told by. The bitmap has one spinlock and neither check.
- Batch: an entry for each block, four of single pages to a line. 1000 pages are 16 KB of entries, which the first cache
  (32 KB) holds; 1000 blocks of 8 pages have theirs in 1000 lines, 64 KB, which it does not. A bitmap has all of them in
  125 or 1000 bytes. The entry is where owner, state and order are kept, so that a wrong free is told.
- Steady: 512 KB of entries, so that a free at random waits for one line; the allocation gets that page again, whose
  entry is at hand. No line is touched in vain: the word says whether the free is right, the link is the chain. The
  allocators run in turn, and each round begins with the others' data in the caches; with ours alone the row is under
  \"Scale\" below. frame-alloc has 13 KB for all frames, the bitmap 4 KB, which stay.
- Drain: each entry's line is touched by the free, at random; by the mark before the merge, which tells the depot's
  pages from those in magazines, also at random, but along eight chains at once; and by the merge, in the order of
  addresses. A bitmap needs no merging.
- 2 CPUs: pairs share nothing. In a batch two trades in 64 pairs are under the zone's lock, with its piles and counts;
  the entries are the CPU's own, since each gets its own magazines back. Tried: the lock and the depot in one line, 94
  and 97 ticks on a busy machine, so the layout stayed. From one CPU to the other each line of four entries goes over
  and back, whoever the allocator is.
- Metadata: an entry has a page's state, order, owner and two links, by which each free is checked and the live map
  drawn. Links within free pages, as buddy_system has them, cost nothing until somebody writes to a page that is free.
";

pub const OBJECTS: &str = "\
Ours is kmalloc, and kfree, which is told the pointer alone; the others are told the size too when they free. kmem_cache
is ours as well: kmem_cache_alloc and kmem_cache_free with a cache for the size. mimalloc and snmalloc are allocators
for programs, which let the host do what a kernel must do itself; they stand here for scale and are no \"best peer\".

- Pair and batch are as above.
- Mixed sizes: 4000 objects of 16 to 1024 bytes are live; one at random is freed and one of another size allocated,
  again and again (after Larson and Krishnan 1998).
- 2 CPUs: as above, with 64 bytes.
";

pub const OBJECTS_LIMITS: &str = "\
- Pair: an allocation touches the size's cache, the end of the CPU's magazine and the object's state; a free finds the
  object by its address alone, over the page's entry and the slab's descriptor. Six lines, all hot. The object itself is
  not touched, so no stray write can break the allocator, and a second free or a pointer into an object is told.
- Batch: a byte of state for each object, 64 or more to a line, and 16 bytes in a magazine; 1000 objects of 1024 bytes
  lie in slabs of 8 pages, so that entries and descriptors stay as few.
- Mixed sizes: 4000 objects of all classes have their states in some 300 slabs. A free at random misses the first cache
  on entry, descriptor and state. As with pages, each round begins with the others' data in the caches.
- 2 CPUs: pairs share nothing. In a batch each CPU trades with its own depot, so that it gets its own objects back; from
  one CPU to the other, the states' lines and the magazines go over.
";

pub const AREAS: &str = "\
Ranges of addresses, as vmalloc takes them: ours is its allocator of vm areas with look-up by address, without pages and
page tables, and with a TLB flush that costs nothing. All have 4 GiB of addresses; a guard page follows each area.
offset-allocator wants its own handle back, so it has an array here that finds it by address.

- Pair: an area of 4 pages is allocated and freed, again and again, while no others are live, or 1000 others of 1 to 16
  pages that lie in a row.
- Mixed sizes: one of the live areas, at random, is freed and another one of 1 to 16 pages allocated, again and again.
- Two CPUs, each in a pair loop; then 500 areas at a time go from the one that allocates to the one that frees.
- First fit over a B-tree is the plain way, written for this comparison: all areas by address, and a walk to the first
  gap.
";

pub const AREAS_LIMITS: &str = "\
- Pair: the range comes from a CPU's cache for its size; the area is found in the index of addresses and closed by one
  compare-and-exchange, so that of two frees at once one is refused. A freed area waits until 64 are flushed at once, so
  pairs go round 64 areas, a descriptor's and an index line each. The peers stand behind a spinlock, and take the
  caller's word for what is freed.
- Mixed sizes: the index has 4096 places, two for each hash. Of 1000 areas most have one, of 15000 few: the others are
  found in the tree of all areas under its lock, some 14 nodes deep, two lines a node. offset-allocator wants its own
  handle back and knows no address of what is live; finding areas by address is what this row pays for. To hand the
  lowest addresses out first costs 1 to 5 % of it. Tried: 32,768 places, 121 ticks instead of 378 with 15000 and ours
  alone; that is 512 KiB, and few machines have so many areas.
- 2 CPUs: pairs share nothing. From one CPU to the other up to 2000 areas are under way at once, and all ranges go round
  through one pool. With 2048 places most of the frees went to the tree: with ours alone 457 ticks, now 173 to 230.
  How much of that this table shows depends on the machine: each round begins with the peers' data in the caches.
";

pub const SCALE: &str = "\
What a call of ours costs as there is more of everything, on one CPU. The memory is managed whole, with its page array
of 16 bytes a frame; the host gives none to the frames, since nobody writes to them. Boot is the page array, the
presence map and the release of all frames, in memory that the host has given before. Steady: with so many live, one at
random is freed and another one allocated.
";
