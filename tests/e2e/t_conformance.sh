# shellcheck shell=bash
# Sessions of real debuggers, recorded packet by packet (tests/conformance/record.py): gyve answers as it did then.
only_machine_tests aarch64 conformance_gdb_aarch64 conformance_lldb_aarch64

replay() {
	local session=$here/../conformance/$1.rsp options
	options=$(sed -n 's/^# options: //p' "$session")
	command -v python3 >/dev/null || skip "no python3 for the protocol client"
	[ "$(sed -n 's/^# code: //p' "$session")" = "$(PYTHONPATH=$here/../conformance PYTHONDONTWRITEBYTECODE=1 python3 -c \
		'import record, sys; print(record.code_hash(sys.argv[1]))' "$GUESTS/sample")" ] ||
		skip "another compiler made another sample guest than the one of the recording"
	# shellcheck disable=SC2086 # a list of options
	gyve_start $options "$GUESTS/sample"
	rsp replay "$session" "$GUESTS/sample"
	gyve_ends "$2"
}

test_conformance_gdb() {
	replay gdb-13 0
}
test_conformance_gdb_extended() {
	replay gdb-13-extended 0
}
test_conformance_lldb() {
	replay lldb-14 0
}
test_conformance_lldb_kill() {
	replay lldb-14-kill 0
}

# A client that has gone leaves nothing behind: the guest runs to its end.
test_conformance_gdb_detach() {
	replay gdb-13-detach 0
	output 'hello from a bare kernel
vCPUs 1, fuel 94, sum 55, counter 15, product 120'
}

test_conformance_gdb_aarch64() {
	replay gdb-13-aarch64 0
}
test_conformance_lldb_aarch64() {
	replay lldb-14-aarch64 0
}
