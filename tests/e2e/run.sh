#!/usr/bin/env bash
# End-to-end tests: real gdb, real KVM, our sample kernels.
#   run.sh --gyve PATH [--machine aarch64|x86_64|svm] [--work DIR] [--list] [--verbose] [PATTERN...]
# --lacks FILE: features that `gyve probe` calls absent there, one a line.
# --machine: gyve (cross-built) runs in this emulated host, gdb outside; those tests that a file names in a `machine_tests` line.
# One line per test on standard output: "PASS name", "SKIP name: why", "FAIL name: why" (then its transcript, indented).
# Each test is a function test_* in a t_*.sh beside this file. It has a directory of its own ($T), a time limit, and a process
# group of its own which is all that is ever killed. Status 1 if a test failed.
set -u
here=$(cd "$(dirname "$0")" && pwd)
gyve= work= lacks= list= verbose= patterns=() one= MACHINE=
while [ $# -gt 0 ]; do
	case $1 in
	--gyve) gyve=$2 && shift ;;
	--work) work=$2 && shift ;;
	--lacks) lacks=$(cat "$2") && shift ;;
	--machine) MACHINE=$2 && shift ;;
	--one) one=$2 && shift ;;
	--list) list=1 ;;
	--verbose) verbose=1 ;;
	-*) echo "usage: run.sh --gyve PATH [--machine aarch64|x86_64|svm] [--work DIR] [--list] [--verbose] [PATTERN...]" >&2 && exit 2 ;;
	*) patterns+=("$1") ;;
	esac
	shift
done

. "$here/lib.sh"
# machine_tests MACHINE NAME...: these run there (too); only_machine_tests: and nowhere else.
for_machine= for_machine_only=
machine_tests() {
	case " $1 " in *" $MACHINE "*) for_machine="$for_machine ${*:2} " ;; esac
}
# test_needs FEATURE NAME...: a row of `gyve probe`; where the host lacks it (--lacks) these are skipped.
needs=
test_needs() {
	local name
	for name in "${@:2}"; do
		needs="$needs$name:$1
"
	done
}
only_machine_tests() {
	machine_tests "$@"
	for_machine_only="$for_machine_only ${*:2} "
}
for file in "$here"/t_*.sh; do
	. "$file"
done

# The child: one test, in its own process group (made by timeout).
if [ -n "$one" ]; then
	GYVE=$gyve
	cd "$T" || exit 1
	"$one"
	status=$?
	end_started
	exit $status
fi

names=$(sed -n 's/^\(test_[a-z0-9_]*\)() *{.*/\1/p' "$here"/t_*.sh)
names=$(for name in $names; do
	if [ -n "$MACHINE" ]; then
		case $for_machine in *" ${name#test_} "*) echo "$name" ;; esac
	else
		case $for_machine_only in *" ${name#test_} "*) ;; *) echo "$name" ;; esac
	fi
done)
if [ ${#patterns[@]} -gt 0 ]; then
	names=$(for p in "${patterns[@]}"; do grep -e "$p" <<<"$names"; done)
fi
[ -z "$list" ] || { printf '%s\n' "$names" && exit 0; }
[ -n "$MACHINE$lacks" ] || lacks=$("$gyve" probe 2>/dev/null | sed -nE 's/^(.*[^ ]) +absent .*/\1/p')
[ -x "$gyve" ] || { echo "run.sh: --gyve must name the program" >&2 && exit 2; }
gyve=$(readlink -f "$gyve")

own_work=
[ -n "$work" ] || { work=$(mktemp -d "${TMPDIR:-/tmp}/gyve-e2e.XXXXXX") && own_work=1; }
trap '[ -z "$own_work" ] || rm -rf "$work"' EXIT
export GYVE_CACHE=${GYVE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gyve} # of the emulated hosts: that one is the user's
export XDG_CACHE_HOME=$work/cache # not the user's: the probe's answers are kept there
mkdir -p "$work" && work=$(cd "$work" && pwd) && chmod 755 "$work"

why_none=$(cannot_run_at_all "$gyve")
if [ -n "$why_none" ]; then
	for name in $names; do
		echo "SKIP ${name#test_}: $why_none"
	done
	exit 0
fi
if ! bash "$here/../guests/build.sh" "$work/guests" ${MACHINE:+"$(machine_arch)"} >"$work/guests.log" 2>&1; then
	echo "FAIL guests: tests/guests/build.sh failed"
	sed 's/^/    /' "$work/guests.log"
	exit 1
fi

run_one() {
	rm -rf "$T"
	mkdir -p "$T"
	T=$T GUESTS=$work/guests timeout -k 5 "$limit" bash "$here/run.sh" --gyve "$gyve" ${MACHINE:+--machine "$MACHINE"} --one "$1" \
		>"$T/test.log" 2>&1 </dev/null
	status=$?
}

failed=0
for name in $names; do
	lacking=$(sed -n "s/^${name#test_}://p" <<<"$needs" | grep -m 1 -xF -e "${lacks:-none of them}")
	[ -z "$lacking" ] || { echo "SKIP ${name#test_}: this host lacks: $lacking" && continue; }
	T=$work/${name#test_}
	limit_var=limit_${name#test_}
	limit=${!limit_var:-60}
	case $MACHINE in '') ;; x86_64) limit=$((limit * 5)) ;; *) limit=$((limit * 3)) ;; esac
	run_one "$name"
	if [ -n "$MACHINE" ] && [ $status != 0 ] && grep -qs 'machine gave no result' "$T/gyve.err"; then
		echo "    ${name#test_}: once more, the emulated host itself came to an end: $(grep -m 1 -o 'Kernel panic.*' "$T/gyve.err")"
		run_one "$name"
	fi
	reason=$(head -n 1 "$T/reason" 2>/dev/null)
	case $status in
	0)
		echo "PASS ${name#test_}"
		[ -n "$verbose" ] || continue
		;;
	77)
		echo "SKIP ${name#test_}: $reason"
		continue
		;;
	124 | 137)
		echo "FAIL ${name#test_}: not done after $limit s"
		failed=1
		;;
	*)
		echo "FAIL ${name#test_}: ${reason:-status $status}"
		failed=1
		;;
	esac
	for log in test.log gdb.log client.log gyve.out gyve.err; do
		[ -s "$T/$log" ] || continue
		echo "    --- $log"
		tail -n 40 "$T/$log" | sed 's/^/    /'
	done
done
exit $failed
