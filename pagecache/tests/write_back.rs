//! Which dirty pages are written back, and in which order.

mod common;

use common::{PAGE, cache, disk, lock, pass, write};
use kapi::testing::{machine, take_log};
use pagecache::{BdFlush, Direction, Kind};

#[test]
fn a_disk_that_fails_does_not_hold_up_another() {
    let _machine = machine();
    let cache = cache();
    let (bad, failing) = disk(cache, Kind::Device, 20 * PAGE);
    let (good, other) = disk(cache, Kind::Device, 20 * PAGE);
    lock(&bad.bad_writes).extend(0..20);
    // Every second page: none travels with its neighbour.
    (0..10).for_each(|page| _ = write(&failing, 2 * page * PAGE as u64, &[1; PAGE]));
    pass(1);
    cache.bdflush_round();
    let tries = bad.count(Direction::Write);
    assert_eq!(tries, 10);
    pass(1);
    write(&other, 0, &[2; PAGE]).expect("there is memory");
    pass(1);
    cache.bdflush_round();
    assert_eq!((good.count(Direction::Write), bad.count(Direction::Write)), (1, tries));
    pass(500);
    cache.bdflush_round();
    assert_eq!(bad.count(Direction::Write), 2 * tries, "they are tried again");
    take_log();
    cache.validate().expect("valid");
}

#[test]
fn bdflush_writes_as_many_pages_in_one_go_as_it_is_told() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::Device, 40 * PAGE);
    // None travels with its neighbour.
    (0..20).for_each(|page| _ = write(&mapping, 2 * page * PAGE as u64, &[1; PAGE]));
    pass(1);
    // It looks after each go whether few enough are left, and here they are at once.
    for (told, written) in [(3, 3), (5, 5), (500, 12), (500, 0)] {
        cache.set_bdflush(BdFlush::new([100, told, 0, 0, 500, 3000, 100, 100, 0]).expect("in range"));
        assert_eq!(cache.bdflush_round(), written);
    }
    assert_eq!(disk.count(Direction::Write), 20);
    cache.validate().expect("valid");
}
