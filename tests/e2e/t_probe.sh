# shellcheck shell=bash
# What the host can do for a debugger.

test_probe_text() {
	"$GYVE" probe >"$T/probe" 2>&1
	local status=$?
	[ $status = 0 ] || [ $status = 1 ] || fail "status $status"
	grep -qE '^software breakpoint +(works|limited) ' "$T/probe" || fail "no word on software breakpoints"
	grep -qE '^single-step +works ' "$T/probe" || fail "no single-step"
	grep -qE '^machine +works +[0-9]+ vCPUs' "$T/probe" || fail "no machine"
}

test_probe_json() {
	"$GYVE" probe --json >"$T/probe"
	[ $? -le 1 ] || fail "status above 1"
	python3 -c 'import json, sys; f = json.load(sys.stdin); assert len(f) >= 10 and all(x["state"] in ("works", "limited", "absent") for x in f)' \
		<"$T/probe" || fail "not the JSON it should be"
}
