#!/usr/bin/env bash
# build.sh DIR [x86_64|aarch64]: compiles the sample kernels into DIR. GUEST_CC: a compiler for them (default: gcc, or the cross
# compiler). They are guests, not part of the program: no sanitizers, no CFLAGS of the build.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$1
arch=${2:-x86_64}
mkdir -p "$out"
if [ "$(uname -m)" = "$arch" ]; then cc=${GUEST_CC:-gcc}; else cc=${GUEST_CC:-$arch-linux-gnu-gcc}; fi
flags=(-std=gnu11 -ffreestanding -g -O0 -Wall -Wextra -Werror -mgeneral-regs-only -mcmodel=small
	-fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -fno-unwind-tables)
case $arch in
x86_64) flags+=(-m64 -mno-red-zone -fcf-protection=none) suffix='' ;;
aarch64) flags+=(-mstrict-align -mno-outline-atomics) suffix=_a64 ;;
*) echo "build.sh: no samples for $arch" >&2 && exit 2 ;;
esac
link=(-nostdlib -static -no-pie -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments)

# guest NAME SOURCE [FLAG...]: made anew when anything here is newer. $script and $start_file: other than usual
script= script_dir= start_file= build_id=
guest() {
	local name=$1 source=$here/$2 start=()
	shift 2
	[ -e "$out/$name" ] && [ -z "$(find "$here" -newer "$out/$name" -type f)" ] && return
	case $source in *.c) start=("$here/${start_file:-start$suffix.S}") ;; esac
	[ "$start_file" != none ] || start=()
	# beside the real sources: gdb finds them, whatever directory this runs in
	"$cc" "${flags[@]}" "$@" "${link[@]}" -Wl,--build-id="${build_id:-none}" -T "${script_dir:-$here}/${script:-guest$suffix.ld}" "${start[@]}" "$source" -o "$out/$name.new"
	mv "$out/$name.new" "$out/$name"
}

# hermit NAME SOURCE [FLAG...]: a Hermit image, position-independent
hermit() {
	local name=$1 source=$here/$2
	shift 2
	[ -e "$out/$name" ] && [ -z "$(find "$here" "$here/../../include/gyve/guest.h" -newer "$out/$name" -type f)" ] && return
	"$cc" "${flags[@]/-fno-pic/-fpie}" "$@" -nostdlib -static-pie -Wl,--no-dynamic-linker -Wl,--build-id=none -Wl,-z,norelro \
		-Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments "$source" -o "$out/$name.new"
	mv "$out/$name.new" "$out/$name"
}

# the first process of Linux guests
if [ ! -e "$out/linux_init" ] || [ "$here/linux_init.c" -nt "$out/linux_init" ]; then
	"$cc" -O2 -static -s -Wall -Wextra -Werror "$here/linux_init.c" -o "$out/linux_init"
fi
# a program of Linux guests, where nothing is while they boot
if [ ! -e "$out/linux_user" ] || [ "$here/linux_user.c" -nt "$out/linux_user" ]; then
	"$cc" -O1 -g -static -nostdlib -fpie -no-pie -fno-stack-protector -Wall -Wextra -Werror -Wl,-Ttext-segment=0x1000000000 \
		-Wl,--build-id=none "$here/linux_user.c" -o "$out/linux_user"
fi
guest minimal minimal$suffix.S
(
	[ "$arch" = x86_64 ] || flags=("${flags[@]/-mgeneral-regs-only/-g}") # that compiler knows no variable of such types with it
	hermit hermit_gdb hermit_gdb.c -DINTERFACE=3
)
for version in 1 2 3; do
	hermit hermit_files_$version hermit_files.c -DINTERFACE=$version
	hermit hermit_machine_$version hermit_machine.c -DINTERFACE=$version -O1
	hermit hermit_hostile_$version hermit_hostile.c -DINTERFACE=$version -O2
done
for name in hermit_net hermit_net_hostile hermit_net_irq; do
	hermit $name $name.c -DINTERFACE=3 -O2 -fno-tree-loop-distribute-patterns
done
guest sample sample.c
guest sample_O2 sample.c -O2
guest loop loop.c
guest halt loop.c -DHALTED
guest smp smp.c
guest nonstop nonstop.c
guest exitcode exitcode.c
guest clock clock.c
guest rewrite rewrite.c
guest watched watched.c
guest ownbytes ownbytes.c
guest spaces spaces.c
if [ "$arch" = aarch64 ]; then
	guest brk brk_a64.c
	guest daif daif_a64.c
	guest psci psci_a64.c
	guest sve sve_a64.c
	guest pauth pauth_a64.c -march=armv8.3-a -mbranch-protection=pac-ret+leaf
	guest vectors_gone vectors_gone_a64.c
	guest stack_gone vectors_gone_a64.c -DSTACK_GONE
	guest reset psci_a64.c -DFUNCTION=0x84000009
	for how in pf ud mmio jump; do
		guest crash_$how crash.c -DCRASH_"$(printf %s $how | tr a-z A-Z)"
	done
	for bits in 12 14 16; do
		guest paging_$bits paging_a64.c -DGRANULE=$bits
		# the ordinary sample, in the upper half
		start_file=start_high_a64.S script=guest_high_a64.ld guest high_$bits sample.c "$here/high_a64.c" -DGRANULE=$bits
	done
	for version in 1 2 3; do
		start_file=none script=hermit_a64.ld guest hermit_$version hermit_a64.c -DINTERFACE=$version
	done
	exit 0
fi
guest int3 int3.c
guest faults faults.c
guest xcr0 xcr0.c
guest pushf pushf.S
guest ring3 ring3.c
guest paging paging.c
guest sse sse.c
guest pit pit.c
guest highmem highmem.c
guest highmem_5 highmem.c -DGIBS=5 -DSTEP=65536 -O1
guest highmem_5_all highmem.c -DGIBS=5 -DSTEP=4096 -O1
for how in pf ud port mmio jump stack; do
	guest crash_$how crash.c -DCRASH_"$(printf %s $how | tr a-z A-Z)"
done
# with a build id
sed 's|^\t/DISCARD/|\t.note.gnu.build-id : { *(.note.gnu.build-id) } :data :note\n&|; s|^\tdata PT_LOAD.*|&\n\tnote PT_NOTE FLAGS(4);|' \
	"$here/guest.ld" >"$out/.id.ld"
script_dir=$out script=.id.ld build_id=sha1 guest crash_id crash.c -DCRASH_PF
rm "$out/.id.ld"
