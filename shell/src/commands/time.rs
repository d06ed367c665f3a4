//! `sleep`, `time` and `uptime`.

use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::job::Job;
use crate::options::seconds;

/// `sleep SECONDS`
pub fn sleep<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    job.at_most(1)?;
    let text = job.args.get(0).ok_or(Failure::Usage("missing operand"))?;
    job.env.sleep(seconds(text)?)?;
    Ok(Status::OK)
}

/// `time COMMAND [ARGUMENT...]`: runs the command in this thread. A `time` of a `time` is a line more, but no call
/// more, since the stack is small.
pub fn time<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let started = job.env.uptime();
    let more = job.args.iter().take_while(|word| *word == job.name).count();
    let command = job.args.skip(more);
    let status = if command.is_empty() { Status::OK } else { job.run_within(command)? };
    let took = job.env.uptime().saturating_sub(started);
    for _ in 0..=more {
        job.say(format_args!("real {}m{}.{:03}s\n", took.as_secs() / 60, took.as_secs() % 60, took.subsec_millis()));
    }
    Ok(status)
}

/// `uptime`
pub fn uptime<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    job.at_most(0)?;
    let up = job.env.uptime().as_secs();
    let mut out = job.out();
    writeln!(out, "up {}:{:02}:{:02}", up / 3600, up / 60 % 60, up % 60)?;
    out.finish()?;
    Ok(Status::OK)
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn time_shows_how_long_and_passes_the_status_on() {
        let world = World::new();
        let ran = world.run("time sleep 61.5");
        assert_eq!((ran.err.as_str(), ran.status), ("real 1m1.500s\n", 0));
        assert_eq!(world.run("time time sleep 2").err, "real 0m2.000s\nreal 0m2.000s\n");
        assert_eq!(world.run("time false").status, 1);
        assert_eq!(world.run("time nosuch").status, 127);
    }

    #[test]
    fn uptime_counts_from_boot() {
        assert_eq!(World::new().run("sleep 3723; uptime").out, "up 1:02:03\n");
    }

    #[test]
    fn sleep_wants_a_time() {
        let world = World::new();
        assert_eq!(world.run("sleep").status, 1);
        assert_eq!(world.run("sleep x").err, "sleep: invalid time interval: 'x'\n");
    }
}
