//! One run: QEMU as a child, bytes both ways, clocks, and the end.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::console::{Console, Stage};
use crate::handed::Handed;
use crate::input::{Input, Source};
use crate::qemu::Machine;
use crate::settings::{Debugger, Settings};
use crate::terminal::RawTerminal;
use crate::verdict::Verdict;

/// How often the clocks are looked at.
const TICK_MS: u8 = 250;
/// Silence after the end of input before ^D is sent again.
const END_PATIENCE: Duration = Duration::from_secs(2);
/// How many times as long as usual a busy host may take to load the initial files.
const SLOWEST: u32 = 3;
/// Silence of a machine that starts which is worth a word.
const NOTABLE: Duration = Duration::from_secs(10);
const CHUNK: usize = 16 * 1024;

/// A running guest. It is killed when the session is dropped.
pub struct Session {
    child: Child,
    to_guest: ChildStdin,
    from_guest: ChildStdout,
    signals: UnixStream,
    console: Console,
    input: Input,
    /// A person's terminal, while the session runs.
    raw: Option<RawTerminal>,
    clocks: Clocks,
    /// What was asked for, for the message of a run that did not begin.
    cpu: Option<String>,
    /// Whether the user knows that it takes long.
    told: bool,
}

/// When the run began, when it last moved, and how long each may last.
struct Clocks {
    started: Instant,
    moved: Instant,
    ended_again: Instant,
    silence: Option<Duration>,
    /// How much longer the firmware and the bootloader may be silent.
    loading: Duration,
    limit: Option<Duration>,
}

/// Which ends have something to do.
struct Ready {
    signal: bool,
    from_guest: bool,
    to_guest: bool,
    stdin: bool,
}

impl Session {
    /// Starts QEMU on an image that takes so long to load, and hands it the rest.
    pub fn start(image: File, handed: &Handed<'_>, loading: Duration, settings: &Settings) -> Result<Self> {
        let input = Input::new(settings);
        let signals = termination_signals()?;
        let mut machine = Machine::new(image, handed, settings, input.source())?;
        let mut child = machine.command.spawn().context("cannot start QEMU")?;
        let to_guest = child.stdin.take().context("QEMU has no standard input")?;
        let from_guest = child.stdout.take().context("QEMU has no standard output")?;
        fcntl(&to_guest, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let clocks = Clocks::new(settings, loading, input.source());
        let cpu = settings.cpu.clone();
        let (console, raw) = (Console::new(), None);
        Ok(Self { child, to_guest, from_guest, signals, console, input, raw, clocks, cpu, told: false })
    }

    /// Where the session's lines come from.
    pub fn source(&self) -> Source {
        self.input.source()
    }

    /// Carries bytes both ways until the guest ends or a clock runs out.
    pub fn run(mut self) -> Result<Verdict> {
        if self.input.source() == Source::Terminal {
            self.raw = Some(RawTerminal::enter()?);
        }
        loop {
            if let Some(verdict) = self.step()? {
                return Ok(verdict);
            }
        }
    }

    fn step(&mut self) -> Result<Option<Verdict>> {
        let ready = self.wait()?;
        if ready.signal {
            return Ok(Some(Verdict::Interrupted));
        }
        if ready.from_guest && self.show_output()? == 0 {
            return self.end().map(Some);
        }
        if ready.stdin {
            self.input.read(&mut io::stdin()).context("cannot read standard input")?;
        }
        if self.console.stage() < Stage::Ready && self.input.quit_was_typed() {
            return Ok(Some(Verdict::Success));
        }
        if ready.to_guest {
            self.send_input()?;
        }
        self.repeat_end_of_input();
        self.tell_of_silence();
        Ok(self.clocks.verdict(self.console.stage(), self.waiting_for()))
    }

    fn wait(&self) -> Result<Ready> {
        let stdin = io::stdin();
        let guest_reads = self.console.stage() == Stage::Ready;
        let wants_stdin = self.input.wants_more() && (guest_reads || self.input.source() == Source::Terminal);
        let wants_send = self.input.has_waiting() && guest_reads;
        // An end that is not wanted is left out: one that hung up would be reported at once, again and again.
        let mut ends = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.from_guest.as_fd(), PollFlags::POLLIN),
        ];
        if wants_send {
            ends.push(PollFd::new(self.to_guest.as_fd(), PollFlags::POLLOUT));
        }
        if wants_stdin {
            ends.push(PollFd::new(stdin.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut ends, PollTimeout::from(TICK_MS)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("cannot wait for QEMU"),
        }
        let mut ready = ends.iter().map(|end| end.any().unwrap_or(false));
        let mut next = |wanted: bool| wanted && ready.next().unwrap_or(false);
        Ok(Ready { signal: next(true), from_guest: next(true), to_guest: next(wants_send), stdin: next(wants_stdin) })
    }

    /// Shows what the guest sent; returns the number of bytes, 0 when QEMU has ended.
    fn show_output(&mut self) -> Result<usize> {
        let mut chunk = [0; CHUNK];
        let count = self.from_guest.read(&mut chunk).context("cannot read QEMU's output")?;
        let stage = self.console.stage();
        let (shown, rest) = self.console.filter(&chunk[..count]);
        show(&shown)?;
        if let Some(raw) =
            self.raw.as_ref().filter(|_| stage < self.console.stage() && self.console.stage() == Stage::Ready)
        {
            raw.show_as_sent()?;
        }
        show(&self.console.filter(rest).0)?;
        self.clocks.moved = Instant::now();
        Ok(count)
    }

    fn send_input(&mut self) -> Result<()> {
        // A ^D that nobody reads is no progress.
        let counts = !self.input.is_at_end();
        match self.input.send(&mut self.to_guest) {
            Ok(count) if count > 0 && counts => self.clocks.moved = Instant::now(),
            Ok(_) => {}
            // QEMU is ending: its output says so next.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => return Err(error).context("cannot send input to QEMU"),
        }
        Ok(())
    }

    /// The program that ran last may have read the ^D that was the shell's. Another one does no harm.
    fn repeat_end_of_input(&mut self) {
        let last = self.clocks.moved.max(self.clocks.ended_again);
        if self.input.is_spent() && last.elapsed() > END_PATIENCE {
            self.clocks.ended_again = Instant::now();
            self.input.end_again();
        }
    }

    /// Says once what is waited for, if the machine takes its time to start.
    fn tell_of_silence(&mut self) {
        if !self.told && self.console.stage() < Stage::Ready && self.clocks.moved.elapsed() > NOTABLE {
            self.told = true;
            eprintln!("boot: waiting for {}", self.waiting_for());
        }
    }

    fn end(&mut self) -> Result<Verdict> {
        let status = self.child.wait().context("cannot wait for QEMU")?;
        if self.input.quit_was_typed() && status.success() {
            return Ok(Verdict::Success);
        }
        let verdict = Verdict::of_qemu(status);
        let unknown = matches!(verdict, Verdict::Ended(_)) && self.console.stage() == Stage::Firmware;
        if let Some(model) = self.cpu.as_ref().filter(|_| unknown) {
            eprintln!("boot: CPU={model}: `qemu-system-x86_64 -cpu help` lists the models that there are");
        }
        Ok(verdict)
    }

    fn waiting_for(&self) -> &'static str {
        match self.console.stage() {
            Stage::Firmware => "the kernel's first byte",
            Stage::Booting => "the kernel to take input or to end",
            Stage::Ready if self.input.source() == Source::Pipe && !self.input.is_spent() => {
                "the guest to read its input"
            }
            Stage::Ready => "the guest to end",
        }
    }
}

fn show(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).context("cannot write the console's text")
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Clocks {
    fn new(settings: &Settings, loading: Duration, source: Source) -> Self {
        let now = Instant::now();
        let unhurried = source == Source::Terminal || settings.debugger == Debugger::Awaited;
        let silence = if unhurried { None } else { settings.silence };
        Self { started: now, moved: now, ended_again: now, silence, loading, limit: settings.limit }
    }

    fn verdict(&self, stage: Stage, waiting_for: &'static str) -> Option<Verdict> {
        let over = |since: Instant, allowed: Option<Duration>| allowed.filter(|&most| since.elapsed() > most);
        let loading = if stage == Stage::Firmware { self.loading * SLOWEST } else { Duration::ZERO };
        if let Some(after) = over(self.moved, self.silence.map(|most| most + loading)) {
            return Some(Verdict::TimedOut { after, too_much: "silence", waiting_for });
        }
        let after = over(self.started, self.limit)?;
        Some(Verdict::TimedOut { after, too_much: "running", waiting_for })
    }
}

/// A stream that turns readable when this program is told to end; QEMU and the terminal are then put in order.
fn termination_signals() -> Result<UnixStream> {
    let (reader, writer) = UnixStream::pair()?;
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        signal_hook::low_level::pipe::register(signal, writer.try_clone()?)
            .with_context(|| format!("cannot watch signal {signal} on {}", writer.as_raw_fd()))?;
    }
    Ok(reader)
}
