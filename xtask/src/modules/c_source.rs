//! A module in C: a directory of `.c` files.
//!
//! gcc compiles them against the headers in `include/`. The module's name is the directory's; all files there are one.
//! A file `CFLAGS` may have more flags for the compiler, such as `-DSCULL_DEBUG`. The build adds one file, with what
//! the kernel wants to know: the module's name, and its `struct module`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::compiled::{self, Compiled};

/// Where our headers are.
pub const HEADERS: &str = "include";
/// The file of a module's own flags.
pub const FLAGS_FILE: &str = "CFLAGS";
/// The language of the book's time, for the kernel: no floating point, no library, nothing below the stack pointer, all
/// addresses in the topmost two gigabytes. Each function has its frame while it calls another, so that reports name it.
/// What compilers of the time did not warn of, a driver may leave unused. Sources of the time define the last two
/// themselves, as nothing: to define them so once more is no error.
const FLAGS: [&str; 19] = [
    "-std=gnu89",
    "-O2",
    "-Wall",
    "-Werror",
    "-Wno-unused",
    "-ffreestanding",
    "-nostdinc",
    "-mcmodel=kernel",
    "-fno-pic",
    "-mno-red-zone",
    "-mgeneral-regs-only",
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-fno-asynchronous-unwind-tables",
    "-fno-strict-aliasing",
    "-fno-omit-frame-pointer",
    "-fno-optimize-sibling-calls",
    "-D__KERNEL__=",
    "-DMODULE=",
];

/// What a module in C is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CSource {
    /// The names of its files, in order.
    pub files: Vec<String>,
    /// Its own flags.
    pub flags: Vec<String>,
}

impl CSource {
    /// What is in `directory`, if it is a module in C.
    pub fn find(directory: &Path) -> Result<Option<Self>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().and_then(OsStr::to_str);
            if let (Some(name), Some("c")) = (name, path.extension().and_then(OsStr::to_str)) {
                files.push(name.to_owned());
            }
        }
        if files.is_empty() {
            return Ok(None);
        }
        files.sort();
        let flags = fs::read_to_string(directory.join(FLAGS_FILE)).unwrap_or_default();
        Ok(Some(Self { files, flags: flags.split_whitespace().map(str::to_owned).collect() }))
    }

    /// Compiles the files in `directory` into `output`, with one more that has the lines `info` of `.modinfo`.
    pub fn compile(&self, name: &str, directory: &Path, output: &Path, info: &[u8]) -> Result<Compiled> {
        fs::create_dir_all(output).with_context(|| format!("cannot make {}", output.display()))?;
        let made = output.join("module_info.c");
        fs::write(&made, about(name, info)).with_context(|| format!("cannot write {}", made.display()))?;
        let (mut objects, mut sources) = (Vec::new(), Vec::new());
        for file in self.files.iter().map(|file| directory.join(file)).chain([made]) {
            let object = output.join(file.file_name().unwrap_or_default()).with_extension("o");
            sources.extend(self.compile_file(name, directory, &file, &object)?);
            objects.push(object);
        }
        sources.retain(|source| !source.starts_with(output));
        sources.sort();
        sources.dedup();
        Ok(Compiled { archive: archive(output, &objects)?, metadata: PathBuf::new(), sources })
    }

    /// Compiles one file and returns what it was read from.
    fn compile_file(&self, name: &str, directory: &Path, file: &Path, object: &Path) -> Result<Vec<PathBuf>> {
        let rules = object.with_extension("d");
        let mut gcc = Command::new("gcc");
        gcc.args(FLAGS).arg("-I").arg(HEADERS).arg("-I").arg(directory).args(&self.flags);
        gcc.arg(format!("-ffile-prefix-map={}={name}", directory.display()));
        gcc.arg("-MMD").arg("-MF").arg(&rules).arg("-c").arg(file).arg("-o").arg(object);
        let result = gcc.output().context("cannot run gcc: `make setup` installs it")?;
        let messages = String::from_utf8_lossy(&result.stderr);
        if !result.status.success() {
            bail!("the module {name} does not compile\n{}", messages.trim_end());
        }
        eprint!("{messages}");
        Ok(compiled::sources(&fs::read_to_string(&rules)?))
    }
}

/// The source of the file that is added.
fn about(name: &str, info: &[u8]) -> String {
    let lines: String = info.iter().map(|byte| format!("\\{byte:03o}")).collect();
    format!(
        "#include <linux/module.h>\n\
         #include <linux/interrupt.h>\n\
         #include <linux/poll.h>\n\
         #include <linux/proc_fs.h>\n\
         #define MEMBER(type, member, at) extern char __at[offsetof(type, member) == (at) ? 1 : -1];\n\
         #define BYTES(type, bytes) extern char __bytes[sizeof(type) == (bytes) ? 1 : -1];\n\
         #include <layout.inc>\n\
         struct module __this_module = {{ sizeof(struct module), \"{name}\", ATOMIC_INIT(0), 0 }};\n\
         static const char lines[] __attribute__((section(\".modinfo\"), used, aligned(1))) = \"{lines}\";\n"
    )
}

/// Puts the objects together for the linker.
fn archive(output: &Path, objects: &[PathBuf]) -> Result<PathBuf> {
    let archive = output.join("module.a");
    let _ = fs::remove_file(&archive);
    let status = Command::new("ar").arg("rcD").arg(&archive).args(objects).status().context("cannot run ar")?;
    if !status.success() {
        bail!("ar failed");
    }
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use super::{CSource, about};

    #[test]
    fn files_are_found_in_order_and_flags_are_words() {
        let top = std::env::temp_dir().join(format!("scullery-c-{}", std::process::id()));
        std::fs::create_dir_all(&top).expect("a new directory");
        assert_eq!(CSource::find(&top).expect("it is there"), None);
        for (name, text) in [("pipe.c", ""), ("main.c", ""), ("main.h", ""), ("CFLAGS", "-DA\n -DB=1\n")] {
            std::fs::write(top.join(name), text).expect("writable");
        }
        let found = CSource::find(&top).expect("it is there").expect("a module in C");
        assert_eq!(
            (found.files, found.flags),
            (vec!["main.c".into(), "pipe.c".into()], vec!["-DA".into(), "-DB=1".into()])
        );
        std::fs::remove_dir_all(&top).expect("it is there");
    }

    #[test]
    fn lines_of_modinfo_are_text_to_the_compiler_whatever_is_in_them() {
        let source = about("m", b"name=m\0");
        assert!(source.contains(r#"= "\156\141\155\145\075\155\000";"#), "{source}");
    }
}
