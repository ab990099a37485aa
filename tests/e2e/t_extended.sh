# shellcheck shell=bash
# The extended protocol: the session outlives the guest.
machine_tests "aarch64 x86_64" extended_run

# gdb_extended GUEST: as gdb_run, by target extended-remote.
gdb_extended() {
	protocol=extended-remote gdb_run "$@"
}

test_extended_run() {
	gyve_start "$GUESTS/exitcode"
	gdb_extended exitcode <<-IN
		break kmain
		continue
		continue
		info threads
		run
		backtrace
		continue
		print \$_exitcode
		run
		info breakpoints
		${MACHINE:+monitor quit}
	IN
	expect 'Breakpoint 1, kmain' '\+continue' 'exited with code 052' '\+info threads' 'No threads' '\+run' \
		'Breakpoint 1, kmain' '\+backtrace' '^#0 +kmain' 'exited with code 052' '\$1 = 42' '\+run' 'Breakpoint 1, kmain' \
		'already hit 1 time'
	gyve_ends 0 # the last run was killed by gdb, at its end; a serial line has none, so there it is told
}

# The status of the last run, when the client goes.
test_extended_exit_status() {
	gyve_start "$GUESTS/exitcode"
	gdb_extended exitcode <<-'IN'
		kill
		run
	IN
	expect '\+kill' 'killed' '\+run' 'exited with code 052'
	gyve_ends 42
}

test_extended_kill_run() {
	gyve_start -c 2 "$GUESTS/loop"
	gdb_extended loop <<-'IN'
		break spin
		continue
		kill
		info program
		run
		info threads
		print ticks < 3
		kill
	IN
	expect 'Breakpoint 1, .*spin' '\+kill' 'killed' 'not being run' '\+run' 'Breakpoint 1, .*spin' '2 +Thread' '\$1 = 1' 'killed'
	gyve_ends 0
}

test_extended_detach_attach() {
	gyve_start "$GUESTS/loop"
	gdb_extended loop <<-'IN'
		break spin
		continue
		delete
		detach
		shell sleep 0.3
		attach 1
		print ticks > 3
		detach
		tbreak kmain
		run
		print ticks
		detach
	IN
	expect 'Breakpoint 1, .*spin' '\+detach' '\+attach' '\$1 = 1' '\+run' 'Temporary breakpoint 2, kmain' '\$2 = 0' '\+detach'
	kill -0 "$started" || fail "gyve ended though the guest was let go"
	gdb_run loop <<-'IN'
		print ticks > 3
		kill
	IN
	expect '\$1 = 1'
	gyve_ends 0
}

test_extended_exec_file() {
	gyve_start "$GUESTS/sample"
	gdb_extended sample <<-'IN'
		set remote exec-file /nowhere/sample
		break kmain
		run
		set remote exec-file /nowhere/other
		run
		set remote exec-file
		set cwd /nowhere
		run
		set cwd
		set environment A=B
		run
		maintenance packet QThreadEvents:1
		maintenance packet qAttached
		kill
	IN
	expect '\+run' 'Breakpoint 1, kmain' '\+run' 'other. on the remote target failed' '\+run' 'directory: E' '\+run' 'Breakpoint 1, kmain' 'received: "OK"' 'received: "0"' 'killed'
	gyve_ends 0
}
