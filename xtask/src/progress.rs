//! What is going on, for whoever waits.
//!
//! On a terminal the last line says what runs, and is rewritten every second. Elsewhere a line is printed whenever
//! nothing has been said for a while. Results go to standard output by [`say`], which keeps the two apart.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often the line on a terminal is rewritten.
const TICK: Duration = Duration::from_secs(1);
/// Silence after which a line is due elsewhere.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known to go on.
struct State {
    running: Vec<(String, Instant)>,
    /// Of how many in all, where that is known.
    expected: usize,
    ended: usize,
    spoke: Option<Instant>,
    /// Whether the terminal's last line is ours.
    shown: bool,
}

static STATE: Mutex<State> =
    Mutex::new(State { running: Vec::new(), expected: 0, ended: 0, spoke: None, shown: false });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something that goes on as long as this lives.
#[must_use]
pub struct Activity(String);

/// Says that something begins that may take a while.
pub fn begin(name: impl Into<String>) -> Activity {
    static WATCHER: Once = Once::new();
    WATCHER.call_once(|| drop(thread::spawn(watch)));
    let name = name.into();
    state().running.push((name.clone(), Instant::now()));
    Activity(name)
}

/// The same, if nothing else is known to go on.
pub fn begin_alone(name: &str) -> Option<Activity> {
    let idle = state().running.is_empty();
    idle.then(|| begin(name))
}

impl Drop for Activity {
    fn drop(&mut self) {
        let mut state = state();
        if let Some(place) = state.running.iter().position(|(name, _)| *name == self.0) {
            state.running.remove(place);
        }
        state.ended += 1;
        state.wipe();
    }
}

/// Says how many activities are to come from here on.
pub fn expect(count: usize) {
    let mut state = state();
    (state.expected, state.ended) = (count, 0);
}

/// Prints a result.
pub fn say(line: &str) {
    let mut state = state();
    state.wipe();
    state.spoke = Some(Instant::now());
    println!("{line}");
}

fn watch() {
    loop {
        thread::sleep(TICK);
        let mut state = state();
        let now = Instant::now();
        if io::stderr().is_terminal() {
            state.rewrite(now);
        } else if let Some(line) = state.overdue(now) {
            eprintln!("{line}");
        }
    }
}

impl State {
    /// Removes our line from the terminal.
    fn wipe(&mut self) {
        if self.shown {
            eprint!("\r\x1b[K");
            self.shown = false;
        }
    }

    fn rewrite(&mut self, now: Instant) {
        self.wipe();
        let Some(line) = self.line(now) else { return };
        // Cut to what does not wrap on a usual terminal.
        let line: String = line.chars().take(78).collect();
        eprint!("{line}");
        // Nothing is lost if it does not show.
        let _ = io::stderr().flush();
        self.shown = true;
    }

    /// The line that is due after a silence. Each is followed by a silence of its own.
    fn overdue(&mut self, now: Instant) -> Option<String> {
        let (_, since) = self.running.first()?;
        let quiet_since = self.spoke.map_or(*since, |spoke| spoke.max(*since));
        if now.duration_since(quiet_since) < PATIENCE {
            return None;
        }
        self.spoke = Some(now);
        self.line(now)
    }

    /// What runs, and for how many seconds.
    fn line(&self, now: Instant) -> Option<String> {
        let mut line = String::from("...");
        if self.expected > 0 {
            // Writing to a string does not fail.
            let _ = write!(line, " {} of {}", self.ended, self.expected);
        }
        for (name, since) in &self.running {
            let _ = write!(line, " {name} {} s,", now.duration_since(*since).as_secs());
        }
        (!self.running.is_empty()).then(|| line.trim_end_matches(',').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::State;

    #[test]
    fn a_line_is_due_after_each_silence_and_says_what_runs() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let running = vec![("qemu::a".to_owned(), at(0)), ("qemu::b".to_owned(), at(2))];
        let mut state = State { running, expected: 9, ended: 3, spoke: None, shown: false };
        assert_eq!(state.overdue(at(9)), None);
        assert_eq!(state.overdue(at(11)).as_deref(), Some("... 3 of 9 qemu::a 11 s, qemu::b 9 s"));
        assert_eq!(state.overdue(at(20)), None);
        assert!(state.overdue(at(21)).is_some());
        state.running.clear();
        assert_eq!(state.overdue(at(99)), None);
    }
}
