//! What must be known to read the tables: what rows are, and their limits.

pub const PROCESSES: &str = "\
`userland/procbench.c`, one static program, runs on both kernels, with the same static busybox beside it.

- getpid: the call alone, 1000 times.
- fault_anonymous: the first write to each of 256 pages. fault_copy_on_write: the same by a child that shares them.
- fork_exit_wait: of procbench itself. fork_exec_exit_wait: the child becomes `busybox true`.
- fork_exit_wait_busybox: what `(:)` costs a busybox shell beyond `{ :; }`, part of which is the shell's own work.
- cat_bigfile_scullp: `busybox sh -c 'cat /tmp/bigfile > /dev/scullp0'`, from fork to wait. On Linux scullp is the
  driver of `bench/linux/scullfam.c`, /tmp is a tmpfs, and sendfile is refused by such a driver, so that cat reads and
  writes.
- pages_of_idle_shell: how many pages the machine has less for each of 100 shells that wait for a line: pages of the
  process, of page tables, of its kernel stack, of the kernel's records. What all shells share does not count.

What our instructions are for:

- getpid: the ways in and out with all registers, 129; the rest finds the call and makes it.
- fault_anonymous, 1,004: clearing, 516; the ways in and out, 129; who serves it, 56; the space's lock, 40; area and
  page table, 147; the page, 103.
- fault_copy_on_write, 1,374: copying, 511; the same ways, 129, 56, 40 and 142; two looks at the entry under the lock of
  the tables, and what is decided there, 347, since reclaim may take the page while it is copied; a new page, 112; the
  old one's reference, 39.
";

pub const DISKS: &str = "\
`userland/diskbench.c`, one static program, on a machine of 128 MiB whose hidden memory is a disk that answers at once,
/dev/ram0; on Linux that is `bench/linux/ramdisk.c`.

- buffer_hit: a block that is cached, found and let go of, by the kernel itself: 256 blocks in turn. buffer_hit_same:
  one of them, 256 times, which Linux remembers for each CPU.
- pread_64_cached, pread_4096_cached: a system call that reads so many bytes of such a block. By parts, of our 705: the
  page found and held, 280; the ways in and out, 137; descriptor and position, 104; the copy with its layers, 115; the
  mark of use, 59. A page is copied by 512.
- reclaim_clean_page: what a page costs a process more when memory is full of clean pages of the disk. By parts, of our
  850: the hand finds it, 75; it is judged, 125; it leaves hash, list, counts and swap's or the file's account, 270; it
  goes back to its zone, 160; what is done once for 32 of them, 150; the rest is that magazines are half as full.
- swap_page: what a page costs a process that goes over one and a half times as much memory as there is, again and
  again: each goes out and comes back, with two copies on the disk's side, 1,024 instructions. The median of three
  rounds, each of 48,000 pages; they differ by an eighth, by what of the last round is still in memory.
";

pub const DD: &str = "\
dd of 64 MiB to a virtio disk, written through to the disk's file, and from it: by the time that they take, in millions
of ticks, without `-icount`. The kernels run in turn; of five turns, the one in the middle.
";

pub const ALLOCATORS: &str = "\
The command `bench` here, the module `bench/linux/membench.c` there. What our instructions are for, mostly by a trace of
them one by one (QEMU's `-d exec`), shortly before commit `55cdfe9`:

- kmem_cache, 56: the CPU's magazine, 14; from the object's address over its page's entry and its slab to its number,
  11; the byte of its state, 3; the way through both calls, with what they refuse, 12; pinned twice, 10; who calls, 6.
- kmalloc, 64: the same, and the cache for the size, 9, which kmalloc_const need not look for; up to 128 KiB alike.
  kzalloc_kernel_4000: 500 stores of eight bytes and 27 for the call of memset; 564 are the least.
- Batches: a magazine is traded with the CPU's depot for 2 to 64 objects at once, 1 to 6 an object. A depot holds 1,024
  objects and 4 MiB. What goes beyond pays for slabs: one of a single object takes 1,400 to make and 1,090 to give back.
- kmem_cache_create_destroy: to create, the name checked, 142, debugging and a tag chosen, 90, the layout worked out,
  330, a place from the cache of caches, 310, the record written and listed, 270; to destroy, closed, 55, looked at for
  what lives, 180, taken off the list, 55, the place given back, 290. Half of both places is checks of the own slab.
- alloc_pages, any order: 97. The magazine, a chain through the pages' entries, 22; the entry found, 18; its word read,
  checked and written, 21; the way through both calls, 13; pinned twice, 11; who calls and where the allocators are, 12.
  In a batch of order 4 a trade for each 8 blocks adds 33 each way. Linux splits and merges above order 3.
- get_free_pages: an address for the frame and back, 39 more. get_zeroed_page, 721: that, 136; 512 stores and 24 for
  their loop; the look at the pool of cleared pages, its counts and a call, 49. Tried: `rep stosq` counts as much and
  takes 2.4 times as long in QEMU; stores of 16 bytes are 256, and take 1.5 times as long there.
- vmalloc, 4 pages, 1,150: addresses, 300 (the range, its place in the index, the queue of what the TLB may still show);
  page tables, 335; pages, 285; the rest is locks, pins and lists. A page more is 98: 71 for the page itself, from the
  magazines in one go, and 27 for its table entry, which is written, read again and cleared.
- ioremap, 4 KiB, 732: addresses, 250; page tables, 280; who owns the range, 40; the rest is locks and pins.
- kcopy: 4,096,000 bytes from device 0 to device 1 of a family, by `rep movsq`, an instruction a word: 512 a page, once
  to read and once to write. Of 780 more that a read and its write take in scullp, the file's layer has 288, driver and
  store 240, its lock 80, the caller's buffer 104. Linux's rows call the driver's functions with no file between, 161 a
  call: that is what rewrite and read are above 1 for. By programs, through all layers of both, ours is at a half
  (cat_bigfile_scullp). fresh adds a page or an object for each quantum, 357 a page.
- Tried for the copies: plain loads and stores instead of `rep movsq` take 0.87 of the time in QEMU, twice the time on
  an EPYC, and 768 instructions more a page (`kernel/src/arch/copy.rs` has the table). Half of Linux's time is out of
  reach of any way of copying: two thirds of what a page takes would have to go.
";
