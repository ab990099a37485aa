# shellcheck shell=bash
# What is left of the host for gyve and for the guest's threads, and that the debugger, dumps and real images work within it.

only_machine_tests aarch64 a64_isolation

need_landlock() {
	"$GYVE" run --file-isolation strict "$GUESTS/hermit_files_3" -- serial >"$T/gyve.out" 2>"$T/gyve.err" ||
		skip "strict isolation: $(head -n 1 "$T/gyve.err")"
}

test_isolation_debugger() {
	need_landlock
	guest_args=(serial)
	gyve_start --file-isolation strict "$GUESTS/hermit_files_3"
	gdb_run hermit_files_3 <<-IN
		break kmain
		continue
		backtrace 1
		monitor dump inside.core
		monitor dump $GUESTS/outside.core
		continue
	IN
	expect 'Breakpoint 1, ' 'kmain \(' 'monitor dump .*outside' '[Dd]enied' 'exited normally'
	[ -s "$T/inside.core" ] || fail "no dump was written"
	[ ! -e "$GUESTS/outside.core" ] || fail "a dump was written outside"
	gyve_ends 0
}

# The port is bound before TCP is forbidden.
test_isolation_tcp() {
	local port
	need_landlock
	"$GYVE" run --gdb=0 --file-isolation strict "$GUESTS/hermit_files_3" -- serial >"$T/gyve.out" 2>"$T/gyve.err" &
	started=$!
	wait_for 'target remote' "$T/gyve.err"
	port=$(sed -n 's/.*target remote .*:\([0-9]*\)$/\1/p' "$T/gyve.err")
	for i in 1 2; do
		timeout 20 "$GDB" -nx -q -batch -ex "target remote 127.0.0.1:$port" -ex 'info registers pc' -ex "$([ $i = 1 ] && echo detach || echo kill)" \
			>"$T/gdb.log" 2>&1 </dev/null
		grep -qE '^(rip|pc) ' "$T/gdb.log" || fail "client $i gets no registers"
		[ $i = 2 ] || break # the guest runs to its end after the first one
	done
	gyve_ends 0
}

test_isolation_dump_on_crash() {
	need_landlock
	mkdir "$T/dumps"
	gyve_run 124 --file-isolation strict --dump "$T/dumps/crash.core" "$GUESTS/crash_pf"
	[ -s "$T/dumps/crash.core" ] || fail "no dump of the crash: $(cat "$T/gyve.err")"
}

# vCPU threads: no new privileges and a filter (mode 2). The session's: no new privileges.
test_isolation_of_threads() {
	local task filters=0
	need_landlock
	gyve_start -c 2 "$GUESTS/smp"
	for task in /proc/$started/task/*/status; do
		grep -q '^NoNewPrivs:.*1' "$task" || fail "a thread may gain privileges"
		! grep -q '^Seccomp:.*2' "$task" || filters=$((filters + 1))
	done
	[ $filters = 2 ] || fail "$filters threads have a filter"
	kill -TERM $started
	gyve_ends 143
}

# Real images, if there are any beside the tree (never ours). GYVE_E2E_SLOW=1: rusty_demo, too, which computes for hours where KVM
# emulates.
limit_isolation_of_images=${GYVE_E2E_SLOW:+40000}
limit_isolation_of_images=${limit_isolation_of_images:-180}
test_isolation_of_images() {
	local mode image n=0
	for image in hello_world hello_c ${GYVE_E2E_SLOW:+rusty_demo}; do
		image=$(dirname "$hermit_image")/$image
		[ -r "$image" ] || continue
		for mode in none normal strict; do
			gyve_run 0 --stats --file-isolation $mode "$image"
			n=$((n + 1))
		done
	done
	[ $n -gt 0 ] || skip "no Hermit images"
}

# The same inside the emulated host, with a kernel whose Landlock is new enough for strict isolation.
limit_a64_isolation=150
test_a64_isolation() {
	local image=${GYVE_HERMIT_A64_IMAGE:-$here/../../../images/hello_arm64} copies=() v
	for v in 1 2 3; do
		copies+=(--copy "$GUESTS/hermit_files_$v:/guest/hermit_files_$v")
	done
	[ -r "$image" ] && copies+=(--copy "$image:/guest/image")
	# shellcheck disable=SC2016 # for the shell inside
	"$here/../hosts/run" aarch64 --newer --timeout 240 --copy "$GYVE:/bin/gyve" --copy "$here/files_rows.sh:/guest/rows" "${copies[@]}" -- sh -c '
		sh /guest/rows gyve /guest /rows isolation escape read_only_mapping || exit 1
		for mode in none normal strict; do
			[ -e /guest/image ] || continue
			gyve run --stats --file-isolation $mode /guest/image >/out 2>/err || { echo "not ok image: $mode: $(cat /err)" && exit 1; }
			grep -q "Hello, world!" /out || { echo "not ok image: no greeting" && exit 1; }
			echo "ok image $mode"
		done' >"$T/rows.log" 2>&1 || {
		! grep -qE 'no kernel package|cannot get packages' "$T/rows.log" || skip "no newer kernel to be had"
		fail "$(grep '^not ok' "$T/rows.log" || tail -n 1 "$T/rows.log")"
	}
	[ "$(grep -c '^ok' "$T/rows.log")" -ge 9 ] || fail "not all rows ran"
}
