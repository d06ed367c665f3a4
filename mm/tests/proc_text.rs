//! The exact text of /proc files on a small machine, and that their sums agree.

mod common;

use common::{DMA, KERNEL, Kernel, boot, boot_high, order, slab_pages, zones};
use mm::own::PageRef;
use mm::pages::EventCounts;
use mm::proc::{FileCache, Statistics, buddyinfo, meminfo, slabinfo, vmallocinfo, vmstat, zoneinfo};
use mm::testing::TestKernel;
use mm::{CacheFlags, CacheSpec, GfpFlags, Order, PAGE_SIZE, PageFlags, PhysAddr, VirtAddr, ZoneKind};

fn text(write: impl FnOnce(&mut String) -> core::fmt::Result) -> String {
    let mut text = String::new();
    write(&mut text).expect("strings grow");
    text
}

fn slabs(memory: Kernel, statistics: Statistics) -> String {
    text(|out| slabinfo(memory.objects().caches(), statistics, out))
}

/// The number behind `name` in a file of names and numbers.
fn number(text: &str, name: &str) -> usize {
    let line = text.lines().find(|line| line.starts_with(name)).expect(name);
    line.split_whitespace().nth(1).expect(name).parse().expect("a number")
}

/// A machine with some of everything in use.
fn busy() -> mm::testing::Booted {
    let memory = boot_high(48, 32);
    for size in [1, 40, 700, 5000, 100_000] {
        memory.kmalloc(size, KERNEL).expect("memory");
        memory.kmalloc(size, KERNEL | DMA).expect("memory");
    }
    memory.alloc_pages(GfpFlags::HIGHUSER, order(4)).expect("memory");
    memory.get_free_pages(KERNEL, order(7)).expect("memory");
    memory.vmalloc(700 * PAGE_SIZE).expect("memory");
    memory.ioremap(PhysAddr::new(0xfe00_0000), 5 * PAGE_SIZE).expect("addresses");
    // Pages in magazines and depots are free, but in no buddy list.
    memory.drop_caches();
    memory
}

#[test]
fn buddyinfo_has_a_line_for_each_zone() {
    // Shows: K14
    let memory = boot(24);
    // Thirteen pages hold the descriptors of the kmalloc caches.
    assert!(memory.alloc_pages(KERNEL, Order::ZERO).is_ok());
    memory.drop_caches();
    let expected = "\
Node 0, zone      DMA      1      1      1      1      1      1      1      1      1      7 \n\
Node 0, zone   Normal      2      2      1      1      2      2      0      1      1      3 \n";
    assert_eq!(text(|out| buddyinfo(&zones(*memory), out)), expected);
}

#[test]
fn zoneinfo_tells_pages_watermarks_and_events() {
    // Shows: S12, K14
    let memory = boot(20);
    let page = memory.alloc_pages(KERNEL, Order::ZERO).expect("memory");
    memory.free_frames(page, Order::ZERO).expect("a right free");
    assert!(memory.alloc_pages(GfpFlags::ATOMIC, order(2)).is_ok());
    let dma = "\
Node 0, zone      DMA
  pages free     4095
        min      127
        low      254
        high     381
        managed  4095
        depot    0
        cached   0
    nr_alloc     0
    nr_free      0
    nr_reserve   0
    nr_refused   0
    nr_sleep     0
    nr_fail      0
  pagesets
";
    let normal = "\
Node 0, zone   Normal
  pages free     1007
        min      10
        low      20
        high     30
        managed  1024
        depot    0
        cached   124
    nr_alloc     15
    nr_free      1
    nr_reserve   0
    nr_refused   0
    nr_sleep     0
    nr_fail      0
  pagesets
    cpu: N
        count    124
        alloc    15
        free     1
";
    assert_eq!(on_cpu_n(*memory, |out| zoneinfo(&zones(*memory), out)), format!("{dma}{normal}"));
}

/// The text, with `N` for the number of the one CPU that has done something: any that was free.
fn on_cpu_n(memory: Kernel, write: impl FnOnce(&mut String) -> core::fmt::Result) -> String {
    let cpus: Vec<_> = memory.pages().cpu_stats().map(|stats| stats.cpu).collect();
    assert_eq!(cpus.len(), 1);
    let text = text(write);
    text.replace(&format!("cpu: {}\n", cpus[0]), "cpu: N\n").replace(&format!("cpu{}_", cpus[0]), "cpuN_")
}

#[test]
fn vmstat_counts_events_in_all_and_on_each_cpu() {
    // Shows: K14
    let memory = boot(24);
    let pages = common::hoard(*memory, GfpFlags::ATOMIC);
    let [dma, normal] = [ZoneKind::Dma, ZoneKind::Normal].map(|kind| memory.pages().zone_stats(kind));
    let min = dma.marks.min + normal.marks.min;
    assert!(memory.alloc_pages(KERNEL, Order::ZERO).is_err());
    let sleeps = memory.pages().events().sleeps;
    assert!(sleeps > 0);
    let EventCounts { direct, reclaims, reclaimed_pages, .. } = memory.pages().events();
    let from_magazines = pages.len() as u64 - direct;
    assert!((1500..2000).contains(&from_magazines), "{from_magazines}: much of Normal, nothing of DMA");
    // The caches' descriptors took thirteen pages at the start.
    let allocs = pages.len() + 13;
    let expected = format!(
        "nr_free_pages 0\nnr_anon_pages 0\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n\
         pgactivate 0\npgdeactivate 0\npgfault 0\npgmajfault 0\npgcopy 0\n\
         pgscan_kswapd 0\npgscan_direct 0\npgsteal_kswapd 0\npgsteal_direct 0\n\
         pglaunder_kswapd 0\npglaunder_direct 0\npageoutrun 0\noom_kill 0\n\
         pgalloc_direct {direct}\npgalloc_reserve {min}\npgalloc_fail 2\npgalloc_sleep {sleeps}\n\
         reclaims {reclaims}\nreclaimed_pages {reclaimed_pages}\n\
         slabs_reaped 0\nareas_reaped 0\nothers_reaped 0\nbad_frees 0\nwrong_contexts 0\nslab_retired_pages 0\n\
         cpuN_alloc {allocs}\ncpuN_free 0\ncpuN_reserve {min}\ncpuN_fail 2\n\
         cpuN_reclaim {reclaims}\ncpuN_sleep {sleeps}\n"
    );
    assert_eq!(on_cpu_n(*memory, |out| vmstat(*memory, out)), expected);
    let [dma, normal] = [ZoneKind::Dma, ZoneKind::Normal].map(|kind| memory.pages().zone_stats(kind).counters);
    assert_eq!((normal.sleeps, normal.failures), (sleeps, 2), "the zone that was asked first counts");
    assert_eq!((dma.sleeps, dma.failures), (0, 0));
    assert_eq!(dma.reserve_allocs + normal.reserve_allocs, min as u64);
}

#[test]
fn slabinfo_is_version_1_1() {
    // Shows: S32, K14
    let memory = boot(16);
    let spec =
        |name| CacheSpec { name, size: 4000, offset: 0, flags: CacheFlags::HWCACHE_ALIGN, ctor: None, dtor: None };
    let cache = memory.kmem_cache_create(&spec("scullc")).expect("a cache");
    let objects: Vec<_> = (0..263).map(|_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory")).collect();
    let plain = slabs(*memory, Statistics::Off);
    let mut lines = plain.lines();
    assert_eq!(lines.next(), Some("slabinfo - version: 1.1 (SMP)"));
    assert!(lines.next().is_some_and(|line| line.starts_with("kmem_cache            27 ")));
    assert_eq!(lines.next(), Some("scullc               263    263   4032  263  263    1 :   32   32"));
    assert_eq!(lines.next(), Some("size-131072(DMA)       0      0 131072    0    0   32 :    4    4"));
    objects.into_iter().for_each(|object| memory.kmem_cache_free(cache, object).expect("a right free"));
    memory.kmem_cache_shrink(cache);
    let full = slabs(*memory, Statistics::On);
    assert!(full.starts_with("slabinfo - version: 1.1 (statistics) (SMP)\n"));
    let line = "scullc                 0      0   4032    0    0    1 :    263     263   263  263    0 :   32   32";
    assert_eq!(full.lines().nth(2), Some(&*format!("{line} :      0    263      0    263")));
}

#[test]
fn meminfo_has_the_lines_of_2_4() {
    // Shows: K14
    let memory = boot(16);
    memory.drop_caches();
    let slab = 4 * slab_pages(*memory);
    let free = 4 * memory.pages().free_pages_total();
    assert_eq!(slab + free, 16 * 1024 - 4);
    let low: usize = zones(*memory).iter().map(|zone| zone.marks.low).sum();
    let available = free + 4 - 4 * low;
    let (used_bytes, free_bytes) = (slab * 1024, free * 1024);
    let expected = format!(
        "        total:    used:    free:  shared: buffers:  cached:
Mem:  16773120 {used_bytes:>8} {free_bytes:>8}        0    12288     8192
Swap:   409600   122880   286720
MemTotal:        16380 kB
MemFree:      {free:>8} kB
MemAvailable: {available:>8} kB
MemShared:           0 kB
Buffers:            12 kB
Cached:              8 kB
SwapCached:          0 kB
Active:              0 kB
Inactive:            0 kB
HighTotal:           0 kB
HighFree:            0 kB
LowTotal:        16380 kB
LowFree:      {free:>8} kB
SwapTotal:         400 kB
SwapFree:          280 kB
Dirty:               8 kB
Writeback:           4 kB
AnonPages:           0 kB
Slab:         {slab:>8} kB
PageTables:          0 kB
KernelStack:         0 kB
AreaPages:           0 kB
ModulePages:         0 kB
ValuePages:          0 kB
DriverPages:         0 kB
PromptPages:         0 kB
OtherPages:          0 kB
VmallocTotal:    65536 kB
VmallocUsed:         0 kB
VmallocLazy:         0 kB
"
    );
    let files = FileCache {
        buffers: 3,
        cached: 2,
        swap_cached: 0,
        dirty: 2,
        writeback: 1,
        clean: 1,
        swap_total: 100,
        swap_free: 70,
    };
    assert_eq!(text(|out| meminfo(*memory, files, out)), expected);
}

/// Memory that everybody has taken some of is in one line each.
#[test]
fn each_page_is_in_one_line_of_meminfo() {
    let memory = busy();
    let sum = |info: &str| -> usize {
        let lines = ["MemFree:", "Buffers:", "Cached:", "SwapCached:", "AnonPages:"];
        let lines = lines.iter().chain(&["Slab:", "PageTables:", "KernelStack:"]).map(|line| String::from(*line));
        let others = ["Area", "Module", "Value", "Driver", "Prompt", "Other"].map(|owner| format!("{owner}Pages:"));
        lines.chain(others).map(|line| number(info, &line)).sum()
    };
    let info = text(|out| meminfo(*memory, FileCache::default(), out));
    assert_eq!(sum(&info), number(&info, "MemTotal:"));
    let pages = [(); 5].map(|()| PageRef::<TestKernel>::of_file(GfpFlags::HIGHUSER).expect("memory"));
    let flags = [PageFlags::CACHED, PageFlags::CACHED | PageFlags::ACTIVE];
    pages.iter().enumerate().for_each(|(n, page)| _ = memory.pages().set_page_flags(page.frame(), flags[n % 2]));
    let files = FileCache { buffers: 3, cached: 2, ..FileCache::default() };
    let with_files = text(|out| meminfo(*memory, files, out));
    assert_eq!(sum(&with_files), number(&info, "MemTotal:"));
    assert_eq!(["Active:", "Inactive:", "Buffers:", "Cached:"].map(|line| number(&with_files, line)), [8, 12, 12, 8]);
    pages.iter().for_each(|page| _ = memory.pages().clear_page_flags(page.frame(), PageFlags::all()));
    drop(pages);
    let block = memory.alloc_pages(GfpFlags::KERNEL, Order::new(3).expect("an order")).expect("memory");
    let with_block = text(|out| meminfo(*memory, FileCache::default(), out));
    assert_eq!(number(&with_block, "OtherPages:"), number(&info, "OtherPages:") + 32);
    assert_eq!(sum(&with_block), number(&info, "MemTotal:"));
    memory.free_frames(block, Order::new(3).expect("an order")).expect("a right free");
}

#[test]
fn vmallocinfo_lists_areas_by_address() {
    // Shows: K12, K14
    let memory = boot(16);
    let (area, line) = (memory.vmalloc(3 * PAGE_SIZE).expect("memory").as_usize(), line!());
    let device = memory.ioremap(PhysAddr::new(0xfe00_0010), 1).expect("addresses").page_down().as_usize();
    let expected = format!(
        "0x{area:016x}-0x{device:016x}   16384 {file}:{line} pages=3 vmalloc\n\
         0x{device:016x}-0x{:016x}    8192 {file}:{} phys=0x00000000fe000000 ioremap\n",
        device + 8192,
        line + 1,
        file = file!(),
    );
    assert_eq!(text(|out| vmallocinfo(memory.areas().iter(), out)), expected);
}

#[test]
fn the_sums_of_all_files_agree() {
    // Shows: K14
    let memory = busy();
    let info = text(|out| meminfo(*memory, FileCache::default(), out));
    let kib = |pages: usize| pages * 4;
    let mem = info.lines().nth(1).expect("a line").split_whitespace().skip(1);
    let mem: Vec<usize> = mem.map(|number| number.parse().expect("a number")).collect();
    assert_eq!(mem[0], mem[1] + mem[2]);
    assert_eq!([mem[0] / 1024, mem[2] / 1024], [number(&info, "MemTotal:"), number(&info, "MemFree:")]);
    for (all, high, low) in [("MemTotal:", "HighTotal:", "LowTotal:"), ("MemFree:", "HighFree:", "LowFree:")] {
        assert_eq!(number(&info, all), number(&info, high) + number(&info, low));
    }
    assert_eq!(number(&info, "HighTotal:"), kib(memory.pages().zone_stats(ZoneKind::HighMem).managed));
    let buddies = text(|out| buddyinfo(&zones(*memory), out));
    let pages = |line: &str| -> usize {
        let orders = line.split_whitespace().skip(4).enumerate();
        orders.map(|(order, blocks)| blocks.parse::<usize>().expect("a number") << order).sum()
    };
    assert_eq!(buddies.lines().map(pages).sum::<usize>() * 4, number(&info, "MemFree:"));
    let slab = |line: &str| -> usize {
        let columns: Vec<usize> = line.split_whitespace().skip(1).map_while(|n| n.parse().ok()).collect();
        columns[4] * columns[5]
    };
    let slabs = slabs(*memory, Statistics::Off);
    assert_eq!(kib(slabs.lines().skip(1).map(slab).sum()), number(&info, "Slab:"));
    let areas: usize = memory.areas().iter().map(|area| area.bytes / PAGE_SIZE - 1).sum();
    assert_eq!((kib(areas), 705), (number(&info, "VmallocUsed:"), areas));
    let used = slab_pages(*memory) + memory.tables().count() + 700 + 16 + 128;
    assert_eq!(number(&info, "MemTotal:"), number(&info, "MemFree:") + kib(used), "every page is accounted for");
    assert_eq!(memory.areas().area_at(VirtAddr::new(0)), None);
}
