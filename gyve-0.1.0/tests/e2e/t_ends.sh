# shellcheck shell=bash
# How gyve ends: its exit statuses, what the guest wrote until then, what is logged, what is installed.

# status WANT COMMAND...
status() {
	local want=$1 got
	shift
	"$@" >"$T/gyve.out" 2>"$T/gyve.err" </dev/null
	got=$?
	[ $got = "$want" ] || fail "status $got, not $want: ${*/#"$GUESTS"\//} ($(head -n 1 "$T/gyve.err"))"
}

test_exit_statuses() {
	local signal
	echo text >"$T/text"
	status 0 "$GYVE" "$GUESTS/sample"
	status 0 "$GYVE" --help
	status 0 "$GYVE" run --version
	status 42 "$GYVE" run "$GUESTS/exitcode"
	status 7 "$GYVE" "$GUESTS/hermit_files_1" -- seven
	status 255 "$GYVE" "$GUESTS/hermit_files_3" -- panic # -1
	status 2 "$GYVE"
	status 2 "$GYVE" run
	status 2 "$GYVE" run --no-such-option "$GUESTS/sample"
	status 2 "$GYVE" run -m 64b "$GUESTS/sample"
	status 2 "$GYVE" run --config "$T/none.toml" "$GUESTS/sample"
	status 2 "$GYVE" run --file-mapping nothing "$GUESTS/sample"
	status 2 "$GYVE" run -e NOVALUE "$GUESTS/sample"
	status 2 "$GYVE" run --file-isolation tight "$GUESTS/sample"
	status 2 "$GYVE" run --io-mode guest=direct "$GUESTS/sample"
	status 2 env GYVE_CPU_COUNT=none "$GYVE" run "$GUESTS/sample"
	status 124 "$GYVE" run "$GUESTS/crash_pf"
	status 124 "$GYVE" run --strict "$GUESTS/crash_port"
	status 125 "$GYVE" run -o "$T/text" "$GUESTS/sample"
	status 125 "$GYVE" run --gdb=unix:/no/such/directory "$GUESTS/sample"
	status 127 "$GYVE" run "$T/none"
	status 127 "$GYVE" run "$T/text"
	status 127 "$GYVE" run -m 15MiB "$GUESTS/hermit_files_1"
	if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
		# shellcheck disable=SC2016 # for the inner shell
		status 126 unshare -m sh -c 'mount --bind /dev/null /dev/kvm && exec "$0" run "$1"' "$GYVE" "$GUESTS/sample"
	fi
	for signal in HUP:129 INT:130 TERM:143; do
		"$GYVE" run -o "$T/output.$signal" "$GUESTS/hermit_machine_1" -- end never >"$T/gyve.out" 2>"$T/gyve.err" &
		started=$!
		wait_for 'last words' "$T/output.$signal"
		kill -"${signal%:*}" $started
		wait $started
		[ $? = "${signal#*:}" ] || fail "SIG${signal%:*} does not end with ${signal#*:}"
		started=
	done
}

# What the guest wrote is there, to the last byte, however it ends; in a file, a pipe, a terminal's place.
test_output_is_flushed() {
	local how want
	for how in end:0 crash:124; do
		want=${how#*:}
		status "$want" "$GYVE" run -o "$T/file.$how" "$GUESTS/hermit_machine_3" -- end "${how%:*}"
		[ "$(cat "$T/file.$how")" = 'last words' ] || fail "${how%:*}: the file holds '$(cat "$T/file.$how")'"
		[ ! -s "$T/gyve.out" ] || fail "${how%:*}: something on standard output"
		status "$want" "$GYVE" run "$GUESTS/hermit_machine_1" -- end "${how%:*}"
		output 'last words'
		[ "$("$GYVE" run "$GUESTS/hermit_machine_2" -- end "${how%:*}" 2>/dev/null | cat)" = 'last words' ] || fail "${how%:*}: not in a pipe"
		status "$want" "$GYVE" run -o none "$GUESTS/hermit_machine_3" -- end "${how%:*}"
		[ ! -s "$T/gyve.out" ] || fail "${how%:*}: output in spite of none"
	done
	for how in TERM KILL; do # the second one cannot be helped, and need not
		"$GYVE" run -o "$T/file.$how" "$GUESTS/hermit_machine_3" -- end never >"$T/gyve.out" 2>"$T/gyve.err" &
		started=$!
		wait_for 'last words' "$T/file.$how"
		kill -$how $started
		wait $started
		started=
		[ "$(cat "$T/file.$how")" = 'last words' ] || fail "SIG$how: the file holds '$(cat "$T/file.$how")'"
	done
}

test_output_after_debugger() {
	local how
	for how in kill detach; do
		guest_args=(end $([ $how = detach ] || echo never))
		gyve_start -o "$T/file.$how" "$GUESTS/hermit_machine_3"
		gdb_run hermit_machine_3 <<-IN
			break burn
			$([ $how = detach ] && echo 'delete')
			$([ $how = detach ] || echo continue)
			$how
		IN
		gyve_ends 0
		[ "$(cat "$T/file.$how")" = 'last words' ] || fail "$how: the file holds '$(cat "$T/file.$how")'"
	done
}

# GYVE_LOG, and RUST_LOG for those who have it in scripts; --log beats both.
test_log_levels() {
	local -x GYVE_LOG= RUST_LOG=
	said() { grep -qE "^gyve: $1: " "$T/gyve.err"; }
	status 0 "$GYVE" run "$GUESTS/sample"
	[ ! -s "$T/gyve.err" ] || fail "something is said unasked: $(head -n 1 "$T/gyve.err")"
	RUST_LOG=info status 0 "$GYVE" run "$GUESTS/sample"
	said info || fail "RUST_LOG=info does nothing"
	RUST_LOG=warn,uhyve=info status 0 "$GYVE" run "$GUESTS/sample"
	said info || fail "RUST_LOG=warn,uhyve=info does nothing"
	RUST_LOG=trace status 0 "$GYVE" run --log error "$GUESTS/sample"
	! said 'info|debug' || fail "--log does not beat RUST_LOG"
	GYVE_LOG=main=info status 0 "$GYVE" run "$GUESTS/sample"
	said info || fail "GYVE_LOG does nothing"
	RUST_LOG=trace GYVE_LOG=warn status 0 "$GYVE" run "$GUESTS/sample"
	! said 'info|debug' || fail "GYVE_LOG does not beat RUST_LOG"
}

# What a table of exits is for: this many of that kind. --stats of uhyve's mkdir test: 1 Mkdir, 3 FileOpen.
test_stats_count() {
	local name
	mkdir "$T/dir"
	status 0 "$GYVE" run --stats --file-mapping "$T/dir:/root" "$GUESTS/hermit_files_3" -- mkdir
	for name in 'V3\(Mkdir\)' 'V2\(FileOpen\)' 'V2\(Exit\)'; do
		grep -qE "^Hypercall\($name\) +[1-9]" "$T/gyve.err" || fail "no $name: $(cat "$T/gyve.err")"
	done
	status 0 "$GYVE" run --stats -c 2 "$GUESTS/hermit_machine_1" -- cpus
	for name in 'Hypercall\(V1\(Exit\)\) +1' 'exit port access' 'vCPU 0 exits' 'vCPU 1 exits' 'vCPU 1 microseconds'; do
		grep -qE "^$name" "$T/gyve.err" || fail "no $name: $(cat "$T/gyve.err")"
	done
}
