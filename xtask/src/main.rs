//! Scullery's test program: runs every test, and reports on chapter and house.
//!
//! Started by make, from the top of the tree, with one of [`COMMANDS`].

mod adoption;
mod bench_boot;
mod bench_linux;
mod bench_rows;
mod breakpoints;
mod busybox;
mod cargo;
mod chapter;
mod dialogues;
mod disk_soak;
mod disks;
mod docs;
mod fetched;
mod fingerprint;
mod first_driver;
mod floppy;
mod followed;
mod guest;
mod host_tests;
mod house;
mod icount;
mod initial_files;
mod kernel_tests;
mod libcs;
mod live_map;
mod machine;
mod modules;
mod mutants;
mod parallel;
mod pattern;
mod pictures;
mod pins;
mod programs;
mod progress;
mod remembered;
mod results;
mod session;
mod tags;
mod transcripts;
mod userland;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

use parallel::Job;
use results::Results;

/// What it can be told to do.
const COMMANDS: &str = "test | test-host | test-qemu [NAME] | test-adoption | test-userland [NAME] | modules | \
                        module DIR | new-module DIR | test-module DIR | forget-module DIR | programs | \
                        program PATH | forget-program PATH | mutants [FILE...] | chapter | docs [PATH] | \
                        accept-icount | check-house | breakpoints | pictures | bench-boot | bench-linux | disk-soak";

/// How the names of tests begin that run the kernel itself.
const ON_THE_KERNEL: [&str; 4] = ["dialogue", "docs", "pictures", "transcript"];

fn main() -> ExitCode {
    match dispatch() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn dispatch() -> Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test"] => test_everything(),
        ["test-host"] => test_host(),
        ["test-qemu"] => test_in_qemu(""),
        ["test-qemu", filter] => test_in_qemu(filter),
        ["test-adoption"] => test_adoption(),
        ["test-userland"] => userland::test(""),
        ["test-userland", filter] => userland::test(filter),
        ["modules"] => modules::build(),
        ["module", directory] => modules::add(directory),
        ["new-module", directory] => modules::begin(directory),
        ["test-module", directory] => modules::test(directory),
        ["forget-module", directory] => modules::forget(directory),
        ["programs"] => programs::build(),
        ["program", path] => programs::add(path),
        ["forget-program", path] => programs::forget(path),
        ["mutants", files @ ..] => mutants::report(files),
        ["chapter"] => chapter::report(),
        ["check-house"] => house::report(),
        ["breakpoints"] => breakpoints::print(),
        ["accept-icount"] => icount::accept(),
        ["docs"] => docs::rewrite(""),
        ["docs", filter] => docs::rewrite(filter),
        ["bench-boot"] => bench_boot::measure(),
        ["pictures"] => pictures::redraw(),
        ["bench-linux"] => bench_linux::compare(),
        ["disk-soak"] => disk_soak::run(),
        _ => bail!("usage: xtask {COMMANDS}"),
    }
}

fn test_everything() -> Result<ExitCode> {
    let mut results = Results::default();
    let tree = fingerprint::of(Path::new("."))?;
    // Before any test runs, everything that boots is built: a mistake shows at once.
    let jobs = guest_jobs("")?;
    results.extend(host_tests::run()?);
    results.extend(adoption::run()?);
    results.extend([breakpoints::test(), breakpoints::test_names()]);
    results.extend(parallel::run(jobs));
    results.save(&tree)?;
    Ok(results.summary())
}

fn test_host() -> Result<ExitCode> {
    let mut results = Results::default();
    results.extend(host_tests::run()?);
    Ok(results.summary())
}

fn test_adoption() -> Result<ExitCode> {
    let mut results = Results::default();
    results.extend(adoption::run()?);
    Ok(results.summary())
}

fn test_in_qemu(filter: &str) -> Result<ExitCode> {
    let mut results = Results::default();
    results.extend(parallel::run(guest_jobs(filter)?));
    Ok(results.summary())
}

fn guest_jobs(filter: &str) -> Result<Vec<Job>> {
    // What takes longest comes first.
    let mut jobs = icount::jobs()?;
    // Those that run the kernel itself need no test kernels, which take long to build.
    if !ON_THE_KERNEL.iter().any(|kind| filter.starts_with(kind)) {
        jobs.extend(kernel_tests::jobs()?);
    }
    jobs.extend(dialogues::jobs()?);
    jobs.extend(transcripts::jobs()?);
    jobs.extend(pictures::jobs()?);
    jobs.push(live_map::job());
    jobs.extend(docs::jobs()?);
    jobs.extend(followed::jobs()?);
    jobs.extend(modules::jobs());
    jobs.extend(adoption::jobs()?);
    jobs.retain(|job| job.name.contains(filter));
    if jobs.is_empty() {
        bail!("no test in QEMU has a name that contains {filter:?}");
    }
    Ok(jobs)
}
