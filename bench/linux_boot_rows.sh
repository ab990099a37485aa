#!/bin/sh
# Inside an emulated host: from exec to the first line of Debian's kernel on the serial port, and to its init; the best of each, and
# they take turns. /guest: vmlinuz, initrd, first_line. Arguments: the serial port, then QEMU's command line, or nothing.
console=$1
shift
rounds=${ROUNDS:-3}
append="console=$console rdinit=/init"

least() { # least OLD NEW: the smaller one, either may be empty
	if [ -z "$1" ] || { [ -n "$2" ] && [ "$2" -lt "$1" ]; }; then echo "$2"; else echo "$1"; fi
}
row() { # row WHAT GYVE QEMU
	ratio=$(awk -v a="${2:-0}" -v b="${3:-0}" 'BEGIN { if (a + 0 > 0 && b + 0 > 0) printf "%.2f", a / b; else printf "-" }')
	printf '%-44s %14s %14s   %s (%s)\n' "$1" "${2:--}" "${3:--}" "not more than QEMU" "$ratio"
}
measure() { # measure WHAT TEXT [QEMU...]
	what=$1 text=$2 mine='' peer='' i=0
	shift 2
	while [ "$i" -lt "$rounds" ]; do
		[ $# = 0 ] || peer=$(least "$peer" "$(/guest/first_line "$text" "$@" -kernel /guest/vmlinuz -initrd /guest/initrd -append "$append")")
		mine=$(least "$mine" "$(/guest/first_line "$text" gyve run -m 256MiB --initrd /guest/initrd --append "$append" /guest/vmlinuz)")
		i=$((i + 1))
	done
	row "$what" "$mine" "$peer"
}
measure "exec to Linux's first line, us" 'Linux version' "$@"
measure "exec to its init's prompt, us" 'init>' "$@"
