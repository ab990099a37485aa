# shellcheck shell=bash
# Data watchpoints; where the host's do not fire, gyve steps and compares.
machine_tests "aarch64 x86_64 svm" watch rwatch awatch watch_local watch_continued

test_watch() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break count
		continue
		watch counter
		continue
		continue
		backtrace 1
		delete
		continue
	IN
	expect 'ardware watchpoint 2: counter' 'ardware watchpoint 2: counter' 'Old value = 0' 'New value = 1' \
		'ardware watchpoint 2: counter' 'Old value = 1' 'New value = 3' '^#0 +(0x[0-9a-f]+ in )?count \(\) at .*sample.c' \
		'exited normally'
	gyve_ends 0
}

test_rwatch() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break count
		continue
		rwatch limit
		continue
		continue
		delete
		continue
	IN
	expect 'ardware read watchpoint 2: limit' 'ardware read watchpoint 2: limit' 'Value = 5' \
		'ardware read watchpoint 2: limit' 'Value = 5' 'exited normally'
	gyve_ends 0
}

test_awatch() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break count
		continue
		awatch counter
		continue
		continue
		delete
		continue
	IN
	expect 'ardware access \(read/write\) watchpoint 2: counter' 'ardware access \(read/write\) watchpoint 2: counter' \
		'(Value = 0|New value = 1)' 'ardware access \(read/write\) watchpoint 2: counter' 'alue = ' 'exited normally'
	gyve_ends 0
}

# Five rounds, five writes, whatever the processor does first: the stop or the write.
test_watch_continued() {
	gyve_start "$GUESTS/sample"
	rsp watch "$(symbol sample counter)" 8 5
	gyve_ends 0
	output 'hello from a bare kernel
vCPUs 1, fuel 94, sum 55, counter 15, product 120'
}

test_watch_local() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break burn
		continue
		watch ship->fuel
		continue
		delete
		continue
	IN
	expect 'ardware watchpoint 2: ship->fuel' 'Old value = 100' 'New value = 73' 'exited normally'
	gyve_ends 0
}
