//! A system of files in memory, with a thread a command, for these tests.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;
use std::{format, thread, vec};

use kapi::{Errno, OpenFlags};

use crate::commands;
use crate::env::{Env, File as _, Kind, Stat, Status, Stream};
use crate::exec::{Machine, run_command, run_line, run_list};
use crate::io;
use crate::job::CommandSet;
use crate::parser;

mod handle;
mod pipe;
pub use handle::Handle;
use handle::{What, id_of, pipe};

type Bytes = Arc<Mutex<Vec<u8>>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a line left behind.
pub struct Ran {
    pub out: String,
    pub err: String,
    pub status: i32,
}

/// The system.
#[derive(Clone, Default)]
pub struct World {
    files: Arc<Mutex<BTreeMap<String, Bytes>>>,
    /// What links say.
    links: Arc<Mutex<BTreeMap<String, String>>>,
    /// Bytes of memory that may still be asked for, plus one; 0 for no limit.
    memory: Arc<AtomicUsize>,
    interrupted: Arc<AtomicBool>,
    /// How often commands have asked whether they are interrupted.
    looks: Arc<AtomicU64>,
    /// At which look they are; 0 for none.
    interrupted_at: Arc<AtomicU64>,
    terminal: Arc<AtomicBool>,
    /// Milliseconds since boot.
    clock: Arc<AtomicU64>,
    /// Milliseconds that pass at each look at the clock.
    tick: Arc<AtomicU64>,
    /// Bytes that one read of a regular file returns at most; 0 for no limit.
    short: Arc<AtomicUsize>,
    /// Bytes that reads of regular files have returned.
    pub bytes_read: Arc<AtomicUsize>,
}

impl World {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn put(&self, path: &str, text: &str) {
        self.put_bytes(path, text.as_bytes());
    }

    pub fn put_bytes(&self, path: &str, bytes: &[u8]) {
        lock(&self.files).insert(path.to_string(), Arc::new(Mutex::new(bytes.to_vec())));
    }

    pub fn link(&self, path: &str, text: &str) {
        lock(&self.links).insert(path.to_string(), text.to_string());
    }

    pub fn get_bytes(&self, path: &str) -> Vec<u8> {
        lock(&lock(&self.files)[path]).clone()
    }

    pub fn get(&self, path: &str) -> String {
        String::from_utf8(self.get_bytes(path)).unwrap()
    }

    pub fn exists(&self, path: &str) -> bool {
        lock(&self.files).contains_key(path)
    }

    pub fn limit_memory(&self, bytes: usize) {
        self.memory.store(bytes + 1, Ordering::Relaxed);
    }

    pub fn limit_transfers(&self, bytes: usize) {
        self.short.store(bytes, Ordering::Relaxed);
    }

    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Interrupts whatever runs when it asks for the `count`th time from now on.
    pub fn interrupt_at_look(&self, count: u64) {
        self.looks.store(0, Ordering::Relaxed);
        self.interrupted_at.store(count, Ordering::Relaxed);
    }

    /// How often commands have asked, since the last [`interrupt_at_look`](Self::interrupt_at_look).
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    pub fn sit_at_terminal(&self) {
        self.terminal.store(true, Ordering::Relaxed);
    }

    pub fn tick_on_each_look(&self, milliseconds: u64) {
        self.tick.store(milliseconds, Ordering::Relaxed);
    }

    /// Runs a line without input.
    pub fn run(&self, line: &str) -> Ran {
        self.run_with(line, b"")
    }

    /// Runs a line with `input` as its standard input.
    pub fn run_with(&self, line: &str, input: &[u8]) -> Ran {
        let mut console = Console {
            world: self.clone(),
            input: Arc::new(Mutex::new(input.to_vec())),
            out: Bytes::default(),
            err: Bytes::default(),
            background: Vec::new(),
        };
        let status = run_line(&mut console, line, Status::OK).code();
        for thread in console.background.drain(..) {
            thread.join().unwrap();
        }
        let text = |bytes: &Bytes| String::from_utf8_lossy(&lock(bytes)).into_owned();
        Ran { out: text(&console.out), err: text(&console.err), status }
    }
}

/// The shell's end of the system: runs pipelines, collects output.
#[derive(Default)]
struct Console {
    world: World,
    input: Bytes,
    out: Bytes,
    err: Bytes,
    background: Vec<thread::JoinHandle<()>>,
}

impl Console {
    fn file(&self, bytes: &Bytes) -> Handle {
        Handle::new(&self.world, What::Regular { bytes: bytes.clone(), append: true })
    }
}

impl Machine for Console {
    fn pipeline(&mut self, pipeline: &str, last: Status) -> Status {
        let texts: Vec<String> = parser::commands(pipeline).map(str::to_string).collect();
        let count = texts.len();
        let mut threads = Vec::new();
        let mut input = self.file(&self.input);
        for (index, text) in texts.into_iter().enumerate() {
            let (reader, writer) = pipe(&self.world);
            let output = if index + 1 == count { self.file(&self.out) } else { writer };
            let stage_input = core::mem::replace(&mut input, reader);
            let world = self.world.clone();
            let error = self.file(&self.err);
            threads.push(thread::spawn(move || {
                let streams = [stage_input, output, error].map(Arc::new);
                run_command(&mut Process { world, streams }, COMMANDS, &text, last)
            }));
        }
        drop(input);
        threads.into_iter().map(|thread| thread.join().unwrap()).last().unwrap()
    }

    fn background(&mut self, list: &str, last: Status) -> Status {
        let mut shell =
            Console { world: self.world.clone(), out: self.out.clone(), err: self.err.clone(), ..Console::default() };
        let list = list.to_string();
        self.background.push(thread::spawn(move || {
            run_list(&mut shell, &list, last);
        }));
        Status::OK
    }

    fn complain(&mut self, message: fmt::Arguments<'_>) {
        lock(&self.err).extend_from_slice(format!("{message}\n").as_bytes());
    }
}

/// The shell's own commands, and no others.
const COMMANDS: CommandSet<Process> = CommandSet::new(&[commands::all()]);

/// The environment of one command.
pub struct Process {
    world: World,
    streams: [Arc<Handle>; 3],
}

impl Env for Process {
    type File = Handle;
    type Block = Vec<u8>;

    fn stream(&self, stream: Stream) -> &Handle {
        &self.streams[stream as usize]
    }

    fn redirect(&mut self, stream: Stream, file: Handle) {
        self.streams[stream as usize] = Arc::new(file);
    }

    fn error_to_output(&mut self) {
        self.streams[2] = self.streams[1].clone();
    }

    fn open(&self, path: &str, flags: OpenFlags) -> Result<Handle, Errno> {
        let what = match path {
            "/dev/zero" => What::Zero,
            "/dev/null" => What::Null,
            "/dev/full" => What::Full,
            "/dev/idle" if flags.contains(OpenFlags::NONBLOCK) => What::Idle,
            "/dev/idle" => What::Null,
            "/" => return Err(Errno::EISDIR),
            _ => {
                let mut files = lock(&self.world.files);
                if !files.contains_key(path) && !flags.contains(OpenFlags::CREATE) {
                    return Err(Errno::ENOENT);
                }
                let bytes = files.entry(path.to_string()).or_default().clone();
                if flags.contains(OpenFlags::TRUNCATE) {
                    lock(&bytes).clear();
                }
                What::Regular { bytes, append: flags.contains(OpenFlags::APPEND) }
            }
        };
        Ok(Handle::new(&self.world, what))
    }

    fn stat(&self, path: &str) -> Result<Stat, Errno> {
        match path {
            "/" => Ok(Stat { kind: Kind::Directory, size: 0, id: None }),
            "/dev/null" => Ok(Stat { kind: Kind::Device { major: 1, minor: 3 }, size: 0, id: None }),
            _ => {
                let target = lock(&self.world.links).get(path).cloned();
                let path = target.as_deref().unwrap_or(path);
                let bytes = lock(&self.world.files).get(path).ok_or(Errno::ENOENT)?.clone();
                let size = lock(&bytes).len() as u64;
                Ok(Stat { kind: Kind::Regular, size, id: Some(id_of(&bytes)) })
            }
        }
    }

    fn lstat(&self, path: &str) -> Result<Stat, Errno> {
        let link = lock(&self.world.links).get(path).cloned();
        match link {
            Some(text) => Ok(Stat { kind: Kind::Link, size: text.len() as u64, id: None }),
            None => self.stat(path),
        }
    }

    fn read_link(&self, path: &str, visit: &mut dyn FnMut(&str)) -> Result<(), Errno> {
        let text = lock(&self.world.links).get(path).cloned().ok_or(Errno::EINVAL)?;
        visit(&text);
        Ok(())
    }

    fn read_dir(&self, path: &str, visit: &mut dyn FnMut(&str) -> Result<(), Errno>) -> Result<(), Errno> {
        if path != "/" {
            return Err(Errno::ENOTDIR);
        }
        // In reverse, so that a listing has something to sort.
        let links = lock(&self.world.links).keys().cloned().collect::<Vec<_>>();
        let names: Vec<String> = lock(&self.world.files).keys().rev().cloned().chain(links).collect();
        names.iter().try_for_each(|path| visit(&path[1..]))
    }

    /// Every file is a program that says what it was called with, and ends with status 7.
    fn program(&self, path: &str, args: &mut dyn Iterator<Item = &str>) -> Result<Status, Errno> {
        self.stat(path)?;
        self.stream(Stream::Output).write(path.as_bytes())?;
        for arg in args {
            self.stream(Stream::Output).write(b" ")?;
            self.stream(Stream::Output).write(arg.as_bytes())?;
        }
        self.stream(Stream::Output).write(b"\n")?;
        Ok(Status::new(7))
    }

    fn sync(&self) -> Result<(), Errno> {
        Ok(())
    }

    /// An empty file, whatever it is to be.
    fn make_node(&self, path: &str, _kind: Kind) -> Result<(), Errno> {
        if lock(&self.world.files).contains_key(path) {
            return Err(Errno::EEXIST);
        }
        self.world.put(path, "");
        Ok(())
    }

    fn unlink(&self, path: &str) -> Result<(), Errno> {
        lock(&self.world.files).remove(path).map(|_| ()).ok_or(Errno::ENOENT)
    }

    fn block(&self, bytes: usize) -> Result<Vec<u8>, Errno> {
        let budget = self.world.memory.load(Ordering::Relaxed);
        if budget > 0 {
            self.limited(budget, bytes)?;
        }
        Ok(vec![0; bytes])
    }

    fn interrupted(&self) -> bool {
        let look = self.world.looks.fetch_add(1, Ordering::Relaxed) + 1;
        let at = self.world.interrupted_at.load(Ordering::Relaxed);
        self.world.interrupted.load(Ordering::Relaxed) || (at > 0 && look >= at)
    }

    fn sleep(&self, time: Duration) -> Result<(), Errno> {
        self.world.clock.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
        // As if somebody looked now and then.
        (0..10).try_for_each(|_| io::go_on(self))
    }

    fn uptime(&self) -> Duration {
        let tick = self.world.tick.load(Ordering::Relaxed);
        Duration::from_millis(self.world.clock.fetch_add(tick, Ordering::Relaxed))
    }

    fn is_terminal(&self) -> bool {
        self.world.terminal.load(Ordering::Relaxed)
    }
}

impl Process {
    fn limited(&self, budget: usize, bytes: usize) -> Result<(), Errno> {
        let left = (budget - 1).checked_sub(bytes).ok_or(Errno::ENOMEM)?;
        self.world.memory.store(left + 1, Ordering::Relaxed);
        Ok(())
    }
}
