//! QEMU's command line.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl;
use nix::sys::signal::Signal;

use crate::firmware::Firmware;
use crate::handed::Handed;
use crate::host;
use crate::input::Source;
use crate::settings::{Accel, Board, Clock, DISK_NAMES, Debugger, Settings};
use crate::terminal;

/// Bytes of a disk that the kernel's floppy driver reads.
const FLOPPY_BYTES: u64 = 1440 << 10;
/// Bytes of the longest script.
const LONGEST_SCRIPT: u64 = 16 << 20;

/// A command ready to start, and the files in memory that it refers to: they must outlive the start.
pub struct Machine {
    /// QEMU with all its arguments.
    pub command: Command,
    files: Vec<File>,
}

impl Machine {
    /// The machine that the settings describe, booting `image`, its serial port on QEMU's standard streams.
    pub fn new(image: File, handed: &Handed<'_>, settings: &Settings, source: Source) -> Result<Self> {
        let mut machine = Self { command: Command::new(host::qemu()?), files: Vec::new() };
        machine.hardware(settings)?;
        machine.boot_disk(image, settings.board)?;
        if let Some(disk) = &settings.floppy {
            if settings.board == Board::Q35 {
                bail!("FLOPPY={}: BOARD=q35 has no floppy drive", disk.display());
            }
            machine.drive("if=floppy", floppy(disk)?)?;
        }
        for (disk, name) in settings.disks.iter().zip(DISK_NAMES) {
            let (file, access) = disk.open()?;
            let path = machine.inherited(file)?;
            machine.command.args(disk.arguments(name, &path, access));
        }
        machine.clock(settings)?;
        machine.console(source);
        machine.configuration(handed, settings, source)?;
        if settings.debugger == Debugger::Awaited {
            machine.command.args(["-gdb", "tcp:127.0.0.1:1234", "-S"]);
            eprintln!("waiting for gdb: target remote localhost:1234");
        }
        machine.command.stdin(Stdio::piped()).stdout(Stdio::piped());
        machine.die_with_parent();
        Ok(machine)
    }

    fn hardware(&mut self, settings: &Settings) -> Result<()> {
        let command = &mut self.command;
        let memory = settings.memory.to_string();
        let board = match settings.board {
            Board::Pc => "pc,memory-backend=ram",
            Board::Q35 => "q35,memory-backend=ram",
        };
        command.args(["-machine", board, "-m", &memory, "-smp", &settings.smp.to_string()]);
        // The host gives the guest's memory when it is touched, so a large machine fits a small host.
        match &settings.watched {
            None => command.args(["-object", &format!("memory-backend-ram,id=ram,size={memory},reserve=off")]),
            Some(watched) => command.args(watched.arguments(&memory)?),
        };
        if let Some(model) = &settings.cpu {
            command.args(["-cpu", model]);
        }
        if settings.firmware == Firmware::Uefi {
            command.arg("-bios").arg(host::uefi_firmware()?);
        }
        command.args(["-display", "none", "-nic", "none", "-no-reboot"]);
        command.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]);
        Ok(())
    }

    /// The disk that the firmware boots from, on an AHCI controller.
    ///
    /// The BIOS reads by DMA there. From a pc's own IDE drive it reads by one port access a word, which
    /// took four fifths of a boot.
    fn boot_disk(&mut self, image: File, board: Board) -> Result<()> {
        self.drive("if=none,id=boot", image)?;
        let bus = match board {
            Board::Pc => {
                self.command.args(["-device", "ahci,id=ahci,addr=1f"]);
                "ahci.0"
            }
            Board::Q35 => "ide.0",
        };
        self.command.args(["-device", &format!("ide-hd,drive=boot,bus={bus},bootindex=0")]);
        Ok(())
    }

    /// A drive whose writes are forgotten: several runs may share one image.
    fn drive(&mut self, kind: &str, disk: File) -> Result<()> {
        let path = self.inherited(disk)?;
        self.command.args(["-drive", &format!("format=raw,{kind},snapshot=on,file={path}")]);
        Ok(())
    }

    fn clock(&mut self, settings: &Settings) -> Result<()> {
        let deterministic = settings.clock == Clock::Instructions;
        let accel = match settings.accel {
            Accel::Kvm if deterministic => bail!("ICOUNT=1 counts instructions, which ACCEL=kvm cannot"),
            Accel::Kvm if !host::kvm_works() => bail!("ACCEL=kvm: this machine has no KVM; ACCEL=tcg goes without"),
            Accel::Kvm => "kvm",
            Accel::Auto if !deterministic && host::kvm_works() => "kvm",
            Accel::Auto | Accel::Tcg => "tcg",
        };
        self.command.args(["-accel", accel]);
        if deterministic {
            self.command.args(["-icount", "shift=0,sleep=off,align=off"]);
            self.command.args(["-rtc", "base=2026-01-01T00:00:00,clock=vm"]);
        }
        Ok(())
    }

    fn console(&mut self, source: Source) {
        match source {
            // The monitor shares the line: Ctrl-A x switches the machine off.
            Source::Terminal => self.command.args(["-serial", "mon:stdio"]),
            Source::Pipe | Source::Script => self.command.args(["-serial", "stdio", "-monitor", "none"]),
        };
    }

    /// What the kernel reads from the configuration device.
    fn configuration(&mut self, handed: &Handed<'_>, settings: &Settings, source: Source) -> Result<()> {
        let console = match (source, terminal::size()) {
            (Source::Terminal, Some((rows, columns))) => format!("tty {rows} {columns}"),
            (Source::Terminal, None) => "tty".to_owned(),
            (Source::Pipe | Source::Script, _) => "pipe".to_owned(),
        };
        self.file_in_memory("console", console.as_bytes())?;
        if let Some(archive) = handed.initial_files {
            self.file_in_memory("rootfs", archive)?;
        }
        if !handed.command_line.is_empty() {
            self.file_in_memory("cmdline", &handed.command_line)?;
        }
        if let Some(script) = &settings.script {
            self.file_in_memory("script", &lines_of(script)?)?;
        }
        Ok(())
    }

    fn file_in_memory(&mut self, name: &str, contents: &[u8]) -> Result<()> {
        let mut file = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
        file.write_all(contents)?;
        let path = self.inherited(file)?;
        self.command.args(["-fw_cfg", &format!("name=opt/scullery/{name},file={path}")]);
        Ok(())
    }

    /// Hands an open file to QEMU, whatever becomes of its name; returns the path by which QEMU opens it.
    fn inherited(&mut self, file: File) -> Result<String> {
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty()))?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        self.files.push(file);
        Ok(path)
    }

    /// Makes the kernel kill QEMU when this program dies, however it dies.
    fn die_with_parent(&mut self) {
        let hook = || Ok(prctl::set_pdeathsig(Signal::SIGKILL)?);
        // SAFETY: between fork and exec the hook makes one system call and touches no memory of the parent.
        unsafe { self.command.pre_exec(hook) };
    }
}

/// A script, from a file or a pipe.
fn lines_of(path: &Path) -> Result<Vec<u8>> {
    let named = || format!("SCRIPT={}", path.display());
    let mut lines = Vec::new();
    let script = File::open(path).with_context(named)?;
    script.take(LONGEST_SCRIPT + 1).read_to_end(&mut lines).with_context(named)?;
    if lines.len() as u64 > LONGEST_SCRIPT {
        bail!("{} has more than {LONGEST_SCRIPT} bytes", named());
    }
    Ok(lines)
}

/// The image of a disk that the kernel's driver reads.
fn floppy(path: &Path) -> Result<File> {
    let named = || format!("FLOPPY={}", path.display());
    let found = fs::metadata(path).with_context(named)?;
    if !found.is_file() {
        bail!("{} is not a file", named());
    }
    if found.len() != FLOPPY_BYTES {
        bail!("{} has {} bytes, and a disk {FLOPPY_BYTES}: try truncate -s 1440K", named(), found.len());
    }
    File::open(path).with_context(named)
}
