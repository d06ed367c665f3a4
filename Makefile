# Scullery's commands; each installs what it lacks first (tools/setup.sh). `make` lists them.

# The machine: `make run MEM=64M FIRMWARE=uefi`; boot/src/settings.rs says what each variable means.
export MEM APPEND INIT FIRMWARE CPU ACCEL SMP ICOUNT SCRIPT ROOTFS MODULES PROGRAMS FILES FLOPPY BOARD DISK SWAP
export TIMEOUT LIMIT GDB

# The toolchain that setup.sh puts together where rustup's server is out of reach goes first, if it is there; the QEMU
# that it unpacks where none can be installed, last.
export PATH := $(CURDIR)/build/toolchain/bin:$(PATH):$(CURDIR)/build/qemu
# The pinned stable compiler accepts unstable options: the kernel builds core itself.
export RUSTC_BOOTSTRAP := 1

CARGO  := cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
KERNEL := $(TARGET)/x86_64-kernel/kernel/kernel
BOOT   := $(TARGET)/debug/boot
WATCH  := $(TARGET)/debug/watch
XTASK  := $(TARGET)/debug/xtask
# Says what is going on when a quiet command takes a while.
PATIENTLY := tools/patiently.sh

# The kernel brings its own core and alloc, built by its own flags (.cargo/config.toml). xtask takes them from here.
export KERNEL_FLAGS := -p kernel --profile kernel --target x86_64-kernel.json \
    -Zjson-target-spec -Zbuild-std=core,alloc,compiler_builtins -Zbuild-std-features=compiler-builtins-mem

# Once all is built, builds are quiet. They speak on standard error: standard output is the guest's.
QUIET := $(if $(wildcard $(BOOT)),--quiet)

.DEFAULT_GOAL := help
.PHONY: help run image module new-module test-module forget-module test test-host test-adoption
.PHONY: soak soak-disk soak-swap miri mutants
.PHONY: watch replay picture pictures watcher
.PHONY: test-qemu test-userland chapter bench bench-guest bench-boot bench-linux docs accept-icount check
.PHONY: editor-check fmt clean setup kernel host-programs programs program forget-program busybox

help:
	@echo 'make run              boot in QEMU, console on this terminal (Ctrl-A x quits)'
	@echo '    MEM=128M FIRMWARE=bios|uefi APPEND="..." CPU= ACCEL=auto|kvm|tcg SMP=1'
	@echo '    ICOUNT=1          the same from run to run    SCRIPT=file  run its lines, then power off'
	@echo '    INIT=/bin/sh      this program instead of the built-in console'
	@echo '    ROOTFS=dir        the initial files         FLOPPY=file  image of the disk in the floppy drive'
	@echo '    DISK=file         a disk, /dev/vda: the file is written to; DISK=file,ro is only read'
	@echo '    SWAP=file         one more, /dev/vdb, which is swap from boot on   BOARD=pc|q35'
	@echo '    MODULES=all       all modules go along; tree: those of the tree; none'
	@echo '    PROGRAMS=all      all programs go along; busybox: it and those of the tree; tree; none'
	@echo '    FILES=fw_cfg      how the initial files travel; ramdisk: by the bootloader, as on real hardware'
	@echo '    GDB=1             wait for gdb on port 1234   TIMEOUT=120  seconds of silence that mean a hang'
	@echo 'make watch            the same, with a live map of all memory above the console (F8 there: help)'
	@echo '    RECORD=file       and keep what was seen; without a terminal it does only that'
	@echo 'make replay RECORD=file        play a recording, without QEMU'
	@echo 'make picture RECORD=file OUT=dir   draw the moments that the command picture has marked, as SVG'
	@echo 'make pictures         draw those of the documents anew, by the scripts of docs/pictures/'
	@echo 'make module M=dir     build the module in dir, now and whenever the kernel changes; make run takes it along'
	@echo '    new-module        begin one there             test-module   run its tests on the host'
	@echo '    forget-module     build it no more'
	@echo 'make program P=path   build the static program there (C, Cargo, Makefile), or take it, for the guest'"'"'s /bin'
	@echo '    forget-program    take it along no more'
	@echo 'make busybox          fetch busybox, for INIT=/bin/sh and the tests in user space'
	@echo 'make test             every test, on the host and in QEMU'
	@echo 'make test-host        tests of the portable crates only'
	@echo 'make test-adoption    mm for other processors, its package, and the example kernel'
	@echo 'make soak             the model tests, ten times as long: 10^8 operations on pages; sanitizers;'
	@echo '                      soak-disk: two minutes of a failing disk and short memory (SEED= SOAK_SECONDS=);'
	@echo '                      soak-swap: programs of 100 MiB, three at once, on a machine of 24 MiB'
	@echo 'make miri             tests of mm that need no machine, under Miri; needs a nightly toolchain'
	@echo 'make mutants          which changes to the allocators no test notices; FILE=path: to one file'
	@echo 'make test-qemu T=name bootable tests and transcripts whose name contains T'
	@echo 'make test-userland    programs and test suites that others wrote, fetched from Debian; T=name: one of them'
	@echo 'make chapter          which test shows which statement of the chapter'
	@echo 'make docs             write what the machine prints into the documents; T=path: into one'
	@echo 'make accept-icount    pin what things cost now, in tests/icount.txt; then make docs'
	@echo 'make bench            pages, objects, areas against others, on the host; writes docs/benchmarks.md'
	@echo 'make bench-guest      benchmarks in the guest; make bench-boot: instructions from entry to prompt'
	@echo 'make bench-linux      the same work on Linux, both counting instructions (TICKS=1: time); needs kernel headers'
	@echo 'make check            formatting, house rules, lints, documentation; warnings are errors'
	@echo 'make image            disk images for BIOS and UEFI'
	@echo 'make setup            install what is missing; make clean: remove what was built'

setup:
	@tools/setup.sh $(MAKECMDGOALS)

# The kernel's library, modules, the kernel: in this order, xtask/src/modules/ says why.
kernel: host-programs
	@$(XTASK) modules >&2

module new-module test-module forget-module: host-programs
	@$(XTASK) $@ "$(or $(patsubst ~/%,$(HOME)/%,$(M)),$(error M=DIR says which directory the module is in))"

# What runs in the guest: userland/, and a person's own.
programs: host-programs
	@$(XTASK) programs >&2

program forget-program: host-programs
	@$(XTASK) $@ "$(or $(patsubst ~/%,$(HOME)/%,$(P)),$(error P=PATH says where the program is))"

busybox:
	@tools/busybox.sh

host-programs: setup
	@$(PATIENTLY) 'building the host programs: half a minute, or 3 with the bootloader if all is new' \
	    $(CARGO) build $(QUIET) -p boot -p xtask >&2

run: kernel programs
	@$(BOOT) run $(KERNEL)

# Pictures of the documents, by their scripts in docs/pictures/.
pictures: kernel programs watcher
	@$(XTASK) pictures

# The terminal's libraries are built for these alone.
watcher: setup
	@$(PATIENTLY) 'building the watcher: half a minute if all is new' $(CARGO) build $(QUIET) -p watch >&2

watch: kernel programs watcher
	@$(WATCH) run $(BOOT) $(KERNEL) $(if $(RECORD),"$(RECORD)")

replay: watcher
	@$(WATCH) replay "$(or $(RECORD),$(error RECORD=FILE says which recording))"

picture: watcher
	@$(WATCH) picture "$(or $(RECORD),$(error RECORD=FILE says which recording))" \
	    "$(or $(OUT),$(error OUT=DIR says where the pictures go))"

image: kernel programs
	@$(BOOT) image $(KERNEL)

test: kernel programs
	@$(XTASK) test

test-host: host-programs
	@$(XTASK) test-host

# Ten times the random operations, 10^8 on pages alone, and 10^6 damaged objects; then the tests of mm with threads
# under ThreadSanitizer, which wants a standard library built for it, and all under AddressSanitizer. Tests leak their
# machines on purpose.
HOST = $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
SANITIZED = CARGO_TARGET_DIR=$(TARGET)/$(1) RUSTFLAGS=-Zsanitizer=$(1) $(CARGO) $(2) $(QUIET) --target $(HOST)

soak: export TEST_SECONDS := 3600
soak: export ASAN_OPTIONS := detect_leaks=0
soak: setup
	@echo 'running 10^8 operations, loading 10^6 objects: several minutes' >&2
	@SOAK=10 $(CARGO) test $(QUIET) -p mm --test percpu --test model --test objects --test space_model -- --nocapture
	@SOAK=10 $(CARGO) test $(QUIET) -p pagecache --test model --test swap -- --nocapture
	@SOAK=10 $(CARGO) test $(QUIET) -p loader --test damage -- --nocapture
	@SOAK=10 $(CARGO) test $(QUIET) -p blocks --test model -- --nocapture
	@echo 'the standard library and the tests are built for ThreadSanitizer, then for AddressSanitizer: minutes' >&2
	@$(call SANITIZED,thread,test) -p mm -Zbuild-std \
	    --test threads --test sharing --test percpu --test objects --test ranges --test flush --test start --test space
	@$(call SANITIZED,thread,test) -p mm -Zbuild-std --lib platform::
	@$(call SANITIZED,address,test) -p mm -p pagetable --lib --tests
	@$(call SANITIZED,address,run) -p mm --example global && $(call SANITIZED,address,run) -p mm --example bench -- 1000

soak: soak-disk soak-swap

soak-disk: kernel programs
	@$(XTASK) disk-soak

# Programs of 100 MiB on a machine of 24 MiB, one and three at once: each says so when it found every byte right.
SOAK_SWAP := pattern 100\n(pattern 100 & pattern 100 & pattern 100 & wait)\nswapoff /dev/ram0\n
soak-swap: kernel programs
	@test 4 = $$(printf '$(SOAK_SWAP)' | MEM=512M INIT=/bin/sh \
	    APPEND='mem=24M ramdisk=384M ramdisk_latency=0 swap=/dev/ram0' $(BOOT) run $(KERNEL) | \
	    tee /dev/stderr | grep -c '^pattern: 100 MiB, right three times')

# Tests of mm and services that need no machine, in an interpreter that knows undefined behaviour, less one that takes
# minutes there; and the kernel that opens the documentation of mm. It comes with nightly toolchains only, and brings a
# runner of its own.
MIRI = CARGO_TARGET_DIR=$(TARGET)/miri $(CARGO) +nightly miri test --quiet
MIRI_TESTS := page:: pages::buddy pages::pageset pages::zone pages::waiters \
    objects::magazine objects::depot objects::cpu_caches --skip up_to_its_share

miri: export MIRIFLAGS := -Zmiri-ignore-leaks -Zmiri-permissive-provenance
miri: setup
	@rustup component add --toolchain nightly miri rust-src 2>/dev/null || \
	    { echo 'Miri is missing: rustup toolchain install nightly --component miri,rust-src' >&2; exit 1; }
	@runner=$$(rustup which --toolchain nightly cargo-miri) && \
	    export CARGO_TARGET_$(shell echo $(HOST) | tr a-z- A-Z_)_RUNNER="$$runner runner" && \
	    $(MIRI) -p mm --lib -- $(MIRI_TESTS) && $(MIRI) -p mm --doc -- src/lib.rs && \
	    $(MIRI) -p mm --test heap_plain && $(MIRI) -p services --lib && $(MIRI) -p pagetable --tests

# The tool is built where `make clean` finds it.
MUTANTS := $(TARGET)/tools/bin/cargo-mutants

$(MUTANTS): | setup
	@echo 'building cargo-mutants: 1 to 3 minutes, once' >&2
	@$(CARGO) install --quiet cargo-mutants --version =25.3.1 --locked --root $(TARGET)/tools

mutants: host-programs $(MUTANTS)
	@$(XTASK) mutants $(FILE)

test-adoption: host-programs
	@$(XTASK) test-adoption

test-qemu: kernel programs
	@$(XTASK) test-qemu $(T)

# Programs and suites that others wrote; docs/userland.md says what of them fails, and why.
test-userland: kernel programs
	@$(XTASK) test-userland $(T)

chapter: host-programs
	@$(XTASK) chapter

docs: kernel programs
	@$(XTASK) docs $(T)

accept-icount: kernel programs
	@$(XTASK) accept-icount

# Many Intel processors run a jump slowly that crosses a 32-byte boundary (erratum SKX102): up to a third, by the luck
# of where a function lands. Padding takes that out of the comparison, for all allocators alike. Peers in C and C++
# would take the profile's line tables for a debug build, and check themselves.
bench: setup
	@echo 'building the peers: some minutes if all is new' >&2
	@RUSTFLAGS=-Cllvm-args=-x86-branches-within-32B-boundaries CARGO_TARGET_DIR=$(TARGET)/bench \
	    CFLAGS=-DNDEBUG CXXFLAGS=-DNDEBUG \
	    $(CARGO) run $(QUIET) --release -p bench

bench-guest: kernel programs
	@SCRIPT=tests/scripts/bench ICOUNT=$(or $(ICOUNT),1) $(BOOT) run $(KERNEL)

bench-boot: kernel programs
	@MEM=$(or $(MEM),1G) $(XTASK) bench-boot

bench-linux: kernel programs
	@$(XTASK) bench-linux

# Readers of this documentation see private items too, so links to them are fine.
DOC_LINTS := '-D warnings -A rustdoc::private_intra_doc_links'

# The example kernel is a workspace of its own.
ADOPTER := --manifest-path examples/adopter/Cargo.toml
ADOPTER_FLAGS := $(ADOPTER) --target-dir $(TARGET)/adopter --target x86_64-unknown-none -Zbuild-std=core,alloc

check: host-programs
	$(CARGO) fmt --all --check
	$(CARGO) fmt $(ADOPTER) --check
	$(RUSTFMT) --check $(LOOSE)
	$(XTASK) check-house
	$(CARGO) clippy $(QUIET) --all-targets -- -D warnings
	$(CARGO) clippy $(QUIET) -p mm -p pagecache -p blocks --features mm/explore,pagecache/explore,blocks/explore \
	    --test explore -- -D warnings
	$(CARGO) clippy $(QUIET) -p bench -- -D warnings
	$(CARGO) clippy $(QUIET) -p watch --all-targets -- -D warnings
	$(CARGO) clippy $(QUIET) $(KERNEL_FLAGS) --lib --bins --tests -- -D warnings
	$(CARGO) clippy $(QUIET) $(ADOPTER_FLAGS) -- -D warnings
	RUSTDOCFLAGS=$(DOC_LINTS) $(CARGO) doc $(QUIET) --no-deps --document-private-items
	RUSTDOCFLAGS=$(DOC_LINTS) $(CARGO) doc $(QUIET) --no-deps --document-private-items $(KERNEL_FLAGS) --lib

# Sources that are no part of a package here.
LOOSE := modules/shim.rs tests/modules/everything/src/lib.rs
RUSTFMT := rustfmt --edition 2024

# What an editor asks for: all messages of the compiler as JSON, of the host crates and of the kernel.
editor-check:
	@$(CARGO) check --quiet --keep-going --all-targets --message-format=json; \
	    $(CARGO) check --quiet --keep-going $(KERNEL_FLAGS) --lib --bins --tests --message-format=json

fmt: setup
	@$(CARGO) fmt --all
	@$(CARGO) fmt $(ADOPTER)
	@$(RUSTFMT) $(LOOSE)

clean:
	rm -rf $(TARGET)
