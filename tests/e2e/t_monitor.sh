# shellcheck shell=bash
# What `monitor` answers, command by command.

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
		'local APIC of vCPU 0 at 0xfee00000, enabled' '^  timer .*masked' '^  IRR +none' '^pin 23' 'nothing of this kind' \
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
	expect '\+monitor xp /2gx' '^0000000000200000: 0x[0-9a-f]{16} 0x[0-9a-f]{16}$' '^0000000000200000: +[0-9]+ +[0-9]+ +[0-9]+$' \
		'Cannot access memory' '^0x[0-9a-f]{16}' '^1 found' '^0x[0-9a-f]{16}' '^1 found' 'hex digits' '^gpa: 0x20[0-9a-f]+$' \
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
	expect '\+monitor info mem' '^CPU#0' '^RIP=[0-9a-f]{16} RFL=[0-9a-f]{8} \[[DOSZAPC-]{7}\] CPL=0' '^CS =0008 .* CS64 \[-RA\]' \
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
	expect '\+monitor idt' 'no vector is present' '^GDT at 0x' '^0x0008 .* code, readable, 64-bit' '^0x0010 .* data, writable' \
		'Breakpoint 1, on_bp' '^  3 #BP breakpoint +0x0*20[0-9a-f]+ <on_bp.*cs 0x8, interrupt gate, DPL 0' \
		'\+monitor idt 3$' '^  3 #BP' 'too large'
	gyve_ends 0
}
