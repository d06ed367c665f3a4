# The book's breakpoints: `make run GDB=1` in one terminal, `gdb -x tools/scullery.gdb` in another, both at the top of the
# tree. xtask finds the functions in the sources, and a test of it makes sure that they are there.
set pagination off
set print pretty on
file target/x86_64-kernel/kernel/kernel
target remote :1234

# Nothing of the kernel is in memory yet: only a breakpoint of the processor holds.
thbreak kernel::start
continue

shell target/debug/xtask breakpoints > target/breakpoints.gdb
source target/breakpoints.gdb

echo \nFaults and panics stop. Stop at a call of the chapter, too, by one of\n
echo \ \ enable $kmalloc   $kmem_cache_alloc   $kfree (of both)   $get_free_pages\n
echo \ \ enable $vmalloc   $vfree   $ioremap   $kmap   $buddy_alloc   $buddy_free\n
echo then `continue`; `backtrace` shows who called, `disable $kmalloc` ends it.\n
