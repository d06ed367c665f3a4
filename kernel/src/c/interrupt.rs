//! Handlers of interrupt lines in C.

use alloc::boxed::Box;
use core::ffi::{c_char, c_int, c_uint, c_ulong, c_void};
use core::ptr;

use kapi::{Errno, IrqReturn, Sharing};
use mm::GfpFlags;

use super::hooks::Gone;
use super::layout::Registers;
use super::strings;
use crate::export;
use crate::irq::{self, Irq, IrqAction};
use crate::mm::{KString, KVec};
use crate::modules::called;
use crate::sched::{Mutex, may_sleep};

/// The line may have other handlers.
const SA_SHIRQ: c_ulong = 0x0400_0000;

/// What C calls.
type Handler = unsafe extern "C" fn(c_int, *mut c_void, *mut Registers);

/// A handler on a line, by whom it was requested.
struct Requested {
    irq: Irq,
    device: usize,
    handler: usize,
    action: IrqAction,
}

static REQUESTED: Mutex<KVec<Requested>> = Mutex::new(KVec::new());
/// The names that handlers had: the table of lines keeps them, and there are few.
static NAMES: Mutex<KVec<&'static str>> = Mutex::new(KVec::new());

export! {
    /// Has a handler called for each interrupt on a line.
    extern "C" fn request_irq(
        line: c_uint,
        handler: Option<Handler>,
        flags: c_ulong,
        name: *const c_char,
        device: *mut c_void
    ) -> c_int {
        // SAFETY: the caller's text.
        let name = unsafe { strings::text(name) }.unwrap_or("C");
        match request(line, handler, flags, name, device) {
            Ok(()) => 0,
            Err(error) => -error.number(),
        }
    }

    /// Takes it back.
    extern "C" fn free_irq(line: c_uint, device: *mut c_void) {
        let is_meant = |it: &Requested| u32::from(it.irq.number()) == line && it.device == device.addr();
        drop(take(is_meant));
    }

    /// Holds a line back.
    extern "C" fn disable_irq(line: c_uint) {
        if let Some(irq) = irq(line) {
            irq::chip().mask(irq);
        }
    }

    /// The same.
    extern "C" fn disable_irq_nosync(line: c_uint) {
        disable_irq(line);
    }

    /// Lets it through.
    extern "C" fn enable_irq(line: c_uint) {
        if let Some(irq) = irq(line) {
            irq::chip().unmask(irq);
        }
    }
}

fn irq(line: c_uint) -> Option<Irq> {
    u8::try_from(line).ok().and_then(Irq::new)
}

fn request(
    line: c_uint,
    handler: Option<Handler>,
    flags: c_ulong,
    name: &str,
    device: *mut c_void,
) -> Result<(), Errno> {
    may_sleep("request_irq")?;
    let (irq, handler) = (irq(line).ok_or(Errno::EINVAL)?, handler.ok_or(Errno::EINVAL)?);
    let sharing = if flags & SA_SHIRQ != 0 { Sharing::Shared } else { Sharing::Exclusive };
    if sharing == Sharing::Shared && device.is_null() {
        // Nobody could tell it from the others.
        return Err(Errno::EINVAL);
    }
    let name = kept(name)?;
    let mut requested = REQUESTED.lock_uninterruptible()?;
    requested.reserve(1, GfpFlags::KERNEL)?;
    let argument = device.expose_provenance();
    let action = irq::request_irq(irq, sharing, name, move |irq| {
        let mut registers = Registers::default();
        let device = ptr::with_exposed_provenance_mut(argument);
        // SAFETY: a function of a module that is there: those of one that goes are taken back.
        called(handler as *const (), || unsafe { handler(irq.number().into(), device, &raw mut registers) });
        // C does not say whether it was meant.
        IrqReturn::Handled
    })?;
    Ok(requested.push(Requested { irq, device: argument, handler: handler as usize, action }, GfpFlags::KERNEL)?)
}

/// The name, where it stays for good.
fn kept(name: &str) -> Result<&'static str, Errno> {
    let mut names = NAMES.lock_uninterruptible()?;
    if let Some(known) = names.iter().find(|known| **known == name) {
        return Ok(known);
    }
    names.reserve(1, GfpFlags::KERNEL)?;
    let name = Box::try_new(KString::from_str(name, GfpFlags::KERNEL)?).map_err(|_| Errno::ENOMEM)?;
    let name: &'static str = Box::leak(name);
    names.push(name, GfpFlags::KERNEL)?;
    Ok(name)
}

fn take(is_meant: impl Fn(&Requested) -> bool) -> Option<Requested> {
    let mut requested = REQUESTED.lock_uninterruptible().ok()?;
    let at = requested.iter().position(is_meant)?;
    requested.swap_remove(at)
}

/// Handlers that a module has forgotten go.
pub(super) fn take_back(gone: &mut Gone<'_>) {
    while let Some(left) = take(|it| gone.has(it.handler)) {
        gone.tell(format_args!("a handler on irq {}", left.irq.number()));
        drop(left.action);
    }
}
