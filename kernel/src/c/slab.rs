//! Lookaside caches for C.
//!
//! A `kmem_cache_t` is a place in a table, so that one that was destroyed leads nowhere it should not. C's constructor
//! is found there by the cache's name.

use core::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use core::panic::Location;
use core::ptr::{self, NonNull};

use mm::{CacheFlags, CacheRef, CacheSpec, CtorFlags};

use super::hooks::Gone;
use super::memory::{known, reported};
use super::strings;
use crate::mm::{KernelPlatform, memory};
use crate::modules::called;
use crate::sync::SpinLock;
use crate::{export, klog, sched};

/// How many caches modules in C may have at a time.
const MOST: usize = 128;
/// Bytes of the longest name, with its zero.
const NAME: usize = 20;

/// What C calls for an object.
type Callee = unsafe extern "C" fn(*mut c_void, *mut Slot, c_ulong);

/// What a `kmem_cache_t` is.
#[repr(align(64))]
pub(super) struct Slot(SpinLock<Entry>);

#[derive(Clone, Copy)]
struct Entry {
    cache: Option<CacheRef<KernelPlatform>>,
    taken: bool,
    name: [u8; NAME],
    /// Where C has the name: in the module whose cache it is, as a rule.
    named_at: usize,
    constructor: Option<Callee>,
    destructor: Option<Callee>,
}

const FREE: Entry =
    Entry { cache: None, taken: false, name: [0; NAME], named_at: 0, constructor: None, destructor: None };

static SLOTS: [Slot; MOST] = [const { Slot(SpinLock::new(FREE)) }; MOST];

export! {
    /// Creates a cache.
    extern "C" fn kmem_cache_create(
        name: *const c_char,
        size: usize,
        offset: usize,
        flags: usize,
        constructor: Option<Callee>,
        destructor: Option<Callee>
    ) -> *const Slot {
        // SAFETY: the caller's text.
        let Some(name) = (unsafe { strings::text(name) }) else { return refuse("it has no name") };
        let known = u32::try_from(flags).ok().and_then(CacheFlags::from_bits);
        let Some(flags) = known else { return refuse("there are no such flags") };
        let Some(slot) = take(name, constructor, destructor) else { return refuse("too many, or too long a name") };
        let spec = CacheSpec {
            name,
            size,
            offset,
            flags,
            ctor: constructor.map(|_| construct as _),
            dtor: destructor.map(|_| destruct as _),
        };
        match memory().kmem_cache_create(&spec) {
            Ok(cache) => {
                slot.0.with(|entry| entry.cache = Some(cache));
                slot
            }
            Err(_) => {
                slot.0.with(|entry| *entry = FREE);
                ptr::null()
            }
        }
    }

    /// Gives free memory of a cache back.
    extern "C" fn kmem_cache_shrink(cache: *const Slot) -> c_int {
        let Some(cache) = cache_of("kmem_cache_shrink", cache) else { return 1 };
        memory().kmem_cache_shrink(cache);
        0
    }

    /// Destroys a cache; 1 while it has objects.
    extern "C" fn kmem_cache_destroy(cache: *const Slot) -> c_int {
        let Some(found) = cache_of("kmem_cache_destroy", cache) else { return 1 };
        if memory().kmem_cache_destroy(found).is_err() {
            return 1;
        }
        if let Some(slot) = slot_of(cache) {
            // Its old handle stays, and is told apart from a new cache's.
            slot.0.with(|entry| (entry.taken, entry.constructor, entry.destructor) = (false, None, None));
        }
        0
    }

    /// Allocates an object.
    extern "C" fn kmem_cache_alloc(cache: *const Slot, flags: u32) -> *mut c_void {
        let Some(gfp) = known("kmem_cache_alloc", flags) else { return ptr::null_mut() };
        let Some(cache) = cache_of("kmem_cache_alloc", cache) else { return ptr::null_mut() };
        memory().kmem_cache_alloc(cache, gfp).map_or(ptr::null_mut(), |object| object.as_ptr().cast())
    }

    /// Frees an object.
    extern "C" fn kmem_cache_free(cache: *const Slot, object: *mut c_void) {
        let Some(cache) = cache_of("kmem_cache_free", cache) else { return };
        match NonNull::new(object.cast()) {
            // SAFETY: that nobody uses the object any more is the caller's word.
            Some(object) => reported(unsafe { memory().kmem_cache_free(cache, object) }),
            None => drop(refuse("kmem_cache_free: NULL is no object")),
        }
    }
}

/// A free place for a cache of this name, which is taken now.
fn take(name: &str, constructor: Option<Callee>, destructor: Option<Callee>) -> Option<&'static Slot> {
    let mut bytes = [0; NAME];
    bytes.get_mut(..name.len()).filter(|place| place.len() < NAME)?.copy_from_slice(name.as_bytes());
    SLOTS.iter().find(|slot| {
        slot.0.with(|entry| {
            let is_free = !entry.taken;
            if is_free {
                *entry =
                    Entry { taken: true, name: bytes, named_at: name.as_ptr().addr(), constructor, destructor, ..FREE };
            }
            is_free
        })
    })
}

/// The place that a pointer of C's means.
fn slot_of(slot: *const Slot) -> Option<&'static Slot> {
    let at = slot.addr().checked_sub(SLOTS.as_ptr().addr()).filter(|at| at.is_multiple_of(size_of::<Slot>()))?;
    SLOTS.get(at / size_of::<Slot>())
}

fn cache_of(call: &str, slot: *const Slot) -> Option<CacheRef<KernelPlatform>> {
    let cache = slot_of(slot).and_then(|slot| slot.0.with(|entry| entry.cache));
    if cache.is_none() {
        klog!("{call}: {:016x}: no cache, called from {}", slot.addr(), sched::caller(Location::caller()));
    }
    cache
}

fn refuse(why: &str) -> *const Slot {
    klog!("kmem_cache_create: {why}, called from {}", sched::caller(Location::caller()));
    ptr::null()
}

fn construct(object: NonNull<u8>, name: &str, flags: CtorFlags) {
    call(object, name, flags, |entry| entry.constructor);
}

fn destruct(object: NonNull<u8>, name: &str, flags: CtorFlags) {
    call(object, name, flags, |entry| entry.destructor);
}

fn call(object: NonNull<u8>, name: &str, flags: CtorFlags, callee: impl Fn(&Entry) -> Option<Callee>) {
    for slot in &SLOTS {
        let entry = slot.0.with(|entry| *entry);
        if entry.taken && entry.is_called(name) {
            if let Some(callee) = callee(&entry) {
                let (object, slot) = (object.as_ptr().cast(), ptr::from_ref(slot).cast_mut());
                // SAFETY: it is a function of a module that is there, for objects of this cache.
                called(callee as *const (), || unsafe { callee(object, slot, flags.bits().into()) });
            }
            return;
        }
    }
}

impl Entry {
    fn is_called(&self, name: &str) -> bool {
        CStr::from_bytes_until_nul(&self.name).is_ok_and(|own| own.to_bytes() == name.as_bytes())
    }
}

/// Caches of a module that goes are destroyed; one that has objects stays, without what the module had for it.
pub(super) fn take_back(gone: &mut Gone<'_>) {
    for slot in &SLOTS {
        let Some(entry) = slot.0.with(|entry| entry.taken.then_some(*entry)) else { continue };
        let callees = [entry.constructor, entry.destructor].into_iter().flatten();
        let is_its = gone.has(entry.named_at) || callees.map(|callee| callee as usize).any(|callee| gone.has(callee));
        if !is_its {
            continue;
        }
        slot.0.with(|entry| (entry.constructor, entry.destructor, entry.named_at) = (None, None, 0));
        let name = CStr::from_bytes_until_nul(&entry.name).ok().and_then(|name| name.to_str().ok());
        gone.tell(format_args!("the cache {}", name.unwrap_or_default()));
        let _: c_int = kmem_cache_destroy(slot);
    }
}
