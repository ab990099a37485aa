# shellcheck shell=bash disable=SC2034
# The aarch64 machine: QEMU emulates EL2, Debian's arm64 kernel has KVM built in. Sourced by run.

[ -z "$amd" ] || misuse "--amd is for x86_64"
debian_arch=arm64
kernel_meta=linux-image-cloud-arm64
kernel_suffix=
compressor=(gzip -1)
recipe=8 # raise it when what build_base makes changes
default_cpus=2
default_memory=1024
slack=1
overhead=60 # seconds to start and to stop, on a busy machine
# programs are linked dynamically; these are all the libraries ours and their tests use
packages=(busybox-static libc6 libgcc-s1 libelf1 libfdt1 libdw1 liblzma5 libbz2-1.0 zlib1g libcmocka0 libglib2.0-0 libpcre2-8-0 libseccomp2 libslirp0 libzstd1 libcapstone4)
modules='virtio_ring virtio virtio_mmio virtio_console tun'
guest_modules='virtio_blk virtio-rng qemu_fw_cfg virtio_net failover net_failover' # there for guests, not loaded
guest_conf="modules='$modules'
out=gyve.out err=gyve.err back=gyve.back raw= mark= linger=0"
gdb_device=gyve.gdb

# build_base UNPACKED KERNEL-VERSION ROOT INTO: the kernel and an archive with busybox, modules and libraries.
build_base() {
	local from=$1 version=$2 root=$3 into=$4 m
	mkdir -p "$root"/{bin,sbin,modules,proc,sys,dev,lib/aarch64-linux-gnu} || return 1
	cp "$from/bin/busybox" "$root/bin/" || return 1
	for m in $modules $guest_modules; do
		find "$from/lib/modules/$version" -name "$m.ko" -exec cp {} "$root/modules/" \; -o -name "$m.ko.xz" -exec cp {} "$root/modules/" \;
	done
	! ls "$root"/modules/*.xz >/dev/null 2>&1 || xz -d "$root"/modules/*.xz || return 1 # newer kernels
	cp -a "$from"/lib/aarch64-linux-gnu/*.so* "$from"/usr/lib/aarch64-linux-gnu/*.so* "$root/lib/aarch64-linux-gnu/" || return 1
	ln -s aarch64-linux-gnu/ld-linux-aarch64.so.1 "$root/lib/ld-linux-aarch64.so.1"
	cp "$from/boot/vmlinuz-$version" "$into/vmlinuz" || return 1
	pack_directory "$root" "$into/base" "${compressor[@]}"
}

# The libraries are in the base already.
add_libraries() {
	:
}

# Sets command, an array.
machine_command() {
	local quiet=quiet processor=${processor:-neoverse-n1}
	case $processor in max*) processor=$processor,pauth-impdef=on ;; esac # the architected code takes ten times as long

	[ -z "$console" ] || quiet=
	cat "$base/base" "$work/job" >"$work/initrd" || return 1
	command=(qemu-system-aarch64 -accel "tcg,thread=multi" -M "virt,virtualization=on,gic-version=3" -cpu "$processor"
		-smp "$cpus" -m "$memory" -nodefaults -display none -monitor none -no-reboot
		-kernel "$base/vmlinuz" -initrd "$work/initrd"
		-append "console=ttyAMA0 $quiet panic=-1 rdinit=/init" -serial "file:$work/console"
		-device virtio-serial-device)
	# a virtconsole would drop what the terminal behind it does not take at once
	[ -z "$gdb" ] || command+=(-chardev "serial,id=gdb,path=$work/gdb" -device virtserialport,chardev=gdb,name=gyve.gdb)
	command+=(-chardev "file,id=out,path=$work/out" -device virtserialport,chardev=out,name=gyve.out
		-chardev "file,id=err,path=$work/err" -device virtserialport,chardev=err,name=gyve.err
		-chardev "file,id=back,path=$work/back.tar" -device virtserialport,chardev=back,name=gyve.back)
}

# The results have a file of their own.
split_results() {
	:
}
