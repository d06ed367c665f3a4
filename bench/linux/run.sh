#!/bin/bash
# run.sh WORKDIR PROCBENCH DISKBENCH: measures Linux, its processes by the program procbench, and a disk in
# memory by the program diskbench. Builds the modules of this directory against Debian's kernel, boots that kernel in
# QEMU so that a tick of the counter is an instruction, and leaves the console in WORKDIR/linux.log and, of the disk,
# WORKDIR/linux-disk.log. With TICKS=1, so that the counter tells the time, linux-ticks.log and linux-disk-ticks.log.
#
# Installs what is missing: the kernel's headers, busybox-static, cpio, a compiler, QEMU. The kernel itself is only
# unpacked, into WORKDIR. A log of the same kernel and sources is kept: the count would be the same; times would not be.
#   DISK=file      measure nothing but dd, in time, to and from this file as a disk; the log is linux-dd.log
#   COPY=20        copy between the scull devices from user space as well, 20 rounds; the log gets the lines ucopy and dd
#   KERNEL_ARGS=   arguments of the kernel instead of those that switch Debian's hardening off
set -euo pipefail
export LC_ALL=C

here=$(dirname "$(readlink -f "$0")")
usage="usage: run.sh WORKDIR PROCBENCH DISKBENCH"
work=${1:?$usage}
# Both kernels run these very files.
procbench=${2:?$usage} diskbench=${3:?$usage}
mkdir -p "$work"
work=$(cd "$work" && pwd)
lean="init_on_alloc=0 mitigations=off hardened_usercopy=off apparmor=0 lsm= audit=0 cgroup_disable=memory \
numa_balancing=disable nowatchdog"
mode= clock="-icount shift=0,sleep=off,align=off -seed 1 -rtc base=2026-01-01T00:00:00,clock=vm"
if [ -n "${TICKS-}${DISK-}" ]; then
	mode=-ticks clock=
fi
args="console=ttyS0 panic=-1 quiet loglevel=7 nokaslr no_hash_pointers lb.copy=${COPY:-0} ${KERNEL_ARGS-$lean}"

say() { echo "bench-linux: $*" >&2; }
give_up() { say "$*"; exit 1; }

# shellcheck source=tools/apt.sh
. "$here/../../tools/apt.sh"

command -v apt-get >/dev/null || give_up "this needs Debian's packages of the Linux kernel, and there is no apt-get here"

# The newest kernel of this Debian, for example 6.1.0-9-amd64.
version() { apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: linux-image-//p' | head -n 1; }

kernel=$(version)
if [ -z "$kernel" ]; then
	as_root apt-get update -qq >&2 || give_up "no package lists: type 'sudo apt-get update'"
	kernel=$(version)
fi
[ -n "$kernel" ] || give_up "no package linux-image-amd64 is known here"

install_missing() {
	local packages=()
	[ -e "/lib/modules/$kernel/build" ] || packages+=("linux-headers-$kernel")
	command -v gcc >/dev/null || packages+=(gcc libc6-dev)
	# The static busybox: the initial RAM disk has no libraries.
	dpkg-query -W -f '${Status}\n' busybox-static 2>/dev/null | grep -q ' installed' || packages+=(busybox-static)
	command -v cpio >/dev/null || packages+=(cpio)
	command -v qemu-system-x86_64 >/dev/null || packages+=(qemu-system-x86)
	[ ${#packages[@]} -gt 0 ] || return 0
	say "installing ${packages[*]}: none is removed for them"
	apt_install "${packages[@]}" ||
		give_up "could not install them; type 'sudo apt-get install --no-install-recommends ${packages[*]}'"
}

unpack_kernel() {
	[ -f "$work/boot/vmlinuz-$kernel" ] && [ -d "$work/lib/modules/$kernel" ] && return
	say "fetching linux-image-$kernel"
	rm -rf "$work/download"
	mkdir -p "$work/download"
	(cd "$work/download" && apt-get download -qq "linux-image-$kernel" 2>/dev/null) ||
		give_up "could not download linux-image-$kernel; type 'sudo apt-get update' and try again"
	dpkg-deb --fsys-tarfile "$work/download"/*.deb | tar -x -C "$work" --wildcards './boot/vmlinuz-*' \
		'./lib/modules/*/drivers/virtio/*' './lib/modules/*/drivers/block/virtio_blk.ko'
	rm -rf "$work/download"
}

build() {
	say "building the modules for Linux $kernel"
	rm -rf "$work/modules"
	mkdir "$work/modules"
	cp "$here"/{membench.c,probes.h,ramdisk.c,scullfam.c,store.h,copy.h,ucopy.c,init,Makefile} "$work/modules"
	make -s -C "/lib/modules/$kernel/build" M="$work/modules" modules >"$work/build.log" 2>&1 ||
		{ cat "$work/build.log" >&2; give_up "the modules do not build"; }
	gcc -O2 -static -Wall -o "$work/modules/ucopy" "$work/modules/ucopy.c" || give_up "ucopy does not build"
	cp "$procbench" "$work/modules/procbench"
	cp "$diskbench" "$work/modules/diskbench"
	local drivers="$work/lib/modules/$kernel/kernel/drivers"
	cp "$drivers"/virtio/virtio{,_ring,_pci,_pci_legacy_dev,_pci_modern_dev}.ko "$drivers/block/virtio_blk.ko" \
		"$work/modules"
	"$here/mkinitrd.sh" "$work/modules" "$work/initrd.cpio"
}

# boot LOG MEMORY ARGUMENTS [QEMU'S...]: Linux's console goes to LOG.
boot() {
	local log=$work/$1 memory=$2 more=$3
	shift 3
	# The clock is several words.
	# shellcheck disable=SC2086
	timeout 1200 qemu-system-x86_64 -machine pc -accel tcg -cpu qemu64 -smp 1 -m "$memory" \
		$clock "$@" \
		-display none -monitor none -no-reboot -nic none \
		-kernel "$work/boot/vmlinuz-$kernel" -initrd "$work/initrd.cpio" -append "$args $more" \
		-serial "file:$log" || give_up "QEMU ended badly"
	grep -q ALL-DONE "$log" || give_up "Linux did not finish: see $log"
}

# What a log depends on.
inputs=$(cat "$here"/* "$procbench" "$diskbench" | cksum)$kernel$args

prepare() {
	[ "$(cat "$work/built.inputs" 2>/dev/null)" = "$inputs" ] && [ -f "$work/initrd.cpio" ] && return
	rm -f "$work"/*.inputs
	install_missing
	unpack_kernel
	build
	printf '%s' "$inputs" >"$work/built.inputs"
}

# measure LOG MEMORY ARGUMENTS: boots, unless a log of instructions is there that would be the same.
measure() {
	if [ -z "$mode" ] && [ "$(cat "$work/$1.inputs" 2>/dev/null)" = "$inputs" ] &&
		grep -q ALL-DONE "$work/$1" 2>/dev/null; then
		return
	fi
	say "booting Linux $kernel: some minutes"
	boot "$@"
	printf '%s' "$inputs" >"$work/$1.inputs"
}

prepare
if [ -n "${DISK-}" ]; then
	boot linux-dd.log 512M lb.disk=vda -drive "if=none,format=raw,id=vda,file=$DISK" -device virtio-blk-pci,drive=vda
else
	measure "linux$mode.log" 512M ""
	measure "linux-disk$mode.log" 512M "mem=128M lb.disk=ram"
fi
