# shellcheck shell=bash
# A guest that dies: a stop when somebody looks, a paragraph and status 124 when nobody does.

# crash_alone GUEST REGEX [OPTION...]
crash_alone() {
	local guest=$1 regex=$2
	shift 2
	gyve_run 124 "$@" "$GUESTS/$guest"
	output 'about to crash'
	[ "$(grep -vc '^  #[0-9]' "$T/gyve.err")" = 1 ] || fail "not one paragraph, and the stack, on standard error"
	grep -qE -- "$regex" "$T/gyve.err" || fail "standard error has no /$regex/"
}

test_crash_page_fault() {
	crash_alone crash_pf 'die.*0x700000001000.*(PML4|not present|not mapped)'
}
test_crash_invalid_opcode() {
	crash_alone crash_ud 'die'
}
test_crash_jump() {
	crash_alone crash_jump '0x700000002000'
	grep -qE '^  #1  0x[0-9a-f]+ in die \(depth=2\) at crash.c:[0-9]+ \[by return address\]$' "$T/gyve.err" || fail "die is not in the stack"
	grep -qE '^  #3  0x[0-9a-f]+ in kmain ' "$T/gyve.err" || fail "kmain is not in the stack"
}
test_crash_stack() {
	crash_alone crash_stack 'die.*0x700000003|0x700000002ff8'
}
test_strict_port() {
	crash_alone crash_port '0x5555' --strict
	gyve_run 0 "$GUESTS/crash_port"
	output 'about to crash
survived'
}
test_strict_mmio() {
	crash_alone crash_mmio '0xe0000000' --strict
}

test_crash_stop() {
	gyve_start "$GUESTS/crash_pf"
	gdb_run crash_pf <<-'IN'
		continue
		backtrace
		info locals
		up
		print depth
		kill
	IN
	expect '(SIGSEGV|SIGILL|SIGTRAP|SIGABRT)' '^#0 .*die \(depth=2\) at .*crash.c:[0-9]+' '^#1 .*outer' '^#2 .*kmain' '\$1 = 1'
	gyve_ends 124
}

test_crash_continue() {
	gyve_start "$GUESTS/crash_ud"
	gdb_run crash_ud <<-'IN'
		continue
		continue
		info registers rip
	IN
	expect '(SIGSEGV|SIGILL|SIGTRAP|SIGABRT)'
	end_started
}

# The guest has its own handler: its INT3s are not ours.
test_foreign_int3() {
	gyve_run 0 "$GUESTS/int3"
	output 'int3 handled 3 times'
	gyve_start "$GUESTS/int3"
	gdb_run int3 <<-'IN'
		break after
		continue
		print taken
		continue
	IN
	expect 'Breakpoint 1, after' '\$1 = 3' 'exited normally'
	gyve_ends 0
	output 'int3 handled 3 times'
}

test_vector_instructions() {
	gyve_run 0 "$GUESTS/sse"
	grep -q 'are right' "$T/gyve.out" || fail "the guest wrote '$(cat "$T/gyve.out")'"
}
