//! The structures that drivers in C share with the kernel.
//!
//! They are as the headers in include/ have them.
//!
//! Where each member lies is written once, in include/layout.inc: this file is checked against it when the kernel is
//! built, the headers when a module is.

use core::ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_void};
use core::sync::atomic::AtomicI32;

use crate::sched::{Tty, View, WaitEntry};

/// `struct module`.
#[repr(C)]
pub struct Module {
    pub size_of_struct: c_ulong,
    pub name: *const c_char,
    pub usecount: AtomicI32,
    pub flags: c_uint,
}

/// `struct inode`.
#[repr(C)]
pub struct Inode {
    pub i_rdev: u16,
    pub i_mode: u16,
    pub i_uid: u32,
    pub i_gid: u32,
    pub i_ino: c_ulong,
    pub i_size: i64,
    pub u: *mut c_void,
}

/// `struct dentry`.
#[repr(C)]
pub struct Dentry {
    pub d_inode: *mut Inode,
}

/// `struct file`.
#[repr(C)]
pub struct File {
    pub f_dentry: *mut Dentry,
    pub f_op: *const FileOperations,
    pub f_flags: u32,
    pub f_mode: u32,
    pub f_pos: i64,
    pub private_data: *mut c_void,
    pub __kernel: *mut c_void,
}

/// What reads or writes.
pub type Transfer = unsafe extern "C" fn(*mut File, *mut c_char, usize, *mut i64) -> isize;
/// What opens or releases.
pub type OpenOrRelease = unsafe extern "C" fn(*mut Inode, *mut File) -> c_int;

/// `struct file_operations`; what the kernel never calls is there for its place alone.
#[repr(C)]
pub struct FileOperations {
    pub owner: *mut Module,
    pub llseek: Option<unsafe extern "C" fn(*mut File, i64, c_int) -> i64>,
    pub read: Option<Transfer>,
    pub write: Option<Transfer>,
    pub readdir: *const c_void,
    pub poll: Option<unsafe extern "C" fn(*mut File, *mut c_void) -> c_uint>,
    pub ioctl: Option<unsafe extern "C" fn(*mut Inode, *mut File, c_uint, c_ulong) -> c_int>,
    pub mmap: Option<unsafe extern "C" fn(*mut File, *mut VmArea) -> c_int>,
    pub open: Option<OpenOrRelease>,
    pub flush: Option<unsafe extern "C" fn(*mut File) -> c_int>,
    pub release: Option<OpenOrRelease>,
    pub fsync: Option<unsafe extern "C" fn(*mut File, *mut Dentry, c_int) -> c_int>,
    pub fasync: Option<unsafe extern "C" fn(c_int, *mut File, c_int) -> c_int>,
    pub others: [*const c_void; 5],
}

/// `struct vm_area_struct`.
#[repr(C)]
pub struct VmArea {
    pub vm_start: c_ulong,
    pub vm_end: c_ulong,
    pub vm_flags: c_ulong,
    pub vm_page_prot: c_ulong,
    pub vm_pgoff: c_ulong,
    pub vm_ops: *const VmOperations,
    pub vm_file: *mut File,
    pub vm_private_data: *mut c_void,
}

/// `struct vm_operations_struct`.
#[repr(C)]
pub struct VmOperations {
    pub open: Option<unsafe extern "C" fn(*mut VmArea)>,
    pub close: Option<unsafe extern "C" fn(*mut VmArea)>,
    pub nopage: Option<unsafe extern "C" fn(*mut VmArea, c_ulong, c_int) -> *mut c_void>,
}

/// `struct semaphore`.
#[repr(C)]
pub struct Semaphore {
    pub count: AtomicI32,
    pub __sleepers: AtomicI32,
}

/// `struct timer_list`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct TimerList {
    pub expires: c_ulong,
    pub data: c_ulong,
    pub function: Option<unsafe extern "C" fn(c_ulong)>,
}

/// `struct tq_struct`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct TqStruct {
    pub sync: c_ulong,
    pub routine: Option<unsafe extern "C" fn(*mut c_void)>,
    pub data: *mut c_void,
}

/// `struct tasklet_struct`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Tasklet {
    pub __task: TqStruct,
    pub func: Option<unsafe extern "C" fn(c_ulong)>,
    pub data: c_ulong,
}

/// `struct pt_regs`.
#[repr(C)]
#[derive(Default)]
pub struct Registers {
    pub rip: u64,
    pub cs: u64,
    pub eflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// `read_proc_t`.
pub type ReadProc =
    unsafe extern "C" fn(*mut c_char, *mut *mut c_char, c_long, c_int, *mut c_int, *mut c_void) -> c_int;
/// `write_proc_t`.
pub type WriteProc = unsafe extern "C" fn(*mut File, *const c_char, c_ulong, *mut c_void) -> c_int;
/// `get_info_t`.
pub type GetInfo = unsafe extern "C" fn(*mut c_char, *mut *mut c_char, c_long, c_int) -> c_int;

/// `struct proc_dir_entry`.
#[repr(C)]
pub struct ProcEntry {
    pub name: *const c_char,
    pub parent: *mut Self,
    pub __kernel: *mut c_void,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub owner: *mut Module,
    pub proc_fops: *const FileOperations,
    pub get_info: Option<GetInfo>,
    pub read_proc: Option<ReadProc>,
    pub write_proc: Option<WriteProc>,
    pub data: *mut c_void,
    pub size: i64,
}

/// `struct timeval`.
#[repr(C)]
pub struct TimeVal {
    pub tv_sec: i64,
    pub tv_usec: i64,
}

/// The offsets and sizes that hold.
const LINES: &[u8] = include_bytes!("../../../include/layout.inc");

/// The number behind the words `before` in `LINES`; a build without it fails.
const fn number(before: &str) -> usize {
    let before = before.as_bytes();
    let mut at = 0;
    while at + before.len() < LINES.len() {
        let mut same = 0;
        while same < before.len() && LINES[at + same] == before[same] {
            same += 1;
        }
        if same == before.len() {
            return digits(at + same);
        }
        at += 1;
    }
    panic!("include/layout.inc does not say where the member lies")
}

const fn digits(mut at: usize) -> usize {
    let mut value = 0;
    while LINES[at].is_ascii_digit() {
        value = value * 10 + (LINES[at] - b'0') as usize;
        at += 1;
    }
    value
}

macro_rules! laid_out {
    ($($type:ty, $c:literal: $($member:ident $(as $name:literal)?),*;)*) => {$(
        const _: () = assert!(size_of::<$type>() == number(concat!("BYTES(", $c, ", ")));
        $(const _: () = {
            let name = concat!("MEMBER(", $c, ", ", laid_out!(@name $member $($name)?), ", ");
            assert!(core::mem::offset_of!($type, $member) == number(name));
        };)*
    )*};
    (@name $member:ident) => { stringify!($member) };
    (@name $member:ident $name:literal) => { $name };
}

laid_out! {
    Module, "struct module": size_of_struct, name, usecount, flags;
    Inode, "struct inode": i_rdev, i_mode, i_uid, i_gid, i_ino, i_size, u;
    Dentry, "struct dentry": d_inode;
    File, "struct file": f_dentry, f_op, f_flags, f_mode, f_pos, private_data, __kernel;
    FileOperations, "struct file_operations":
        owner, llseek, read, write, readdir, poll, ioctl, mmap, open, flush, release, fsync, fasync;
    VmArea, "struct vm_area_struct":
        vm_start, vm_end, vm_flags, vm_page_prot, vm_pgoff, vm_ops, vm_file, vm_private_data;
    VmOperations, "struct vm_operations_struct": open, close, nopage;
    View, "struct task_struct":
        state, pid, ids as "uid", comm, tty, own_tty as "__tty", waits as "__waits", limit as "__limit";
    Tty, "struct tty_struct":;
    WaitEntry, "wait_queue_t": task, queue as "__queue", seen as "__seen", next as "__next";
    Semaphore, "struct semaphore": count, __sleepers;
    TimerList, "struct timer_list": expires, data, function;
    TqStruct, "struct tq_struct": sync, routine, data;
    Tasklet, "struct tasklet_struct": __task, func, data;
    Registers, "struct pt_regs": rip;
    ProcEntry, "struct proc_dir_entry":
        name, parent, __kernel, mode, uid, gid, owner, proc_fops, get_info, read_proc, write_proc, data, size;
    TimeVal, "struct timeval": tv_usec;
}
