//! `repeat` and `watch`: run a command again and again.

use core::time::Duration;

use crate::env::{Env, File, Status};
use crate::failure::{Failure, Outcome};
use crate::job::Job;
use crate::options::{Options, number, seconds};
use crate::words::Args;

/// What `help` says of `repeat`.
pub const ABOUT_REPEAT: &str = "runs a command so many times; ends at the first failure, and at ^C";
/// What `help` says of `watch`.
pub const ABOUT_WATCH: &str = "runs a command every 2 seconds until ^C, or COUNT times; -t: without a title";

/// The shortest pause of `watch`.
const SHORTEST: Duration = Duration::from_millis(100);
/// Has a terminal clear its screen.
const CLEAR: &str = "\x1b[H\x1b[J";

/// `repeat COUNT COMMAND [ARGUMENT...]`: the first failure ends it, so that a hundred thousand of them do not fill the
/// screen; its status is that of the last run.
pub fn repeat<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let count = number(job.args.get(0).ok_or(Failure::Usage("missing operand"))?)?;
    let command = job.args.skip(1);
    if command.is_empty() {
        return Err(Failure::Usage("missing operand"));
    }
    for run in 1..=count {
        job.go_on()?;
        let status = job.run_within(command)?;
        if !status.is_ok() {
            if !status.is_killed() {
                job.say(format_args!("repeat: run {run} of {count} ended with status {}\n", status.code()));
            }
            return Ok(status);
        }
    }
    Ok(Status::OK)
}

/// What `watch` was asked for.
struct Watch<'a> {
    interval: Duration,
    /// How many times; `None` until ^C.
    count: Option<u64>,
    titled: bool,
    command: Args<'a>,
}

impl<'a> Watch<'a> {
    fn parse(args: Args<'a>) -> Result<Self, Failure<'a>> {
        let mut options = Options::new(args, "n:c:t");
        let mut watch = Self { interval: Duration::from_secs(2), count: None, titled: true, command: args };
        while let Some(option) = options.take()? {
            match option {
                'n' => watch.interval = seconds(options.value()?)?.max(SHORTEST),
                'c' => watch.count = Some(options.number()?),
                _ => watch.titled = false,
            }
        }
        watch.command = options.operands();
        if watch.command.is_empty() { Err(Failure::Usage("missing operand")) } else { Ok(watch) }
    }

    /// Clears a person's screen, or sets a run off from the one before, and says what runs.
    fn begin<E: Env>(&self, job: &Job<'_, E>, run: u64) -> Result<(), Failure<'static>> {
        let mut out = job.out();
        if job.env.is_terminal() && job.output().id().is_none() {
            out.put(CLEAR.as_bytes())?;
        } else if self.titled && run > 1 {
            out.put(b"\n")?;
        }
        if self.titled {
            write!(out, "Every {}.{}s:", self.interval.as_secs(), self.interval.subsec_millis() / 100)?;
            self.command.iter().try_for_each(|word| write!(out, " {word}"))?;
            out.put(b"\n\n")?;
        }
        out.finish()
    }
}

/// `watch [-n SECONDS] [-c COUNT] [-t] COMMAND [ARGUMENT...]`, as procps has it, but for `-c`, and but for a name that
/// is no command's, which ends it. Its status is that of the last run.
pub fn watch<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let watch = Watch::parse(job.args)?;
    if watch.count.is_none() && !job.env.is_terminal() {
        return Err(Failure::Usage("without a terminal there is no ^C: -c COUNT says when it ends"));
    }
    let mut status = Status::OK;
    for run in 1..=watch.count.unwrap_or(u64::MAX) {
        if run > 1 {
            job.env.sleep(watch.interval)?;
        }
        watch.begin(job, run)?;
        status = job.run_within(watch.command)?;
        if status == Status::NOT_FOUND || status.is_killed() {
            break;
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn repeat_runs_a_command_so_many_times() {
        let world = World::new();
        assert_eq!(world.run("repeat 3 echo a b").out, "a b\na b\na b\n");
        assert_eq!(world.run("repeat 2 echo a | wc -l").out, "2\n");
        world.run("repeat 3 echo a > /f");
        assert_eq!(world.get("/f"), "a\na\na\n");
        let nothing = world.run("repeat 0 false");
        assert_eq!((nothing.out.as_str(), nothing.status), ("", 0));
        assert_eq!(world.run("repeat 1k true").status, 0);
    }

    #[test]
    fn repeat_ends_at_the_first_failure_and_says_which() {
        let world = World::new();
        world.put("/f", "");
        let ran = world.run("repeat 5 rm /f");
        assert_eq!(ran.err, "rm: /f: No such file or directory\nrepeat: run 2 of 5 ended with status 1\n");
        assert_eq!(ran.status, 1);
        assert_eq!(world.run("repeat 3 nosuch").status, 127);
        let ended = world.run("repeat 1000000 echo a | head -1");
        assert_eq!((ended.out.as_str(), ended.err.as_str()), ("a\n", ""));
    }

    #[test]
    fn watch_shows_what_it_runs_and_waits_in_between() {
        let world = World::new();
        assert_eq!(
            world.run("watch -c 2 echo a 'b  c'; uptime").out,
            "Every 2.0s: echo a b  c\n\na b  c\n\nEvery 2.0s: echo a b  c\n\na b  c\nup 0:00:02\n"
        );
        assert_eq!(world.run("watch -t -n30.5 -c3 -- echo a; uptime").out, "a\na\na\nup 0:01:03\n");
        assert!(world.run("watch -n 0 -c 1 true").out.starts_with("Every 0.1s: true\n"));
        assert_eq!(world.run("watch -tc 2 false").status, 1);
        let unknown = world.run("watch -c 5 nosuch");
        assert_eq!((unknown.err.as_str(), unknown.status), ("sh: nosuch: command not found\n", 127));
        assert_eq!(world.run("watch -c 1000000 true | head -1").out, "Every 2.0s: true\n");
    }

    #[test]
    fn watch_without_a_count_needs_somebody_who_can_end_it() {
        let world = World::new();
        let refused = world.run("watch true");
        assert_eq!(refused.err, "watch: without a terminal there is no ^C: -c COUNT says when it ends\n");
        assert_eq!((refused.out.as_str(), refused.status), ("", 1));
        world.sit_at_terminal();
        world.interrupt_at_look(30);
        let ran = world.run("watch -n 1 echo a; echo not reached");
        assert_eq!((ran.err.as_str(), ran.status), ("", 130));
        assert!(ran.out.starts_with("Every 1.0s: echo a\n\na\n"));
        assert!(!ran.out.contains("not reached"));
    }

    #[test]
    fn a_screen_is_cleared_and_a_file_is_not() {
        let world = World::new();
        world.sit_at_terminal();
        world.run("watch -c 2 -t echo a > /f");
        assert_eq!(world.get("/f"), "a\na\n");
        assert_eq!(world.run("watch -c 2 -t echo a | cat").out, "\x1b[H\x1b[Ja\n\x1b[H\x1b[Ja\n");
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused() {
        let world = World::new();
        for (line, err) in [
            ("repeat", "repeat: missing operand\n"),
            ("repeat 3", "repeat: missing operand\n"),
            ("repeat x true", "repeat: invalid number: 'x'\n"),
            ("repeat -1 true", "repeat: invalid number: '-1'\n"),
            ("watch -c 1", "watch: missing operand\n"),
            ("watch -n x true", "watch: invalid time interval: 'x'\n"),
            ("watch -c x true", "watch: invalid number: 'x'\n"),
            ("watch -g true", "watch: invalid option: 'g'\n"),
        ] {
            let ran = world.run(line);
            assert_eq!((ran.err.as_str(), ran.out.as_str(), ran.status), (err, "", 1), "{line}");
        }
    }

    #[test]
    fn commands_run_each_other_only_so_deep() {
        let world = World::new();
        assert_eq!(world.run("repeat 2 repeat 2 time repeat 1 echo a").out, "a\n".repeat(4));
        let ran = world.run("repeat 2 repeat 2 repeat 2 repeat 2 repeat 2 echo a");
        assert!(ran.err.starts_with("repeat: too many commands run each other, before: 'echo'\n"), "{}", ran.err);
        assert_eq!((ran.out.as_str(), ran.status), ("", 1));
    }
}
