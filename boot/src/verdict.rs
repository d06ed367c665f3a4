//! How a run ended.
//!
//! The guest writes its verdict to isa-debug-exit, and QEMU exits with `(value << 1) | 1`. Every other status is
//! a failure, 0 included: that is how QEMU ends after a triple fault.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

const GUEST_SUCCESS: i32 = 33;
const GUEST_FAILURE: i32 = 35;
const GUEST_REBOOT: i32 = 37;

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The guest said success, or the user switched the machine off.
    Success,
    /// The guest said failure: a panic or a failed test.
    Failure,
    /// The guest wants to start again.
    Reboot,
    /// QEMU ended without the guest's word.
    Ended(ExitStatus),
    /// The run took too long.
    TimedOut {
        /// How long was waited.
        after: Duration,
        /// Of what there was too much: silence, or time at all.
        too_much: &'static str,
        /// What was waited for.
        waiting_for: &'static str,
    },
    /// This program was asked to end.
    Interrupted,
}

impl Verdict {
    /// Reads QEMU's exit status.
    pub fn of_qemu(status: ExitStatus) -> Self {
        match status.code() {
            Some(GUEST_SUCCESS) => Self::Success,
            Some(GUEST_FAILURE) => Self::Failure,
            Some(GUEST_REBOOT) => Self::Reboot,
            _ => Self::Ended(status),
        }
    }

    /// The exit status of this program.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Reboot | Self::Ended(_) | Self::TimedOut { .. } | Self::Interrupted => 2,
        }
    }

    /// What to tell the user; nothing after a success.
    pub fn message(&self) -> Option<String> {
        match self {
            Self::Success => None,
            Self::Failure => Some("the guest reported failure".into()),
            Self::Reboot => Some("the guest rebooted, and without a terminal the run ends there".into()),
            Self::Ended(status) => Some(describe(*status)),
            Self::TimedOut { after, too_much, waiting_for } => {
                let seconds = after.as_secs();
                Some(format!("{seconds} s of {too_much} while waiting for {waiting_for}: the guest was stopped"))
            }
            Self::Interrupted => Some("interrupted: the guest was stopped".into()),
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => {
            "the guest ended without a verdict: a reset (such as a triple fault) or QEMU was told to quit".into()
        }
        (Some(1), _) => "QEMU could not start or run the machine (status 1): its message is above".into(),
        (Some(code), _) => format!("QEMU ended with status {code}, which the kernel never asks for"),
        (None, Some(signal)) => format!("QEMU was killed by signal {signal}"),
        (None, None) => "QEMU ended in an unknown way".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ExitStatus, ExitStatusExt, Verdict};

    fn exit_status(qemu_code: i32) -> u8 {
        Verdict::of_qemu(ExitStatus::from_raw(qemu_code << 8)).exit_status()
    }

    #[test]
    fn only_the_guests_own_word_is_success() {
        assert_eq!(exit_status(33), 0);
        assert_eq!(exit_status(35), 1);
        assert_eq!((Verdict::of_qemu(ExitStatus::from_raw(37 << 8)), exit_status(37)), (Verdict::Reboot, 2));
        for other in [0, 1, 2, 34, 255] {
            assert_eq!(exit_status(other), 2, "QEMU status {other}");
        }
    }

    #[test]
    fn every_failure_is_named() {
        for code in [0, 1, 35, 37, 77] {
            assert!(Verdict::of_qemu(ExitStatus::from_raw(code << 8)).message().is_some());
        }
        let killed = Verdict::of_qemu(ExitStatus::from_raw(9));
        assert_eq!(killed.message().as_deref(), Some("QEMU was killed by signal 9"));
    }
}
