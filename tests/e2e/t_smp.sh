# shellcheck shell=bash
# Several vCPUs. GYVE_E2E_HITS: how many continues over the shared breakpoint (10,000 unless told; 500 in an emulated host).
hits=${GYVE_E2E_HITS:-$([ -n "$MACHINE" ] && echo 500 || echo 10000)}
machine_tests "aarch64 x86_64 svm" two_vcpus
machine_tests aarch64 scheduler_locking four_vcpus_gdb
machine_tests "x86_64 svm" scheduler_locking scheduler_locking_modes four_vcpus_gdb four_vcpus_10000_continues

test_two_vcpus() {
	gyve_start -c 2 "$GUESTS/smp"
	gdb_run smp <<-'IN'
		info threads
		set var total = 40
		break hot
		continue
		info threads
		thread 2
		backtrace
		delete
		continue
	IN
	expect '1 +Thread' '2 +Thread' 'hit Breakpoint 1, hot|Breakpoint 1, hot' '1 +Thread' '2 +Thread' 'exited normally'
	gyve_ends 0
	output 'hits 40'
}

test_four_vcpus_gdb() {
	gyve_start -c 4 "$GUESTS/smp"
	gdb_run smp <<-'IN'
		set var total = 400
		break hot
		ignore 1 1000000
		continue
		info breakpoints
	IN
	expect 'exited normally' 'already hit 400 times'
	gyve_ends 0
	output 'hits 400'
}

hits_of() {
	local ncpus=$1 address
	address=$(symbol smp hot)
	gyve_start -c "$ncpus" "$GUESTS/smp"
	rsp hits "$address" "$(symbol smp total)" "$hits" "$ncpus"
	gyve_ends 0
	output "hits $hits"
}

test_two_vcpus_10000_continues() {
	hits_of 2
}
limit_two_vcpus_10000_continues=120

test_four_vcpus_10000_continues() {
	hits_of 4
}
limit_four_vcpus_10000_continues=120

# One vCPU steps while the others stay where they are.
test_scheduler_locking() {
	gyve_start -c 2 "$GUESTS/smp"
	gdb_run smp <<-'IN'
		set scheduler-locking on
		thread 2
		stepi 5
		info registers pc
		thread 1
		info registers pc
		set scheduler-locking off
		continue
	IN
	expect '^pc .*(kmain|_start\+)' '^pc +0x(40)?200000 ' 'exited normally'
	gyve_ends 0
}

# Who else runs while one thread continues or steps: $b is how far the other vCPU was.
test_scheduler_locking_modes() {
	gyve_start -c 2 "$GUESTS/nonstop"
	gdb_run nonstop <<-'IN'
		break rare if cpu == 0 && counts[1] > 0
		continue
		set scheduler-locking on
		set $b = counts[1]
		continue
		next
		print counts[1] == $b
		set scheduler-locking step
		next
		step
		next
		print counts[1] == $b
		python while gdb.parse_and_eval("counts[1] == $b"): gdb.execute("continue")
		print counts[1] > $b
		set scheduler-locking replay
		set $b = counts[1]
		python while gdb.parse_and_eval("counts[1] == $b"): gdb.execute("continue")
		print counts[1] > $b
		set scheduler-locking off
		set $b = counts[1]
		python while gdb.parse_and_eval("counts[1] == $b"): gdb.execute("continue")
		print counts[1] > $b
		set scheduler-locking on
		set $b = counts[0]
		thread 2
		stepi 3
		thread 1
		print counts[0] == $b
		maintenance packet QThreadEvents:1
		maintenance packet QThreadEvents:0
		kill
	IN
	expect 'Breakpoint 1, rare' 'locking on' 'Breakpoint 1, rare' '\$1 = 1' 'locking step' '\+print' '\$2 = 1' 'Breakpoint 1, rare' \
		'\$3 = 1' 'replay' 'Breakpoint 1, rare' '\$4 = 1' 'locking off' 'Breakpoint 1, rare' '\$5 = 1' '\+thread 2' '\$6 = 1' \
		'received: "OK"' 'received: "OK"'
	gyve_ends 0
}
