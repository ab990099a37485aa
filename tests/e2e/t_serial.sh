# shellcheck shell=bash
# Where a guest's console leads: --serial.

# console WHERE [first]: a client; says that it is here, if it is the first, and what it hears until the guest ends.
console() {
	cat >"$T/console.py" <<-'PY'
		import socket, sys
		where, first = sys.argv[1], len(sys.argv) > 2
		s = socket.socket(socket.AF_UNIX) if where.startswith("/") else socket.socket()
		s.settimeout(60)
		s.connect(where if where.startswith("/") else (where.rsplit(":", 1)[0], int(where.rsplit(":", 1)[1])))
		if first:
		    print("here", flush=True)
		while piece := s.recv(4096):
		    sys.stdout.write(piece.decode())
		    sys.stdout.flush()
	PY
	command -v python3 >/dev/null || skip "no python3 for a client"
	python3 "$T/console.py" "$@"
}

test_serial_files() {
	echo before >"$T/console"
	gyve_run 0 --serial "file:$T/console" "$GUESTS/sample"
	output ''
	[ "$(cat "$T/console")" = "$(printf 'before\nhello from a bare kernel\nvCPUs 1, fuel 94, sum 55, counter 15, product 120')" ] || fail "the file: $(cat "$T/console")"
	gyve_run 0 --serial null "$GUESTS/sample"
	output ''
	gyve_run 125 --serial "file:/no/such/file" "$GUESTS/sample"
	gyve_run 2 --serial "pty" "$GUESTS/sample"
}

# serial_client WHERE: one client at a time; what is said while nobody is there goes to standard output.
serial_client() {
	local where client
	gyve_start --serial "$1" "$GUESTS/sample"
	where=$(sed -n "s/.*the guest's console is at //p" "$T/gyve.err")
	[ -n "$where" ] || fail "gyve does not say where the console is"
	console "$where" first >"$T/heard" &
	client=$!
	wait_for here "$T/heard"
	console "$where" >"$T/second" || fail "the second client is not turned away: $(cat "$T/second")"
	grep -q 'somebody is at this console' "$T/second" || fail "the second client: $(cat "$T/second")"
	gdb_run sample <<-'IN'
		continue
	IN
	expect 'exited normally'
	gyve_ends 0
	wait $client || fail "the client did not end with the guest"
	[ "$(cat "$T/heard")" = "$(printf 'here\nhello from a bare kernel\nvCPUs 1, fuel 94, sum 55, counter 15, product 120')" ] || fail "the client heard: $(cat "$T/heard")"
	output ''
}

test_serial_unix() {
	serial_client "unix:$T/console"
	[ ! -e "$T/console" ] || fail "the socket is left behind"
	gyve_run 0 --serial "unix:$T/console" "$GUESTS/sample" # nobody comes
	output 'hello from a bare kernel
vCPUs 1, fuel 94, sum 55, counter 15, product 120'
}

test_serial_tcp() {
	serial_client tcp:0
}
