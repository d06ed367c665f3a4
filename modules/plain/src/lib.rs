//! A module of the C ABI: two functions, which call the kernel by plain names.
//!
//! It names no crate of the kernel's, so each build of the kernel loads it; it could be in C, line by line. What makes
//! a Rust module safe it does without: the kernel believes what it passes.
#![no_std]

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

unsafe extern "C" {
    fn kmalloc(size: usize, flags: u32) -> *mut c_void;
    fn kfree(object: *const c_void);
    fn log_line(text: *const u8, length: usize);
}

/// May sleep, high priority, may start I/O.
const GFP_KERNEL: u32 = 0x7;
/// What a function of C says when there is no memory.
const ENOMEM: c_int = 12;

/// Bytes that it asks for.
static SIZE: usize = 4321;
/// What it got.
static OBJECT: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// The kernel calls it at insmod; what it returns but 0 is an error.
#[unsafe(no_mangle)]
pub extern "C" fn init_module() -> c_int {
    // SAFETY: it is a variable. Read like this, it can have another value in the file.
    let size = unsafe { (&raw const SIZE).read_volatile() };
    // SAFETY: insmod may sleep.
    let object = unsafe { kmalloc(size, GFP_KERNEL) };
    if object.is_null() {
        return -ENOMEM;
    }
    OBJECT.store(object, Relaxed);
    say("plain: begun");
    0
}

/// The kernel calls it at rmmod.
#[unsafe(no_mangle)]
pub extern "C" fn cleanup_module() {
    // SAFETY: it is kmalloc's, and nobody uses it.
    unsafe { kfree(OBJECT.swap(null_mut(), Relaxed)) };
    say("plain: ended");
}

fn say(line: &str) {
    // SAFETY: the text is as long as that.
    unsafe { log_line(line.as_ptr(), line.len()) };
}
