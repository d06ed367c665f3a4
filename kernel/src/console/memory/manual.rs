//! The chapter's quick reference: what `help` says about its calls.

pub const KMALLOC: &str = "\
SIZE      bytes, 0 to 131072 (128k); rounded up to 32, 64, 128 ... 131072
FLAGS     joined by + or commas, or by | in quotes; GFP_KERNEL if none are given
  GFP_KERNEL    for a process; may sleep; stops at the zone's min
  GFP_BUFFER    may sleep, but no I/O is started to get memory
  GFP_ATOMIC    for interrupts, timers and callers with a lock: never sleeps; takes the last page
  GFP_USER      for a user's memory; may sleep; low priority: stops at the zone's low
  GFP_HIGHUSER  the same, from high memory if there is any
  __GFP_DMA     below 16 MB, for ISA; also written GFP_DMA
  __GFP_HIGHMEM high memory will do: only for getpages, whose block then has no address
  __GFP_NORETRY fails sooner: reclaims once and waits for nobody; __GFP_NOWARN: fails in silence
  __GFP_WAIT __GFP_HIGH __GFP_IO   what the collections above are made of
The address has a number, which stands for it (m1, m1+8), until 512 more were handed out.
The other calls of the chapter, each with a help text:
  kfree ADDRESS                        void kfree(obj)
  getpages ORDER, freepages A ORDER    __get_free_pages, free_pages: 2 to the ORDER pages
  getzeroed                            get_zeroed_page
  cache create|alloc|free|shrink|destroy   kmem_cache_create and its kin
  vmalloc SIZE, vfree A                contiguous addresses, any pages
  ioremap PHYSICAL SIZE, iounmap A     device memory
  @irq kmalloc 64 GFP_ATOMIC           any of these calls from a timer: interrupt context
  page A, peek A, poke A BYTE, held    look at what came of it; held -f frees all
";

pub const KFREE: &str = "\
ADDRESS   m1, m1+8 or hexadecimal. Any address may be tried: a wrong one is reported and nothing changes.
          An object that was not handed out here is not freed, and the answer says whose it is.
";

pub const VFREE: &str = "\
ADDRESS   what vmalloc returned, as m1 or in hexadecimal: no other is freed. May sleep: not from interrupts.
";

pub const IOUNMAP: &str = "\
ADDRESS   what ioremap returned, as m1 or in hexadecimal; any byte of its first page will do. May sleep.
";

pub const PEEK: &str = "\
ADDRESS   m1, m1+8 or hexadecimal: memory that was handed out here and not freed, but no registers of a device
BYTES     16 if no number is given; at the end of what was handed out it stops
";

pub const POKE: &str = "\
ADDRESS   as for peek
BYTE      0 to 255, or hexadecimal: 0x5a
COUNT     how often the byte is written, one after the other; 1 if no number is given
";

pub const HELD: &str = "\
A line for each: its number, which stands for its address, and what it is. One that was freed is not listed, but its
number still stands for the address, so that it can be freed twice.
";

pub const GETPAGES: &str = "\
ORDER     0 to 9: 2 to the ORDER pages, together, aligned to their size
FLAGS     as for kmalloc; with __GFP_HIGHMEM (or GFP_HIGHUSER) alloc_pages is called, not __get_free_pages
What the pages hold is what their last owner left: peek them. getzeroed clears its page.
";

pub const GETZEROED: &str = "\
FLAGS     as for kmalloc. The page is freed by freepages, with order 0.
";

pub const FREEPAGES: &str = "\
ORDER     the one that the block was allocated with: any other is refused and reported
";

pub const CACHE: &str = "\
cache                                    lists the caches that were created here
cache create NAME SIZE [ctor|ctor+dtor|dtor] [offset=BYTES] [FLAG...]   kmem_cache_create: objects of 8 to 131072 bytes
  ctor, ctor+dtor    a constructor that counts and writes CREATED! into the object; a destructor that counts
  dtor               a destructor alone, which is refused
  offset=BYTES       one slab's first object lies so much further in than the last one's; 0 is a cache line
  SLAB_HWCACHE_ALIGN objects start at a cache line, or share one evenly
  SLAB_NO_REAP       low memory does not shrink it
  SLAB_CACHE_DMA     objects below 16 MB
  SLAB_POISON SLAB_RED_ZONE  stray writes are found and reported
cache alloc NAME [FLAGS]                 kmem_cache_alloc
cache free NAME ADDRESS                  kmem_cache_free
cache shrink NAME                        kmem_cache_shrink: whole slabs go back, destructors run
cache destroy NAME                       kmem_cache_destroy: refused while objects are out
";

pub const VMALLOC: &str = "\
SIZE      bytes, in whole pages, which need not be neighbours; an unmapped page follows them
May sleep: not from interrupts.
";

pub const IOREMAP: &str = "\
PHYSICAL  address in hexadecimal, as lspci -v and /proc/iomem show it
Maps registers, uncached; allocates nothing but page tables. Memory of the kernel is refused.
";

pub const AT_IRQ: &str = "\
COMMAND   cache, freepages, getpages, getzeroed, ioremap, iounmap, kfree, kmalloc, vfree or vmalloc, with its operands
A timer makes the call at the next tick, in interrupt context. What may sleep is refused there and reported.
";

pub const PAGE: &str = "\
ADDRESS   m1, or 16 hexadecimal digits as messages show them
PFN       the frame's number: decimal, or hexadecimal with 0x
Shows how the address is mapped, the vm area, the frame with its zone, its block, and the object in it.
";
