//! What is typed behind the commands that make a call.

use ::mm::{GfpFlags, Order, Pfn, PhysAddr, VirtAddr};
use shell::Failure;
use shell::options::{TOO_LARGE, natural, number, of};
use shell::words::Args;

use crate::mm::handouts::{self, Block, Refusal, Request, What};

const NO_ADDRESS: &str = "neither an address nor a handout like m1";

/// `kmalloc SIZE [FLAGS]`
pub(super) fn kmalloc(args: Args<'_>) -> Result<Request, Failure<'_>> {
    let [size, flags] = operands(args)?;
    Ok(Request::Kmalloc(bytes(need(size)?)?, gfp(flags)?))
}

/// `kfree ADDRESS`
pub(super) fn kfree(args: Args<'_>) -> Result<Request, Failure<'_>> {
    alone(args).map(Request::Kfree)
}

/// `getpages ORDER [FLAGS]`
pub(super) fn getpages(args: Args<'_>) -> Result<Request, Failure<'_>> {
    let [order, flags] = operands(args)?;
    Ok(Request::GetPages(block_order(need(order)?)?, gfp(flags)?))
}

/// `getzeroed [FLAGS]`
pub(super) fn getzeroed(args: Args<'_>) -> Result<Request, Failure<'_>> {
    let [flags] = operands(args)?;
    Ok(Request::GetZeroedPage(gfp(flags)?))
}

/// `freepages ADDRESS|PFN ORDER`
pub(super) fn freepages(args: Args<'_>) -> Result<Request, Failure<'_>> {
    let [word, order] = operands(args)?;
    let block = match place(need(word)?)? {
        Place::Frame(frame) => Block::Frame(frame),
        Place::At(addr) => Block::At(addr),
    };
    Ok(Request::FreePages(block, block_order(need(order)?)?))
}

/// `vmalloc SIZE`
pub(super) fn vmalloc(args: Args<'_>) -> Result<Request, Failure<'_>> {
    let [size] = operands(args)?;
    Ok(Request::Vmalloc(bytes(need(size)?)?))
}

/// `vfree ADDRESS`
pub(super) fn vfree(args: Args<'_>) -> Result<Request, Failure<'_>> {
    alone(args).map(Request::Vfree)
}

/// `ioremap PHYSICAL SIZE`
pub(super) fn ioremap(args: Args<'_>) -> Result<Request, Failure<'_>> {
    let [phys, size] = operands(args)?;
    Ok(Request::Ioremap(PhysAddr::new(hexadecimal(need(phys)?)?), bytes(need(size)?)?))
}

/// `iounmap ADDRESS`
pub(super) fn iounmap(args: Args<'_>) -> Result<Request, Failure<'_>> {
    alone(args).map(Request::Iounmap)
}

/// So many operands at most; those that are not there are `None`.
pub(super) fn operands<const N: usize>(args: Args<'_>) -> Result<[Option<&str>; N], Failure<'_>> {
    if args.len() > N {
        Err(Failure::Usage("too many operands"))
    } else {
        Ok(core::array::from_fn(|nth| args.get(nth)))
    }
}

/// An operand that must be there.
pub(super) fn need(operand: Option<&str>) -> Result<&str, Failure<'_>> {
    operand.ok_or(Failure::Usage("missing operand"))
}

/// The address that is the only operand.
fn alone(args: Args<'_>) -> Result<VirtAddr, Failure<'_>> {
    let [word] = operands(args)?;
    address(need(word)?)
}

/// A number of bytes: `3000`, `4k`.
pub(super) fn bytes(word: &str) -> Result<usize, Failure<'_>> {
    usize::try_from(number(word)?).map_err(|_| Failure::Argument(TOO_LARGE, word))
}

/// An order: 0 to 9.
fn block_order(word: &str) -> Result<Order, Failure<'_>> {
    let log2 = usize::try_from(natural(word, 10)?).ok().and_then(Order::new);
    log2.ok_or(Failure::Argument("orders go from 0 to 9", word))
}

/// GFP flags; GFP_KERNEL when none are given.
pub(super) fn gfp(word: Option<&str>) -> Result<GfpFlags, Failure<'_>> {
    let Some(word) = word else { return Ok(GfpFlags::KERNEL) };
    word.parse().map_err(|_| Failure::Argument("no GFP flags; help kmalloc lists them", word))
}

/// A virtual address, as a handout's number or in hexadecimal, with or without `0x`; bytes may be added: `m1+8`.
pub(super) fn address(word: &str) -> Result<VirtAddr, Failure<'_>> {
    if let Some((start, offset)) = word.split_once('+') {
        let offset = bytes(offset).map_err(|failure| of(failure, word))?;
        let sum = address(start)?.checked_add(offset);
        return sum.ok_or(Failure::Argument(TOO_LARGE, word));
    }
    if let Some(what) = numbered(word)? {
        return what.addr().ok_or(Failure::Argument("high memory: it has no address", word));
    }
    Ok(VirtAddr::new(hexadecimal(word).map_err(|_| Failure::Argument(NO_ADDRESS, word))? as usize))
}

/// What was handed out by this number; `None` for a word that is no such number.
pub(super) fn numbered(word: &str) -> Result<Option<What>, Failure<'_>> {
    let Some(digits) = word.strip_prefix('m') else { return Ok(None) };
    let none = Failure::Argument("no such handout; held lists them", word);
    let number = u32::try_from(natural(digits, 10).map_err(|_| none)?).map_err(|_| none)?;
    handouts::find(number).map_err(locked)?.map_or(Err(none), |handout| Ok(Some(handout.what)))
}

/// A number in hexadecimal, with or without `0x`.
pub(super) fn hexadecimal(word: &str) -> Result<u64, Failure<'_>> {
    natural(word.strip_prefix("0x").unwrap_or(word), 16).map_err(|failure| of(failure, word))
}

/// A frame: `m1`, an address, or the frame's number: decimal, or hexadecimal with `0x`.
pub(super) fn place(word: &str) -> Result<Place, Failure<'_>> {
    if word.contains('+') {
        return address(word).map(Place::At);
    }
    match numbered(word)? {
        Some(What::Block(frame, _, None)) => return Ok(Place::Frame(frame)),
        Some(_) => return address(word).map(Place::At),
        None => {}
    }
    let number = match word.strip_prefix("0x") {
        Some(digits) => natural(digits, 16).map_err(|failure| of(failure, word))?,
        // The digits of an address: a decimal number of that length is no frame's.
        None if word.len() == ADDRESS_DIGITS => hexadecimal(word).map_err(|_| Failure::Argument(NO_ADDRESS, word))?,
        None => natural(word, 10).map_err(|_| Failure::Argument("neither an address, a frame nor a handout", word))?,
    };
    Ok(u32::try_from(number).map_or(Place::At(VirtAddr::new(number as usize)), |frame| Place::Frame(Pfn::new(frame))))
}

/// Hexadecimal digits of an address as messages show it.
const ADDRESS_DIGITS: usize = 16;

/// What `page` is asked about.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// A virtual address.
    At(VirtAddr),
    /// A frame.
    Frame(Pfn),
}

/// The failure of a command whose turn did not come.
pub(super) fn locked<'a>(refusal: Refusal) -> Failure<'a> {
    match refusal {
        Refusal::Lock(errno) => Failure::Plain(errno),
        _ => Failure::Usage("the handouts could not be looked at"),
    }
}
