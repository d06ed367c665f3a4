//! The chapter at the prompt: kmalloc and the other calls as commands.
//!
//! [`CALLS`] lists the commands that make a call; [`run`] makes it from the command's thread, [`at_irq`] from a timer.
//! What they hand out has a number (`m1`), which stands for its address. `operands.rs` reads what was typed, `show.rs`
//! says what came of it, `page.rs` what is known of a page, `manual.rs` what `help` tells, `complete.rs` what Tab
//! finds; `bytes.rs` reads and writes what was handed out.
//! (Chapter: "The Real Story of kmalloc" to "vmalloc and Friends".)

pub mod bytes;
mod cache;
mod complete;
pub mod manual;
mod operands;
pub mod page;
mod show;

pub use complete::words;

use services::options::Switch;
use shell::options::Options;
use shell::words::Args;
use shell::{Env, Failure, Job, Outcome, Status};

use crate::mm::handouts::{self, From, Refusal, Request};

/// A command that makes a call.
struct Call {
    name: &'static str,
    read: fn(Args<'_>) -> Result<Request, Failure<'_>>,
}

/// The commands that make a call.
const CALLS: [Call; 10] = [
    Call { name: "cache", read: cache::request },
    Call { name: "freepages", read: operands::freepages },
    Call { name: "getpages", read: operands::getpages },
    Call { name: "getzeroed", read: operands::getzeroed },
    Call { name: "ioremap", read: operands::ioremap },
    Call { name: "iounmap", read: operands::iounmap },
    Call { name: "kfree", read: operands::kfree },
    Call { name: "kmalloc", read: operands::kmalloc },
    Call { name: "vfree", read: operands::vfree },
    Call { name: "vmalloc", read: operands::vmalloc },
];

/// Any of the commands that make a call.
pub fn run<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    if job.name == "cache" && job.args.is_empty() {
        return cache::list(job);
    }
    perform(job, job.name, job.args, From::Thread)
}

/// `@irq COMMAND [OPERAND...]`: the same call, made in interrupt context.
pub fn at_irq<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let name = job.args.get(0).ok_or(Failure::Usage("missing command"))?;
    perform(job, name, job.args.skip(1), From::Timer)
}

fn perform<'a, E: Env>(job: &Job<'a, E>, name: &'a str, args: Args<'a>, from: From) -> Outcome<'a> {
    let call = CALLS.iter().find(|call| call.name == name);
    let call = call.ok_or(Failure::Argument("no command that makes a call; help @irq lists them", name))?;
    let request = (call.read)(args)?;
    match handouts::perform(request, from) {
        Ok(answer) => {
            let mut out = job.out();
            writeln!(out, "{}", show::answer(&answer))?;
            out.finish()?;
            Ok(Status::OK)
        }
        Err(Refusal::Lock(errno)) => Err(Failure::Plain(errno)),
        Err(refusal) => {
            let what = show::subject(&request);
            let at_irq = if from == From::Timer { "@irq: " } else { "" };
            job.say(format_args!("{at_irq}{name}: {what}{}\n", show::refusal(&request, refusal)));
            Ok(Status::FAILED)
        }
    }
}

/// `held [-f]`: what was handed out at the prompt and not freed; `-f` frees it.
pub fn held<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "f");
    let mut frees = Switch::Off;
    while options.take()?.is_some() {
        frees = Switch::On;
    }
    if !options.operands().is_empty() {
        return Err(Failure::Usage("too many operands"));
    }
    let (mut out, mut last) = (job.out(), 0);
    while let Some(handout) = handouts::live_after(last).map_err(operands::locked)? {
        job.go_on()?;
        last = handout.number;
        if frees == Switch::Off {
            writeln!(out, "{}", show::handout(&handout))?;
        } else if let Err(refusal) = handouts::perform(handout.what.free(), From::Thread) {
            job.say(format_args!("held: m{last}: {refusal}\n"));
        }
    }
    out.finish()?;
    Ok(Status::OK)
}
