//! ioctl: what programs ask of the terminal, and set.
//!
//! A pipe is no terminal: `ENOTTY`.

use kapi::Errno;
use linux_raw_sys::general as raw;
use linux_raw_sys::ioctl;
use mm::VirtAddr;
use signals::Signal;
use terminal::{Termios, Window};

use super::job_control::{self, Group, Role};
use super::{far_end, line, transfer};
use crate::user;

/// Does what `command` asks; `argument` is mostly an address of the running program's. May sleep. `ENOTTY` for a
/// command that is none, for one of a session's of whoever is in another, and for all on a pipe; `EFAULT`, `EINVAL`,
/// `EPERM`, `ESRCH` as each says; `EINTR` where a process in the background was stopped.
pub fn ioctl(command: u32, argument: usize) -> Result<usize, Errno> {
    let at = VirtAddr::new(argument);
    match command {
        ioctl::FIONREAD => put_int(at, transfer::waiting() as i32),
        _ if !far_end::is_terminal() => Err(Errno::ENOTTY),
        ioctl::TCGETS => put(at, &line::modes().to_bytes()),
        ioctl::TCSETS | ioctl::TCSETSW => set_modes(at),
        ioctl::TCSETSF => {
            set_modes(at)?;
            line::drop_input();
            Ok(0)
        }
        ioctl::TIOCGWINSZ => put(at, &line::window().to_bytes()),
        ioctl::TIOCSWINSZ => set_window(at),
        // Output is sent as it is written.
        ioctl::TIOCOUTQ => put_int(at, 0),
        ioctl::TCSBRK | ioctl::TCSBRKP => Ok(0),
        ioctl::TCFLSH => flush(argument as u32),
        ioctl::TCXONC => flow(argument as u32),
        ioctl::TIOCGPGRP => foreground(at),
        ioctl::TIOCSPGRP => set_foreground(at),
        ioctl::TIOCGSID => {
            let caller = job_control::owning_caller()?;
            put_int(at, caller.session.0 as i32)
        }
        ioctl::TIOCSCTTY => acquire(argument),
        ioctl::TIOCNOTTY => release(),
        _ => Err(Errno::ENOTTY),
    }
}

fn put(at: VirtAddr, bytes: &[u8]) -> Result<usize, Errno> {
    user::copy_to(at, bytes).map(|()| 0)
}

fn put_int(at: VirtAddr, number: i32) -> Result<usize, Errno> {
    user::write_value(at, number).map(|()| 0)
}

fn set_modes(at: VirtAddr) -> Result<usize, Errno> {
    let mut bytes = [0; Termios::BYTES];
    user::copy_from(at, &mut bytes)?;
    job_control::wait_for_foreground(Signal::TTOU)?;
    line::set_modes(Termios::from_bytes(&bytes));
    Ok(0)
}

fn set_window(at: VirtAddr) -> Result<usize, Errno> {
    let mut bytes = [0; Window::BYTES];
    user::copy_from(at, &mut bytes)?;
    if line::set_window(Window::from_bytes(&bytes)) {
        job_control::send_to_foreground(Signal::WINCH);
    }
    Ok(0)
}

fn flush(what: u32) -> Result<usize, Errno> {
    job_control::wait_for_foreground(Signal::TTOU)?;
    match what {
        raw::TCIFLUSH | raw::TCIOFLUSH => line::drop_input(),
        raw::TCOFLUSH => {}
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

fn flow(what: u32) -> Result<usize, Errno> {
    job_control::wait_for_foreground(Signal::TTOU)?;
    match what {
        raw::TCOOFF => line::set_stopped(true),
        raw::TCOON => line::set_stopped(false),
        // The line has nobody at its other end who would wait.
        raw::TCIOFF | raw::TCION => {}
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

fn foreground(at: VirtAddr) -> Result<usize, Errno> {
    job_control::owning_caller()?;
    put_int(at, job_control::foreground().map_or(0, |group| group.0 as i32))
}

fn set_foreground(at: VirtAddr) -> Result<usize, Errno> {
    let caller = job_control::owning_caller()?;
    job_control::wait_for_foreground(Signal::TTOU)?;
    let number: i32 = user::read_value(at)?;
    let group = Group(u32::try_from(number).map_err(|_| Errno::EINVAL)?);
    match job_control::session_of(group) {
        None => Err(Errno::ESRCH),
        Some(session) if session != caller.session => Err(Errno::EPERM),
        Some(_) => {
            job_control::set_foreground(group);
            Ok(0)
        }
    }
}

/// Makes it the terminal of the caller, who leads a session; `argument` 1 takes it from another.
fn acquire(argument: usize) -> Result<usize, Errno> {
    let caller = job_control::caller().ok_or(Errno::ENOTTY)?;
    if job_control::session() == Some(caller.session) {
        return Ok(0);
    }
    if caller.role != Role::Leader {
        return Err(Errno::EPERM);
    }
    if let Some(other) = job_control::session().filter(|_| argument == 1) {
        job_control::release(other);
    }
    job_control::acquire(caller.session, caller.group)?;
    Ok(0)
}

/// The caller's session lets go of the terminal, if the caller leads it. Whoever else asks keeps it: it is the
/// session's.
fn release() -> Result<usize, Errno> {
    let caller = job_control::owning_caller()?;
    let is_leader = caller.role == Role::Leader;
    if let Some(group) = is_leader.then(|| job_control::release(caller.session)).flatten() {
        job_control::send(group, Signal::HUP);
        job_control::send(group, Signal::CONT);
    }
    Ok(0)
}
