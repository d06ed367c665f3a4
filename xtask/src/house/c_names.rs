//! Each name that is offered to drivers in C is used by one of the tree's.

use std::collections::BTreeSet;

use super::finding::Finding;

/// Where the names are offered.
const OFFERS: &str = "kernel/src/c/";
/// Where the headers are.
const HEADERS: &str = "include/";
/// Modules without a library, in C; `plain` is one in Rust.
const USERS: [&str; 2] = ["modules/c/", "modules/plain/src/"];
/// Before the names: of functions that stand in `export!`, and of others.
const OFFERED: [&str; 2] = ["    extern \"C\" fn ", "offer!("];

/// What the rule reads, file by file.
#[derive(Debug, Default)]
pub struct Names {
    /// File, line and name of each.
    offered: Vec<(String, usize, String)>,
    /// Macros of the headers, and the words that each stands for.
    macros: Vec<(String, BTreeSet<String>)>,
    used: BTreeSet<String>,
}

impl Names {
    /// Whether a file is read, given by its path.
    pub fn applies(path: &str) -> bool {
        let is_there = [OFFERS, HEADERS].iter().chain(&USERS).any(|directory| path.starts_with(directory));
        is_there && [".c", ".h", ".rs"].iter().any(|end| path.ends_with(end))
    }

    /// Takes a file in.
    pub fn read(&mut self, path: &str, text: &str) {
        if path.starts_with(OFFERS) {
            self.offered.extend(offered(text).map(|(line, name)| (path.to_owned(), line, name.to_owned())));
        } else if path.starts_with(HEADERS) {
            let text = text.replace("\\\n", " ");
            self.macros.extend(text.lines().filter_map(|line| line.strip_prefix("#define ")).filter_map(|line| {
                let end = line.find(|letter: char| !is_of_a_word(letter)).unwrap_or(line.len());
                let (name, body) = line.split_at_checked(end)?;
                Some((name.to_owned(), words(body).collect()))
            }));
        } else {
            self.used.extend(words(&without_comments(text)));
        }
    }

    /// What nobody uses: neither itself nor by a macro.
    pub fn check(self) -> Vec<Finding> {
        let Self { offered, macros, mut used } = self;
        let mut before = 0;
        while before < used.len() {
            before = used.len();
            for (name, body) in &macros {
                if used.contains(name) {
                    used.extend(body.iter().cloned());
                }
            }
        }
        let unused = offered.into_iter().filter(|(_, _, name)| !used.contains(name));
        unused.map(|(file, line, name)| Finding::new(&file, line, format!("no driver in C uses {name}"))).collect()
    }
}

/// The names that a file of the kernel offers, with their lines.
fn offered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(at, line)| {
        let rest = OFFERED.iter().find_map(|start| line.strip_prefix(start))?;
        Some((at + 1, rest.split(|letter| !is_of_a_word(letter)).next()?))
    })
}

fn is_of_a_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter| !is_of_a_word(letter)).filter(|word| !word.is_empty()).map(str::to_owned)
}

/// The text without what stands between the marks of C's comments.
fn without_comments(text: &str) -> String {
    let mut parts = text.split("/*");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |code, part| code + part.split_once("*/").map_or("", |(_, behind)| behind))
}

#[cfg(test)]
mod tests {
    use super::Names;

    const KERNEL: &str = "export! {\n    extern \"C\" fn kfree(object: *const c_void) {\n    }\n}\n\
                          offer!(printk);\nunsafe extern \"C\" fn its_own() {}\n";

    fn unused(header: &str, module: &str) -> Vec<String> {
        let mut names = Names::default();
        for (path, text) in
            [("kernel/src/c/a.rs", KERNEL), ("include/linux/a.h", header), ("modules/c/a/main.c", module)]
        {
            assert!(Names::applies(path));
            names.read(path, text);
        }
        names.check().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_that_no_driver_uses_is_told_with_its_place() {
        let told =
            ["kernel/src/c/a.rs:2: no driver in C uses kfree", "kernel/src/c/a.rs:5: no driver in C uses printk"];
        assert_eq!(unused("", "/* printk, kfree */ int free_kfree;"), told);
        assert_eq!(unused("", "printk(\"freed\"); kfree(object);"), [""; 0]);
    }

    #[test]
    fn a_macro_that_is_used_uses_what_it_stands_for() {
        let header = "#define free(object) \\\n\tkfree(object)\n#define tell(text) say(text)\n#define say printk\n";
        assert_eq!(unused(header, "tell(0); free(0);"), [""; 0]);
        assert_eq!(unused(header, "say(0);"), ["kernel/src/c/a.rs:2: no driver in C uses kfree"]);
    }

    #[test]
    fn other_files_are_not_read() {
        assert!(!Names::applies("kernel/src/mm/a.rs") && !Names::applies("modules/hello/src/lib.rs"));
        assert!(!Names::applies("modules/c/a/CFLAGS"));
    }
}
