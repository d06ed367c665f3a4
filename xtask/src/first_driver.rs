//! The pages on a first driver, done to the letter: from nothing to `cat`.
//!
//! The reader's home is a directory of the test's, in which the tree seems to lie. Files come out of the blocks after
//! `<!-- followed: NAME -->`; what is typed on the host is, and its output is compared; what is typed at the prompt is
//! typed at the kernel, with the module that `make module` has built. Modules go to a place of the test's.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::docs::markdown::{self, Block, Marker, Prompt};
use crate::machine::Machine;
use crate::parallel::Job;
use crate::results::TestResult;
use crate::{cargo, pattern, session};

/// A page that is followed.
#[derive(Clone, Copy)]
struct Page {
    path: &'static str,
    /// The test's name.
    name: &'static str,
    /// What it calls the driver's directory.
    driver: &'static str,
}

const PAGES: [Page; 2] = [
    Page { path: "docs/first-driver.md", name: "followed::first driver", driver: "scullq" },
    Page { path: "docs/first-driver-c.md", name: "followed::first driver in C", driver: "cqueue" },
];
/// What the pages call the tree.
const TREE: &str = "scullery";
const KERNEL: &str = "x86_64-kernel/kernel/kernel";

/// The job that follows the pages, one after the other: modules of both are built in one place.
pub fn job() -> Job {
    Job { name: PAGES[0].name.into(), work: Box::new(follow) }
}

fn follow() -> Result<(Vec<TestResult>, String)> {
    let (mut all, mut output) = (Vec::new(), String::new());
    for page in PAGES {
        let (results, console) = Reader::at_home(page)?.follow()?;
        all.extend(results);
        output += &console;
    }
    Ok((all, output))
}

/// Where the reader's modules are put: nobody is to find them in his own runs.
fn modules() -> Result<PathBuf> {
    Ok(env::current_dir()?.join(cargo::target_dir()).join("followed/modules"))
}

/// Whoever has set up a home, and types what a page says.
struct Reader {
    page: Page,
    home: PathBuf,
}

impl Reader {
    /// Makes a new home, beside what is built.
    fn at_home(page: Page) -> Result<Self> {
        let home = env::current_dir()?.join(cargo::target_dir()).join("followed/home");
        fs::create_dir_all(&home)?;
        let tree = home.join(TREE);
        let _ = fs::remove_file(&tree);
        symlink(env::current_dir()?, &tree).with_context(|| format!("cannot link {}", tree.display()))?;
        // What cargo has built there stays, so that later runs build no more than has changed.
        for part in ["Cargo.toml", "src", "tests", "main.c"] {
            let part = home.join(page.driver).join(part);
            let removed = if part.is_dir() { fs::remove_dir_all(&part) } else { fs::remove_file(&part) };
            match removed {
                Err(error) if part.exists() => return Err(error).context(part.display().to_string()),
                _ => {}
            }
        }
        Ok(Self { page, home })
    }

    /// Goes through the page's blocks, up to the first that does not turn out as it says.
    fn follow(&self) -> Result<(Vec<TestResult>, String)> {
        let Page { path, name, .. } = self.page;
        let page = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        let mut last = None;
        for block in markdown::blocks(&page)? {
            if let Marker::Followed(file) = &block.marker {
                self.write(file, &markdown::followed(&page, file)?)?;
            } else if block.steps.iter().any(|step| step.prompt == Prompt::Guest) {
                let machine = Machine::parse(&format!("MODULES=all MODULES_DIR=\"{}\"", modules()?.display()))?;
                let kernel = cargo::target_dir().join(KERNEL);
                let (results, console) = session::types(name, &kernel, &machine, &text(&page, &block))?;
                if results.iter().any(|result| result.failure.is_some()) {
                    return Ok((results, console));
                }
                last = Some((results, console));
            } else if let Some(difference) = self.try_host(&block)? {
                return Ok((vec![TestResult::failed(name, difference.as_str())], difference));
            }
        }
        last.with_context(|| format!("{path} has no session"))
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.home.join(self.page.driver).join(file);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Types a block's lines; says where its output is not as shown.
    fn try_host(&self, block: &Block) -> Result<Option<String>> {
        for step in &block.steps {
            let output = self.types(&step.command)?;
            let shown = session::expected(step.shown.iter().map(String::as_str));
            if let Err(difference) = pattern::compare(&shown, &output)? {
                return Ok(Some(format!("$ {}: {difference}\n{output}", step.command)));
            }
        }
        Ok(None)
    }

    /// Types a line at the top of the tree, and returns what it prints.
    fn types(&self, line: &str) -> Result<String> {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(self.home.join(TREE)).stdin(Stdio::null());
        // The reader's tools are where they are, whatever his home.
        for (variable, directory) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            let place = env::var_os(variable).map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(directory)));
            shell.envs(place.filter(|place| Path::is_dir(place)).map(|place| (variable, place)));
        }
        // His make is none of the one that runs the tests.
        for variable in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS"] {
            shell.env_remove(variable);
        }
        let output = shell.env("HOME", &self.home).env("MODULES_DIR", modules()?).output().context("cannot run sh")?;
        if !output.status.success() {
            bail!("$ {line}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The text of a block.
fn text(page: &str, block: &Block) -> String {
    let lines: Vec<&str> = page.lines().collect();
    let content = block.lines.clone().map(|line| lines[line].strip_prefix(block.indent).unwrap_or_default());
    content.map(|line| format!("{line}\n")).collect()
}
