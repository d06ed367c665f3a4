//! Address spaces: what a program sees, and what it costs in pages.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/program.rs"]
mod program;
#[path = "../common/swap.rs"]
mod swap;

mod areas;
mod copy_on_write;
mod counts;
mod failures;
mod heap_and_stack;
mod objects;
mod outside;
mod poison;
mod reclaimed;
mod short;
mod slots;
mod threads;

use common::{Kernel, at_rest, blocks, boot, boot_high, state};
use mm::Order;
use mm::ZoneKind;
use program::Program;

/// Runs `test` on machines with and without high memory; all is back afterwards.
fn on_each_machine(test: impl Fn(Kernel)) {
    for start in [|| boot(24), || boot_high(24, 18)] {
        let machine = start();
        machine.drop_caches();
        let before = blocks(*machine);
        test(*machine);
        all_is_back(*machine, before);
    }
}

fn all_is_back(memory: Kernel, before: [[usize; Order::COUNT]; ZoneKind::COUNT]) {
    memory.drop_caches();
    at_rest(memory);
    assert_eq!(blocks(memory), before, "pages are lost");
    assert_eq!((memory.pages().anonymous_pages(), memory.tables().count()), (0, memory.tables().count()));
}

/// Checks a program's space.
fn check(program: &mut Program) {
    assert_eq!(program.space.validate(), Ok(()));
}

#[test]
fn a_space_without_areas_costs_its_root() {
    on_each_machine(|memory| {
        let before = state(memory);
        let tables = memory.tables().count();
        let mut program = Program::new();
        assert_eq!(memory.tables().count(), tables + 1);
        assert_eq!(program.space.usage().tables, 1);
        check(&mut program);
        drop(program);
        memory.drop_caches();
        assert_eq!(memory.tables().count(), tables);
        drop(before);
    });
}
