//! The command line's words about memory: what they mean; no word does harm.

use mm::pages::AtomicFloor;
use mm::testing::Rng;
use mm::{PAGE_SIZE, Pfn, PfnRange};
use services::options::{KeptRam, MAX_REGIONS, MemoryOptions, OptionError, Switch};

const PAGE: u128 = PAGE_SIZE as u128;

/// The options of a command line of good words.
fn read(line: &str) -> MemoryOptions {
    let mut options = MemoryOptions::DEFAULT;
    for word in line.split_whitespace() {
        let (name, value) = word.split_once('=').expect("name=value");
        options.set(name, value).expect(word);
    }
    options
}

fn refused(name: &str, value: &str) -> OptionError {
    let mut options = read("mem=100M mem=4M@200M highmem=8M slab_debug=Z,c");
    let before = options;
    let error = options.set(name, value).expect_err(value);
    assert_eq!(options, before, "a refused word changes nothing");
    error
}

fn frames(start: u32, end: u32) -> PfnRange {
    PfnRange::new(Pfn::new(start), Pfn::new(end))
}

fn kept(line: &str) -> Vec<PfnRange> {
    read(line).mem.frames().ranges().to_vec()
}

#[test]
fn sizes_have_units() {
    let highmem = |value: &str| read(&format!("highmem={value}")).highmem;
    assert_eq!(["4096", "4K", "4k", "0x1000", "0X1000", "010000"].map(highmem), [4096; 6]);
    assert_eq!((highmem("126M"), highmem("2g"), highmem("0x10M")), (126 << 20, 2 << 30, 16 << 20));
}

#[test]
fn the_options_mean_what_they_say() {
    assert_eq!(read(""), MemoryOptions::DEFAULT);
    let options = read("bigphysarea=300 min_free_kbytes=2048 atomic_floor=min/4 slab_stats=1 init_on_free=1");
    assert_eq!((options.bigphysarea, options.min_free_kib, options.slab_stats), (300, Some(2048), Switch::On));
    assert_eq!(options.atomic_floor, AtomicFloor::QuarterOfMin);
    assert_eq!(read("slab_stats=1 slab_stats=0"), MemoryOptions::DEFAULT, "the last word stands");
    let options = read("slab_quarantine=64K page_poison=1");
    assert_eq!((options.slab_quarantine, options.page_poison), (65_536, Switch::On));
}

#[test]
fn mem_keeps_what_lies_below_an_address_or_in_regions_given_by_hand() {
    // Shows: S73
    assert_eq!(kept(""), [PfnRange::ALL]);
    assert_eq!(kept("mem=126M"), [frames(0, 126 * 256)]);
    assert_eq!(kept("mem=1M mem=126M"), [frames(0, 126 * 256)], "the last one stands");
    assert_eq!(kept("mem=exactmap mem=640K@0 mem=62M@1M"), [frames(0, 160), frames(256, 63 * 256)]);
    assert!(read("mem=exactmap").mem.lacks_regions() && !read("mem=exactmap mem=640K@0").mem.lacks_regions());
    assert_eq!(kept("mem=16M mem=16M@0x4000000"), [frames(0, 4096), frames(16384, 20480)]);
    assert_eq!(kept("mem=8M@8M mem=8M@12M"), [frames(2048, 5120)], "they may overlap");
    assert_eq!(kept("mem=9000@5000"), [frames(2, 3)], "whole pages only");
    assert_eq!(kept("mem=100@5000"), []);
    assert_eq!(kept("mem=1M@16777215G"), [], "out of reach");
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let names = ["mem", "highmem", "bigphysarea", "min_free_kbytes", "slab_stats", "init_on_alloc", "init_on_free"];
    for name in names.into_iter().chain(["slab_quarantine", "page_poison"]) {
        for value in ["lots", "-1", "+1", "1.5M", "M", "0x", "08", "1Q", "1 M", "1M@", "\u{e9}M"] {
            assert_eq!(refused(name, value), OptionError::BadValue, "{name}={value}");
        }
        assert_eq!(refused(name, ""), OptionError::Empty, "{name}");
    }
    for name in ["mem", "highmem", "bigphysarea", "min_free_kbytes"] {
        assert_eq!(refused(name, "99999999999999999999"), OptionError::TooLarge, "{name}");
    }
    for value in ["0", "0@1M", "1M@nopentium", "@", "@1M", "1M@1M@1M", "1M@-1", "1M@x"] {
        assert_eq!(refused("mem", value), OptionError::BadValue, "mem={value}");
    }
    for value in ["17592186044415M@1G", "18446744073709551615@1", "1@18446744073709551616"] {
        assert_eq!(refused("mem", value), OptionError::TooLarge, "mem={value}");
    }
    assert!(matches!(refused("mem", "nopentium"), OptionError::NoEffect(_)));
    assert_eq!(refused("atomic_floor", "min"), OptionError::BadValue);
    assert_eq!(refused("slab_debug", "Q"), OptionError::BadValue);
    assert_eq!(refused("slab_debug", "F,a-name-of-more-than-nineteen"), OptionError::BadValue);
    for name in ["", "me", "mem ", "MEM", "highmem0"] {
        assert_eq!(refused(name, "1M"), OptionError::Unknown);
    }
}

#[test]
fn more_regions_than_the_table_holds_are_refused() {
    let mut options = read(&"mem=1M@1M ".repeat(MAX_REGIONS));
    let before = options;
    assert_eq!(options.set("mem", "1M@64M"), Err(OptionError::TooMany));
    assert_eq!(options, before);
    assert_eq!(options.set("mem", "64M"), Ok(()));
}

/// A number as a careless hand writes it, and its value.
fn number(rng: &mut Rng) -> (String, Option<u128>) {
    let digits = match rng.below(6) {
        0 => rng.next_u64(),
        1 => [0, 1, 4095, 4096, u64::MAX, u64::MAX - 4095, 1 << 44][rng.below(7)],
        _ => rng.below(1 << 24) as u64,
    };
    let (unit, shift) =
        [("", 0), ("K", 10), ("k", 10), ("M", 20), ("g", 30), ("G", 30), ("T", 40), ("MM", 20)][rng.below(8)];
    let text = match rng.below(6) {
        0 => format!("0x{digits:x}{unit}"),
        1 => format!("0{digits:o}{unit}"),
        _ => format!("{digits}{unit}"),
    };
    let value = u128::from(digits) << shift;
    (text, (shift < 40 && unit != "MM" && u64::try_from(value).is_ok()).then_some(value))
}

/// A value of `mem=`, and the bytes that it names: `None` where it makes no sense.
fn word(rng: &mut Rng) -> (String, Option<(u128, u128)>, bool) {
    let (size, bytes) = number(rng);
    if rng.one_in(2) {
        return (size, bytes.filter(|&bytes| bytes > 0).map(|bytes| (0, bytes)), false);
    }
    let (address, start) = number(rng);
    let range = bytes.filter(|&bytes| bytes > 0).zip(start).map(|(bytes, start)| (start, start + bytes));
    (format!("{size}@{address}"), range.filter(|&(_, end)| u64::try_from(end).is_ok()), true)
}

#[test]
fn any_words_of_mem_keep_just_the_pages_that_they_name() {
    for seed in 0..500 {
        let (mut rng, mut options) = (Rng::new(seed), MemoryOptions::DEFAULT);
        let (mut below, mut regions, mut line) = (None, Vec::new(), String::new());
        for _ in 0..1 + rng.below(6) {
            let (text, named, by_hand) = word(&mut rng);
            line += &format!("mem={text} ");
            assert_eq!(options.set("mem", &text).is_ok(), named.is_some(), "{seed}: {line}");
            match named {
                Some(range) if by_hand => regions.push(range),
                Some(range) => below = Some(range),
                None => {}
            }
        }
        let named: Vec<(u128, u128)> = regions.into_iter().chain(below).collect();
        let set = options.mem.frames();
        assert_eq!(options.mem == KeptRam::ALL, named.is_empty(), "{seed}: {line}");
        let edges = named
            .iter()
            .flat_map(|&(start, end)| [start, end])
            .flat_map(|edge| [edge.saturating_sub(PAGE), edge, edge + PAGE]);
        for page in edges.map(|edge| edge / PAGE).filter(|&page| page < u128::from(u32::MAX)) {
            let (start, end) = (page * PAGE, (page + 1) * PAGE);
            let expected = named.iter().any(|&(from, to)| from <= start && end <= to);
            assert_eq!(set.contains(frames(page as u32, page as u32 + 1)), expected, "{seed}: {line}: page {page:x}");
        }
    }
}

#[test]
fn no_line_of_noise_does_harm() {
    let names = [
        "mem",
        "highmem",
        "bigphysarea",
        "min_free_kbytes",
        "atomic_floor",
        "slab_stats",
        "slab_debug",
        "slab_quarantine",
        "page_poison",
        "init_on_free",
        "x",
    ];
    let pieces = [
        "@",
        "=",
        ",",
        "0x",
        "M",
        "G",
        "K",
        "9",
        "18446744073709551615",
        "-",
        "+",
        "\u{fffd}",
        "F",
        "\0",
        "size-32",
        "min/4",
    ];
    for seed in 0..3000 {
        let (mut rng, mut options) = (Rng::new(seed), MemoryOptions::DEFAULT);
        for _ in 0..8 {
            let value: String = (0..rng.below(5)).map(|_| pieces[rng.below(pieces.len())]).collect();
            let before = options;
            if options.set(names[rng.below(names.len())], &value).is_err() {
                assert_eq!(options, before, "seed {seed}: {value:?}");
            }
        }
        // Whatever was understood is a set of frames in good order.
        let set = options.mem.frames();
        assert!(set.ranges().windows(2).all(|two| two[0].end < two[1].start));
    }
}
