# shellcheck shell=bash
# Debian's x86_64 kernel, the one the emulated host runs itself, as a guest.
only_machine_tests svm linux_x86_boot linux_x86_virtio linux_x86_net linux_x86_panic
only_machine_tests x86_64 linux_x86_first_instruction

. "$here/linux_lib.sh"

limit_linux_x86_boot=90
test_linux_x86_boot() {
	linux_files
	linux_run 0 -m 256MiB -c 2 --append 'console=ttyS0 rdinit=/init' <<-'IN'
		show /proc/cmdline
		show /proc/interrupts
		poweroff
	IN
	linux_says 'Linux version ' 'Brought up 1 node, 2 CPUs' 'init: up with 2 CPUs' '^console=ttyS0 rdinit=/init' 'IO-APIC +4-edge +ttyS0' \
		'reboot: Power down'
	! grep -q 'ACPI.*Error' "$T/gyve.out" || fail "the kernel does not like its ACPI tables: $(grep -m 1 'ACPI.*Error' "$T/gyve.out")"
}

limit_linux_x86_virtio=90
test_linux_x86_virtio() {
	linux_files virtio_ring virtio virtio_mmio virtio_console virtio_blk virtio-rng qemu_fw_cfg
	linux_run 0 -m 256MiB --log dev=info --virtio-console --disk /guest/disk --disk /guest/disk,ro --disk /guest/disk,overlay \
		--append 'console=ttyS0 quiet rdinit=/init' <<-'IN'
		read /dev/vda 0
		write /dev/vda 3 written
		write /dev/vdb 4 refused
		write /dev/vdc 5 forgotten
		show /sys/class/misc/hw_random/rng_current
		reboot
	IN
	linux_says 'sector 0: first sector' 'sector 3: written' 'init: not written' 'sector 5: forgotten' 'virtio_rng.0' 'VMCOREINFO is at 0x[0-9a-f]+, [1-9][0-9]+ bytes'
	grep -q written "$T/disk" || fail "what was written is not in the file"
	! grep -q 'refused\|forgotten' "$T/disk" || fail "the file has what it must not have"
}

limit_linux_x86_net=90
test_linux_x86_net() {
	linux_files virtio_ring virtio virtio_mmio failover net_failover virtio_net
	linux_run 0 -m 256MiB --net user --append 'console=ttyS0 quiet rdinit=/init' <<-'IN'
		show /sys/class/net/eth0/address
		address eth0 10.0.5.3
		connect 10.0.5.1 22
		show /sys/class/net/eth0/statistics/rx_packets
		poweroff
	IN
	linux_says '^([0-9a-f]{2}:){5}[0-9a-f]{2}' 'connect: (done|refused)' '^[1-9][0-9]*'
}

# A panic that resets the machine is an end.
limit_linux_x86_panic=90
test_linux_x86_panic() {
	linux_files
	linux_run 0 -m 256MiB --append 'console=ttyS0 quiet panic=-1 rdinit=/init' <<-'IN'
		panic
	IN
	linux_says 'sysrq: Trigger a crash' 'Kernel panic - not syncing'
}

limit_linux_x86_first_instruction=60
test_linux_x86_first_instruction() {
	linux_files
	: >"$T/none"
	linux_gdb "$T/none" <<-'IN'
		info registers rip cs cr0
		x/s *(unsigned int *)($rsi+0x228)
		x/s (char *)$rsi+0x202
		info threads
		stepi
		kill
	IN
	expect '^rip +0x1000200 ' '^cr0 .*PG' 'console=ttyS0 quiet rdinit=/init' 'HdrS' 'vCPU 0' 'vCPU 1'
	gyve_ends 0
}
