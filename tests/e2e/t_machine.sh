# shellcheck shell=bash
# Memory and vCPUs as the options say. machine_rows.sh has the rows for Hermit guests, also run inside the emulated host.
only_machine_tests aarch64 a64_machine

machine_row() {
	sh "$here/machine_rows.sh" "$GYVE" "$GUESTS" "$T/rows" "$@" >"$T/rows.log" 2>&1 && return
	fail "$(grep '^not ok' "$T/rows.log" || tail -n 1 "$T/rows.log")"
}

test_machine_places() {
	machine_row places
}
limit_machine_sizes=120
test_machine_sizes() {
	machine_row sizes
}
test_machine_walk() {
	machine_row walk
}
test_machine_cpus() {
	machine_row cpus
}
test_machine_archive() {
	machine_row archive
}
test_machine_advice() {
	machine_row advice
}
test_machine_environment() {
	machine_row environment
}

limit_a64_machine=150
test_a64_machine() {
	local copies=() v
	for v in 1 2 3; do
		copies+=(--copy "$GUESTS/hermit_machine_$v:/guest/hermit_machine_$v")
	done
	"$here/../hosts/run" aarch64 --timeout 420 --copy "$GYVE:/bin/gyve" --copy "$here/machine_rows.sh:/guest/rows" "${copies[@]}" -- \
		sh -c 'WALK=1048576 sh /guest/rows gyve /guest /rows places sizes walk environment &&
			KSM=1 MANY_CPUS=64 VERSIONS="1 3" sh /guest/rows gyve /guest /rows cpus advice archive' >"$T/rows.log" 2>&1 ||
		fail "$(grep '^not ok' "$T/rows.log" || tail -n 1 "$T/rows.log")"
	[ "$(grep -c '^ok' "$T/rows.log")" = 18 ] || fail "not all rows ran"
}

# Below the gap and behind it, a word of every 64 KiB. (highmem_5_all: of every page, a minute where KVM emulates.)
test_memory_five_gib() {
	gyve_run 0 -m 5GiB "$GUESTS/highmem_5"
	output 'all there'
}

# times CPUS: wall and the longest vCPU's processor time of the work, in milliseconds
times() {
	local from to
	from=$(date +%s%N)
	guest_args=(cpus "$work")
	gyve_run 0 --stats -c "$1" "$GUESTS/hermit_machine_1"
	to=$(date +%s%N)
	wall=$(((to - from) / 1000000))
	busy=$(awk '/^vCPU [0-9]+ microseconds/ && $4 > most { most = $4 } END { print int(most / 1000) + 1 }' "$T/gyve.err")
}

# The same work by one vCPU and by several, up to 4. Where others keep the processors from us, the clock on the wall says nothing; but no
# vCPU may have had to do all of it.
limit_machine_speedup=120
test_machine_speedup() {
	local work=20000 wall busy one alone n try wanted=([2]=125 [3]=150 [4]=200) processors
	processors=$(nproc)
	[ "$processors" -ge 2 ] || skip "one processor is not faster than itself"
	times 1
	while [ "$busy" -lt 250 ]; do
		work=$((work * 4))
		[ $work -lt 100000000000 ] || fail "no work takes long enough"
		times 1
	done
	for ((n = 2; n <= processors && n <= 4; n++)); do
		for try in 1 2 3; do
			times 1
			one=$wall alone=$busy
			times $n
			echo "$n vCPUs: $one ms / $wall ms; processor time $alone ms / $busy ms"
			[ $((100 * one / wall)) -lt "${wanted[n]}" ] || continue 2
		done
		awk -v n=$n '{ exit !($1 > n / 2) }' /proc/loadavg || fail "$n vCPUs are only $((100 * one / wall)) / 100 times as fast as one"
		[ $((100 * alone / busy)) -ge 110 ] || fail "one of $n vCPUs takes $busy ms, one alone $alone ms"
	done
}

# uhyve's own test of its debugger, statement by statement.
gdb_row() {
	local from=$1 to=$2
	gyve_start "$GUESTS/hermit_gdb"
	gdb_run hermit_gdb <<-IN
		break hermit_gdb.c:31
		continue
		next
		next
		print x
		set var x = 6
		print x
		print f
		set var f = 4.5
		print f
		hbreak *passing
		continue
		set var \$$from = 5
		stepi
		print \$$to
		finish
		next
		print y
		watch counted
		continue
		continue
		awatch looked_at
		continue
		continue
		delete
		continue
	IN
	expect 'Breakpoint 1, kmain' '\+print x' '= 5$' '= 6$' '= 3.5$' '= 4.5$' 'Breakpoint 2, ' 'print .(rax|x0)' '= 5$' '\+print y' '= 5$' \
		'New value = 2' 'Old value = 2' 'New value = 3' 'access .read/write. watchpoint 4: looked_at' 'New value = 3' 'Value = 3' 'exited normally'
	gyve_ends 0
}
machine_tests "aarch64" gdb_row
test_gdb_row() {
	case ${MACHINE:-x86_64} in
	aarch64) gdb_row x1 x0 ;;
	*) gdb_row rcx rax ;;
	esac
}

test_memory_behind_gap() {
	gyve_run 0 -m 4GiB "$GUESTS/highmem"
	output 'all there'
}

# A watched page cuts the memory slots: what is behind the gap stays where it is.
test_memory_behind_gap_watched() {
	gyve_start -m 4GiB --watch-strategy=page "$GUESTS/highmem"
	gdb_run highmem <<-'IN'
		break put_text
		watch directory[3]
		continue
		delete 2
		continue
		continue
	IN
	expect 'atchpoint 2: directory' 'Breakpoint 1, put_text' 'exited normally'
	gyve_ends 0
	output 'all there'
}

# The kernel shows what was asked for guest memory: hg, huge pages; mg, to be merged.
test_memory_advice() {
	local flags
	gyve_start --thp --ksm -m 66MiB "$GUESTS/sample"
	flags=$(awk '/^[0-9a-f]+-[0-9a-f]+ / { large = 0 } /^Size: +67584 kB/ { large = 1 } large && /^VmFlags:/' "/proc/$started/smaps")
	[ -n "$flags" ] || fail "no mapping of 66 MiB"
	if [ -e /sys/kernel/mm/transparent_hugepage ]; then
		[[ "$flags " = *" hg "* ]] || fail "no huge pages are asked for: $flags"
	fi
	if [ -e /sys/kernel/mm/ksm ]; then
		[[ "$flags " = *" mg "* ]] || fail "no merging is asked for: $flags"
	fi
	gdb_run sample <<-'IN'
		kill
	IN
	gyve_ends 0
	gyve_run 0 --thp --ksm -m 64MiB "$GUESTS/sample"
}

# vCPU threads are pinned each to its own, the session's thread is not.
test_affinity() {
	local cpus cpu other=
	cpus=$(taskset -pc $$ | sed 's/.*: *//')
	cpu=${cpus%%[-,]*}
	other=${cpus##*[-,]}
	gyve_run 0 -c 2 --affinity "$cpu,$cpu" "$GUESTS/smp"
	output 'hits 10000'
	gyve_run 2 -c 2 --affinity "$cpu" "$GUESTS/smp"
	grep -q 'names 1 CPUs for 2 vCPUs' "$T/gyve.err" || fail "the refusal does not say why"
	gyve_run 2 --affinity 1023 "$GUESTS/smp"
	gyve_start -c 3 --affinity "$cpu,$other,$cpu" "$GUESTS/smp"
	pinned "$cpu" 2
	[ "$cpu" = "$other" ] || pinned "$other" 1
	gdb_run smp <<-'IN'
		kill
	IN
	gyve_ends 0
}

# pinned CPU N: of the threads, N or more
pinned() {
	local n
	n=$(grep -h Cpus_allowed_list /proc/$started/task/*/status | awk -v c="$1" '$2 == c { n++ } END { print n + 0 }')
	[ "$n" -ge "$2" ] || fail "$n threads are pinned to CPU $1"
}

test_sixty_four_vcpus() {
	gyve_run 0 -c 64 "$GUESTS/smp"
	output 'hits 9984'
}

test_pit() {
	gyve_run 0 --pit "$GUESTS/pit"
	output 'the timer counts'
	gyve_run 3 "$GUESTS/pit"
	output 'no timer'
}

# KVM is asked for one thing more, or its lack is told.
test_cpu_pm() {
	local -x ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0
	gyve_run 0 --cpu-pm "$GUESTS/sample"
	! grep -q 'power state' "$T/gyve.err" || return 0
	command -v strace >/dev/null || skip "no strace"
	strace -f -qq -o "$T/with" -e trace=ioctl "$GYVE" run --cpu-pm "$GUESTS/sample" >"$T/gyve.out" 2>"$T/gyve.err" || fail "status $?"
	strace -f -qq -o "$T/without" -e trace=ioctl "$GYVE" run "$GUESTS/sample" >"$T/gyve.out" 2>"$T/gyve.err" || fail "status $?"
	[ "$(grep -c 'KVM_ENABLE_CAP.*= 0' "$T/with")" = $(($(grep -c 'KVM_ENABLE_CAP.*= 0' "$T/without") + 1)) ] || fail "KVM was not asked"
}

# Options from a file and the environment reach the machine.
test_configuration() {
	printf '[uhyve]\noutput = "%s"\nstats = true\n[cpu]\ncpu_count = 2\n' "$T/out" >"$T/c.toml"
	gyve_run 0 --config "$T/c.toml" "$GUESTS/smp"
	[ "$(cat "$T/out")" = 'hits 10000' ] || fail "the output is not where the file says"
	grep -q '^.*exit ' "$T/gyve.err" || fail "no statistics, a boolean of the file"
	rm "$T/out"
	cp "$T/c.toml" "$T/uhyve.toml"
	(cd "$T" && GYVE_CPU_COUNT=4 gyve_run 0 "$GUESTS/smp") || exit 1
	[ "$(cat "$T/out")" = 'hits 10000' ] || fail "./uhyve.toml is not read"
	echo '[cpu]' >"$T/bad.toml" && echo 'cpu_count = "many"' >>"$T/bad.toml"
	gyve_run 2 --config "$T/bad.toml" "$GUESTS/smp"
	grep -q 'bad.toml: cpu.cpu_count' "$T/gyve.err" || fail "the refusal names neither file nor key"
}
