//! The commit that was measured.

use std::process::Command;

/// What was measured, as git names it: its words, for a sentence that begins with "Measured at".
pub fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changes = git(&["status", "--porcelain", "--untracked-files=no"]).filter(|changes| !changes.is_empty());
    let more = if changes.is_some() { " with changes" } else { "" };
    git(&["rev-parse", "--short", "HEAD"])
        .map_or_else(|| "an unknown commit".into(), |commit| format!("commit `{commit}`{more}"))
}
