#!/usr/bin/env bash
# Shows the main job: builds gyve, boots a sample kernel under KVM, debugs it with real gdb from its first instruction to its
# exit, and prints the transcript. Status 0 if everything was seen.
#   scripts/demo.sh              the bare-metal sample
#   scripts/demo.sh IMAGE [SYM]  a Hermit image (nothing is changed in it): break at SYM (default: its entry), run to the end
# As root it installs what is missing. GYVE_BUILD=DIR keeps the build there; otherwise nothing is left behind.
set -u
. "$(dirname "$0")/lib.sh"
image=${1:-} symbol=${2:-}

[ "$(uname -m)" = x86_64 ] || die "the sample kernel is for x86_64 hosts; this is $(uname -m)"
problem=$(kvm_problem)
[ -z "$problem" ] || die "$problem: there is nothing to show without KVM (a test bed for such hosts comes later)"
[ -z "$image" ] || image=$(readlink -e "$image") || die "there is no $1"
need_packages build gdb
make_work_dir

printf '# building gyve and the sample kernels in %s\n' "$work"
prepare_sources || die "autoreconf failed"
build_in default || die "the build failed"
"$top/tests/guests/build.sh" "$work/guests" || die "the sample kernels do not build"
gyve=$work/default/gyve socket=$work/demo.sock log=$work/demo.log guest_out=$work/guest.out

# debug IMAGE < gdb commands: gyve in the background, gdb in the foreground; sets $status to gyve's
debug() {
	local pid i line commands=()
	rm -f "$socket"
	"$gyve" run --gdb="unix:$socket" "$1" >"$guest_out" 2>"$work/gyve.err" &
	pid=$!
	for ((i = 0; i < 250; i++)); do
		[ -S "$socket" ] && break
		kill -0 $pid 2>/dev/null || die "gyve ended: $(cat "$work/gyve.err")"
		sleep 0.02
	done
	# one -ex each: gdb would leave a command file at the first error
	for line in 'set confirm off' 'set pagination off' 'set width 0' 'set trace-commands on' "target remote $socket"; do
		commands+=(-ex "$line")
	done
	while read -r line; do
		case $line in \#*) ;; *) commands+=(-ex "$line") ;; esac
	done
	printf '# gyve run --gdb=unix:%s %s\n' "$socket" "$1"
	timeout 120 "$(find_gdb)" -nx -q -batch "${commands[@]}" "$1" 2>&1 </dev/null | tee "$log" | sed 's/^+/(gdb) /'
	for ((i = 0; i < 250; i++)); do
		kill -0 $pid 2>/dev/null || break
		sleep 0.02
	done
	kill -0 $pid 2>/dev/null && kill -TERM $pid
	wait $pid
	status=$?
	printf '# the guest wrote:\n'
	sed 's/^/    /' "$guest_out"
	printf '# gyve exited with status %d\n' $status
}

missing=0
# seen WHAT REGEX: in the transcript
seen() {
	if grep -qE -- "$2" "$log"; then
		printf 'ok      %s\n' "$1"
	else
		printf 'MISSING %s (no /%s/ in the transcript)\n' "$1" "$2"
		missing=$((missing + 1))
	fi
}

the_end() {
	if [ $status != 0 ]; then
		printf 'MISSING the end: status %d\n' $status
		sed 's/^/    /' "$work/gyve.err"
		missing=$((missing + 1))
	fi
	[ $missing = 0 ]
	exit
}

if [ -n "$image" ]; then
	[ -n "$symbol" ] || symbol='*$pc'
	debug "$image" <<-IN
		info symbol \$pc
		break $symbol
		continue
		backtrace 3
		info registers rip
		delete
		continue
	IN
	seen "a stop before the first instruction" '^0x[0-9a-f]+ in |^_start'
	seen "the end of the program" 'exited normally'
	the_end
fi

debug "$work/guests/sample" <<'IN'
# Nothing has run yet: the first instruction.
x/2i $pc
# Plain break, before there is anything but the image in memory.
break kmain
break sail
continue
continue
backtrace
info locals
next
next
info locals
delete
watch counter
continue
continue
delete
# Memory through the guest's page tables: mapped, and not mapped.
x/4gx ships
x/4gx 0x700000000000
monitor vtop ships
monitor vtop 0x700000000000
info registers rip cr3
monitor info
continue
IN
seen "the first instruction" '=> 0x[0-9a-f]+ <_start>'
seen "break at the entry function" 'Breakpoint 1, kmain \(cpu=0, ncpus=1\)'
seen "backtrace with file:line" '^#1 .* in kmain .*sample\.c:[0-9]+'
seen "locals" '^left = '
seen "watch" 'New value = 3'
seen "mapped memory" '<ships>:.*0x'
seen "unmapped memory, refused" 'Cannot access memory at address 0x700000000000|0x700000000000.*(not present|not mapped)'
seen "the reason" 'level|PML4'
seen "vtop" '-> gpa 0x[0-9a-f]+'
seen "the end of the program" 'exited normally'

# The last act: a guest that dies with nobody there, and what can be seen of it afterwards.
printf '# gyve run --dump %s/vm.core %s/guests/crash_pf\n' "$work" "$work"
"$gyve" run --dump "$work/vm.core" "$work/guests/crash_pf" >"$guest_out" 2>"$work/gyve.err"
printf '# gyve exited with status %d\n' $?
sed 's/^/    /' "$work/gyve.err"
: >"$log"
for command in info bt 'x/2i' 'x/4xg'; do
	"$gyve" --help | grep -q "^  gyve ${command%%/*} " || continue
	where=()
	[ "$command" = x/2i ] && where=('$pc')
	[ "$command" = x/4xg ] && where=('$sp')
	printf '# gyve %s vm.core %s\n' "$command" "${where[*]}"
	"$gyve" "$command" "$work/vm.core" "${where[@]}" 2>&1 | tee -a "$log" | sed 's/^/    /'
done
seen "the line it died at, from its dump" 'die.*crash\.c:[0-9]+'
seen "the instruction" '=> 0x[0-9a-f]+.*mov'
the_end
