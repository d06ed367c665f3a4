//! What the exercises of the lessons have one change is there.
//!
//! A paragraph that begins with `**Exercise.**` names files and, of what is to be changed in them, the names.

use std::fs;

use anyhow::{Context, Result};

use crate::results::TestResult;

/// One result for each lesson among these documents.
pub fn check(paths: &[&str]) -> Result<(Vec<TestResult>, String)> {
    let lessons = paths.iter().filter(|path| path.starts_with("docs/lessons/"));
    let judge = |path: &&str| {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        let name = format!("docs::{path} has an exercise on what is there");
        Ok(match missing(&text, |file| fs::read_to_string(file).unwrap_or_default()) {
            None => TestResult::ok(name),
            Some(why) => TestResult::failed(name, why),
        })
    };
    Ok((lessons.map(judge).collect::<Result<_>>()?, String::new()))
}

/// The name that the exercise says first, if none of its files defines it.
fn missing(lesson: &str, read: impl Fn(&str) -> String) -> Option<String> {
    let Some(exercise) = lesson.split("\n\n").find(|paragraph| paragraph.starts_with("**Exercise.**")) else {
        return Some("there is no exercise".into());
    };
    // Every second part is between backquotes.
    let quoted: Vec<&str> = exercise.split('`').skip(1).step_by(2).collect();
    let (files, others): (Vec<&str>, Vec<&str>) = quoted.into_iter().partition(|word| word.ends_with(".rs"));
    let sources: Vec<String> = files.iter().map(|file| read(file)).collect();
    let is_name = |word: &&&str| word.chars().all(|letter| letter.is_alphanumeric() || "_:".contains(letter));
    let is_defined = |name: &str| {
        let last = name.rsplit("::").next().unwrap_or(name);
        let defined = [format!("fn {last}"), format!("const {last}:")];
        sources.iter().any(|source| defined.iter().any(|defined| source.contains(defined)))
    };
    match others.iter().find(is_name) {
        None => Some("the exercise names nothing to be changed".into()),
        Some(name) if !is_defined(name) => Some(format!("{name} is not in {}", files.join(", "))),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn an_exercise_on_what_is_gone_is_found() {
        let lesson = "# 1\n\n**Exercise.** `Buddy::alloc` in `mm/buddy.rs` has\n`KEPT` pages.\n\n**More.**";
        assert_eq!(missing(lesson, |_| "    pub fn alloc(&self)".into()), None);
        assert_eq!(missing(lesson, |_| "fn free()".into()).as_deref(), Some("Buddy::alloc is not in mm/buddy.rs"));
        assert!(missing("# 1\n", |_| String::new()).is_some());
        assert!(missing("**Exercise.** Think.", |_| String::new()).is_some());
    }
}
