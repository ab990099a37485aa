#!/usr/bin/env bash
# condition.sh GYVE: one gdb, one guest and a breakpoint in its loop whose condition is false: gyve evaluates it, for QEMU gdb does.
# Prints rows as bench/run.sh does: microseconds a time. QEMU with KVM where that can stop the guest: by `break`, else by `hbreak`,
# which is then what gyve is told, too; and QEMU with TCG, which needs neither.
set -u
gyve=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/gyve-condition.XXXXXX")
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$work"' EXIT
gdb=$(command -v gdb || command -v gdb-multiarch) || { echo "condition.sh: there is no gdb" >&2 && exit 1; }
"${CC:-gcc}" -nostdlib -static -no-pie -Wl,-z,max-page-size=4096 -Wl,--build-id=none -Wl,-Ttext-segment=0x200000 \
	-Wl,--no-warn-rwx-segments "$here/condition.S" -o "$work/guest" || exit 1

# measure BREAK WHERE TIMES COMMAND...: COMMAND waits on $work/sock; prints microseconds a time, nothing if it did not work.
# WHERE: host, target
measure() {
	local how=$1 where=$2 times=$3 i said
	shift 3
	rm -f "$work/sock"
	timeout 120 "$@" >"$work/out" 2>&1 &
	pid=$!
	for ((i = 0; i < 250; i++)); do
		[ -S "$work/sock" ] && break
		sleep 0.02
	done
	cat >"$work/commands" <<-EOF
		set pagination off
		set confirm off
		set breakpoint condition-evaluation $where
		target remote $work/sock
		$how f if \$rdi == 10
		continue
		delete
		$how f if \$rdi == 10 + $times
		shell echo begin \$(date +%s%N)
		continue
		shell echo end \$(date +%s%N)
		printf "at %d\\n", \$rdi
		kill
	EOF
	said=$(timeout 60 "$gdb" -nx -batch -x "$work/commands" "$work/guest" 2>"$work/gdb.err")
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	pid=
	awk -v n="$times" '$1 == "begin" { b = $2 } $1 == "end" { e = $2 } $1 == "at" { at = $2 }
		END { if (at == 10 + n) printf "%.1f\n", (e - b) / n / 1000 }' <<<"$said"
}
median() { # median COMMAND...: of three
	local i
	for i in 1 2 3; do "$@"; done | sort -n | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'
}
qemu() { # qemu ACCELERATOR BREAK
	median measure "$2" host 100 qemu-system-x86_64 -accel "$1" -m 64 -display none -monitor none -serial none -S \
		-gdb "unix:$work/sock,server=on,wait=off" -kernel "$work/guest"
}
row() { # row WHAT GYVE PEER
	printf '%-44s %14s %14s   %s\n' "$1" "${2:--}" "${3:--}" \
		"30 times faster ($(awk -v a="${3:-0}" -v b="${2:-0}" 'BEGIN { if (a * b > 0) printf "%.0f", a / b; else printf "-" }'))"
}

mine=$(median measure break target 20000 "$gyve" run --gdb="unix:$work/sock" "$work/guest")
command -v qemu-system-x86_64 >/dev/null || { row "a false condition, us; QEMU's by gdb" "$mine" "" && exit; }
peer=$(measure break host 20 qemu-system-x86_64 -accel kvm -m 64 -display none -monitor none -serial none -S \
	-gdb "unix:$work/sock,server=on,wait=off" -kernel "$work/guest")
if [ -n "$peer" ]; then
	row "a false condition, us; QEMU (KVM) by gdb" "$mine" "$(qemu kvm break)"
elif [ -r /dev/kvm ]; then
	row "a false condition, us; QEMU (KVM) by hbreak" "$(median measure hbreak target 20000 "$gyve" run --gdb="unix:$work/sock" "$work/guest")" \
		"$(qemu kvm hbreak)"
fi
row "a false condition, us; QEMU (TCG) by gdb" "$mine" "$(qemu tcg break)"
