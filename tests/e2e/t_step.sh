# shellcheck shell=bash
# Moving by instruction, line and function.
machine_tests "aarch64 x86_64 svm" step_next_finish_until until_and_advance next_over_call step_from_elsewhere
machine_tests "x86_64 svm" stepi step_pushf step_popf step_at_breakpoint

test_step_next_finish_until() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break sail
		continue
		next
		print way
		step
		info args
		next
		next
		finish
		finish
		delete
		tbreak count
		continue
		next
		until 53
		kill
	IN
	expect 'Breakpoint 1, sail' '\+next' 'int left = burn' '\$1 = 27' '\+step' 'burn \(ship=.*amount=27\)' '^amount = 27' \
		'\+finish' 'Value returned is .* = 73' '\+finish' 'in kmain' 'Value returned is .* = 73' \
		'Temporary breakpoint 2, count' '\+next' '\+until' '^53.*return sum'
	gyve_ends 0
}

test_until_and_advance() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break count
		continue
		advance 53
		advance factorial
		tbreak factorial if n == 1
		continue
		up
		info locals
		until factorial
		kill
	IN
	expect 'Breakpoint 1, count' '\+advance 53' '^53' '\+advance factorial' 'in kmain' 'factorial \(n=1\)' '^#1 .*factorial \(n=2\)'
	gyve_ends 0
}

# A debugger puts the guest somewhere else, then steps.
test_step_from_elsewhere() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break sail
		continue
		delete
		set $from = $pc
		stepi
		set $to = $pc
		stepi
		set $pc = $from
		stepi
		print $pc == $to
		return
		stepi
		backtrace
		kill
	IN
	expect 'Breakpoint 1, sail' '\$1 = 1' '\+return' '\+stepi' '\+backtrace' '^#0 .*kmain' '^#1 .*_start' 'killed'
	gyve_ends 0
}

test_stepi() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		stepi
		x/i $pc
		stepi
		stepi
		x/i $pc
		nexti
		stepi 3
		info registers rip
		kill
	IN
	expect '0x200002.*and' 'in kmain|kmain \(' '=> 0x[0-9a-f]+ <kmain>:.*push' '^rip +0x[0-9a-f]+ .*kmain'
	gyve_ends 0
}

# next over a loop with calls: many steps, one stop.
test_next_over_call() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break kmain
		continue
		next
		next
		next
		next
		next
		info locals
		continue
	IN
	expect 'Breakpoint 1, kmain' 'put_text' 'left = sail' 'left \+= sail' 'sum = count' '^left = 94' 'exited normally'
	gyve_ends 0
}

# A step over a breakpoint must not run past it, nor stop at it twice.
test_step_at_breakpoint() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break *kmain
		continue
		stepi
		info registers rip
		break *$pc
		stepi
		continue
	IN
	expect 'Breakpoint 1, kmain' '\+stepi' '^rip .*<kmain\+1>' 'exited normally'
	gyve_ends 0
}

# On hosts whose processor really steps, PUSHF would show the trap flag.
test_step_pushf() {
	gyve_start "$GUESTS/pushf"
	gdb_run pushf <<-'IN'
		stepi
		x/gx $rsp
		stepi
		print/x $rax
		continue
	IN
	expect '0x0000000000000002' '= 0x2' 'exited normally'
	gyve_ends 0
}

# A step goes on where the guest has loaded its flags, and the host's trap flag was among the old ones.
test_step_popf() {
	gyve_start "$GUESTS/pushf"
	gdb_run pushf <<-'IN'
		stepi 6
		x/i $pc
		stepi
		x/i $pc
		stepi
		x/i $pc
		continue
	IN
	expect '=> 0x20000a .*nop' '=> 0x20000b .*nop' '=> 0x20000c .*out' 'exited normally'
	gyve_ends 0
}
