//! Modules from files: from a name to the object, and on to the module.
#![forbid(unsafe_code)]

use core::fmt;

use kapi::{Errno, OpenFlags, Param};
use loader::{MAX_BYTES, Object};
use mm::GfpFlags;

use super::foreign;
use super::image::{Image, Start};
use super::info::Info;
use super::linker::Linker;
use super::refused::Refused;
use super::registry::{self, Newcomer};
use super::variables;
use crate::fs::{self, Place};
use crate::mm::{KString, KVVec, KVec};

/// Where modules lie that are asked for by their names.
const DIRECTORY: &str = "/lib/modules";
/// What their files' names end in.
const SUFFIX: &str = ".ko";
/// How much is read at once, at least.
const CHUNK: usize = 4096;
/// Bytes of the longest name.
const MAX_NAME: usize = 55;

/// Whether `word` names a file: a path, or the name of an object.
pub(super) fn is_path(word: &str) -> bool {
    word.contains('/') || word.ends_with(SUFFIX)
}

/// The file of the module called `name`.
pub(super) fn path_of(name: &str) -> Result<KString, Errno> {
    Ok(KString::try_format(format_args!("{DIRECTORY}/{name}{SUFFIX}"))?)
}

/// Attaches the module in the file at `path`.
pub(super) fn attach(path: &str, params: &[Param<'_>]) -> Result<(), Refused> {
    attach_object(&read(path)?, path, params)
}

/// Attaches the module whose object `bytes` are. If it does not name itself, it is called as the file at `path`.
pub(super) fn attach_object(bytes: &[u8], path: &str, params: &[Param<'_>]) -> Result<(), Refused> {
    let object = parse(bytes)?;
    let name = name_of(&object, path)?;
    if registry::find(name).is_ok() {
        return Err(Refused::said(Errno::EEXIST, format_args!("attached already")));
    }
    let mut linker = Linker::of(&object)?;
    let (image, init, start) = Image::load(&object, name, params, &mut |name| linker.resolve(name))?;
    let (lenders, build) = (linker.into_lenders()?, object.modinfo("crate").unwrap_or_default());
    let newcomer = |entry| Newcomer { name, build, entry, image: Some(image), lenders };
    let attached = match start {
        Start::Rust(entry) => {
            entry.check(params)?;
            registry::attach(newcomer(Some(entry)), &mut || Ok((entry.load)(params)?))
        }
        Start::Foreign(foreign) => {
            foreign::prepare(&mut object.undefined())?;
            registry::attach(newcomer(None), &mut || foreign.begin())
        }
    };
    drop(init);
    attached
}

/// Calls `show` with what the file at `path` says of the module in it.
pub(super) fn describe(path: &str, show: &mut dyn FnMut(&Info<'_>)) -> Result<(), Refused> {
    let bytes = read(path)?;
    let object = parse(&bytes)?;
    let name = name_of(&object, path)?;
    // Its parameters are known once it is linked, which takes a kernel of its build.
    let mut linker = Linker::of(&object);
    let linked = linker.as_mut().ok().map(|linker| Image::load(&object, name, &[], &mut |name| linker.resolve(name)));
    let params = match &linked {
        Some(Ok((_, _, Start::Rust(entry)))) => entry.params,
        Some(Ok((_, _, Start::Foreign(_))) | Err(_)) | None => &[],
    };
    let about = object.modinfo("about").or(object.modinfo("description")).unwrap_or_default();
    let mut variables = KVec::new();
    for variable in variables::all(&object) {
        variables.push(variable, GfpFlags::KERNEL)?;
    }
    show(&Info { name, about, params, variables: &variables, state: registry::state_of(name) });
    Ok(())
}

/// Calls `visit` with the names of the modules that lie where they are looked for.
pub(super) fn each(visit: &mut dyn FnMut(&str)) {
    if let Ok(entries) = fs::readdir(&Place::root(), DIRECTORY) {
        entries.iter().filter_map(|entry| entry.name.strip_suffix(SUFFIX)).for_each(visit);
    }
}

/// The file's content.
fn read(path: &str) -> Result<KVVec<u8>, Refused> {
    let file = fs::open(&Place::root(), path, OpenFlags::READ, 0)?;
    let size = usize::try_from(file.stat()?.size).unwrap_or(usize::MAX);
    if size > MAX_BYTES {
        return Err(too_long());
    }
    let mut bytes = KVVec::with_capacity(size.max(CHUNK), GfpFlags::KERNEL)?;
    loop {
        let done = bytes.len();
        bytes.resize(done + CHUNK, 0, GfpFlags::KERNEL)?;
        let read = file.read_bytes(&mut bytes[done..])?;
        bytes.truncate(done + read);
        if read == 0 {
            return Ok(bytes);
        }
        if bytes.len() > MAX_BYTES {
            return Err(too_long());
        }
    }
}

fn too_long() -> Refused {
    Refused::said(Errno::EFBIG, format_args!("it has more than {MAX_BYTES} bytes"))
}

fn parse(bytes: &[u8]) -> Result<Object<'_>, Refused> {
    Object::parse(bytes).map_err(|refusal| Refused::said(Errno::ENOEXEC, format_args!("{refusal}")))
}

/// The name that the module gives itself, or that of its file.
fn name_of<'a>(object: &Object<'a>, path: &'a str) -> Result<&'a str, Refused> {
    let file = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let name = object.modinfo("name").unwrap_or(file.strip_suffix(SUFFIX).unwrap_or(file));
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_good) {
        return Ok(name);
    }
    let shown = fmt::from_fn(|f| write!(f, "{name:?} is no name for a module"));
    Err(Refused::said(Errno::EINVAL, format_args!("{shown}")))
}
