//! The user's terminal while the guest owns it: keys go through at once.
//!
//! ^C included.

use std::io;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use nix::ioctl_read_bad;
use nix::libc::TIOCGWINSZ;
use nix::pty::Winsize;
use nix::sys::termios::{self, OutputFlags, SetArg, Termios};

ioctl_read_bad!(
    /// Asks the kernel how large a terminal is.
    window_size,
    TIOCGWINSZ,
    Winsize
);

/// Rows and columns of standard input's terminal, if it has any.
pub fn size() -> Option<(u16, u16)> {
    let mut size = Winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call writes one such structure.
    unsafe { window_size(io::stdin().as_raw_fd(), &mut size) }.ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// Raw mode for as long as this lives.
#[derive(Debug)]
pub struct RawTerminal {
    before: Termios,
}

impl RawTerminal {
    /// Switches standard input's terminal to raw mode. Output still turns LF into CR LF: while it boots, the kernel
    /// sends LF.
    pub fn enter() -> Result<Self> {
        let before = termios::tcgetattr(io::stdin()).context("cannot read the terminal's mode")?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        raw.output_flags |= OutputFlags::OPOST | OutputFlags::ONLCR;
        termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw).context("cannot set the terminal's mode")?;
        Ok(Self { before })
    }

    /// Shows all as it comes: from where it takes input on, the guest sends what a terminal wants.
    pub fn show_as_sent(&self) -> Result<()> {
        let mut raw = self.before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw).context("cannot set the terminal's mode")
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // Nothing more can be done if the terminal is gone.
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.before);
    }
}
