# shellcheck shell=bash
# Memory and vCPUs as the options say.

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
	output 'all there'
	gyve_ends 0
}

test_memory_advice() {
	gyve_run 0 --thp --ksm -m 64MiB "$GUESTS/sample"
}

test_affinity() {
	local cpu
	cpu=$(taskset -pc $$ | sed 's/.*: *//; s/[-,].*//')
	gyve_run 0 -c 2 --affinity "$cpu,$cpu" "$GUESTS/smp"
	output 'hits 10000'
	gyve_run 2 -c 2 --affinity "$cpu" "$GUESTS/smp"
	grep -q 'names 1 CPUs for 2 vCPUs' "$T/gyve.err" || fail "the refusal does not say why"
	gyve_run 2 --affinity 1023 "$GUESTS/smp"
	gyve_start -c 2 --affinity "$cpu,$cpu" "$GUESTS/smp"
	[ "$(grep -h Cpus_allowed_list /proc/$started/task/*/status | sort | uniq -c | awk -v c="$cpu" '$3 == c { print $1 }')" -ge 2 ] ||
		fail "the vCPU threads are not pinned"
}

test_sixty_four_vcpus() {
	gyve_run 0 -c 64 "$GUESTS/smp"
	output 'hits 9984'
}

test_pit_and_cpu_pm() {
	gyve_run 0 --pit --cpu-pm "$GUESTS/sample"
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
