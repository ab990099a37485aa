# shellcheck shell=bash
# A Hermit guest's files, serial line and end: each row of uhyve's own tests, and some more, on every version of the interface.
# files_rows.sh has the rows; inside the emulated host it runs them all at once.
only_machine_tests aarch64 a64_files

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
	[ "$(grep -c '^ok' "$T/rows.log")" -ge 75 ] || fail "not all rows ran"
}
