//! Modules from elsewhere, tried: one that works, and what authors do wrong.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use hosttools::exports::Exports;

use super::kernel_library::Library;
use super::manifest::Origin;
use super::workshop::{Built, Order, Workshop};
use crate::cargo;
use crate::guest::{self, Mode};
use crate::machine::Machine;
use crate::parallel::Job;
use crate::results::TestResult;

/// A module that calls all of `kapi`.
const EVERYTHING: &str = "tests/modules/everything";
const WORKS: &str = "modules::a_module_from_elsewhere_may_call_all_that_kapi_has";
const REFUSED: &str = "modules::what_is_wrong_with_a_module_is_told_when_it_is_built";

/// What authors write, and what they are told: the name, the rest of Cargo.toml, `src/lib.rs`, words of the answer.
const MISTAKES: [(&str, &str, &str, &[&str]); 7] = [
    ("typo", "", "pub fn f() { nothing() }", &["the module typo does not compile", "cannot find function `nothing`"]),
    (
        "unsafe_code",
        "",
        "pub fn f() { unsafe { core::hint::unreachable_unchecked() } }",
        &["the module unsafe_code does not compile", "usage of an `unsafe` block", "unsafe = \"allowed\""],
    ),
    ("no_type", "", "", &["no module can be made of no_type", "pub type Module<K>", "cannot find type `Module`"]),
    ("no_trait", "", "pub type Module<K> = Option<K>;", &["no module can be made of no_trait", "kapi::Module"]),
    ("other_name", "", OTHER_NAME, &["with the NAME \"other_name\"", "NAME is not what Cargo.toml calls"]),
    ("uses_log", "[dependencies]\nlog = \"0.4\"\n", "", &["uses_log/Cargo.toml", "depends on log"]),
    ("kernel", "", "", &["kernel is the name of a crate of the kernel"]),
];
const OTHER_NAME: &str = "
    pub type Module<K> = Other<K>;
    pub struct Other<K>(core::marker::PhantomData<fn() -> K>);
    impl<K: kapi::Kernel> kapi::CharDriver for Other<K> {}
    impl<K: kapi::Kernel> kapi::Module<K> for Other<K> {
        const NAME: &'static str = \"other\";
        const ABOUT: &'static str = \"\";
        fn load(_values: &kapi::Values<'_>) -> Result<Self, kapi::Errno> { Ok(Self(core::marker::PhantomData)) }
    }";

/// The same of authors in C: the name, `main.c` behind its first line, words of the answer.
const MISTAKES_IN_C: [(&str, &str, &[&str]); 6] = [
    (
        "c_typo",
        "int init_module(void) { return nothing(); }",
        &["the module c_typo does not compile", "c_typo/main.c:2:32", "implicit declaration of function"],
    ),
    (
        "c_nowhere",
        "int nowhere(void); int init_module(void) { return nowhere(); }",
        &["the module c_nowhere needs what the kernel has not: nowhere"],
    ),
    ("c_library", "#include <stdio.h>", &["c_library/main.c:2:10", "stdio.h: No such file"]),
    ("c_float", "double half(double x) { return x / 2; }", &["c_float/main.c:2:8", "with SSE disabled"]),
    ("vfs", "", &["mistakes/vfs: vfs is the name of a crate of the kernel"]),
    (
        "c_twice",
        "struct module __this_module = { 0 };",
        &["the module c_twice cannot be linked", "duplicate symbol: __this_module"],
    ),
];

/// The trials.
pub fn jobs() -> Vec<Job> {
    let job =
        |name: &str, work: fn() -> Result<(Vec<TestResult>, String)>| Job { name: name.into(), work: Box::new(work) };
    vec![job(WORKS, load_everything), job(REFUSED, make_mistakes)]
}

/// What the trials build with: what they build goes to no other machine.
struct Trial {
    kernel: PathBuf,
    library: Library,
    exports: Exports,
    workshop: Workshop,
}

impl Trial {
    fn new() -> Result<Self> {
        let kernel = cargo::target_dir().join("x86_64-kernel/kernel/kernel");
        Ok(Self {
            library: Library::build()?,
            exports: super::exports(&kernel)?,
            workshop: Workshop::new(place()),
            kernel,
        })
    }

    fn build(&self, directory: PathBuf) -> Result<Vec<Built>> {
        let Self { library, exports, .. } = self;
        let order = Order { library, origin: Origin::Outside, exports: Some(exports), others: &[] };
        self.workshop.build(&[directory], order)
    }
}

fn place() -> PathBuf {
    cargo::target_dir().join("modules/trials")
}

/// Builds the module, and loads it where the initial files have it.
fn load_everything() -> Result<(Vec<TestResult>, String)> {
    let trial = Trial::new()?;
    let built = trial.build(env::current_dir()?.join(EVERYTHING))?;
    let module = built.first().context("it was not built")?;
    let made = fs::metadata(&module.file)?.modified()?;
    trial.build(env::current_dir()?.join(EVERYTHING))?;
    if fs::metadata(&module.file)?.modified()? != made {
        return Ok((vec![TestResult::failed(WORKS, "it was built again, though nothing had changed")], String::new()));
    }
    let root = place().join("rootfs");
    fs::create_dir_all(&root)?;
    fs::copy(&module.file, root.join("everything.ko"))?;
    let machine = Machine::parse(&format!("ROOTFS=\"{}\"", root.display()))?;
    let run =
        guest::boot(Mode::Run, &trial.kernel, &machine, "insmod everything.ko && rmmod everything && echo well\n")?;
    let result = match run.console.lines().any(|line| line == "well") {
        true => TestResult::ok(WORKS),
        false => TestResult::failed(WORKS, "it was not loaded"),
    };
    Ok((vec![result], run.console + &run.messages))
}

fn make_mistakes() -> Result<(Vec<TestResult>, String)> {
    let trial = Trial::new()?;
    let in_rust = MISTAKES.map(|(name, manifest, source, words)| (name, written(name, manifest, source), words));
    let in_c = MISTAKES_IN_C.map(|(name, source, words)| (name, written_in_c(name, source), words));
    for (name, directory, words) in in_rust.into_iter().chain(in_c) {
        let answer = match trial.build(directory?) {
            Ok(_) => bail!("{name} was built"),
            Err(error) => format!("{error:#}"),
        };
        if let Some(word) = words.iter().find(|word| !answer.contains(*word)) {
            return Ok((vec![TestResult::failed(REFUSED, format!("{name}: not told: {word}"))], answer));
        }
    }
    Ok((vec![TestResult::ok(REFUSED)], String::new()))
}

fn directory_of(name: &str) -> Result<PathBuf> {
    Ok(env::current_dir()?.join(place()).join("mistakes").join(name))
}

/// Writes a module in C down and returns its directory.
fn written_in_c(name: &str, source: &str) -> Result<PathBuf> {
    let directory = directory_of(name)?;
    fs::create_dir_all(&directory)?;
    fs::write(directory.join("main.c"), format!("#include <linux/module.h>\n{source}\n"))?;
    Ok(directory)
}

/// Writes a module down and returns its directory.
fn written(name: &str, manifest: &str, source: &str) -> Result<PathBuf> {
    let directory = directory_of(name)?;
    fs::create_dir_all(directory.join("src"))?;
    let package = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n{manifest}\n[workspace]\n");
    fs::write(directory.join("Cargo.toml"), package)?;
    fs::write(directory.join("src/lib.rs"), format!("#![no_std]\n{source}\n"))?;
    Ok(directory)
}
