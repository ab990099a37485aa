# shellcheck shell=bash
# Ctrl-C, kill, detach, attaching again, exit codes.
machine_tests "aarch64 x86_64 svm" ctrl_c_busy ctrl_c_halted exit_code

# Sends gdb what the terminal sends, once the guest runs.
interrupt_after() {
	wait_for '\+continue' "$T/gdb.log"
	sleep "$1"
	kill -INT "$gdb_pid"
}

test_ctrl_c_busy() {
	gyve_start "$GUESTS/loop"
	gdb_start loop <<-'IN'
		continue
		backtrace
		print ticks > 0
		kill
	IN
	interrupt_after 0.3
	wait "$gdb_pid"
	expect 'SIGINT' '\+backtrace' '^#[01] .*(spin|kmain) \(.*loop.c' '\$1 = 1'
	gyve_ends 0
}

test_ctrl_c_halted() {
	gyve_start "$GUESTS/halt"
	gdb_start halt <<-'IN'
		continue
		backtrace
		print ticks
		continue
		kill
	IN
	interrupt_after 0.3
	wait_for '\$1 = 1' "$T/gdb.log"
	sleep 0.3
	kill -INT "$gdb_pid"
	wait "$gdb_pid"
	expect 'SIGINT' '\+backtrace' '(halt|kmain)' '\$1 = 1' 'SIGINT'
	gyve_ends 0
}
limit_ctrl_c_halted=30

test_ctrl_c_four() {
	gyve_start -c 4 "$GUESTS/loop"
	gdb_start loop <<-'IN'
		continue
		info threads
		thread apply all backtrace 1
		kill
	IN
	interrupt_after 0.3
	wait "$gdb_pid"
	expect 'SIGINT'
	[ "$(grep -cE '^[* ] +[1-4] +Thread' "$T/gdb.log")" = 4 ] || fail "the thread list is not complete"
	gyve_ends 0
}

test_kill() {
	gyve_start "$GUESTS/loop"
	gdb_run loop <<-'IN'
		kill
	IN
	expect 'killed'
	gyve_ends 0
}

test_exit_code() {
	gyve_run 42 "$GUESTS/exitcode"
	gyve_start "$GUESTS/exitcode"
	gdb_run exitcode <<-'IN'
		continue
		print $_exitcode
	IN
	expect 'exited with code 052' '\$1 = 42'
	gyve_ends 42
}

test_detach_reattach() {
	gyve_start "$GUESTS/loop"
	gdb_run loop <<-'IN'
		break kmain
		continue
		detach
	IN
	expect 'Breakpoint 1, kmain' '(Detaching|Inferior 1)'
	kill -0 "$started" || fail "gyve ended at detach"
	sleep 0.2
	gdb_run loop <<-'IN'
		backtrace
		print ticks > 0
		info threads
		kill
	IN
	expect '\+backtrace' '^#[01] .*(spin|kmain)' '\$1 = 1'
	gyve_ends 0
}

# A debugger that dies is no reason for the guest to die, and its breakpoints go with it.
test_debugger_dies() {
	gyve_start "$GUESTS/loop"
	gdb_start loop <<-'IN'
		break spin
		continue
		delete
		continue
	IN
	wait_for '\+delete' "$T/gdb.log"
	sleep 0.3
	kill -KILL "$gdb_pid"
	wait "$gdb_pid" 2>/dev/null
	sleep 0.2
	kill -0 "$started" || fail "gyve ended with its debugger"
	gdb_run loop <<-'IN'
		print ticks > 0
		kill
	IN
	expect '\$1 = 1'
	gyve_ends 0
}

test_nowait() {
	"$GYVE" run --gdb="unix:$T/gdb.sock,nowait" "$GUESTS/loop" >"$T/gyve.out" 2>"$T/gyve.err" &
	started=$!
	wait_for 'target remote' "$T/gyve.err"
	sleep 0.2
	gdb_run loop <<-'IN'
		print ticks > 0
		backtrace
		kill
	IN
	expect '\$1 = 1' '(spin|kmain)'
	gyve_ends 0
}

test_tcp() {
	local port
	"$GYVE" run --gdb=127.0.0.1:0 "$GUESTS/exitcode" >"$T/gyve.out" 2>"$T/gyve.err" &
	started=$!
	wait_for 'target remote' "$T/gyve.err"
	port=$(sed -n 's/.*target remote .*:\([0-9]*\)$/\1/p' "$T/gyve.err")
	[ -n "$port" ] || fail "no port is named"
	"$GDB" -nx -q -batch -ex 'set sysroot /' -ex "target remote :$port" -ex 'break kmain' -ex continue -ex continue >"$T/gdb.log" 2>&1 </dev/null
	# no file was given to gdb: the stub named it
	expect 'Breakpoint 1, kmain' 'exited with code 052'
	gyve_ends 42
}

test_stdio() {
	"$GDB" -nx -q -batch -ex "target remote | exec $GYVE run --gdb=stdio $GUESTS/exitcode" -ex 'break kmain' -ex continue \
		-ex continue "$GUESTS/exitcode" >"$T/gdb.log" 2>&1 </dev/null
	expect 'Breakpoint 1, kmain' 'exited with code 052'
}

test_term_signal() {
	gyve_start "$GUESTS/loop"
	kill -TERM "$started"
	wait "$started"
	[ $? = 143 ] || fail "SIGTERM did not end gyve with 143"
	started=
	[ ! -e "$T/gdb.sock" ] || fail "the socket is left behind"
}

test_stats() {
	gyve_run 0 --stats "$GUESTS/sample"
	grep -qE '[a-z]+ +[0-9]+$' "$T/gyve.err" || fail "no statistics on standard error"
	grep -qE '^vCPU 0 exits +[1-9]' "$T/gyve.err" || fail "no sum of the vCPU"
}

# It is told why, and the first one is not disturbed.
test_second_debugger() {
	gyve_start "$GUESTS/loop"
	gdb_start loop <<-'IN'
		break spin
		continue
		shell sleep 1
		print ticks
		kill
	IN
	wait_for 'Breakpoint 1, ' "$T/gdb.log"
	timeout 20 "$GDB" -nx -q -batch -ex "target remote $T/gdb.sock" "$GUESTS/loop" >"$T/client.log" 2>&1 </dev/null
	grep -q 'another debugger is connected' "$T/client.log" || fail "the second one is not told why: $(tail -n 1 "$T/client.log")"
	wait "$gdb_pid"
	expect 'Breakpoint 1, ' '\$1 = 0' 'killed'
	gyve_ends 0
}

# With --gdb-observers a second one may look, while the guest stands and while it runs; it changes nothing.
test_observer() {
	gyve_start --gdb-observers "$GUESTS/loop"
	gdb_start loop <<-'IN'
		break spin
		continue
		delete
		print ticks = 1000000
		continue
	IN
	wait_for '= 1000000' "$T/gdb.log"
	timeout 40 "$GDB" -nx -q -batch -ex 'set confirm off' -ex "target remote $T/gdb.sock" -ex 'info threads' -ex 'print ticks >= 1000000' \
		-ex 'print ticks = 5' -ex 'set var $pc = 0' -ex 'stepi' -ex 'break spin' -ex 'continue' -ex 'delete' -ex 'monitor info' -ex 'print ticks >= 1000000' -ex 'detach' "$GUESTS/loop" >"$T/observer.log" 2>&1
	cat "$T/observer.log"
	[ "$(grep -c '= 1$' "$T/observer.log")" = 2 ] || fail "the observer does not see memory, or has changed it"
	grep -q 'another debugger has control' "$T/observer.log" || fail "the observer is not told why it cannot step"
	grep -q 'detached' "$T/observer.log" || fail "the observer cannot go"
	grep -q 'vCPU 0' "$T/observer.log" || fail "the observer does not see the vCPUs"
	! grep -q 'spin.*hit\|Breakpoint 1, ' "$T/observer.log" || fail "the observer had a breakpoint"
	kill -INT "$gdb_pid"
	wait_for 'SIGINT|Quit|interrupt' "$T/gdb.log"
	kill -TERM "$started"
	gyve_ends 143
}
