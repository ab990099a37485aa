# shellcheck shell=bash
# One gdb script, every architecture and page size: the transcripts differ in addresses and register names only.
machine_tests aarch64 transcript
only_machine_tests aarch64 transcript_4k transcript_16k transcript_64k

transcript_of() {
	gyve_start "$GUESTS/$1"
	gdb_run "$1" <<-'IN'
		break kmain
		continue
		backtrace
		next
		next
		break sail
		info breakpoints
		continue
		backtrace
		print *ship
		print goal
		next
		print way
		step
		info locals
		next
		info locals
		finish
		finish
		delete
		print ships
		x/s ships[0].name
		ptype struct ship
		print sizeof(ships)
		info line count
		info symbol kmain
		tbreak count
		continue
		next
		watch counter
		continue
		continue
		info watchpoints
		delete
		rwatch limit
		continue
		delete
		hbreak factorial if n == 2
		continue
		backtrace
		up
		print n
		down
		info threads
		delete
		stepi
		set var ships[0].fuel = 1000
		print ships[0]
		x/2dw &ships[0].at
		print $pc == (long)&kmain
		info registers pc
		info registers sp
		continue
	IN
	same_transcript sample.transcript
	gyve_ends 0
}

test_transcript() {
	transcript_of sample
}
test_transcript_4k() {
	transcript_of high_12
}
test_transcript_16k() {
	transcript_of high_14
}
test_transcript_64k() {
	transcript_of high_16
}
