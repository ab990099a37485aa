# shellcheck shell=bash
# Breakpoints and watchpoints of one address space (monitor as).
machine_tests aarch64 spaces_break spaces_always_inserted spaces_not_mapped_yet spaces_watch spaces_hbreak
machine_tests svm spaces_break

# gdb takes its points out and puts them back at each stop: each stays where it was set.
test_spaces_break() {
	gyve_start "$GUESTS/spaces"
	gdb_run spaces <<-'IN'
		break ready
		continue
		finish
		print 1 + in_space
		eval "monitor as 0x%lx", roots[1]
		break work
		continue
		print in_space * 10 + rounds
		monitor as off
		break shared
		monitor breakpoints
		continue
		print in_space * 10 + rounds
		continue
		print in_space * 10 + rounds
		continue
		print in_space * 10 + rounds
		monitor breakpoints
		continue
		print in_space * 10 + rounds
		delete
		continue
	IN
	expect 'Breakpoint 1, ready' '^\$1 = 1$' 'address space 0x[0-9a-f]+, and points set now belong to it' 'Breakpoint 2 at' 'Breakpoint 2, work' '^\$2 = 11$' \
		'selected vCPU sees it' 'Breakpoint 3, shared' '^\$3 = 11$' 'Breakpoint 3, shared' '^\$4 = 2$' 'Breakpoint 2, work' '^\$5 = 12$' \
		'Breakpoint 3, shared' '^\$6 = 12$' 'exited normally'
	gyve_ends 0
	output done
}

# Set, listed, taken out and set for another space at once.
test_spaces_always_inserted() {
	gyve_start "$GUESTS/spaces"
	gdb_run spaces <<-'IN'
		set breakpoint always-inserted on
		tbreak ready
		continue
		monitor as cpu 0
		break work
		monitor breakpoints
		continue
		print in_space * 10 + rounds
		delete 2
		eval "monitor as 0x%lx", roots[1]
		break work
		monitor breakpoints
		continue
		print in_space * 10 + rounds
		continue
		print in_space * 10 + rounds
		delete
		continue
	IN
	expect 'breakpoint 1, ready' 'Breakpoint 2 at' 'planted at gpa 0x[0-9a-f]+, in address space 0x' 'Breakpoint 2, work' '^\$1 = 1$' 'Breakpoint 3 at' \
		'planted at gpa 0x[0-9a-f]+, in address space 0x' 'Breakpoint 3, work' '^\$2 = 11$' 'Breakpoint 3, work' '^\$3 = 12$' 'exited normally'
	gyve_ends 0
}

test_spaces_not_mapped_yet() {
	gyve_start "$GUESTS/spaces"
	gdb_run spaces <<-'IN'
		set breakpoint always-inserted on
		tbreak ready
		continue
		eval "monitor as 0x%lx", roots[1]
		break *0x60000000
		monitor breakpoints
		continue
		print in_space * 10 + rounds
		print $pc == 0x60000000
		monitor breakpoints
		x/2i $pc
		continue
	IN
	expect 'breakpoint 1, ready' 'Breakpoint 2 at 0x60000000' 'pending: not mapped yet .*, in address space' 'Breakpoint 2, ' '^\$1 = 16$' '^\$2 = 1$' \
		'0x0*60000000 .*planted at gpa 0x[0-9a-f]+, in address space' '=> 0x60000000:' 'exited normally'
	gyve_ends 0
	output done
}

# Counted up in both spaces: to 4 and 6 in the second.
test_spaces_watch() {
	gyve_start "$GUESTS/spaces"
	gdb_run spaces <<-'IN'
		tbreak ready
		continue
		eval "monitor as 0x%lx", roots[1]
		watch uses
		continue
		continue
		print rounds
		delete
		continue
	IN
	expect 'breakpoint 1, ready' 'atchpoint 2: uses' '^Old value = 1' '^New value = 4' '^Old value = 4' '^New value = 6' '^\$1 = 3' 'exited normally'
	gyve_ends 0
}

test_spaces_hbreak() {
	gyve_start "$GUESTS/spaces"
	gdb_run spaces <<-'IN'
		tbreak ready
		continue
		eval "monitor as 0x%lx", roots[1]
		hbreak work
		continue
		print in_space * 10 + rounds
		continue
		print in_space * 10 + rounds
		delete
		continue
	IN
	expect 'breakpoint 1, ready' 'Hardware assisted breakpoint 2' 'Breakpoint 2, work' '^\$1 = 11$' 'Breakpoint 2, work' '^\$2 = 12$' 'exited normally'
	gyve_ends 0
}

. "$here/linux_lib.sh"

# Two processes of one program, which share the pages of its code: by name of the program's functions, in one of them.
only_machine_tests aarch64 spaces_linux
limit_spaces_linux=240
test_spaces_linux() {
	local linux_user=1 linux_init=/user linux_cpus=2 linux_time=220
	linux_files
	: >"$T/none"
	linux_gdb "$T/none" <<-IN
		add-symbol-file $GUESTS/linux_user
		set breakpoint always-inserted on
		break work
		continue
		eval "monitor as cpu %d", \$_thread - 1
		eval "monitor as pid %ld", pid
		monitor as pid 2
		monitor as pid 99999
		set \$who = who
		delete
		break work
		break late
		monitor breakpoints
		continue
		print who == \$who && rounds == 1
		continue
		print who == \$who && rounds == 2
		continue
		print who == \$who && rounds == 3
		continue
		print who == \$who && rounds == 4
		delete 2
		watch rounds if rounds == 9
		continue
		print who == \$who
		delete 4
		continue
		print who == \$who && rounds == 31
		bt
		monitor breakpoints
		continue
		print rounds
		delete
		continue
	IN
	expect 'Breakpoint 1, work' 'address space 0x[0-9a-f]+, and points set now belong to it' 'address space 0x[0-9a-f]+ \(pid [0-9]+, user\)' "the kernel's own" \
		'no task 99999' 'Breakpoint 2 at' 'Breakpoint 3 at' 'planted at gpa.*, in address space 0x[0-9a-f]+: pid [0-9]+, user' 'pending: not mapped yet.*, in address space' \
		'^\$1 = 1$' '^\$2 = 1$' '^\$3 = 1$' '^\$4 = 1$' '^New value = 9' '^\$5 = 1$' 'Breakpoint 3, late \(n=n@entry=31' '^\$6 = 1$' '^#1 .*count' \
		'planted at gpa.*, in address space' 'Breakpoint 3, late \(n=n@entry=32' '^\$7 = 32' 'exited normally'
	gyve_ends 0
	linux_says 'user 1: 060 rounds' 'user 2: 060 rounds'
}
