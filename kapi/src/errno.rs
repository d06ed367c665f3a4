//! Error numbers with their usual texts.

use core::fmt;

macro_rules! errnos {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// Why a file or driver call failed, numbered as on Linux. As wide as a count of bytes: the result of a read or
        /// a write goes through all calls in two registers.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(usize)]
        #[allow(clippy::upper_case_acronyms, reason = "the names are the field's")]
        pub enum Errno {
            $($(#[$doc])* $name = $number,)*
        }

        impl Errno {
            /// The error with this number; `None` for one that nothing here returns.
            pub const fn of_number(number: i32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The text that a command prints for this error.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        #[cfg(test)]
        #[test]
        fn numbers_are_those_of_linux() {
            $(assert_eq!(Ok(linux_raw_sys::errno::$name), Errno::$name.number().try_into());)*
            $(assert_eq!(Errno::of_number($number), Some(Errno::$name));)*
            assert_eq!(Errno::of_number(0), None);
        }
    };
}

errnos! {
    /// Operation not permitted.
    EPERM = 1, "Operation not permitted";
    /// No such file or directory.
    ENOENT = 2, "No such file or directory";
    /// No such process.
    ESRCH = 3, "No such process";
    /// Interrupted (by ^C).
    EINTR = 4, "Interrupted system call";
    /// Input/output error.
    EIO = 5, "Input/output error";
    /// No such device or address.
    ENXIO = 6, "No such device or address";
    /// Arguments and environment are too long.
    E2BIG = 7, "Argument list too long";
    /// Not something that can be loaded.
    ENOEXEC = 8, "Exec format error";
    /// Bad file descriptor: not open for this.
    EBADF = 9, "Bad file descriptor";
    /// No child processes.
    ECHILD = 10, "No child processes";
    /// Try again: the call would have to wait.
    EAGAIN = 11, "Resource temporarily unavailable";
    /// Out of memory.
    ENOMEM = 12, "Cannot allocate memory";
    /// Permission denied.
    EACCES = 13, "Permission denied";
    /// Bad address.
    EFAULT = 14, "Bad address";
    /// Device or resource busy.
    EBUSY = 16, "Device or resource busy";
    /// File exists.
    EEXIST = 17, "File exists";
    /// The two names are not on one file system.
    EXDEV = 18, "Invalid cross-device link";
    /// No such device.
    ENODEV = 19, "No such device";
    /// Not a directory.
    ENOTDIR = 20, "Not a directory";
    /// Is a directory.
    EISDIR = 21, "Is a directory";
    /// Invalid argument.
    EINVAL = 22, "Invalid argument";
    /// The system has as many of them as it may.
    ENFILE = 23, "Too many open files in system";
    /// The command has as many files open as it may.
    EMFILE = 24, "Too many open files";
    /// Not a device that knows this ioctl.
    ENOTTY = 25, "Inappropriate ioctl for device";
    /// A program that runs would be written.
    ETXTBSY = 26, "Text file busy";
    /// File too large.
    EFBIG = 27, "File too large";
    /// No space left on device.
    ENOSPC = 28, "No space left on device";
    /// Illegal seek.
    ESPIPE = 29, "Illegal seek";
    /// Read-only file system.
    EROFS = 30, "Read-only file system";
    /// The file has as many names as it may.
    EMLINK = 31, "Too many links";
    /// The pipe has no reader any more.
    EPIPE = 32, "Broken pipe";
    /// A number that a function is not defined for.
    EDOM = 33, "Numerical argument out of domain";
    /// Result too large.
    ERANGE = 34, "Numerical result out of range";
    /// The wait would never end.
    EDEADLK = 35, "Resource deadlock avoided";
    /// File name too long.
    ENAMETOOLONG = 36, "File name too long";
    /// No such system call.
    ENOSYS = 38, "Function not implemented";
    /// A directory that has names in it.
    ENOTEMPTY = 39, "Directory not empty";
    /// Symbolic links lead in a circle, or through too many others.
    ELOOP = 40, "Too many levels of symbolic links";
    /// There is no such attribute.
    ENODATA = 61, "No data available";
    /// A number that does not fit where it should go.
    EOVERFLOW = 75, "Value too large for defined data type";
    /// A name that is not in UTF-8.
    EILSEQ = 84, "Invalid or incomplete multibyte or wide character";
    /// Not a socket.
    ENOTSOCK = 88, "Socket operation on non-socket";
    /// The file cannot do this.
    EOPNOTSUPP = 95, "Operation not supported";
    /// No such kind of network.
    EAFNOSUPPORT = 97, "Address family not supported by protocol";
    /// The time that was given has passed.
    ETIMEDOUT = 110, "Connection timed out";
}

impl Errno {
    /// The error's number, as on Linux.
    pub const fn number(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl From<mm::AllocError> for Errno {
    fn from(_: mm::AllocError) -> Self {
        Self::ENOMEM
    }
}

impl From<services::budget::OverLimit> for Errno {
    fn from(_: services::budget::OverLimit) -> Self {
        Self::ENOSPC
    }
}
