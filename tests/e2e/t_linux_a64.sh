# shellcheck shell=bash
# Debian's arm64 kernel, the one the emulated host runs itself, as a guest.
only_machine_tests aarch64 linux_a64_boot linux_a64_virtio linux_a64_net linux_a64_serial linux_a64_panic linux_a64_first_instruction linux_a64_symbols linux_a64_catch_panic \
	linux_a64_drgn linux_a64_dump_panic linux_a64_gdb_panic

. "$here/linux_lib.sh"

limit_linux_a64_boot=90
test_linux_a64_boot() {
	linux_files
	linux_run 0 -m 256MiB -c 2 --append 'console=ttyAMA0 rdinit=/init' <<-'IN'
		show /proc/cmdline
		show /proc/interrupts
		poweroff
	IN
	linux_says 'Linux version ' 'KASLR enabled' 'PSCIv1\.[0-9] detected' 'Brought up 1 node, 2 CPUs' 'init: up with 2 CPUs' '^console=ttyAMA0 rdinit=/init' \
		'GICv3 .*uart-pl011' 'reboot: Power down'
}

limit_linux_a64_virtio=90
test_linux_a64_virtio() {
	linux_test_virtio
}

limit_linux_a64_net=90
test_linux_a64_net() {
	linux_test_net
}

limit_linux_a64_serial=150
test_linux_a64_serial() {
	linux_test_serial
}

# A panic that resets the machine is an end.
limit_linux_a64_panic=90
test_linux_a64_panic() {
	linux_test_panic
}

limit_linux_a64_first_instruction=60
test_linux_a64_first_instruction() {
	linux_files
	: >"$T/none"
	linux_gdb "$T/none" <<-'IN'
		monitor info
		info registers pc cpsr SCTLR_EL1
		x/xw $x0
		info threads
		stepi
		info registers pc
		kill
	IN
	expect 'moves itself to 0xffff[0-9a-f]+' '^pc +0x40[0-9a-f]{6} ' '^cpsr .*EL=1 F I A D' '0x[0-9a-f]+:.*0xedfe0dd0' 'vCPU 0' 'vCPU 1' '^pc +0x40[0-9a-f]{6} '
	gyve_ends 0
}

# GYVE_LINUX_A64_VMLINUX: usr/lib/debug/boot/vmlinux-* of the emulated host's kernel's -dbg package.
limit_linux_a64_symbols=90
test_linux_a64_symbols() {
	local vmlinux=${GYVE_LINUX_A64_VMLINUX:-}
	[ -r "$vmlinux" ] || skip "no symbols of the kernel; name its vmlinux in GYVE_LINUX_A64_VMLINUX"
	linux_files
	linux_gdb "$vmlinux" <<-IN
		source $here/../../share/gdb/gyve.py
		gyve early
		info symbol \$pc
		stepi
		info symbol \$pc
		remove-symbol-file -a \$pc
		break start_kernel
		break __primary_switched
		break kernel_init
		continue
		continue
		backtrace
		print linux_banner
		delete 1
		continue
		backtrace
		print init_task.comm
		kill
	IN
	expect '\+info symbol' '^_text in section' '\+info symbol' '^(_text \+ 4|primary_entry) ' 'hit Breakpoint 2, __primary_switched' 'hit Breakpoint 1.*start_kernel' '^#1 .*__primary_switched' 'Linux version' \
		'hit Breakpoint 3.*kernel_init' 'ret_from_fork' 'swapper/0'
	gyve_ends 0
}

# There is nothing to be its first process.
limit_linux_a64_catch_panic=90
test_linux_a64_catch_panic() {
	local vmlinux=${GYVE_LINUX_A64_VMLINUX:-} linux_symbols=$T/symbols linux_init=/nothing
	local gdb_before='set exec-file-mismatch off' # it would fetch the file, through a serial line
	[ -r "$vmlinux" ] || skip "no symbols of the kernel; name its vmlinux in GYVE_LINUX_A64_VMLINUX"
	linux_files
	aarch64-linux-gnu-objcopy -g "$vmlinux" "$linux_symbols" || fail "no names out of vmlinux"
	linux_gdb "$vmlinux" <<-'IN'
		monitor catch panic on
		continue
		backtrace
		kill
	IN
	expect '\+monitor catch panic on' 'panic +on' '\+continue' 'vCPU [01]: the kernel panics: .*root' 'SIGABRT' '^#0 .*panic' 'kernel_init' 'killed'
	gyve_ends 0
}

# By sysrq, at a prompt.
limit_linux_a64_gdb_panic=120
test_linux_a64_gdb_panic() {
	local vmlinux=${GYVE_LINUX_A64_VMLINUX:-}
	[ -r "$vmlinux" ] || skip "no symbols of the kernel; name its vmlinux in GYVE_LINUX_A64_VMLINUX"
	linux_gdb_panic "$vmlinux" <<-'IN'
		monitor catch panic on
		continue
		backtrace
		kill
	IN
	expect 'panic +on' '\+continue' 'vCPU [01]: the kernel panics: sysrq triggered crash' 'SIGABRT' '^#0 .*panic' 'sysrq_handle_crash' 'write_sysrq_trigger' 'killed'
	gyve_ends 0
}

# By breakpoints, where there are symbols.
limit_linux_a64_dump_panic=120
test_linux_a64_dump_panic() {
	linux_test_panic_dump "${GYVE_LINUX_A64_VMLINUX:-}"
}

# The same kernel's symbols, and drgn, outside. It takes vCPU 0's registers for process 1, wherever that is: so QEMU's
# dumps number them, too.
limit_linux_a64_drgn=120
test_linux_a64_drgn() {
	local vmlinux=${GYVE_LINUX_A64_VMLINUX:-} which
	command -v drgn >/dev/null || skip "no drgn is installed"
	[ -r "$vmlinux" ] || skip "no symbols of the kernel; name its vmlinux in GYVE_LINUX_A64_VMLINUX"
	linux_files
	"$here/../hosts/run" aarch64 --memory 2000 --timeout 120 --copy "$GYVE:/bin/gyve" --copy "$linux_base/vmlinuz:/guest/vmlinuz" \
		--copy "$T/initrd:/guest/initrd" --copy "$here/linux_dump_rows.sh:/guest/rows" --fetch "/tmp/core.live:$T/core.live" \
		--fetch "/tmp/core.panic:$T/core.panic" -- sh /guest/rows >"$T/gyve.out" 2>"$T/gyve.err" ||
		fail "the emulated host: $(tail -n 1 "$T/gyve.err")"
	linux_says '^status 0$'
	cat >"$T/look.py" <<-'PY'
		from drgn.helpers.linux import *
		print(prog["init_uts_ns"].name.release.string_().decode())
		for task in for_each_task(prog):
		    print(task.pid.value_(), task.comm.string_().decode())
		    if task.comm.string_() == b"kswapd0":
		        print(prog.stack_trace(task))
		print(prog.stack_trace(find_task(prog, 1)))
	PY
	for which in live panic; do
		drgn -q -c "$T/core.$which" -s "$vmlinux" "$T/look.py" >"$T/$which" 2>&1 || fail "drgn, $which: $(tail -n 1 "$T/$which")"
		grep -q '^6\.' "$T/$which" && grep -q '^1 init$' "$T/$which" || fail "drgn does not find the tasks of $which"
	done
	grep -q ' kswapd (' "$T/live" || fail "a thread that sleeps is not seen to do so"
	grep -q 'psci_sys_reset' "$T/panic" || fail "the panicked kernel is not seen to reset the machine"
}
