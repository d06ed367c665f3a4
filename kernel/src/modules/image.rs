//! A module's code and data in memory: from the object to where it can run.
//!
//! Each part is an area of its own in the range of modules. All are written to first; then text becomes executable and,
//! like the constants, read-only, in the direct map too. Parts for `init` go when that is over. (Chapter: create_module
//! takes the space, insmod relocates the code; "vmalloc and Friends".)

use core::mem;
use core::ops::Range;

use kapi::{Errno, Param};
use loader::{Binding, Object, Part, Refusal, SymbolFault};
use mm::own::Buffer;
use mm::{Access, GfpFlags, VirtAddr};

use super::entry::{ENTRY, Entry};
use super::foreign::{self, Foreign, THIS_BYTES, THIS_MODULE};
use super::refused::Refused;
use super::text::Text;
use super::variables::{self, Store, Value};
use crate::driver_api::held;
use crate::klog;
use crate::mm::{CodeArea, KString, KVec, SealedArea, memory};

/// The functions by which a module of another kind begins and ends.
const INIT: &str = "init_module";
const EXIT: &str = "cleanup_module";

/// How the calls begin that are for drivers linked into the kernel alone.
const AT_BOOT: &str = "alloc_bootmem";

/// The address of what has a name.
pub(super) type Resolve<'a> = &'a mut dyn FnMut(&str) -> Option<u64>;

/// A module in memory.
pub(super) struct Image {
    /// What of it others may link to: hashes of names, with addresses. They are few, and seldom looked for.
    exports: KVec<(u64, u64)>,
    pub(super) text: Text,
    data: Option<SealedArea>,
    constants: Option<SealedArea>,
    bytes: usize,
    /// What parameters of C point to.
    _texts: KVec<KString>,
}

/// What is there only until the module has begun.
pub(super) struct Init {
    _text: Option<Text>,
    _data: Option<SealedArea>,
}

/// How a module begins.
pub(super) enum Start {
    /// One in Rust, of this build.
    Rust(&'static Entry),
    /// Any other.
    Foreign(Foreign),
}

impl Image {
    /// Loads the object of the module `name`; `resolve` knows what names stand for. Variables of one in C are set as
    /// `params` say.
    pub(super) fn load(
        object: &Object<'_>,
        name: &str,
        params: &[Param<'_>],
        resolve: Resolve<'_>,
    ) -> Result<(Self, Init, Start), Refused> {
        let mut areas = fill(object, resolve)?;
        let bases = areas.each_ref().map(base);
        let start = start(object, &bases)?;
        let texts = match start {
            Start::Rust(_) => KVec::new(),
            Start::Foreign(_) => set(object, &bases, &mut areas, params)?,
        };
        let exports = exports(object, &bases)?;
        let bytes = areas.iter().flatten().map(|area| area.bytes().len()).sum();
        let [text, constants, data, init_text, init_data] = areas;
        let seal = |area: Option<CodeArea>, access| area.map(|area| area.seal(access)).transpose();
        let (constants, data) = (seal(constants, Access::Read)?, seal(data, Access::ReadWrite)?);
        let init_data = seal(init_data, Access::ReadWrite)?;
        let no_text = || Refused::said(Errno::ENOEXEC, format_args!("it has no code"));
        let text = Text::new(seal(text, Access::Execute)?.ok_or_else(no_text)?, name, object.ksyms())?;
        let init_text = seal(init_text, Access::Execute)?.map(|area| Text::new(area, name, &[])).transpose()?;
        let image = Self { exports, text, data, constants, bytes, _texts: texts };
        Ok((image, Init { _text: init_text, _data: init_data }, start))
    }

    /// The address of what the module calls by the name with this hash.
    pub(super) fn find(&self, hash: u64) -> Option<u64> {
        self.exports.iter().find(|&&(known, _)| known == hash).map(|&(_, address)| address)
    }

    /// Gives its memory back, once it has ended. What still calls into it is taken back first, what it left with the
    /// allocators is named; while something of that names a place in the module, its constants stay.
    pub(super) fn retire(self, name: &str) {
        let Self { text, data, constants, .. } = self;
        let (places, values) = (range(&constants), range(&data));
        foreign::take_back(&[text.range(), values.clone(), places.clone()], &mut |what| {
            klog!("{name}: left {what} behind")
        });
        held::take_back(&(places.start.as_usize()..places.end.as_usize()), &mut |what, place| {
            klog!("{name}: left {what} behind, made at {}:{}", place.file(), place.line());
        });
        let left = memory().disown(&[places, text.range(), values], &mut |left| klog!("{name}: left behind: {left}"));
        drop(data);
        match (left, constants) {
            (Ok(0), _) | (Ok(_), None) => {}
            (Ok(left), Some(constants)) => {
                klog!("{name}: {left} left behind: {} bytes that name its places stay", constants.len());
                mem::forget(constants);
            }
            // Nobody knows what leads there.
            (Err(_), constants) => mem::forget((text, constants)),
        }
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The addresses of a part, if there is one.
fn range(area: &Option<SealedArea>) -> Range<VirtAddr> {
    area.as_ref().map_or(VirtAddr::new(0)..VirtAddr::new(0), |area| area.addr()..area.addr().add(area.len()))
}

/// The first address of a part that there is.
fn base(area: &Option<CodeArea>) -> u64 {
    area.as_ref().map_or(0, |area| area.addr().as_usize() as u64)
}

/// The parts of the object, written and relocated.
fn fill(object: &Object<'_>, resolve: Resolve<'_>) -> Result<[Option<CodeArea>; Part::COUNT], Refused> {
    let mut areas = [const { None }; Part::COUNT];
    for part in Part::ALL {
        if object.bytes(part) > 0 {
            areas[part.index()] = Some(CodeArea::new(object.bytes(part))?);
        }
    }
    let bases = areas.each_ref().map(base);
    let mut parts = Part::ALL.into_iter();
    let memory = areas.each_mut().map(|area: &mut Option<CodeArea>| -> &mut [u8] {
        let len = parts.next().map_or(0, |part| object.bytes(part));
        area.as_mut().and_then(|area| area.bytes_mut().get_mut(..len)).unwrap_or_default()
    });
    let linked = object.link(&bases, memory, resolve);
    linked.map_err(|refusal| match refusal {
        Refusal::Symbol(name, SymbolFault::Unresolved) if name.name.starts_with(AT_BOOT) => {
            let why = "takes memory while the kernel starts, which no module can: it comes later";
            Refused::said(Errno::ENOEXEC, format_args!("{}() {why}", name.name))
        }
        refusal => Refused::said(Errno::ENOEXEC, format_args!("{refusal}")),
    })?;
    Ok(areas)
}

/// How the linked module begins.
fn start(object: &Object<'_>, bases: &[u64; Part::COUNT]) -> Result<Start, Refused> {
    let find = |name: &str| object.symbols(bases).find(|symbol| symbol.name == name);
    if let Some(entry) = find(ENTRY) {
        if entry.size != size_of::<Entry>() as u64 || !entry.address.is_multiple_of(align_of::<Entry>() as u64) {
            return Err(Refused::said(Errno::ENOEXEC, format_args!("its {ENTRY} is none of this kernel's")));
        }
        let entry = core::ptr::with_exposed_provenance::<Entry>(entry.address as usize);
        // SAFETY: the module was built with this kernel's own types, as its hash of the build says, which was checked;
        // it is linked, and stays in memory as long as anybody has what is made of this.
        return Ok(Start::Rust(unsafe { &*entry }));
    }
    let function = |name| find(name).filter(|symbol| symbol.part.is_executable()).map(|symbol| symbol.address);
    let none = || Refused::said(Errno::ENOEXEC, format_args!("it has neither {ENTRY} nor {INIT}"));
    let init = function(INIT).ok_or_else(none)?;
    if find(EXIT).is_some_and(|symbol| symbol.part.is_init()) {
        return Err(Refused::said(Errno::ENOEXEC, format_args!("its {EXIT} is among what goes after {INIT}")));
    }
    // One that is too short for it is none of ours.
    let this = find(THIS_MODULE).filter(|symbol| symbol.part == Part::Data && symbol.size >= THIS_BYTES);
    let this = this.filter(|symbol| symbol.address.is_multiple_of(8)).map(|symbol| symbol.address);
    // SAFETY: both are functions of the linked module, of the kind that these names stand for by the convention that
    // modules follow, and so is the structure; they stay in memory as long as the value does.
    Ok(Start::Foreign(unsafe { Foreign::new(init, function(EXIT), this) }))
}

/// Sets variables of a module in C; returns the texts that they point to.
fn set(
    object: &Object<'_>,
    bases: &[u64; Part::COUNT],
    areas: &mut [Option<CodeArea>; Part::COUNT],
    params: &[Param<'_>],
) -> Result<KVec<KString>, Refused> {
    let mut texts = KVec::new();
    for param in params {
        let stores = variables::stores(object, param, &mut texts)?;
        let refused = |why| Refused::said(Errno::EINVAL, format_args!("{}: {why}", param.name));
        let variable = object.symbols(bases).find(|symbol| symbol.name == param.name);
        let variable = variable.ok_or_else(|| refused("it has no such variable"))?;
        let from = (variable.address - bases[variable.part.index()]) as usize;
        let memory = areas[variable.part.index()].as_mut().map(|area| area.bytes_mut()).unwrap_or_default();
        let memory = memory.get_mut(from..from + variable.size as usize).unwrap_or_default();
        for Store { offset, value } in stores.iter() {
            let (value, bytes) = match value {
                Value::Number(value, bytes) => (*value, *bytes),
                Value::Text(index) => (texts[*index].as_ptr().expose_provenance() as u64, size_of::<u64>()),
            };
            let place = memory.get_mut(*offset..offset + bytes);
            place
                .ok_or_else(|| refused("more values than it has room for"))?
                .copy_from_slice(&value.to_le_bytes()[..bytes]);
        }
    }
    Ok(texts)
}

/// What others may link to.
fn exports(object: &Object<'_>, bases: &[u64; Part::COUNT]) -> Result<KVec<(u64, u64)>, Refused> {
    let mut exports = KVec::new();
    for symbol in object.symbols(bases) {
        let is_own = [ENTRY, INIT, EXIT].contains(&symbol.name);
        if symbol.binding == Binding::Global && !symbol.part.is_init() && !is_own {
            exports.push((loader::hash(symbol.name.as_bytes()), symbol.address), GfpFlags::KERNEL)?;
        }
    }
    Ok(exports)
}
