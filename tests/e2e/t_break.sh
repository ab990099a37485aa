# shellcheck shell=bash
# Breakpoints of every kind, from before the first instruction.
sample_output='hello from a bare kernel
vCPUs 1, fuel 94, sum 55, counter 15, product 120'
machine_tests aarch64 run_without_debugger break tbreak hbreak delete condition rewritten_code change_state
machine_tests "x86_64 svm" break hbreak condition rewritten_code change_state breakpoint_hidden

test_run_without_debugger() {
	gyve_run 0 "$GUESTS/sample"
	output "$sample_output"
	[ ! -s "$T/gyve.err" ] || fail "something stands on standard error"
}

test_first_stop() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		info registers rip rdi rsi
		x/i $pc
		backtrace
		info threads
		kill
	IN
	expect '_start \(\)' '\+info registers' '^rip +0x200000' '^rdi +0x0' '^rsi +0x1' '=> 0x200000 <_start>' \
		'^#0 +_start \(\) at .*start.S:[0-9]+' '\* 1 +Thread'
	[ ! -s "$T/gyve.out" ] || fail "the guest ran before it was told to"
	gyve_ends 0
}

test_break() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break kmain
		break sail
		continue
		backtrace
		info args
		continue
		backtrace
		info args
		continue
		print *ship
		continue
	IN
	expect 'Breakpoint 1, kmain \(cpu=0, ncpus=1\) at .*sample.c:[0-9]+' '^#0 +kmain .*sample.c' '^#1 .*_start' \
		'^cpu = 0' '^ncpus = 1' 'Breakpoint 2, sail \(ship=0x[0-9a-f]+ <ships>, goal=.*\) at .*sample.c' \
		'^#0 +sail' '^#1 .* in kmain' 'goal = \{x = 10, y = 20\}' 'Breakpoint 2, sail' 'Beagle.*fuel = 50' \
		'exited normally'
	gyve_ends 0
	output "$sample_output"
}

test_tbreak() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		tbreak factorial
		continue
		print n
		info breakpoints
		continue
	IN
	expect 'Temporary breakpoint 1, factorial \(n=5\)' '\$1 = 5' 'No breakpoints' 'exited normally'
	gyve_ends 0
}

test_hbreak() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		hbreak burn
		thbreak factorial
		continue
		print amount
		continue
		print amount
		continue
		continue
	IN
	expect 'Breakpoint 1, burn \(ship=' '\$1 = 27' 'Breakpoint 1, burn' '\$2 = 29' 'reakpoint 2, factorial \(n=5\)' \
		'exited normally'
	gyve_ends 0
	output "$sample_output"
}

test_delete() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break factorial
		break burn
		continue
		delete 2
		continue
		print n
		disable 1
		continue
	IN
	expect 'Breakpoint 2, burn' 'Breakpoint 1, factorial \(n=5\)' 'exited normally'
	gyve_ends 0
}

test_condition() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break factorial if n == 2
		continue
		backtrace
		ignore 1 5
		delete
		continue
	IN
	expect 'Breakpoint 1, factorial \(n=2\)' '^#3 .*factorial \(n=5\)' '^#4 .*kmain' 'exited normally'
	gyve_ends 0
}

test_breakpoint_hidden() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		x/4xb kmain
		break *kmain
		stepi
		set breakpoint always-inserted on
		x/4xb kmain
		continue
		x/4xb kmain
		kill
	IN
	expect '\+x/4xb kmain'
	[ "$(grep -c '<kmain>:.*0x55.0x48.0x89.0xe5' "$T/gdb.log")" = 3 ] || fail "the planted byte shows in memory"
	gyve_ends 0
}

# The guest writes over the code, and so over the planted byte, before it comes there.
test_rewritten_code() {
	gyve_start "$GUESTS/rewrite"
	gdb_run rewrite <<-'IN'
		break *target
		continue
		print calls
		continue
	IN
	expect 'Breakpoint 1, .*target' '\$1 = 0' 'exited normally'
	gyve_ends 0
}

test_change_state() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break count
		continue
		set var limit = 3
		set var ships[0].fuel = 1000
		print ships
		finish
		kill
	IN
	expect 'Breakpoint 1, count' 'fuel = 1000' 'Value returned is .* = 14'
	gyve_ends 0
}

# A condition is evaluated where the breakpoint is met: no stop of the machine, and no hit lost.
test_condition_on_target() {
	gyve_start -c 4 "$GUESTS/smp"
	gdb_run smp <<-'IN'
		show breakpoint condition-evaluation
		break hot if cpu == 99
		continue
	IN
	expect 'currently target' 'exited normally'
	expect_not 'Breakpoint 1, hot'
	gyve_ends 0
	output 'hits 10000'
}

test_condition_true() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break factorial if n == 2 || (n & 1) == 0 && *(int *)&ships == -1
		break count if $sp == 0
		hbreak burn if ship->fuel > 1000000
		continue
		info breakpoints
		print n
		continue
	IN
	expect 'Breakpoint 1, factorial \(n=2\)' 'stop only if n == 2 .* \(target evals\)' '\$1 = 2' 'exited normally'
	expect_not 'Breakpoint [23],'
}

# Whatever way breakpoints are done, a false condition goes on.
test_condition_by_register_and_step() {
	local way
	for way in debug-register step; do
		gyve_start --break-strategy=$way "$GUESTS/sample"
		gdb_run sample <<-'IN'
			break factorial if n == 3
			continue
			continue
		IN
		expect 'Breakpoint 1, factorial \(n=3\)' 'exited normally'
		gyve_ends 0
	done
}
