//! The modules that there are now, who uses them, and how they come and go.
//!
//! No lock is held while a module's own code runs, so a module that dies in it takes nobody along: it stays where it
//! is, for good, in the state that it was in.
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use core::any::Any;
use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use kapi::Errno;
use mm::GfpFlags;

use super::entry::Entry;
use super::image::Image;
use super::refused::Refused;
use crate::chrdev::{self, Driver, Major, Nodes, User, Users};
use crate::fs::procfs::{self, Source};
use crate::klog;
use crate::mm::{KString, KVec};
use crate::sched::{self, Mutex};
use crate::sync::SpinLock;
use crate::time::TICK;

/// A module.
pub(super) struct Module {
    name: KString,
    /// The compiler's hash of what it was built from; none for the kernel's own.
    build: KString,
    users: Arc<Users>,
    /// Its value, between its load and its end.
    driver: SpinLock<Option<Arc<dyn Driver>>>,
    /// Its code, if it came from a file. All of the above may lead there.
    image: Option<Image>,
    /// Whose code it calls: they stay as long as it does.
    lenders: KVec<Pinned>,
    /// It ends, or has ended.
    is_going: AtomicBool,
}

/// All of them, in the order in which they came.
static MODULES: Mutex<KVec<Arc<Module>>> = Mutex::new(KVec::new());

/// A module that stays as long as this lives.
pub struct Pinned<M: ?Sized = dyn Driver> {
    driver: Arc<dyn Driver>,
    _user: User,
    module: Arc<Module>,
    kind: PhantomData<M>,
}

/// In what state a module is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Its load has not returned.
    Coming,
    /// It can be used.
    Live,
    /// Its end has not returned.
    Going,
    /// A thread died of what it did: it stays.
    Broken,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Coming => "Loading",
            Self::Live => "Live",
            Self::Going => "Unloading",
            Self::Broken => "Broken",
        })
    }
}

/// What makes a module's value.
pub(super) type Begin<'a> = &'a mut dyn FnMut() -> Result<Arc<dyn Driver>, Refused>;

/// What a module is, before it begins.
pub(super) struct Newcomer<'a> {
    pub(super) name: &'a str,
    /// The compiler's hash of what it was built from, if it came from a file.
    pub(super) build: &'a str,
    /// What it says of itself, if it is one in Rust.
    pub(super) entry: Option<&'static Entry>,
    pub(super) image: Option<Image>,
    /// Whose code it calls: they stay as long as it does.
    pub(super) lenders: KVec<Pinned>,
}

/// Attaches a module whose value `begin` makes. `EEXIST` when one of its name is there.
pub(super) fn attach(newcomer: Newcomer<'_>, begin: Begin<'_>) -> Result<(), Refused> {
    let Newcomer { name, build, entry, image, lenders } = newcomer;
    let module = Module {
        name: KString::from_str(name, GfpFlags::KERNEL)?,
        build: KString::from_str(build, GfpFlags::KERNEL)?,
        users: Users::closed()?,
        driver: SpinLock::new(None),
        image,
        lenders,
        is_going: AtomicBool::new(false),
    };
    let module = Arc::try_new(module).map_err(|_| Errno::ENOMEM)?;
    add(&module)?;
    let driver = match begin() {
        Ok(driver) => driver,
        Err(why) => {
            module.bury()?;
            return Err(why);
        }
    };
    module.driver.with(|place| *place = Some(driver.clone()));
    if let Err(error) = module.publish(&driver, entry.and_then(|entry| entry.proc_suffix)) {
        drop(driver);
        module.end()?;
        return Err(error.into());
    }
    module.users.reopen();
    Ok(())
}

/// Detaches the module called `name`. `ENOENT` when there is none, `EBUSY` while somebody uses it.
pub(super) fn detach(name: &str) -> Result<(), Refused> {
    let module = find(name)?;
    let busy = |why: fmt::Arguments<'_>| Err(Refused::said(Errno::EBUSY, why));
    match module.state() {
        State::Broken => return busy(format_args!("a thread died in it: it stays as it is")),
        State::Coming => return busy(format_args!("it has not begun yet")),
        State::Going => return busy(format_args!("it is about to go")),
        State::Live => {}
    }
    module.users.close()?;
    let driver = module.driver.with(|driver| driver.clone()).ok_or(Errno::EBUSY)?;
    if driver.is_busy() {
        module.users.reopen();
        return Err(Errno::EBUSY.into());
    }
    drop(driver);
    Ok(module.end()?)
}

/// Makes the module known, unless one of its name is.
fn add(module: &Arc<Module>) -> Result<(), Refused> {
    let mut modules = MODULES.lock_uninterruptible()?;
    if modules.iter().any(|other| other.name == module.name) {
        return Err(Refused::said(Errno::EEXIST, format_args!("attached already")));
    }
    Ok(modules.push(module.clone(), GfpFlags::KERNEL)?)
}

/// The module called `name`; `ENOENT`.
pub(super) fn find(name: &str) -> Result<Arc<Module>, Errno> {
    let modules = MODULES.lock_uninterruptible()?;
    modules.iter().find(|module| module.name.as_str() == name).cloned().ok_or(Errno::ENOENT)
}

/// All modules, as they are now.
pub(super) fn all() -> Result<KVec<Arc<Module>>, Errno> {
    let modules = MODULES.lock()?;
    let mut all = KVec::with_capacity(modules.len(), GfpFlags::KERNEL)?;
    modules.iter().try_for_each(|module| all.push(module.clone(), GfpFlags::KERNEL))?;
    Ok(all)
}

/// The names of all modules, as they are now.
pub(super) fn names() -> Result<KVec<KString>, Errno> {
    let modules = MODULES.lock()?;
    let mut names = KVec::with_capacity(modules.len(), GfpFlags::KERNEL)?;
    modules
        .iter()
        .try_for_each(|module| names.push(KString::from_str(&module.name, GfpFlags::KERNEL)?, GfpFlags::KERNEL))?;
    Ok(names)
}

/// The address that a module has for the name with this hash, and the module.
pub(super) fn lend(hash: u64) -> Option<(u64, Pinned)> {
    let modules = MODULES.lock_uninterruptible().ok()?;
    modules.iter().find_map(|module| Some((module.image.as_ref()?.find(hash)?, module.pin().ok()?)))
}

impl Module {
    /// Makes its names known.
    fn publish(&self, driver: &Arc<dyn Driver>, proc_suffix: Option<&str>) -> Result<(), Errno> {
        let (name, devices) = (self.name.as_str(), driver.devices());
        if devices > 0 {
            chrdev::register_for(&self.users, name, Major::Any, Nodes::Numbered(devices), driver.clone())?;
        }
        let Some(suffix) = proc_suffix else { return Ok(()) };
        let file = KString::try_format(format_args!("{name}{suffix}"))?;
        procfs::register(&file, Source::Module(driver.clone(), self.users.clone()))
    }

    /// Ends it: its names go first, then its value, then its code. Nobody uses it, and nobody can begin to.
    fn end(self: Arc<Self>) -> Result<(), Errno> {
        self.is_going.store(true, Relaxed);
        chrdev::unregister(&self.users)?;
        procfs::unregister_module(&self.users)?;
        let driver = self.driver.with(Option::take);
        drop(driver);
        self.bury()
    }

    /// Gives back what it took, once its own code has returned for good.
    fn bury(self: Arc<Self>) -> Result<(), Errno> {
        self.forget();
        // Who looks at the list this instant has it still.
        let mut module = self;
        loop {
            match Arc::try_unwrap(module) {
                Ok(Self { name, image, .. }) => {
                    if let Some(image) = image {
                        image.retire(&name);
                    }
                    return Ok(());
                }
                Err(shared) => module = shared,
            }
            // A ^C does not end this.
            let _ = sched::sleep(TICK);
        }
    }

    /// Takes it out of the list.
    fn forget(&self) {
        match MODULES.lock_uninterruptible() {
            Ok(mut modules) => modules.retain(|module| module.name != self.name),
            Err(error) => klog!("{}: still listed: {}", self.name, Errno::from(error)),
        }
    }

    fn pin(self: &Arc<Self>) -> Result<Pinned, Errno> {
        let user = self.users.enter()?;
        let driver = self.driver.with(|driver| driver.clone()).ok_or(Errno::ENODEV)?;
        Ok(Pinned { driver, _user: user, module: self.clone(), kind: PhantomData })
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How many use it.
    pub(super) fn users(&self) -> usize {
        let own = self.driver.with(|driver| driver.clone()).map_or(0, |driver| driver.own_users());
        self.users.count().max(own)
    }

    /// Its code, if it came from a file.
    pub(super) fn image(&self) -> Option<&Image> {
        self.image.as_ref()
    }

    /// Whether it calls what the module `name` has.
    pub(super) fn needs(&self, name: &str) -> bool {
        self.lenders.iter().any(|lender| lender.name() == name)
    }

    /// Its state now.
    pub(super) fn state(&self) -> State {
        if self.image.as_ref().is_some_and(|image| image.text.is_broken()) {
            State::Broken
        } else if !self.users.is_closed() {
            State::Live
        } else if self.is_going.load(Relaxed) {
            State::Going
        } else {
            State::Coming
        }
    }

    /// Bytes of memory that it takes. The module's own code runs, unless it is broken.
    pub(super) fn footprint(self: &Arc<Self>) -> usize {
        let code = self.image.as_ref().map_or(0, Image::bytes);
        let live = self.pin().ok().filter(|_| self.state() == State::Live);
        code + live.map_or(0, |driver| driver.footprint())
    }
}

/// The state of the module called `name`, and how many use it, if it is there.
pub(super) fn state_of(name: &str) -> Option<(State, usize)> {
    find(name).ok().map(|module| (module.state(), module.users()))
}

/// The module called `name`, which stays attached meanwhile.
///
/// # Errors
/// `ENOENT` when it is not attached, `ENODEV` when it is about to go.
pub fn pin(name: &str) -> Result<Pinned, Errno> {
    find(name)?.pin()
}

/// [`pin`], of the type `M`.
///
/// # Errors
/// As there; `ENODEV` also when it is of another type.
pub fn pin_as<M: Driver>(name: &str) -> Result<Pinned<M>, Errno> {
    let pinned = pin(name)?;
    let known: &dyn Any = &*pinned.driver;
    if !known.is::<M>() {
        return Err(Errno::ENODEV);
    }
    let Pinned { driver, _user, module, .. } = pinned;
    Ok(Pinned { driver, _user, module, kind: PhantomData })
}

/// Who uses the module called `name`.
pub fn users_of(name: &str) -> Option<Arc<Users>> {
    find(name).ok().map(|module| module.users.clone())
}

impl<M: ?Sized> Pinned<M> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.module.name
    }

    /// The compiler's hash of what it was built from.
    pub(super) fn build(&self) -> &str {
        &self.module.build
    }
}

impl<M: Driver> Deref for Pinned<M> {
    type Target = M;

    fn deref(&self) -> &M {
        let known: &dyn Any = &*self.driver;
        match known.downcast_ref() {
            Some(module) => module,
            None => unreachable!("its type was looked at when it was pinned"),
        }
    }
}

impl Deref for Pinned {
    type Target = dyn Driver;

    fn deref(&self) -> &dyn Driver {
        &*self.driver
    }
}
