//! A machine that runs while its memory is shown or recorded.

use std::env;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::layout::{Rect, Size};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};

use crate::console::resize;
use crate::guest::Guest;
use crate::keys::{Key, Keys};
use crate::machine::{Console, Machine};
use crate::palette::Colours;
use crate::physical::Ram;
use crate::picture::Picture;
use crate::record::{Entry, Recorder};
use crate::screen::{Mode, Screen};
use crate::terminal::TakenOver;
use crate::view::{HasConsole, Parts, draw};

/// The shortest time from one picture to the next: nobody sees more.
const PAUSE: Duration = Duration::from_millis(33);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Lines of the console that can be gone back to.
const CONSOLE_LINES: usize = 2000;
/// Reads of the console after the end: more than it can still have.
const LAST_READS: usize = 16;
/// Lines of the console that stay on the terminal behind the end.
const LAST_LINES: usize = 12;
/// Rows and columns below which the console goes on as if there were so many: a wide character needs two.
const CONSOLE_LEAST: u16 = 2;
const CHUNK: usize = 16 * 1024;
/// How long what the machine has said is on its way at most, about.
const ON_ITS_WAY: Duration = Duration::from_millis(20);
const NOT_WRITTEN: &str = "the recording cannot be written";

/// What runs, and where its pictures go.
pub struct Session {
    machine: Machine,
    guest: Guest<Ram>,
    recorder: Option<Recorder<BufWriter<File>>>,
    /// The picture that was recorded last.
    last: Picture,
    started: Instant,
    next: Instant,
    signals: UnixStream,
    window: UnixStream,
}

/// What has happened.
struct Ready {
    signal: bool,
    window: bool,
    waiting: bool,
    console: bool,
    keys: bool,
}

/// Who gets to see what happens.
trait Audience {
    fn picture(&mut self, entry: Entry);
    fn said(&mut self, bytes: &[u8]) -> Result<()>;
}

/// Nobody but who reads standard output.
struct Output;

/// A person at a terminal.
struct Person {
    screen: Screen,
    console: vt100::Parser,
}

impl Audience for Output {
    fn picture(&mut self, _: Entry) {}

    fn said(&mut self, bytes: &[u8]) -> Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).context("cannot write the console's text")
    }
}

impl Audience for Person {
    fn picture(&mut self, entry: Entry) {
        self.screen.add(entry);
    }

    fn said(&mut self, bytes: &[u8]) -> Result<()> {
        self.console.process(bytes);
        Ok(())
    }
}

/// Runs a kernel, shows its memory if there is a terminal, and records it if a file is named; returns the run's
/// status.
///
/// # Errors
/// What the host lacks, or a file that cannot be written.
pub fn run(runner: &Path, kernel: &Path, record: Option<&Path>) -> Result<u8> {
    let recorder = record.map(|path| {
        let file = File::create(path).with_context(|| format!("RECORD={}", path.display()))?;
        Ok::<_, anyhow::Error>(Recorder::new(BufWriter::new(file))?)
    });
    let recorder = recorder.transpose()?;
    let is_shown = io::stdin().is_terminal() && io::stdout().is_terminal();
    let mut taken = is_shown.then(TakenOver::new).transpose()?;
    let console = match &taken {
        Some(taken) => {
            let (rows, columns) = console_size(taken)?;
            Console::Own(rows, columns)
        }
        None if recorder.is_some() => Console::Piped,
        None => Console::Inherited,
    };
    let (signals, window) = (signal_pipe(&[SIGHUP, SIGINT, SIGQUIT, SIGTERM])?, signal_pipe(&[SIGWINCH])?);
    let (machine, memory) = Machine::start(runner, kernel, console)?;
    let guest = Guest::new(Ram::new(memory));
    let now = Instant::now();
    let mut session =
        Session { machine, guest, recorder, last: Picture::default(), started: now, next: now, signals, window };
    let (status, text) = match &mut taken {
        None => (session.without_terminal()?, String::new()),
        Some(taken) => session.with_terminal(taken)?,
    };
    drop(session);
    // Only now is the terminal the person's again.
    drop(taken);
    print!("{text}");
    Ok(status)
}

impl Session {
    /// Takes pictures until the run ends.
    fn without_terminal(&mut self) -> Result<u8> {
        loop {
            let ready = self.wait(None)?;
            if ready.console {
                self.listen(&mut Output)?;
            }
            if let Some(status) = self.step(&ready, &mut Output)? {
                self.listen_to_the_end(&mut Output)?;
                return Ok(status);
            }
        }
    }

    /// The same, drawing, with the console below; returns the console's last lines as well.
    fn with_terminal(&mut self, taken: &mut TakenOver) -> Result<(u8, String)> {
        let colours = Colours::from_name(&env::var("COLORTERM").unwrap_or_default());
        let (rows, columns) = console_size(taken)?;
        let console = vt100::Parser::new(rows, columns, CONSOLE_LINES);
        let (mut person, mut keys) = (Person { screen: Screen::new(), console }, Keys::default());
        self.record_size(rows, columns)?;
        loop {
            let Person { screen, console } = &mut person;
            taken.terminal.draw(|frame| draw(frame, screen, Some(console.screen()), Mode::Live, colours))?;
            let ready = self.wait(Some(io::stdin().as_fd()))?;
            if ready.window {
                let mut bytes = [0; 64];
                let _: usize = self.window.read(&mut bytes)?;
                taken.terminal.autoresize()?;
                let (rows, columns) = console_size(taken)?;
                resize(console, rows, columns);
                self.record_size(rows, columns)?;
            }
            if ready.console {
                self.listen(&mut person)?;
            }
            let is_ended = ready.keys && self.keys(&mut keys, &mut person)?;
            let ended = self.step(&ready, &mut person)?;
            if let Some(status) = ended.or(is_ended.then_some(0)) {
                // What it said last.
                self.listen_to_the_end(&mut person)?;
                return Ok((status, last_lines(&mut person.console)));
            }
        }
    }

    /// Takes the pictures that are due; returns the run's status when it has ended.
    fn step(&mut self, ready: &Ready, audience: &mut dyn Audience) -> Result<Option<u8>> {
        if ready.waiting {
            // What the machine said before may be on its way.
            while self.machine.console.is_some() && self.hears_more(ON_ITS_WAY)? {
                self.listen(audience)?;
            }
            let name = self.guest.mark().map_or_else(|| "unnamed".to_owned(), |mark| mark.name().to_owned());
            self.picture(Some(name), audience)?;
            self.machine.go_on()?;
        }
        let now = Instant::now();
        if now >= self.next {
            self.picture(None, audience)?;
            self.next = Instant::now() + rest(now.elapsed());
        }
        match self.machine.ended()? {
            None if ready.signal => Ok(Some(2)),
            ended => Ok(ended),
        }
    }

    /// Takes a picture, if there is a kernel to be seen.
    fn picture(&mut self, mark: Option<String>, audience: &mut dyn Audience) -> Result<()> {
        let Ok(picture) = self.guest.picture() else { return Ok(()) };
        let millis = if mark.is_some() { 0 } else { self.millis() };
        let is_new = mark.is_some() || !self.last.is_like(&picture);
        if let Some(recorder) = self.recorder.as_mut().filter(|_| is_new) {
            self.last.clone_from(&picture);
            recorder.add(mark.as_deref(), millis, &picture).context(NOT_WRITTEN)?;
        }
        audience.picture(Entry { mark, millis, picture });
        Ok(())
    }

    /// Milliseconds since the start.
    fn millis(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn record_size(&mut self, rows: u16, columns: u16) -> Result<()> {
        let millis = self.millis();
        let recorded = self.recorder.as_mut().map_or(Ok(()), |recorder| recorder.add_size(millis, rows, columns));
        recorded.context(NOT_WRITTEN)
    }

    /// Waits until something happens or a picture is due.
    fn wait(&mut self, keys: Option<std::os::fd::BorrowedFd<'_>>) -> Result<Ready> {
        let until = self.next.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(until).unwrap_or(PollTimeout::MAX);
        let mut fds = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.window.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.machine.waiting(), PollFlags::POLLIN),
        ];
        let shown = [self.machine.console.as_ref().map(AsFd::as_fd), keys];
        fds.extend(shown.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |nth: usize| fds.get(nth).is_some_and(|fd| fd.any().unwrap_or(false));
        Ok(Ready {
            signal: is_ready(0),
            window: is_ready(1),
            waiting: is_ready(2),
            console: is_ready(3),
            keys: is_ready(4),
        })
    }

    /// Passes on what the console has to say now, and writes it down.
    fn listen(&mut self, audience: &mut dyn Audience) -> Result<()> {
        let mut chunk = [0; CHUNK];
        let Some(from) = &mut self.machine.console else { return Ok(()) };
        let count = match from.read(&mut chunk) {
            Ok(count) => count,
            // So ends a terminal whose other side is gone.
            Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => 0,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Ok(());
            }
            Err(error) => return Err(error).context("the console"),
        };
        if count == 0 {
            // The runner is about to end.
            std::thread::sleep(PAUSE);
            return Ok(());
        }
        let said = &chunk[..count];
        audience.said(said)?;
        let millis = self.millis();
        self.recorder.as_mut().map_or(Ok(()), |recorder| recorder.add_console(millis, said)).context(NOT_WRITTEN)
    }

    /// Whether the console has more to say, at once or within this time.
    fn hears_more(&self, patience: Duration) -> Result<bool> {
        let Some(from) = &self.machine.console else { return Ok(false) };
        let mut fds = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::try_from(patience).unwrap_or(PollTimeout::ZERO))?;
        Ok(fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLIN)))
    }

    /// Passes on what the console has said until its end.
    fn listen_to_the_end(&mut self, audience: &mut dyn Audience) -> Result<()> {
        for _ in 0..LAST_READS {
            if !self.hears_more(Duration::ZERO)? {
                break;
            }
            self.listen(audience)?;
        }
        Ok(())
    }

    /// Does what the keys ask for; says whether that is the end.
    fn keys(&mut self, keys: &mut Keys, person: &mut Person) -> Result<bool> {
        let Person { screen, console } = person;
        let mut chunk = [0; 4096];
        let count = io::stdin().read(&mut chunk)?;
        if count == 0 {
            return Ok(true);
        }
        let mut bytes = &chunk[..count];
        while let Some((used, key)) = keys.next(bytes, screen.arrows()) {
            bytes = &bytes[used..];
            let rows = usize::from(console.screen().size().0);
            let back = console.screen().scrollback();
            match key {
                Key::Quit => return Ok(true),
                Key::ScrollUp => console.screen_mut().set_scrollback(back + rows / 2),
                Key::ScrollDown => console.screen_mut().set_scrollback(back.saturating_sub(rows / 2)),
                // The first of two keys.
                Key::Console(bytes) if bytes.is_empty() => {}
                Key::Console(bytes) => {
                    console.screen_mut().set_scrollback(0);
                    if let Some(to) = &mut self.machine.console {
                        to.write_all(&bytes).context("the console")?;
                    }
                }
                key => screen.press(&key),
            }
        }
        Ok(false)
    }
}

/// How long to rest after looking for so long: no more than half of one processor is used.
fn rest(looked: Duration) -> Duration {
    looked.clamp(PAUSE, LONGEST_PAUSE)
}

/// A pipe that becomes readable when one of these signals comes.
fn signal_pipe(signals: &[i32]) -> Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    for &signal in signals {
        signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
    }
    Ok(read)
}

const fn area(size: Size) -> Rect {
    Rect { x: 0, y: 0, width: size.width, height: size.height }
}

/// Rows and columns of the console.
fn console_size(taken: &TakenOver) -> Result<(u16, u16)> {
    let console = Parts::of(area(taken.terminal.size()?), HasConsole::Yes).console;
    Ok((console.height.max(CONSOLE_LEAST), console.width.max(CONSOLE_LEAST)))
}

/// The console's last lines, for the terminal when the map is gone.
fn last_lines(console: &mut vt100::Parser) -> String {
    console.screen_mut().set_scrollback(0);
    let text = console.screen().contents();
    let lines: Vec<&str> = text.lines().collect();
    let lines = &lines[lines.len().saturating_sub(LAST_LINES)..];
    lines.iter().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::rest;

    #[test]
    fn it_rests_as_long_as_it_looked_and_a_thirtieth_of_a_second_at_least() {
        let rested = [0, 1, 33, 34, 500, 2000, 9000].map(|millis| rest(Duration::from_millis(millis)).as_millis());
        assert_eq!(rested, [33, 33, 33, 34, 500, 2000, 2000]);
    }
}
