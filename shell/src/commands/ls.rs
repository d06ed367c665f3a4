//! `ls` and `rm`.

use core::fmt::{self, Write as _};

use kapi::Errno;

use crate::env::{Env, Kind, Stat, Status};
use crate::failure::{Failure, Outcome};
use crate::io::{Out, Store};
use crate::job::Job;
use crate::options::Options;
use crate::order::Order;
use crate::path::join;

/// How entries are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Names,
    Long,
}

/// `ls [-l] [PATH...]`: one name a line, sorted. The long form shows sizes, the numbers of devices, and what links say.
pub fn ls<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "l1");
    let mut form = Form::Names;
    while let Some(option) = options.take()? {
        form = if option == 'l' { Form::Long } else { Form::Names };
    }
    if options.operands().is_empty() {
        directory(job, "/", form)?;
        return Ok(Status::OK);
    }
    let mut status = Status::OK;
    for path in options.operands().iter() {
        match path_operand(job, path, form, options.operands().len() > 1) {
            Err(failure @ Failure::Named(..)) if failure.silent().is_none() => {
                status = job.complain(&failure, Status::FAILED)
            }
            other => other?,
        }
    }
    Ok(status)
}

/// Lists one operand: a directory's entries, or the file itself.
fn path_operand<'a, E: Env>(job: &Job<'a, E>, path: &'a str, form: Form, among: bool) -> Result<(), Failure<'a>> {
    // The long form is about the link.
    let found = match form {
        Form::Names => job.env.stat(path).or_else(|_| job.env.lstat(path)),
        Form::Long => job.env.lstat(path),
    };
    let stat = found.map_err(|errno| Failure::Named(path, errno))?;
    if stat.kind != Kind::Directory {
        let mut out = job.out();
        line(job, &mut out, Listed { name: path, path, stat }, form)?;
        return out.finish();
    }
    if among {
        let mut out = job.out();
        writeln!(out, "{}:", Shown(path))?;
        out.finish()?;
    }
    directory(job, path, form)
}

/// Lists a directory.
fn directory<'a, E: Env>(job: &Job<'a, E>, path: &'a str, form: Form) -> Result<(), Failure<'a>> {
    let named = |errno| Failure::Named(path, errno);
    let names = Names::<E>::read(job, path).map_err(named)?;
    let mut out = job.out();
    for name in names.iter() {
        let whole = join(path, name);
        let stat = match (form, &whole) {
            (Form::Names, _) => Stat { kind: Kind::Regular, size: 0, id: None },
            (Form::Long, Err(errno)) => return Err(named(*errno)),
            (Form::Long, Ok(path)) => match job.env.lstat(path.as_str()) {
                Err(Errno::ENOENT) => continue, // removed since the directory was read
                found => found.map_err(named)?,
            },
        };
        let path = whole.as_ref().map_or(name, |path| path.as_str());
        line(job, &mut out, Listed { name, path, stat }, form)?;
    }
    out.finish()
}

/// What a line tells of.
struct Listed<'n> {
    /// As it is shown.
    name: &'n str,
    /// Where it is.
    path: &'n str,
    stat: Stat,
}

fn line<E: Env>(
    job: &Job<'_, E>,
    out: &mut Out<'_, E>,
    listed: Listed<'_>,
    form: Form,
) -> Result<(), Failure<'static>> {
    let Listed { name, path, stat } = listed;
    if form == Form::Names {
        return writeln!(out, "{}", Shown(name));
    }
    match stat.kind {
        Kind::Directory => write!(out, "d {:>10} ", stat.size)?,
        Kind::Regular => write!(out, "- {:>10} ", stat.size)?,
        Kind::Link => write!(out, "l {:>10} ", stat.size)?,
        Kind::Pipe => write!(out, "p {:>10} ", stat.size)?,
        Kind::Device { major, minor } => write!(out, "c {major:>5},{minor:>4} ")?,
        Kind::Block { major, minor } => write!(out, "b {major:>5},{minor:>4} ")?,
    }
    write!(out, "{}", Shown(name))?;
    let mut shown = Ok(());
    if stat.kind == Kind::Link {
        // What cannot be read any more is not shown.
        let _ = job.env.read_link(path, &mut |text| shown = write!(out, " -> {}", Shown(text)));
    }
    shown?;
    writeln!(out)
}

/// A name as it is shown: with a question mark for each character that would control the terminal.
struct Shown<'n>(&'n str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| f.write_char(if c.is_control() { '?' } else { c }))
    }
}

/// The names in a directory, sorted. A slash, which no name has, ends each of them.
struct Names<E: Env> {
    text: Store<E>,
    order: Order<E>,
}

impl<E: Env> Names<E> {
    fn read(job: &Job<'_, E>, path: &str) -> Result<Self, Errno> {
        let mut text = Store::new();
        job.env.read_dir(path, &mut |name| {
            job.go_on()?;
            text.push(job.env, name.as_bytes())?;
            text.push(job.env, b"/")
        })?;
        let mut order = Order::of(job.env, text.bytes(), b'/')?;
        order.sort(job.env, |a, b| name(text.bytes(), a).cmp(name(text.bytes(), b)))?;
        Ok(Self { text, order })
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        self.order.starts().map(|start| name(self.text.bytes(), start))
    }
}

/// The name that starts at `start`.
fn name(text: &[u8], start: usize) -> &str {
    let name = text[start..].split(|byte| *byte == b'/').next().unwrap_or_default();
    core::str::from_utf8(name).unwrap_or("?")
}

/// `rm [-f] FILE...`
pub fn rm<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "f");
    let mut forced = false;
    while options.take()?.is_some() {
        forced = true;
    }
    if options.operands().is_empty() && !forced {
        return Err(Failure::Usage("missing operand"));
    }
    let mut status = Status::OK;
    for path in options.operands().iter() {
        match job.env.unlink(path) {
            Ok(()) => {}
            Err(Errno::ENOENT) if forced => {}
            Err(errno) => status = job.complain(&Failure::Named(path, errno), Status::FAILED),
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn a_directory_is_listed_sorted() {
        let world = World::new();
        world.put("/b", "12345");
        world.put("/a", "");
        assert_eq!(world.run("ls").out, "a\nb\n");
        assert_eq!(world.run("ls -l /").out, "-          0 a\n-          5 b\n");
    }

    #[test]
    fn files_and_devices_are_listed_by_themselves() {
        let world = World::new();
        world.put("/a", "xyz");
        assert_eq!(world.run("ls -l /a /dev/null").out, "-          3 /a\nc     1,   3 /dev/null\n");
        let ran = world.run("ls /nosuch /a");
        assert_eq!((ran.out.as_str(), ran.status), ("/a\n", 1));
        assert_eq!(ran.err, "ls: /nosuch: No such file or directory\n");
    }

    #[test]
    fn links_say_where_they_lead() {
        let world = World::new();
        world.put("/a", "xyz");
        world.link("/to_a", "/a");
        world.link("/to_none", "nothing\x1b");
        assert_eq!(world.run("ls").out, "a\nto_a\nto_none\n");
        assert_eq!(
            world.run("ls -l").out,
            "-          3 a\nl          2 to_a -> /a\nl          8 to_none -> nothing?\n"
        );
        assert_eq!(world.run("ls -l /to_a").out, "l          2 /to_a -> /a\n");
        assert_eq!(world.run("ls /to_a /to_none").out, "/to_a\n/to_none\n");
    }

    #[test]
    fn long_names_are_listed_whole() {
        let world = World::new();
        let name = "n".repeat(200);
        world.put(&std::format!("/{name}"), "xyz");
        assert_eq!(world.run("ls").out, std::format!("{name}\n"));
        assert_eq!(world.run("ls -l").out, std::format!("-          3 {name}\n"));
        world.put(&std::format!("/{}", "n".repeat(300)), "");
        assert_eq!(world.run("ls -l").err, "ls: /: File name too long\n");
    }

    #[test]
    fn no_name_controls_the_terminal() {
        let world = World::new();
        world.put("/a\x1b[2J\nb\u{9b}\x7f\u{e9}", "");
        assert_eq!(world.run("ls").out, "a?[2J?b??\u{e9}\n");
        assert_eq!(world.run("ls -l").out, "-          0 a?[2J?b??\u{e9}\n");
        world.put("/\x07", "");
        assert_eq!(world.run("ls '/\x07'").out, "/?\n");
    }

    #[test]
    fn a_listing_without_memory_is_an_error() {
        let world = World::new();
        world.put("/a", "");
        world.limit_memory(0);
        let ran = world.run("ls");
        assert_eq!((ran.err.as_str(), ran.status), ("ls: /: Cannot allocate memory\n", 1));
    }

    #[test]
    fn rm_removes_and_minds_what_is_missing_unless_forced() {
        let world = World::new();
        world.put("/a", "");
        assert_eq!(world.run("rm /a").status, 0);
        assert!(!world.exists("/a"));
        let ran = world.run("rm /a");
        assert_eq!((ran.err.as_str(), ran.status), ("rm: /a: No such file or directory\n", 1));
        assert_eq!(world.run("rm -f /a").status, 0);
        assert_eq!(world.run("rm").err, "rm: missing operand\n");
    }
}
