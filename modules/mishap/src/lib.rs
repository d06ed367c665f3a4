//! Mistakes that modules make, one at a time.
//!
//! They are there to see what the kernel says, and that it goes on. After `insmod mishap what=double_free` a write to
//! /dev/mishap0 makes the mistake; `when=load` makes it at once, `when=footprint` when lsmod asks how large the module
//! is, and `when=unload` at rmmod. What is leaked is leaked for good.
#![no_std]

use core::hint::black_box;
use core::mem;
use core::ptr;
use core::time::Duration;

use kapi::mm::own::{KBytes, KmemCache, PageBlock, VmArea};
use kapi::mm::{CacheFlags, GfpFlags, Order};
use kapi::{CharDriver, Errno, IoBuf, Kernel, OpenDevice, ParamKind, ParamSpec, Timer, Values, WaitQueue};

/// What the kernel makes of this crate.
pub type Module<K> = Mishap<K>;

/// Every mistake, by the name that `what=` takes.
const MISTAKES: [(&str, Mistake); 11] = [
    ("double_free", Mistake::DoubleFree),
    ("leak_object", Mistake::LeakObject),
    ("leak_cache", Mistake::LeakCache),
    ("leak_area", Mistake::LeakArea),
    ("leak_pages", Mistake::LeakPages),
    ("leak_timer", Mistake::LeakTimer),
    ("tick", Mistake::Tick),
    ("sleep", Mistake::Sleep),
    ("null", Mistake::Null),
    ("write_code", Mistake::WriteCode),
    ("panic", Mistake::Panic),
];
const NAMES: [&str; MISTAKES.len()] = {
    let mut names = [""; MISTAKES.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = MISTAKES[index].0;
        index += 1;
    }
    names
};
const MOMENTS: [&str; 4] = ["load", "write", "footprint", "unload"];

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// Frees an object twice.
    DoubleFree,
    /// Forgets an object of kmalloc's.
    LeakObject,
    /// Forgets a cache.
    LeakCache,
    /// Forgets an area of vmalloc's.
    LeakArea,
    /// Forgets a block of pages.
    LeakPages,
    /// Forgets a timer that is pending.
    LeakTimer,
    /// Goes while its timer is pending: that is none, since the timer is its own.
    Tick,
    /// Waits for what never comes, until ^C.
    Sleep,
    /// Reads where the null pointer points.
    Null,
    /// Writes to its own code.
    WriteCode,
    /// Panics.
    Panic,
}

/// The module, and when it makes which mistake.
pub struct Mishap<K: Kernel> {
    mistake: Mistake,
    moment: &'static str,
    never: K::WaitQueue,
    _timer: Option<K::Timer>,
}

impl<K: Kernel> Mishap<K> {
    fn reach(&self, moment: &str) -> Result<(), Errno> {
        match self.mistake {
            _ if self.moment != moment => Ok(()),
            Mistake::Sleep => Ok(self.never.wait_until(|| false)?),
            mistake => make::<K>(mistake),
        }
    }
}

impl<K: Kernel> kapi::Module<K> for Mishap<K> {
    const NAME: &'static str = "mishap";
    const ABOUT: &'static str = "makes a mistake on purpose";
    const PARAMS: &'static [ParamSpec] = &[
        ParamSpec { name: "what", kind: ParamKind::Word { of: &NAMES, default: "null" }, help: "the mistake" },
        ParamSpec { name: "when", kind: ParamKind::Word { of: &MOMENTS, default: "write" }, help: "when it is made" },
    ];

    fn load(values: &Values<'_>) -> Result<Self, Errno> {
        let what = values.word("what");
        let mistake =
            MISTAKES.iter().find(|(name, _)| what == Some(name)).map_or(Mistake::Null, |(_, mistake)| *mistake);
        let when = values.word("when");
        let moment = MOMENTS.into_iter().find(|name| when == Some(name)).unwrap_or("write");
        let timer = if mistake == Mistake::Tick { Some(tick::<K>()?) } else { None };
        let module = Self { mistake, moment, never: K::WaitQueue::new(), _timer: timer };
        module.reach("load")?;
        Ok(module)
    }

    fn devices(&self) -> u16 {
        1
    }

    fn footprint(&self) -> usize {
        // As in the drop.
        let _ = self.reach("footprint");
        0
    }
}

impl<K: Kernel> CharDriver for Mishap<K> {
    fn open(&self, _file: &mut OpenDevice) -> Result<(), Errno> {
        Ok(())
    }

    fn write(&self, _file: &OpenDevice, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.reach("write")?;
        buf.skip(buf.remaining())
    }
}

impl<K: Kernel> Drop for Mishap<K> {
    fn drop(&mut self) {
        // A mistake that cannot be made for lack of memory is none.
        let _ = self.reach("unload");
    }
}

/// Makes a mistake. `ENOMEM` if there is no memory to make it with.
fn make<K: Kernel>(mistake: Mistake) -> Result<(), Errno> {
    let gfp = GfpFlags::KERNEL;
    match mistake {
        Mistake::DoubleFree => free_twice::<K>()?,
        Mistake::LeakObject => mem::forget(KBytes::<K>::new(100, gfp)?),
        Mistake::LeakCache => leak_cache::<K>()?,
        Mistake::LeakArea => mem::forget(VmArea::<K>::new(12_288)?),
        Mistake::LeakPages => mem::forget(PageBlock::<K>::new(Order::ZERO, gfp)?),
        Mistake::Tick | Mistake::Sleep => {}
        Mistake::LeakTimer => leak_timer::<K>()?,
        Mistake::Null => read_null(),
        Mistake::WriteCode => write_code(),
        Mistake::Panic => panic!("a mishap on purpose"),
    }
    Ok(())
}

fn free_twice<K: Kernel>() -> Result<(), Errno> {
    let memory = K::memory().kmalloc(100, GfpFlags::KERNEL)?;
    for _ in 0..2 {
        // SAFETY: once it is; the second time is the mistake, which kfree is there to find.
        // It says so in the log.
        let _ = unsafe { K::memory().kfree(memory.as_ptr()) };
    }
    Ok(())
}

/// A cache, and an object of it.
fn leak_cache<K: Kernel>() -> Result<(), Errno> {
    let cache = KmemCache::<K>::create("mishap", 200, 0, CacheFlags::empty()).map_err(|_| Errno::ENOMEM)?;
    mem::forget(cache.alloc(GfpFlags::KERNEL)?);
    mem::forget(cache);
    Ok(())
}

/// A timer that calls again and again.
fn tick<K: Kernel>() -> Result<K::Timer, Errno> {
    let timer = K::Timer::new(|_| K::log(format_args!("mishap: tick")))?;
    timer.start_every(Duration::from_millis(10));
    Ok(timer)
}

/// A timer that would call code which is gone.
fn leak_timer<K: Kernel>() -> Result<(), Errno> {
    let timer = K::Timer::new(|_| K::log(format_args!("mishap: a timer")))?;
    timer.start(Duration::from_millis(50));
    mem::forget(timer);
    Ok(())
}

fn read_null() {
    let null: *const u64 = black_box(ptr::null());
    // SAFETY: none, on purpose: page 0 is never mapped, and the read ends the thread.
    black_box(unsafe { null.read_volatile() });
}

fn write_code() {
    let code = black_box(write_code as fn()) as *mut u8;
    // SAFETY: none, on purpose: code is read-only, and the write ends the thread.
    unsafe { code.write_volatile(0xc3) };
}
