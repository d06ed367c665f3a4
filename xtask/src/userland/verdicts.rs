//! What the suites print, as verdicts on cases.
//!
//! - busybox, new kind and old: `PASS: NAME`, `FAIL: NAME`, `SKIPPED: NAME`, `UNTESTED: NAME`;
//! - its shell: `DIRECTORY/NAME.tests: ok` or `fail`, with what the case says on standard error in between;
//! - nolibc-test: `12 NAME = ...   [OK]`, `[FAIL]` or `[SKIPPED]`.
//!
//! Before the cases of a part stands `== SUITE PART`, behind the last one `== end`; of nolibc-test `Running test
//! 'PART'` and `Exiting with status`.

/// What became of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail,
    Skip,
}

/// The cases of an applet, a directory, or a group.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub cases: Vec<(String, Verdict)>,
    /// Whether something came after it: the guest lived on.
    pub has_ended: bool,
}

impl Part {
    pub fn count(&self, verdict: Verdict) -> usize {
        self.cases.iter().filter(|(_, it)| *it == verdict).count()
    }
}

const WORDS: [(&str, Verdict); 4] =
    [("PASS: ", Verdict::Pass), ("FAIL: ", Verdict::Fail), ("SKIPPED: ", Verdict::Skip), ("UNTESTED: ", Verdict::Skip)];
const MARKS: [(&str, Verdict); 3] = [("[OK]", Verdict::Pass), ("[FAIL]", Verdict::Fail), ("[SKIPPED]", Verdict::Skip)];
const ENDS: [(&str, Verdict); 2] = [(" ok", Verdict::Pass), (" fail", Verdict::Fail)];

/// The parts that a console shows.
pub fn parts(console: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    // A case of the shell's whose verdict has not come yet.
    let mut open: Option<String> = None;
    for line in console.lines().map(str::trim_end) {
        if let Some(begun) = beginning(line) {
            if let Some(last) = parts.last_mut() {
                last.has_ended = true;
            }
            open = None;
            if let Some(name) = begun {
                parts.push(Part { name: name.to_owned(), cases: Vec::new(), has_ended: false });
            }
        } else if let Some(part) = parts.last_mut() {
            part.cases.extend(case(line, &mut open));
        }
    }
    parts
}

/// Whether a part begins with this line, and which; `None` in it is the end of all.
fn beginning(line: &str) -> Option<Option<&str>> {
    if line == "== end" || line.starts_with("Exiting with status") || line.starts_with("Leaving init with") {
        return Some(None);
    }
    if let Some(rest) = line.strip_prefix("Running test '") {
        return Some(rest.strip_suffix('\''));
    }
    let (_suite, part) = line.strip_prefix("== ")?.split_once(' ')?;
    Some(Some(part))
}

fn case(line: &str, open: &mut Option<String>) -> Option<(String, Verdict)> {
    if let Some(found) = WORDS.iter().find_map(|(word, verdict)| Some((line.strip_prefix(word)?.into(), *verdict))) {
        return Some(found);
    }
    if let Some((before, verdict)) = MARKS.iter().find_map(|(mark, it)| Some((line.strip_suffix(mark)?, *it))) {
        return Some((before.split_whitespace().nth(1)?.to_owned(), verdict));
    }
    if line.starts_with("ash-") {
        *open = line.split_once(':').map(|(name, _)| name.to_owned()).or_else(|| open.take());
    }
    let verdict = ENDS.iter().find_map(|(end, verdict)| line.ends_with(end).then_some(*verdict))?;
    Some((open.take()?, verdict))
}

#[cfg(test)]
mod tests {
    use super::{Part, Verdict, parts};

    fn part(name: &str, cases: &[(&str, Verdict)], has_ended: bool) -> Part {
        let cases = cases.iter().map(|(name, verdict)| ((*name).to_owned(), *verdict)).collect();
        Part { name: name.into(), cases, has_ended }
    }

    #[test]
    fn busybox_says_it_in_capitals() {
        let console = "booting\nPASS: too early\n== busybox cat\nPASS: cat: a b\nnoise\nFAIL: cat -v\r\n\
                       == busybox rx\nSKIPPED: rx (not built)\n== end\nPASS: too late\n";
        let expected = [
            part("cat", &[("cat: a b", Verdict::Pass), ("cat -v", Verdict::Fail)], true),
            part("rx", &[("rx (not built)", Verdict::Skip), ("too late", Verdict::Pass)], true),
        ];
        assert_eq!(parts(console), expected);
    }

    #[test]
    fn the_shell_s_verdicts_come_late() {
        let console = "== ash ash-vars\nash-vars/a.tests: ok\nash-vars/b.tests:sh: oh\nmore fail\n ok\n== ash ash-x\n";
        let cases = [("ash-vars/a.tests", Verdict::Pass), ("ash-vars/b.tests", Verdict::Fail)];
        assert_eq!(parts(console), [part("ash-vars", &cases, true), part("ash-x", &[], false)]);
    }

    #[test]
    fn nolibc_test_says_it_in_brackets() {
        let console = "Running test 'syscall'\n0 getpid = 1    [OK]\n1 chmod_net = -1 ENOENT  [FAIL]\n\
                       Errors during this test: 1\nRunning test 'stdlib'\n0 getenv_TERM = <dumb>  [OK]\n\
                       Exiting with status 1\n";
        let syscalls = [("getpid", Verdict::Pass), ("chmod_net", Verdict::Fail)];
        let expected = [part("syscall", &syscalls, true), part("stdlib", &[("getenv_TERM", Verdict::Pass)], true)];
        assert_eq!(parts(console), expected);
    }

    #[test]
    fn a_guest_that_dies_leaves_a_part_open() {
        assert_eq!(parts("== busybox sh\nPASS: a\npanic"), [part("sh", &[("a", Verdict::Pass)], false)]);
    }
}
