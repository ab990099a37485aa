# shellcheck shell=bash disable=SC2034
# The x86_64 machine: Bochs emulates VMX or SVM, Debian's kernel brings KVM as modules. Sourced by run.

debian_arch=amd64
kernel_meta=linux-image-cloud-amd64
kernel_suffix=-unsigned
compressor=(cat) # unpacking costs more than reading
recipe=4 # raise it when what build_base makes changes
default_cpus=1
default_memory=512
slack=100 # waiting takes no time outside: this much passes inside in a second
overhead=120 # seconds to start and to stop, on a busy machine
packages=(busybox-static)
modules='irqbypass kvm kvm-intel kvm-amd'
model=corei7_haswell_4770
[ -z "$amd" ] || model=trinity_apu # of the models with SVM this and zambezi start; ryzen and phenom_8650_toliman do not
# there are four serial lines: console, debugger, output, errors; the results follow the console's text after a mark
mark=@@gyve-results@@
guest_conf="modules='irqbypass kvm kvm-${amd:-intel}'
out=/dev/ttyS2 err=/dev/ttyS3 back=/dev/ttyS0 raw='/dev/ttyS0 /dev/ttyS2 /dev/ttyS3' mark=$mark linger=5"
gdb_device=/dev/ttyS1

# build_base UNPACKED KERNEL-VERSION ROOT INTO: the kernel and an archive with busybox and modules.
build_base() {
	local from=$1 version=$2 root=$3 into=$4 m
	mkdir -p "$root"/{bin,sbin,modules,proc,sys,dev} || return 1
	cp "$from/bin/busybox" "$root/bin/" || return 1
	for m in $modules; do
		find "$from/lib/modules/$version" -name "$m.ko" -exec cp {} "$root/modules/" \;
		# without type information and signature: checking them takes a third of the start
		objcopy -R .BTF "$root/modules/$m.ko" 2>/dev/null
	done
	cp "$from/boot/vmlinuz-$version" "$into/vmlinuz" || return 1
	pack_directory "$root" "$into/base" "${compressor[@]}"
}

# Sets command, an array.
machine_command() {
	local cd=$work/cd quiet=quiet alone=()

	[ -z "$console" ] || quiet=
	mkdir "$cd" && cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$work/job" "$cd" || return 1
	ln "$base/vmlinuz" "$base/base" "$cd" 2>/dev/null || cp "$base/vmlinuz" "$base/base" "$cd" || return 1
	cat >"$cd/isolinux.cfg" <<-CFG
		default gyve
		prompt 0
		label gyve
		kernel /vmlinuz
		append initrd=/base,/job console=ttyS0 $quiet cryptomgr.notests nokaslr mitigations=off tsc=reliable lpj=1000000 panic=-1 rdinit=/init
	CFG
	xorriso -as mkisofs -quiet -o "$work/cd.iso" -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table \
		"$cd" >"$work/xorriso.log" 2>&1 || return 1
	rm -rf "$cd"
	cat >"$work/bochsrc" <<-RC
		cpu: model=$model, count=$cpus, ips=50000000, reset_on_triple_fault=0
		memory: guest=$memory, host=$memory
		romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
		vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
		boot: cdrom
		ata0-master: type=cdrom, path=$work/cd.iso, status=inserted
		com1: enabled=1, mode=file, dev=$work/console
		com3: enabled=1, mode=file, dev=$work/out
		com4: enabled=1, mode=file, dev=$work/err
		clock: sync=none
		display_library: rfb, options="timeout=0"
		speaker: enabled=0
		sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
		panic: action=report
		error: action=ignore
		info: action=ignore
		log: $work/bochs.log
	RC
	[ -z "$gdb" ] || echo "com2: enabled=1, mode=term, dev=$work/gdb" >>"$work/bochsrc"
	echo c >"$work/bochs.go"
	# The only display packaged with it is a VNC server open to everybody: let it be one of an empty network.
	if unshare -n true 2>/dev/null; then
		alone=(unshare -n)
	elif unshare -rn true 2>/dev/null; then
		alone=(unshare -rn)
	fi
	command=(${alone[@]+"${alone[@]}"} bochs -q -f "$work/bochsrc" -rc "$work/bochs.go")
}

split_results() {
	local at
	at=$(grep -abo "$mark" "$work/console" | tail -n 1) && [ -n "$at" ] || return
	at=${at%%:*}
	tail -c +$((at + ${#mark} + 1)) "$work/console" >"$work/back.tar"
	truncate -s "$at" "$work/console"
}
