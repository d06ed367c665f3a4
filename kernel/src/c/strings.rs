//! What the library of C has for memory and texts.

use core::ffi::{CStr, c_char, c_int, c_long, c_uint, c_ulong, c_void};
use core::ptr;

use crate::export;

export! {
    /// Fills memory.
    extern "C" fn memset(to: *mut c_void, byte: c_int, size: usize) -> *mut c_void {
        // SAFETY: the caller's memory reaches as far.
        unsafe { to.cast::<u8>().write_bytes(byte as u8, size) };
        to
    }

    /// Copies to other memory.
    extern "C" fn memcpy(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void {
        // SAFETY: the caller's memory reaches as far. Drivers have been seen that copy within a range.
        unsafe { ptr::copy(from.cast::<u8>(), to.cast(), size) };
        to
    }

    /// Copies.
    extern "C" fn memmove(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void {
        memcpy(to, from, size)
    }

    /// Compares.
    extern "C" fn memcmp(left: *const c_void, right: *const c_void, size: usize) -> c_int {
        let byte = |from: *const c_void, at: usize| self::byte(from.cast(), at);
        let different = (0..size).find(|&at| byte(left, at) != byte(right, at));
        different.map_or(0, |at| c_int::from(byte(left, at)) - c_int::from(byte(right, at)))
    }

    /// Finds a byte.
    extern "C" fn memchr(memory: *const c_void, byte: c_int, size: usize) -> *const c_void {
        let at = |index: usize| memory.cast::<u8>().wrapping_add(index);
        // SAFETY: the caller's memory reaches as far.
        let found = (0..size).find(|&index| unsafe { at(index).read() } == byte as u8);
        found.map_or(ptr::null(), |index| at(index).cast())
    }

    /// The length of a text.
    extern "C" fn strlen(text: *const c_char) -> usize {
        strnlen(text, usize::MAX)
    }

    /// The length of a text, or `size`.
    extern "C" fn strnlen(text: *const c_char, size: usize) -> usize {
        let mut len = 0;
        while len < size && byte(text, len) != 0 {
            len += 1;
        }
        len
    }

    /// Copies a text with its zero.
    extern "C" fn strcpy(to: *mut c_char, from: *const c_char) -> *mut c_char {
        memcpy(to.cast(), from.cast(), strlen(from) + 1).cast()
    }

    /// Copies a text into `size` bytes, which it fills with zeros.
    extern "C" fn strncpy(to: *mut c_char, from: *const c_char, size: usize) -> *mut c_char {
        let len = strnlen(from, size);
        memcpy(to.cast(), from.cast(), len);
        memset(to.wrapping_add(len).cast(), 0, size - len);
        to
    }

    /// Puts a text behind another.
    extern "C" fn strcat(to: *mut c_char, from: *const c_char) -> *mut c_char {
        strcpy(to.wrapping_add(strlen(to)), from);
        to
    }

    /// Puts `size` characters of a text at most behind another, and a zero.
    extern "C" fn strncat(to: *mut c_char, from: *const c_char, size: usize) -> *mut c_char {
        let (end, len) = (to.wrapping_add(strlen(to)), strnlen(from, size));
        memcpy(end.cast(), from.cast(), len);
        memset(end.wrapping_add(len).cast(), 0, 1);
        to
    }

    /// Compares texts.
    extern "C" fn strcmp(left: *const c_char, right: *const c_char) -> c_int {
        strncmp(left, right, usize::MAX)
    }

    /// Compares the first `size` characters of texts.
    extern "C" fn strncmp(left: *const c_char, right: *const c_char, size: usize) -> c_int {
        for at in 0..size {
            let (a, b) = (byte(left, at), byte(right, at));
            if a != b || a == 0 {
                return c_int::from(a) - c_int::from(b);
            }
        }
        0
    }

    /// The first place of a character, which may be the zero.
    extern "C" fn strchr(text: *const c_char, character: c_int) -> *const c_char {
        let found = (0..=strlen(text)).find(|&at| byte(text, at) == character as u8);
        found.map_or(ptr::null(), |at| text.wrapping_add(at))
    }

    /// The last place of a character, which may be the zero.
    extern "C" fn strrchr(text: *const c_char, character: c_int) -> *const c_char {
        let found = (0..=strlen(text)).rev().find(|&at| byte(text, at) == character as u8);
        found.map_or(ptr::null(), |at| text.wrapping_add(at))
    }

    /// The first place of a text in another.
    extern "C" fn strstr(text: *const c_char, part: *const c_char) -> *const c_char {
        let len = strlen(part);
        let found = (0..=strlen(text)).find(|&at| strncmp(text.wrapping_add(at), part, len) == 0);
        found.map_or(ptr::null(), |at| text.wrapping_add(at))
    }

    /// The number that a text begins with.
    extern "C" fn simple_strtoul(text: *const c_char, end: *mut *const c_char, base: c_uint) -> c_ulong {
        number(text, end, base)
    }

    /// The number that a text begins with, after a minus perhaps.
    extern "C" fn simple_strtol(text: *const c_char, end: *mut *const c_char, base: c_uint) -> c_long {
        if byte(text, 0) == b'-' {
            return (number(text.wrapping_add(1), end, base) as c_long).wrapping_neg();
        }
        number(text, end, base) as c_long
    }
}

/// A byte of a text.
fn byte(text: *const c_char, at: usize) -> u8 {
    // SAFETY: the caller's text reaches as far: its end is looked for from its start.
    unsafe { text.cast::<u8>().wrapping_add(at).read() }
}

fn number(text: *const c_char, end: *mut *const c_char, base: c_uint) -> c_ulong {
    let has_prefix = byte(text, 0) == b'0' && byte(text, 1) | 0x20 == b'x' && byte(text, 2).is_ascii_hexdigit();
    let (base, from) = match base {
        0 if has_prefix => (16, 2),
        16 if has_prefix => (16, 2),
        0 if byte(text, 0) == b'0' => (8, 0),
        0 => (10, 0),
        base => (base.clamp(2, 36), 0),
    };
    let (mut value, mut at): (c_ulong, usize) = (0, from);
    while let Some(digit) = char::from(byte(text, at)).to_digit(base) {
        value = value.wrapping_mul(base.into()).wrapping_add(digit.into());
        at += 1;
    }
    if !end.is_null() {
        // SAFETY: the caller's variable.
        unsafe { end.write(text.wrapping_add(at)) };
    }
    value
}

/// A text of C's; what is no UTF-8 is no text.
///
/// # Safety
/// It is a C string that stays as long as the result.
pub(super) unsafe fn text<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's word.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}
