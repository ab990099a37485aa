#!/usr/bin/env bash
# linux_dump.sh DIR: fetches Debian's cloud kernel for x86_64 and its debug symbols (300 MB), boots it in QEMU's emulator with 8
# processors, and dumps it: DIR/vmlinux and DIR/core, for bench/run.sh (GYVE_BENCH_LINUX=DIR).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?usage: linux_dump.sh DIR}
mkdir -p "$dir"
cd "$dir"
release=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: linux-image-//p' | head -n 1)
[ -n "$release" ] || { echo "linux_dump.sh: apt knows no linux-image-cloud-amd64" >&2; exit 1; }
[ -e vmlinux ] || {
	apt-get download -qq "linux-image-$release" "linux-image-$release-dbg"
	for package in linux-image-"$release"_*.deb linux-image-"$release"-dbg_*.deb; do
		dpkg-deb --fsys-tarfile "$package" | tar -x --wildcards --transform 's|.*/||' "./boot/vmlinuz-*" 2>/dev/null || true
		dpkg-deb --fsys-tarfile "$package" | tar -x --wildcards --transform 's|.*/||' './usr/lib/debug/boot/vmlinux-*' 2>/dev/null || true
	done
	rm ./*.deb
	mv "vmlinuz-$release" vmlinuz
	mv "vmlinux-$release" vmlinux
}
"$here/../tests/guests/build.sh" guests x86_64
mkdir -p root
cp guests/linux_init root/init
(cd root && echo init | cpio -o -H newc --quiet | gzip >../initrd.gz)
rm -f core serial.log
mkfifo monitor
exec 9<>monitor
timeout 300 qemu-system-x86_64 -accel tcg -cpu max -smp 8 -m 512 -display none -nodefaults -serial file:serial.log -monitor stdio \
	-kernel vmlinuz -initrd initrd.gz -append 'console=ttyS0 rdinit=/init' <monitor >qemu.log 2>&1 &
qemu=$!
for ((i = 0; i < 1200; i++)); do
	grep -q 'init>' serial.log 2>/dev/null && break
	kill -0 $qemu || break
	sleep 0.2
done
printf 'stop\ndump-guest-memory core\nquit\n' >&9
wait $qemu || true
rm -rf monitor root initrd.gz
[ -s core ] || { tail -n 3 serial.log qemu.log >&2; exit 1; }
