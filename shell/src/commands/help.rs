//! `help`: what there is to type.

use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::job::{Command, Job};

/// `help [COMMAND]`
pub fn help<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    job.at_most(1)?;
    let mut out = job.out();
    if let Some(name) = job.args.get(0) {
        let command = job.commands.find(name).ok_or(Failure::Argument("no such command", name))?;
        writeln!(out, "{} {}\n    {}", command.name, command.usage, command.about)?;
        for line in command.manual.lines() {
            writeln!(out, "    {line}")?;
        }
        out.finish()?;
        return Ok(Status::OK);
    }
    let mut last = "";
    while let Some(command) = after(job, last) {
        writeln!(out, "{:<10} {}", command.name, command.about)?;
        last = command.name;
    }
    out.put(b"A line: a | b, a; b, a && b, a || b, a &, > >> < 2> 2>> 2>&1, 'x' \"x\" \\x, $?, # comment\n")?;
    out.put(b"No variables, patterns of names, substitutions, groups, loops; quoted, their signs mean themselves\n")?;
    out.put(b"A program runs by its path: /bin/hello; ls /bin shows which there are\n")?;
    out.finish()?;
    Ok(Status::OK)
}

/// The command whose name comes next after `name`, whichever table it is in.
fn after<E: Env>(job: &Job<'_, E>, name: &str) -> Option<&'static Command<E>> {
    job.commands.iter().filter(|command| command.name > name).min_by_key(|command| command.name)
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn all_commands_are_listed_in_order() {
        let out = World::new().run("help").out;
        let names: std::vec::Vec<&str> = out.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(names[0], ":");
        assert!(names[..names.len() - 3].is_sorted());
        assert!(names.contains(&"cat") && names.contains(&"wc"));
    }

    #[test]
    fn one_command_is_explained() {
        let world = World::new();
        assert_eq!(world.run("help rm").out, "rm [-f] FILE...\n    removes files\n");
        assert_eq!(world.run("help nosuch").err, "help: no such command: 'nosuch'\n");
    }
}
