# shellcheck shell=bash
# What `monitor` answers, command by command.
only_machine_tests aarch64 a64_monitor a64_catch a64_clock

# The transcript's answer to the gdb command $1 (as a regular expression), up to the next command.
answer() {
	awk -v want="^\\\\+$1\$" '$0 ~ want { on = 1; next } /^\+/ { on = 0 } on' "$T/gdb.log"
}

test_monitor_registers() {
	gyve_start -c 2 "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break sail
		continue
		monitor regs
		monitor sregs
		monitor msr lstar 0xffffffff81000000
		maintenance flush register-cache
		p/x $lstar
		monitor msr 0xc0000082
		monitor msr no_such_msr
		monitor msr
		monitor help msr
		monitor cpu 1
		monitor regs
		monitor cpu 2
		monitor cpu auto
		monitor lapic
		monitor ioapic
		monitor gic
		monitor log gdb=info
		monitor log nonsense
		kill
	IN
	expect 'Breakpoint 1, sail' '\+monitor regs' '^rip +0x0*20[0-9a-f]+  <sail' '^eflags .*\[' '\+monitor sregs' \
		'^cr0 +0x0000000080000031  \[ PE ET NE PG \]' '^efer .*\[ LME LMA NXE \]' '^xcr0' '\+monitor msr lstar' \
		'^0xc0000082 = 0xffffffff81000000' '= 0xffffffff81000000' '^0xc0000082 = 0xffffffff81000000' 'no_such_msr' \
		'^lstar +0xc0000082 0xffffffff81000000' '^monitor msr ' 'vCPU 1' '^rip' 'too large' "gdb's thread" \
		'local APIC of vCPU 0 at 0xfee00000, enabled' '^  timer .*masked' '^  IRR +none' '^pin 23' \
		'nothing of this kind' \
		'gdb=info' 'no log level'
	gyve_ends 0
}

test_monitor_memory() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break sail
		continue
		monitor xp /2gx 0x200000
		monitor xp /3ub 0x200000
		monitor xp 0x700000000
		monitor search 0x200000 0x10000 "Argo"
		monitor search -p 0 0x4000000 41 72 67 6f 00
		monitor search 0x200000 0x10000 zz
		monitor gva2gpa sail+1
		monitor gva2gpa 0x700000000000
		monitor translate $rip
		monitor xp /1wx 0xfee00030
		x/wx 0xfee00030
		monitor in 0xe9
		monitor out 0xe9 65
		monitor in 0x1234
		monitor out 0xf4 1
		kill
	IN
	expect '\+monitor xp /2gx' '^0000000000200000: 0x[0-9a-f]{16} 0x[0-9a-f]{16}$' \
		'^0000000000200000: +[0-9]+ +[0-9]+ +[0-9]+$' \
		'Cannot access memory' '^0x[0-9a-f]{16}' '^1 found' '^0x[0-9a-f]{16}' '^1 found' 'hex digits' \
		'^gpa: 0x20[0-9a-f]+$' \
		'^Unmapped' '-> gpa 0x20[0-9a-f]+, 2 MiB page' '^00000000fee00030: 0x00050014' '0xfee00030:.*0x00050014' \
		'^portb\[0x00e9\] = 0xe9' 'no device at port 0x1234' 'ends the guest'
	output 'hello from a bare kernel
A'
	gyve_ends 0
}

# An address space that no vCPU has loaded yet.
test_monitor_as() {
	gyve_start "$GUESTS/paging"
	gdb_run paging <<-'IN'
		break mapped
		continue
		x/gx 0xffff900000000008
		monitor as 0x10000
		x/gx 0xffff900000000008
		x/gx 0x600000
		monitor as off
		x/gx 0xffff900000000008
		monitor as $cr3
		x/gx 0xffff900000000008
		kill
	IN
	expect 'Breakpoint 1, mapped' '1122334455667788' 'address space 0x10000' 'Cannot access' '^0x600000:' 'selected vCPU' \
		'1122334455667788' 'address space 0x' '1122334455667788'
	gyve_ends 0
}

# pwndbg and gef split these lines by their columns: QEMU's format to the letter.
test_monitor_qemu_formats() {
	gyve_start "$GUESTS/paging"
	gdb_run paging <<-'IN'
		break mapped
		continue
		monitor info mem
		monitor info tlb
		monitor info registers
		monitor info registers -a
		monitor info nonsense
		kill
	IN
	answer 'monitor info mem' >"$T/mem"
	answer 'monitor info tlb' >"$T/tlb"
	answer 'monitor info registers' >"$T/registers"
	grep -q '^ffff900000000000-ffff900000001000 0000000000001000 [u-]r-$' "$T/mem" || fail "info mem: $(tail -n 1 "$T/mem")"
	! grep -vE '^[0-9a-f]{16}-[0-9a-f]{16} [0-9a-f]{16} [u-]r[w-]$' "$T/mem" >"$T/odd" || fail "info mem: $(head -n 1 "$T/odd")"
	grep -qE '^ffff900000000000: [0-9a-f]{13}000 X?-?' "$T/tlb" || fail "info tlb: $(tail -n 1 "$T/tlb")"
	! grep -vE '^[0-9a-f]{16}: [0-9a-f]{16} [X-][G-][P-][D-][A-][C-][T-][U-][W-]$' "$T/tlb" >"$T/odd" ||
		fail "info tlb: $(head -n 1 "$T/odd")"
	python3 - "$T/mem" "$T/registers" <<-'PY' >"$T/parsed" 2>&1 || fail "a reader like pwndbg's: $(tail -n 1 "$T/parsed")"
		import re, sys
		total = 0
		for line in open(sys.argv[1]):
		    dash, space, last = line.index("-"), line.index(" "), line.rindex(" ")
		    start, end, size = int(line[:dash], 16), int(line[dash + 1 : space], 16), int(line[space + 1 : last], 16)
		    assert (end - start) % 2**64 == size and size % 4096 == 0, line
		    total += size
		assert total > 2**20
		regs = dict(re.findall(r"([A-Z]+[0-9]*) ?=\s*([0-9a-fA-F]+)", open(sys.argv[2]).read()))
		assert int(regs["CR0"], 16) & 0x80000001 == 0x80000001, regs["CR0"]
		assert int(regs["EFER"], 16) & 0x500 == 0x500 and "RIP" in regs and "CR3" in regs and "XMM15" in regs
	PY
	expect '\+monitor info mem' '^CPU#0' '^RIP=[0-9a-f]{16} RFL=[0-9a-f]{8} \[[DOSZAPC-]{7}\] CPL=0' \
		'^CS =0008 .* CS64 \[-RA\]' \
		'^GDT=     [0-9a-f]{16} 00000017' '^CR0=8000[0-9a-f]+ CR2=' '^EFER=' '^FCW=037f' '^XMM00=' 'there is no .monitor info'
	gyve_ends 0
}

# The tables the processor reads.
test_monitor_tables() {
	gyve_start "$GUESTS/int3"
	gdb_run int3 <<-'IN'
		monitor idt
		monitor gdt
		break on_bp
		continue
		monitor idt
		monitor idt 3
		monitor idt 300
		kill
	IN
	expect '\+monitor idt' 'no vector is present' '^GDT at 0x' '^0x0008 .* code, readable, 64-bit' \
		'^0x0010 .* data, writable' \
		'Breakpoint 1, on_bp' '^  3 #BP breakpoint +0x0*20[0-9a-f]+ <on_bp.*cs 0x8, interrupt gate, DPL 0' \
		'\+monitor idt 3$' '^  3 #BP' 'too large'
	gyve_ends 0
}

# Each exception stops the guest at its handler, with the reason; the table is loaded and changed while it runs.
test_catch() {
	gyve_start "$GUESTS/faults"
	gdb_run faults <<-'IN'
		monitor catch all on
		monitor catch sync on
		monitor catch nonsense on
		continue
		bt 2
		continue
		continue
		monitor breakpoints
		monitor catch pf off
		continue
		continue
	IN
	expect '^pf +on' '^df +on' 'no such exception' "no exception 'nonsense'" '\+continue' \
		'^vCPU 0 has taken an exception: #PF page fault: write of 0x700000001000 \(CR2\) from ring 0, not present; .*PML4E.*at 0x[0-9a-f]+ in store.*error code 0x2' \
		'SIGSEGV' 'on_pf' '#1 .* store \(at=' \
		'#GP general protection; at 0x[0-9a-f]+ in store' 'SIGSEGV' '#UD invalid opcode; at 0x[0-9a-f]+ in undefined' \
		'SIGILL' \
		'exception handler' '^pf +off' '\+continue' '#DF double fault' 'SIGBUS' 'exited normally'
	gyve_ends 0
}

# Where the client has a breakpoint of its own it is told of that one, and why besides. The new handler is followed.
test_catch_beside_breakpoints() {
	gyve_start "$GUESTS/faults"
	gdb_run faults <<-'IN'
		break *on_pf
		monitor catch pf on
		continue
		delete
		continue
		monitor catch all off
		continue
	IN
	expect '#PF page fault: write of 0x700000001000' 'Breakpoint 1, .*on_pf' '#PF page fault: write of 0x700000001008' \
		'SIGSEGV' 'on_pf_again' '^pf +off' 'exited normally'
	gyve_ends 0
}

# Nothing is left behind in the guest by a client that goes.
test_catch_ends_with_the_session() {
	gyve_start "$GUESTS/faults"
	gdb_run faults <<-'IN'
		monitor catch all on
		continue
		detach
	IN
	expect '#PF page fault' 'detached'
	gyve_ends 0
	output 'table loaded
handler changed
double fault'
}

test_a64_monitor() {
	gyve_start "$GUESTS/brk"
	gdb_run brk <<-'IN'
		break own_breakpoint
		continue
		monitor regs
		monitor sregs
		monitor info registers
		monitor idt
		monitor gic
		monitor msr
		monitor msr S3_0_C13_C0_4 0x1234
		maintenance flush register-cache
		p/x $TPIDR_EL1
		monitor msr tpidr_el1
		monitor msr S3_7_C15_C15_7
		monitor lapic
		monitor info mem
		monitor info tlb
		monitor xp /2wx 0x40200000
		x/wx 0x09000018
		monitor xp /1wx 0x0a000000
		monitor as 0x40000000
		monitor as off
		kill
	IN
	expect 'Breakpoint 1, own_breakpoint' '^pc +0x0*40[0-9a-f]+  <own_breakpoint' '^cpsr .*\[' '^SCTLR_EL1 .*\[ M' \
		'^CPU#0' '^ PC=[0-9a-f]{16} X00=[0-9a-f]{16} X01=' '^PSTATE=[0-9a-f]{8} [NZCV-]{4} NS EL1h' \
		'vectors at VBAR_EL1 0x40' \
		'^ 4 synchronous +current EL, SP_ELx +0x0*40[0-9a-f]+200? ?' '^GICD_CTLR' '^ICC_PMR_EL1' '^ttbr0_el1' '= 0x0000000000001234' \
		'= 0x1234' \
		'= 0x0000000000001234' '\+monitor msr S3_7' 'there is none|does not give' 'nothing of this kind' \
		'^[0-9a-f]{16}-[0-9a-f]{16} [0-9a-f]{16} [u-]r[w-]' '^[0-9a-f]{16}: [0-9a-f]{16} [X-][G-][P-]' \
		'^0000000040200000: 0x' \
		'address space 0x40000000' 'selected vCPU'
	gyve_ends 0
}

test_a64_catch() {
	gyve_start "$GUESTS/brk"
	gdb_run brk <<-'IN'
		monitor catch sync on
		monitor catch pf on
		continue
		continue
		monitor breakpoints
		monitor catch sync off
		continue
	IN
	expect '^sync +on' 'no such exception' \
		'synchronous exception from the current level: .*ESR_EL1 0xf2000007; at 0x40[0-9a-f]+ in own_breakpoint' \
		'synchronous exception' 'exception handler' '^sync +off' 'exited normally'
	gyve_ends 0
}

# MSRs as registers, and what the host has beside AVX.
test_msr_registers() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		p/x $pat
		set $pat = 0x0007040600070400
		p $misc_enable
		set $sysenter_eip = 0x1234
		stepi
		maintenance flush register-cache
		monitor msr pat
		monitor msr sysenter_eip
		p $tsc > 0
		set $tsc = 0
		info registers cr0 xcr0 pat
		kill
	IN
	expect '= 0x7040600070406' '\[ FAST_STRINGS \]' '^0x277 = 0x0007040600070400' '^0x176 = 0x0000000000001234' '= 1$' \
		'(cannot be written|Could not write)' '^cr0 ' '^xcr0 ' '^pat '
	gyve_ends 0
}

# gdb is told of the registers of another mode, and nothing is too long for it.
test_modes() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		monitor mode
		file
		monitor mode 32
		stepi
		unset tdesc filename
		info registers eax eip
		show architecture
		stepi
		p $cr0
		p $ax
		monitor mode 16
		unset tdesc filename
		show architecture
		stepi
		info registers eip
		monitor mode cpu
		unset tdesc filename
		info registers rip
		show architecture
		stepi
		monitor mode 8
		kill
	IN
	expect '64-bit mode; described as of: image' 'described as of: 32 bits' '\+unset' '^eax ' '^eip +0x200' '"i386"' \
		'^0x0020' \
		'PE ET' '\+monitor mode 16' '"i8086"' '^eip +0x200' '\+monitor mode cpu' '^rip +0x200' '"i386:x86-64"' \
		'the mode is 16'
	expect_not 'too long|truncated|invalid hex'
	gyve_ends 0
}

# A guest's watchdog forgives the time of a stop, as the guest is told of it.
test_clock() {
	gyve_start "$GUESTS/clock"
	gdb_run clock <<-'IN'
		break held
		continue
		shell sleep 1
		continue
	IN
	expect 'Breakpoint 1, held' 'exited normally'
	gyve_ends 0
	! grep -q 'no clock here' "$T/gyve.out" || skip "this host's KVM has no clock for its guests"
	grep -q 'the guest was told' "$T/gyve.out" || fail "the guest says: $(tail -n 1 "$T/gyve.out")"
}

test_a64_clock() {
	gyve_start "$GUESTS/clock"
	gdb_run clock <<-'IN'
		break held
		continue
		shell sleep 3
		continue
	IN
	expect 'Breakpoint 1, held' 'exited normally'
	gyve_ends 0
	output 'the counter was held'
}

# docs/monitor.md names every command.
test_monitor_documented() {
	local doc=$here/../../docs/monitor.md name
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		monitor help
		kill
	IN
	gyve_ends 0
	for name in info cpu regs msr idt lapic gic vtop pt maps as xp search catch breakpoints quit; do
		grep -q "^monitor $name\>" "$T/gdb.log" || fail "monitor help does not name $name"
	done
	grep -oE '^monitor (info (mem|tlb|registers)|[a-z0-9]+)' "$T/gdb.log" | cut -c9- | sort -u | while read -r name; do
		grep -qE "\`$name( |\`)" "$doc" || echo "$name"
	done >"$T/missing"
	[ ! -s "$T/missing" ] || fail "docs/monitor.md does not name: $(tr '\n' ' ' <"$T/missing")"
}

test_monitor_quit() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		monitor quit
	IN
	expect 'the guest ends'
	gyve_ends 0
}

# AVX-512 and protection keys: described because the host has them, there because the guest has enabled them.
test_avx512() {
	grep -q avx512f /proc/cpuinfo || skip "this host has no AVX-512"
	gyve_start "$GUESTS/xcr0"
	gdb_run xcr0 <<-'IN'
		p $k1
		break held
		continue
		p $xcr0
		p $k1
		set $k1 = 0x1234
		set $xmm17.uint128 = 5
		set $zmm3.v8_int64[7] = 0x55
		set $zmm20.v8_int64[4] = 0x66
		stepi
		maintenance flush register-cache
		p/x $k1
		p $xmm17.uint128
		p/x $zmm3.v8_int64
		p/x $zmm20.v8_int64
		p $k2
		info registers rip
		continue
	IN
	grep -q '^no XSAVE' "$T/gyve.out" && skip "this host's KVM has no XSAVE for its guests"
	expect '\+p \$k1' '<unavailable>' 'Breakpoint 1, held' 'X87 SSE AVX OPMASK ZMM_HI256 HI16_ZMM' '\+p \$k1' '= 0$' \
		'\+p/x \$k1' '= 0x1234' '= 5$' \
		'= \{0x0 <repeats 7 times>, 0x55\}|= \{0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x55\}' \
		'= \{0x0, 0x0, 0x0, 0x0, 0x66, 0x0, 0x0, 0x0\}' '= 0$' 'exited normally'
	gyve_ends 0
}
