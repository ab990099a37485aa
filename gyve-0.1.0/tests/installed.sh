#!/bin/sh
# What `make install` put where: installed.sh BINDIR MANDIR INCLUDEDIR LIBDIR DATADIR [CC]. Run by `make installcheck`.
bin=$1 man=$2 include=$3 lib=$4 data=$5 cc=${6:-cc}
failed=0
complain() {
	echo "$*"
	failed=1
}
for file in "$bin/gyve" "$man/man1/gyve.1" "$man/man1/gyve-run.1" "$man/man1/gyve-probe.1" "$man/man1/gyve-dump.1" "$include/gdbstub.h" \
	"$include/gyve/guest.h" "$lib/libgdbstub.a" "$lib/pkgconfig/libgdbstub.pc" "$data/bash-completion/completions/gyve" \
	"$data/zsh/site-functions/_gyve" "$data/gyve/gdb/gyve.py"; do
	[ -s "$file" ] || complain "missing: $file"
done
[ "$(ls "$include/gyve")" = guest.h ] || complain "more than guest.h in $include/gyve: $(ls "$include/gyve")"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
# a guest and a stub of somebody else's, by the installed headers alone
cat >"$work/guest.c" <<'C'
#define GYVE_GUEST_INTERFACE 3
#include <gyve/guest.h>
GYVE_GUEST_NOTES
void start(void)
{
	struct gyve_guest_attributes attr;
	int fd = gyve_guest_open("/root/x", GYVE_GUEST_RDWR | GYVE_GUEST_CREAT, 0644);
	gyve_guest_print("hello\n");
	gyve_guest_exit(fd < 0 || gyve_guest_fstat(fd, &attr) || gyve_guest_mkdir("/root/y"));
}
C
printf '#include <gdbstub.h>\n#include <stddef.h>\nint main(void) { return sizeof(struct gdbstub_ops) == 0; }\n' >"$work/stub.c"
for version in 1 2 3; do
	sed "s/INTERFACE 3/INTERFACE $version/" "$work/guest.c" | if [ $version -lt 3 ]; then sed '/attr;/d; s/ ||.*/);/'; else cat; fi >"$work/g.c"
	"$cc" -std=gnu11 -Wall -Wextra -Werror -ffreestanding -nostdlib -I"$include" -c "$work/g.c" -o "$work/g.o" || complain "guest.h does not compile ($version)"
done
"$cc" -I"$include" -c "$work/stub.c" -o "$work/stub.o" || complain "gdbstub.h does not compile"
if "$bin/gyve" version >"$work/version" 2>&1; then
	grep -q '^gyve ' "$work/version" || complain "the installed gyve does not say its version"
fi
exit $failed
