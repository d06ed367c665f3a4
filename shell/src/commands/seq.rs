//! `seq`: numbers, one a line.

use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::job::Job;
use crate::options::integer;

/// `seq [FIRST [STEP]] LAST`
pub fn seq<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let number = |index| integer(job.args.get(index).unwrap_or(""));
    let (first, step, last) = match job.args.len() {
        1 => (1, 1, number(0)?),
        2 => (number(0)?, 1, number(1)?),
        3 => (number(0)?, number(1)?, number(2)?),
        _ => return Err(Failure::Usage("needs one to three numbers")),
    };
    if step == 0 {
        return Err(Failure::Usage("the step cannot be 0"));
    }
    let mut out = job.out();
    let mut next = Some(first);
    while let Some(value) = next.filter(|value| if step > 0 { *value <= last } else { *value >= last }) {
        writeln!(out, "{value}")?;
        next = value.checked_add(step);
    }
    out.finish()?;
    Ok(Status::OK)
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn one_two_or_three_numbers() {
        let world = World::new();
        assert_eq!(world.run("seq 3").out, "1\n2\n3\n");
        assert_eq!(world.run("seq -1 1").out, "-1\n0\n1\n");
        assert_eq!(world.run("seq 5 -2 1").out, "5\n3\n1\n");
        assert_eq!(world.run("seq 2 1").out, "");
        assert_eq!(world.run("seq 9223372036854775806 9223372036854775807 | wc -l").out, "2\n");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let world = World::new();
        assert_eq!(world.run("seq x").err, "seq: invalid number: 'x'\n");
        assert_eq!(world.run("seq 9223372036854775808").err, "seq: number too large: '9223372036854775808'\n");
        assert_eq!(world.run("seq 1 0 2").status, 1);
        assert_eq!(world.run("seq").status, 1);
    }
}
