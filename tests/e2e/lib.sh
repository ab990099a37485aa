# shellcheck shell=bash
# Helpers of the end-to-end tests. A test runs in its directory $T; $GYVE is the program, $GUESTS the sample kernels.
# $MACHINE: empty, or the emulated host (docs/testbeds.md) gyve runs in while gdb stays outside.

GDB=$(command -v gdb-multiarch || command -v gdb)
started=      # the gyve that this test started
guest_args=() # what follows IMAGE on gyve's command line

# Why nothing here can run, or nothing.
cannot_run_at_all() {
	local gyve=$1
	if [ -n "$MACHINE" ]; then
		gdb_knows_machine || echo "no gdb for $(machine_arch) is installed (gdb-multiarch)"
	elif [ "$(uname -m)" != x86_64 ]; then
		echo "the sample kernels are for x86_64 hosts"
	elif [ -z "$GDB" ]; then
		echo "no gdb is installed"
	elif ! "$gyve" --help 2>/dev/null | grep -q -- '--gdb'; then
		echo "this gyve has no run command"
	elif [ ! -e /dev/kvm ]; then
		echo "this host has no /dev/kvm"
	elif ! [ -r /dev/kvm -a -w /dev/kvm ]; then
		echo "no permission on /dev/kvm"
	fi
}

gdb_knows_machine() {
	local arch=i386:x86-64
	[ "$MACHINE" != aarch64 ] || arch=aarch64
	[ -n "$GDB" ] && "$GDB" -nx -batch -ex "set architecture $arch" >/dev/null 2>&1
}

fail() {
	printf '%s\n' "$*" >>"$T/reason"
	exit_test 1
}

skip() {
	printf '%s\n' "$*" >"$T/reason"
	exit_test 77
}

exit_test() {
	end_started
	exit "$1"
}

# Whatever is left of our own gyve: by its pid, politely first.
end_started() {
	local i
	[ -n "$started" ] || return 0
	kill -TERM "$started" 2>/dev/null || return 0
	for i in 1 2 3 4 5 6 7 8 9 10 ${MACHINE:+$(seq 100)}; do
		kill -0 "$started" 2>/dev/null || return 0
		sleep 0.05
	done
	kill -KILL "$started" 2>/dev/null
}

machine_arch() {
	case $MACHINE in svm) echo x86_64 ;; *) echo "$MACHINE" ;; esac
}

# machine_run [MACHINE-OPTION...] -- [OPTION...] IMAGE: gyve run, in the emulated host ($MACHINE_MODEL: of this model).
machine_run() {
	local machine_options=()
	while [ "$1" != -- ]; do
		machine_options+=("$1") && shift
	done
	shift
	exec "$here/../hosts/run" "$MACHINE" ${MACHINE_MODEL:+--model "$MACHINE_MODEL"} --timeout 120 "${machine_options[@]}" --copy "$GYVE:/bin/gyve" \
		--copy "${*: -1}:/guest/image" -- gyve run ${GYVE_BREAK_STRATEGY:+--break-strategy="$GYVE_BREAK_STRATEGY"} \
		${GYVE_WATCH_STRATEGY:+--watch-strategy="$GYVE_WATCH_STRATEGY"} "${@:1:$#-1}" /guest/image \
		${guest_args[@]+"${guest_args[@]}"}
}

# gyve_start [OPTION...] IMAGE: in the background, waiting for a debugger on $T/gdb.sock. Returns when it listens.
gyve_start() {
	local i
	if [ -n "$MACHINE" ]; then # bytes wait outside until the machine is up
		machine_run --gdb "unix:$T/gdb.sock" -- --gdb=tty:/dev/gdb "$@" >"$T/gyve.out" 2>"$T/gyve.err" &
		started=$!
		for ((i = 0; i < 500; i++)); do
			[ ! -S "$T/gdb.sock" ] || return 0
			sleep 0.1
		done
		fail "the machine's socket does not come up: $(head -n 1 "$T/gyve.err")"
	fi
	"$GYVE" run --gdb="unix:$T/gdb.sock" "$@" ${guest_args[@]+"${guest_args[@]}"} >"$T/gyve.out" 2>"$T/gyve.err" &
	started=$!
	for ((i = 0; i < 500; i++)); do
		grep -q 'target remote' "$T/gyve.err" && return
		kill -0 $started 2>/dev/null || fail "gyve ended before it listened: $(head -n 1 "$T/gyve.err")"
		sleep 0.02
	done
	fail "gyve does not listen"
}

# gyve_ends STATUS: by itself, soon.
gyve_ends() {
	local i status
	for ((i = 0; i < ${MACHINE:+3}500; i++)); do
		kill -0 "$started" 2>/dev/null || break
		sleep 0.02
	done
	kill -0 "$started" 2>/dev/null && fail "gyve does not end"
	wait "$started"
	status=$?
	started=
	[ $status = "$1" ] || fail "gyve's exit status is $status, not $1"
	[ ! -e "$T/gdb.sock" ] || fail "the socket is left behind"
}

# gyve_run STATUS [OPTION...] IMAGE: in the foreground, no debugger.
gyve_run() {
	local want=$1 status
	shift
	if [ -n "$MACHINE" ]; then
		(machine_run -- "$@") >"$T/gyve.out" 2>"$T/gyve.err"
	else
		"$GYVE" run "$@" ${guest_args[@]+"${guest_args[@]}"} >"$T/gyve.out" 2>"$T/gyve.err"
	fi
	status=$?
	[ $status = "$want" ] || fail "gyve's exit status is $status, not $want"
}

# gdb_run GUEST: standard input holds the commands after "target remote"; the transcript is $T/gdb.log.
# Every command is shown before its output, so that expect can tell what belongs to what.
gdb_run() {
	gdb_start "$1"
	wait "$gdb_pid"
	echo "gdb ended with status $?" >>"$T/gdb.log"
}

# The same, but in the background as $gdb_pid. $gdb_before: a command before the others.
gdb_start() {
	local line commands=()
	# one -ex each: gdb would leave a command file at the first error
	for line in ${gdb_before:+"$gdb_before"} 'set confirm off' 'set pagination off' 'set width 0' "set remotetimeout ${MACHINE:+3}20" "target ${protocol:-remote} $T/gdb.sock" \
		'set trace-commands on'; do
		commands+=(-ex "$line")
	done
	while read -r line; do
		commands+=(-ex "$line")
	done
	"$GDB" -nx -q -batch "${commands[@]}" "$GUESTS/$1" >"$T/gdb.log" 2>&1 </dev/null &
	gdb_pid=$!
	expected=0
}

# wait_for REGEX FILE: until the file holds it.
wait_for() {
	local i
	for ((i = 0; i < ${MACHINE:+2}500; i++)); do
		grep -qE -- "$1" "$2" && return
		sleep 0.02
	done
	fail "still no /$1/ in ${2##*/}"
}

# expect REGEX...: each in the transcript after the one before.
expected=0
expect() {
	local regex line
	for regex in "$@"; do
		line=$(tail -n +$((expected + 1)) "$T/gdb.log" | grep -nE -m 1 -- "$regex" | cut -d: -f1)
		[ -n "$line" ] || fail "the transcript has no /$regex/ after line $expected"
		expected=$((expected + line))
	done
}

# same_transcript FILE: apart from addresses, register names and where things lie, the transcript is what FILE beside this holds.
same_transcript() {
	sed -nE '/^\+/,$p' "$T/gdb.log" | sed -E 's/0x[0-9a-f]+/ADDRESS/g; s/<([a-z_]+)\+[0-9]+>/<\1+N>/g; s#[^ ]*/tests/guests/##g
		s/\bstart[a-z0-9_]*\.S:[0-9]+/start.S:N/; s/^(\$?)(rip|pc) /\1PC /; s/^(rsp|sp) /SP /; s/[ \t]+/ /g; /^gdb ended/d
		s/^Hardware (read |access \(read\/write\) )?watch/\1watch/; s/^hw /HW /' >"$T/transcript"
	diff -u "$here/$1" "$T/transcript" >"$T/client.log" || fail "the transcript is not $1's: $(sed -n 4,6p "$T/client.log" | tr '\n' '|')"
}

expect_not() {
	! grep -qE -- "$1" "$T/gdb.log" || fail "the transcript has /$1/"
}

# output TEXT: what the guest wrote, exactly (without the last newline).
output() {
	[ "$(cat "$T/gyve.out")" = "$1" ] || fail "the guest wrote '$(cat "$T/gyve.out")', not '$1'"
}

rsp() {
	command -v python3 >/dev/null || skip "no python3 for the protocol client"
	MACHINE=$MACHINE python3 "$here/rsp.py" "$T/gdb.sock" "$@" >"$T/client.log" 2>&1 || fail "client: $(tail -n 1 "$T/client.log")"
}

symbol() {
	"${MACHINE:+$(machine_arch)-linux-gnu-}nm" "$GUESTS/$1" | awk -v s="$2" '$3 == s { print "0x" $1 }'
}
