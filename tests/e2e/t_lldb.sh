# shellcheck shell=bash
# Real lldb: what it asks beyond gdb's packets.

machine_tests "aarch64 x86_64" lldb

LLDB=$(command -v lldb-14 || command -v lldb)

# lldb_run GUEST: as gdb_run, with lldb's commands; its transcript is $T/gdb.log as well. lldb ends at the first error.
lldb_run() {
	local line option=-o commands=()
	[ -n "$LLDB" ] || skip "no lldb is installed"
	while read -r line; do # behind "crash": once the guest has died, which ends a batch
		[ "$line" != crash ] || { option=-k && continue; }
		commands+=($option "$line")
	done
	timeout ${MACHINE:+2}50 "$LLDB" --no-lldbinit --batch -o 'settings set auto-confirm true' -o "settings set plugin.process.gdb-remote.packet-timeout ${MACHINE:+3}20" \
		-o "process connect unix-connect://$T/gdb.sock" "${commands[@]}" "$GUESTS/$1" >"$T/gdb.log" 2>&1 </dev/null
	if [ -n "$MACHINE" ] && grep -q 'Resume timed out' "$T/gdb.log"; then
		skip "lldb gives up five seconds after it let the guest go, and this emulated host took longer"
	fi
	expected=0
}

test_lldb() {
	local guest=sample pc=rip sp=rsp general=rax system=cr3
	[ "$(machine_arch)" != aarch64 ] || pc=pc sp=sp general=x1 system=TTBR0_EL1
	gyve_start "$GUESTS/$guest"
	lldb_run "$guest" <<-IN
		register read $pc
		breakpoint set -n sail
		continue
		bt
		thread list
		frame variable
		register write $general 0x1234
		register read $general $sp $system
		memory read -c 16 \$$sp
		memory region \$$pc
		expression goal.x + 5
		expression goal.x = 10
		thread step-inst
		thread step-over
		thread step-in
		thread step-out
		breakpoint delete 1
		watchpoint set variable counter
		continue
		expression (int)counter
		watchpoint delete 1
		breakpoint set -n factorial -c "n == 2"
		continue
		bt
		breakpoint delete 2
		continue
	IN
	expect 'stop reason = signal SIGTRAP' 'register read' " $pc = 0x0*[1-9a-f][0-9a-f]+ .*_start" 'set -n sail' 'continue' \
		'stop reason = breakpoint 1.1' 'sail\(ship=.*goal=\(x = 10, y = 20\)\)' '\) bt' 'frame #0: .*sail' 'frame #1: .*kmain' \
		'frame #2: .*_start' 'thread #1: tid = 0x0001.*sail' 'goal = \(x = 10, y = 20\)' 'register write' " $general = 0x0*1234" \
		" $sp = 0x" "(^| )$system = 0x" 'memory read' '^0x[0-9a-f]+: ([0-9a-f]{2} ){16}' 'memory region' '^\[0x[0-9a-f]+-0x[0-9a-f]+\) r.x' \
		'\(int\) \$[0-9]+ = 15' '\(int\) \$[0-9]+ = 10' 'instruction step into' 'stop reason = step over' 'stop reason = step in' \
		'burn\(ship=' 'stop reason = step out' 'Return value: \(int\)' 'watchpoint set' 'new value: 0' \
		'stop reason = watchpoint 1' '\(int\) \$[0-9]+ = 1$' 'stop reason = breakpoint 2.1' 'factorial\(n=2\)' '\) bt' \
		'frame #3: .*factorial\(n=5\)' 'exited with status = 0'
	gyve_ends 0
	output 'hello from a bare kernel
vCPUs 1, fuel 94, sum 55, counter 15, product 120'
}

# Threads by lldb's suffix: the registers are those of the thread that is looked at.
test_lldb_threads() {
	gyve_start -c 3 "$GUESTS/smp"
	lldb_run smp <<-'IN'
		breakpoint set -n hot
		continue
		thread list
		thread select 1
		register read pc sp
		thread select 2
		register read pc
		bt all
		breakpoint delete 1
		continue
	IN
	expect 'stop reason = signal SIGTRAP' 'stop reason = breakpoint 1.1' 'thread list' 'thread #1: tid = 0x0001' 'thread #2: tid = 0x0002' \
		'thread #3: tid = 0x0003' 'thread select 1' ' (rip|pc) = 0x' ' (rsp|sp) = 0x' 'thread select 2' ' (rip|pc) = 0x' 'bt all' \
		'thread #3, name' 'exited with status = 0'
	gyve_ends 0
	output 'hits 9999'
}

test_lldb_ends() {
	local i
	gyve_start "$GUESTS/loop" # stops a running guest, then kills it
	lldb_run loop <<-'IN'
		process status
		process detach
	IN
	expect 'signal SIGTRAP' 'Process 1 detached'
	sleep 0.3
	lldb_run loop <<-'IN'
		process status
		process kill
	IN
	expect 'stop reason = signal SIG(INT|TRAP)' 'Process 1 exited with status = 9'
	gyve_ends 0
}

# A crash: the stop is told, and everything can be looked at.
test_lldb_crash() {
	gyve_start "$GUESTS/crash_pf"
	lldb_run crash_pf <<-'IN'
		continue
		crash
		bt
		register read rip cr2
		process kill
	IN
	expect 'continue' 'stop reason = signal SIGSEGV' '\) bt' 'frame #0' ' cr2 = 0x'
	gyve_ends 124
}
