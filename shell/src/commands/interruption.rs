//! ^C ends every command, at whatever point it comes.

use super::all;
use crate::testing::World;
use std::format;
use std::string::String;
use std::vec::Vec;

/// Commands that are over as soon as they have printed their words, or do nothing at all.
const SHORT: [&str; 9] = [":", "echo", "false", "help", "mknod", "rm", "time", "true", "uptime"];

/// Lines that run for ever, or for long, a command each.
const LONG: &[(&str, &str)] = &[
    ("cat", "cat /dev/zero > /dev/null"),
    ("cmp", "cmp /dev/zero /dev/zero"),
    ("cp", "cp /dev/zero /dev/null"),
    ("dd", "dd if=/dev/zero of=/dev/null bs=1 count=1000G status=none"),
    ("dd", "cat /dev/zero | dd bs=1 skip=1000G status=none"),
    ("free", "free"),
    ("grep", "grep x /lines"),
    ("grep", "grep -c 'y*x' /long"),
    ("head", "head -c 1000G /dev/zero > /dev/null"),
    ("head", "head -n 1000G /dev/zero > /dev/null"),
    ("hexdump", "hexdump /dev/zero"),
    ("hexdump", "hexdump -s 1000G /dev/zero"),
    ("ls", "ls /"),
    ("lsmod", "lsmod"),
    ("printf", "printf '%1000000000000d' 1 > /dev/null"),
    ("printf", "printf '%.1000000000000d' 1 > /dev/null"),
    ("repeat", "repeat 1000G true"),
    ("seq", "seq 1 1000000000000 > /dev/null"),
    ("seq", "seq -1 -1 -1000000000000 > /dev/null"),
    ("slabtop", "slabtop 1000G"),
    ("sleep", "sleep 1000000000"),
    ("sort", "sort /lines"),
    ("sort", "sort -u /same"),
    ("sync", "sync /lines /same /long /lines /same /long"),
    ("tail", "tail -n 1000G /lines > /dev/null"),
    ("tail", "tail -c +1000G /dev/zero"),
    ("uniq", "uniq /same > /dev/null"),
    ("watch", "watch -c 1000G true > /dev/null"),
    ("wc", "wc /dev/zero"),
];

fn world() -> World {
    let world = World::new();
    world.put("/lines", &(0..1500).map(|index| format!("{}\n", index * 7919 % 1500)).collect::<String>());
    world.put("/same", &"same\n".repeat(1500));
    world.put("/long", &"y".repeat(30_000));
    world.put("/proc/meminfo", &"MemTotal: 1 kB\n".repeat(1000));
    world.put("/proc/modules", &"scull 128 2\n".repeat(1000));
    let caches: String = (0..300).map(|index| format!("cache-{index} 1 1 {index} 1 1 1\n")).collect();
    world.put("/proc/slabinfo", &caches);
    world
}

#[test]
fn every_command_is_ended() {
    let world = world();
    for command in all::<crate::testing::Process>() {
        let lines: Vec<_> = LONG.iter().filter(|(name, _)| *name == command.name).collect();
        assert_ne!(lines.is_empty(), !SHORT.contains(&command.name), "{}", command.name);
        for (_, line) in lines {
            for look in [1, 2, 5] {
                world.interrupt_at_look(look);
                let ran = world.run(line);
                assert_eq!((ran.err.as_str(), ran.status), ("", 130), "{line}, look {look}");
            }
        }
    }
}

#[test]
fn commands_that_compute_are_ended_at_any_point() {
    let world = world();
    for line in ["sort -n /lines", "sort -u /same", "grep -c 'y*x' /long", "tail -n 1000G /lines", "ls /", "slabtop 20"]
    {
        world.interrupt_at_look(0);
        assert_eq!(world.run(line).status % 2, i32::from(line.starts_with("grep")), "{line}");
        let looks = world.looks();
        for part in 1..=8 {
            world.interrupt_at_look((looks * part / 8).max(1));
            assert_eq!(world.run(line).status, 130, "{line}, look {} of {looks}", looks * part / 8);
        }
    }
}

#[test]
fn computing_looks_often_enough() {
    let world = world();
    // By lines compared, and by characters matched.
    for (line, least) in [("sort /lines", 3000), ("sort -u /same", 4500), ("grep -c 'y*x' /long", 30_000 / 128)] {
        world.interrupt_at_look(0);
        world.run(line);
        assert!(world.looks() >= least, "{line}: {}", world.looks());
    }
}
