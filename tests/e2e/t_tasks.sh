# shellcheck shell=bash
# Tasks of a Linux guest as threads.
only_machine_tests aarch64 tasks_a64 tasks_a64_user
only_machine_tests svm tasks_x86 tasks_dump

. "$here/linux_lib.sh"

# What the guest has printed of its tasks, against those that gdb has. Workers come and go; of names there are 15 characters.
compare_tasks() {
	sed -nE 's/^.*\btask ([0-9]+) ([0-9]+) [A-Za-z] ([^\r]{1,15}).*$/\1 \2 \3/p' "$T/gyve.out" | grep -v 'kworker' | sort >"$T/theirs"
	sed -nE 's/^[* ] +[0-9]+ +Thread [0-9]+ \((.*), pid ([1-9][0-9]*), [A-Z] \(.*/\2 \2 \1/p
		s/^[* ] +[0-9]+ +Thread [0-9]+ \((.*), pid ([0-9]+) of process ([0-9]+), [A-Z] \(.*/\2 \3 \1/p' "$T/gdb.log" | grep -v 'kworker' | sort >"$T/ours"
	[ "$(wc -l <"$T/theirs")" -gt 20 ] || fail "the guest did not list its tasks"
	diff "$T/theirs" "$T/ours" >"$T/differ" || fail "gdb's threads are not the guest's tasks: $(sed -n 2,4p "$T/differ" | tr '\n' '|')"
}

select_pid='python next(t for t in gdb.selected_inferior().threads() if t.ptid[1] == '

limit_tasks_a64=120
test_tasks_a64() {
	local vmlinux=${GYVE_LINUX_A64_VMLINUX:-} linux_init='/init -- thread tasks' linux_threads=tasks
	[ -r "$vmlinux" ] || skip "no symbols of the kernel; name its vmlinux in GYVE_LINUX_A64_VMLINUX"
	linux_files
	linux_gdb "$vmlinux" <<-IN
		info threads
		break __arm64_sys_sync
		continue
		monitor tasks
		info threads
		${select_pid}2).switch()
		backtrace
		print \$x0
		print/x \$x30 != 0
		set var \$x19 = 0
		stepi
		continue
		kill
	IN
	expect '^\+info threads' 'Thread 5000000 \(vCPU 0' 'Thread 5000001 \(vCPU 1' 'hit Breakpoint 1[., ]' '^ +1 +1 +[01] R .* init' 'pid 1, R \(running\), vCPU' \
		'^#0 .*__switch_to' 'kthreadd' 'ret_from_fork' '<unavailable>' '^\$2 = 0x1' 'Could not write register' 'does not run, so it cannot be stepped' 'killed'
	gyve_ends 0
	compare_tasks
}

# Two processes of one program on one vCPU, when both have begun: one runs, the other waits; each has its own memory.
limit_tasks_a64_user=120
test_tasks_a64_user() {
	local linux_user=1 linux_init=/user linux_cpus=1 linux_threads=tasks
	linux_files
	: >"$T/none"
	linux_gdb "$T/none" <<-IN
		add-symbol-file $GUESTS/linux_user
		break work
		python seen = set()
		python exec("while len(seen) < 2:\\n gdb.execute('continue')\\n seen.add(int(gdb.parse_and_eval('who')))")
		python runs = gdb.selected_thread().ptid[1]
		python who = int(gdb.parse_and_eval('who'))
		python others = [t for t in gdb.selected_inferior().threads() if ', pid %d,' % t.ptid[1] in (t.details or '') and t.details.startswith('user,') and t.ptid[1] not in (1, runs)]
		python print('others:', len(others))
		python others[0].switch()
		python print('who:', sorted([who, int(gdb.parse_and_eval('who'))]))
		${select_pid}1).switch()
		x/i begun
		stepi
		${select_pid}runs).switch()
		delete
		stepi
		info threads
		continue
	IN
	expect 'Breakpoint 1, work' '^others: 1' '^who: \[1, 2\]' '<begun>:' 'does not run, so it cannot be stepped' '^\* .*\(user, pid [0-9]+, R \(running\), vCPU 0' 'exited normally'
	gyve_ends 0
	linux_says 'user 1: 060 rounds' 'user 2: 060 rounds'
}

# Through a panic, which is seen where breakpoints cannot be had.
limit_tasks_x86=150
test_tasks_x86() {
	local vmlinux=${GYVE_LINUX_X86_VMLINUX:-} linux_typed='thread tasks panic' linux_threads=tasks
	[ -r "$vmlinux" ] || skip "no symbols of the kernel; name its vmlinux in GYVE_LINUX_X86_VMLINUX"
	linux_gdb_panic "$vmlinux" <<-IN
		monitor catch panic on
		continue
		info threads
		${select_pid}2).switch()
		backtrace
		print \$rax
		print \$rbx != 0 || \$rbp != 0
		set var \$rbx = 0
		kill
	IN
	expect 'panic +on' '\+continue' 'SIGABRT' '\(init, pid 1, R \(running\), vCPU' '\(second, pid [0-9]+ of process 1, S \(sleeping\)\)' \
		'__schedule' 'kthreadd' 'ret_from_fork' '^\$1 = <unavailable>' '^\$2 = 1' 'Could not write register' 'killed'
	gyve_ends 0
	compare_tasks
}

# The kernel's own symbols will do.
limit_tasks_dump=240
test_tasks_dump() {
	local linux_words='thread tasks' which
	linux_dumps
	: >"$T/none"
	for which in live panic; do
		"$GYVE" serve "$T/core.$which" --threads tasks --gdb "unix:$T/gdb.sock" 2>"$T/serve.err" &
		started=$!
		wait_for_socket
		GUESTS=$T MACHINE='' gdb_run none <<-IN
			info threads
			${select_pid}2).switch()
			print \$rax
			print \$rip != 0 && \$rsp != 0
			info os threads
			continue
			kill
		IN
		expect 'Thread' "^\\+python" '^\$1 = <unavailable>' '^\$2 = 1' '^1 .* init, pid 1, ' 'a dump cannot run' 'killed'
		gyve_ends 0
		compare_tasks
	done
}
