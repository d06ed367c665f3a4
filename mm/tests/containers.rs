//! Vectors and strings, compared with those of the standard library.
//!
//! What they hold is dropped once, whatever happens, and nothing leaks.

mod common;

use core::fmt::Write;
use core::panic::AssertUnwindSafe;
use std::cell::Cell;
use std::panic::catch_unwind;
use std::rc::Rc;

use common::{ATOMIC, KERNEL, Kernel, at_rest, boot};
use mm::own::{Buffer, Drain, IntoIter, KBox, KBytes, KString, KVec, Kmalloc};
use mm::testing::{Rng, TestKernel};
use mm::{AllocError, Context};

type Vector<T> = KVec<T, TestKernel>;
type Text = KString<TestKernel>;

/// Counts its drops, each value's own, and panics in the one that is chosen.
struct Value {
    number: usize,
    world: Rc<World>,
}

#[derive(Default)]
struct World {
    drops: std::cell::RefCell<Vec<usize>>,
    bomb: Cell<Option<usize>>,
}

impl Drop for Value {
    fn drop(&mut self) {
        self.world.drops.borrow_mut()[self.number] += 1;
        if self.world.bomb.get() == Some(self.number) {
            self.world.bomb.set(None);
            panic!("the drop of {} fails", self.number);
        }
    }
}

/// Ten values in a vector, and the counters of their drops.
fn ten() -> (Vector<Value>, Rc<World>) {
    let world = Rc::new(World::default());
    world.drops.borrow_mut().resize(10, 0);
    let value = |number| Value { number, world: Rc::clone(&world) };
    (Vector::try_collect((0..10).map(value), KERNEL).expect("memory"), world)
}

fn numbers(vec: &[Value]) -> Vec<usize> {
    vec.iter().map(|value| value.number).collect()
}

fn nothing_is_held(memory: Kernel) {
    assert!(
        memory.objects().caches().all(|cache| !cache.name.as_str().starts_with("size-") || cache.active_objects == 0)
    );
    at_rest(memory);
}

#[test]
fn each_value_is_dropped_once_whatever_panics() {
    let memory = boot(16);
    type Act = fn(Vector<Value>);
    let acts: [(&str, Act); 9] = [
        ("drop", drop),
        ("clear", |mut vec| vec.clear()),
        ("truncate", |mut vec| vec.truncate(3)),
        ("retain", |mut vec| vec.retain(|value| value.number % 3 == 0)),
        ("dedup", |mut vec| vec.dedup_by_key(|value| value.number / 4)),
        ("drain", |mut vec| drop(vec.drain(2..7))),
        ("drain in part", |mut vec| {
            let mut drain = vec.drain(2..7).expect("within");
            drop(drain.next());
            drop(drain.next_back());
        }),
        ("into_iter", |vec| drop(vec.into_iter().nth(4))),
        ("box", |mut vec| drop(vec.pop().map(|value| KBox::<_, TestKernel>::new(value, KERNEL)))),
    ];
    for (name, act) in acts {
        for bomb in (0..10).map(Some).chain([None]) {
            let (vec, world) = ten();
            world.bomb.set(bomb);
            let result = catch_unwind(AssertUnwindSafe(|| act(vec)));
            assert_eq!(result.is_err(), bomb.is_some(), "{name}: every value goes in the end");
            assert_eq!(*world.drops.borrow(), [1; 10], "{name} {bomb:?}");
        }
        nothing_is_held(*memory);
    }
}

#[test]
fn a_panic_of_the_callers_code_leaves_the_rest_where_it_is() {
    let memory = boot(16);
    for stop in 0..10 {
        let (mut vec, world) = ten();
        let failed = catch_unwind(AssertUnwindSafe(|| {
            vec.retain(|value| {
                assert!(value.number < stop);
                value.number % 2 == 1
            });
        }));
        assert!(failed.is_err());
        let expected: Vec<_> = (0..10).filter(|&number| number >= stop || number % 2 == 1).collect();
        assert_eq!(numbers(&vec), expected, "{stop}");
        drop(vec);
        assert_eq!(*world.drops.borrow(), [1; 10]);
    }
    nothing_is_held(*memory);
}

#[test]
fn a_drain_that_is_forgotten_leaks_but_breaks_nothing() {
    let memory = boot(16);
    let (mut vec, world) = ten();
    core::mem::forget(vec.drain(4..6));
    assert_eq!(numbers(&vec), [0, 1, 2, 3]);
    drop(vec);
    assert_eq!(*world.drops.borrow(), [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    nothing_is_held(*memory);
}

#[test]
fn vectors_edit_as_the_standard_ones_do() {
    let memory = boot(16);
    let mut rng = Rng::new(3);
    let (mut ours, mut theirs) = (Vector::<u64>::new(), Vec::new());
    for step in 0..20_000 {
        let (from, to) = (rng.below(theirs.len() + 1), rng.below(theirs.len() + 1));
        let (from, to) = (from.min(to), from.max(to));
        match rng.below(10) {
            0..=3 => {
                let more: Vec<_> = (0..rng.below(20) as u64).map(|n| n % 3).collect();
                ours.extend_from_slice(&more, KERNEL).expect("memory");
                theirs.extend(more);
            }
            4 => assert!(ours.drain(from..to).expect("within").eq(theirs.drain(from..to))),
            5 => {
                ours.retain(|value| value % 5 != 1);
                theirs.retain(|value| value % 5 != 1);
            }
            6 => {
                ours.dedup();
                theirs.dedup();
            }
            7 => {
                let (mut tail, other) = (ours.split_off(from, KERNEL).expect("memory"), theirs.split_off(from));
                assert_eq!(tail, other[..]);
                ours.append(&mut tail, KERNEL).expect("memory");
                theirs.extend(other);
            }
            8 => {
                ours.resize(to, step, KERNEL).expect("memory");
                theirs.resize(to, step);
            }
            _ => {
                let back: Vec<_> = ours.try_clone(KERNEL).expect("memory").into_iter().rev().collect();
                assert!(back.iter().rev().eq(&theirs));
            }
        }
        if theirs.len() > 2000 {
            ours.clear();
            theirs.clear();
        }
        assert_eq!(ours, theirs[..], "step {step}");
    }
    drop(ours);
    nothing_is_held(*memory);
}

#[test]
fn places_that_do_not_exist_are_told_by_the_result() {
    // Shows: K4
    let memory = boot(16);
    let mut vec = Vector::from_slice(&[1, 2, 3], KERNEL).expect("memory");
    assert_eq!((vec.insert(4, 9, KERNEL), vec.insert(usize::MAX, 9, KERNEL)), (Err(AllocError), Err(AllocError)));
    assert_eq!((vec.remove(3), vec.remove(usize::MAX), vec.swap_remove(3)), (None, None, None));
    assert!(vec.split_off(4, KERNEL).is_err() && vec.drain(2..9).is_none() && vec.drain(..=usize::MAX).is_none());
    let backwards = core::ops::Range { start: 2, end: 1 };
    assert!(vec.drain(backwards).is_none() && vec.reserve(usize::MAX, KERNEL).is_err());
    assert_eq!(vec, [1, 2, 3]);
    assert_eq!(<[i32; 2]>::try_from(vec).map_err(|vec| vec.len()), Err(3));
    assert_eq!((Vector::<u8>::new().pop(), Vector::<u8>::new().swap_remove(0)), (None, None));
    let mut text = Text::from_str("gr\u{fc}n", KERNEL).expect("memory");
    assert_eq!((text.insert(3, 'x', KERNEL), text.insert(6, 'x', KERNEL)), (Err(AllocError), Err(AllocError)));
    assert_eq!((text.remove(3), text.remove(5), text.remove(usize::MAX)), (None, None, None));
    assert_eq!(text, "gr\u{fc}n");
    assert!(memory.platform().take_reports().is_empty());
}

#[test]
fn what_cannot_be_allocated_changes_nothing() {
    // Shows: K4, K11
    let memory = boot(16);
    let (mut vec, world) = ten();
    let number = world.drops.borrow().len();
    let capacity = vec.capacity();
    while vec.len() < vec.capacity() {
        world.drops.borrow_mut().push(0);
        vec.push(Value { number: world.drops.borrow().len() - 1, world: Rc::clone(&world) }, KERNEL).expect("room");
    }
    assert!(number <= capacity);
    let before = numbers(&vec);
    let mut text = Text::with_capacity(30, KERNEL).expect("memory");
    text.push_str("it stays as it was, every byte", KERNEL).expect("room");
    let whole = text.try_clone(KERNEL).expect("memory");
    memory.platform().in_context(Context::Interrupt, || {
        world.drops.borrow_mut().push(0);
        let late = Value { number: world.drops.borrow().len() - 1, world: Rc::clone(&world) };
        assert_eq!(vec.push(late, KERNEL), Err(AllocError), "it would have to grow, and may not sleep");
        assert_eq!(world.drops.borrow().last(), Some(&1));
        assert!(vec.split_off(1, KERNEL).is_err() && text.try_clone(KERNEL).is_err());
        assert_eq!(text.insert_str(2, "more than there is room for", KERNEL), Err(AllocError));
        assert!(KBytes::<TestKernel>::zeroed(10, KERNEL).is_err());
        assert!(KBox::<_, TestKernel>::pin(1, KERNEL).is_err());
        assert_eq!(text.push('x', ATOMIC), Ok(()), "this is allowed");
    });
    assert_eq!((numbers(&vec), text.pop()), (before, Some('x')));
    assert_eq!(text, whole);
    assert_eq!(memory.platform().take_reports().len(), 6);
    drop((vec, text, whole));
    nothing_is_held(*memory);
}

#[test]
fn texts_edit_compare_and_convert() {
    let memory = boot(16);
    let mut text = Text::try_collect("scull\u{fc}".chars(), KERNEL).expect("memory");
    text.insert(0, '/', KERNEL).expect("memory");
    text.insert_str(1, "d\u{e9}v/", KERNEL).expect("memory");
    assert_eq!(text, "/d\u{e9}v/scull\u{fc}");
    assert_eq!((text.remove(2), text.remove(11)), (Some('\u{e9}'), None));
    text.retain(|character| character != 'l' && character != '/');
    assert_eq!(text, "dvscu\u{fc}");
    text.make_ascii_uppercase();
    text.try_extend(['x', '\u{1f600}'], KERNEL).expect("memory");
    assert_eq!(AsRef::<[u8]>::as_ref(&text), "DVSCU\u{fc}x\u{1f600}".as_bytes());
    text.truncate(9);
    assert_eq!((text.as_str(), text.len()), ("DVSCU\u{fc}x", 8));
    let bytes = KVec::from(text);
    assert_eq!(bytes, b"DVSCU\xc3\xbcx");
    let mut text = Text::try_from(bytes).expect("it was a text");
    write!(text, " {:>4}", 7).expect("memory");
    assert_eq!(format!("{text:>14}|{text:?}"), "  DVSCU\u{fc}x    7|\"DVSCU\u{fc}x    7\"");
    drop(text);
    nothing_is_held(*memory);
}

#[test]
fn owners_compare_show_and_convert() {
    let memory = boot(16);
    let mut vec = Vector::from_slice(&[3, 1, 2], KERNEL).expect("memory");
    vec.sort_unstable();
    let (slice, array) = (&[1, 2, 3][..], &[1, 2, 3]);
    assert!(vec == [1, 2, 3] && vec == [1, 2, 3][..] && vec == slice && vec == array);
    let shown = format!("{vec:?} {:?}", KString::<TestKernel>::new());
    assert_eq!(shown, "[1, 2, 3] \"\"");
    assert_eq!(format!("{:?}", vec.drain(1..).expect("within")), "[2, 3]");
    vec.resize_with(3, || 9, KERNEL).expect("memory");
    vec.retain_mut(|value| {
        *value += 1;
        *value > 2
    });
    assert_eq!(<[i32; 2]>::try_from(vec).map_err(|_| ()), Ok([10, 10]));
    let boxed = KBox::<_, TestKernel>::new(1..4, KERNEL).expect("memory");
    let pinned = KBox::<_, TestKernel>::pin(5, KERNEL).expect("memory");
    assert!(format!("{boxed:p}") == format!("{:p}", boxed.as_ptr()) && boxed.size_hint().0 == 3 && *pinned == 5);
    assert!(boxed.map(|n| n * 2).eq([2, 4, 6]));
    let mut bytes = KBytes::<TestKernel>::from_slice(b"scull", KERNEL).expect("memory");
    bytes.as_mut()[0] = b'S';
    assert_eq!(
        (&bytes.as_ref()[..5], format!("{bytes:?}")),
        (&b"Scull"[..], format!("KBytes({:?}, 32 bytes)", bytes.addr()))
    );
    fn is_fused<I: core::iter::FusedIterator + ExactSizeIterator + DoubleEndedIterator>() {}
    is_fused::<Drain<'_, u8, Kmalloc<TestKernel>>>();
    is_fused::<IntoIter<u8, Kmalloc<TestKernel>>>();
    drop((bytes, pinned));
    nothing_is_held(*memory);
}
