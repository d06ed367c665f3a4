//! A second process that gives the terminal back when the first one is killed.
//!
//! What takes the terminal over is a child of the one that was started, which waits for it and keeps how the terminal
//! was. Nobody can do the same when both are killed at once: then `reset` brings the terminal back.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// What leaves the other screen, shows the cursor, and ends colours.
const GIVE_BACK: &[u8] = b"\x1b[?1049l\x1b[?25h\x1b[0m";

/// Runs `work` in a process of its own if there is a terminal to be taken over, else in this one; returns its status.
///
/// # Errors
/// The host gives no process; what `work` says.
pub fn guarded(work: impl FnOnce() -> Result<u8>) -> Result<u8> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return work();
    }
    let before = tcgetattr(io::stdin())?;
    let mut signals = SigSet::empty();
    let told = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];
    told.iter().chain([&Signal::SIGCHLD]).for_each(|signal| signals.add(*signal));
    // They wait until they are asked for: none is lost between fork and wait.
    let mut mask = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&signals), Some(&mut mask))?;
    // SAFETY: this program has one thread so far, so the child may do what it likes.
    match unsafe { fork() }? {
        ForkResult::Child => {
            prctl::set_pdeathsig(Signal::SIGTERM)?;
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None)?;
            work()
        }
        ForkResult::Parent { child } => watch_over(child, &signals, &before),
    }
}

/// Waits for the child and hands signals on to it.
fn watch_over(child: Pid, signals: &SigSet, before: &Termios) -> Result<u8> {
    loop {
        match signals.wait()? {
            Signal::SIGCHLD => {}
            // It may have ended just now.
            signal => {
                let _ = kill(child, signal);
                continue;
            }
        }
        match waitpid(child, Some(WaitPidFlag::WNOHANG))? {
            WaitStatus::Exited(_, status) => return Ok(u8::try_from(status).unwrap_or(2)),
            WaitStatus::Signaled(_, signal, _) => {
                give_back(before);
                eprintln!("watch: ended by {signal}");
                return Ok(2);
            }
            _ => {}
        }
    }
}

/// Nothing more can be done where that fails: the terminal is gone.
fn give_back(before: &Termios) {
    let mut out = io::stdout();
    let _ = out.write_all(GIVE_BACK).and_then(|()| out.flush());
    let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
}
