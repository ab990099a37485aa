#!/usr/bin/env bash
# run.sh BUILD-DIR: measures what the program of that build does, beside its peers, and prints one table.
# Peers: bench/bare_kvm (the same ioctls and nothing else) and QEMU's stub, if qemu-system-x86_64 is installed.
# What is measured varies with the host's load: the goals stand beside, nothing fails here.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-.}" && pwd)
gyve=$build/gyve
work=$(mktemp -d "${TMPDIR:-/tmp}/gyve-bench.XXXXXX")
pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done; rm -rf "$work"' EXIT

[ -x "$gyve" ] || { echo "run.sh: there is no $gyve; make it first" >&2; exit 1; }
[ -r /dev/kvm ] && [ -w /dev/kvm ] || { echo "run.sh: /dev/kvm is missing or not permitted; nothing can be measured" >&2; exit 1; }
for program in rsp_bench spawn bare_kvm; do
	${CC:-gcc} -std=gnu11 -O2 -o "$work/$program" "$here/$program.c" || exit 1
done
bare=$work/bare_kvm
"$here/../tests/guests/build.sh" "$work/guests" || exit 1

address() {
	nm "$work/guests/$1" | awk -v s="$2" '$3 == s { print "0x" $1 }'
}
row() {
	printf '%-44s %14s %14s   %s\n' "$@"
}
per() { # per NUMBER DIVISOR: NUMBER / DIVISOR with two digits
	awk -v a="$1" -v b="$2" 'BEGIN { if (b + 0 > 0) printf "%.2f", a / b; else printf "-" }'
}

# start GUEST: gyve with a stub on $work/sock
start() {
	local i
	"$gyve" run --gdb="unix:$work/sock" "$work/guests/$1" >"$work/out" 2>"$work/err" &
	pids+=($!)
	for ((i = 0; i < 250; i++)); do
		[ -S "$work/sock" ] && return
		sleep 0.02
	done
	cat "$work/err" >&2
	exit 1
}
rsp() {
	timeout 60 "$work/rsp_bench" "$@" 2>"$work/rsp.err" || cat "$work/rsp.err" >&2
}
finish() {
	rsp "$work/sock" kill
	sleep 0.2
	kill "${pids[-1]}" 2>/dev/null
	wait "${pids[-1]}" 2>/dev/null
	rm -f "$work/sock"
}

row "what" "gyve" "peer" "goal"

read -r median least < <("$work/spawn" 100 "$gyve" run "$work/guests/minimal")
peer=-
read -r peer least_peer < <("$work/spawn" 100 "$bare" run "$work/guests/minimal" 2>/dev/null)
row "whole run of a minimal guest, us (median)" "${median:--}" "${peer:--}" "bare KVM + 5000"
row "whole run of a minimal guest, us (least)" "${least:--}" "${least_peer:--}" ""

start loop
steps=$(rsp "$work/sock" until "$(address loop spin)" step 20000)
row "single-step packets a second" "${steps:--}" "-" "25000"
# 3 instructions a round at -O0: load, add, store; and the jump
lo=$(address loop spin)
hi=$(printf '0x%x' $((lo + 64)))
rounds=$(rsp "$work/sock" range "$lo" "$hi" 2 "$(address loop ticks)")
instructions=4
mine=$(awk -v r="${rounds:-0}" -v i=$instructions 'BEGIN { printf "%.0f", r * i }')
peer=$("$bare" step "$work/guests/loop" 200000)
row "range step, instructions a second" "$mine" "${peer:--}" "0.9 of bare KVM ($(per "$mine" "${peer:-0}"))"
finish

start loop
m=$(rsp "$work/sock" m 0x200000 0x2000000 300000000)
x=$(rsp "$work/sock" x 0x200000 0x2000000 2000000000)
finish
peer=-
if command -v qemu-system-x86_64 >/dev/null; then
	qemu-system-x86_64 -accel tcg -m 64 -display none -S -gdb "unix:$work/qemu.sock,server=on,wait=off" >/dev/null 2>&1 &
	pids+=($!)
	for ((i = 0; i < 250; i++)); do
		[ -S "$work/qemu.sock" ] && break
		sleep 0.02
	done
	peer=$(rsp "$work/qemu.sock" m 0x200000 0x2000000 60000000)
	qemu_steps=$(rsp "$work/qemu.sock" step 5000)
	kill "${pids[-1]}"
	wait "${pids[-1]}" 2>/dev/null
fi
row "m packets, bytes a second" "${m:--}" "${peer:--}" "5 times QEMU ($(per "${m:-0}" "${peer:-0}"))"
row "x packets, bytes a second" "${x:--}" "-" "1000000000"
[ -z "${qemu_steps:-}" ] || row "QEMU's single-step packets a second (TCG)" "-" "$qemu_steps" ""

if ${CC:-gcc} -std=gnu11 -O2 -I"$here/../include" -I"$here/.." -o "$work/bench_walk" "$here/bench_walk.c" "$here"/../src/arch/*.c \
	"$here"/../src/arch/*/*.c "$here"/../src/mem/*.c "$here"/../src/base/*.c 2>"$work/cc.err"; then
	"$work/bench_walk" | while read -r arch ns; do row "warm $arch translation, ns (median)" "$ns" "-" "20"; done
fi
