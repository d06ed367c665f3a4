//! What dd understands, and what it copies.

use crate::testing::World;

#[test]
fn whole_and_partial_blocks_are_counted() {
    let world = World::new();
    world.put("/f", &"x".repeat(1030));
    let ran = world.run("dd if=/f of=/g");
    assert_eq!((ran.err.as_str(), ran.status), ("2+1 records in\n2+1 records out\n1030 bytes copied\n", 0));
    assert_eq!(world.get("/g"), "x".repeat(1030));
}

#[test]
fn count_skip_and_seek_are_in_blocks() {
    let world = World::new();
    world.put("/f", "aabbccdd");
    world.put("/g", "........");
    world.run("dd if=/f of=/g bs=2 skip=1 seek=2 count=1 status=none");
    assert_eq!(world.get("/g"), "....bb..");
    assert_eq!(world.run("cat /f | dd bs=2 skip=3 status=none").out, "dd");
    world.run("dd if=/f of=/g bs=2 count=1 conv=notrunc status=none");
    assert_eq!(world.get("/g"), "aa..bb..");
    world.run("dd if=/f of=/g bs=2 count=1 status=none");
    assert_eq!(world.get("/g"), "aa");
}

#[test]
fn conversions_and_flags_are_lists_of_known_names() {
    let world = World::new();
    world.put("/f", "aabb");
    world.put("/g", "....");
    let ran = world.run("dd if=/f of=/g bs=2 count=1 conv=notrunc,fsync oflag=dsync,nonblock status=none");
    assert_eq!((ran.err.as_str(), ran.status, world.get("/g").as_str()), ("", 0, "aa.."));
    for (word, said) in [("conv=swab", "invalid conversion"), ("oflag=sync,direct", "invalid flag")] {
        let ran = world.run(&["dd if=/f of=/g", word].join(" "));
        assert!(ran.err.contains(said) && ran.status == 1, "{}", ran.err);
    }
}

#[test]
fn a_device_that_is_full_ends_it_with_its_counts() {
    let ran = World::new().run("dd if=/dev/zero of=/dev/full bs=1k");
    assert_eq!(ran.status, 1);
    assert_eq!(ran.err, "dd: /dev/full: No space left on device\n1+0 records in\n0+0 records out\n0 bytes copied\n");
}

#[test]
fn large_blocks_take_memory_and_small_ones_do_not() {
    let world = World::new();
    world.limit_memory(100);
    assert_eq!(world.run("dd if=/dev/zero of=/f bs=4k count=1 status=none").status, 0);
    let ran = world.run("dd if=/dev/zero of=/f bs=1M count=1 status=none");
    assert_eq!((ran.err.as_str(), ran.status), ("dd: Cannot allocate memory\n", 1));
}

#[test]
fn progress_is_shown_each_second_when_asked_and_at_a_terminal() {
    let world = World::new();
    world.put("/f", "aabbcc");
    world.tick_on_each_look(400);
    let asked = world.run("dd if=/f of=/g bs=2 status=progress").err;
    assert!(asked.starts_with("6 bytes copied, 1 s\n3+0 records in\n"), "{asked}");
    world.sit_at_terminal();
    assert!(world.run("dd if=/f of=/g bs=2").err.starts_with("6 bytes copied, 1 s\r"));
    assert_eq!(world.run("dd if=/f of=/g bs=2 status=none").err, "");
}

#[test]
fn an_interrupted_copy_still_tells_how_far_it_came() {
    let world = World::new();
    world.interrupt();
    let ran = world.run("dd if=/dev/zero of=/dev/null bs=1k");
    assert_eq!((ran.err.as_str(), ran.status), ("0+0 records in\n0+0 records out\n0 bytes copied\n", 130));
}

#[test]
fn who_does_not_want_to_wait_says_so_when_the_files_are_opened() {
    let world = World::new();
    for line in ["dd if=/dev/idle iflag=nonblock", "echo a | dd of=/dev/idle oflag=nonblock"] {
        let ran = world.run(&[line, "status=none"].join(" "));
        assert_eq!((ran.err.as_str(), ran.status), ("dd: /dev/idle: Resource temporarily unavailable\n", 1));
    }
    assert_eq!(world.run("dd if=/dev/idle of=/f status=none").status, 0);
}

#[test]
fn bad_operands_are_refused() {
    let world = World::new();
    for (line, reason) in [
        ("dd x=1", "dd: unrecognized operand: 'x=1'\n"),
        ("dd bs=0", "dd: bs is 1 byte to 16M\n"),
        ("dd skip=9000000000G", "dd: skip or seek is beyond the largest file\n"),
        ("dd of=/f seek=9000000000G bs=1", "dd: skip or seek is beyond the largest file\n"),
        ("dd count=99999999999999999999", "dd: number too large: '99999999999999999999'\n"),
        ("dd count=-1", "dd: invalid number: '-1'\n"),
        ("dd if=/nosuch", "dd: /nosuch: No such file or directory\n"),
    ] {
        assert_eq!(world.run(line).err, reason);
    }
}
