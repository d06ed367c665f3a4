//! `xtask chapter` without the results that it wants.
//!
//! It fails, and the report is as it was.

use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::{env, fs};

/// Runs the program in a tree with these results; its status, and what it said.
fn chapter(root: &Path, results: Option<&str>) -> (Option<i32>, String) {
    fs::create_dir_all(root.join("docs")).expect("made");
    fs::create_dir_all(root.join("target")).expect("made");
    fs::write(root.join("docs/statements.txt"), "S1 one\n").expect("written");
    fs::write(root.join("docs/chapter.md"), "as it was").expect("written");
    if let Some(text) = results {
        fs::write(root.join("target/test-results.txt"), text).expect("written");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("chapter")
        .current_dir(root)
        .env("CARGO_TARGET_DIR", "target")
        .output()
        .expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn without_all_results_of_this_tree_the_report_stays_as_it_is() {
    let root: PathBuf = env::temp_dir().join(format!("scullery-chapter-{}", process::id()));
    let cases = [
        (None, "there are no results of tests"),
        (Some("ok host::a\n"), "do not say of which tree they are"),
        (Some("results of tree 0000000000000000 1\nok host::a\n"), "the tree has changed"),
    ];
    for (results, reason) in cases {
        let (status, said) = chapter(&root, results);
        assert_eq!(status, Some(2));
        assert!(said.contains(reason) && said.contains("docs/chapter.md stays as it is"), "{said}");
        assert_eq!(fs::read_to_string(root.join("docs/chapter.md")).expect("it is there"), "as it was");
    }
    fs::remove_dir_all(&root).expect("removed");
}
