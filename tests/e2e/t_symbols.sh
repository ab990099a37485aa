# shellcheck shell=bash
# Where the symbols of a dump are found: by build id, split off, beside the dump, in a directory of debug files.
only_machine_tests aarch64

says() {
	local regex=$1
	shift
	"$GYVE" "$@" >"$T/said" 2>"$T/said.err" || fail "gyve $1: status $?: $(head -n 1 "$T/said.err")"
	grep -qE -- "$regex" "$T/said" || fail "gyve $1 has no /$regex/: $(head -n 2 "$T/said")"
}

# $T/core, of an image that is no longer where it was: $T/kept/GUEST
dump_and_move() { # GUEST
	mkdir -p "$T/kept" "$T/then" "$T/now"
	cp "$GUESTS/$1" "$T/then/$1"
	gyve_run 124 --dump "$T/now/core" "$T/then/$1"
	mv "$T/then/$1" "$T/kept/$1"
	"$GYVE" bt "$T/now/core" >"$T/said" 2>&1
	grep -q die "$T/said" && fail "names from nowhere: $(head -n 1 "$T/said")"
}

id_of() {
	LC_ALL=C readelf -n "$1" | sed -n 's/.*Build ID: //p'
}

test_symbols_by_build_id() {
	local id
	command -v readelf objcopy >/dev/null || skip "no binutils"
	dump_and_move crash_id
	id=$(id_of "$T/kept/crash_id")
	[ ${#id} = 40 ] || fail "the sample has no build id"
	# beside the dump
	mkdir -p "$T/now/.build-id/${id:0:2}"
	cp "$T/kept/crash_id" "$T/now/.build-id/${id:0:2}/${id:2}.debug"
	says '^#0 .*die \(depth=2\) at crash.c:' bt "$T/now/core"
	rm -r "$T/now/.build-id"
	# in a directory of debug files
	mkdir -p "$T/debug/.build-id/${id:0:2}"
	objcopy --only-keep-debug "$T/kept/crash_id" "$T/debug/.build-id/${id:0:2}/${id:2}.debug"
	says '^#0 .*die \(depth=2\) at crash.c:' bt --debug-dir "$T/debug" "$T/now/core"
	# the stripped image beside the dump, its debug information there
	objcopy --strip-all "$T/kept/crash_id" "$T/now/crash_id"
	says '^#0 .*die \(depth=2\) at crash.c:' bt --debug-dir "$T/debug" "$T/now/core"
	says 'symbols: .*now/crash_id, .*debug/.build-id' info --debug-dir "$T/debug" "$T/now/core"
	# another program by that name
	cp "$GUESTS/crash_ud" "$T/now/crash_id"
	says '^#0 .*die \(depth=2\)' bt --debug-dir "$T/debug" "$T/now/core"
	grep -q 'now/crash_id has another build id' "$T/said.err" || fail "the mismatch is not said"
	says '^#0' bt --symbols "$GUESTS/crash_ud" "$T/now/core"
	grep -q 'names may be wrong' "$T/said.err" || fail "the mismatch of --symbols is not said"
}

test_symbols_by_debuglink() {
	command -v objcopy >/dev/null || skip "no objcopy"
	dump_and_move crash_pf
	objcopy --only-keep-debug "$T/kept/crash_pf" "$T/now/crash_pf.debug"
	(cd "$T/now" && objcopy --strip-all --add-gnu-debuglink=crash_pf.debug "$T/kept/crash_pf" crash_pf)
	says '^#0 .*die \(depth=2\) at crash.c:' bt "$T/now/core"
	says '^#2 .*in kmain' bt "$T/now/core"
	mkdir "$T/now/.debug"
	mv "$T/now/crash_pf.debug" "$T/now/.debug/"
	says '^#0 .*die \(depth=2\) at crash.c:' bt "$T/now/core"
	mkdir -p "$T/debug$T/now"
	mv "$T/now/.debug/crash_pf.debug" "$T/debug$T/now/"
	says '^#0 .*die \(depth=2\) at crash.c:' bt --debug-dir "$T/debug" "$T/now/core"
	# one byte is enough to make it somebody else's
	printf x >>"$T/debug$T/now/crash_pf.debug"
	says '^#0' bt --debug-dir "$T/debug" "$T/now/core"
	grep -q 'is not the debug information of' "$T/said.err" || fail "the mismatch is not said"
	grep -q die "$T/said" && fail "it is used all the same"
	return 0
}

test_dump_colors() {
	local plain
	gyve_run 124 --dump "$T/core" "$GUESTS/crash_pf"
	plain='s/\x1b\[[0-9]*m//g'
	for command in bt 'bt -a -l' x/4xg x/3i verify maps; do
		where=()
		case $command in x*) where=(kmain) ;; esac
		# shellcheck disable=SC2086
		"$GYVE" $command --color never "$T/core" "${where[@]}" >"$T/never" || fail "$command: status $?"
		# shellcheck disable=SC2086
		"$GYVE" $command --color always "$T/core" "${where[@]}" >"$T/always"
		sed "$plain" "$T/always" | cmp - "$T/never" || fail "in colour, $command says something else"
		# shellcheck disable=SC2086
		"$GYVE" $command "$T/core" "${where[@]}" | cmp - "$T/never" || fail "$command is in colour in a pipe"
	done
	"$GYVE" bt --color always "$T/core" >"$T/always"
	grep -q "$(printf 'in \033\\[33mdie\033\\[m (depth=2) at \033\\[32mcrash.c:[0-9]*\033\\[m$')" "$T/always" || fail "no colours: $(head -n 1 "$T/always" | cat -v)"
	if command -v script >/dev/null; then
		TERM=xterm NO_COLOR='' PAGER=cat script -qec "'$GYVE' bt '$T/core'" /dev/null </dev/null >"$T/terminal"
		grep -q "$(printf '\033\\[33mdie')" "$T/terminal" || fail "no colours on a terminal"
		TERM=xterm NO_COLOR=1 PAGER=cat script -qec "'$GYVE' bt '$T/core'" /dev/null </dev/null >"$T/terminal"
		grep -q "$(printf '\033\\[33mdie')" "$T/terminal" && fail "NO_COLOR does nothing"
	fi
	"$GYVE" bt --color sometimes "$T/core" >"$T/said" 2>&1
	[ $? = 2 ] || fail "--color takes anything"
}

# gdb's own formats, over the same dump
test_dump_x_as_gdb() {
	local f commands=(-ex "target remote $T/gdb.sock")
	gyve_run 124 --dump "$T/core" "$GUESTS/crash_pf"
	"$GYVE" serve "$T/core" --gdb "unix:$T/gdb.sock" 2>"$T/serve.err" &
	started=$!
	wait_for 'target remote' "$T/serve.err"
	for f in 8xb 4xh 4xw 4xg 9dw 4db 4uw 4ub 4ow 4tw 4tb 5ag 4cb 3fg 5fw 4zw 3zg 3dh 2dg; do
		commands+=(-ex "echo == $f\\n" -ex "x/$f 0x200000")
		printf '== %s\n' $f
		"$GYVE" x/$f "$T/core" 0x200000
	done >"$T/ours"
	"$GDB" -nx -q -batch -ex 'set width 0' "${commands[@]}" "$GUESTS/crash_pf" 2>/dev/null </dev/null | sed -n '/^==/,$p' | sed '/detached/d' >"$T/gdbs"
	diff "$T/ours" "$T/gdbs" >"$T/differences" || fail "gdb prints otherwise: $(sed -n 2,3p "$T/differences")"
	end_started
}

# The core of an ordinary process, position-independent: its text is in the file only.
test_dump_of_process() {
	command -v gcc >/dev/null || skip "no gcc"
	cat >"$T/prog.c" <<-'C'
		volatile int sink;
		__attribute__((noinline)) int leaf(int n) { sink = n; return sink + n; }
		__attribute__((noinline)) int mid(int n) { return leaf(n + 1) + 1; }
		int main(void) { return mid(41) & 1; }
	C
	gcc -g -O1 -pie -fPIE -o "$T/prog" "$T/prog.c" || skip "gcc makes no program"
	gdb -nx -q -batch -ex 'break leaf' -ex run -ex "gcore $T/core" "$T/prog" >"$T/gdb.log" 2>&1 </dev/null
	[ -s "$T/core" ] || skip "gdb makes no core here"
	says "image .*prog, loaded with offset 0x[0-9a-f]+000," info "$T/core"
	says '^#0 .*leaf \(n=42\) at prog.c:2$' bt "$T/core"
	grep -qE '^#2 .*main \(\) at prog.c:4$' "$T/said" || fail "main is not in the stack"
	says '<leaf>:' x/2i "$T/core" leaf
	says '^ok +symbols' verify "$T/core"
}
