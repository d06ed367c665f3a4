//! Files in /proc whose text a function of C's writes.
//!
//! The text is asked for when the file is opened, all of it, into a buffer that is larger than the function is told.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ffi::{c_char, c_int, c_long, c_ulong, c_void};
use core::fmt::{self, Write};
use core::ptr;

use kapi::Errno;
use mm::GfpFlags;

use super::current::Limit;
use super::device::caller_users;
use super::layout::{GetInfo, ProcEntry, ReadProc};
use super::opened::errno;
use super::strings;
use crate::chrdev::Users;
use crate::fs::procfs::{self, Source, Text};
use crate::mm::{KString, KVVec, KVec};
use crate::modules::called;
use crate::sched::Mutex;
use crate::{export, offer};

/// What the function is told that it may write, as in 2.4: a page, less what it used to need for itself.
const COUNT: usize = 3072;
/// What it may write without harm.
const BUFFER: usize = 64 << 10;
/// A file's rights, unless its driver gives others.
const S_IFREG: u32 = 0o100_000;
const S_IFDIR: u32 = 0o040_000;
const READABLE: u32 = 0o444;

/// /proc, as C names it.
static PROC_ROOT: Root = Root(NO_ENTRY);
offer!(proc_root = (&raw const PROC_ROOT).cast());

#[repr(transparent)]
struct Root(ProcEntry);

// SAFETY: nobody here follows what is in it.
unsafe impl Sync for Root {}

const NO_ENTRY: ProcEntry = ProcEntry {
    name: ptr::null(),
    parent: ptr::null_mut(),
    __kernel: ptr::null_mut(),
    mode: 0,
    uid: 0,
    gid: 0,
    owner: ptr::null_mut(),
    proc_fops: ptr::null(),
    get_info: None,
    read_proc: None,
    write_proc: None,
    data: ptr::null_mut(),
    size: 0,
};

/// A file or directory: what C sees of it, and its path.
struct Node {
    entry: *mut ProcEntry,
    path: KString,
    users: Arc<Users>,
    /// Held while its text is written.
    busy: Mutex<()>,
}

// SAFETY: C's part is C's own doing; the kernel reads it while it is registered.
unsafe impl Send for Node {}
// SAFETY: as above.
unsafe impl Sync for Node {}

static NODES: Mutex<KVec<Arc<Node>>> = Mutex::new(KVec::new());

export! {
    /// Makes a file, or a directory.
    extern "C" fn create_proc_entry(name: *const c_char, mode: u32, parent: *mut ProcEntry) -> *mut ProcEntry {
        make(name, parent, ProcEntry { mode, ..NO_ENTRY })
    }

    /// Makes a file with a function that writes its text.
    extern "C" fn create_proc_read_entry(
        name: *const c_char,
        mode: u32,
        parent: *mut ProcEntry,
        read: Option<ReadProc>,
        data: *mut c_void
    ) -> *mut ProcEntry {
        make(name, parent, ProcEntry { mode, read_proc: read, data, ..NO_ENTRY })
    }

    /// The same, without data.
    extern "C" fn create_proc_info_entry(
        name: *const c_char,
        mode: u32,
        parent: *mut ProcEntry,
        get_info: Option<GetInfo>
    ) -> *mut ProcEntry {
        make(name, parent, ProcEntry { mode, get_info, ..NO_ENTRY })
    }

    /// Makes a directory.
    extern "C" fn proc_mkdir(name: *const c_char, parent: *mut ProcEntry) -> *mut ProcEntry {
        make(name, parent, ProcEntry { mode: S_IFDIR | 0o555, ..NO_ENTRY })
    }

    /// Takes it out, and waits for whoever reads it.
    extern "C" fn remove_proc_entry(name: *const c_char, parent: *mut ProcEntry) {
        // What is not there need not be removed.
        let _: Result<(), Errno> = remove(name, parent);
    }
}

fn make(name: *const c_char, parent: *mut ProcEntry, entry: ProcEntry) -> *mut ProcEntry {
    try_make(name, parent, entry).unwrap_or(ptr::null_mut())
}

fn try_make(name: *const c_char, parent: *mut ProcEntry, entry: ProcEntry) -> Result<*mut ProcEntry, Errno> {
    let users = caller_users("create_proc_entry")?;
    let path = path(name, parent)?;
    let mode = match entry.mode {
        mode if mode & !0o7777 != 0 => mode,
        0 => S_IFREG | READABLE,
        mode => S_IFREG | mode,
    };
    let entry = ProcEntry { name, parent, mode, ..entry };
    let entry = Box::into_raw(Box::try_new(entry).map_err(|_| Errno::ENOMEM)?);
    let node = Node { entry, path, users: users.clone(), busy: Mutex::new(()) };
    let node = Arc::try_new(node).map_err(|_| Errno::ENOMEM)?;
    let mut nodes = NODES.lock_uninterruptible()?;
    nodes.reserve(1, GfpFlags::KERNEL)?;
    if mode & S_IFDIR == 0 {
        // SAFETY: it was just made.
        unsafe { (*entry).__kernel = ptr::null_mut() };
        procfs::register(&node.path, Source::Owned(node.clone(), users))?;
    }
    nodes.push(node, GfpFlags::KERNEL)?;
    Ok(entry)
}

fn remove(name: *const c_char, parent: *mut ProcEntry) -> Result<(), Errno> {
    let path = path(name, parent)?;
    let mut nodes = NODES.lock_uninterruptible()?;
    let at = nodes.iter().position(|node| node.path == path).ok_or(Errno::ENOENT)?;
    let node = nodes.swap_remove(at).ok_or(Errno::ENOENT)?;
    drop(nodes);
    retire(&node)
}

/// Whoever reads it is waited for.
fn retire(node: &Node) -> Result<(), Errno> {
    procfs::unregister(&node.path, &node.users)?;
    drop(node.busy.lock_uninterruptible()?);
    Ok(())
}

/// A name's path below /proc.
fn path(name: *const c_char, parent: *mut ProcEntry) -> Result<KString, Errno> {
    // SAFETY: the caller's text.
    let name = unsafe { strings::text(name) }.filter(|name| !name.is_empty()).ok_or(Errno::EINVAL)?;
    let is_root = parent.is_null() || ptr::eq(parent.cast_const().cast(), &raw const PROC_ROOT);
    if is_root {
        return Ok(KString::try_format(format_args!("{name}"))?);
    }
    let nodes = NODES.lock_uninterruptible()?;
    let parent = nodes.iter().find(|node| ptr::eq(node.entry, parent)).ok_or(Errno::ENOENT)?;
    Ok(KString::try_format(format_args!("{}/{name}", &*parent.path))?)
}

impl Drop for Node {
    fn drop(&mut self) {
        // SAFETY: it came from a box, and nobody leads to it any more.
        drop(unsafe { Box::from_raw(self.entry) });
    }
}

impl Node {
    /// What C has put there.
    fn entry(&self) -> &ProcEntry {
        // SAFETY: it is there as long as this.
        unsafe { &*self.entry }
    }

    /// Has the function write to `page` from `offset` on; what it returned, and where it says that the text begins.
    fn ask(&self, page: *mut c_char, offset: c_long, eof: &mut c_int) -> (c_int, *mut c_char) {
        let mut start = ptr::null_mut();
        let entry = self.entry();
        let (begins, count) = (&raw mut start, COUNT as c_int);
        let written = match (entry.read_proc, entry.get_info) {
            (Some(read), _) => {
                // SAFETY: the module's function, with a buffer that is larger than what it is told.
                called(read as *const (), || unsafe { read(page, begins, offset, count, eof, entry.data) })
            }
            (None, Some(info)) => {
                // SAFETY: as above.
                called(info as *const (), || unsafe { info(page, begins, offset, count) })
            }
            (None, None) => 0,
        };
        (written, start)
    }

    fn write_text(&self, out: &mut dyn Write) -> Result<(), Errno> {
        let mut buffer: KVVec<u8> = KVVec::with_capacity(BUFFER, GfpFlags::KERNEL)?;
        buffer.resize(BUFFER, 0, GfpFlags::KERNEL)?;
        let page = buffer.as_mut_ptr().cast::<c_char>();
        let (mut offset, mut eof): (c_long, c_int) = (0, 0);
        loop {
            let (written, start) = self.ask(page, offset, &mut eof);
            let Ok(written) = usize::try_from(written) else { return Err(errno(written.into())) };
            let from = start.addr().wrapping_sub(page.addr());
            let (from, ahead) = match start.addr() {
                // All of the text is there: what of it comes behind the offset is all that is left.
                0 => (offset as usize, None),
                _ if from < BUFFER => (from, Some(written as c_long)),
                // No place, but a number by which the offset goes on.
                ahead => (0, Some(ahead as c_long)),
            };
            let end = if start.is_null() { written } else { from + written };
            let text = buffer.get(from..end.min(BUFFER)).unwrap_or_default();
            for chunk in text.utf8_chunks() {
                out.write_str(chunk.valid()).map_err(|_| Errno::ENOMEM)?;
            }
            match ahead {
                Some(ahead) if eof == 0 && written > 0 && ahead > 0 => offset += ahead,
                _ => return Ok(()),
            }
        }
    }
}

impl Text for Node {
    fn show(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let _busy = self.busy.lock().map_err(|_| fmt::Error)?;
        self.write_text(out).map_err(|_| fmt::Error)
    }

    fn is_control(&self) -> bool {
        self.entry().write_proc.is_some()
    }

    fn store(&self, line: &str) -> Result<(), Errno> {
        let _busy = self.busy.lock()?;
        let entry = self.entry();
        let write = entry.write_proc.ok_or(Errno::EACCES)?;
        let _limit = Limit::kernel();
        let (bytes, count) = (line.as_ptr().cast(), line.len() as c_ulong);
        // SAFETY: the module's function, with bytes that it copies.
        let result = called(write as *const (), || unsafe { write(ptr::null_mut(), bytes, count, entry.data) });
        if result < 0 { Err(errno(result.into())) } else { Ok(()) }
    }
}

/// Files that a module has forgotten.
pub(super) fn take_back(gone: &mut super::hooks::Gone<'_>) {
    loop {
        let Ok(mut nodes) = NODES.lock_uninterruptible() else { return };
        let is_its = |node: &Arc<Node>| {
            let entry = node.entry();
            let functions = [entry.read_proc.map(|it| it as usize), entry.get_info.map(|it| it as usize)];
            functions.into_iter().flatten().any(|function| gone.has(function)) || gone.has(entry.name.addr())
        };
        let Some(at) = nodes.iter().position(is_its) else { return };
        let node = nodes.swap_remove(at);
        drop(nodes);
        if let Some(node) = node {
            gone.tell(format_args!("/proc/{}", &*node.path));
            // Its name went with the module's other names.
            let _: Result<(), Errno> = retire(&node);
        }
    }
}
