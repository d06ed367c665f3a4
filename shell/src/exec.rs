//! Runs lines and commands.
//!
//! [`run_line`] walks a line and has [`Machine`] run each pipeline. The machine starts a thread for each command of it,
//! and each thread calls [`run_command`] with the command's text: words, redirections, and the command itself.

use core::fmt;

use kapi::OpenFlags;

use crate::env::{Env, Status, Stream};
use crate::failure::Failure;
use crate::io;
use crate::job::{CommandSet, Job};
use crate::lexer::{Lexer, Op, SyntaxError, Token};
use crate::parser::{self, Mode, When};
use crate::text::{Full, MAX_PATH, Text};
use crate::words::{Words, expand};

/// What a shell needs to run the parts of a line.
pub trait Machine {
    /// Runs the commands of `pipeline`, connected by pipes, and waits for all of them; the status of the last one.
    fn pipeline(&mut self, pipeline: &str, last: Status) -> Status;

    /// Starts the and-or list `list` and does not wait; whether it could be started.
    fn background(&mut self, list: &str, last: Status) -> Status;

    /// Shows an error of the shell itself, without newline.
    fn complain(&mut self, message: fmt::Arguments<'_>);
}

/// Runs a line and returns its status. `last` is what `$?` means in it; an empty line leaves it as it is. ^C in one
/// command ends the whole line.
pub fn run_line(machine: &mut impl Machine, line: &str, last: Status) -> Status {
    if let Err(error) = parser::check(line) {
        machine.complain(format_args!("sh: {error}"));
        return Status::SYNTAX;
    }
    let mut status = last;
    for (list, mode) in parser::lists(line) {
        status = match mode {
            Mode::Foreground => run_list(machine, list, status),
            Mode::Background => machine.background(list, status),
        };
        if status == Status::INTERRUPTED {
            break;
        }
    }
    status
}

/// Runs an and-or list and returns the status of the last pipeline that ran.
pub fn run_list(machine: &mut impl Machine, list: &str, last: Status) -> Status {
    let mut status = last;
    for (when, pipeline) in parser::steps(list) {
        let due = match when {
            When::Always => true,
            When::Success => status.is_ok(),
            When::Failure => !status.is_ok(),
        };
        if due {
            status = machine.pipeline(pipeline, status);
        }
        if status == Status::INTERRUPTED {
            break;
        }
    }
    status
}

/// Runs one command of a checked line: fills in its words, opens its redirections, calls it. `commands` are those that
/// the line may name.
pub fn run_command<E: Env>(env: &mut E, commands: CommandSet<E>, text: &str, last: Status) -> Status {
    let mut words = Words::new();
    match prepare(env, text, last, &mut words) {
        Ok(()) => call(env, commands, &words),
        Err(status) => status,
    }
}

/// Calls the command that `words` name; without words only the redirections were wanted.
fn call<E: Env>(env: &E, commands: CommandSet<E>, words: &Words) -> Status {
    let args = words.all();
    match args.get(0) {
        None => Status::OK,
        Some(name) => Job { env, commands, name, args: args.skip(1), depth: 0 }.run(),
    }
}

/// Fills in the words of a command and opens its redirections, from left to right. What goes wrong has been said when
/// the status comes back.
fn prepare<E: Env>(env: &mut E, text: &str, last: Status, words: &mut Words) -> Result<(), Status> {
    let mut tokens = Lexer::new(text);
    while let Some(item) = tokens.next() {
        match item.map_err(|error| malformed(env, error))?.1 {
            Token::Word(raw) => words.push(raw, last).map_err(|Full| too_long(env))?,
            Token::Op(Op::ErrorToOutput) => env.error_to_output(),
            Token::Op(op) => match tokens.next() {
                Some(Ok((_, Token::Word(raw)))) => redirect(env, op, raw, last)?,
                Some(Ok((_, Token::Op(op)))) => return Err(malformed(env, SyntaxError::Unexpected(op))),
                Some(Err(error)) => return Err(malformed(env, error)),
                None => return Err(malformed(env, SyntaxError::UnexpectedEnd)),
            },
        }
    }
    Ok(())
}

/// Opens the file of one redirection in place of a standard stream.
fn redirect<E: Env>(env: &mut E, op: Op, raw: &str, last: Status) -> Result<(), Status> {
    let mut path = Text::<MAX_PATH>::new();
    let too_long = Failure::Usage("file name too long");
    expand(raw, last, &mut path).map_err(|Full| complain(env, &too_long, Status::FAILED))?;
    let write = OpenFlags::WRITE | OpenFlags::CREATE;
    let (stream, flags) = match op {
        Op::Input => (Stream::Input, OpenFlags::READ),
        Op::Append => (Stream::Output, write | OpenFlags::APPEND),
        Op::Error => (Stream::Error, write | OpenFlags::TRUNCATE),
        Op::ErrorAppend => (Stream::Error, write | OpenFlags::APPEND),
        _ => (Stream::Output, write | OpenFlags::TRUNCATE),
    };
    let file = env
        .open(path.as_str(), flags)
        .map_err(|errno| complain(env, &Failure::Named(path.as_str(), errno), Status::FAILED))?;
    env.redirect(stream, file);
    Ok(())
}

/// Says in the shell's name why it cannot start a command.
fn complain<E: Env>(env: &E, failure: &Failure<'_>, trouble: Status) -> Status {
    io::complain(env, "sh", failure, trouble)
}

fn malformed<E: Env>(env: &E, error: SyntaxError) -> Status {
    io::say(env, format_args!("sh: {error}\n"));
    Status::SYNTAX
}

fn too_long<E: Env>(env: &E) -> Status {
    complain(env, &Failure::Usage("command too long"), Status::CANNOT_RUN)
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn and_or_lists_stop_and_go_on_by_status() {
        let world = World::new();
        assert_eq!(world.run("true && echo a || echo b").out, "a\n");
        assert_eq!(world.run("false && echo a || echo b").out, "b\n");
        assert_eq!(world.run("false || false && echo a; echo c").out, "c\n");
    }

    #[test]
    fn status_of_the_last_command_is_seen_by_the_next() {
        let world = World::new();
        assert_eq!(world.run("false; echo $?; echo $?").out, "1\n0\n");
        assert_eq!(world.run("nosuch; echo $?").out, "127\n");
        assert_eq!(world.run("false | true; echo $?").out, "0\n");
        assert_eq!(world.run("true | false; echo $?").out, "1\n");
    }

    #[test]
    fn unknown_commands_and_missing_files_have_the_usual_texts() {
        let world = World::new();
        let gone = world.run("nosuch -x");
        assert_eq!((gone.err.as_str(), gone.status), ("sh: nosuch: command not found\n", 127));
        world.put("/bin/there", "");
        let program = "sh: there: command not found; /bin/there is a program (or INIT=/bin/sh)\n";
        assert_eq!(world.run("there").err, program);
        let long = "x".repeat(300);
        assert_eq!(world.run(&long).err, std::format!("sh: {long}: command not found\n"));
        let gone = world.run("cat < /nosuch");
        assert_eq!((gone.err.as_str(), gone.status), ("sh: /nosuch: No such file or directory\n", 1));
    }

    #[test]
    fn a_path_runs_a_program() {
        let world = World::new();
        world.put("/bin/show", "");
        let ran = world.run("/bin/show one 'two  three' | cat > /f; /bin/show; echo $?");
        assert_eq!((ran.out.as_str(), ran.status), ("/bin/show\n7\n", 0));
        assert_eq!(world.get("/f"), "/bin/show one two  three\n");
        let gone = world.run("/bin/nosuch");
        assert_eq!((gone.err.as_str(), gone.status), ("sh: /bin/nosuch: No such file or directory\n", 127));
    }

    #[test]
    fn a_line_with_a_syntax_error_runs_nothing() {
        let world = World::new();
        let bad = world.run("echo a; echo b |");
        assert_eq!((bad.out.as_str(), bad.status), ("", 2));
        assert_eq!(bad.err, "sh: syntax error: unexpected end of line\n");
        let bad = world.run("echo a; echo b > /f; for i in a; do echo $i; done");
        assert_eq!((bad.out.as_str(), bad.status, world.exists("/f")), ("", 2, false));
        assert_eq!(bad.err, "sh: syntax error: for is not supported; quoted, it means itself\n");
    }

    #[test]
    fn redirections_replace_append_and_feed() {
        let world = World::new();
        world.run("echo one > /f; echo two >> /f; cat < /f > /g");
        assert_eq!(world.get("/g"), "one\ntwo\n");
        world.run("> /f");
        assert_eq!(world.get("/f"), "");
        world.run("nosuch 2> /e; nosuch > /o 2>&1");
        assert_eq!(world.get("/e"), "sh: nosuch: command not found\n");
        assert_eq!(world.get("/o"), "sh: nosuch: command not found\n");
    }

    #[test]
    fn a_file_name_that_is_too_long_is_refused() {
        let ran = World::new().run(&std::format!("echo a > /{}", "n".repeat(300)));
        assert_eq!((ran.err.as_str(), ran.status), ("sh: file name too long\n", 1));
    }

    #[test]
    fn long_pipelines_pass_everything_on() {
        let world = World::new();
        assert_eq!(world.run("seq 1 1000 | cat | cat | cat | cat | cat | tail -1").out, "1000\n");
    }

    #[test]
    fn redirections_and_streams_need_no_memory() {
        let world = World::new();
        world.put("/f", "text\n");
        world.limit_memory(0);
        assert_eq!(world.run(": > /g; cat /f | cat | head -1; wc -c < /f").out, "text\n5\n");
    }

    #[test]
    fn a_background_list_runs_too() {
        let world = World::new();
        assert_eq!(world.run("true && echo a > /f &").status, 0);
        assert_eq!(world.get("/f"), "a\n");
    }

    #[test]
    fn interruption_ends_the_line() {
        let world = World::new();
        world.interrupt();
        let stopped = world.run("cat /dev/zero > /dev/null; echo after");
        assert_eq!((stopped.out.as_str(), stopped.err.as_str(), stopped.status), ("", "", 130));
    }

    #[test]
    fn a_command_with_too_many_words_is_refused() {
        let world = World::new();
        let long = world.run(&std::format!("echo {}", "a ".repeat(100)));
        assert_eq!((long.err.as_str(), long.status), ("sh: command too long\n", 126));
    }
}
