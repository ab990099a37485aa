# shellcheck shell=bash disable=SC2034
# A fast x86_64 machine with a poor KVM: QEMU emulates SVM, but intercepts no INT3 and knows no debug registers in a guest's
# guest. For strategies that do without. Sourced by run.

[ -z "$amd" ] || misuse "--amd is for x86_64; svm is an AMD processor always"
debian_arch=amd64
kernel_meta=linux-image-cloud-amd64
kernel_suffix=-unsigned
compressor=(cat)
recipe=2 # raise it when what build_base makes changes
default_cpus=1
default_memory=512
slack=1
overhead=60
packages=(busybox-static)
modules='virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_console irqbypass kvm kvm-amd'
guest_modules='virtio_mmio virtio_blk virtio-rng qemu_fw_cfg virtio_net failover net_failover' # there for guests, not loaded
guest_conf="modules='$modules'
out=gyve.out err=gyve.err back=gyve.back raw= mark= linger=0"
gdb_device=gyve.gdb

# build_base UNPACKED KERNEL-VERSION ROOT INTO: the kernel and an archive with busybox and modules.
build_base() {
	local from=$1 version=$2 root=$3 into=$4 m
	mkdir -p "$root"/{bin,sbin,modules,proc,sys,dev} || return 1
	cp "$from/bin/busybox" "$root/bin/" || return 1
	for m in $modules $guest_modules; do
		find "$from/lib/modules/$version" -name "$m.ko" -exec cp {} "$root/modules/" \;
	done
	cp "$from/boot/vmlinuz-$version" "$into/vmlinuz" || return 1
	pack_directory "$root" "$into/base" "${compressor[@]}"
}

# Sets command, an array.
machine_command() {
	local quiet=quiet

	[ -z "$console" ] || quiet=
	cat "$base/base" "$work/job" >"$work/initrd" || return 1
	command=(qemu-system-x86_64 -accel tcg -M q35 -cpu max -smp "$cpus" -m "$memory" -nodefaults -display none -monitor none
		-no-reboot -kernel "$base/vmlinuz" -initrd "$work/initrd"
		-append "console=ttyS0 $quiet nokaslr mitigations=off panic=-1 rdinit=/init" -serial "file:$work/console"
		-device virtio-serial-pci)
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
