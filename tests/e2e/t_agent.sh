# shellcheck shell=bash
# What the target does by itself at a breakpoint: agent expressions, evaluated by the vCPU that meets it.
machine_tests "aarch64 x86_64" dprintf_agent
machine_tests "aarch64 svm" dprintf_four_vcpus

# lines REGEX COUNT: so often in the transcript.
lines() {
	local n
	n=$(grep -cE -- "$1" "$T/gdb.log")
	[ "$n" = "$2" ] || fail "/$1/ stands $n times in the transcript, not $2"
}

test_dprintf_agent() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		set dprintf-style agent
		dprintf factorial,"n is %d, \"%s\" %05u %lx\n", n, ships[1].name, 42, -1L
		dprintf sail if goal.x == 10,"to %d\n", goal.x
		continue
	IN
	expect '^n is 5, "Beagle" 00042 ffffffffffffffff' '^n is 4' '^n is 1' 'exited normally'
	lines '^n is' 5
	gyve_ends 0
}

test_dprintf_four_vcpus() {
	gyve_start -c 4 "$GUESTS/smp"
	gdb_run smp <<-'IN'
		set var total = 400
		set dprintf-style agent
		dprintf hot,"vCPU %d\n", cpu
		continue
	IN
	expect 'exited normally'
	lines '^vCPU [0-3]$' 400
	lines '^vCPU 2$' 100
	gyve_ends 0
	output 'hits 400'
}

# The machine stops in between, for another breakpoint that gdb looks at itself: nothing is printed twice.
test_dprintf_interrupted() {
	gyve_start -c 4 "$GUESTS/smp"
	gdb_run smp <<-'IN'
		set var total = 1000
		set dprintf-style agent
		dprintf hot,"vCPU %d\n", cpu
		set breakpoint condition-evaluation host
		break *hot if hits == 100000
		continue
	IN
	expect 'exited normally'
	lines '^vCPU [0-3]$' 1000
	gyve_ends 0
}

# A client that is lost leaves commands behind that it has called persistent: their output goes to the terminal. (One that goes
# by `detach` or `disconnect` takes them out itself.)
test_dprintf_disconnected() {
	gyve_start "$GUESTS/loop"
	gdb_start loop <<-'IN'
		set dprintf-style agent
		set disconnected-dprintf on
		dprintf spin,"ticks %lu\n", ticks
		continue
	IN
	wait_for '^ticks 1' "$T/gdb.log"
	kill -KILL "$gdb_pid"
	wait_for '^gyve: ticks [0-9]+' "$T/gyve.err"
	gdb_run loop <<-'IN'
		monitor breakpoints
		break spin
		continue
		delete
		monitor breakpoints
		kill
	IN
	expect '\+monitor breakpoints' 'commands that stay' 'Breakpoint 1, spin' '\+monitor breakpoints'
	[ "$(grep -c 'commands that stay' "$T/gdb.log")" = 1 ] || fail "a breakpoint in their place does not end them"
	gyve_ends 0
}
