//! What tools/setup.sh decides, on machines that are made of fake commands.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

/// Commands of this machine that the scripts use for what they are.
const REAL: [&str; 14] =
    ["sh", "sed", "grep", "tr", "env", "dirname", "rm", "cat", "head", "mkdir", "mktemp", "mv", "cp", "chmod"];

/// The pinned version, as rust-toolchain.toml of the machine's tree has it.
const VERSION: &str = "1.2.3";

/// A machine: its commands, its files, and a tree with the scripts.
struct Machine {
    root: PathBuf,
}

/// How setup went there.
struct Outcome {
    status: Option<i32>,
    said: String,
    /// What was asked of apt-get and rustup, a line each.
    asked: String,
}

impl Machine {
    /// One that lacks nothing.
    fn complete() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("scullery-setup-{}-{number}", process::id()));
        let machine = Self { root };
        for directory in ["bin", "tree/tools", "home"] {
            fs::create_dir_all(machine.root.join(directory)).expect("made");
        }
        for name in REAL {
            let paths = ["/bin", "/usr/bin"].map(|directory| Path::new(directory).join(name));
            let path = paths.iter().find(|path| path.exists()).expect("a usual command");
            symlink(path, machine.root.join("bin").join(name)).expect("linked");
        }
        for name in ["setup.sh", "apt.sh", "debian-toolchain.sh"] {
            fs::copy(Path::new("../tools").join(name), machine.root.join("tree/tools").join(name)).expect("copied");
        }
        machine.file("tree/rust-toolchain.toml", &format!("[toolchain]\nchannel = \"{VERSION}\"\n"));
        machine.script("tree/tools/busybox.sh", "");
        machine.script("tree/tools/qemu.sh", "exit 1");
        machine.file("files/usr/include/stdio.h", "");
        machine.file("files/usr/lib/x86_64-linux-gnu/libc.a", "");
        machine.file("files/usr/share/ovmf/OVMF.fd", "");
        let toolchain = format!("home/.rustup/toolchains/{VERSION}-host/lib/rustlib");
        machine.file(&format!("{toolchain}/src/rust/library/core/src/lib.rs"), "");
        machine.file(&format!("{toolchain}/host/bin/llvm-objcopy"), "");
        machine.executable(&format!("{toolchain}/host/bin/llvm-objcopy"));
        machine.command("id", "echo 0");
        machine.command("cc", "");
        machine.command("gcc", "");
        machine.command("c++", "");
        machine.command("musl-gcc", "");
        machine.command("qemu-system-x86_64", "echo 'QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)'");
        machine.command("dpkg", r#"case "$2 $4" in "1:7.2 1:10.0") exit 0 ;; *) exit 1 ;; esac"#);
        machine.apt("Inst NEW (1.0 Debian:12 [amd64])", 0);
        machine.command("rustup", &format!("echo rustup \"$@\" >>{}; exit 1", machine.log()));
        machine
    }

    fn log(&self) -> String {
        self.root.join("asked").display().to_string()
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().expect("below the root")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn executable(&self, name: &str) {
        fs::set_permissions(self.root.join(name), fs::Permissions::from_mode(0o755)).expect("executable");
    }

    /// A command that does what `script` says.
    fn command(&self, name: &str, script: &str) {
        self.script(&format!("bin/{name}"), script);
    }

    fn script(&self, path: &str, script: &str) {
        self.file(path, &format!("#!/bin/sh\n{script}\n"));
        self.executable(path);
    }

    fn without(self, name: &str) -> Self {
        fs::remove_file(self.root.join(name)).expect("it was there");
        self
    }

    /// An apt-get that simulates `plan`, and ends with `status` when it is to install.
    fn apt(&self, plan: &str, status: i32) {
        let log = self.log();
        let simulated = format!("-s) cat <<'END'\nNOTE: This is only a simulation!\n{plan}\nEND\n;;");
        let script = format!("echo apt-get \"$@\" >>{log}\ncase $1 in {simulated} install) exit {status} ;; esac");
        self.command("apt-get", &script);
    }

    /// Runs setup for some goals of make.
    fn setup(&self, goals: &[&str], variables: &[(&str, &str)]) -> Outcome {
        self.run("setup.sh", goals, variables)
    }

    /// Runs one of the tree's scripts.
    fn run(&self, script: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
        let output = Command::new(self.root.join("bin/sh"))
            .arg(self.root.join("tree/tools").join(script))
            .args(arguments)
            .env_clear()
            .env("PATH", self.root.join("bin"))
            .env("HOME", self.root.join("home"))
            .env("SETUP_ROOT", self.root.join("files"))
            .envs(variables.iter().copied())
            .stdin(process::Stdio::null())
            .output()
            .expect("sh runs");
        Outcome {
            status: output.status.code(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
            asked: fs::read_to_string(self.log()).unwrap_or_default(),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // A test that failed has its own message.
        let _ = fs::remove_dir_all(&self.root);
    }
}

impl Outcome {
    fn installed(&self) -> Vec<&str> {
        self.asked.lines().filter_map(|line| line.strip_prefix("apt-get install ")).collect()
    }
}

#[test]
fn a_complete_machine_is_left_alone() {
    let outcome = Machine::complete().setup(&["setup"], &[]);
    assert_eq!((outcome.status, &*outcome.said, &*outcome.asked), (Some(0), "", ""));
}

#[test]
fn a_qemu_of_another_version_serves() {
    for version in ["8.2.2", "9.2.4", "10.0.2 (v10.0.2)"] {
        let machine = Machine::complete();
        machine.command("qemu-system-x86_64", &format!("echo 'QEMU emulator version {version}'"));
        let outcome = machine.setup(&["run"], &[]);
        assert_eq!((outcome.status, &*outcome.said, &*outcome.asked), (Some(0), "", ""), "{version}");
    }
    let machine = Machine::complete();
    machine.command("qemu-system-x86_64", "echo 'QEMU emulator version 5.2.0'");
    let outcome = machine.setup(&["run"], &[]);
    assert_eq!((outcome.status, &*outcome.asked), (Some(0), ""));
    assert!(outcome.said.contains("version 5; 7 to 10 are known to serve"), "{}", outcome.said);
}

#[test]
fn what_is_missing_is_installed_and_nothing_may_be_removed() {
    let outcome = Machine::complete().without("bin/qemu-system-x86_64").setup(&["run"], &[]);
    assert_eq!(outcome.status, Some(0), "{}", outcome.said);
    assert_eq!(outcome.installed(), ["-qq -y --no-remove --no-install-recommends qemu-system-x86"]);
    assert!(outcome.asked.starts_with("apt-get -s install "), "the plan comes first: {}", outcome.asked);
}

#[test]
fn a_plan_that_removes_or_downgrades_is_told_and_not_carried_out() {
    let plans = [
        ("Remv qemu-utils [1:9.0]\nInst qemu-system-x86 (1:7.2 Debian:12 [amd64])", "remove qemu-utils"),
        ("Purg qemu-utils [1:9.0]", "remove qemu-utils"),
        ("Inst qemu-utils [1:10.0] (1:7.2 Debian:12 [amd64])", "downgrade qemu-utils from 1:10.0 to 1:7.2"),
    ];
    for (plan, harm) in plans {
        let machine = Machine::complete().without("bin/qemu-system-x86_64");
        machine.apt(plan, 0);
        let outcome = machine.setup(&["run"], &[]);
        assert_eq!(outcome.status, Some(1), "{}", outcome.said);
        assert_eq!(outcome.installed(), [""; 0]);
        assert!(!outcome.asked.contains("update"), "{}", outcome.asked);
        assert!(outcome.said.lines().any(|line| line.trim() == harm), "{}", outcome.said);
    }
}

/// What apt-get would do where the tools of a newer QEMU are, and its emulator is not.
const BESIDE_NEWER_TOOLS: &str = "Remv qemu-utils [1:10.0]\nInst libfdt1 (1.6 Debian:12 [amd64])\n\
    Inst qemu-system-x86 (1:7.2 Debian:12 [amd64])\nConf qemu-system-x86 (1:7.2 Debian:12 [amd64])";

#[test]
fn where_qemu_cannot_be_installed_it_is_unpacked_and_all_else_installed() {
    let machine = Machine::complete().without("bin/qemu-system-x86_64").without("bin/musl-gcc");
    let simulated = format!("case \"$*\" in *qemu*) echo '{BESIDE_NEWER_TOOLS}' ;; esac");
    let log = machine.log();
    machine.command("apt-get", &format!("echo apt-get \"$@\" >>{log}; case $1 in -s) {simulated} ;; esac"));
    machine.script("tree/tools/qemu.sh", &format!("echo unpacked >>{log}"));
    let outcome = machine.setup(&["test"], &[]);
    assert_eq!(outcome.status, Some(0), "{}", outcome.said);
    assert_eq!(outcome.installed(), ["-qq -y --no-remove --no-install-recommends musl-tools"]);
    assert_eq!(outcome.asked.matches("unpacked").count(), 1);
    // As the script leaves it, it serves the next time.
    let machine = machine.without("asked").without("tree/tools/qemu.sh");
    machine.script("tree/build/qemu/qemu-system-x86_64", "echo 'QEMU emulator version 7.2.22'");
    let outcome = machine.setup(&["run"], &[]);
    assert_eq!((outcome.status, &*outcome.said, &*outcome.asked), (Some(0), "", ""));
}

#[test]
fn qemu_is_unpacked_with_what_this_machine_lacks_and_tried() {
    let machine = Machine::complete();
    fs::copy("../tools/qemu.sh", machine.root.join("tree/tools/qemu.sh")).expect("copied");
    let fetched = "shift 2; for package; do : >${package}_1_amd64.deb; done";
    let script =
        format!("case $1 in -s) echo '{BESIDE_NEWER_TOOLS}' ;; *) echo \"$@\" >>{}; {fetched} ;; esac", machine.log());
    machine.command("apt-get", &script);
    let program = "usr/bin/qemu-system-x86_64";
    let unpacks = |does: &str| {
        let unpacked =
            format!("mkdir -p $3/usr/bin; printf '#!/bin/sh\\n{does}\\n' >$3/{program}; chmod 755 $3/{program}");
        machine.command("dpkg-deb", &format!("case $2 in qemu*) {unpacked} ;; esac"));
    };
    let place = machine.root.join("tree/build/qemu");
    unpacks("exit 1");
    let outcome = machine.run("qemu.sh", &[], &[]);
    assert_eq!((outcome.status, place.exists()), (Some(1), false), "{}", outcome.said);
    assert!(outcome.said.contains("does not run here"), "{}", outcome.said);
    unpacks("echo $LD_LIBRARY_PATH \"$@\"");
    let outcome = machine.run("qemu.sh", &[], &[]);
    assert_eq!(outcome.status, Some(0), "{}", outcome.said);
    assert_eq!(outcome.asked, "-qq download libfdt1 qemu-system-x86\n".repeat(2));
    let ran = Command::new(place.join("qemu-system-x86_64")).args(["-m", "64 M"]).output().expect("it runs");
    let place = place.display();
    let libraries = format!("{place}/usr/lib/x86_64-linux-gnu:{place}/lib/x86_64-linux-gnu");
    assert_eq!(String::from_utf8_lossy(&ran.stdout), format!("{libraries} -m 64 M\n"));
    let left = fs::read_dir(machine.root.join("tree/build")).expect("there").count();
    assert_eq!(left, 1, "nothing else is left");
}

#[test]
fn an_upgrade_of_what_is_there_is_no_harm() {
    let machine = Machine::complete().without("bin/cc");
    machine.apt("Inst libc6 [1:2.0] (1:2.1 Debian:12 [amd64])\nInst gcc (4:12 Debian:12 [amd64])", 0);
    let outcome = machine.setup(&["run"], &[]);
    assert_eq!((outcome.status, outcome.installed().len()), (Some(0), 1), "{}", outcome.said);
}

#[test]
fn a_goal_asks_for_what_it_needs_only() {
    let bare = || {
        let machine = Machine::complete().without("bin/qemu-system-x86_64").without("bin/c++");
        machine.without("files/usr/share/ovmf/OVMF.fd")
    };
    let packages = |goal: &str, variables: &[(&str, &str)]| {
        let asked = bare().setup(&[goal], variables).asked;
        let line = asked.lines().find_map(|line| line.strip_prefix("apt-get -s install --no-install-recommends "));
        line.unwrap_or_default().to_owned()
    };
    assert_eq!(packages("check", &[]), "");
    assert_eq!(packages("run", &[]), "qemu-system-x86");
    assert_eq!(packages("run", &[("FIRMWARE", "uefi")]), "qemu-system-x86 ovmf");
    assert_eq!(packages("bench", &[]), "g++");
    assert_eq!(packages("setup", &[]), "qemu-system-x86 ovmf g++");
}

#[test]
fn old_lists_are_renewed_once_and_a_failure_says_what_to_do() {
    let machine = Machine::complete().without("bin/qemu-system-x86_64");
    machine.apt("Inst qemu-system-x86 (1:7.2 Debian:12 [amd64])", 100);
    let outcome = machine.setup(&["run"], &[]);
    assert_eq!(outcome.status, Some(1));
    assert_eq!((outcome.installed().len(), outcome.asked.matches("apt-get update").count()), (2, 1));
    assert!(outcome.said.contains("sudo apt-get install qemu-system-x86"), "{}", outcome.said);
    let outcome = Machine::complete().without("bin/qemu-system-x86_64").without("bin/apt-get").setup(&["run"], &[]);
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.said.contains("this machine has no apt-get"), "{}", outcome.said);
}

#[test]
fn a_compiler_of_the_pinned_version_serves_whoever_installed_it() {
    let machine = Machine::complete();
    let toolchains = machine.root.join("home/.rustup/toolchains");
    fs::rename(toolchains.join(format!("{VERSION}-host")), machine.root.join("sysroot")).expect("moved");
    let sysroot = machine.root.join("sysroot").display().to_string();
    machine
        .command("rustc", &format!("case $1 in --version) echo 'rustc {VERSION} (abc)' ;; *) echo {sysroot} ;; esac"));
    let outcome = machine.setup(&["run"], &[]);
    assert_eq!((outcome.status, &*outcome.asked), (Some(0), ""), "{}", outcome.said);
    machine.command("rustc", "echo 'rustc 1.2.2 (abc)'");
    let outcome = machine.setup(&["run"], &[]);
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.asked.contains(&format!("rustup toolchain install {VERSION}")), "{}", outcome.asked);
}

#[test]
fn without_package_sources_the_toolchain_is_not_put_together_from_elsewhere() {
    let machine = Machine::complete();
    fs::remove_dir_all(machine.root.join("home/.rustup")).expect("removed");
    machine.command("apt-get", &format!("echo apt-get \"$@\" >>{}", machine.log()));
    let outcome = machine.setup(&["run"], &[]);
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.said.contains("apt has no package sources on this machine"), "{}", outcome.said);
    assert!(outcome.asked.ends_with("apt-get indextargets\n"), "{}", outcome.asked);
}

#[test]
fn without_busybox_all_else_is_set_up_and_a_plain_run_does_not_wait_for_it_again() {
    let machine = Machine::complete();
    machine.file("tree/tools/busybox.sh", "#!/bin/sh\necho fetching >&2\nexit 1\n");
    let tries = |goal: &str, variables: &[(&str, &str)]| {
        let outcome = machine.setup(&[goal], variables);
        assert_eq!(outcome.status, Some(0), "{}", outcome.said);
        outcome.said.matches("fetching").count()
    };
    assert_eq!(["run", "run", "check", "setup", "test"].map(|goal| tries(goal, &[])), [1, 0, 0, 1, 1]);
    assert_eq!(tries("run", &[("INIT", "/bin/sh")]), 1);
    machine.file("tree/tools/busybox.sh", "#!/bin/sh\n");
    assert_eq!(tries("setup", &[]), 0);
    assert!(!machine.root.join("tree/build/no-busybox").exists());
}

#[test]
fn busybox_is_unpacked_with_its_applets_and_fetched_once() {
    let machine = Machine::complete();
    fs::copy("../tools/busybox.sh", machine.root.join("tree/tools/busybox.sh")).expect("copied");
    machine.command("apt-get", &format!("echo apt-get \"$@\" >>{}; : >busybox-static_1_amd64.deb", machine.log()));
    let program = "printf '#!/bin/sh\\necho sh; echo ls\\n'";
    machine.command(
        "dpkg-deb",
        &format!(
            "case $1 in -f) echo 'Version: 1' ;; -x) mkdir -p $3/bin $3/usr/share/doc/busybox-static; {program} \
             >$3/bin/busybox; chmod 755 $3/bin/busybox; echo free >$3/usr/share/doc/busybox-static/copyright ;; esac"
        ),
    );
    for _ in 0..2 {
        let outcome = machine.run("busybox.sh", &[], &[]);
        assert_eq!((outcome.status, &*outcome.asked), (Some(0), "apt-get -qq download busybox-static\n"));
    }
    let place = machine.root.join("tree/build/busybox");
    let read = |name: &str| fs::read_to_string(place.join(name)).expect("there");
    assert_eq!((&*read("applets"), &*read("version"), &*read("copyright")), ("sh\nls\n", "Version: 1\n", "free\n"));
    let left = fs::read_dir(&place).expect("there").count() + fs::read_dir(place.join("..")).expect("there").count();
    assert_eq!(left, 4 + 1, "nothing else is left");
}

#[test]
fn busybox_that_cannot_be_fetched_is_a_failure_with_its_reason() {
    let machine = Machine::complete();
    fs::copy("../tools/busybox.sh", machine.root.join("tree/tools/busybox.sh")).expect("copied");
    machine.command("dpkg-deb", "");
    machine.command("apt-get", "case $1 in update) ;; *) echo 'E: no such host' >&2; exit 100 ;; esac");
    let outcome = machine.run("busybox.sh", &[], &[]);
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.said.contains("E: no such host"), "{}", outcome.said);
    let outcome = machine.without("bin/apt-get").run("busybox.sh", &[], &[]);
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.said.contains("a static busybox for x86_64 from elsewhere serves"), "{}", outcome.said);
}
