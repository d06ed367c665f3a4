//! The example kernels boot, and say what their files expect.
//!
//! Each is a program of `examples/adopter`, a workspace of its own, built in cargo's development profile: there the
//! boot stack is used most.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::guest::{self, Mode};
use crate::machine::Machine;
use crate::parallel::Job;
use crate::results::TestResult;
use crate::{cargo, pattern, progress};

/// Where they lie, and the target that they are built for.
const DIRECTORY: &str = "examples/adopter";
const TARGET: &str = "x86_64-unknown-none";
const KERNELS: [&str; 2] = ["plain", "vmalloc"];

/// Builds them; a job to boot each.
pub fn jobs() -> Result<Vec<Job>> {
    let built = build()?;
    let job = |name: &'static str| {
        let (title, kernel) = (format!("adoption::{name}"), built.join(name));
        Job { name: title.clone(), work: Box::new(move || run(&title, name, &kernel)) }
    };
    Ok(KERNELS.into_iter().map(job).collect())
}

/// Builds them; returns where they are.
fn build() -> Result<PathBuf> {
    let _activity = progress::begin("building the example kernels, a minute if all is new");
    let target_dir = cargo::target_dir().join("adopter");
    let manifest = Path::new(DIRECTORY).join("Cargo.toml");
    let mut cargo = cargo::cargo();
    cargo.args(["build", "--quiet", "--locked", "-Zbuild-std=core,alloc", "--target", TARGET]);
    cargo.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(&target_dir);
    let status = cargo.stdin(Stdio::null()).status().context("cannot run cargo")?;
    if !status.success() {
        bail!("the example kernels do not build");
    }
    Ok(target_dir.join(TARGET).join("debug"))
}

fn run(title: &str, name: &str, kernel: &Path) -> Result<(Vec<TestResult>, String)> {
    let path = Path::new(DIRECTORY).join(format!("{name}.txt"));
    let expected = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let run = guest::boot(Mode::Other, kernel, &Machine::default(), "")?;
    let result = match pattern::compare(&expected, &run.console)? {
        Err(difference) => TestResult::failed(title, difference),
        Ok(()) if run.status != 0 => TestResult::failed(title, run.messages.trim()),
        Ok(()) => TestResult::ok(title),
    };
    Ok((vec![result], run.console + &run.messages))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Lines that are neither blank nor a comment alone.
    fn lines_of_code(text: &str) -> usize {
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        text.lines().filter(is_code).count()
    }

    fn glue(kernel: &str) -> String {
        let path = Path::new("..").join(super::DIRECTORY).join("src").join(kernel).join("glue.rs");
        fs::read_to_string(path).expect("the example has glue")
    }

    #[test]
    fn glue_is_as_short_as_promised() {
        let [plain, vmalloc] = super::KERNELS.map(|kernel| lines_of_code(&glue(kernel)));
        assert!(plain <= 60 && vmalloc <= 100, "{plain} and {vmalloc}");
        let readme = fs::read_to_string("../README.md").expect("the tree has one");
        let told = format!("{plain} lines without vmalloc, {vmalloc} with it");
        assert!(readme.contains(&told), "README.md does not say {told:?}");
        assert_eq!(lines_of_code("//! a\n\n    // b\nc // d\n"), 1);
    }

    #[test]
    fn the_readme_shows_the_glue_to_the_letter() {
        let readme = fs::read_to_string("../mm/README.md").expect("mm has one");
        for kernel in super::KERNELS {
            let glue = glue(kernel);
            let (_, code) = glue.split_once("\n\n").expect("a line that says what it is comes first");
            assert!(
                readme.contains(&format!("```rust,ignore\n{code}```\n")),
                "{kernel}/glue.rs is not in mm/README.md"
            );
        }
    }
}
