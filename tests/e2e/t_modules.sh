# shellcheck shell=bash
# Modules of a Linux guest's kernel, which gdb hears of when they are loaded.
only_machine_tests aarch64 modules

. "$here/linux_lib.sh"

# The modules' files are in the emulated host and, for gdb, outside: a console loses bytes of what is long. GYVE_LINUX_A64_VMLINUX: as in t_linux_a64.sh.
limit_modules=240
test_modules() {
	local vmlinux=${GYVE_LINUX_A64_VMLINUX:-} linux_symbols=$T/symbols linux_modules=1 linux_time=220
	local gdb_before='set exec-file-mismatch off' # it would fetch the file, through a serial line
	[ -r "$vmlinux" ] || skip "no symbols of the kernel; name its vmlinux in GYVE_LINUX_A64_VMLINUX"
	linux_files virtio_ring virtio virtio_mmio virtio-rng
	aarch64-linux-gnu-objcopy -g "$vmlinux" "$linux_symbols" || fail "no names out of vmlinux"
	mkdir -p "$T/outside/guest" && ln -s "$T/root/modules" "$T/outside/guest/modules"
	linux_gdb "$vmlinux" <<-IN
		info sharedlibrary
		set sysroot $T/outside
		set breakpoint pending on
		break virtrng_probe
		set stop-on-solib-events 1
		continue
		info sharedlibrary
		set stop-on-solib-events 0
		continue
		backtrace 3
		x/2i \$pc
		info sharedlibrary
		monitor modules
		monitor modules virtio_rng
		monitor breakpoints
		delete
		continue
	IN
	expect '\+info sharedlibrary' 'No shared libraries' 'virtrng_probe\) pending' 'Stopped due to shared library event' 'Inferior loaded .*virtio_ring.ko' \
		'0xffff[0-9a-f]+ .*virtio_ring.ko' 'hit Breakpoint 1, 0x[0-9a-f]+ in virtrng_probe \(\) from .*virtio-rng.ko' '^#1 .* virtio_dev_probe \(\) from .*virtio.ko' \
		'<virtrng_probe(\+4)?>:' '\+info sharedlibrary' 'virtio_ring.ko' '\+monitor modules' '^name +base +size state' '^virtio_rng +0xffff[0-9a-f]+ +[1-9][0-9]* coming +/guest/modules/virtio-rng.ko' \
		'^virtio_ring +0xffff[0-9a-f]+ +[1-9][0-9]* live ' '\+monitor modules virtio_rng' '^  \.text +0xffff' '^add-symbol-file /guest/modules/virtio-rng.ko 0xffff[0-9a-f]+ -s ' \
		'modules change +planted'
	linux_says 'init: up with'
}
