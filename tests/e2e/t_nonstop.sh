# shellcheck shell=bash
# Non-stop: each vCPU stops and goes on by itself.
machine_tests "x86_64 aarch64" nonstop_one_steps nonstop_breakpoints
machine_tests aarch64 nonstop_packets

# gdb_nonstop GUEST: commands come on gdb's standard input, as only there it looks for events between two of them; a number before
# one: so many seconds after the one before; a line "until REGEX": when the transcript, $T/gdb.log, has that.
gdb_nonstop() {
	local word line i
	: >"$T/gdb.log"
	while read -r word line; do
		case $word in
		until)
			for ((i = 0; i < ${MACHINE:+10}500; i++)); do # an emulated host has to start first
				grep -qE -- "$line" "$T/gdb.log" && break
				sleep 0.02
			done
			continue
			;;
		*)
			case $MACHINE in aarch64) sleep 1.5 ;; ?*) sleep 10 ;; esac
			sleep "$word"
			;;
		esac
		printf '%s\n' "$line"
	done | timeout ${MACHINE:+2}50 "$GDB" -nx -q -ex "set remotetimeout ${MACHINE:+3}20" -ex 'set confirm off' -ex 'set pagination off' -ex 'set width 0' -ex 'set non-stop on' \
		-ex "target ${protocol:-remote} $T/gdb.sock" -ex 'set trace-commands on' "$GUESTS/$1" >>"$T/gdb.log" 2>&1
	echo "gdb ended with status $?" >>"$T/gdb.log"
	expected=0
}

test_nonstop_one_steps() {
	gyve_start -c 4 "$GUESTS/nonstop"
	gdb_nonstop nonstop <<-'IN'
		until Thread 4 stopped
		0.2 continue -a &
		0.4 thread 1
		0 interrupt
		until Thread 1 stopped
		0.2 set $others = counts[1] + counts[2] + counts[3]
		0 set $mine = counts[0]
		0.1 stepi
		0.1 stepi
		0.1 stepi
		0.1 stepi
		0.1 print counts[1] + counts[2] + counts[3] > $others + 3
		0 print counts[0] - $mine <= 2
		0 info threads
		0 thread 3
		0 interrupt
		until Thread 3 stopped\..*|^work .cpu=2|kmain .cpu=2
		0.3 print $pc != 0
		0 info threads
		0 set var finish = 1
		0 continue -a &
		until exited with
		0 quit
	IN
	expect '\+interrupt' 'Thread 1 stopped' '\+stepi' '\+stepi' '\+print counts' '\$1 = 1' '\$2 = 1' '\+info threads' \
		'^\* 1 .*stopped.* at ' '^  2 .*\(running\)$' '^  3 .*\(running\)$' '^  4 .*\(running\)$' '\+interrupt' \
		'Thread 3 stopped' '\$3 = 1' '\+info threads' '^  1 .*stopped.* at ' '^  2 .*\(running\)$' '^\* 3 .*stopped.* at ' \
		'\+continue -a' 'exited with code 07'
	gyve_ends 7
}

test_nonstop_breakpoints() {
	gyve_start -c 4 "$GUESTS/nonstop"
	gdb_nonstop nonstop <<-'IN'
		until Thread [24] stopped
		0.3 break rare
		0 continue -a &
		1 info threads
		0 thread 2
		0 set $before = counts[1]
		0 continue &
		0.7 print counts[1] - $before
		0 delete
		0 tbreak work if cpu == 2 && counts[2] % 1000 == 7
		0 continue -a &
		until hit Temporary breakpoint 2
		1 info threads
		0 thread 3
		0 print counts[2] % 1000
		0 interrupt -a
		0.5 info threads
		0 print finish = 1
		0 continue -a &
		until exited with
		0 quit
	IN
	[ "$(grep -cE '^Thread [1-4] hit Breakpoint 1, rare' "$T/gdb.log")" = 5 ] || fail "not every vCPU's hit was told"
	expect '\+info threads' '^[* ] 1 .* rare \(cpu=0\)' '^[* ] 2 .* rare \(cpu=1\)' '^[* ] 3 .* rare \(cpu=2\)' '^[* ] 4 .* rare \(cpu=3\)' \
		'Thread 2 hit Breakpoint 1, rare \(cpu=1\)' '\$1 = 25[67]' 'hit Temporary breakpoint 2, work \(cpu=2\)' '\+info threads' \
		'^  1 .*\(running\)$|^\* 1 .*\(running\)$' '\+print counts' '= 7$' '\+interrupt -a' '\+info threads' '^[* ] 1 .*stopped' \
		'^[* ] 2 .*stopped' '^[* ] 3 .*stopped' '^[* ] 4 .*stopped' 'exited with code 07'
	gyve_ends 7
}

# By packets: what a client other than gdb may do.
test_nonstop_packets() {
	gyve_start -c 4 "$GUESTS/nonstop"
	rsp nonstop "$(symbol nonstop counts)" "$(symbol nonstop work)"
	gyve_ends 0
}

test_nonstop_detach_and_all_stop() {
	gyve_start -c 2 "$GUESTS/nonstop"
	gdb_nonstop nonstop <<-'IN'
		until Thread [24] stopped
		0.3 break rare
		0 continue -a &
		0.7 detach
		0.2 quit
	IN
	expect 'hit Breakpoint 1, rare' '\+detach' 'detached'
	kill -0 "$started" || fail "gyve ended at detach"
	gdb_run nonstop <<-'IN'
		set $a = counts[0] + counts[1]
		tbreak rare
		continue
		print counts[0] > 300 && counts[1] > 300
		info threads
		set var finish = 1
		continue
	IN
	expect 'Temporary breakpoint 1, rare' '\$1 = 1' '1 +Thread .* at ' '2 +Thread .* at ' 'exited with code 07'
	gyve_ends 7
}

test_nonstop_extended() {
	gyve_start -c 2 "$GUESTS/nonstop"
	protocol=extended-remote gdb_nonstop nonstop <<-'IN'
		until Thread 2 stopped
		0.3 continue -a &
		0.3 kill
		0.3 tbreak rare
		0 run &
		1 info threads
		0.2 interrupt -a
		0.2 print finish = 1
		0 continue -a &
		until exited with
		0 info threads
		0 quit
	IN
	expect '\+kill' 'killed' '\+run' 'breakpoint 1, rare' '\+print' '\+continue' 'exited with code 07' 'No threads'
	gyve_ends 7
}

# A dump stops all of them for a moment, and only for that.
test_nonstop_quit() {
	gyve_start -c 2 "$GUESTS/nonstop"
	gdb_nonstop nonstop <<-'IN'
		until Thread 2 stopped
		0.3 continue -a &
		0.3 thread 2
		0 interrupt
		0.3 monitor quit
		0.5 info threads
		0 quit
	IN
	expect 'Thread 2 stopped' '\+monitor quit' '(exited|Remote connection closed)'
	gyve_ends 0
}

# All-stop: what is answered while the guest runs.
test_answers_while_running() {
	gyve_start -c 2 "$GUESTS/nonstop"
	rsp running "$(symbol nonstop counts)"
	gyve_ends 0
}
