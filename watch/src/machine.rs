//! The machine that is watched: the runner with QEMU, and its memory.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use mm::outside::Mark;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc::TIOCSCTTY;
use nix::pty::{Winsize, openpty};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{pipe, setsid};

nix::ioctl_write_int_bad!(
    /// Makes a terminal the controlling one of a session.
    set_controlling_terminal,
    TIOCSCTTY
);

/// Where the machine's console is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Console {
    /// On this program's standard streams.
    Inherited,
    /// Its output comes by this program, its input is this program's.
    Piped,
    /// On a terminal of its own, of so many rows and columns.
    Own(u16, u16),
}

/// A running machine. It ends when this is dropped.
pub struct Machine {
    child: Child,
    waiting: File,
    /// Nobody else writes there; it stays open, so that a read finds no end.
    _waiting_end: OwnedFd,
    /// The console, if it comes by this program: a terminal, or a pipe to read from.
    pub console: Option<File>,
}

impl Machine {
    /// Starts `runner run kernel`; returns the machine and the file that is its memory.
    ///
    /// # Errors
    /// What the host lacks.
    pub fn start(runner: &Path, kernel: &Path, console: Console) -> Result<(Self, File)> {
        let memory = memfd_create("guest", MFdFlags::empty()).context("no memory for the machine")?;
        let (waiting, waiting_end) = pipe()?;
        fcntl(&waiting, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        let room = i32::try_from(Mark::PIPE_BYTES)?;
        fcntl(&waiting_end, FcntlArg::F_SETPIPE_SZ(room)).context("a pipe takes no such size")?;
        let mut command = Command::new(runner);
        command.arg("run").arg(kernel);
        command.env("WATCHED", format!("{},{}", memory.as_raw_fd(), waiting_end.as_raw_fd()));
        let own = match console {
            Console::Inherited | Console::Piped => None,
            Console::Own(rows, columns) => Some(own_terminal(&mut command, rows, columns)?),
        };
        if console == Console::Piped {
            command.stdout(Stdio::piped());
        }
        end_with_parent(&mut command, console);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", runner.display()))?;
        let own = own.or_else(|| child.stdout.take().map(|pipe| File::from(OwnedFd::from(pipe))));
        let machine = Self { child, waiting: waiting.into(), _waiting_end: waiting_end, console: own };
        Ok((machine, memory.into()))
    }

    /// What becomes readable when the machine waits for a picture.
    pub fn waiting(&self) -> BorrowedFd<'_> {
        self.waiting.as_fd()
    }

    /// Has the waiting machine go on: takes all that it sends for one mark.
    ///
    /// # Errors
    /// The pipe cannot be read.
    pub fn go_on(&mut self) -> Result<()> {
        let mut bytes = [0; Mark::BYTES_SENT];
        Ok(self.waiting.read_exact(&mut bytes)?)
    }

    /// The runner's exit status, if it has ended.
    ///
    /// # Errors
    /// The host does not say.
    pub fn ended(&mut self) -> Result<Option<u8>> {
        let status = self.child.try_wait()?;
        // A signal ended it: as with any trouble of the runner's.
        Ok(status.map(|status| status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(2)))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended meanwhile. The runner's end is QEMU's.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives the command a terminal; returns this end of it.
fn own_terminal(command: &mut Command, rows: u16, columns: u16) -> Result<File> {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(Some(&size), None).context("the host has no terminal to spare")?;
    fcntl(&terminal.master, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    let slave = || Ok::<_, std::io::Error>(Stdio::from(terminal.slave.try_clone()?));
    command.stdin(slave()?).stdout(slave()?).stderr(slave()?);
    Ok(terminal.master.into())
}

/// The runner ends when this program does, however that ends; with a terminal of its own it has a session of its own.
fn end_with_parent(command: &mut Command, console: Console) {
    let hook = move || {
        prctl::set_pdeathsig(Signal::SIGTERM)?;
        if matches!(console, Console::Own(..)) {
            setsid()?;
            // SAFETY: standard input is the terminal; the call keeps no pointer.
            unsafe { set_controlling_terminal(0, 0) }?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the hook makes three system calls and touches no memory of the parent.
    unsafe { command.pre_exec(hook) };
}
