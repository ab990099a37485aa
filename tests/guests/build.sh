#!/usr/bin/env bash
# build.sh DIR: compiles the sample kernels into DIR. GUEST_CC: a compiler for x86_64 (default: gcc, or the cross compiler).
# They are guests, not part of the program: no sanitizers, no CFLAGS of the build.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$1
mkdir -p "$out"
if [ "$(uname -m)" = x86_64 ]; then cc=${GUEST_CC:-gcc}; else cc=${GUEST_CC:-x86_64-linux-gnu-gcc}; fi
flags=(-std=gnu11 -ffreestanding -g -O0 -Wall -Wextra -Werror -m64 -mno-red-zone -mgeneral-regs-only -mcmodel=small
	-fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none)
link=(-nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments)

# guest NAME SOURCE [FLAG...]: made anew when anything here is newer
guest() {
	local name=$1 source=$here/$2 start=()
	shift 2
	[ -e "$out/$name" ] && [ -z "$(find "$here" -newer "$out/$name" -type f)" ] && return
	case $source in *.c) start=("$here/start.S") ;; esac
	# beside the real sources: gdb finds them, whatever directory this runs in
	"$cc" "${flags[@]}" "$@" "${link[@]}" -T "$here/guest.ld" "${start[@]}" "$source" -o "$out/$name.new"
	mv "$out/$name.new" "$out/$name"
}

guest minimal minimal.S
guest sample sample.c
guest loop loop.c
guest halt loop.c -DHALTED
guest smp smp.c
guest exitcode exitcode.c
guest int3 int3.c
guest paging paging.c
guest rewrite rewrite.c
guest sse sse.c
for how in pf ud port mmio jump stack; do
	guest crash_$how crash.c -DCRASH_"$(printf %s $how | tr a-z A-Z)"
done
