# shellcheck shell=bash
# Dumps of Linux on x86_64: with our own eyes, in crash and in drgn.
only_machine_tests svm linux_x86_dump linux_x86_dump_panic

. "$here/linux_lib.sh"

# $T/core.live, $T/core.panic; $linux_words: what its init shall do first
linux_dumps() {
	linux_files
	"$here/../hosts/run" "$MACHINE" --memory 2000 --timeout 170 --copy "$GYVE:/bin/gyve" --copy "$linux_base/vmlinuz:/guest/vmlinuz" \
		--copy "$T/initrd:/guest/initrd" --copy "$here/linux_dump_rows.sh:/guest/rows" --fetch "/tmp/core.live:$T/core.live" \
		--fetch "/tmp/core.panic:$T/core.panic" -- sh /guest/rows "$linux_console" "${linux_words:-}" >"$T/gyve.out" 2>"$T/gyve.err" ||
		fail "the emulated host: $(tail -n 1 "$T/gyve.err")"
	linux_says '^status 0$'
	[ -s "$T/core.live" ] && [ -s "$T/core.panic" ] || fail "the dumps did not come back"
}

says() { # REGEX COMMAND...
	local regex=$1
	shift
	"$GYVE" "$@" >"$T/said" 2>&1 || fail "gyve $1: status $?: $(head -n 1 "$T/said")"
	grep -qE -- "$regex" "$T/said" || fail "gyve $1 has no /$regex/: $(head -n 2 "$T/said")"
}

# This host has no breakpoints for guests: what the kernel says tells.
limit_linux_x86_dump_panic=120
test_linux_x86_dump_panic() {
	linux_test_panic_dump "${GYVE_LINUX_X86_VMLINUX:-}"
}

# No vmlinux anywhere: what the kernel carries with it does.
own_symbols() {
	local which server i
	says 'in (native_safe_halt|default_idle|acpi_idle|amd_e400_idle|mwait_idle)' bt "$T/core.live"
	says ' in start_kernel\+0x' bt "$T/core.live"
	says ' in sysrq_handle_crash\+0x' bt "$T/core.panic" # by the unwind table it carries with it
	says ' in entry_SYSCALL_64_after_hwframe\+0x' bt "$T/core.panic"
	for which in live panic; do
		"$GYVE" serve --gdb="unix:$T/own.sock" "$T/core.$which" >"$T/serve.$which" 2>&1 &
		server=$!
		for ((i = 0; i < 500; i++)); do
			[ ! -S "$T/own.sock" ] || break
			sleep 0.02
		done
		timeout 60 "$GDB" -nx -q -batch -ex 'set remotetimeout 60' -ex 'set width 0' -ex "target remote $T/own.sock" -ex 'info symbol panic' \
			-ex 'monitor kernel' -ex 'monitor tasks' -ex kill >"$T/own.$which" 2>&1 </dev/null
		wait $server
		grep -q '^Reading symbols from target:/proc/kallsyms' "$T/own.$which" && grep -q '^panic in section .text' "$T/own.$which" &&
			grep -q '^Linux version 6\.' "$T/own.$which" && grep -qE '^ +1 +1 .* 0x[0-9a-f]+ +init$' "$T/own.$which" &&
			grep -qE '^ +[0-9]+ +[0-9]+ +- S 0xffff[0-9a-f]+ - +kswapd0$' "$T/own.$which" || fail "the kernel's own symbols, $which: $(head -n 3 "$T/own.$which")"
	done
}

limit_linux_x86_dump=240
test_linux_x86_dump() {
	local vmlinux=${GYVE_LINUX_X86_VMLINUX:-} which
	linux_dumps
	for which in live panic; do
		says '^Linux 6\.[0-9.]+-[^ ]*, moved by 0x[0-9a-f]+$' info "$T/core.$which"
		says '^gpa .* virtual 0xff' search --text 'Linux version 6.' --max 1 "$T/core.$which"
	done
	own_symbols
	[ -r "$vmlinux" ] || return 0
	says ' do_idle \(\) at idle.c:[0-9]+' bt -a --symbols "$vmlinux" "$T/core.live"
	says 'in panic \(' bt --symbols "$vmlinux" "$T/core.panic"
	if command -v crash >/dev/null; then # 8.0.2 finds one task in this kernel, in QEMU's dumps as well
		printf 'sys\nbt\nps\nlog\nrd -a linux_banner\nquit\n' >"$T/crash.in"
		for which in live panic; do
			timeout 60 crash -s -i "$T/crash.in" "$vmlinux" "$T/core.$which" >"$T/crash.$which" 2>&1 </dev/null
			grep -q 'RELEASE: 6\.' "$T/crash.$which" && grep -q 'Linux version 6' "$T/crash.$which" && grep -q 'Run /init as init' "$T/crash.$which" &&
				grep -q '\[swapper/0\]' "$T/crash.$which" || fail "crash, $which: $(head -n 1 "$T/crash.$which")"
		done
		grep -q 'PANIC: "Kernel panic - not syncing: sysrq triggered crash"' "$T/crash.panic" || fail "crash does not see the panic"
		grep -q '^ *#[0-9]* .* sysrq_handle_crash at ' "$T/crash.panic" || fail "crash does not see the panicked stack"
	fi
	if command -v drgn >/dev/null; then
		cat >"$T/look.py" <<-'PY'
			from drgn.helpers.linux import *
			print(prog["init_uts_ns"].name.release.string_().decode())
			for task in for_each_task(prog):
			    print(task.pid.value_(), task.comm.string_().decode())
			    if task.comm.string_() == b"kswapd0":
			        print(prog.stack_trace(task))
			for frame, _ in zip(prog.stack_trace(find_task(prog, 1)), range(20)):
			    print(frame)
		PY
		for which in live panic; do
			drgn -q -c "$T/core.$which" -s "$vmlinux" "$T/look.py" >"$T/drgn.$which" 2>&1 || fail "drgn, $which: $(tail -n 1 "$T/drgn.$which")"
			grep -q '^6\.' "$T/drgn.$which" && grep -q '^1 init$' "$T/drgn.$which" && grep -q ' kswapd (' "$T/drgn.$which" ||
				fail "drgn does not find the tasks of $which"
		done
		grep -q 'sysrq_handle_crash' "$T/drgn.panic" || fail "drgn does not see the panicked stack"
	fi
}
