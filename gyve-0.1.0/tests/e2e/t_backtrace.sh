# shellcheck shell=bash
# monitor bt: our own walk of the stack, beside gdb's.

# The addresses of the frames of "backtrace" and of "monitor bt" must be the same; gdb leaves out the first one's at a line's beginning.
same_stack() {
	awk '/^FRAMES/ { which++; next }
		which == 1 && /^#[0-9]/ { a[n++] = $2 ~ /^0x/ ? $2 : "" }
		which == 2 && /^#[0-9]/ { b[m++] = $2 }
		END {
			for (i = 0; i < n || i < m; i++)
				if (a[i] != "" && a[i] != b[i]) { print "frame " i ": " a[i] " and " b[i]; exit 1 }
			exit n < 2 || n != m
		}' "$T/gdb.log" >"$T/differs" || fail "gdb and monitor bt differ: $(cat "$T/differs")"
}

two_stacks() {
	cat <<-'IN'
		echo FRAMES\n
		backtrace
		echo FRAMES\n
		monitor bt
		echo FRAMES\n
	IN
}

test_backtrace_recursion() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-IN
		tbreak factorial if n == 1
		continue
		$(two_stacks)
		kill
	IN
	same_stack
	expect 'in factorial \(n=1\) at sample.c:[0-9]+' 'in kmain \(cpu=0, ncpus=1\) at'
}

# At every instruction of a call: before the frame is set up, in it, after it is taken down.
test_backtrace_prologue() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-IN
		tbreak *put_number
		continue
		$(two_stacks)
		stepi
		stepi
		$(two_stacks | sed 's/FRAMES/MORE/')
		kill
	IN
	same_stack
	expect '^#1  0x[0-9a-f]+ in kmain \(cpu=0'
}

test_backtrace_interrupt() {
	gyve_start "$GUESTS/int3"
	gdb_run int3 <<-IN
		tbreak on_bp
		continue
		$(two_stacks)
		kill
	IN
	same_stack
	expect 'in own_breakpoint \(\) at int3.c:[0-9]+ \[interrupted here\]'
}

test_backtrace_threads() {
	gyve_start -c 2 "$GUESTS/smp"
	gdb_run smp <<-IN
		hbreak kmain
		continue
		$(two_stacks)
		kill
	IN
	same_stack
}

# Functions inlined there are frames of their own, with their parameters.
test_backtrace_inlined() {
	gyve_start "$GUESTS/sample_O2"
	gdb_run sample_O2 <<-'IN'
		tbreak put_char
		continue
		monitor bt full
		kill
	IN
	expect "put_char \(c=104 'h'\) at guest.h:[0-9]+ \[inlined\]" 'put_text \(text=.*\) at guest.h:[0-9]+ \[inlined\]' \
		'kmain \(cpu=0, ncpus=1\) at sample.c:[0-9]+$' '  sum = ' 'in _start'
}

test_backtrace_locals() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		tbreak sail
		continue
		monitor bt full
		kill
	IN
	expect 'sail \(ship=0x[0-9a-f]+, goal=\{x = 10, y = 20\}\) at sample.c:[0-9]+' '  way = ' '#1 .*in kmain' '  goal = \{x = 10, y = 20\}'
}
