//! `echo`, `true`, `false` and `:`.

use crate::env::{Env, Status};
use crate::failure::Outcome;
use crate::job::Job;

/// `echo [-n] [WORD...]`
pub fn echo<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let quiet_end = job.args.get(0) == Some("-n");
    let mut out = job.out();
    for (index, word) in job.args.skip(usize::from(quiet_end)).iter().enumerate() {
        if index > 0 {
            out.put(b" ")?;
        }
        out.put(word.as_bytes())?;
    }
    if !quiet_end {
        out.put(b"\n")?;
    }
    out.finish()?;
    Ok(Status::OK)
}

/// `true` and `:`
pub fn succeed<'a, E: Env>(_: &Job<'a, E>) -> Outcome<'a> {
    Ok(Status::OK)
}

/// `false`
pub fn fail<'a, E: Env>(_: &Job<'a, E>) -> Outcome<'a> {
    Ok(Status::FAILED)
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn words_are_joined_by_one_blank() {
        let world = World::new();
        assert_eq!(world.run("echo a   'b  c' \"\" d").out, "a b  c  d\n");
        assert_eq!(world.run("echo -n a").out, "a");
        assert_eq!(world.run("echo").out, "\n");
    }

    #[test]
    fn a_full_device_is_an_error() {
        let ran = World::new().run("echo a > /dev/full");
        assert_eq!((ran.err.as_str(), ran.status), ("echo: write error: No space left on device\n", 1));
    }

    #[test]
    fn true_and_false_have_their_status() {
        let world = World::new();
        assert_eq!((world.run("true").status, world.run(": a b").status, world.run("false").status), (0, 0, 1));
    }
}
