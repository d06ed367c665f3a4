//! Programs at once, each in a thread of its own, while a disk takes its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use kapi::mm::PAGE_SIZE;
use kapi::mm::testing::{HostUser, Rng};
use kapi::testing::{machine, spawn};

use crate::common::PAGE;
use crate::world::{World, at};

/// Pages of a program.
const PAGES: usize = 40;
/// What a thread does.
const STEPS: usize = 3000;
/// Threads with programs.
const THREADS: u64 = 3;

/// What a program has in a page.
struct Run {
    world: &'static World,
    random: Rng,
    bytes: Vec<u8>,
}

impl Run {
    fn go(mut self) {
        HostUser.set_swap(Some(self.world.swap));
        let mut program = self.world.program(PAGES);
        for step in 0..STEPS {
            let page = self.random.below(PAGES);
            match self.random.below(12) {
                0..4 => {
                    self.bytes[page] = self.random.next_u64() as u8;
                    let filled = [self.bytes[page]; PAGE];
                    program.copy_in(at(page, 0), &filled).expect("memory");
                }
                4..8 => {
                    let mut found = [0; PAGE];
                    program.copy_out(at(page, 0), &mut found).expect("the page");
                    assert!(found.iter().all(|byte| *byte == self.bytes[page]), "step {step}, page {page}");
                }
                8 => {
                    // A child that looks at one page, and goes.
                    let mut child = program.fork().expect("memory");
                    let mut byte = [0];
                    child.copy_out(at(page, 99), &mut byte).expect("the page");
                    assert_eq!(byte[0], self.bytes[page], "step {step}, page {page} of a child");
                    child.copy_in(at(page, 0), &[1; 8]).expect("memory");
                }
                _ => _ = self.world.press(1 + self.random.below(16)),
            }
        }
    }
}

#[test]
fn programs_at_once_are_right_while_the_disk_takes_its_time() {
    let _machine = machine();
    let world = World::new(&[150 * PAGE_SIZE]);
    let disk = world.disks[0].clone();
    disk.holds.store(true, SeqCst);
    let (running, is_done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let server = spawn({
        let (disk, is_done) = (disk.clone(), is_done.clone());
        move || {
            while !is_done.load(SeqCst) {
                if disk.let_go() == 0 {
                    std::thread::sleep(std::time::Duration::from_micros(50));
                }
            }
        }
    });
    let switcher = spawn({
        let is_done = is_done.clone();
        move || {
            HostUser.set_swap(Some(world.swap));
            while !is_done.load(SeqCst) {
                world.swapoff(0).expect("there is memory");
                world.swapon(0, None).expect("a good disk");
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    });
    let threads: Vec<_> = (0..THREADS)
        .map(|seed| {
            running.fetch_add(1, SeqCst);
            spawn(move || Run { world, random: Rng::new(seed), bytes: vec![0; PAGES] }.go())
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join());
    is_done.store(true, SeqCst);
    switcher.join();
    server.join();
    disk.holds.store(false, SeqCst);
    disk.let_go();
    world.finish();
}
