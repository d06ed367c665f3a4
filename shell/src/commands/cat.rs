//! `cat` and `cp`: copy bytes, a page at a time.

use kapi::Errno;

use crate::env::{Env, File, Kind, Status};
use crate::failure::{Failure, Outcome};
use crate::io::{CHUNK, write_all};
use crate::job::Job;
use crate::options::Options;
use crate::path::{file_name, join};
use crate::words::Args;

/// `cat [FILE...]`
pub fn cat<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    job.for_each_copied_input(operands(job)?, |file, path| copy(job, file, path, job.output(), None))
}

/// `cp FROM TO`, `cp FILE... DIRECTORY`: a file that cannot be copied is complained about, and the others still have
/// their turn.
pub fn cp<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let names = operands(job)?;
    let (Some(first), Some(to)) = (names.get(0), names.get(names.len().saturating_sub(1).max(1))) else {
        return Err(Failure::Usage("needs the name of a file and the name of its copy, or names and a directory"));
    };
    let target = job.env.stat(to);
    if !target.is_ok_and(|stat| stat.kind == Kind::Directory) {
        if names.len() > 2 {
            return Err(Failure::Named(to, target.err().unwrap_or(Errno::ENOTDIR)));
        }
        return copy_file(job, first, to).map(|()| Status::OK);
    }
    let mut status = Status::OK;
    for from in names.iter().take(names.len() - 1) {
        let copied = match join(to, file_name(from)) {
            Ok(path) => copy_file(job, from, path.as_str()).map_err(|failure| job.complain(&failure, Status::FAILED)),
            Err(errno) => Err(job.complain(&Failure::Named(from, errno), Status::FAILED)),
        };
        status = copied.err().unwrap_or(status);
        if status.is_killed() {
            break;
        }
    }
    Ok(status)
}

/// Copies the file `from`; what `to` held is gone.
fn copy_file<'n, E: Env>(job: &Job<'n, E>, from: &'n str, to: &'n str) -> Result<(), Failure<'n>> {
    let source = job.open(from)?;
    // Looked at before the target is emptied.
    if source.id().is_some() && source.id() == job.env.stat(to).ok().and_then(|stat| stat.id) {
        return Err(Failure::SameFile(from));
    }
    let target = job.create(to)?;
    copy(job, &source, from, &target, Some(to))
}

/// What is to be copied: there are no options.
fn operands<'a, E: Env>(job: &Job<'a, E>) -> Result<Args<'a>, Failure<'a>> {
    let mut options = Options::new(job.args, "");
    options.take()?;
    Ok(options.operands())
}

/// Copies what is left of `from` to `to`; a target without a name is standard output.
fn copy<'a, E: Env>(
    job: &Job<'a, E>,
    from: &E::File,
    from_name: &'a str,
    to: &E::File,
    to_name: Option<&'a str>,
) -> Result<(), Failure<'a>> {
    let mut bytes = [0; CHUNK];
    loop {
        let len = job.read(from, &mut bytes).map_err(|errno| Failure::Named(from_name, errno))?;
        if len == 0 {
            return Ok(());
        }
        write_all(job.env, to, &bytes[..len])
            .map_err(|errno| to_name.map_or(Failure::Output(errno), |name| Failure::Named(name, errno)))?;
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn cat_joins_files_and_standard_input() {
        let world = World::new();
        world.put("/a", "A");
        world.put("/b", "B");
        assert_eq!(world.run_with("cat /a - /b", b"in").out, "AinB");
        assert_eq!(world.run_with("cat", b"in").out, "in");
        assert_eq!(world.run("cat -- /a").out, "A");
        assert_eq!(world.run("cat -n /a").err, "cat: invalid option: 'n'\n");
        assert_eq!(world.run("cp -r /a /b").err, "cp: invalid option: 'r'\n");
    }

    #[test]
    fn cat_loops_over_short_reads_and_writes() {
        let world = World::new();
        let text = "0123456789".repeat(1000);
        world.put("/a", &text);
        world.limit_transfers(7);
        assert_eq!(world.run("cat /a > /b").status, 0);
        assert_eq!(world.get("/b"), text);
    }

    #[test]
    fn a_missing_file_is_named_and_the_others_are_copied() {
        let world = World::new();
        world.put("/a", "A");
        let ran = world.run("cat /dev/nosuch /a");
        assert_eq!((ran.out.as_str(), ran.status), ("A", 1));
        assert_eq!(ran.err, "cat: /dev/nosuch: No such file or directory\n");
    }

    #[test]
    fn a_full_device_is_a_write_error() {
        let world = World::new();
        world.put("/a", "A");
        let ran = world.run("cat /a > /dev/full");
        assert_eq!((ran.err.as_str(), ran.status), ("cat: write error: No space left on device\n", 1));
        let ran = world.run("cp /a /dev/full");
        assert_eq!((ran.err.as_str(), ran.status), ("cp: /dev/full: No space left on device\n", 1));
    }

    #[test]
    fn a_file_is_not_copied_onto_itself() {
        let world = World::new();
        let refused = |line: &str, name: &str, left: &str| {
            world.put("/f", "text\n");
            let ran = world.run(line);
            let command = line.split(' ').next().unwrap();
            assert_eq!(ran.err, std::format!("{command}: {name}: input file is output file\n"), "{line}");
            assert_eq!((world.get("/f").as_str(), ran.status % 2), (left, i32::from(command != "grep")), "{line}");
        };
        refused("cat /f >> /f", "/f", "text\n");
        refused("cat < /f >> /f", "-", "text\n");
        refused("cat - < /f >> /f", "-", "text\n");
        // The shell has emptied these before the command sees them.
        refused("cat /f > /f", "/f", "");
        refused("cat < /f > /f", "-", "");
        refused("cp /f /f", "/f", "text\n");
        refused("head /f >> /f", "/f", "text\n");
        refused("tail /f >> /f", "/f", "text\n");
        refused("tail -n +1 < /f >> /f", "-", "text\n");
        refused("uniq /f >> /f", "/f", "text\n");
        refused("hexdump /f >> /f", "/f", "text\n");
        refused("grep x /f >> /f", "/f", "text\n");
        refused("dd if=/f of=/f", "/f", "text\n");
        refused("dd if=/f of=/f conv=notrunc seek=1", "/f", "text\n");
        refused("dd if=/f of=/f seek=1", "/f", "text\n");
        refused("dd < /f >> /f", "standard input", "text\n");
        refused("dd if=/f >> /f count=1", "/f", "text\n");
        refused("dd of=/f < /f", "standard input", "text\n");
    }

    #[test]
    fn other_files_still_have_their_turn() {
        let world = World::new();
        world.put("/f", "F");
        world.put("/g", "G");
        let ran = world.run("cat /g /f /g >> /f");
        assert_eq!((ran.err.as_str(), ran.status), ("cat: /f: input file is output file\n", 1));
        assert_eq!(world.get("/f"), "FGG");
        let ran = world.run("cat /f /f > /f");
        assert_eq!(ran.err, "cat: /f: input file is output file\ncat: /f: input file is output file\n");
    }

    #[test]
    fn what_ends_may_read_and_write_one_file() {
        let world = World::new();
        let left = |line: &str| {
            world.put("/f", "b\na\n");
            assert_eq!(world.run(line).err, "", "{line}");
            world.get("/f")
        };
        assert_eq!(left("sort /f >> /f"), "b\na\na\nb\n");
        assert_eq!(left("sort /f > /f"), "");
        assert_eq!(left("wc -l < /f >> /f"), "b\na\n2\n");
        assert_eq!(left("grep -c a /f >> /f"), "b\na\n1\n");
        assert_eq!(left("dd if=/f of=/f bs=2 skip=1 conv=notrunc status=none"), "a\na\n");
        assert_eq!(left("dd if=/f of=/f bs=2 seek=2 count=2 conv=notrunc status=none"), "b\na\nb\na\n");
        assert_eq!(world.run("cat < /dev/null > /dev/null").status, 0);
        assert_eq!(world.run("head -c 5 < /dev/zero > /dev/zero").status, 0);
    }

    #[test]
    fn cp_copies_and_wants_two_names() {
        let world = World::new();
        world.put("/a", "A");
        assert_eq!(world.run("cp /a /b").status, 0);
        assert_eq!(world.get("/b"), "A");
        for line in ["cp /a", "cp", "cp --"] {
            let ran = world.run(line);
            assert!(ran.err.starts_with("cp: needs the name of a file"), "{line}: {}", ran.err);
            assert_eq!(ran.status, 1);
        }
        assert_eq!(world.run("cp /nosuch /b").err, "cp: /nosuch: No such file or directory\n");
        assert_eq!(world.get("/b"), "A");
    }

    #[test]
    fn files_are_copied_into_a_directory() {
        let world = World::new();
        world.put("/in/a", "A");
        world.put("/in/b", "B");
        assert_eq!(world.run("cp /in/a /in/b /").status, 0);
        assert_eq!((world.get("/a"), world.get("/b")), ("A".into(), "B".into()));
        world.put("/in/a", "new");
        assert_eq!(world.run("cp /in/a /").status, 0);
        assert_eq!(world.get("/a"), "new");
    }

    #[test]
    fn what_cannot_be_copied_into_a_directory_is_named_and_the_rest_is_copied() {
        let world = World::new();
        world.put("/in/b", "B");
        world.put("/own", "own");
        let long = ["/in/", &"n".repeat(256)].concat();
        world.put(&long, "");
        let ran = world.run(&std::format!("cp /in/nosuch / /own {long} /in/b /"));
        assert_eq!(
            ran.err,
            std::format!(
                "cp: /in/nosuch: No such file or directory\ncp: /: Is a directory\n\
                 cp: /own: input file is output file\ncp: {long}: File name too long\n"
            )
        );
        assert_eq!((world.get("/b").as_str(), world.get("/own").as_str(), ran.status), ("B", "own", 1));
        world.interrupt_at_look(3);
        let ended = world.run("cp /in/b /in/b /");
        assert_eq!((ended.err.as_str(), ended.status), ("", 130));
    }

    #[test]
    fn several_files_need_a_directory() {
        let world = World::new();
        world.put("/a", "A");
        world.put("/b", "B");
        assert_eq!(world.run("cp /a /a /b").err, "cp: /b: Not a directory\n");
        assert_eq!(world.run("cp /a /b /nosuch").err, "cp: /nosuch: No such file or directory\n");
        assert_eq!((world.get("/b").as_str(), world.exists("/nosuch")), ("B", false));
    }
}
