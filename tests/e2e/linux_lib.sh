# shellcheck shell=bash
# Sourced by the tests of Linux guests: the kernel that the emulated host ($MACHINE) runs itself, as a guest in it.

case $MACHINE in aarch64) linux_console=ttyAMA0 ;; *) linux_console=ttyS0 ;; esac

# The newest kernel of this emulated host.
find_linux_base() {
	linux_base=$(find "$GYVE_CACHE/hosts" -mindepth 2 -maxdepth 2 -path "*/$MACHINE-*/vmlinuz" -printf '%T@ %h\n' 2>/dev/null | sort -n | sed -n '$s/^[^ ]* //p')
}

# Sets $linux_base, the emulated host's directory; with modules $1... in the RAM disk $T/initrd.
linux_files() {
	local m
	find_linux_base
	[ -n "$linux_base" ] || "$here/../hosts/run" "$MACHINE" -- true || skip "no emulated host, whose kernel is needed: tests/hosts/run $MACHINE -- true says why"
	[ -n "$linux_base" ] || find_linux_base
	[ -n "$linux_base" ] || skip "no kernel of the emulated host"
	mkdir -p "$T/root/modules" "$T/base"
	cp "$GUESTS/linux_init" "$T/root/init"
	[ -z "${linux_user:-}" ] || cp "$GUESTS/linux_user" "$T/root/user"
	[ $# = 0 ] || (cd "$T/base" && (gzip -dc "$linux_base/base" 2>/dev/null || cat "$linux_base/base") | cpio -id --quiet 'modules/*' 2>/dev/null)
	for m in "$@"; do
		[ -e "$T/base/modules/$m.ko" ] || skip "the emulated host has no module $m for its guests: run tests/hosts/run $MACHINE --refresh -- true"
		cp "$T/base/modules/$m.ko" "$T/root/modules/"
		echo "$m.ko" >>"$T/root/modules/order"
	done
	(cd "$T/root" && find . -mindepth 1 | cpio -o -H newc -R 0:0 --quiet) | gzip -1 >"$T/initrd"
}

# linux_run STATUS [OPTION...]: gyve's; standard input is typed, a line at each prompt.
linux_run() {
	local want=$1
	shift
	cat >"$T/lines"
	head -c 65536 /dev/zero >"$T/disk"
	printf 'first sector' | dd of="$T/disk" conv=notrunc status=none
	"$here/../hosts/run" "$MACHINE" --memory 1024 --timeout 170 --copy "$GYVE:/bin/gyve" --copy "${linux_kernel:-$linux_base/vmlinuz}:/guest/vmlinuz" \
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

# linux_gdb FILE: $linux_console names the serial port; gyve inside waits for the gdb outside, whose commands are standard input.
linux_gdb() {
	local m modules=()
	for m in ${linux_modules:+"$T"/root/modules/*.ko}; do
		modules+=(--copy "$m:/guest/modules/${m##*/}")
	done
	"$here/../hosts/run" "$MACHINE" --memory 1024 --timeout "${linux_time:-120}" --gdb "unix:$T/gdb.sock" --copy "$GYVE:/bin/gyve" --copy "$linux_base/vmlinuz:/guest/vmlinuz" \
		--copy "$T/initrd:/guest/initrd" ${linux_symbols:+--copy "$linux_symbols:/guest/vmlinux"} "${modules[@]}" -- gyve run ${linux_modules:+--module-dir /guest/modules} ${linux_symbols:+--symbols /guest/vmlinux} ${linux_threads:+--threads=$linux_threads} --gdb=tty:/dev/gdb -m 256MiB -c "${linux_cpus:-2}" --initrd /guest/initrd \
		--append "console=$linux_console quiet rdinit=${linux_init:-/init}" /guest/vmlinuz >"$T/gyve.out" 2>"$T/gyve.err" &
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

# --- what is the same on both architectures

linux_test_virtio() {
	linux_files virtio_ring virtio virtio_mmio virtio_console virtio_blk virtio-rng qemu_fw_cfg
	linux_run 0 -m 256MiB --log dev=info --virtio-console --disk /guest/disk --disk /guest/disk,ro --disk /guest/disk,overlay \
		--append "console=$linux_console quiet rdinit=/init" <<-'IN'
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

# Its shell is at a socket; then at a named pipe and a file.
linux_test_serial() {
	linux_files
	linux_run 0 -m 256MiB --serial tcp:5000 --append "console=$linux_console quiet rdinit=/init" <<-'IN'
		show /proc/cmdline
		poweroff
	IN
	linux_says "console is at 127.0.0.1:5000" "^console=$linux_console quiet"
	linux_run 0 -m 256MiB --serial file:/tmp/log,input=/tmp/in --append "console=$linux_console quiet rdinit=/init" <<-'IN'
		show /proc/cmdline
		poweroff
	IN
	linux_says "^console=$linux_console quiet"
}

linux_test_net() {
	linux_files virtio_ring virtio virtio_mmio failover net_failover virtio_net
	linux_run 0 -m 256MiB --net user --append "console=$linux_console quiet rdinit=/init" <<-'IN'
		show /sys/class/net/eth0/address
		address eth0 10.0.5.3
		connect 10.0.5.1 22
		show /sys/class/net/eth0/statistics/rx_packets
		poweroff
	IN
	linux_says '^([0-9a-f]{2}:){5}[0-9a-f]{2}' 'connect: (done|refused)' '^[1-9][0-9]*'
}

# linux_gdb_panic VMLINUX: at its prompts the guest is told to panic ($linux_typed: other words), while gdb (commands: standard input) has it.
linux_gdb_panic() {
	local vmlinux=$1
	local gdb_before='set exec-file-mismatch off' # it would fetch the file, through a serial line
	linux_files
	printf '%s\n' ${linux_typed:-panic} >"$T/lines"
	"$(machine_arch)-linux-gnu-objcopy" -g --keep-section=.debug_frame -R '.rela*' "$vmlinux" "$T/vmlinux.names" || fail "no names out of vmlinux"
	"$here/../hosts/run" "$MACHINE" --memory 1024 --timeout 150 --gdb "unix:$T/gdb.sock" --copy "$GYVE:/bin/gyve" --copy "$linux_base/vmlinuz:/guest/vmlinuz" \
		--copy "$T/initrd:/guest/initrd" --copy "$T/lines:/guest/lines" --copy "$here/linux_rows.sh:/guest/rows" \
		--copy "$T/vmlinux.names:/guest/vmlinux" -- sh /guest/rows -m 256MiB -c 2 ${linux_threads:+--threads=$linux_threads} ${linux_unpack:+--self-unpack} --gdb=tty:/dev/gdb --symbols /guest/vmlinux \
		--append "console=$linux_console quiet rdinit=/init" >"$T/gyve.out" 2>"$T/gyve.err" &
	started=$!
	wait_for_socket
	(GUESTS=$(dirname "$vmlinux") && gdb_start "$(basename "$vmlinux")" && wait "$gdb_pid")
}

# linux_test_panic_dump [VMLINUX]: a kernel that panics and then waits for ever, and nobody debugs it.
linux_test_panic_dump() {
	local vmlinux=${1:-} symbols=()
	linux_files
	echo panic >"$T/lines"
	if [ -r "$vmlinux" ]; then # names and frames only: the whole file is large
		"$(machine_arch)-linux-gnu-objcopy" -g --keep-section=.debug_frame -R '.rela*' "$vmlinux" "$T/vmlinux.names" || fail "no names out of vmlinux"
		symbols=(--copy "$T/vmlinux.names:/guest/vmlinux")
	fi
	"$here/../hosts/run" "$MACHINE" --memory 2000 --timeout 170 --copy "$GYVE:/bin/gyve" --copy "$linux_base/vmlinuz:/guest/vmlinuz" \
		--copy "$T/initrd:/guest/initrd" --copy "$T/lines:/guest/lines" --copy "$here/linux_rows.sh:/guest/rows" \
		${symbols[@]+"${symbols[@]}"} --fetch "/tmp/core:$T/core" -- sh /guest/rows -m 256MiB -c 2 --dump /tmp/core --dump-on panic --dump-virtual \
		${symbols[@]+--symbols /guest/vmlinux} --append "console=$linux_console quiet rdinit=/init" >"$T/gyve.out" 2>"$T/gyve.err" ||
		fail "the emulated host: $(tail -n 1 "$T/gyve.err")"
	linux_says "gyve: the guest's kernel panics: sysrq triggered crash; vCPU [01] at 0xffff" '^status 124$' 'gyve: dump /tmp/core: '
	grep -qa 'Kernel panic - not syncing: sysrq' "$T/core" || fail "the panic is not in the log"
	[ -r "$vmlinux" ] || return 0
	linux_says '^ +#[0-9]+ .* in panic' '^ +#[0-9]+ .* in sysrq_handle_crash'
	if [ "$(machine_arch)" = "$(uname -m)" ]; then
		"$GYVE" bt --symbols "$vmlinux" "$T/core" >"$T/said" 2>&1
		grep -q ' in sysrq_handle_crash (' "$T/said" || fail "gyve bt does not see the panicked stack"
	fi
	command -v drgn >/dev/null || return 0
	# shellcheck disable=SC2016
	printf 'from drgn.helpers.linux import *\nprint(get_dmesg(prog).decode(errors="replace"))\n' >"$T/log.py"
	timeout 60 drgn -q -c "$T/core" -s "$vmlinux" "$T/log.py" >"$T/drgn.log" 2>&1
	! grep -q ImportError "$T/drgn.log" || return 0 # an old one
	grep -q 'Kernel panic - not syncing: sysrq triggered crash' "$T/drgn.log" || fail "drgn, log: $(tail -n 1 "$T/drgn.log")"
}

linux_test_panic() {
	linux_files
	linux_run 0 -m 256MiB --append "console=$linux_console quiet panic=-1 rdinit=/init" <<-'IN'
		panic
	IN
	linux_says 'sysrq: Trigger a crash' 'Kernel panic - not syncing'
}
