#!/bin/sh
# busybox-suite.sh busybox APPLET... | ash DIRECTORY...: the tests of busybox' source for these applets, or for its shell.
#
# What testsuite/runtest and shell/ash_test/run-all do, for as many parts as are named; for all without any. The suite
# is /suite.tar, and is unpacked in /tmp; each applet has a link in /bin. A line `== SUITE PART` stands before the
# verdicts of each part, and `== end` behind the last. With VERBOSE=1 failures say more.
top=/tmp/busybox-suite
export bindir=$top tsdir=$top/testsuite LANG=C.UTF-8

prepare() {
	(cd /tmp && tar xf /suite.tar) && ln -s /bin/busybox $top/busybox && ln -s /bin/busybox $top/shell/ash_test/ash
}

# Tests of the old kind: a directory of scripts, each of which passes if all of its commands do.
scripts() {
	for testcase in "$tsdir/$1"/*; do
		name=${testcase##*/}
		for feature in $(sed -ne 's/^# FEATURE: //p' "$testcase"); do
			if grep -q "^# $feature is not set$" $top/.config; then
				echo "UNTESTED: $name"
				continue 2
			fi
		done
		rm -rf "$tsdir/.tmpdir"
		mkdir "$tsdir/.tmpdir"
		cd "$tsdir/.tmpdir" || return
		if d=$tsdir sh -x -e "$testcase" >said 2>&1; then
			echo "PASS: $name"
		else
			echo "FAIL: $name"
			[ -z "$VERBOSE" ] || cat said
		fi
		cd "$tsdir" || return
		rm -rf "$tsdir/.tmpdir"
	done
}

of_busybox() {
	if [ ! -e "/bin/$1" ]; then
		echo "SKIPPED: $1 (not built)"
		return
	fi
	cd $tsdir || return
	PATH=$top:/bin:$tsdir
	[ ! -d "$1" ] || scripts "$1"
	[ ! -f "$1.tests" ] || "./$1.tests"
}

of_ash() {
	cd $top/shell/ash_test || return
	PATH=/bin
	./run-all "$1"
	for failed in *.fail; do
		[ ! -f "$failed" ] || [ -z "$VERBOSE" ] || cat "$failed"
		rm -f "$failed"
	done
}

suite=$1
shift
[ -d $top ] || prepare || exit
cd $tsdir || exit
# What tests find in their environment.
. ./testing.sh
OPTIONFLAGS=:$(sed -nr 's/^CONFIG_//p' $top/.config | sed 's/=.*//' | xargs | sed 's/ /:/g'):
export OPTIONFLAGS VERBOSE
if [ $# = 0 ]; then
	case $suite in
	busybox) set -- $(for part in */ *.tests; do part=${part%/}; echo "${part%.tests}"; done | sort -u) ;;
	ash) cd ../shell/ash_test && set -- ash-* ;;
	esac
fi
for part; do
	echo "== $suite $part"
	of_$suite "$part" </dev/null 2>&1
done
echo "== end"
