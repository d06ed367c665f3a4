//! A module from elsewhere that calls all that kapi has.
#![no_std]
#![forbid(unsafe_code)]

use core::fmt::Debug;
use core::time::Duration;

use kapi::mm::own::{Buffer, KBytes, KString, KVVec, KVec, KmemCache, PageBlock, VmArea};
use kapi::mm::{CacheFlags, GfpFlags, Order};
use kapi::{
    CharDriver, Errno, Hardware, Interrupt, IrqLine, IrqReturn, ParamSpec, Sharing, SleepLock, SpinLock, TaskQueue,
    Timer, Values, WaitQueue, Work,
};

/// What the kernel makes of this crate.
pub type Module<K> = Everything<K>;

/// Numbers, shown by what core has for that.
#[derive(Debug)]
#[expect(dead_code, reason = "they are shown only")]
enum Odd {
    /// Two by name.
    Named { small: u32, signed: i64 },
    /// By place.
    Placed(bool, char),
}

/// The module.
pub struct Everything<K: Hardware> {
    odd: KVec<Odd, K>,
    sleeping: K::Mutex<u32>,
    spinning: K::SpinLock<u32>,
    waiting: K::WaitQueue,
    timer: K::Timer,
    work: K::Work,
}

impl<K: Hardware> kapi::Module<K> for Everything<K> {
    const NAME: &'static str = "everything";
    const ABOUT: &'static str = "calls all that kapi has";
    const PARAMS: &'static [ParamSpec] = &[];

    fn load(_values: &Values<'_>) -> Result<Self, Errno> {
        let module = Self {
            odd: KVec::new(),
            sleeping: SleepLock::new(1),
            spinning: SpinLock::new(2),
            waiting: WaitQueue::new(),
            timer: Timer::new(|timer: &K::Timer| while timer.is_pending() && timer.cancel() {})?,
            work: Work::new(TaskQueue::Immediate, |_work: &K::Work| {})?,
        };
        let module = module.with_numbers()?;
        module.wait()?;
        module.put_off()?;
        memory::<K>()?;
        devices::<K>();
        K::log(format_args!("everything: {:?}", module.odd.iter().last()));
        Ok(module)
    }
}

impl<K: Hardware> Everything<K> {
    fn with_numbers(mut self) -> Result<Self, Errno> {
        self.odd.push(Odd::Named { small: 1, signed: -7 }, GfpFlags::KERNEL)?;
        self.odd.push(Odd::Placed(true, 'x'), GfpFlags::KERNEL)?;
        let text = KString::<K>::try_format(format_args!("{:>6}|{:<5}|{:08b}|{:#x}", "r", 1, 5u8, 77))?;
        let parsed = "1,b".split(',').filter(|word| word.parse::<i32>().is_ok()).count();
        K::log(format_args!("everything: {text} {parsed} {:#?}", self.odd.first()));
        Ok(self)
    }

    fn wait(&self) -> Result<(), Errno> {
        self.sleeping.with(|value| *value += 1)?;
        self.sleeping.with_uninterruptible(|value| *value += 1)?;
        self.sleeping.try_with(|value| *value += 1);
        self.spinning.with(|value| *value += 1);
        self.spinning.try_with(|value| *value += 1);
        self.waiting.wake_one();
        self.waiting.wake_all();
        self.waiting.wait_until(|| true)?;
        self.waiting.wait_until_uninterruptible(|| true)?;
        self.waiting.wait_timeout(|| false, Duration::from_millis(20))?;
        self.waiting.wait_for(|| Some(()))?;
        self.waiting.wait_with(&self.sleeping, |value| Some(*value))?;
        Ok(())
    }

    fn put_off(&self) -> Result<(), Errno> {
        self.timer.start(Duration::from_millis(10));
        self.timer.start_every(Duration::from_millis(10));
        self.timer.cancel();
        for queue in [TaskQueue::Scheduler, TaskQueue::Timer] {
            <K::Work as Work>::new(queue, |_| {})?.queue();
        }
        self.work.queue();
        self.work.flush()?;
        Ok(())
    }
}

fn memory<K: Hardware>() -> Result<(), Errno> {
    let gfp = GfpFlags::KERNEL;
    let mut bytes = KBytes::<K>::zeroed(100, gfp)?;
    bytes.bytes_mut().fill(1);
    let mut many = KVVec::<u32, K>::new();
    many.push(3, gfp)?;
    let cache = KmemCache::<K>::create("everything", 200, 0, CacheFlags::empty()).map_err(|_| Errno::ENOMEM)?;
    drop(cache.alloc(gfp)?);
    drop(PageBlock::<K>::new(Order::new(2).ok_or(Errno::EINVAL)?, gfp)?);
    let area = VmArea::<K>::new(100_000)?;
    K::log(format_args!("everything: {} bytes, {:?}", area.bytes().len(), cache.name()));
    Ok(())
}

/// What a machine may not have, or lend only once: that it is refused is as good.
fn devices<K: Hardware>() {
    drop(K::Interrupt::request(IrqLine(5), Sharing::Shared, "everything", || IrqReturn::NotMine));
    drop(K::big_buffer(1 << 16));
    if let Some((start, len)) = K::frame_buffer() {
        drop(K::claim_memory(start, len, "everything"));
    }
    K::hidden_ram(&mut |_| {});
}

/// It has no devices.
impl<K: Hardware> CharDriver for Everything<K> {}
