//! What a module's Cargo.toml says, and what is refused in it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::c_source::CSource;
use super::kernel_library::Library;
use crate::cargo;

/// What cargo calls the interface crate, and what code calls it.
const KAPI_PACKAGE: &str = "scullery-kapi";
/// Crates of the tree, besides modules, that a module of the tree may name: the kernel keeps what it uses of them.
const OF_THE_TREE: [&str; 1] = ["drivers"];
/// Bytes of the longest name.
const LONGEST_NAME: usize = 32;

/// Where a module's directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Under `modules/`.
    Tree,
    /// Anywhere else.
    Outside,
}

/// Whether a module's author may write `unsafe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnsafeCode {
    /// No, and the compiler sees to it.
    Forbidden,
    /// Yes: Cargo.toml says `[package.metadata.module]`, `unsafe = "allowed"`.
    Allowed,
}

/// How a module and the kernel find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abi {
    /// By the types of `kapi`: it is for one build of the kernel.
    Rust,
    /// By functions of the C ABI, for all of them: Cargo.toml says `[package.metadata.module]`, `abi = "c"`.
    C,
}

/// A module as Cargo.toml describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The crate's name, and the module's.
    pub name: String,
    /// Where its source begins.
    pub source: PathBuf,
    /// The language's edition.
    pub edition: String,
    /// Under which terms it may be used; empty if nothing is said.
    pub license: String,
    /// The crates that it names besides `kapi`: modules, and crates of the tree.
    pub crates: Vec<String>,
    /// Whether its author may write `unsafe`.
    pub unsafe_code: UnsafeCode,
    /// How it and the kernel find each other.
    pub abi: Abi,
    /// Its source, if that is no crate but in C.
    pub c: Option<CSource>,
}

impl Manifest {
    /// Reads the Cargo.toml in `directory`.
    pub fn read(directory: &Path, origin: Origin, library: &Library) -> Result<Self> {
        let path = directory.join("Cargo.toml");
        if !directory.is_dir() {
            bail!("{} is not a directory", directory.display());
        }
        let mut manifest = if path.is_file() {
            Self::of(&package(&path)?, origin).with_context(|| path.display().to_string())?
        } else {
            Self::of_c(directory)?
        };
        if library.has(&manifest.name) {
            let place = if manifest.c.is_some() { directory } else { &path };
            bail!("{}: {} is the name of a crate of the kernel", place.display(), manifest.name);
        }
        // Reports name files of the tree from its top, as all others.
        if let Ok(source) = manifest.source.strip_prefix(directory.canonicalize()?) {
            manifest.source = directory.join(source);
        }
        Ok(manifest)
    }

    fn of(package: &Value, origin: Origin) -> Result<Self> {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let name = text("name");
        check_name(&name)?;
        Ok(Self {
            source: source(package)?,
            edition: text("edition"),
            license: text("license"),
            crates: crates(package, origin)?,
            unsafe_code: unsafe_code(&package["metadata"]["module"])?,
            abi: abi(&package["metadata"]["module"])?,
            c: None,
            name,
        })
    }

    /// The module in C in this directory, which has its name.
    fn of_c(directory: &Path) -> Result<Self> {
        let Some(c) = CSource::find(directory)? else {
            bail!(
                "{} has no Cargo.toml and no .c file: a module is a crate, which `make new-module M=dir` begins, or \
                 sources in C",
                directory.display()
            );
        };
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        check_name(&name)?;
        Ok(Self {
            source: directory.to_owned(),
            edition: String::new(),
            license: String::new(),
            crates: Vec::new(),
            unsafe_code: UnsafeCode::Allowed,
            abi: Abi::C,
            c: Some(c),
            name,
        })
    }

    /// The modules that it uses.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.crates.iter().map(String::as_str).filter(|name| !OF_THE_TREE.contains(name))
    }

    /// Whether it uses this module.
    pub fn uses(&self, module: &str) -> bool {
        self.modules().any(|name| name == module)
    }

    /// The crates of the kernel that it uses besides `kapi`.
    pub fn kernel_crates(&self) -> impl Iterator<Item = &str> {
        self.crates.iter().map(String::as_str).filter(|name| OF_THE_TREE.contains(name))
    }
}

/// The package that a Cargo.toml describes, as cargo understands it.
fn package(path: &Path) -> Result<Value> {
    let output = cargo::cargo()
        .args(["metadata", "--no-deps", "--offline", "--format-version=1", "--manifest-path"])
        .arg(path)
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("{}: {}", path.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo's metadata is not JSON")?;
    let whole = path.canonicalize()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut own = packages.filter(|package| package["manifest_path"].as_str().is_some_and(|it| Path::new(it) == whole));
    own.next().cloned().with_context(|| format!("{} describes no package", path.display()))
}

/// What goes by a module's name: a crate, a file, a word of insmod's, and lines of /proc.
pub fn check_name(name: &str) -> Result<()> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !starts_well || !is_plain || name.len() > LONGEST_NAME {
        bail!(
            "{name:?} is no name for a module: a small letter, then small letters, digits and _, {LONGEST_NAME} at most"
        );
    }
    Ok(())
}

fn source(package: &Value) -> Result<PathBuf> {
    let targets = package["targets"].as_array().into_iter().flatten();
    let mut library = None;
    for target in targets {
        match target["kind"][0].as_str() {
            Some("lib") => library = target["src_path"].as_str(),
            Some("custom-build") => bail!("it has a build script, which modules are built without"),
            _ => {}
        }
    }
    library.map(PathBuf::from).context("it has no library: a module's code begins in src/lib.rs")
}

fn crates(package: &Value, origin: Origin) -> Result<Vec<String>> {
    let mut crates = Vec::new();
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    for dependency in dependencies.filter(|dependency| dependency["kind"].is_null()) {
        let name = dependency["name"].as_str().unwrap_or_default();
        let called = dependency["rename"].as_str().unwrap_or(name);
        match name {
            KAPI_PACKAGE if called == "kapi" => {}
            KAPI_PACKAGE => bail!("it calls the interface crate {called}, and has to call it kapi"),
            // That it is a module, the order of modules finds out.
            _ if called == name && dependency["path"].is_string() => crates.push(name.to_owned()),
            _ => bail!("it depends on {name}, which is neither kapi nor a module: the kernel has nothing else for it"),
        }
        if origin == Origin::Outside && OF_THE_TREE.contains(&name) {
            bail!("it depends on {name}, which only modules of the tree may");
        }
    }
    Ok(crates)
}

fn unsafe_code(metadata: &Value) -> Result<UnsafeCode> {
    match &metadata["unsafe"] {
        Value::Null => Ok(UnsafeCode::Forbidden),
        Value::String(word) if word == "forbidden" => Ok(UnsafeCode::Forbidden),
        Value::String(word) if word == "allowed" => Ok(UnsafeCode::Allowed),
        other => bail!("[package.metadata.module] unsafe is \"forbidden\" or \"allowed\", not {other}"),
    }
}

fn abi(metadata: &Value) -> Result<Abi> {
    match &metadata["abi"] {
        Value::Null => Ok(Abi::Rust),
        Value::String(word) if word == "rust" => Ok(Abi::Rust),
        Value::String(word) if word == "c" => Ok(Abi::C),
        other => bail!("[package.metadata.module] abi is \"rust\" or \"c\", not {other}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Abi, Manifest, Origin, UnsafeCode, check_name};

    fn package() -> Value {
        json!({
            "name": "hello", "edition": "2024", "license": null, "metadata": null,
            "targets": [{"kind": ["lib"], "src_path": "/m/hello/src/lib.rs"}],
            "dependencies": [{"name": "scullery-kapi", "rename": "kapi", "kind": null, "path": "/kapi"}],
        })
    }

    fn with(key: &str, value: Value) -> Value {
        let mut package = package();
        package[key] = value;
        package
    }

    fn refusal(package: &Value) -> String {
        Manifest::of(package, Origin::Outside).expect_err("refused").to_string()
    }

    fn dependency(name: &str) -> Value {
        json!([{"name": name, "kind": null, "path": format!("/m/{name}")}])
    }

    #[test]
    fn a_plain_module_names_kapi_alone() {
        let manifest = Manifest::of(&package(), Origin::Outside).expect("well formed");
        assert_eq!((manifest.name.as_str(), manifest.crates.len()), ("hello", 0));
        assert_eq!(manifest.unsafe_code, UnsafeCode::Forbidden);
    }

    #[test]
    fn other_modules_and_in_the_tree_drivers_may_be_named() {
        let uses = with("dependencies", dependency("lender"));
        let manifest = Manifest::of(&uses, Origin::Outside).expect("a module uses another");
        assert_eq!(manifest.modules().collect::<Vec<_>>(), ["lender"]);
        let uses = with("dependencies", dependency("drivers"));
        let manifest = Manifest::of(&uses, Origin::Tree).expect("drivers is in the tree");
        assert_eq!((manifest.modules().count(), manifest.kernel_crates().count()), (0, 1));
        assert!(refusal(&uses).contains("only modules of the tree"));
    }

    #[test]
    fn what_the_kernel_has_not_is_refused_by_name() {
        let registry = json!([{"name": "log", "kind": null, "source": "registry+x"}]);
        assert!(refusal(&with("dependencies", registry)).contains("depends on log"));
        let script = json!([{"kind": ["lib"], "src_path": "/a"}, {"kind": ["custom-build"], "src_path": "/b"}]);
        assert!(refusal(&with("targets", script)).contains("build script"));
        assert!(refusal(&with("targets", json!([{"kind": ["bin"], "src_path": "/a"}]))).contains("no library"));
        let renamed = json!([{"name": "scullery-kapi", "rename": "k", "kind": null, "path": "/kapi"}]);
        assert!(refusal(&with("dependencies", renamed)).contains("has to call it kapi"));
    }

    #[test]
    fn what_tests_need_is_no_matter_of_the_module() {
        let tests = json!([{"name": "log", "kind": "dev", "source": "registry+x"}]);
        assert!(Manifest::of(&with("dependencies", tests), Origin::Outside).is_ok());
    }

    #[test]
    fn unsafe_code_is_allowed_by_one_word() {
        let says = |word: &str| with("metadata", json!({"module": {"unsafe": word}}));
        let allowed = Manifest::of(&says("allowed"), Origin::Outside).expect("well formed");
        assert_eq!(allowed.unsafe_code, UnsafeCode::Allowed);
        assert!(refusal(&says("yes")).contains("not \"yes\""));
    }

    #[test]
    fn the_abi_is_rusts_unless_a_word_says_otherwise() {
        let abi = |word: &str| Manifest::of(&with("metadata", json!({"module": {"abi": word}})), Origin::Outside);
        assert_eq!(Manifest::of(&package(), Origin::Outside).expect("well formed").abi, Abi::Rust);
        assert_eq!(abi("c").expect("well formed").abi, Abi::C);
        assert!(abi("pascal").expect_err("refused").to_string().contains("not \"pascal\""));
    }

    #[test]
    fn odd_names_are_refused() {
        for name in ["", "Hello", "7up", "_x", "a-b", "a b", "h\u{e4}llo", "a/b", &"n".repeat(33)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name("scull_2").is_ok());
    }
}
