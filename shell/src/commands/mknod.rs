//! `mknod`: a name for a device that has only numbers.

use crate::env::{Env, Kind, Status};
use crate::failure::{Failure, Outcome};
use crate::job::Job;

/// For `help`.
pub const ABOUT: &str = "gives a character or block device a name; p: a pipe";

/// `mknod NAME c|b MAJOR MINOR`, `mknod NAME p`
pub fn mknod<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut words = job.args.iter();
    let (Some(path), Some(kind)) = (words.next(), words.next()) else {
        return Err(Failure::Usage("a name and c, b or p are missing"));
    };
    let numbers = (words.next(), words.next());
    if words.next().is_some() {
        return Err(Failure::Usage("too many words"));
    }
    let kind = match (kind, numbers) {
        ("p", (None, None)) => Kind::Pipe,
        ("c" | "b", (Some(major), Some(minor))) => {
            let (major, minor) = (number(major)?, number(minor)?);
            if kind == "c" { Kind::Device { major, minor } } else { Kind::Block { major, minor } }
        }
        _ => return Err(Failure::Usage("c and b have two numbers, p has none")),
    };
    job.env.make_node(path, kind).map_err(|errno| Failure::Named(path, errno))?;
    Ok(Status::OK)
}

fn number<'a>(word: &'a str) -> Result<u16, Failure<'a>> {
    word.parse().map_err(|_| Failure::Usage("a number is no number, or too large"))
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn a_device_or_pipe_gets_a_name() {
        let world = World::new();
        assert_eq!(world.run("mknod /a c 42 3 && mknod /b b 7 0 && mknod /p p; ls").out, "a\nb\np\n");
        let ran = world.run("mknod /a c 1 1");
        assert_eq!((ran.err.as_str(), ran.status), ("mknod: /a: File exists\n", 1));
    }

    #[test]
    fn words_that_say_nothing_are_refused() {
        let world = World::new();
        for line in
            ["mknod", "mknod /a", "mknod /a c", "mknod /a c 1", "mknod /a x 1 1", "mknod /a p 1", "mknod /a c 1 2 3"]
        {
            let ran = world.run(line);
            assert!(ran.status == 1 && ran.err.starts_with("mknod: "), "{line}: {}", ran.err);
        }
        assert!(world.run("mknod /a c 1 70000").err.contains("too large"));
    }
}
