# shellcheck shell=bash
# Everything that a person can get wrong: one line on standard error, its exit status, nothing left behind.

# refused STATUS REGEX COMMAND...
refused() {
	local want=$1 regex=$2 status before after
	shift 2
	before=$(ls -A)
	"$@" >gyve.out 2>gyve.err
	status=$?
	after=$(ls -A)
	[ $status = "$want" ] || fail "status $status instead of $want for: $* ($(head -n 1 gyve.err))"
	[ "$(wc -l <gyve.err)" = 1 ] || fail "$(wc -l <gyve.err) lines on standard error for: $*"
	grep -qiE -- "$regex" gyve.err || fail "no /$regex/ in: $(cat gyve.err)"
	[ ! -s gyve.out ] || fail "something on standard output for: $*"
	[ "$before" = "$after" ] || fail "something was left behind: $after"
}

# patched FILE OFFSET BYTES...: a copy of the sample with bytes (hexadecimal) put at an offset
patched() {
	local file=$1 offset=$2 bytes
	shift 2
	cp "$GUESTS/sample" "$file"
	bytes=$(printf '\\x%s' "$@")
	# shellcheck disable=SC2059 # the format is the data
	printf "$bytes" | dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
}

start_files() {
	: >gyve.out
	: >gyve.err
}

test_bad_files() {
	start_files
	mkdir dir
	echo 'this is no kernel' >text
	: >empty
	head -c 40 "$GUESTS/sample" >short_header
	head -c 100 "$GUESTS/sample" >short_segments
	head -c 4200 "$GUESTS/sample" >short_data
	refused 127 'no such file' "$GYVE" nothing_here
	refused 127 'directory|regular' "$GYVE" dir
	refused 127 'ELF' "$GYVE" text
	refused 127 'ELF|empty' "$GYVE" empty
	refused 127 'ELF|truncated|header|beyond|short' "$GYVE" short_header
	refused 127 'header|truncated|segment|beyond|file' "$GYVE" short_segments
	refused 127 'segment|file|truncated' "$GYVE" short_data
}

# Offsets: the ELF header is 64 bytes, a program header 56: type 0, flags 4, offset 8, vaddr 16, paddr 24, filesz 32, memsz 40.
test_bad_elf_fields() {
	start_files
	patched machine 18 b7 00
	patched machine2 18 28 00
	patched class 4 01
	patched big_endian 5 02
	patched type 16 01 00
	patched filesz $((64 + 32)) ff ff ff ff ff ff ff 7f
	patched memsz $((64 + 40)) ff ff ff ff ff ff ff ff
	patched offset $((64 + 8)) 00 f0 ff ff ff ff ff ff
	patched overlap $((64 + 56 + 16)) 00 00 20 00 00 00 00 00 00 00 20 00 00 00 00 00
	patched phnum 56 ff ff
	patched phoff 32 ff ff ff ff ff ff ff ff
	patched entry 24 00 00 00 00 00 00 00 f0
	refused 127 'aarch64|machine|183' "$GYVE" machine
	refused 127 'machine|40|arm' "$GYVE" machine2
	refused 127 '64' "$GYVE" class
	refused 127 'endian|ELF' "$GYVE" big_endian
	refused 127 'type|executable|relocatable' "$GYVE" type
	refused 127 'segment|file' "$GYVE" filesz
	refused 127 'segment|memory|address' "$GYVE" memsz
	refused 127 'segment|file' "$GYVE" offset
	refused 127 'overlap' "$GYVE" overlap
	refused 127 'header|segment' "$GYVE" phnum
	refused 127 'header|segment|file' "$GYVE" phoff
	refused 127 'entry' "$GYVE" entry
}

test_bad_memory_size() {
	start_files
	refused 127 'memory|fit' "$GYVE" -m 2MiB "$GUESTS/sample"
	refused 125 'memory|large|big' "$GYVE" -m 1000000TiB "$GUESTS/sample"
}

test_bad_usage() {
	local status
	for args in "--memory-size=12parsecs $GUESTS/sample" "--cpu-count=0 $GUESTS/sample" "--gdb=nowhere $GUESTS/sample" \
		"--frobnicate $GUESTS/sample" "--log=zzz=9 $GUESTS/sample" ""; do
		# shellcheck disable=SC2086 # a list of words
		"$GYVE" run $args >gyve.out 2>gyve.err
		status=$?
		[ $status = 2 ] || fail "status $status instead of 2 for: run $args"
		[ -s gyve.err ] || fail "nothing on standard error for: run $args"
	done
}

test_output_exists() {
	start_files
	echo precious >kept
	refused 125 'kept.*exists|exists.*kept' "$GYVE" run -o kept "$GUESTS/sample"
	[ "$(cat kept)" = precious ] || fail "the file was written over"
}

test_port_in_use() {
	local port
	"$GYVE" run --gdb=127.0.0.1:0 "$GUESTS/loop" >first.out 2>first.err &
	started=$!
	wait_for 'target remote' first.err
	port=$(sed -n 's/.*target remote .*:\([0-9]*\)$/\1/p' first.err)
	start_files
	refused 125 "$port.*(in use|use)" "$GYVE" run --gdb="$port" "$GUESTS/sample"
	end_started
}

test_socket_in_use() {
	gyve_start "$GUESTS/loop"
	start_files
	refused 125 'gdb.sock.*in use' "$GYVE" run --gdb="unix:$T/gdb.sock" "$GUESTS/sample"
	[ -e gdb.sock ] || fail "the other's socket was removed"
	rm -f gyve.err
	end_started
}

need_namespace() {
	[ "$(id -u)" = 0 ] || skip "only root can take /dev/kvm away from a test"
	unshare -m true 2>/dev/null || skip "this host allows no mount namespace"
}

test_no_kvm() {
	need_namespace
	start_files
	mkdir empty_dev
	# shellcheck disable=SC2016 # for the inner shell
	refused 126 '/dev/kvm.*(no such file|missing)' unshare -m sh -c \
		'mount --bind empty_dev /dev && exec "$0" run "$1"' "$GYVE" "$GUESTS/sample"
}

test_kvm_is_something_else() {
	need_namespace
	start_files
	# shellcheck disable=SC2016
	refused 126 'kvm' unshare -m sh -c 'mount --bind /dev/null /dev/kvm && exec "$0" run "$1"' "$GYVE" "$GUESTS/sample"
}

test_no_permission() {
	local shared
	[ "$(id -u)" = 0 ] || skip "only root can become a user without permission"
	command -v setpriv >/dev/null || skip "no setpriv"
	setpriv --reuid 65534 --regid 65534 --clear-groups test ! -w /dev/kvm || skip "everybody may use /dev/kvm here"
	shared=$(mktemp -d /tmp/gyve-e2e.XXXXXX)
	chmod 755 "$shared"
	cp "$GYVE" "$shared/gyve"
	cp "$GUESTS/sample" "$shared/sample"
	start_files
	(refused 126 'permission.*/dev/kvm' setpriv --reuid 65534 --regid 65534 --clear-groups "$shared/gyve" run "$shared/sample")
	status=$?
	rm -rf "$shared"
	return $status
}

# Bytes that are no protocol do not end gyve, nor the session.
test_hostile_client() {
	gyve_start "$GUESTS/sample"
	rsp hostile
	gdb_run sample <<-'IN'
		continue
	IN
	expect 'exited normally'
	gyve_ends 0
}
