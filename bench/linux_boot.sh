#!/usr/bin/env bash
# linux_boot.sh svm|aarch64 GYVE: how long Debian's kernel takes to its first line in that emulated host (docs/testbeds.md), in gyve
# and in QEMU with KVM. On svm QEMU is this machine's, as microvm; on aarch64 it is Debian's for arm64, as virt, fetched once (some
# 150 MB) if GYVE_BENCH_QEMU_A64=1. Prints rows of bench/run.sh.
set -u
host=${1:?usage: linux_boot.sh svm|aarch64 GYVE} gyve=${2:?usage: linux_boot.sh svm|aarch64 GYVE}
bench=$(cd "$(dirname "$0")" && pwd)
. "$bench/../tests/hosts/lib.sh" # $cache, pack_directory and the like
tests=$bench/../tests
work=$(mktemp -d "${TMPDIR:-/tmp}/gyve-boot.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

case $host in
svm) arch=x86_64 cross='' console=ttyS0 ;;
aarch64) arch=aarch64 cross=aarch64-linux-gnu- console=ttyAMA0 ;;
*) die "which machine? svm or aarch64" ;;
esac

kernel() {
	find "$cache" -mindepth 2 -maxdepth 2 -path "*/$host-*/vmlinuz" -printf '%T@ %p\n' 2>/dev/null | sort -n | sed -n '$s/^[^ ]* //p'
}
vmlinuz=$(kernel)
[ -n "$vmlinuz" ] || { "$tests/hosts/run" "$host" -- true >&2 && vmlinuz=$(kernel); }
[ -n "$vmlinuz" ] || die "no kernel of the $host machine"

${cross:-}gcc -D_GNU_SOURCE -std=gnu11 -O2 -o "$work/first_line" "$bench/first_line.c" || exit 1
"$tests/guests/build.sh" "$work/guests" "$arch" >&2 || exit 1
mkdir -p "$work/root" "$work/qemu"
cp "$work/guests/linux_init" "$work/root/init"
pack_directory "$work/root" "$work/initrd" gzip -1

# QEMU and what it loads, below /qemu inside.
qemu=()
qemu_x86() {
	local program
	program=$(command -v qemu-system-x86_64) || return 1
	[ -e /usr/share/qemu/qboot.rom ] || return 1
	cp "$program" "$work/qemu/qemu"
	cp -L /usr/share/qemu/{bios-microvm.bin,linuxboot_dma.bin,pvh.bin} "$work/qemu/"
	qemu=(/qemu/qemu -M microvm -L /qemu)
}
# The package and all that it needs, as apt would install it on an empty machine; then the libraries the program asks for.
qemu_a64() {
	local from=$cache/qemu-aarch64 names todo library
	if [ ! -e "$from/complete" ]; then
		[ -n "${GYVE_BENCH_QEMU_A64:-}" ] || return 1
		private_apt arm64 || return 1
		mapfile -t names < <(apt-get -s install --no-install-recommends qemu-system-arm 2>/dev/null | sed -n 's/^Inst \([^ ]*\) .*/\1/p' | grep -E '^(lib|qemu-system-arm|zlib)')
		[ ${#names[@]} -gt 0 ] && unpack_packages arm64 "$from" "${names[@]}" || return 1
		touch "$from/complete"
	fi
	mkdir -p "$work/qemu/lib"
	cp "$from/usr/bin/qemu-system-aarch64" "$work/qemu/qemu" || return 1
	todo=("$work/qemu/qemu")
	while [ ${#todo[@]} -gt 0 ]; do
		mapfile -t names < <("${cross}readelf" -d "${todo[@]}" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u)
		todo=()
		for library in "${names[@]}"; do
			[ ! -e "$work/qemu/lib/$library" ] || continue
			cp -L "$(find "$from" -name "$library" \( -type f -o -type l \) | head -n 1)" "$work/qemu/lib/" 2>/dev/null &&
				todo+=("$work/qemu/lib/$library")
		done
	done
	rm -f "$work"/qemu/lib/{libc,libm,libpthread,libdl,librt,ld-linux-aarch64}.so.* # the machine's own
	qemu=(env LD_LIBRARY_PATH=/qemu/lib /qemu/qemu -M "virt,gic-version=3")
}
case $arch in
x86_64) qemu_x86 || : ;;
aarch64) qemu_a64 || : ;;
esac
[ ${#qemu[@]} = 0 ] || qemu+=(-accel kvm -cpu host -m 256 -no-user-config -nodefaults -display none -no-reboot -serial stdio)

"$tests/hosts/run" "$host" --memory 1800 --timeout 900 --copy "$gyve:/bin/gyve" --copy "$vmlinuz:/guest/vmlinuz" --copy "$work/initrd:/guest/initrd" \
	--copy "$work/first_line:/guest/first_line" --copy "$work/qemu:/qemu" --copy "$bench/linux_boot_rows.sh:/guest/rows" \
	-- env ROUNDS="${ROUNDS:-3}" sh /guest/rows "$console" ${qemu[@]+"${qemu[@]}"}
