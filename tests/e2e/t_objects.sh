# shellcheck shell=bash
# What gdb reads of a stop and of the guest as a whole: $_siginfo, `info os`, the description of threads.
machine_tests aarch64 call_function

test_siginfo() {
	gyve_start "$GUESTS/crash_pf"
	gdb_run crash_pf <<-'IN'
		p $_siginfo.si_signo
		break outer
		continue
		p $_siginfo.si_signo
		p $_siginfo.si_code
		p $_siginfo._sifields._sigfault.si_addr == $pc
		stepi
		p $_siginfo.si_code
		continue
		p $_siginfo.si_signo
		p $_siginfo.si_code
		p $_siginfo._sifields._sigfault.si_addr
		info auxv
		kill
	IN
	expect '\+p \$_siginfo.si_signo' '= 5$' 'Breakpoint 1, outer' '= 5$' '= 1$' '= 1$' '\+stepi' '= 2$' '\+continue' SIGSEGV '= 11$' '= 1$' \
		'= \(void \*\) 0x700000001000' 'No auxiliary vector'
	gyve_ends 124
}

test_siginfo_catch() {
	gyve_start "$GUESTS/faults"
	gdb_run faults <<-'IN'
		monitor catch all on
		continue
		p $_siginfo.si_signo
		p $_siginfo.si_code
		p $_siginfo._sifields._sigfault.si_addr
		p $cr2
		kill
	IN
	expect 'SIG' '\+p \$_siginfo.si_signo' '= (11|4)$' '\+p \$_siginfo.si_code' '= (1|2|128)$' '= \(void \*\) 0x' '\+p \$cr2'
	gyve_ends 0
}

test_siginfo_aarch64() {
	gyve_start "$GUESTS/crash_pf"
	gdb_run crash_pf <<-'IN'
		break outer
		continue
		p $_siginfo.si_signo
		p $_siginfo._sifields._sigfault.si_addr == $pc
		continue
		p $_siginfo.si_signo
		p $_siginfo._sifields._sigfault.si_addr == $FAR_EL1
		kill
	IN
	expect 'Breakpoint 1, outer' '= 5$' '= 1$' SIGSEGV '= 11$'
}
only_machine_tests aarch64 siginfo_aarch64

test_info_os() {
	gyve_start -c 2 "$GUESTS/smp"
	gdb_run smp <<-'IN'
		break hot
		continue
		info threads
		info os
		info os processes
		info os threads
		info os nonsense
		kill
	IN
	expect 'Breakpoint 1' '\+info threads' '1 +Thread 1 \(vCPU 0 \(stopped in [a-z_]+\+0x[0-9a-f]+\)\)' \
		'2 +Thread 2 \(vCPU 1 \(stopped in [a-z_]+\+0x[0-9a-f]+\)\)' '^processes +The guest' '^threads +Its vCPUs' '\+info os processes' \
		'^1 +guest +/.*/smp' '\+info os threads' '^1 +0 +vCPU 0 \(stopped in' '^2 +1 +vCPU 1 \(stopped in' '\+info os nonsense'
	gyve_ends 0
}

# Hypercalls: gdb's `catch syscall` by number, before and after; monitor's by name. Nothing is lost or done twice.
test_catch_calls() {
	guest_args=(serial)
	gyve_start "$GUESTS/hermit_files_1"
	gdb_run hermit_files_1 <<-'IN'
		catch syscall 0x800
		continue
		frame function gyve_guest_put_byte
		p c
		continue
		continue
		continue
		delete
		monitor catch hypercall nonsense
		monitor catch hypercall SerialBufferWrite on
		continue
		stepi
		monitor catch hypercall all off
		catch syscall
		continue
		continue
		delete
		continue
	IN
	expect 'Catchpoint 1 \(syscall 2048\)' '\+continue' 'Catchpoint 1 \(call to syscall 2048\)' '\+p c' "65 'A'" '\+continue' \
		'Catchpoint 1 \(returned from syscall 2048\)' '\+continue' 'call to syscall 2048' '\+continue' 'returned from syscall 2048' \
		"has no hypercall 'nonsense'" '^0x880 +V1\(SerialBufferWrite\) +on' '\+continue' \
		'^vCPU 0 makes hypercall V1\(SerialBufferWrite\), number 0x880, at gyve_guest_call\+' SIGTRAP '\+stepi' '^0x880 .* off' \
		'Catchpoint 2 \(any syscall\)' '\+continue' 'call to syscall 2176' '\+continue' 'returned from syscall 2176' '\+delete' \
		'exited normally'
	gyve_ends 0
	output "$(printf 'ABCDEFG\n1234ASDF!@#$')"
}

test_catch_calls_none() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		monitor catch hypercall all on
		catch syscall 0x440
		continue
		kill
	IN
	expect 'makes no hypercalls' 'Catchpoint 1'
	expect_not 'call to syscall'
	gyve_ends 0
}

# gdb calls a function of the guest's; afterwards all registers are as they were.
test_call_function() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break burn
		continue
		set $before = $sp
		p distance(&ships[0].at, &ships[1].at)
		p factorial(4)
		p $sp == $before
		bt 1
		maintenance packet P9=00
		delete
		continue
	IN
	expect 'Breakpoint 1, burn' '= 6$' '= 24$' '= 1$' 'burn \(ship=' 'received: "E' 'exited normally'
	gyve_ends 0
	output 'hello from a bare kernel
vCPUs 1, fuel 94, sum 55, counter 15, product 120'
}

# Ten thousand breakpoints: each is hit where it stands, the guest's code reads as if there were none, and it goes when it is taken out.
test_many_breakpoints() {
	gyve_start "$GUESTS/loop"
	rsp many "$(symbol loop spin)" 10000
	gyve_ends 0
}

# The running image, by its own name and as Linux has it; nothing else.
test_remote_files() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-IN
		remote get /proc/1/exe $T/exe
		remote get /proc/1/maps $T/maps
		remote get /proc//exe $T/none
		remote get /etc/passwd $T/passwd
		kill
	IN
	expect '\+remote get /proc/1/exe' 'remote get .*maps' 'Permission denied' 'Permission denied' 'Permission denied'
	cmp "$T/exe" "$GUESTS/sample" || fail "it is not the image"
	gyve_ends 0
}
