//! The driver: devices by minor, insmod and rmmod.
//!
//! Locks: a device's own, and that of what ioctls change. Reads and writes take their device alone, so devices do not
//! wait for each other.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use kapi::mm::own::KVec;
use kapi::mm::{GfpFlags, PAGE_SIZE, Pfn};
use kapi::{CharDriver, Errno, IoBuf, Kernel, Minor, Module, OpenDevice, ParamSpec, SleepLock, Values};

use crate::device::ScullDevice;
use crate::geometry::{Geometry, checked_qset};
use crate::ioctl::{self, Command, Field};
use crate::proc;
use crate::quota::{NamedLimit, QUOTA, Quota};
use crate::settings::Settings;
use crate::store::{Atomicity, QuantumStore, Spec, UnitChange};

/// A driver of the scull family.
pub struct Scull<K: Kernel, S: QuantumStore<K>> {
    devices: KVec<Device<K, S>, K>,
    /// Gone only while the driver is dropped.
    backing: Option<S::Backing>,
    sizes: K::Mutex<Sizes>,
    /// The byte limit that the insmod line named.
    _limit: Option<NamedLimit>,
}

/// A device and its lock.
struct Device<K: Kernel, S: QuantumStore<K>> {
    content: K::Mutex<ScullDevice<K, S>>,
    /// Areas of processes that show a part of it. While there are any it keeps its pages.
    areas: AtomicUsize,
}

/// What ioctls ask for and change.
#[derive(Clone, Copy)]
struct Sizes {
    /// What devices take on when they are trimmed.
    current: Geometry,
    /// What `current` goes back to on the ioctl RESET.
    default: Geometry,
}

impl<K: Kernel, S: QuantumStore<K>> Scull<K, S> {
    /// A driver whose devices count against `quota`; see [`Module::load`].
    ///
    /// # Errors
    /// `EINVAL` for values that do not go together, `EBUSY`, `ENOMEM`.
    pub fn with_quota(values: &Values<'_>, quota: &'static Quota) -> Result<Self, Errno> {
        let settings = Settings::of(S::SPEC, values)?;
        // Half of low memory.
        quota.set_default_limit(K::memory().pages().low_pages() as u64 * PAGE_SIZE as u64 / 2);
        let limit = settings.limit.map(|bytes| quota.name_limit(bytes)).transpose()?;
        let usual = Settings::default_of(S::SPEC)?.geometry;
        let default = match S::SPEC.unit_change {
            UnitChange::AtRunTime => usual,
            UnitChange::AtLoadTime => usual.with_quantum(settings.geometry.quantum())?,
        };
        let (store, backing) = S::create(settings.geometry.quantum())?;
        let sizes = K::Mutex::new(Sizes { current: settings.geometry, default });
        let mut scull = Self { devices: KVec::new(), backing: Some(backing), sizes, _limit: limit };
        for _ in 0..settings.devices {
            let device = ScullDevice::new(store.clone(), settings.geometry, quota);
            let device = Device { content: K::Mutex::new(device), areas: AtomicUsize::new(0) };
            scull.devices.push(device, GfpFlags::KERNEL)?;
        }
        Ok(scull)
    }

    /// The device of this number; `ENODEV` when there is none.
    fn device(&self, minor: Minor) -> Result<&Device<K, S>, Errno> {
        self.devices.get(usize::from(minor.0)).ok_or(Errno::ENODEV)
    }

    /// Runs `f` with a device. `ENODEV` when there is none, `EINTR` when the wait for it was interrupted.
    fn with_device<R>(&self, minor: Minor, f: impl FnOnce(&mut ScullDevice<K, S>) -> R) -> Result<R, Errno> {
        Ok(self.device(minor)?.content.with(f)?)
    }

    /// Areas that show a part of the device.
    fn areas(&self, minor: Minor) -> Option<&AtomicUsize> {
        self.device(minor).ok().map(|device| &device.areas)
    }
}

impl<K: Kernel, S: QuantumStore<K>> Drop for Scull<K, S> {
    fn drop(&mut self) {
        // The devices' quanta lie in the store.
        self.devices.clear();
        if let Some(backing) = self.backing.take() {
            S::destroy(backing);
        }
    }
}

impl Sizes {
    /// The current value of `field`.
    fn value(&self, spec: &Spec, field: Field) -> usize {
        match field {
            Field::Quantum => spec.unit.value(self.current.quantum()),
            Field::Qset => self.current.qset(),
        }
    }

    /// Sets `field`. `EPERM` for a quantum that is fixed at load time, `EINVAL` for a value out of range.
    fn set(&mut self, spec: &Spec, field: Field, value: usize) -> Result<(), Errno> {
        self.current = match (field, spec.unit_change) {
            (Field::Quantum, UnitChange::AtLoadTime) => return Err(Errno::EPERM),
            (Field::Quantum, UnitChange::AtRunTime) => self.current.with_quantum(spec.unit.quantum(value)?)?,
            (Field::Qset, _) => self.current.with_qset(checked_qset(value)?)?,
        };
        Ok(())
    }

    /// Does what an ioctl asks for. The forms that go through a pointer get `EFAULT`: no caller has memory of its own.
    fn command(&mut self, spec: &Spec, command: Command, argument: usize) -> Result<usize, Errno> {
        match command {
            Command::Reset => {
                self.current = self.default;
                Ok(0)
            }
            Command::Tell(field) => self.set(spec, field, argument).map(|()| 0),
            Command::Query(field) => Ok(self.value(spec, field)),
            Command::Shift(field) => {
                let old = self.value(spec, field);
                self.set(spec, field, argument).map(|()| old)
            }
            Command::Set(Field::Quantum) | Command::Exchange(Field::Quantum)
                if spec.unit_change == UnitChange::AtLoadTime =>
            {
                Err(Errno::EPERM)
            }
            Command::Set(_) | Command::Get(_) | Command::Exchange(_) => Err(Errno::EFAULT),
        }
    }
}

impl<K: Kernel, S: QuantumStore<K>> CharDriver for Scull<K, S> {
    /// A device that is opened for writing alone is emptied and takes on the current sizes; `EBUSY` while a process
    /// shows its pages. (The originals go on without a word then, and the old content stays.)
    fn open(&self, file: &mut OpenDevice) -> Result<(), Errno> {
        let device = self.device(file.minor())?;
        let geometry = self.sizes.with(|sizes| sizes.current)?;
        if file.flags().is_write_only() {
            device.content.with(|content| {
                if device.areas.load(Relaxed) > 0 {
                    return Err(Errno::EBUSY);
                }
                content.trim(geometry);
                Ok(())
            })??;
        }
        Ok(())
    }

    fn read(&self, file: &OpenDevice, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.with_device(file.minor(), |device| device.read(position, buf))?
    }

    fn write(&self, file: &OpenDevice, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.with_device(file.minor(), |device| device.write(position, buf, GfpFlags::KERNEL))?
    }

    fn write_atomic(&self, minor: Minor, position: u64, bytes: &[u8]) -> Result<usize, Errno> {
        if S::SPEC.atomicity == Atomicity::ProcessOnly {
            return Err(Errno::EAGAIN);
        }
        let write = |device: &mut ScullDevice<K, S>| device.write(position, &mut IoBuf::take(bytes), GfpFlags::ATOMIC);
        self.device(minor)?.content.try_with(write).unwrap_or(Err(Errno::EAGAIN))
    }

    fn is_storage(&self) -> bool {
        true
    }

    fn size(&self, file: &OpenDevice) -> Result<u64, Errno> {
        self.with_device(file.minor(), |device| device.size())
    }

    fn mmap(&self, file: &OpenDevice) -> Result<(), Errno> {
        self.with_device(file.minor(), |device| device.check_mappable())?
    }

    fn mapped(&self, file: &OpenDevice) {
        if let Some(areas) = self.areas(file.minor()) {
            areas.fetch_add(1, Relaxed);
        }
    }

    fn unmapped(&self, file: &OpenDevice) {
        if let Some(areas) = self.areas(file.minor()) {
            areas.fetch_sub(1, Relaxed);
        }
    }

    fn mmap_page(&self, file: &OpenDevice, offset: u64) -> Result<Pfn, Errno> {
        self.device(file.minor())?.content.with_uninterruptible(|device| device.page_at(offset))?
    }

    fn ioctl(&self, _file: &OpenDevice, number: u32, argument: usize) -> Result<usize, Errno> {
        let command = ioctl::decode(number, S::SPEC.ioctls).ok_or(Errno::ENOTTY)?;
        self.sizes.with(|sizes| sizes.command(S::SPEC, command, argument))?
    }
}

impl<K: Kernel, S: QuantumStore<K>> Module<K> for Scull<K, S> {
    const NAME: &'static str = S::SPEC.name;
    const ABOUT: &'static str = S::SPEC.about;
    const PARAMS: &'static [ParamSpec] = &S::SPEC.params;
    const PROC_SUFFIX: Option<&'static str> = Some("mem");

    fn load(values: &Values<'_>) -> Result<Self, Errno> {
        Self::with_quota(values, &QUOTA)
    }

    fn devices(&self) -> u16 {
        self.devices.len() as u16
    }

    /// The driver's own memory: itself and its devices, without their data.
    fn footprint(&self) -> usize {
        size_of::<Self>() + self.devices.len() * size_of::<Device<K, S>>()
    }

    fn proc_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        for (index, device) in self.devices.iter().enumerate() {
            device.content.with(|device| proc::write_device(out, index, device)).unwrap_or(Err(fmt::Error))?;
        }
        Ok(())
    }
}
