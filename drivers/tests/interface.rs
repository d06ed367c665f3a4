//! What a user types and sees: insmod lines, ioctls, /proc text.

mod common;

use common::{Host, RW, file, in_use, insmod, machine, pattern, read_all, take_log, trim, write, write_all};
use drivers::{Cache, Kmalloc, Pages, QuantumStore, Scull, Vmalloc};
use kapi::{CharDriver, Errno, Minor, Module, OpenDevice, OpenFlags};

fn proc_text<S: QuantumStore<Host>>(driver: &Scull<Host, S>) -> String {
    let mut text = String::new();
    driver.proc_text(&mut text).expect("proc");
    text
}

/// A driver without parameters.
fn plain<S: QuantumStore<Host>>() -> Scull<Host, S> {
    insmod(&[]).expect("insmod")
}

#[test]
fn bad_parameters_are_refused() {
    // Shows: D5
    let _machine = machine();
    for line in [
        "scull_quantum=0",
        "scull_quantum=-1",
        "scull_quantum=131073",
        "scull_quantum=99999999999999999999",
        "scull_quantum=",
        "scull_quantum=4k",
        "scull_qset=0",
        "scull_qset=-500",
        "scull_qset=16385",
        "scull_nr_devs=0",
        "scull_nr_devs=33",
        "scull_nr_devs=-4",
        "scull_limit=-1",
        "scull_limit=lots",
        "scull_order=1",
        "quantum=4000",
        "nosuch=1",
    ] {
        assert_eq!(insmod::<Kmalloc>(&[line]).err(), Some(Errno::EINVAL), "{line}");
    }
    for line in ["scullp_order=10", "scullp_order=-1", "scullp_quantum=4096", "scull_order=1"] {
        assert_eq!(insmod::<Pages>(&[line]).err(), Some(Errno::EINVAL), "{line}");
    }
    assert_eq!(insmod::<Vmalloc>(&["scullv_order=10"]).err(), Some(Errno::EINVAL));
}

#[test]
fn parameters_take_effect() {
    // Shows: S46, S62, S17
    let _machine = machine();
    let scullp = insmod::<Pages>(&["scullp_order=1", "scullp_qset=7", "scullp_nr_devs=2"]).expect("insmod");
    assert!(proc_text(&scullp).contains("\nDevice 1: qset 7, order 1, sz 0\n"));
    assert!(!proc_text(&scullp).contains("Device 2"));
    assert_eq!(write(&scullp, 0, 0, &pattern(10_000)), Ok(8192));
    fn starts_with<S: QuantumStore<Host>>(driver: &Scull<Host, S>, first: &str) {
        assert!(proc_text(driver).starts_with(first), "{}", Scull::<Host, S>::NAME);
    }
    let (scull, scullc) = (plain::<Kmalloc>(), plain::<Cache<Host>>());
    let (scullp, scullv) = (plain::<Pages>(), plain::<Vmalloc>());
    starts_with(&scull, "\nDevice 0: qset 1000, q 4000, sz 0\n");
    starts_with(&scullc, "\nDevice 0: qset 500, quantum 4000, sz 0\n");
    starts_with(&scullp, "\nDevice 0: qset 500, order 0, sz 0\n");
    starts_with(&scullv, "\nDevice 0: qset 500, order 4, sz 0\n");
}

#[test]
fn modules_come_and_go() {
    let _machine = machine();
    let start = in_use();
    for line in [&[][..], &["scullc_quantum=100"]] {
        let driver = insmod::<Cache<Host>>(line).expect("the cache is gone and can be made anew");
        assert_eq!(driver.devices(), 4);
        assert_eq!(driver.open(&mut OpenDevice::new(Minor(4), RW)), Err(Errno::ENODEV));
        driver.open(&mut OpenDevice::new(Minor(3), RW)).expect("open");
        write_all(&driver, 3, 0, &pattern(10_000)).expect("write");
        driver.release(&OpenDevice::new(Minor(3), RW));
        drop(driver);
        assert_eq!(in_use(), start, "{line:?}");
    }
    assert_eq!(take_log(), Vec::<String>::new(), "no leaks");
}

#[test]
fn only_opening_for_writing_alone_empties_a_device() {
    let _machine = machine();
    let driver = insmod::<Kmalloc>(&[]).expect("insmod");
    write(&driver, 0, 0, b"data").expect("write");
    for flags in [OpenFlags::READ, RW] {
        driver.open(&mut OpenDevice::new(Minor(0), flags)).expect("open");
        driver.release(&OpenDevice::new(Minor(0), flags));
        assert_eq!(read_all(&driver, 0, 0), b"data");
    }
    trim(&driver, 0).expect("trim");
    assert_eq!(driver.size(&file(0)), Ok(0));
}

#[test]
fn a_trimmed_device_takes_on_the_current_sizes() {
    // Shows: K7
    let _machine = machine();
    let driver = insmod::<Kmalloc>(&[]).expect("insmod");
    assert_eq!(driver.ioctl(&file(0), 0x6b03, 100), Ok(0), "TQUANTUM");
    assert_eq!(write(&driver, 0, 0, &pattern(5000)), Ok(4000), "the device keeps its own quantum");
    trim(&driver, 0).expect("trim");
    assert_eq!(write(&driver, 0, 0, &pattern(5000)), Ok(100));
    assert_eq!(write(&driver, 1, 0, &pattern(5000)), Ok(4000), "so do the others");
}

#[test]
fn sculls_ioctls_have_their_numbers() {
    // Shows: D5, D10
    let _machine = machine();
    let driver = insmod::<Kmalloc>(&[]).expect("insmod");
    let ioctl = |number, argument| driver.ioctl(&file(0), number, argument);
    assert_eq!((ioctl(0x6b07, 0), ioctl(0x6b08, 0)), (Ok(4000), Ok(1000)), "Q");
    assert_eq!((ioctl(0x6b0b, 200), ioctl(0x6b0c, 30)), (Ok(4000), Ok(1000)), "H answers the old value");
    assert_eq!((ioctl(0x6b07, 0), ioctl(0x6b08, 0)), (Ok(200), Ok(30)), "H sets the right one");
    assert_eq!((ioctl(0x6b03, 300), ioctl(0x6b04, 40)), (Ok(0), Ok(0)), "T");
    assert_eq!((ioctl(0x6b07, 0), ioctl(0x6b08, 0)), (Ok(300), Ok(40)));
    for bad in [0, usize::MAX, 131_073, 1 << 32] {
        assert_eq!((ioctl(0x6b03, bad), ioctl(0x6b0b, bad)), (Err(Errno::EINVAL), Err(Errno::EINVAL)), "{bad}");
        assert_eq!((ioctl(0x6b04, bad), ioctl(0x6b0c, bad)), (Err(Errno::EINVAL), Err(Errno::EINVAL)), "{bad}");
    }
    assert_eq!((ioctl(0x6b07, 0), ioctl(0x6b08, 0)), (Ok(300), Ok(40)), "a refused value changes nothing");
    for pointer in [0x4004_6b01, 0x4004_6b02, 0x8004_6b05, 0x8004_6b06, 0xc004_6b09, 0xc004_6b0a] {
        assert_eq!(ioctl(pointer, 4096), Err(Errno::EFAULT), "{pointer:#x}");
    }
    assert_eq!(ioctl(0x6b00, 0), Ok(0), "RESET");
    assert_eq!((ioctl(0x6b07, 0), ioctl(0x6b08, 0)), (Ok(4000), Ok(1000)));
    for unknown in [0x4b00, 0x6b01, 0x6b0d, 0x6b0f, 0x6bff, 0x4004_6b03, 0, u32::MAX] {
        assert_eq!(ioctl(unknown, 1), Err(Errno::ENOTTY), "{unknown:#x}");
    }
}

#[test]
fn the_others_ioctls_have_their_numbers() {
    // Shows: D5
    let _machine = machine();
    let driver = insmod::<Pages>(&[]).expect("insmod");
    let ioctl = |number, argument| driver.ioctl(&file(0), number, argument);
    assert_eq!((ioctl(0x4b04, 0), ioctl(0x4b0a, 0)), (Ok(0), Ok(500)), "Q");
    assert_eq!((ioctl(0x4b02, 3), ioctl(0x4b08, 60)), (Ok(0), Ok(0)), "T");
    assert_eq!((ioctl(0x4b06, 9), ioctl(0x4b0c, 70)), (Ok(3), Ok(60)), "H");
    assert_eq!((ioctl(0x4b04, 0), ioctl(0x4b0a, 0)), (Ok(9), Ok(70)));
    for bad in [10, usize::MAX, 0xffff_ffff] {
        assert_eq!((ioctl(0x4b02, bad), ioctl(0x4b08, bad.max(16_385))), (Err(Errno::EINVAL), Err(Errno::EINVAL)));
    }
    for pointer in [0x4004_4b01, 0x8004_4b03, 0xc004_4b05, 0x4004_4b07, 0x8004_4b09, 0xc004_4b0b] {
        assert_eq!(ioctl(pointer, 4096), Err(Errno::EFAULT), "{pointer:#x}");
    }
    for unknown in [0x6b00, 0x4b01, 0x4b0d, 0x8004_4b04] {
        assert_eq!(ioctl(unknown, 1), Err(Errno::ENOTTY), "{unknown:#x}");
    }
}

#[test]
fn scullcs_quantum_is_fixed_at_load_time() {
    // Shows: S33, D4
    let _machine = machine();
    let driver = insmod::<Cache<Host>>(&["scullc_quantum=3000", "scullc_qset=10"]).expect("insmod");
    let ioctl = |number, argument| driver.ioctl(&file(0), number, argument);
    for change in [0x4004_4b01, 0x4b02, 0xc004_4b05, 0x4b06] {
        assert_eq!(ioctl(change, 5000), Err(Errno::EPERM), "{change:#x}");
    }
    assert_eq!((ioctl(0x4b0c, 20), ioctl(0x4b00, 0)), (Ok(10), Ok(0)));
    assert_eq!((ioctl(0x4b04, 0), ioctl(0x4b0a, 0)), (Ok(3000), Ok(500)), "RESET keeps the quantum too");
}

/// Replaces each 16-digit pointer by `P`, and checks that it is one.
fn without_pointers(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_inclusive([' ', ':', ',']).collect();
        for word in words {
            let digits = word.trim_end_matches(',');
            let pointer =
                digits.len() == 16 && digits.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase());
            out.push_str(if pointer && digits.chars().any(|c| c != '0') { "P" } else { digits });
            out.push_str(&word[digits.len()..]);
        }
        out.push('\n');
    }
    out
}

const NO_SET: &str = "  item at P, qset at 0000000000000000\n";

#[test]
fn proc_text_of_fresh_and_small_devices() {
    // Shows: K14
    let _machine = machine();
    let scull = insmod::<Kmalloc>(&["scull_nr_devs=2"]).expect("insmod");
    write_all(&scull, 0, 0, &pattern(9000)).expect("write");
    write(&scull, 0, 999 * 4000, b"x").expect("write");
    assert_eq!(
        without_pointers(&proc_text(&scull)),
        format!(
            "\nDevice 0: qset 1000, q 4000, sz 3996001\n  item at P, qset at P\n\
             \x20      0: P\n       1: P\n       2: P\n     999: P\n\
             \nDevice 1: qset 1000, q 4000, sz 0\n{NO_SET}"
        )
    );
    let scullv = insmod::<Vmalloc>(&["scullv_nr_devs=1", "scullv_qset=2000", "scullv_order=0"]).expect("insmod");
    write(&scullv, 0, 1500 * 4096, b"x").expect("write");
    assert_eq!(
        without_pointers(&proc_text(&scullv)),
        "\nDevice 0: qset 2000, order 0, sz 6144001\n  item at P, qset at P\n     1500:P\n"
    );
}

#[test]
fn proc_text_lists_all_items_but_only_the_last_ones_quanta() {
    // Shows: K14, D13
    let _machine = machine();
    let scull = insmod::<Kmalloc>(&["scull_nr_devs=1", "scull_qset=2"]).expect("insmod");
    write_all(&scull, 0, 0, &pattern(20_000)).expect("write");
    let item = "  item at P, qset at P\n";
    let expected = format!("\nDevice 0: qset 2, q 4000, sz 20000\n{item}{item}{item}       0: P\n");
    assert_eq!(without_pointers(&proc_text(&scull)), expected);
}

#[test]
fn proc_text_is_never_cut_off() {
    // Shows: K14, D6
    let _machine = machine();
    fn lists_all<S: QuantumStore<Host>>(driver: Scull<Host, S>, quanta: usize) {
        for minor in 0..4 {
            write_all(&driver, minor, 0, &pattern(1 << 20)).expect("write");
        }
        let text = without_pointers(&proc_text(&driver));
        let name = Scull::<Host, S>::NAME;
        assert_eq!(text.matches("\n\nDevice ").count() + 1, 4, "{name}");
        let listed = text.lines().filter(|line| line.trim_start().starts_with(char::is_numeric)).count();
        assert_eq!(listed, 4 * quanta, "{name}");
    }
    let (scull, scullc) = (plain::<Kmalloc>(), plain::<Cache<Host>>());
    let (scullp, scullv) = (plain::<Pages>(), plain::<Vmalloc>());
    lists_all(scull, 263);
    lists_all(scullc, 263);
    lists_all(scullp, 256);
    lists_all(scullv, 16);
}

/// The addresses of the quanta that a /proc text lists.
fn quanta(text: &str) -> Vec<usize> {
    let listed = text.lines().filter(|line| line.trim_start().starts_with(char::is_numeric));
    let pointer =
        |line: &str| line.rsplit(':').next().map(str::trim).and_then(|hex| usize::from_str_radix(hex, 16).ok());
    listed.map(|line| pointer(line).expect("a pointer")).collect()
}

#[test]
fn proc_shows_where_quanta_really_are() {
    // Shows: S64, K12
    let _machine = machine();
    let scullp = insmod::<Pages>(&["scullp_nr_devs=1"]).expect("insmod");
    let scullv = insmod::<Vmalloc>(&["scullv_nr_devs=1"]).expect("insmod");
    write_all(&scullp, 0, 0, &pattern(1 << 20)).expect("write");
    write_all(&scullv, 0, 0, &pattern(1 << 20)).expect("write");
    let (pages, areas) = (quanta(&proc_text(&scullp)), quanta(&proc_text(&scullv)));
    assert_eq!((pages.len(), areas.len()), (256, 16));
    assert!(pages.iter().all(|at| at % 4096 == 0), "page aligned");
    assert!(areas.windows(2).all(|pair| pair[1] - pair[0] == 0x11000), "16 pages and a guard page");
    let item = proc_text(&scullp).lines().nth(2).map(str::to_string).expect("item line");
    let set = item.rsplit(' ').next().and_then(|hex| usize::from_str_radix(hex, 16).ok()).expect("pointer");
    assert_eq!(set % 4096, 0, "500 slots of 8 bytes come from the class of 4096");
}
