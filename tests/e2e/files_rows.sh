#!/bin/sh
# files_rows.sh GYVE GUESTS WORK [ROW...]: files, the serial line and the end, as uhyve's own tests ask for them (and some more),
# with a guest for each version of the interface. For any shell: it also runs inside the emulated hosts.
# One line each: "ok ROW.VERSION", or "not ok ROW.VERSION: why". Status 1 if one was not. GYVE_OPTIONS: for every run.
gyve=$1 guests=$2 work=$3
shift 3
[ -z "${GYVE_OPTIONS:-}" ] || echo "# with $GYVE_OPTIONS"

bad() {
	[ -n "$why" ] || why="$*"
}

# run STATUS TEST [OPTION...]: one guest; what it says is in out and err, its input is in the file in.
run() {
	want=$1 test=$2
	shift 2
	# shellcheck disable=SC2086 # a list
	TMPDIR=$d/tmp timeout 60 "$gyve" run ${GYVE_OPTIONS:-} "$@" "$guests/hermit_files_$v" -- "$test" <"$d/in" >"$d/out" 2>"$d/err"
	status=$?
	[ $status = "$want" ] || bad "status $status, not $want: $(head -n 1 "$d/out") $(head -n 1 "$d/err")"
	[ -z "$(ls -A "$d/tmp")" ] || bad "left behind in the temporary directory: $(ls -A "$d/tmp")"
}
says() {
	[ "$(cat "$d/out")" = "$1" ] || bad "the guest said '$(cat "$d/out")'"
}
holds() {
	[ "$(cat "$d/$1" 2>/dev/null)" = "$2" ] || bad "$1 holds '$(cat "$d/$1" 2>&1)'"
}
gone() {
	[ ! -e "$d/$1" ] || bad "$1 is still there"
}
since() {
	[ "$v" -ge "$1" ]
}

row_serial() {
	run 0 serial
	says 'ABCDEFG
1234ASDF!@#$'
}
row_serial_file() {
	run 0 serial -o "file:$d/output"
	says ''
	holds output 'ABCDEFG
1234ASDF!@#$'
	run 125 serial -o "$d/output" # it must be new
	run 0 serial -o none
	says ''
	run 0 serial -o stdio
	says 'ABCDEFG
1234ASDF!@#$'
}
row_serial_input() {
	since 2 || return
	printf 'input, and more\n' >"$d/in"
	run 0 serial_input
	says 'nput, and more'
}
row_read_input() {
	printf 'input\n' >"$d/in"
	run 0 read_input
}
row_panic() {
	run 255 panic
}
row_exit_code() {
	run 7 seven
}
row_create_mapped_parent() {
	run 0 create --file-mapping "$d/dir:/root"
	gone dir/foo.txt
}
row_create_write_mapped() {
	run 0 create_stays --file-mapping "$d/dir/new.txt:/root/foo.txt"
	holds dir/new.txt 'Hello, world!'
}
row_create_write_mapped_parent() {
	run 0 create_stays --file-mapping "$d/dir:/root/"
	holds dir/foo.txt 'Hello, world!'
}
row_create_write_unmapped() {
	run 0 create_stays
	run 0 create
	run 0 create_stays --tempdir "$d/dir"
	[ -z "$(ls -A "$d/dir")" ] || bad "left behind in --tempdir"
	run 0 create_stays --io-mode host=sync
}
row_remove_mapped() {
	echo foo >"$d/dir/foo.txt"
	run 0 remove_present --file-mapping "$d/dir/foo.txt:/root/foo.txt"
	gone dir/foo.txt
}
row_remove_mapped_parent() {
	echo foo >"$d/dir/foo.txt"
	run 0 remove_present --file-mapping "$d/dir:/root"
	gone dir/foo.txt
}
row_remove_none() {
	run 0 remove_none
	run 0 remove_none --file-mapping "$d/dir:/root"
}
row_open_remove_close() {
	run 0 open_remove_close --file-mapping "$d/dir:/root"
	gone dir/bar.txt
	run 0 open_remove_close
}
row_remove_before_and_after() {
	run 0 remove_before_and_after --file-mapping "$d/dir:/root"
	run 0 remove_before_and_after
}
row_remove_twice() {
	run 0 remove_twice --file-mapping "$d/dir:/root"
	run 0 remove_twice
}
row_read_only_write() {
	printf foo >"$d/dir/foo.txt"
	if since 2; then
		run 0 read_only_write --file-mapping "$d/dir:/root"
	else
		run 124 read_only_write --file-mapping "$d/dir:/root"
		grep -q 'writes to descriptor 3' "$d/err" || bad "no word about the descriptor: $(head -n 1 "$d/err")"
	fi
	holds dir/foo.txt foo
}
row_read_only_mapping() {
	printf foo >"$d/dir/foo.txt"
	run 0 read_only_mapping --file-mapping "$d/dir:/root:ro"
	holds dir/foo.txt foo
	gone dir/new.txt
}
row_write_to_fd() {
	run 0 write_to_fd --file-mapping "$d/dir:/root"
	says 'to fd 1
to fd 2'
	holds dir/leaked.txt leaked
	if since 2; then
		run 0 write_to_42
	else
		run 124 write_to_42
	fi
}
row_lseek() {
	run 0 lseek --file-mapping "$d/dir:/root"
	run 0 lseek
}
row_mounts() {
	mkdir "$d/dir/folder"
	printf file_in_folder >"$d/dir/folder/file_in_folder.txt"
	printf this_file_exists >"$d/dir/file.txt"
	run 0 mounts --file-mapping "$d/dir/folder:/root/this_folder_exists" \
		--file-mapping "$d/dir/file.txt:/root/this_file_exists.txt" \
		--file-mapping "$d/dir/folder:/root/deep/er/still" --file-mapping "$d/dir/folder/:/another/path/" \
		--file-mapping "$d/dir/file.txt:another/dir/of/files/this_file_exists.txt"
	says 'mount /another/dir/of/files
mount /another/path
mount /root
mount /root/deep/er/still
mount /root/this_folder_exists'
}
row_large() {
	run 0 large --file-mapping "$d/dir:/root"
	[ "$(wc -c <"$d/dir/large")" = 8000 ] || bad "the large file is not 8000 bytes"
}
row_escape() {
	printf secret >"$d/secret"
	printf foo >"$d/dir/foo"
	mkdir "$d/dir/sub"
	ln -s ../secret "$d/dir/link"
	ln -s .. "$d/dir/dirlink"
	ln -s "$d/secret" "$d/dir/abs"
	ln -s sub/../foo "$d/dir/inner"
	run 0 escape --file-mapping "$d/dir:/root"
	holds secret secret
	gone new
	run 0 escape --file-mapping "$d/dir:/root" --file-isolation none # Landlock is not what keeps it in
	holds secret secret
}
row_race() {
	mkdir "$d/outside" "$d/dir/d"
	printf inside >"$d/dir/d/file"
	printf secret >"$d/outside/file"
	ln -s ../outside "$d/dir/link"
	while [ ! -e "$d/done" ]; do # the directory, the link, the directory ...
		mv "$d/dir/d" "$d/dir/real" && mv "$d/dir/link" "$d/dir/d"
		mv "$d/dir/d" "$d/dir/link" && mv "$d/dir/real" "$d/dir/d"
	done &
	swapper=$!
	run 0 race --file-mapping "$d/dir:/root" --file-isolation none
	run 0 race --file-mapping "$d/dir:/root"
	: >"$d/done"
	wait $swapper
	[ "$(ls "$d/outside")" = file ] || bad "something was made outside: $(ls "$d/outside")"
	holds outside/file secret
}
row_mkdir() {
	since 3 || return
	run 0 mkdir --file-mapping "$d/dir:/root"
	[ "$(echo "$d"/dir/dir/*)" = "$d/dir/dir/0 $d/dir/dir/1 $d/dir/dir/2" ] || bad "the host has not got the three files"
	run 0 mkdir
}
row_getdents() {
	since 3 || return
	echo foo >"$d/dir/foo.txt"
	run 0 getdents --file-mapping "$d/dir:/root"
}
row_stat() {
	since 3 || return
	printf foo >"$d/dir/foo.txt"
	chmod 640 "$d/dir/foo.txt"
	run 0 stat --file-mapping "$d/dir:/root"
}
row_fstat() {
	since 3 || return
	printf foo >"$d/dir/foo.txt"
	chmod 640 "$d/dir/foo.txt"
	run 0 fstat --file-mapping "$d/dir:/root"
}
row_isolation() {
	for mode in none normal strict; do
		[ "$mode" != strict ] || [ -z "${NO_STRICT:-}" ] || continue
		rm -rf "$d/dir/foo.txt"
		run 0 create --file-mapping "$d/dir:/root" --file-isolation $mode
		run 0 open_remove_close --file-isolation $mode
	done
	[ -z "${NO_STRICT:-}" ] || {
		run 125 serial --file-isolation strict
		grep -q Landlock "$d/err" || bad "strict does not name what is missing: $(head -n 1 "$d/err")"
	}
}

[ $# -gt 0 ] || set -- $(sed -n 's/^row_\([a-z_0-9]*\)() {$/\1/p' "$0")
result=0
for row in "$@"; do
	for v in ${VERSIONS:-1 2 3}; do
		d=$work/$row.$v why=
		rm -rf "$d"
		mkdir -p "$d/dir" "$d/tmp"
		: >"$d/in"
		"row_$row"
		if [ -n "$why" ]; then
			echo "not ok $row.$v: $why"
			result=1
		else
			echo "ok $row.$v"
		fi
	done
done
exit $result
