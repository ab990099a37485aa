# shellcheck shell=bash
# Memory through the guest's page tables, and what the monitor tells about them.

test_unmapped_memory() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		x/4gx 0x200000
		x/4gx 0x700000000000
		x/4gx 0x8000000000000000
		monitor vtop 0x700000000000
		kill
	IN
	expect '^0x200000' '\+x/4gx 0x7' 'Cannot access memory at address 0x700000000000|0x700000000000' \
		'\+monitor vtop' '(0x700000000000|PML4|PML4E|level|not present)'
	gyve_ends 0
}

test_own_page_tables() {
	gyve_start "$GUESTS/paging"
	gdb_run paging <<-'IN'
		break mapped
		x/gx 0xffff900000000008
		continue
		x/gx 0xffff900000000008
		x/gx &page[1]
		x/gx 0x600000
		monitor vtop 0xffff900000000000
		monitor pt 0xffff900000000000
		monitor pt 0x600000
		monitor maps
		continue
	IN
	expect '\+x/gx 0xffff9' 'Cannot access' 'Breakpoint 1, mapped' '0xffff900000000008:.*0x1122334455667788' \
		'<page\+8>:.*0x1122334455667788' 'Cannot access' 'vtop' 'gpa 0x[0-9a-f]+, 4 KiB page, r---' '\+monitor pt' \
		'PML4' '\+monitor pt 0x600000' '0x600000' '\+monitor maps' '0xffff900000000000-0xffff900000000fff r---' \
		'exited normally'
	gyve_ends 0
}

# What the guest may not write its debugger may: the guest reads it there, and sees it in its own, writable mapping.
test_write_readonly_mapping() {
	gyve_start "$GUESTS/paging"
	gdb_run paging <<-'IN'
		break mapped
		continue
		monitor vtop 0xffff900000000008
		set var *(unsigned long *)0xffff900000000008 = 0x5a5a1234
		print/x page[1]
		break put_text
		continue
		print/x seen
		delete
		continue
	IN
	expect 'Breakpoint 1, mapped' '4 KiB page, r---' '\$1 = 0x5a5a1234$' 'Breakpoint 2, ' '\$2 = 0x5a5a1234$' 'exited normally'
	gyve_ends 0
}

test_monitor() {
	gyve_start -c 2 "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break kmain
		monitor help
		monitor info
		monitor vtop kmain
		monitor pt
		monitor maps
		monitor breakpoints
		monitor assist
		monitor nonsense
		set breakpoint always-inserted on
		continue
		monitor breakpoints
		kill
	IN
	expect '\+monitor help' 'monitor vtop' '\+monitor info' 'x86_64, 2 vCPUs' 'vCPU 0' 'vCPU 1' '\+monitor vtop kmain' \
		'-> gpa 0x20[0-9a-f]+' '\+monitor pt' '0x200000 on vCPU' '\+monitor maps' '0x0+-0x0*ffffffff' \
		'\+monitor nonsense' 'nonsense' 'Breakpoint 1, kmain' '\+monitor breakpoints' '0x20'
	gyve_ends 0
}

test_monitor_reset() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break factorial
		continue
		monitor reset
		maintenance flush register-cache
		info registers rip
		print counter
		continue
		print counter
		delete
		continue
	IN
	expect 'Breakpoint 1, factorial' '\+monitor reset' '^rip +0x200000' '\$1 = 0' 'Breakpoint 1, factorial \(n=5\)' '\$2 = 15' \
		'exited normally'
	gyve_ends 0
}

test_physical_mode() {
	gyve_start "$GUESTS/paging"
	gdb_run paging <<-'IN'
		break mapped
		continue
		maintenance packet Qqemu.PhyMemMode:1
		x/gx 0x600000
		maintenance packet qqemu.PhyMemMode
		maintenance packet Qqemu.PhyMemMode:0
		kill
	IN
	expect 'received: "OK"' '^0x600000' 'received: "1"' 'received: "OK"'
	gyve_ends 0
}

test_registers() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		print $cr0
		print/x $cr3
		print $efer
		print/x $cs
		info registers rflags
		info registers eflags
		set $rax = 0x1234
		set $xmm0.uint128 = 5
		stepi
		print/x $rax & 0
		print $xmm0.uint128
		kill
	IN
	expect '\+print \$cr0' '\[ .*PE.*\]|\[ .*PG.*\]' '\$2 = 0x' '\+print \$efer' 'LMA' '\$[0-9]+ = 5'
	gyve_ends 0
}

test_memory_map() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		info mem
		kill
	IN
	expect '0x0+ ?[0-9a-fx ]*rw'
	gyve_ends 0
}

# gdb's find and compare-sections are done here, not by reading memory over the wire.
test_search() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		set debug remote 1
		find 0, +0x400000, 'h', 'e', 'l', 'l', 'o', ' ', 'f', 'r', 'o', 'm'
		find /w 0x200000, +0x10000, 0x12345678
		compare-sections .text
		set debug remote 0
		kill
	IN
	expect 'qSearch:memory:0;400000;hello from' '^0x2[0-9a-f]+' '1 pattern found' 'Pattern not found' 'qCRC:' 'Section .text.*: matched'
}
