# shellcheck shell=bash
# Dumps: written by a live guest, read by gdb and readelf and by ourselves, live and dead looked at with the same script.
only_machine_tests aarch64 dump_of_aarch64 dump_served_as_live_a64

dump_of() { # GUEST [OPTION...]: $T/core of one that crashes
	local guest=$1
	shift
	gyve_run 124 --dump "$T/core" "$@" "$GUESTS/$guest"
	grep -q "dump $T/core: " "$T/gyve.err" || fail "nothing is said of the dump: $(head -n 1 "$T/gyve.err")"
	[ -s "$T/core" ] || fail "no dump"
}

# says REGEX COMMAND...: a command over a dump, its output in $T/said
says() {
	local regex=$1
	shift
	"$GYVE" "$@" >"$T/said" 2>&1 || fail "gyve $1: status $?: $(head -n 1 "$T/said")"
	grep -qE -- "$regex" "$T/said" || fail "gyve $1 has no /$regex/: $(head -n 2 "$T/said")"
}

test_dump_in_gdb() {
	dump_of crash_pf -c 2
	[ "$(du -k "$T/core" | cut -f1)" -lt 1024 ] || fail "the dump has no holes"
	if command -v readelf >/dev/null; then
		LC_ALL=C readelf -hlW "$T/core" >"$T/readelf" 2>&1
		grep -q 'CORE (Core file)' "$T/readelf" && grep -qE 'NOTE .* 0x4$' "$T/readelf" && ! grep -qi warning "$T/readelf" ||
			fail "readelf does not like it"
	fi
	"$GDB" -nx -q -batch -ex 'info threads' -ex backtrace -ex 'print depth' -ex 'x/2i $pc' -ex 'print $xmm0.uint128' \
		"$GUESTS/crash_pf" "$T/core" >"$T/gdb.log" 2>&1 </dev/null
	expect '\* 1 .*die \(depth=2\) at .*crash.c' '^  2 ' '^#0 .*die' '^#1 .*outer' '^#2 .*kmain' '\$1 = 2' '=> 0x' '\$2 = 0'
	expect_not 'warning: (Unexpected|core file may not match|.*truncated)'
}

# The same gdb script, while the guest stands at its crash and over its dump, gives the same text.
test_dump_served_as_live() {
	local script='info threads
		backtrace
		print $cr2
		print/x $cr3
		info registers rip eflags cs efer gs_base
		thread 2
		backtrace
		thread 1
		up
		info locals
		x/8xg $sp
		x/3i $pc
		monitor vtop 0x200000
		monitor pt 0x700000001000
		monitor maps
		monitor lapic
		monitor msr efer
		monitor idt
		info line kmain'
	gyve_start -c 2 "$GUESTS/crash_pf"
	gdb_run crash_pf <<-IN
		continue
		monitor dump $T/core
		echo === begin\n
		$script
		echo === end\n
		kill
	IN
	gyve_ends 124
	sed -n '/^=== begin/,/^+*echo === end/p' "$T/gdb.log" >"$T/live"
	"$GYVE" serve "$T/core" --gdb "unix:$T/gdb.sock" 2>"$T/serve.err" &
	started=$!
	wait_for 'target remote' "$T/serve.err"
	gdb_run crash_pf <<-IN
		echo === begin\n
		$script
		echo === end\n
		stepi
		set var *(char *) 0x200000 = 1
		detach
	IN
	sed -n '/^=== begin/,/^+*echo === end/p' "$T/gdb.log" >"$T/dead"
	[ "$(wc -l <"$T/live")" -gt 30 ] || fail "the live script says too little"
	diff "$T/live" "$T/dead" >"$T/differences" || fail "live and dead differ: $(sed -n 2p "$T/differences")"
	expect 'a dump cannot run' 'Cannot access memory'
	# another client may come
	gdb_run crash_pf <<-IN
		print depth
	IN
	expect '= 2'
	end_started
}

test_dump_overlay() {
	dump_of crash_pf
	cp "$T/core" "$T/before"
	"$GYVE" serve "$T/core" --overlay --gdb "unix:$T/gdb.sock" 2>"$T/serve.err" &
	started=$!
	wait_for 'target remote' "$T/serve.err"
	gdb_run crash_pf <<-IN
		set var depth = 77
		print depth
		set var \$rax = 5
		print \$rax
	IN
	expect '= 77' '= 5'
	end_started
	cmp "$T/core" "$T/before" || fail "the file was changed"
}

# No breakpoint's byte is in a dump.
test_dump_hides_breakpoints() {
	local kmain want
	gyve_start "$GUESTS/sample"
	kmain=$(symbol sample kmain)
	gdb_run sample <<-IN
		break kmain
		break sail
		continue
		monitor dump $T/core
		monitor dump $T/core.zst compress
		monitor dump $T/core sideways
		monitor dump
		kill
	IN
	expect 'core: [0-9]+ KiB' 'core.zst: |without zstd' 'none of' 'name is missing'
	want=$("$GDB" -nx -batch -ex "x/1xb $kmain" "$GUESTS/sample" 2>/dev/null | sed 's/.*:\t*//')
	says "$want" x/1xb "$T/core" kmain
	says 'kmain.*sample.c' info "$T/core"
	says '^ok .*1 of 1|same in memory' verify "$T/core"
}

test_dump_commands() {
	local c
	dump_of crash_pf -c 2
	says '2 vCPUs' info "$T/core"
	says 'cr2 .*700000001000' regs -a "$T/core"
	says '=> .*die.*mov' x/2i "$T/core" '$pc'
	says 'gpa 0x2000' vtop "$T/core" kmain
	says '0x0000000000000000-' maps "$T/core"
	says '1 hit' search --text 'about to crash' "$T/core"
	says ' die$' syms "$T/core" die
	says '^ok ' verify "$T/core"
	says '0 registers; 0 bytes' diff "$T/core" "$T/core"
	"$GYVE" vtop "$T/core" 0x700000001000 >"$T/said" && fail "an unmapped address is translated"
	"$GYVE" x "$T/core" 0x700000001000 >"$T/said" 2>&1 && fail "unmapped memory is read"
	"$GYVE" info "$GUESTS/crash_pf" >"$T/said" 2>&1 && fail "an image is taken for a dump"
	command -v python3 >/dev/null || return 0
	for c in "info" "regs -a" "maps" "verify" "syms" "search --text about"; do
		# shellcheck disable=SC2086
		"$GYVE" $c --json "$T/core" | python3 -m json.tool >/dev/null || fail "$c --json is no JSON"
	done
}

test_dump_compressed() {
	gyve_run 124 --dump "$T/z" --compress "$GUESTS/crash_pf"
	grep -q 'without zstd' "$T/gyve.err" && skip "this gyve has no zstd"
	[ "$(stat -c %s "$T/z")" -lt 100000 ] || fail "it is not small"
	says 'die' info "$T/z"
	dump_of crash_pf
	"$GYVE" diff "$T/core" "$T/z" >"$T/said" 2>&1 || fail "compressed, it differs: $(head -n 1 "$T/said")"
	if command -v zstd >/dev/null; then
		zstd -q -d "$T/z" -o "$T/unpacked" || fail "zstd does not take it"
		says '0 bytes' diff "$T/core" "$T/unpacked"
	fi
}

test_dump_on_exit_and_panic() {
	gyve_run 0 --dump "$T/core" "$GUESTS/sample"
	[ ! -e "$T/core" ] || fail "a guest that ended well was dumped"
	gyve_run 0 --dump "$T/core" --dump-on exit "$GUESTS/sample"
	says ': exit' info "$T/core"
	rm "$T/core"
	gyve_run 0 --dump "$T/core" --dump-on panic "$GUESTS/sample"
	[ ! -e "$T/core" ] || fail "status 0 is no panic"
	"$GYVE" run --dump-on exit "$GUESTS/sample" >"$T/said" 2>&1
	[ $? = 2 ] || fail "--dump-on without --dump is taken"
}

# SIGQUIT dumps a guest that goes on; killed at any moment a dump is whole or not there.
test_dump_on_request() {
	local i
	"$GYVE" run --dump "$T/core" -c 2 "$GUESTS/loop" >"$T/gyve.out" 2>"$T/gyve.err" &
	started=$!
	for ((i = 0; i < 100; i++)); do
		kill -QUIT $started
		[ ! -s "$T/core" ] || break
		sleep 0.05
		kill -0 $started 2>/dev/null || fail "SIGQUIT ended it"
	done
	wait_for 'dump .*core: ' "$T/gyve.err"
	says ': request' info "$T/core"
	kill -0 $started || fail "the guest did not go on"
	end_started
	for i in 0.00 0.01 0.02 0.03 0.05 0.08; do
		rm -f "$T/core"
		"$GYVE" run --dump "$T/core" -m 256MiB "$GUESTS/loop" >"$T/gyve.out" 2>"$T/gyve.err" &
		started=$!
		sleep 0.2
		kill -QUIT $started
		sleep $i
		kill -KILL $started
		wait $started 2>/dev/null
		started=
		[ ! -e "$T/core" ] || says 'request' info "$T/core"
		[ -z "$(ls "$T" | grep tmp)" ] || fail "something is left behind"
	done
}

# A dump asked for while gdb lets the guest run is nothing that gdb sees.
test_dump_under_gdb() {
	"$GYVE" run --dump "$T/core" --gdb="unix:$T/gdb.sock" "$GUESTS/loop" >"$T/gyve.out" 2>"$T/gyve.err" &
	started=$!
	wait_for 'target remote' "$T/gyve.err"
	gdb_start loop <<-'IN'
		shell (sleep 1; kill -QUIT $(cat pid); sleep 1; kill -INT $(cat gdb.pid)) &
		continue
		print ticks > 0
		detach
	IN
	echo $started >"$T/pid"
	echo "$gdb_pid" >"$T/gdb.pid"
	wait_for 'dump .*core: ' "$T/gyve.err"
	wait "$gdb_pid"
	expect '(SIGINT|Interrupt)' '= 1'
	[ "$(grep -c 'received signal' "$T/gdb.log")" = 1 ] || fail "gdb saw the stop for the dump"
	says ': request' info "$T/core"
	end_started
}

# The guest goes on while its dump is written, and the dump has what memory held when it was asked for.
test_dump_live() {
	local i
	"$GYVE" run --dump "$T/core" --live-dump -m 1GiB "$GUESTS/loop" >"$T/gyve.out" 2>"$T/gyve.err" &
	started=$!
	sleep 0.3
	kill -QUIT $started
	wait_for 'stood still for [0-9.]+ ms' "$T/gyve.err"
	wait_for 'dump .*core: ' "$T/gyve.err"
	says ': request' info "$T/core"
	[ "$(du -k "$T/core" | cut -f1)" -lt 1024 ] || fail "the dump has no holes"
	says '^ok .*symbols' verify "$T/core"
	kill -0 $started || fail "the guest did not go on"
	end_started
}

test_dump_full_disk() {
	[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null || skip "mounting a small disk needs root"
	mkdir "$T/disk"
	unshare -m sh -c "mount -t tmpfs -o size=16k none '$T/disk' && timeout 20 '$GYVE' run --dump '$T/disk/core' '$GUESTS/crash_pf'
		status=\$?; ls '$T/disk' >'$T/left'; exit \$status" >"$T/gyve.out" 2>"$T/gyve.err"
	[ $? = 124 ] || fail "the exit status is not the crash's"
	grep -q 'no room for the dump' "$T/gyve.err" || fail "not said: $(head -n 1 "$T/gyve.err")"
	[ ! -s "$T/left" ] || fail "something is left behind"
}

# qemu_dump ARCH FILE COMMAND [OPTION...]
qemu_dump() {
	local arch=$1 file=$2 command=$3
	shift 3
	command -v "qemu-system-$arch" >/dev/null || skip "no qemu-system-$arch"
	(sleep "${qemu_wait:-1}" && printf '%s\nquit\n' "$command") | timeout 30 "qemu-system-$arch" -m 64 -accel tcg -display none -nodefaults \
		-monitor stdio "$@" >"$T/qemu.log" 2>&1
	[ -s "$file" ] || fail "QEMU wrote no dump: $(tail -n 1 "$T/qemu.log")"
}

test_dump_of_qemu_x86_64() {
	# 16-bit code, then long mode with the first GiB mapped: QEMU's own note has to carry the walk
	python3 - "$T/disk" <<-'IN' || skip "no python3"
		import sys
		code = bytes.fromhex(
		    'fa31c08ed88ec0bc007c'                # cli; ax=0; ds=es=0; sp
		    'bf0010b9003031c0fcf3aa'              # zero 0x1000..0x4000
		    '66c7060010 03200000 66c7060020 03300000 66c7060030 83000000'.replace(' ', '') +
		    'b8a0000f22e0'                        # cr4 = PAE | PGE (low half)
		    '66b800100000 0f22d8'.replace(' ', '') +
		    '66b9800000c0 0f32 660d00010000 0f30'.replace(' ', '') +
		    '0f20c0 660d01000080 0f22c0'.replace(' ', ''))
		at = 0x7c00 + len(code)
		gdt = 0x7de0
		code += b'\x0f\x01\x16' + (gdt + 24).to_bytes(2, 'little')           # lgdt
		at = 0x7c00 + len(code) + 5
		code += b'\xea' + at.to_bytes(2, 'little') + b'\x08\x00'             # ljmp 8:next
		code += bytes.fromhex('48b8efbeadde78563412 48c7c404780000 f4 ebfd'.replace(' ', ''))
		image = bytearray(512)
		image[:len(code)] = code
		table = bytes(8) + bytes.fromhex('ffff0000009baf00') + b'\x17\x00' + gdt.to_bytes(4, 'little')
		image[0x1e0:0x1e0 + 16] = table[:16]
		image[0x1f8:0x1fe] = table[16:22]
		image[510:] = b'\x55\xaa'
		open(sys.argv[1], 'wb').write(image + bytes(65536))
	IN
	for qemu_wait in 1 3 8; do # until its BIOS has let our code run
		rm -f "$T/core"
		qemu_dump x86_64 "$T/core" "dump-guest-memory $T/core" -drive "file=$T/disk,format=raw,if=ide"
		"$GYVE" regs "$T/core" 2>/dev/null | grep -q 'rax .*12345678deadbeef' && break
	done
	says 'ELF core of QEMU, x86_64, 1 vCPU' info "$T/core"
	says 'rax +0x12345678deadbeef' regs "$T/core"
	says '2048 KiB page' vtop "$T/core" '$pc'
	says 'hlt|jmp' x/i "$T/core" '$pc'
	qemu_dump x86_64 "$T/paging" "dump-guest-memory -p $T/paging" -drive "file=$T/disk,format=raw,if=ide"
	says 'rax +0x12345678deadbeef' regs "$T/paging"
}

test_dump_of_qemu_aarch64() {
	qemu_dump aarch64 "$T/core" "dump-guest-memory $T/core" -M virt -cpu cortex-a57 -S -smp 2
	says 'aarch64, 2 vCPUs' info "$T/core"
	says '0x40000000-0x43ffffff' info "$T/core"
	says '0x' x/4xw "$T/core" 0x40000000
}

# kdump-compressed, flattened, as QEMU writes it; and put in order.
test_dump_of_qemu_kdump() {
	qemu_dump x86_64 "$T/flat" "dump-guest-memory -z $T/flat" -S
	"$GYVE" info "$T/flat" >"$T/said" 2>&1
	grep -q 'without libkdumpfile' "$T/said" && skip "this gyve has no libkdumpfile"
	says 'kdump-compressed dump, x86_64' info "$T/flat"
	says '0x' x/4xb "$T/flat" 0xf0000
	mv "$T/said" "$T/said.flat"
	python3 - "$T/flat" "$T/core" <<-'IN' || skip "no python3"
		import struct, sys
		data, out, at = open(sys.argv[1], 'rb').read(), open(sys.argv[2], 'wb'), 4096
		while True:
		    offset, size = struct.unpack_from('>qq', data, at)
		    if offset < 0: break
		    out.seek(offset); out.write(data[at + 16:at + 16 + size]); at += 16 + size
	IN
	says 'kdump-compressed dump, x86_64' info "$T/core"
	says '0x' x/4xb "$T/core" 0xf0000
	cmp "$T/said" "$T/said.flat" || fail "flattened it says something else"
	head -c $(($(stat -c %s "$T/flat") / 2)) "$T/flat" >"$T/cut"
	"$GYVE" info "$T/cut" >"$T/said" 2>&1
	[ $? -le 125 ] && grep -q 'cut short\|ends without\|kdump' "$T/said" || fail "cut short: $(head -n 1 "$T/said")"
}

test_dump_of_hermit() {
	need_hermit
	gyve_run 0 --dump "$T/core" --dump-on exit "$hermit_image"
	says 'exit' info "$T/core"
	says '^ok .*symbols' verify "$T/core"
	says 'Hello|hit' search --text 'Hello, world' "$T/core"
}

test_dump_bt() {
	dump_of crash_pf -c 2
	says '^#0  0x[0-9a-f]{16} in die \(depth=2\) at crash.c:[0-9]+$' bt "$T/core"
	grep -qE '^#2 .* in kmain \(cpu=0, ncpus=1?2?\) at' "$T/said" || fail "kmain is not in the stack"
	says '^vCPU 1$' bt -a "$T/core"
	if command -v python3 >/dev/null; then
		"$GYVE" bt -a -l --json "$T/core" | python3 -c '
import json, sys
stacks = json.load(sys.stdin)
assert [s["vcpu"] for s in stacks] == [0, 1]
die = stacks[0]["frames"][0]
assert die["function"] == "die" and die["parameters"] == {"depth": "2"} and "locals" in die' 2>"$T/python" || fail "JSON: $(tail -n 1 "$T/python")"
	fi
}

# The dump of an aarch64 guest, made inside and looked at outside, on whatever host this is.
test_dump_of_aarch64() {
	local own=${GYVE_OUTSIDE:-$here/../../gyve}
	[ -x "$own" ] || skip "no gyve for this host in the source tree (GYVE_OUTSIDE names one)"
	"$here/../hosts/run" "$MACHINE" --timeout 120 --copy "$GYVE:/bin/gyve" --copy "$GUESTS/crash_pf:/guest/crash_pf" \
		--fetch "/tmp/core:$T/core" -- gyve run -c 2 --dump /tmp/core /guest/crash_pf >"$T/gyve.out" 2>"$T/gyve.err"
	[ $? = 124 ] || fail "the guest does not crash: $(tail -n 1 "$T/gyve.err")"
	[ -s "$T/core" ] || fail "no dump came back: $(tail -n 1 "$T/gyve.err")"
	GYVE=$own
	cp "$GUESTS/crash_pf" "$T/"
	says 'ELF core of gyve, aarch64, 2 vCPUs' info "$T/core"
	says 'die.*crash.c' bt "$T/core"
	says 'ESR_EL1 ' regs -a "$T/core"
	says 'die.*str' x/6i "$T/core" die
	says 'gpa 0x' vtop "$T/core" kmain
	says '^ok .*symbols' verify "$T/core"
	"$GDB" -nx -q -batch -ex 'info threads' -ex 'print/x $pc' -ex 'print $v0.q' -ex 'x/2i die' "$GUESTS/crash_pf" "$T/core" \
		>"$T/gdb.log" 2>&1 </dev/null
	expect '\* 1 ' '^  2 ' '= 0x' '= ' '<die'
	"$GYVE" serve "$T/core" --gdb "unix:$T/gdb.sock" 2>"$T/serve.err" &
	started=$!
	wait_for 'target remote' "$T/serve.err"
	gdb_run crash_pf <<-IN
		info threads
		print \$TCR_EL1
		info symbol \$ELR_EL1
		monitor vtop kmain
	IN
	expect 'Thread 2' '= ' 'die' 'gpa 0x'
	end_started
}

# The same gdb script inside, while the guest stands at its crash, and outside over its dump, on whatever host that is.
limit_dump_served_as_live_a64=120
test_dump_served_as_live_a64() {
	local own=${GYVE_OUTSIDE:-$here/../../gyve} script
	[ -x "$own" ] || skip "no gyve for this host in the source tree (GYVE_OUTSIDE names one)"
	script='info threads
		backtrace
		print/x $TTBR0_EL1
		print/x $ESR_EL1
		info registers x0 x29 sp pc cpsr
		thread 2
		backtrace
		thread 1
		up
		info locals
		x/8xg $sp
		x/3i $pc
		monitor vtop kmain
		monitor maps
		monitor bt
		info line kmain'
	"$here/../hosts/run" "$MACHINE" --timeout 100 --gdb "unix:$T/gdb.sock" --copy "$GYVE:/bin/gyve" --copy "$GUESTS/crash_pf:/guest/crash_pf" \
		--fetch "/tmp/core:$T/core" -- gyve run --gdb=tty:/dev/gdb --dump /tmp/other -c 2 /guest/crash_pf >"$T/gyve.out" 2>"$T/gyve.err" &
	started=$!
	wait_for_file "$T/gdb.sock"
	gdb_run crash_pf <<-IN
		continue
		monitor dump /tmp/core
		echo === begin\n
		$script
		echo === end\n
		kill
	IN
	sed -n '/^=== begin/,/^+*echo === end/p' "$T/gdb.log" >"$T/live"
	wait $started
	started=
	[ -s "$T/core" ] || fail "no dump came back"
	"$own" serve "$T/core" --symbols "$GUESTS/crash_pf" --gdb "unix:$T/dead.sock" 2>"$T/serve.err" &
	started=$!
	wait_for 'target remote' "$T/serve.err"
	mv "$T/dead.sock" "$T/gdb.sock"
	gdb_run crash_pf <<-IN
		echo === begin\n
		$script
		echo === end\n
		stepi
		detach
	IN
	sed -n '/^=== begin/,/^+*echo === end/p' "$T/gdb.log" >"$T/dead"
	[ "$(wc -l <"$T/live")" -gt 30 ] || fail "the live script says too little"
	diff "$T/live" "$T/dead" >"$T/differences" || fail "live and dead differ: $(sed -n 2,3p "$T/differences")"
	expect 'a dump cannot run'
	end_started
}

wait_for_file() {
	local i
	for ((i = 0; i < 500; i++)); do
		[ ! -e "$1" ] || return 0
		sleep 0.1
	done
	fail "$1 does not come up: $(head -n 1 "$T/gyve.err")"
}
