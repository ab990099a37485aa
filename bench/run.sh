#!/usr/bin/env bash
# run.sh [--machine aarch64] [BUILD-DIR]: measures what the program of that build does, beside its peers, and prints one table.
# Peers: bench/bare_kvm (the same ioctls and nothing else) and QEMU's stub, if qemu-system-x86_64 is installed.
# --machine: inside that emulated host (docs/testbeds.md), beside bare_kvm only; BUILD-DIR is then a cross-build, which is made if
# there is none (default: build-aarch64).
# What is measured varies with the host's load: the goals stand beside, nothing fails here.
set -u
here=$(cd "$(dirname "$0")" && pwd)
machine=
[ "${1:-}" != --machine ] || { machine=${2:-} && shift 2; }
case $machine in
'') arch=x86_64 cross='' build=${1:-.} ;;
aarch64) arch=aarch64 cross=aarch64-linux-gnu- build=${1:-$here/../build-aarch64} ;;
*) echo "run.sh: --machine takes aarch64" >&2 && exit 2 ;;
esac
[ -z "$machine" ] || [ -x "$build/gyve" ] || "$here/../scripts/cross-aarch64.sh" "$build" >&2 || exit 1
build=$(cd "$build" && pwd)
gyve=$build/gyve
work=$(mktemp -d "${TMPDIR:-/tmp}/gyve-bench.XXXXXX")
pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done; rm -rf "$work"' EXIT

[ -x "$gyve" ] || { echo "run.sh: there is no $gyve; make it first" >&2; exit 1; }
[ -n "$machine" ] || { [ -r /dev/kvm ] && [ -w /dev/kvm ]; } ||
	{ echo "run.sh: /dev/kvm is missing or not permitted; nothing can be measured" >&2; exit 1; }
make -s -C "$build" bench/run_bench >&2 || exit 1
cc=${cross}gcc
[ -n "$machine" ] || cc=${CC:-gcc}
for program in rsp_bench spawn bare_kvm; do
	"$cc" -std=gnu11 -O2 -pthread -o "$work/$program" "$here/$program.c" || exit 1
done
"$here/../tests/guests/build.sh" "$work/guests" "$arch" || exit 1

address() {
	"${cross}nm" "$work/guests/$1" | awk -v s="$2" '$3 == s { print "0x" $1 }'
}
row() {
	printf '%-44s %14s %14s   %s\n' "$@"
}
per() { # per NUMBER DIVISOR: NUMBER / DIVISOR with two digits
	awk -v a="$1" -v b="$2" 'BEGIN { if (b + 0 > 0) printf "%.2f", a / b; else printf "-" }'
}
median_of() { # median_of FILE: of the numbers in it, one a line
	sort -n "$1" | awk '{ n[NR] = $1 } END { print n[int((NR + 1) / 2)] }'
}

on=(env) # what puts both ends on one processor, or does not
# start GUEST [OPTION...]: gyve with a stub on $work/sock
start() {
	local i
	"${on[@]}" "$gyve" run --gdb="unix:$work/sock" "${@:2}" "$work/guests/$1" >"$work/out" 2>"$work/err" &
	pids+=($!)
	for ((i = 0; i < 250; i++)); do
		[ -S "$work/sock" ] && return
		sleep 0.02
	done
	cat "$work/err" >&2
	exit 1
}
rsp() {
	timeout 60 "${on[@]}" "$work/rsp_bench" "$@" 2>"$work/rsp.err" || cat "$work/rsp.err" >&2
}
finish() {
	rsp "$work/sock" kill
	sleep 0.2
	kill "${pids[-1]}" 2>/dev/null
	wait "${pids[-1]}" 2>/dev/null
	rm -f "$work/sock"
}

# Machine against bare machine, by a script that also runs inside.
loop_round() { # start, end, counter, instructions: see `objdump -d` of loop's spin()
	local lo
	lo=$(address loop spin)
	case $arch in
	x86_64) printf '%s 0x%x %s 4\n' "$lo" $((lo + 24)) "$(address loop ticks)" ;;
	aarch64) printf '%s 0x%x %s 8\n' "$lo" $((lo + 32)) "$(address loop ticks)" ;;
	esac
}
mkdir "$work/compare"
cp "$gyve" "$build/bench/run_bench" "$work/bare_kvm" "$work/spawn" "$work/guests/minimal" "$work/guests/loop" "$here/compare.sh" "$work/compare"
loop_round >"$work/compare/loop.at"
row "what" "gyve" "peer" "goal"
if [ -n "$machine" ]; then
	"$here/../tests/hosts/run" "$machine" --timeout 300 --copy "$work/compare:/compare" -- env ROUNDS="${ROUNDS:-5}" sh /compare/compare.sh /compare
	"$here/linux_boot.sh" "$machine" "$gyve"
	exit
fi
sh "$work/compare/compare.sh" "$work/compare"

# A packet and its answer between two processes that sleep meanwhile is what no stub can be faster than: in turns with it. On a
# virtual machine it costs most to wake a processor that sleeps: also with everything on one.
# step_packets FILE
step_packets() {
	local i
	start loop
	rsp "$work/sock" until "$(address loop spin)"
	for ((i = 0; i < 7; i++)); do
		rsp "$work/sock" step 3000 >>"$work/$1"
		"${on[@]}" "$work/rsp_bench" - echo 3000 >>"$work/$1.echo"
	done
}
if command -v taskset >/dev/null; then
	on=(taskset -c 0)
	step_packets steps_one
	finish
	on=(env)
	steps=$(median_of "$work/steps_one") echoes=$(median_of "$work/steps_one.echo")
	row "single-step packets a second, one processor" "${steps:--}" "echo: ${echoes:--}" "25000 ($(per "${steps:-0}" "${echoes:-0}") of the echo)"
fi
step_packets steps
steps=$(median_of "$work/steps") echoes=$(median_of "$work/steps.echo")
row "single-step packets a second" "${steps:--}" "echo: ${echoes:--}" "25000 ($(per "${steps:-0}" "${echoes:-0}") of the echo)"
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

# The loop's first instruction.
spin=$(printf '0x%x' $(($(address loop spin) + 4)))
start loop
one=$(rsp "$work/sock" until "$spin" hits "$spin" 2000)
finish
start loop
many=$(rsp "$work/sock" until "$spin" points 0x1000000 9999 hits "$spin" 2000 | tail -n 1)
finish
row "a breakpoint's hit among 10,000, us" "${many:--}" "alone: ${one:--}" "1.1 times ($(per "${many:-0}" "${one:-0}"))"
start loop -m 1GiB
rsp "$work/sock" search 0x200000 0x3f000000 1 >/dev/null # its pages come into being
found=$(rsp "$work/sock" search 0x200000 0x3f000000 5)
finish
row "qSearch, bytes a second" "${found:--}" "-" "4000000000"
start smp -c 8
read -r middle worst < <(rsp "$work/sock" set "$(address smp total)" 0x100000000000 tail 300)
finish
row "Ctrl-C to stop, 8 vCPUs, us: median, p99" "${middle:--} ${worst:--}" "-" "1000 (idle machine, a processor each; here $(nproc))"

row "m packets, bytes a second" "${m:--}" "${peer:--}" "5 times QEMU ($(per "${m:-0}" "${peer:-0}"))"
row "x packets, bytes a second" "${x:--}" "-" "1000000000"
[ -z "${qemu_steps:-}" ] || row "QEMU's single-step packets a second (TCG)" "-" "$qemu_steps" ""

if command -v gdb >/dev/null || command -v gdb-multiarch >/dev/null; then "$here/condition.sh" "$gyve"; fi

if ${CC:-gcc} -std=gnu11 -O2 -I"$here/../include" -I"$here/.." -o "$work/bench_walk" "$here/bench_walk.c" "$here"/../src/arch/*.c \
	"$here"/../src/arch/*/*.c "$here"/../src/mem/*.c "$here"/../src/base/*.c 2>"$work/cc.err"; then
	"$work/bench_walk" | while read -r arch ns; do row "warm $arch translation, ns (median)" "$ns" "-" "20"; done
fi

if ${CC:-gcc} -std=gnu11 -O2 -I"$here/../include" -o "$work/bench_dump" "$here/bench_dump.c" "$build"/libcore.a "$build"/libarch.a \
	"$build"/libmem.a "$build"/libbase.a $(pkg-config --libs libzstd libkdumpfile 2>/dev/null) 2>"$work/cc.err"; then
	"$work/bench_dump" "$work" | while IFS='|' read -r what number peer goal; do row "$what" "$number" "$peer" "$goal"; done
else
	head -n 3 "$work/cc.err" >&2
fi

# A Linux guest of 8 vCPUs with a vmlinux of full DWARF, as bench/linux_dump.sh makes them: whole commands, beside crash's.
milliseconds() { # COMMAND...: the best of five
	local best='' i from to
	for i in 1 2 3 4 5; do
		from=$(date +%s%N)
		"$@" >"$work/said" 2>&1 </dev/null
		to=$(date +%s%N)
		[ -n "$best" ] && [ $((to - from)) -ge "$best" ] || best=$((to - from))
	done
	echo $((best / 1000000))
}
linux=${GYVE_BENCH_LINUX:-}
if [ -n "$linux" ] && ${CC:-gcc} -std=gnu11 -O2 -I"$here/../include" -o "$work/bench_sym" "$here/bench_sym.c" "$build"/libsym.a \
	"$build"/libbase.a $(pkg-config --libs libdw libelf zlib) 2>"$work/cc.err"; then
	export XDG_CACHE_HOME=$work/cache
	"$work/bench_sym" "$linux/vmlinux" "0x$(nm "$linux/vmlinux" | sed -n 's/ T vfs_read$//p')" |
		while IFS='|' read -r what number peer goal; do row "$what" "$number" "$peer" "$goal"; done
	"$gyve" bt -a --symbols "$linux/vmlinux" "$linux/core" >"$work/bt" 2>&1
	ours=$(milliseconds "$gyve" bt -a --symbols "$linux/vmlinux" "$linux/core")
	peer=-
	if command -v crash >/dev/null; then
		printf 'bt -a\nquit\n' >"$work/crash.in"
		peer="crash: $(milliseconds crash -s -i "$work/crash.in" "$linux/vmlinux" "$linux/core")"
	fi
	row "bt -a of 8 vCPUs ($(grep -c '^#' "$work/bt") frames), ms" "$ours" "$peer" "200"
fi

# Debian's kernel from exec to its first line, in the emulated host where guests run truly.
if command -v qemu-system-x86_64 >/dev/null; then "$here/linux_boot.sh" svm "$gyve"; fi

# The network card, in a network namespace of its own: a guest's TCP each way, and requests that it answers.
net_bench() { # ARGUMENT... of net_inside.sh
	T=$work MTU=${MTU:-1500} GYVE=$gyve GUESTS=$work/guests timeout 120 unshare --net "$here/../tests/e2e/net_inside.sh" "$@" 2>"$work/net.err" |
		sed -n 's/.*: \(.*\) MB\/s/\1/p; s/^\([0-9]*\) us$/\1/p'
}
if unshare --net true 2>/dev/null && command -v python3 >/dev/null; then
	for net in tap user; do
		forward=
		[ $net = tap ] || forward=,hostfwd=tcp::15007-7
		sends=$(net_bench transfer sink $net 8000000) gets=$(net_bench transfer source $net 8000000)
		row "TCP through $net, MB/s: guest sends, receives" "${sends:--} ${gets:--}" "-" "(guest code is emulated on some hosts)"
		row "request and answer through $net, us" "$(net_bench ask $net$forward 300)" "-" ""
	done
	row "the same, frames of 60000 bytes, MB/s" "$(net_bench transfer sink user,mtu=60000 16000000)" "-" ""
fi
