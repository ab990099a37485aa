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
	[ -n "$linux_base" ] || "$here/../hosts/run" "$MACHINE" -- true || fail "no emulated host"
	[ -n "$linux_base" ] || find_linux_base
	[ -n "$linux_base" ] || skip "no kernel of the emulated host"
	mkdir -p "$T/root/modules" "$T/base"
	cp "$GUESTS/linux_init" "$T/root/init"
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
	"$here/../hosts/run" "$MACHINE" --memory 1024 --timeout 170 --copy "$GYVE:/bin/gyve" --copy "$linux_base/vmlinuz:/guest/vmlinuz" \
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
	"$here/../hosts/run" "$MACHINE" --memory 1024 --timeout "${linux_time:-120}" --gdb "unix:$T/gdb.sock" --copy "$GYVE:/bin/gyve" --copy "$linux_base/vmlinuz:/guest/vmlinuz" \
		--copy "$T/initrd:/guest/initrd" ${linux_symbols:+--copy "$linux_symbols:/guest/vmlinux"} -- gyve run ${linux_symbols:+--symbols /guest/vmlinux} --gdb=tty:/dev/gdb -m 256MiB -c "${linux_cpus:-2}" --initrd /guest/initrd \
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
