//! `crash`: bad ends on request, to see what is left after each.

use core::time::Duration;

use services::options::Switch;
use shell::{Env, Failure, Job, Outcome, Status};

use crate::debug::crash;
use crate::options;
use crate::sched::{self, Mutex};
use crate::sync::SpinLock;
use crate::timer::Timer;

/// A way to die.
struct End {
    name: &'static str,
    about: &'static str,
    die: fn() -> Result<(), Failure<'static>>,
}

static SPINLOCK: SpinLock<()> = SpinLock::new(());
static MUTEX: Mutex<()> = Mutex::new(());
static TIMER: Timer = Timer::new(|_| crash::fault());

/// The first five end the command: an oops. The others end the machine.
const ENDS: [End; 10] = [
    End { name: "fault", about: "reads an address where nothing is", die: || crash::fault() },
    End { name: "memset", about: "has memset write there", die: || crash::fault_in_memset() },
    End { name: "assert", about: "panics in process context", die: || panic!("crash: asked for") },
    End { name: "stack", about: "uses up its stack", die: || Err(Failure::Argument("not reached", overflow())) },
    End { name: "mutex", about: "faults with a mutex held, which is broken from then on", die: with_mutex },
    End { name: "panic", about: "panics with a spinlock held", die: || SPINLOCK.with(|()| panic!("crash: asked for")) },
    End { name: "lock", about: "faults with a spinlock held", die: || SPINLOCK.with(|()| crash::fault()) },
    End { name: "timer", about: "faults in a timer's callback", die: in_timer },
    End { name: "hang", about: "stops, deaf to interrupts", die: || crash::hang() },
    End { name: "reset", about: "resets the machine", die: || crash::reset() },
];

fn overflow() -> &'static str {
    if crash::overflow(0) == 0 { "0" } else { "" }
}

fn with_mutex() -> Result<(), Failure<'static>> {
    let _held = MUTEX.lock().map_err(|error| Failure::Plain(error.into()))?;
    crash::fault()
}

fn in_timer() -> Result<(), Failure<'static>> {
    TIMER.add(Duration::ZERO, 0);
    sched::sleep(Duration::from_secs(1)).map_err(|error| Failure::Plain(error.into()))
}

/// `crash END`: needs the kernel option `crash=1`.
pub fn run<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    if options::get().crash == Switch::Off {
        return Err(Failure::Usage("needs the kernel option crash=1"));
    }
    job.at_most(1)?;
    let Some(name) = job.args.get(0) else {
        let mut out = job.out();
        for end in ENDS {
            writeln!(out, "{:<8}{}", end.name, end.about)?;
        }
        out.finish()?;
        return Ok(Status::SYNTAX);
    };
    let end = ENDS.iter().find(|end| end.name == name);
    let end = end.ok_or(Failure::Argument("knows no such end; without operand it lists them", name))?;
    (end.die)()?;
    Ok(Status::FAILED)
}
