//! Building by cargo, and finding what it built.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::progress;

/// Make puts the pinned toolchain first in PATH.
const CARGO: &str = "cargo";

/// A test program that cargo built.
#[derive(Debug, Clone)]
pub struct TestProgram {
    /// The package's name.
    pub package: String,
    /// The target's name: a library's, or a file's under tests/.
    pub target: String,
    /// Whether it holds a library's unit tests, an integration test's, or a binary's.
    pub kind: String,
    /// Where the target's source begins.
    pub source: PathBuf,
    /// Where the package lies.
    pub package_dir: PathBuf,
    /// The program.
    pub executable: PathBuf,
}

/// Cargo's target directory.
pub fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()).map_or_else(|| "target".into(), PathBuf::from)
}

/// Where modules are put, and the list of those from elsewhere: one for each tree, unless `MODULES_DIR` says otherwise.
pub fn modules_dir() -> PathBuf {
    let given = env::var_os("MODULES_DIR").filter(|dir| !dir.is_empty());
    given.map_or_else(|| target_dir().join("modules"), PathBuf::from)
}

/// Where programs for the guest are put.
pub fn programs_dir() -> PathBuf {
    target_dir().join("programs")
}

/// The options that build the kernel, from make.
pub fn kernel_flags() -> Result<Vec<String>> {
    let flags = env::var("KERNEL_FLAGS").context("KERNEL_FLAGS is not set: start this program by make")?;
    Ok(flags.split_whitespace().map(str::to_owned).collect())
}

/// The compiler's flags for the kernel's target, from .cargo/config.toml.
pub fn target_flags() -> Result<Vec<String>> {
    let key = "target.x86_64-kernel.rustflags";
    let output = cargo()
        .args(["-Zunstable-options", "config", "get", "--format=json-value", key])
        .output()
        .with_context(|| format!("cannot run {CARGO}"))?;
    serde_json::from_slice(&output.stdout).with_context(|| format!("{CARGO} does not know {key}"))
}

/// A cargo command.
pub fn cargo() -> Command {
    Command::new(CARGO)
}

/// Builds all tests that `options` choose, `what` in words; compiler messages go to standard error.
pub fn build_tests(what: &str, options: &[String]) -> Result<Vec<TestProgram>> {
    let messages = build(what, &["test", "--no-run"], options)?;
    let mut programs: Vec<TestProgram> = messages.iter().filter_map(test_program).collect();
    programs.sort_by(|a, b| (&a.package, &a.kind, &a.target).cmp(&(&b.package, &b.kind, &b.target)));
    Ok(programs)
}

/// Builds the library that `options` choose: the name of each crate that it is made of, and that crate's files.
pub fn build_library(what: &str, options: &[String]) -> Result<Vec<(String, Vec<PathBuf>)>> {
    Ok(build(what, &["build", "--lib"], options)?.iter().filter_map(library_crate).collect())
}

/// Builds the program called `name` and returns where it is.
pub fn build_program(what: &str, name: &str, options: &[String]) -> Result<PathBuf> {
    let messages = build(what, &["build", "--bin", name], options)?;
    let mut executables = messages.iter().filter_map(|message| message["executable"].as_str());
    executables.next_back().map(PathBuf::from).with_context(|| format!("{CARGO} built no program {name}"))
}

/// Builds the programs that `options` choose and returns where they are.
pub fn build_programs(what: &str, options: &[String]) -> Result<Vec<PathBuf>> {
    let messages = build(what, &["build"], options)?;
    Ok(messages.iter().filter_map(|message| message["executable"].as_str()).map(PathBuf::from).collect())
}

/// Runs cargo and returns what it says of each thing that it built.
fn build(what: &str, command: &[&str], options: &[String]) -> Result<Vec<Value>> {
    let _activity = progress::begin(format!("building {what}, some minutes if all is new"));
    let output = cargo()
        .args(command)
        .args(["--quiet", "--message-format=json-render-diagnostics"])
        .args(options)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {CARGO}"))?;
    if !output.status.success() {
        bail!("{what}: the build failed");
    }
    let text = String::from_utf8(output.stdout).context("cargo's messages are not UTF-8")?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

fn library_crate(message: &Value) -> Option<(String, Vec<PathBuf>)> {
    let target = &message["target"];
    if target["kind"][0] != "lib" && target["kind"][0] != "proc-macro" {
        return None;
    }
    let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str).map(PathBuf::from).collect();
    Some((target["name"].as_str()?.to_owned(), files))
}

fn test_program(message: &Value) -> Option<TestProgram> {
    let is_test = message["profile"]["test"].as_bool()?;
    let executable = message["executable"].as_str().filter(|_| is_test)?;
    let manifest = PathBuf::from(message["manifest_path"].as_str()?);
    let package_dir = manifest.parent()?.to_owned();
    Some(TestProgram {
        package: package_dir.file_name()?.to_str()?.to_owned(),
        target: message["target"]["name"].as_str()?.to_owned(),
        kind: message["target"]["kind"][0].as_str()?.to_owned(),
        source: message["target"]["src_path"].as_str()?.into(),
        package_dir,
        executable: executable.into(),
    })
}
