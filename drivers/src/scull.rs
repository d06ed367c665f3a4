//! The driver: devices by minor, open files, insmod and rmmod.
//!
//! One static of type [`Scull`] per driver, with the store as its type. Locks, outer first: `attached` (what insmod set
//! up and ioctls change), then a slot (one device). Reads and writes take their slot alone, so devices do not wait for
//! each other. The count of open files only rises under `attached`: rmmod, which holds it too, sees a settled count.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use kapi::mm::own::KBox;
use kapi::mm::{GfpFlags, PAGE_SIZE, Pfn};
use kapi::{CharDriver, Errno, IoBuf, Kernel, Minor, Module, OpenFlags, Param, ParamSpec, SleepLock};

use crate::device::ScullDevice;
use crate::geometry::{Geometry, checked_qset};
use crate::ioctl::{self, Command, Field};
use crate::proc;
use crate::quota::{NamedLimit, Quota};
use crate::settings::Settings;
use crate::store::{Atomicity, MAX_DEVICES, QuantumStore, UnitChange};

/// The place of one device: empty when the driver has no such device.
pub type Slot<K, S> = <K as Kernel>::Mutex<Option<KBox<ScullDevice<K, S>, K>>>;

/// What there is while the driver is attached.
pub struct Attached<K: Kernel, S: QuantumStore<K>> {
    backing: S::Backing,
    devices: usize,
    /// What devices take on when they are trimmed.
    current: Geometry,
    /// What `current` goes back to on the ioctl RESET.
    default: Geometry,
    /// The byte limit that the insmod line named.
    _limit: Option<NamedLimit>,
}

/// A driver of the scull family.
pub struct Scull<K: Kernel, S: QuantumStore<K>> {
    attached: K::Mutex<Option<Attached<K, S>>>,
    slots: [Slot<K, S>; MAX_DEVICES],
    quota: &'static Quota,
    /// Devices that there are, 0 while detached; written under `attached`.
    devices: AtomicUsize,
    /// Open files; rises only under `attached`.
    users: AtomicUsize,
}

impl<K: Kernel, S: QuantumStore<K>> Scull<K, S> {
    /// A driver that is not attached. The locks come from the kernel, which alone can make them for a static.
    pub const fn new(
        attached: K::Mutex<Option<Attached<K, S>>>,
        slots: [Slot<K, S>; MAX_DEVICES],
        quota: &'static Quota,
    ) -> Self {
        Self { attached, slots, quota, devices: AtomicUsize::new(0), users: AtomicUsize::new(0) }
    }

    /// Runs `f` with a device. `ENODEV` when there is none, `EINTR` when the wait for it was interrupted.
    fn with_device<R>(&self, minor: Minor, f: impl FnOnce(&mut ScullDevice<K, S>) -> R) -> Result<R, Errno> {
        let slot = self.slots.get(usize::from(minor.0)).ok_or(Errno::ENODEV)?;
        slot.with(|device| device.as_mut().map(|device| f(device)))?.ok_or(Errno::ENODEV)
    }

    /// Runs `f` with what insmod set up; `ENODEV` when the driver is not attached.
    fn with_attached<R>(&self, f: impl FnOnce(&mut Attached<K, S>) -> Result<R, Errno>) -> Result<R, Errno> {
        self.attached.with(|attached| attached.as_mut().ok_or(Errno::ENODEV).and_then(f))?
    }

    /// Makes the store and the devices.
    fn attach(&self, settings: Settings) -> Result<Attached<K, S>, Errno> {
        let limit = settings.limit.map(|bytes| self.quota.name_limit(bytes)).transpose()?;
        let (store, backing) = S::create(settings.geometry.quantum())?;
        let devices = settings.devices;
        for slot in &self.slots[..devices] {
            if let Err(error) = self.fill_slot(slot, &store, settings.geometry) {
                self.empty_slots()?;
                S::destroy(backing);
                return Err(error);
            }
        }
        let default = match S::SPEC.unit_change {
            UnitChange::AtRunTime => Settings::default_of(S::SPEC)?.geometry,
            UnitChange::AtLoadTime => Settings::default_of(S::SPEC)?.geometry.with_quantum(settings.geometry.quantum()),
        };
        Ok(Attached { backing, devices, current: settings.geometry, default, _limit: limit })
    }

    fn fill_slot(&self, slot: &Slot<K, S>, store: &S, geometry: Geometry) -> Result<(), Errno> {
        let device = KBox::new(ScullDevice::new(store.clone(), geometry, self.quota), GfpFlags::KERNEL)?;
        slot.with_uninterruptible(|place| *place = Some(device))?;
        Ok(())
    }

    /// Frees all devices.
    fn empty_slots(&self) -> Result<(), Errno> {
        for slot in &self.slots {
            drop(slot.with_uninterruptible(Option::take)?);
        }
        Ok(())
    }
}

impl<K: Kernel, S: QuantumStore<K>> Attached<K, S> {
    /// The current value of `field`.
    fn value(&self, field: Field) -> usize {
        match field {
            Field::Quantum => S::SPEC.unit.value(self.current.quantum()),
            Field::Qset => self.current.qset(),
        }
    }

    /// Sets `field`. `EPERM` for a quantum that is fixed at load time, `EINVAL` for a value out of range.
    fn set(&mut self, field: Field, value: usize) -> Result<(), Errno> {
        self.current = match (field, S::SPEC.unit_change) {
            (Field::Quantum, UnitChange::AtLoadTime) => return Err(Errno::EPERM),
            (Field::Quantum, UnitChange::AtRunTime) => self.current.with_quantum(S::SPEC.unit.quantum(value)?),
            (Field::Qset, _) => self.current.with_qset(checked_qset(value)?),
        };
        Ok(())
    }

    /// Does what an ioctl asks for. The forms that go through a pointer get `EFAULT`: no caller has memory of its own.
    fn command(&mut self, command: Command, argument: usize) -> Result<usize, Errno> {
        match command {
            Command::Reset => {
                self.current = self.default;
                Ok(0)
            }
            Command::Tell(field) => self.set(field, argument).map(|()| 0),
            Command::Query(field) => Ok(self.value(field)),
            Command::Shift(field) => {
                let old = self.value(field);
                self.set(field, argument).map(|()| old)
            }
            Command::Set(Field::Quantum) | Command::Exchange(Field::Quantum)
                if S::SPEC.unit_change == UnitChange::AtLoadTime =>
            {
                Err(Errno::EPERM)
            }
            Command::Set(_) | Command::Get(_) | Command::Exchange(_) => Err(Errno::EFAULT),
        }
    }
}

impl<K: Kernel, S: QuantumStore<K>> CharDriver for Scull<K, S> {
    /// A device that is opened for writing alone is emptied and takes on the current sizes.
    fn open(&self, minor: Minor, flags: OpenFlags) -> Result<(), Errno> {
        let geometry = self.with_attached(|attached| {
            if usize::from(minor.0) >= attached.devices {
                return Err(Errno::ENODEV);
            }
            self.users.fetch_add(1, Relaxed);
            Ok(attached.current)
        })?;
        if !flags.is_write_only() {
            return Ok(());
        }
        self.with_device(minor, |device| device.trim(geometry)).inspect_err(|_| self.release(minor, flags))
    }

    fn release(&self, _minor: Minor, _flags: OpenFlags) {
        self.users.fetch_sub(1, Relaxed);
    }

    fn read(&self, minor: Minor, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.with_device(minor, |device| device.read(position, buf))?
    }

    fn write(&self, minor: Minor, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.with_device(minor, |device| device.write(position, buf, GfpFlags::KERNEL))?
    }

    fn write_atomic(&self, minor: Minor, position: u64, bytes: &[u8]) -> Result<usize, Errno> {
        if S::SPEC.atomicity == Atomicity::ProcessOnly {
            return Err(Errno::EAGAIN);
        }
        let slot = self.slots.get(usize::from(minor.0)).ok_or(Errno::ENODEV)?;
        slot.try_with(|device| {
            let device = device.as_mut().ok_or(Errno::ENODEV)?;
            device.write(position, &mut IoBuf::take(bytes), GfpFlags::ATOMIC)
        })
        .unwrap_or(Err(Errno::EAGAIN))
    }

    fn is_storage(&self) -> bool {
        true
    }

    fn size(&self, minor: Minor) -> Result<u64, Errno> {
        self.with_device(minor, |device| device.size())
    }

    fn mmap_page(&self, minor: Minor, offset: u64) -> Result<Pfn, Errno> {
        self.with_device(minor, |device| device.page_at(offset))?
    }

    fn ioctl(&self, _minor: Minor, number: u32, argument: usize) -> Result<usize, Errno> {
        let command = ioctl::decode(number, S::SPEC.ioctls).ok_or(Errno::ENOTTY)?;
        self.with_attached(|attached| attached.command(command, argument))
    }
}

impl<K: Kernel, S: QuantumStore<K>> Module for Scull<K, S> {
    fn name(&self) -> &'static str {
        S::SPEC.name
    }

    fn about(&self) -> &'static str {
        S::SPEC.about
    }

    fn params(&self) -> &'static [ParamSpec] {
        &S::SPEC.params
    }

    fn insmod(&self, params: &[Param<'_>]) -> Result<u16, Errno> {
        let settings = Settings::read(S::SPEC, params)?;
        self.attached.with(|attached| {
            if attached.is_some() {
                return Err(Errno::EEXIST);
            }
            // Half of low memory.
            self.quota.set_default_limit(K::memory().pages().low_pages() as u64 * PAGE_SIZE as u64 / 2);
            *attached = Some(self.attach(settings)?);
            self.devices.store(settings.devices, Relaxed);
            Ok(settings.devices as u16)
        })?
    }

    fn rmmod(&self) -> Result<(), Errno> {
        self.attached.with(|attached| {
            if attached.is_none() {
                return Err(Errno::ENOENT);
            }
            if self.users.load(Relaxed) > 0 {
                return Err(Errno::EBUSY);
            }
            self.empty_slots()?;
            self.devices.store(0, Relaxed);
            if let Some(Attached { backing, .. }) = attached.take() {
                S::destroy(backing);
            }
            Ok(())
        })?
    }

    fn users(&self) -> Option<usize> {
        (self.devices.load(Relaxed) > 0).then(|| self.users.load(Relaxed))
    }

    /// The driver's own memory: itself and its devices, without their data.
    fn footprint(&self) -> usize {
        size_of::<Self>() + self.devices.load(Relaxed) * size_of::<ScullDevice<K, S>>()
    }

    fn proc_mem(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        for (index, slot) in self.slots.iter().enumerate() {
            slot.with(|device| match device {
                Some(device) => proc::write_device(out, index, device),
                None => Ok(()),
            })
            .unwrap_or(Err(fmt::Error))?;
        }
        Ok(())
    }
}
