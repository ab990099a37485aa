# shellcheck shell=bash
# Debian's x86_64 kernel, the one the emulated host runs itself, as a guest.
only_machine_tests svm linux_x86_boot linux_x86_pvh linux_x86_self_unpack linux_x86_virtio linux_x86_net linux_x86_serial linux_x86_panic linux_x86_gdb_panic linux_x86_gdb_kaslr
only_machine_tests x86_64 linux_x86_first_instruction

. "$here/linux_lib.sh"

limit_linux_x86_boot=90
test_linux_x86_boot() {
	linux_files
	linux_run 0 -m 256MiB -c 2 --log main=info --append 'console=ttyS0 rdinit=/init' <<-'IN'
		show /proc/cmdline
		show /proc/interrupts
		find /proc/kallsyms T _text
		poweroff
	IN
	linux_says 'Linux version ' 'Brought up 1 node, 2 CPUs' 'init: up with 2 CPUs' '^console=ttyS0 rdinit=/init' 'IO-APIC +4-edge +ttyS0' \
		'reboot: Power down'
	local slide text
	slide=$(sed -n 's/.*the kernel is unpacked and moved by 0x\([0-9a-f]*\).*/\1/p' "$T/gyve.out")
	text=$(sed -n 's/^\(ffffffff[0-9a-f]*\) T _text\r*$/\1/p' "$T/gyve.out")
	[ -n "$slide" ] && [ "$slide" != 0 ] || fail "the kernel was not moved"
	[ "$text" = "$(printf %x $((0xffffffff81000000 + 0x$slide)))" ] || fail "the kernel, moved by $slide, says it is at $text"
	! grep -q 'ACPI.*Error' "$T/gyve.out" || fail "the kernel does not like its ACPI tables: $(grep -m 1 'ACPI.*Error' "$T/gyve.out")"
}

# The ELF file inside a bzImage ($1), unpacked: payload_offset and payload_length of its header say where.
linux_x86_elf() {
	local sects off len tool
	read -r sects off len < <(od -An -tu1 -j 497 -N 1 "$1" | tr -d '\n'; od -An -tu4 -j 584 -N 8 "$1")
	off=$(((sects + 1) * 512 + off))
	case $(od -An -tx1 -j $off -N 4 "$1" | tr -d ' ') in
	02214c18) tool=lz4 ;;
	fd377a58) tool=xz ;;
	28b52ffd) tool=zstd ;;
	1f8b*) tool=gzip ;;
	*) skip "the kernel of the emulated host is packed in a way not known here" ;;
	esac
	command -v $tool >/dev/null || skip "$tool is not installed"
	# its last word is the length unpacked
	tail -c +$((off + 1)) "$1" | head -c $((len - 4)) | $tool -dc >"$T/vmlinux" 2>"$T/unpack.err" ||
		fail "the kernel cannot be unpacked: $(cat "$T/unpack.err")"
}

# vmlinux, entered at its PVH note.
limit_linux_x86_pvh=90
test_linux_x86_pvh() {
	linux_files
	linux_x86_elf "$linux_base/vmlinuz"
	linux_kernel=$T/vmlinux
	linux_run 0 -m 256MiB -c 2 --append 'console=ttyS0 nokaslr rdinit=/init' <<-'IN'
		find /proc/kallsyms T _text
		poweroff
	IN
	linux_says 'Linux version ' 'Booting paravirtualized kernel on KVM' 'init: up with 2 CPUs' '^ffffffff81000000 T _text' 'reboot: Power down'
}

# It moves itself, to where gyve does not know.
limit_linux_x86_self_unpack=90
test_linux_x86_self_unpack() {
	linux_files
	linux_run 0 -m 256MiB --self-unpack --log main=info --append 'console=ttyS0 rdinit=/init' <<-'IN'
		poweroff
	IN
	linux_says 'init: up with 1 CPUs' 'reboot: Power down'
	! grep -q 'kernel is unpacked' "$T/gyve.out" || fail "gyve moves it all the same"
}

limit_linux_x86_virtio=90
test_linux_x86_virtio() {
	linux_test_virtio
}

limit_linux_x86_net=90
test_linux_x86_net() {
	linux_test_net
}

limit_linux_x86_serial=150
test_linux_x86_serial() {
	linux_test_serial
}

# A panic that resets the machine is an end.
limit_linux_x86_panic=90
test_linux_x86_panic() {
	linux_test_panic
}

# By sysrq, at a prompt. A breakpoint at panic() would mean to step through everything here: what the kernel says tells.
limit_linux_x86_gdb_panic=120
test_linux_x86_gdb_panic() {
	local vmlinux=${GYVE_LINUX_X86_VMLINUX:-}
	[ -r "$vmlinux" ] || skip "no symbols of the kernel; name its vmlinux in GYVE_LINUX_X86_VMLINUX"
	linux_gdb_panic "$vmlinux" <<-'IN'
		monitor catch panic on
		continue
		backtrace
		kill
	IN
	expect 'panic +on' '\+continue' 'vCPU [01]: the kernel panics: sysrq triggered crash' 'SIGABRT' ' panic ' 'sysrq_handle_crash' 'write_sysrq_trigger' 'killed'
	gyve_ends 0
}

# It moved itself, unseen, while gdb was there.
limit_linux_x86_gdb_kaslr=150
test_linux_x86_gdb_kaslr() {
	local vmlinux=${GYVE_LINUX_X86_VMLINUX:-} linux_unpack=1
	[ -r "$vmlinux" ] || skip "no symbols of the kernel; name its vmlinux in GYVE_LINUX_X86_VMLINUX"
	linux_gdb_panic "$vmlinux" <<-IN
		source $here/../../share/gdb/gyve.py
		monitor catch panic on
		continue
		info symbol \$pc
		monitor bt
		gyve kaslr
		backtrace
		info address _text
		maintenance packet qOffsets
		kill
	IN
	expect '\+continue' 'vCPU [01]: the kernel panics: sysrq triggered crash' '\+info symbol' 'No symbol matches' '\+monitor bt' ' in panic' 'sysrq_handle_crash' \
		'\+gyve kaslr' '\+backtrace' 'sysrq_handle_crash' 'write_sysrq_trigger' '\+info address' 'received: "TextSeg=ffffffff[0-9a-f]+"' 'killed'
	gyve_ends 0
}

limit_linux_x86_first_instruction=60
test_linux_x86_first_instruction() {
	linux_files
	: >"$T/none"
	linux_gdb "$T/none" <<-'IN'
		info registers rip cs cr0
		x/s *(unsigned int *)($rsi+0x228)
		x/s (char *)$rsi+0x202
		info threads
		stepi
		kill
	IN
	expect '^rip +0x1000000 ' '^cr0 .*PG' 'console=ttyS0 quiet rdinit=/init' 'HdrS' 'vCPU 0' 'vCPU 1'
	gyve_ends 0
}

# GYVE_LINUX_X86_VMLINUX: usr/lib/debug/boot/vmlinux-* of that kernel's -dbg package.
limit_linux_x86_symbols=120
test_linux_x86_symbols() {
	local vmlinux=${GYVE_LINUX_X86_VMLINUX:-}
	[ -r "$vmlinux" ] || skip "no symbols of the kernel; name its vmlinux in GYVE_LINUX_X86_VMLINUX"
	MACHINE=svm linux_files
	ln -s "$vmlinux" "$T/vmlinux"
	gyve_start -m 256MiB --symbols "$T/vmlinux" --append 'console=ttyS0' "$linux_base/vmlinuz"
	GUESTS=$T gdb_run vmlinux <<-IN
		source $here/../../share/gdb/gyve.py
		gyve early
		info symbol \$pc
		remove-symbol-file -a \$pc
		break start_kernel
		continue
		backtrace
		print linux_banner
		print init_task.comm
		monitor info
		kill
	IN
	expect '\+info symbol' '^startup_64 in section' 'hit Breakpoint 1|Breakpoint 1, start_kernel' '^#0 +start_kernel' 'Linux version' 'swapper' 'start_kernel'
	gyve_ends 0
}

# Here, too, where a boot takes minutes: the kernel's first words, unpacked by gyve. On a terminal: Ctrl-C is the guest's, Ctrl-A x ends gyve, and the terminal is as it was.
limit_linux_x86_terminal=120
test_linux_x86_terminal() {
	MACHINE=svm linux_files
	cat >"$T/terminal.py" <<-'PY'
		import os, pty, select, sys, termios, time
		pid, fd = pty.fork()
		if pid == 0:
		    os.execv(sys.argv[1], sys.argv[1:])
		before, said, until, typed = termios.tcgetattr(fd), b"", time.time() + 90, False
		while time.time() < until:
		    if not select.select([fd], [], [], 1)[0]:
		        continue
		    try:
		        piece = os.read(fd, 4096)
		    except OSError:
		        break
		    if not piece:
		        break
		    said += piece
		    if b"Command line:" in said and not typed:
		        raw = not termios.tcgetattr(fd)[3] & termios.ICANON
		        os.write(fd, b"\x03\x01\x01text\x01x")
		        typed = True
		status = os.waitpid(pid, 0)[1]
		print(said.decode(errors="replace"))
		print("raw", raw, "status", os.waitstatus_to_exitcode(status), "restored", termios.tcgetattr(fd) == before)
	PY
	python3 "$T/terminal.py" "$GYVE" run -m 256MiB --append 'earlyprintk=ttyS0' "$linux_base/vmlinuz" >"$T/gyve.out" 2>"$T/gyve.err"
	linux_says 'Ctrl-A x ends' 'Linux version 6' '^raw True status 130 restored True'
}
