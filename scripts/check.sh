#!/usr/bin/env bash
# Everything a change has to pass, on a bare Debian 12: build, unit tests, end-to-end tests with real gdb, the same under
# ASan+UBSan, a build by clang, tests in emulated machines (not with --no-hosts), formatting. Ends with one line of totals;
# status 1 if anything failed.
# As root it installs what is missing. GYVE_BUILD=DIR keeps the build there; otherwise nothing is left behind.
set -u
. "$(dirname "$0")/lib.sh"
need_packages build gdb check
make_work_dir

passed=0 failed=0 skipped=0

pass() {
	passed=$((passed + 1))
}
fail() {
	failed=$((failed + 1))
	printf 'FAIL %s\n' "$*"
}
skip() {
	skipped=$((skipped + 1))
	printf 'SKIP %s\n' "$*"
}
section() {
	printf '== %s\n' "$*"
}

# One step that either works or shows why not: step NAME COMMAND...
step() {
	local name=$1
	shift
	if "$@" >"$work/step.log" 2>&1; then
		pass
	else
		fail "$name"
		tail -n 40 "$work/step.log" | sed 's/^/    /'
		return 1
	fi
}

# The unit tests speak TAP; automake's .trs tells of a program that died before or after that.
count_unit_tests() {
	local build=$1 trs log result line own
	while IFS= read -r trs; do
		log=${trs%.trs}.log
		result=$(sed -n 's/^:test-result: //p' "$trs")
		own=0
		while IFS= read -r line; do
			own=$((own + 1))
			case $line in
			*"# SKIP"*) skip "$build: ${trs##*/}: ${line##*# SKIP }" ;;
			"not ok "*) fail "$build: ${trs##*/}: ${line#not ok }" ;;
			*) pass ;;
			esac
		done < <(grep -aE '^(not )?ok [0-9]+' "$log")
		case $result in
		PASS) [ $own -gt 0 ] || pass ;;
		SKIP) [ $own -gt 0 ] || skip "$build: ${trs##*/}: $(tail -n 1 "$log")" ;;
		*)
			grep -qa '^not ok ' "$log" || fail "$build: ${trs##*/}: $result"
			# a sanitizer says what matters first, everything else last
			{ grep -a -m 1 -A 12 'ERROR: [A-Z][a-z]*Sanitizer\|runtime error: ' "$log" || tail -n 30 "$log"; } | sed 's/^/    /'
			;;
		esac
	done < <(find "$work/$build" -name '*.trs' | sort)
}

unit_tests() {
	local build=$1
	find "$work/$build" -name '*.trs' -delete
	if ! CMOCKA_MESSAGE_OUTPUT=TAP make -s -C "$work/$build" -k -j"$(nproc)" check >"$work/$build.check.log" 2>&1 &&
		[ -z "$(find "$work/$build" -name '*.trs' -print -quit)" ]; then
		fail "$build: make check"
		tail -n 30 "$work/$build.check.log" | sed 's/^/    /'
		return
	fi
	count_unit_tests "$build"
	# a test program that does not build leaves no .trs and must not go unseen
	grep -E '(^|: )(fatal )?error: |\*\*\* No rule' "$work/$build.check.log" && fail "$build: make check does not build"
}

e2e_tests() {
	local build=$1 line
	[ -x "$top/tests/e2e/run.sh" ] || return 0
	while IFS= read -r line; do
		case $line in
		"PASS "*) pass ;;
		"FAIL "*) fail "$build: ${line#FAIL }" ;;
		"SKIP "*) skip "$build: ${line#SKIP }" ;;
		*) printf '%s\n' "$line" ;;
		esac
	done < <("$top/tests/e2e/run.sh" --gyve "$work/$build/gyve" --work "$work/$build/e2e" 2>&1 || { s=$?; [ $s = 1 ] || echo "FAIL e2e runner ended with status $s"; })
}

test_build() {
	local name=$1
	shift
	section "$name: configure $*"
	step "$name: build" build_in "$name" --enable-werror "$@" || return
	unit_tests "$name"
	e2e_tests "$name"
}

# What has threads, under ThreadSanitizer: run control, sessions of debuggers that come and go, and gyve itself.
thread_tests() {
	local t dir=$work/threads
	section "threads: ThreadSanitizer"
	mkdir -p "$dir" && step "threads: configure" configure_threads || return
	for t in tests/unit/test_run tests/unit/test_nonstop tests/unit/test_session tests/fuzz/replay_session; do
		step "threads: build ${t##*/}" make -s -C "$dir" -j"$(nproc)" "$t" || continue
		step "threads: ${t##*/}" run_threads "$t"
	done
}
configure_threads() (
	cd "$work/threads" && ../src/configure -q --enable-tsan
)
run_threads() ( # without address randomization: gcc's ThreadSanitizer knows few layouts
	cd "$work/threads" && srcdir=../src TSAN_OPTIONS=suppressions=$top/tests/tsan.supp GYVE_SESSIONS=200 timeout 200 setarch -R "$1"
)

# The unit tests on another KVM than this machine's (docs/testbeds.md): emulated_tests MACHINE BUILD-DIRECTORY
emulated_tests() {
	local log=$work/host-$1.log last
	"$top/tests/hosts/run-tests" "$1" "$2" >"$log" 2>&1
	grep -v '^PASS ' "$log" | sed '$d'
	last=$(tail -n 1 "$log")
	if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		skipped=$((skipped + BASH_REMATCH[3]))
	else
		fail "$1 machine: $last"
	fi
}

# gyve inside the emulated machine, gdb outside: what works there, feature by feature.
aarch64_e2e() {
	[ -x "$work/aarch64/gyve" ] || return 0
	section "aarch64: end-to-end tests in an emulated machine"
	machine_e2e aarch64 "$work/aarch64"
	aarch64_matrix "$work/aarch64-e2e.log"
}

# machine_e2e MACHINE BUILD [PATTERN...]
machine_e2e() {
	local machine=$1 build=$2 result name how
	shift 2
	"$top/tests/e2e/run.sh" --machine "$machine" --gyve "$build/gyve" --work "$build/e2e-$machine" "$@" >"$work/$machine-e2e.log" 2>&1
	while IFS= read -r result; do
		name=${result#* } how=${result%% *}
		case $how in
		PASS) pass ;;
		FAIL) fail "$machine: $name" ;;
		SKIP) skip "$machine: $name" ;;
		*) printf '%s\n' "$result" ;;
		esac
	done <"$work/$machine-e2e.log"
}

# Linux guests, where the machine's own KVM may be too slow for them.
linux_x86() {
	section "x86_64: Linux guests in an emulated machine with SVM"
	if [ "$(uname -m)" != x86_64 ]; then
		skip "svm machine: this machine is no x86_64"
	elif (need_packages svm-host) >"$work/packages.log" 2>&1; then
		machine_e2e svm "$work/default" linux_x86
	else
		skip "svm machine: $(grep -m 1 apt-get "$work/packages.log")"
	fi
}

# The matrix: a feature works if all of its tests passed. aarch64_matrix E2E-LOG
aarch64_matrix() {
	awk -F '\t+' '
		FNR == NR {
			if (/^(PASS|FAIL|SKIP) /) { split($0, w, /[ :]/); result[w[2]] = w[1] }
			next
		}
		/^#/ || NF < 2 { next }
		{
			n = split($2, test, " "); ok = 0; not = ""
			for (i = 1; i <= n; i++) {
				listed[test[i]] = 1
				if (result[test[i]] == "PASS") ok++
				else not = not " " test[i] (result[test[i]] == "FAIL" ? " failed" : result[test[i]] == "SKIP" ? " skipped" : " not run")
			}
			printf "   %-56s %s\n", $1, not == "" ? "works" : (ok ? "in part:" : "no:") not
		}
		END { for (t in result) if (!(t in listed)) printf "   %-56s %s\n", t, result[t] == "PASS" ? "works" : tolower(result[t]) }
	' "$1" "$top/tests/e2e/aarch64.features"
}

check_emulated() {
	section "aarch64: cross-build, unit tests in an emulated machine"
	if (need_packages cross-aarch64 aarch64-host) >"$work/packages.log" 2>&1; then
		step "aarch64: cross-build" "$top/scripts/cross-aarch64.sh" "$work/aarch64" && emulated_tests aarch64 "$work/aarch64"
	else
		skip "aarch64: $(grep -m 1 apt-get "$work/packages.log")"
	fi
	aarch64_e2e
	section "x86_64: unit tests in an emulated machine with VMX"
	if [ "$(uname -m)" != x86_64 ]; then
		skip "x86_64 machine: the tests of this build are for $(uname -m)"
	elif (need_packages x86_64-host) >"$work/packages.log" 2>&1; then
		emulated_tests x86_64 "$work/default"
	else
		skip "x86_64 machine: $(grep -m 1 apt-get "$work/packages.log")"
	fi
	linux_x86
}

clang_format_all() (
	cd "$top" && git ls-files -z '*.c' '*.h' | xargs -0 clang-format -n --Werror
)

check_format() {
	section "formatting"
	if ! git -C "$top" rev-parse --git-dir >/dev/null 2>&1; then
		skip "formatting: not a git checkout, so no list of files"
		return
	fi
	step formatting clang_format_all
}

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

section "sources"
step "autoreconf" prepare_sources || {
	printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
	exit 1
}
test_build default
test_build sanitized --enable-asan --enable-ubsan
thread_tests
section "make distcheck"
step "make distcheck" make -s -C "$work/default" -j"$(nproc)" distcheck
section "clang: build only"
step "clang: build" build_in clang --enable-werror CC=clang
[ "${1:-}" = --no-hosts ] || check_emulated
check_format

printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed = 0 ]
