#!/usr/bin/env bash
# The end-to-end tests on every KVM that can be had here, as a table: test x host, each "pass", "FAIL", what the host lacks by the name
# `gyve probe` gives it, or "." where the test does not run (gdb is outside of an emulated host; see docs/testing.md).
#   matrix.sh [--hosts "here x86_64 aarch64 svm"] [--build DIR] [--work DIR] [PATTERN...]
# --build: a configured and built tree instead of an own build. --work: keep logs and the table (DIR/matrix) there.
# Status 1 if anything failed.
set -u
. "$(dirname "$0")/lib.sh"
hosts='here x86_64 aarch64 svm' build= out= patterns=()
while [ $# -gt 0 ]; do
	case $1 in
	--hosts) hosts=$2 && shift ;;
	--build) build=$(readlink -f "$2") && shift ;;
	--work) out=$2 && shift ;;
	-*) sed -n '2,7s/^# //p' "$0" >&2 && exit 2 ;;
	*) patterns+=("$1") ;;
	esac
	shift
done
need_packages build gdb check
make_work_dir
[ -n "$out" ] || out=$work/matrix.d
mkdir -p "$out" && out=$(cd "$out" && pwd)

# Sets gyve; returns 1 with a reason in why where that host cannot be had.
prepare() {
	why=
	case $1 in
	here) [ -r /dev/kvm ] && [ -w /dev/kvm ] || { why="no /dev/kvm that may be used" && return 1; } ;;
	*)
		if ! (need_packages "$1-host") >"$out/$1.packages" 2>&1; then
			why=$(grep -m 1 apt-get "$out/$1.packages")
			return 1
		fi
		;;
	esac
	if [ "$1" = aarch64 ]; then
		gyve=$work/aarch64/gyve
		(need_packages cross-aarch64) >"$out/$1.packages" 2>&1 && "$top/scripts/cross-aarch64.sh" "$work/aarch64" >"$out/aarch64.build" 2>&1 ||
			{ why="the cross-build failed: $out/aarch64.build" && return 1; }
	elif [ "$(uname -m)" != x86_64 ]; then
		why="this machine is no x86_64" && return 1
	else
		gyve=$build/gyve
	fi
}

probe() {
	case $1 in
	here) "$gyve" probe ;;
	*) "$top/tests/hosts/run" "$1" --copy "$gyve:/bin/gyve" -- gyve probe ;;
	esac >"$out/$1.probe" 2>"$out/$1.probe.err"
	[ -s "$out/$1.probe" ] || { why="gyve probe says nothing: $out/$1.probe.err" && return 1; }
	sed -nE 's/^(.*[^ ]) +absent .*/\1/p' "$out/$1.probe" >"$out/$1.lacks"
}

run_suite() {
	local machine=()
	[ "$1" = here ] || machine=(--machine "$1")
	"$top/tests/e2e/run.sh" --gyve "$gyve" ${machine[@]+"${machine[@]}"} --lacks "$out/$1.lacks" --work "$out/$1" ${patterns[@]+"${patterns[@]}"} \
		>"$out/$1.log" 2>&1
}

if [ -z "$build" ]; then
	build=$work/default
	prepare_sources >"$out/build.log" 2>&1 && build_in default --enable-werror >>"$out/build.log" 2>&1 || die "no build: $out/build.log"
fi
ran=
for host in $hosts; do
	if prepare "$host" && probe "$host"; then
		printf 'running on: %s\n' "$host" >&2
		run_suite "$host"
		ran="$ran $host"
	else
		printf 'not running on %s: %s\n' "$host" "$why" >&2
	fi
done
[ -n "$ran" ] || die "no host to run on"

# What the hosts do for a debugger, then what that makes of the tests.
awk -v hosts="$ran" -v out="$out" '
	BEGIN {
		n = split(hosts, host, " ")
		for (h = 1; h <= n; h++) {
			while ((getline line < (out "/" host[h] ".probe")) > 0) {
				name = substr(line, 1, 26); sub(/ *$/, "", name)
				split(substr(line, 28), w, " ")
				put("probe: " name, h, w[1])
			}
			while ((getline line < (out "/" host[h] ".log")) > 0) {
				split(line, w, " ")
				name = w[2]; sub(/:$/, "", name)
				if (w[1] == "PASS") put(name, h, "pass")
				else if (w[1] == "FAIL") { put(name, h, "FAIL"); bad++ }
				else if (w[1] == "SKIP") { sub(/^SKIP [^:]*: /, "", line); sub(/^this host /, "", line); put(name, h, line) }
			}
		}
		printf "%-36s", ""
		for (h = 1; h <= n; h++) printf " %-12s", host[h]
		print ""
		for (r = 1; r <= rows; r++) {
			printf "%-36s", row[r]
			notes = ""
			for (h = 1; h <= n; h++) {
				c = (r, h) in cell ? cell[r, h] : "."
				if (length(c) > 12) { notes = notes "  [" host[h] ": " c "]"; c = "lacks" }
				printf " %-12s", c
			}
			print notes
		}
		printf "%d failed\n", bad
		exit bad > 0
	}
	function put(name, h, what) {
		if (!(name in at)) { at[name] = ++rows; row[rows] = name }
		cell[at[name], h] = what
	}' </dev/null | tee "$out/matrix"
status=${PIPESTATUS[0]}
grep -h -A 30 '^FAIL' "$out"/*.log
exit "$status"
