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

# What an earlier gyve found is believed, for this boot, unless told otherwise or damaged.
test_probe_cache() {
	export XDG_CACHE_HOME=$T/cache
	strategy_now() {
		gyve_start "$@" "$GUESTS/sample"
		gdb_run sample <<<'monitor breakpoints'
		wait "$started"
		started=
	}
	strategy_now
	grep -q "^watchpoints by" "$T/gdb.log" || fail "no word on watchpoints"
	[ "$(find "$T/cache" -type f)" = "$T/cache/gyve/probe" ] || fail "not one file in the cache: $(find "$T/cache")"
	sed -i -e 's/^\(hw_watch_works\|readonly_exits\|absent_exits\) 1/\1 0/' "$T/cache/gyve/probe"
	strategy_now
	grep -q "^watchpoints by step: " "$T/gdb.log" || fail "the cache is not used"
	strategy_now --no-probe-cache
	grep -q "^watchpoints by step: " "$T/gdb.log" && fail "the cache is used in spite of --no-probe-cache"
	echo damaged >"$T/cache/gyve/probe"
	strategy_now
	grep -q "^watchpoints by step: " "$T/gdb.log" && fail "a damaged cache is used"
	grep -q hw_watch_works "$T/cache/gyve/probe" || fail "a damaged cache stays"
}
