# shellcheck shell=bash
# Debian's arm64 kernel, the one the emulated host runs itself, as a guest.
only_machine_tests aarch64 linux_a64_boot linux_a64_virtio linux_a64_net linux_a64_panic linux_a64_first_instruction linux_a64_symbols \
	linux_a64_drgn

# Sets $linux_base, the emulated host's directory; with modules $1... in the RAM disk $T/initrd.
linux_a64_files() {
	local m
	linux_base=$(find "$GYVE_CACHE/hosts" -mindepth 2 -maxdepth 2 -path '*/aarch64-*/vmlinuz' -printf '%T@ %h\n' 2>/dev/null | sort -n | sed -n '$s/^[^ ]* //p')
	[ -n "$linux_base" ] || "$here/../hosts/run" aarch64 -- true || fail "no emulated host"
	[ -n "$linux_base" ] || linux_base=$(find "$GYVE_CACHE/hosts" -mindepth 2 -maxdepth 2 -path '*/aarch64-*/vmlinuz' -printf '%h\n' | tail -n 1)
	[ -n "$linux_base" ] || skip "no arm64 kernel"
	mkdir -p "$T/root/modules" "$T/base"
	cp "$GUESTS/linux_init" "$T/root/init"
	[ $# = 0 ] || (cd "$T/base" && gzip -dc "$linux_base/base" | cpio -id --quiet 'modules/*' 2>/dev/null)
	for m in "$@"; do
		[ -e "$T/base/modules/$m.ko" ] || skip "the emulated host has no module $m for its guests: run tests/hosts/run aarch64 --refresh -- true"
		cp "$T/base/modules/$m.ko" "$T/root/modules/"
		echo "$m.ko" >>"$T/root/modules/order"
	done
	(cd "$T/root" && find . -mindepth 1 | cpio -o -H newc -R 0:0 --quiet) | gzip -1 >"$T/initrd"
}

# linux_a64_run STATUS [OPTION...]: gyve's; standard input is typed, a line at each prompt.
linux_a64_run() {
	local want=$1
	shift
	cat >"$T/lines"
	head -c 65536 /dev/zero >"$T/disk"
	printf 'first sector' | dd of="$T/disk" conv=notrunc status=none
	"$here/../hosts/run" aarch64 --timeout 170 --copy "$GYVE:/bin/gyve" --copy "$linux_base/vmlinuz:/guest/vmlinuz" \
		--copy "$T/initrd:/guest/initrd" --copy "$T/lines:/guest/lines" --copy "$T/disk:/guest/disk" \
		--copy "$here/linux_rows.sh:/guest/rows" --fetch "/guest/disk:$T/disk" -- sh /guest/rows "$@" >"$T/gyve.out" 2>"$T/gyve.err" ||
		fail "the emulated host: $(tail -n 1 "$T/gyve.err")"
	linux_says "^status $want\$"
}

# linux_says REGEX...: the guest, each on a line of its own, in any order.
linux_says() {
	local regex
	for regex in "$@"; do
		grep -qE -- "$regex" "$T/gyve.out" || fail "the guest does not say /$regex/"
	done
}

limit_linux_a64_boot=90
test_linux_a64_boot() {
	linux_a64_files
	linux_a64_run 0 -m 256MiB -c 2 --append 'console=ttyAMA0 rdinit=/init' <<-'IN'
		show /proc/cmdline
		show /proc/interrupts
		poweroff
	IN
	linux_says 'Linux version ' 'PSCIv1\.[0-9] detected' 'Brought up 1 node, 2 CPUs' 'init: up with 2 CPUs' '^console=ttyAMA0 rdinit=/init' \
		'GICv3 .*uart-pl011' 'reboot: Power down'
}

limit_linux_a64_virtio=90
test_linux_a64_virtio() {
	linux_a64_files virtio_ring virtio virtio_mmio virtio_console virtio_blk virtio-rng qemu_fw_cfg
	linux_a64_run 0 -m 256MiB --log dev=info --virtio-console --disk /guest/disk --disk /guest/disk,ro --disk /guest/disk,overlay \
		--append 'console=ttyAMA0 quiet rdinit=/init' <<-'IN'
		read /dev/vda 0
		write /dev/vda 3 written
		write /dev/vdb 4 refused
		write /dev/vdc 5 forgotten
		show /sys/class/misc/hw_random/rng_current
		reboot
	IN
	linux_says 'sector 0: first sector' 'sector 3: written' 'init: not written' 'sector 5: forgotten' 'virtio_rng.0' 'VMCOREINFO is at 0x4[0-9a-f]+, [1-9][0-9]+ bytes'
	grep -q written "$T/disk" || fail "what was written is not in the file"
	! grep -q 'refused\|forgotten' "$T/disk" || fail "the file has what it must not have"
}

limit_linux_a64_net=90
test_linux_a64_net() {
	linux_a64_files virtio_ring virtio virtio_mmio failover net_failover virtio_net
	linux_a64_run 0 -m 256MiB --net user --append 'console=ttyAMA0 quiet rdinit=/init' <<-'IN'
		show /sys/class/net/eth0/address
		address eth0 10.0.5.3
		connect 10.0.5.1 22
		show /sys/class/net/eth0/statistics/rx_packets
		poweroff
	IN
	linux_says '^([0-9a-f]{2}:){5}[0-9a-f]{2}' 'connect: (done|refused)' '^[1-9][0-9]*'
}

# A panic that resets the machine is an end.
limit_linux_a64_panic=90
test_linux_a64_panic() {
	linux_a64_files
	linux_a64_run 0 -m 256MiB --append 'console=ttyAMA0 quiet panic=-1 rdinit=/init' <<-'IN'
		panic
	IN
	linux_says 'sysrq: Trigger a crash' 'Kernel panic - not syncing'
}

# linux_a64_gdb FILE: gyve inside waits for the gdb outside, whose commands are standard input.
linux_a64_gdb() {
	"$here/../hosts/run" aarch64 --timeout 120 --gdb "unix:$T/gdb.sock" --copy "$GYVE:/bin/gyve" --copy "$linux_base/vmlinuz:/guest/vmlinuz" \
		--copy "$T/initrd:/guest/initrd" -- gyve run --gdb=tty:/dev/gdb -m 256MiB -c 2 --initrd /guest/initrd \
		--append 'console=ttyAMA0 quiet rdinit=/init' /guest/vmlinuz >"$T/gyve.out" 2>"$T/gyve.err" &
	started=$!
	wait_for_socket
	(GUESTS=$(dirname "$1") && gdb_start "$(basename "$1")" && wait "$gdb_pid")
}

wait_for_socket() {
	local i
	for ((i = 0; i < 500; i++)); do
		[ ! -S "$T/gdb.sock" ] || return 0
		sleep 0.1
	done
	fail "the machine's socket does not come up: $(head -n 1 "$T/gyve.err")"
}

limit_linux_a64_first_instruction=60
test_linux_a64_first_instruction() {
	linux_a64_files
	: >"$T/none"
	linux_a64_gdb "$T/none" <<-'IN'
		info registers pc cpsr SCTLR_EL1
		x/xw $x0
		info threads
		stepi
		info registers pc
		kill
	IN
	expect '^pc +0x40[0-9a-f]{6} ' '^cpsr .*EL=1 F I A D' '0x[0-9a-f]+:.*0xedfe0dd0' 'vCPU 0' 'vCPU 1' '^pc +0x40[0-9a-f]{6} '
	gyve_ends 0
}

# GYVE_LINUX_A64_VMLINUX: usr/lib/debug/boot/vmlinux-* of the emulated host's kernel's -dbg package.
limit_linux_a64_symbols=90
test_linux_a64_symbols() {
	local vmlinux=${GYVE_LINUX_A64_VMLINUX:-}
	[ -r "$vmlinux" ] || skip "no symbols of the kernel; name its vmlinux in GYVE_LINUX_A64_VMLINUX"
	linux_a64_files
	linux_a64_gdb "$vmlinux" <<-'IN'
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
	expect 'hit Breakpoint 2, __primary_switched' 'hit Breakpoint 1.*start_kernel' '^#1 .*__primary_switched' 'Linux version' \
		'hit Breakpoint 3.*kernel_init' 'ret_from_fork' 'swapper/0'
	gyve_ends 0
}

# The same kernel's symbols, and drgn, outside. It takes vCPU 0's registers for process 1, wherever that is: so QEMU's
# dumps number them, too.
limit_linux_a64_drgn=120
test_linux_a64_drgn() {
	local vmlinux=${GYVE_LINUX_A64_VMLINUX:-} which
	command -v drgn >/dev/null || skip "no drgn is installed"
	[ -r "$vmlinux" ] || skip "no symbols of the kernel; name its vmlinux in GYVE_LINUX_A64_VMLINUX"
	linux_a64_files
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
