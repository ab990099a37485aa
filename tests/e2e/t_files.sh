# shellcheck shell=bash
# A Hermit guest's files, serial line and end: each row of uhyve's own tests, and some more, on every version of the interface.
# files_rows.sh has the rows; inside the emulated host it runs them all at once.
only_machine_tests aarch64 a64_files a64_hostile

files_row() {
	sh "$here/files_rows.sh" "$GYVE" "$GUESTS" "$T/rows" "$@" >"$T/rows.log" 2>&1 && return
	fail "$(grep '^not ok' "$T/rows.log" || tail -n 1 "$T/rows.log")"
}

test_files_serial() {
	files_row serial
}
test_files_serial_file() {
	files_row serial_file
}
test_files_serial_input() {
	files_row serial_input
}
test_files_read_input() {
	files_row read_input
}
test_files_panic() {
	files_row panic
}
test_files_exit_code() {
	files_row exit_code
}
test_files_create_mapped_parent() {
	files_row create_mapped_parent
}
test_files_create_write_mapped() {
	files_row create_write_mapped
}
test_files_create_write_mapped_parent() {
	files_row create_write_mapped_parent
}
test_files_create_write_unmapped() {
	files_row create_write_unmapped
}
test_files_remove_mapped() {
	files_row remove_mapped
}
test_files_remove_mapped_parent() {
	files_row remove_mapped_parent
}
test_files_remove_none() {
	files_row remove_none
}
test_files_open_remove_close() {
	files_row open_remove_close
}
test_files_remove_before_and_after() {
	files_row remove_before_and_after
}
test_files_remove_twice() {
	files_row remove_twice
}
test_files_read_only_write() {
	files_row read_only_write
}
test_files_read_only_mapping() {
	files_row read_only_mapping
}
test_files_write_to_fd() {
	files_row write_to_fd
}
test_files_lseek() {
	files_row lseek
}
test_files_mounts() {
	files_row mounts
}
test_files_large() {
	files_row large
}
test_files_escape() {
	files_row escape
}
test_files_race() {
	files_row race
}
test_files_mkdir() {
	files_row mkdir
}
test_files_getdents() {
	files_row getdents
}
test_files_stat() {
	files_row stat
}
test_files_fstat() {
	files_row fstat
}
test_files_isolation() {
	files_row isolation
}

# Its kernel's Landlock is version 2: strict has to say so. The guests' temporary directories are on its root, a tmpfs.
limit_a64_files=100
test_a64_files() {
	local copies=() v
	for v in 1 2 3; do
		copies+=(--copy "$GUESTS/hermit_files_$v:/guest/hermit_files_$v")
	done
	"$here/../hosts/run" aarch64 --timeout 240 --copy "$GYVE:/bin/gyve" --copy "$here/files_rows.sh:/guest/rows" "${copies[@]}" -- \
		sh -c 'NO_STRICT=$(uname -r | sed -n "s/^\(5\|6[.][01]\)[.].*/1/p") sh /guest/rows gyve /guest /rows' >"$T/rows.log" 2>&1 ||
		fail "$(grep '^not ok' "$T/rows.log" || tail -n 1 "$T/rows.log")"
	[ "$(grep -c '^ok' "$T/rows.log")" -ge 78 ] || fail "not all rows ran"
}

# Without a debugger's help a guest that keeps a file open for writing is cut off: what it wrote is there.
test_files_after_signal() {
	mkdir "$T/tmp"
	TMPDIR=$T/tmp "$GYVE" run -o "$T/output" "$GUESTS/hermit_hostile_3" -- 0 forever >"$T/gyve.out" 2>"$T/gyve.err" &
	started=$!
	wait_for 'begins' "$T/output"
	[ "$(ls -A "$T/tmp" | wc -l)" = 1 ] || fail "no temporary directory"
	kill -TERM $started
	wait $started
	[ $? = 143 ] || fail "not ended by the signal"
	started=
	[ -z "$(ls -A "$T/tmp")" ] || fail "the temporary directory is left behind"
}

# The tree a hostile guest is let loose on: mapped are in, ro and one, the rest must stay as it is.
canary_tree() {
	mkdir -p "$T/h/in/sub" "$T/h/ro" "$T/h/out" "$T/h/tmp"
	echo alive | tee "$T/h/canary" "$T/h/out/canary" "$T/h/ro/file" "$T/h/one" >"$T/h/in/file"
	ln -s ../canary "$T/h/in/link"
	ln -s ../out "$T/h/in/dirlink"
	ln -s "$T/h" "$T/h/in/abs"
	state=$(tree_state)
}
tree_state() {
	(cd "$T/h" && find . -path ./in -prune -o -path ./one -prune -o -printf '%p %m %s\n' -type f -exec cat {} + | sort)
}
same_tree() {
	[ "$(tree_state)" = "$state" ] || fail "the tree outside the map has changed: $(tree_state | tr '\n' ';')"
}

# hostile STATUSES [COMMAND...] -- SEED COUNT [wild]
hostile() {
	local statuses=$1 run=() status
	shift
	while [ "$1" != -- ]; do run+=("$1") && shift; done
	TMPDIR=$T/h/tmp "${run[@]}" "$GYVE" run -o none --file-mapping "$T/h/in:/root" --file-mapping "$T/h/ro:/ro:ro" \
		--file-mapping "$T/h/one:/etc/one" ${isolation:+--file-isolation "$isolation"} "$GUESTS/hermit_hostile_$version" "$@" \
		>"$T/gyve.out" 2>"$T/gyve.err" </dev/null
	status=$?
	case " $statuses " in
	*" $status "*) ;;
	*) fail "status $status: $(head -n 1 "$T/gyve.err")" ;;
	esac
	same_tree
}

# GYVE_E2E_HOSTILE: so many calls of each version of the interface (1500). Wild ones end the guest sooner or later: more guests.
hostile_calls=${GYVE_E2E_HOSTILE:-1500}
limit_files_hostile=$((120 + hostile_calls / 200))
test_files_hostile() {
	hostile_guest normal "$hostile_calls"
	hostile_guest none 300
}
# hostile_guest ISOLATION CALLS
hostile_guest() {
	GYVE_FILE_ISOLATION=$1 sh "$here/hostile.sh" "$GYVE" "$GUESTS" "$T/h" "$2" >"$T/rows.log" 2>&1 ||
		fail "$(grep '^not ok' "$T/rows.log" || tail -n 1 "$T/rows.log")"
}

limit_a64_hostile=$((100 + hostile_calls / 100))
test_a64_hostile() {
	local copies=() v
	for v in 1 2 3; do
		copies+=(--copy "$GUESTS/hermit_hostile_$v:/guest/hermit_hostile_$v")
	done
	"$here/../hosts/run" aarch64 --timeout $((limit_a64_hostile * 2)) --copy "$GYVE:/bin/gyve" --copy "$here/hostile.sh:/guest/hostile" \
		"${copies[@]}" -- sh /guest/hostile gyve /guest /hostile "$hostile_calls" >"$T/rows.log" 2>&1 ||
		fail "$(grep '^not ok' "$T/rows.log" || tail -n 1 "$T/rows.log")"
	[ "$(grep -c '^ok' "$T/rows.log")" = 3 ] || fail "not all rows ran"
}

# What its thread opens is named from a directory that is mapped, and looked up beneath it.
limit_files_opens=$((60 + hostile_calls / 100))
test_files_opens() {
	local version
	for version in 1 3; do
		opens_stay_within
	done
}

opens_stay_within() {
	local isolation=none main
	command -v strace >/dev/null || skip "no strace"
	rm -rf "$T/h"
	canary_tree
	local -x ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 # which cannot trace what is traced
	hostile 0 strace -f -qq -o "$T/strace" -e trace=%file,%desc -e signal=none -- 7 "$hostile_calls"
	main=$(awk '{ print $1; exit }' "$T/strace")
	grep -E "^[0-9]+ +(open|openat|openat2|creat|unlink|unlinkat|mkdir|mkdirat|rename.*|link.*|symlink.*|stat|newfstatat|truncate|chmod|chdir)\(" \
		"$T/strace" | grep -v "^$main " >"$T/opens"
	[ "$(wc -l <"$T/opens")" -ge 100 ] || fail "only $(wc -l <"$T/opens") such calls were seen"
	! grep -m 1 -E 'AT_FDCWD|, "/|["/]\.\.["/]' "$T/opens" >"$T/reason" || fail "$(cat "$T/reason")"
	! grep -E ' openat2\(' "$T/opens" | grep -m 1 -v RESOLVE_BENEATH >"$T/reason" || fail "$(cat "$T/reason")"
	! grep -E '^[0-9]+ +(open|creat|unlink|mkdir|rename|link|symlink|stat|truncate|chmod|chdir)' "$T/opens" | grep -m 1 -vE '^[0-9]+ +(openat|unlinkat|mkdirat)' >"$T/reason" ||
		fail "$(cat "$T/reason")"
	rm -f "$T/reason"
}
