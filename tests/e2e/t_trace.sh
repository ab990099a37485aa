# shellcheck shell=bash
# Tracepoints: the vCPU that passes collects, nothing stops.

machine_tests "x86_64 aarch64" trace trace_while_stepping trace_full
machine_tests aarch64 trace_four_vcpus

# What has a body of its own, gdb reads from a file only.
definitions() {
	sed 's/^\t*//' >"$T/definitions.gdb"
}

test_trace() {
	definitions <<-'IN'
		tvariable $seen = 10
		trace burn
		actions
		collect $regs, *ship, amount, *ship->name@4
		teval $seen = $seen + 1
		collect $seen
		end
		trace factorial if n == 4
		actions
		collect $regs, n
		end
	IN
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		source definitions.gdb
		info tracepoints
		tstart
		tstatus
		break put_number
		continue
		tstatus
		tstop
		info tvariables
		info tracepoints
		tfind start
		print *ship
		print amount
		print $seen
		print ships[1].fuel
		tdump
		tfind
		print ship->fuel
		print $seen
		tfind tracepoint 2
		print n
		print limit
		tfind
		tfind none
		print limit
		tsave trace.tf
		delete
		continue
	IN
	expect 'collect \$regs' 'Trace is running' 'Breakpoint 3, put_number' 'Collected 3 trace frames' 'Trace stopped by a tstop command|tstop' \
		'\$seen +10 +12' 'already hit 2 times' 'already hit 1 time' \
		'Found trace frame 0, tracepoint 1' 'name = 0x[0-9a-f]+ .*at = \{x = 1, y = 2\}, fuel = 100\}' '= 27' '= 11' \
		'(Cannot access|unavailable)' 'Data collected at tracepoint 1, trace frame 0' \
		'Found trace frame 1, tracepoint 1' '= 50' '= 12' 'Found trace frame 2, tracepoint 2' '= 4' '(Cannot access|unavailable)' \
		'No trace frame found' '= 5' 'exited normally'
	gyve_ends 0
	(cd "$T" && timeout 30 "${GDB:-gdb}" -nx -q -batch -ex 'target tfile trace.tf' -ex tstatus -ex 'tfind start' -ex 'print *ship' -ex tfind -ex tfind -ex 'print n' \
		"$GUESTS/sample") >"$T/tfile.log" 2>&1
	grep -q 'fuel = 100}' "$T/tfile.log" && grep -q 'Found trace frame 2, tracepoint 2' "$T/tfile.log" || fail "the saved trace: $(cat "$T/tfile.log")"
}

test_trace_while_stepping() {
	definitions <<-'IN'
		trace factorial if n == 2
		actions
		collect n
		while-stepping 3
		collect $regs
		end
		end
	IN
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		source definitions.gdb
		tstart
		break put_number
		continue
		tstop
		tstatus
		tfind start
		tfind
		print $pc > (unsigned long) factorial
		tfind
		tfind
		tfind
		tfind none
		kill
	IN
	expect 'Collected 4 trace frames' 'Found trace frame 0, tracepoint 1' 'Found trace frame 1' '= 1' 'Found trace frame 3' 'No trace frame found'
	gyve_ends 0
}

# A pass count ends it; a circular buffer keeps the newest; both counts are exact with four vCPUs.
test_trace_four_vcpus() {
	definitions <<-'IN'
		trace hot
		actions
		collect cpu
		end
	IN
	gyve_start -c 4 "$GUESTS/smp"
	gdb_run smp <<-'IN'
		set var total = 2000
		source definitions.gdb
		set circular-trace-buffer on
		set trace-buffer-size 100000
		tstart
		break put_number
		continue
		tstop
		tstatus
		info tracepoints
		delete
		continue
	IN
	expect '.of 2000 created total' 'Trace buffer has [0-9]+ bytes of 100000 bytes free' 'already hit 2000 times' 'exited normally'
	gyve_ends 0
	output 'hits 2000'
}

# The client goes, tracing goes on until its count is full, the next client finds what there is.
test_trace_disconnected() {
	definitions <<-'IN'
		trace spin
		passcount 3
		actions
		collect $regs
		end
	IN
	gyve_start "$GUESTS/loop"
	gdb_run loop <<-'IN'
		tbreak kmain
		continue
		source definitions.gdb
		set disconnected-tracing on
		tstart
		disconnect
	IN
	sleep 1
	gdb_run loop <<-'IN'
		tstatus
		info tracepoints
		tfind start
		print $pc - (unsigned long) spin < 16
		tfind none
		kill
	IN
	expect 'Trace stopped by tracepoint 2' 'Collected 3 trace frames' 'already hit 3 times' 'Found trace frame 0' '= 1'
	gyve_ends 0
}

# As many frames as the pass count says, from four vCPUs at once; then its breakpoint is gone.
test_trace_passcount() {
	definitions <<-'IN'
		trace hot
		passcount 777
		actions
		collect cpu
		end
	IN
	gyve_start -c 4 "$GUESTS/smp"
	gdb_run smp <<-'IN'
		set var total = 4000
		source definitions.gdb
		tstart
		break put_number
		continue
		tstatus
		monitor breakpoints
		info tracepoints
		delete
		continue
	IN
	expect 'Breakpoint 2, put_number' '\+tstatus' 'Trace stopped by tracepoint 1' 'Collected 777 trace frames' \
		'\+monitor breakpoints' '\+info tracepoints' 'already hit 777 times' 'exited normally'
	! sed -n '/+monitor breakpoints/,/+info/p' "$T/gdb.log" | grep -q '  tracepoint' || fail "the tracepoint's breakpoint is still there"
	gyve_ends 0
	output 'hits 4000'
}

# A full buffer ends it; what was written on it stays.
test_trace_full() {
	definitions <<-'IN'
		trace hot
		actions
		collect $regs
		end
	IN
	gyve_start -c 2 "$GUESTS/smp"
	gdb_run smp <<-'IN'
		set var total = 400
		source definitions.gdb
		set trace-buffer-size 8192
		tstart
		break put_number
		continue
		tstatus
		monitor trace
		tfind start
		print $pc - (unsigned long) hot < 32
		tfind none
		delete
		continue
	IN
	expect 'Trace stopped because the buffer was full' 'Collected [1-9][0-9]* trace frames' 'the buffer is full' \
		'Found trace frame 0' '= 1' 'exited normally'
	gyve_ends 0
	output 'hits 400'
}

# A client that comes later is told who traces and why, and the other's variables.
test_trace_notes() {
	definitions <<-'IN'
		tvariable $seen = 7
		trace spin
		actions
		teval $seen = $seen + 1
		end
	IN
	gyve_start "$GUESTS/loop"
	gdb_run loop <<-'IN'
		source definitions.gdb
		set trace-user somebody
		set trace-notes what for
		set disconnected-tracing on
		tstart
		disconnect
	IN
	gdb_run loop <<-'IN'
		tstatus
		info tvariables
		tstop because
		tstatus
		kill
	IN
	expect 'Trace is running|already running' '\+tstatus' 'Trace user is somebody' 'Trace notes: what for' '\$seen +7 ' '\$trace_timestamp' \
		'\+tstop because' '\+tstatus' 'Trace stopped by a tstop command \(because\)'
	gyve_ends 0
}
