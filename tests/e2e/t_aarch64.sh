# shellcheck shell=bash
# What only an aarch64 guest has.
only_machine_tests aarch64 a64_first_stop a64_own_brk a64_masks a64_interrupts_wait a64_exclusives a64_wide_watch a64_registers \
	a64_crash a64_crash_alone a64_vectors_gone a64_psci a64_reset a64_all_registers a64_continues a64_pages_4k a64_pages_16k a64_pages_64k \
	a64_hermit a64_hermit_v1 a64_hermit_v2 a64_hermit_v3 a64_physical_mode a64_stack_gone a64_psci_reset a64_crash_jump a64_nobody_owns \
	a64_pauth a64_sve

test_a64_first_stop() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		info registers pc x0 x1 cpsr
		x/i $pc
		backtrace
		stepi
		stepi
		x/i $pc
		x/xw kmain
		break *kmain
		continue
		stepi
		x/xw kmain
		kill
	IN
	expect '_start \(\)' '^pc +0x40200000' '^x0 +0x0' '^x1 +0x1' '^cpsr .*EL=1 F I A D' '=> 0x40200000 <_start>' '^#0 +_start' \
		'=> 0x40200008' '<kmain>:.*0xa9' 'Breakpoint 1, kmain' '<kmain>:.*0xa9'
	gyve_ends 0
}

test_a64_own_brk() {
	gyve_start "$GUESTS/brk"
	gdb_run brk <<-'IN'
		break own_breakpoint
		continue
		stepi
		stepi
		stepi
		info registers pc
		delete
		break after
		continue
		print taken
		continue
	IN
	expect 'Breakpoint 1, own_breakpoint' '\+info registers pc' '^pc .*<vectors+' 'Breakpoint 2, after' '\$1 = 3' 'exited normally'
	gyve_ends 0
	output 'brk handled 3 times'
}

test_a64_masks() {
	gyve_start "$GUESTS/daif"
	gdb_run daif <<-'IN'
		break masks
		continue
		stepi 40
		tbreak start_timer
		stepi 260
		print wrong
		delete
		continue
	IN
	expect 'Breakpoint 1, masks' '\$1 = 0' 'exited normally'
	gyve_ends 0
	output 'masks are right'
}

test_a64_interrupts_wait() {
	gyve_start "$GUESTS/daif"
	gdb_run daif <<-'IN'
		break waiting
		continue
		delete
		stepi 30
		backtrace 1
		stepi 30
		backtrace 1
		print ticks < 3
		print $CNTV_CVAL_EL0 != 0
		info registers cpsr
		continue
	IN
	expect 'Breakpoint 1, waiting' '^#0 .*waiting \(\)' '\+stepi 30' '^#0 .*waiting \(\)' '= 1' '^cpsr .*' 'exited normally'
	expect_not '^cpsr .* I '
	gyve_ends 0
	output 'masks are right'
}

# A store-exclusive never succeeds behind a debug exception: steps must not come between.
test_a64_exclusives() {
	gyve_start "$GUESTS/smp"
	gdb_run smp <<-'IN'
		set var total = 3
		break fetch_add
		continue
		next
		next
		print hits
		disable
		stepi 400
		break halt
		kill
	IN
	expect 'Breakpoint 1, fetch_add' '\$1 = 1' '\+stepi 400' '\+kill'
	gyve_ends 0
}

# Ranges: within a doubleword, across two, and a whole page by mask.
test_a64_wide_watch() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break count
		continue
		delete
		watch *(char(*)[4096])((long)&counter & ~4095)
		maintenance packet Z3,40207039,f
		maintenance packet Z3,40208041,7f
		stepi
		monitor breakpoints
		maintenance packet z3,40207039,f
		continue
		x/2i $pc - 4
		print counter
		continue
		print counter
		delete
		continue
	IN
	expect 'Breakpoint 1, count' 'received: "OK"' 'received: "OK"' 'read watch +in 2 debug register.*15 byte' \
		'read watch +by page protection, 127 byte' '\+continue' \
		'ardware watchpoint 2' '0x.*str' '= 1' '\+continue' 'ardware watchpoint 2' '= 3' 'exited normally'
	gyve_ends 0
}

test_a64_crash() {
	gyve_start "$GUESTS/crash_pf"
	gdb_run crash_pf <<-'IN'
		continue
		print $ESR_EL1
		info symbol $ELR_EL1
		print/x $FAR_EL1
		monitor vtop 0x7000001000
		kill
	IN
	expect 'data abort on a write: translation fault at level 1.*in die' '(SIGSEGV|SIGILL|SIGTRAP|SIGABRT)' '^\$1 = ' '^die \+' \
		'= 0x7000001000' 'level 1' '\+kill'
	gyve_ends 124
}

test_a64_crash_alone() {
	gyve_run 124 "$GUESTS/crash_ud"
	output 'about to crash'
	grep -q 'undefined instruction.*in die' "$T/gyve.err" || fail "no paragraph about the exception"
}

test_a64_registers() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break kmain
		continue
		print $SCTLR_EL1
		print/x $TTBR0_EL1
		print/x $MPIDR_EL1 & 0xff
		set $x5 = 0x1234
		print $TCR_EL1
		set $v3.uint128 = 7
		stepi
		print/x $x5
		print $v3.uint128
		monitor vtop kmain
		monitor pt
		monitor maps
		continue
	IN
	expect '\$1 = \[ M C.* I ' '\$2 = 0x4020' '\$3 = 0x0' '\$5 = 0x1234' '\$6 = 7' '-> gpa 0x402' '\+monitor maps' '0x0*40000000-0x0*7fffffff rwx-' \
		'exited normally'
	gyve_ends 0
}

# Where addresses lead, as the walker says and as the processor itself has said.
# ask_pages N: gdb commands that put what the walker says beside what the processor has said (va[] and par[] of the guest).
ask_pages() {
	local i
	for ((i = 0; i < $1; i++)); do
		echo "eval \"monitor vtop 0x%lx\", va[$i]"
		echo "printf \"PAR %d %016lx %016lx\\n\", $i, va[$i], par[$i]"
	done
}

# same_pages N: they agree.
same_pages() {
	awk -v n="$1" '
		/: level [0-3] descriptor/ && !/^ / { sub(/.*: level /, ""); level = substr($0, 1, 1); next }
		/ -> gpa 0x/ && !/^ / { sub(/.* -> gpa /, ""); sub(/,.*/, ""); gpa = $0; next }
		/^PAR / {
			par = $4
			fault = par ~ /[13579bdf]$/
			# fault status 1 to 3 bits up: 4 + level
			if (fault && level != "" && index("9bdf", substr(par, 16)) != level + 1) bad_level = 1
			want = substr(par, 5, 9) substr($3, 14)
			sub(/^0*/, "", want)
			have = gpa
			sub(/^0x0*/, "", have)
			if (bad_level || (fault ? gpa != "" : have != want)) { print "address " $3 ": walker " gpa ", processor " par; bad = 1 }
			gpa = level = ""
			bad_level = 0
			seen++
		}
		END { exit bad || seen != n }' "$T/gdb.log" >"$T/client.log" || fail "walker and processor differ: $(tail -n 1 "$T/client.log")"
}

pages_of() {
	local bits=$1
	gyve_start "$GUESTS/paging_$bits"
	gdb_run "paging_$bits" <<-IN
		break mapped
		x/gx 0xffff000080000008
		continue
		x/gx 0xffff000080000008
		x/gx 0x80000000
		x/gx 0x190000000
		monitor pt 0x80000000
		monitor maps
		$(ask_pages 14)
		set var *(unsigned long *)0xffff000080000008 = 0x5a5a1234
		print/x page[1] == 0x5a5a1234
		delete
		continue
	IN
	expect '\+x/gx 0xffff' 'Cannot access' 'Breakpoint 1, mapped' '0xffff000080000008:.*0x1122334455667788' '^0x80000000:' \
		'Cannot access' '\+monitor pt' 'ontiguous|CONTIG' '\+monitor maps' '0xffff000080000000-0xffff00008000.*r---' '\$1 = 0x1$' 'exited normally'
	same_pages 14
	gyve_ends 0
	output 'moved to own tables'
}

test_a64_pages_4k() {
	pages_of 12
}
test_a64_pages_16k() {
	pages_of 14
}
test_a64_pages_64k() {
	pages_of 16
}

test_a64_psci() {
	gyve_run 0 "$GUESTS/psci"
	output 'off'
}

test_a64_reset() {
	gyve_start -c 2 "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break factorial
		continue
		monitor reset
		maintenance flush register-cache
		info registers pc
		print counter
		continue
		print counter
		delete
		continue
	IN
	expect 'Breakpoint 1, factorial' '\+monitor reset' '^pc +0x40200000' '\$1 = 0' 'Breakpoint 1, factorial \(n=5\)' '\$2 = 15' \
		'exited normally'
	gyve_ends 0
}

test_a64_all_registers() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		break kmain
		continue
		info all-registers
		print/x $ID_AA64PFR0_EL1 != 0
		set $CONTEXTIDR_EL1 = 0x77
		set $TPIDR_EL1 = 0x1234
		set $sp = $sp - 16
		stepi
		print/x $CONTEXTIDR_EL1
		print/x $TPIDR_EL1
		print/x $sp == $SP_EL1
		kill
	IN
	expect '\+info all-registers' '^x30 ' '^cpsr ' '^SCTLR_EL1 ' '^MIDR_EL1 ' '\$1 = 0x1' '\$2 = 0x77' '\$3 = 0x1234' \
		'\$4 = 0x1'
	expect_not '<unavailable>'
	gyve_ends 0
}

test_a64_continues() {
	gyve_start -c 2 "$GUESTS/smp"
	rsp hits "$(symbol smp hot)" "$(symbol smp total)" "${GYVE_E2E_A64_HITS:-200}" 2
	gyve_ends 0
	output "hits ${GYVE_E2E_A64_HITS:-200}"
}

test_a64_vectors_gone() {
	gyve_run 124 "$GUESTS/vectors_gone"
	output 'about to crash'
	grep -q 'vectors cannot be executed.*instruction abort.*FAR_EL1 is 0x7000000200' "$T/gyve.err" || fail "no paragraph about the vectors"
}

test_a64_hermit() {
	local image=${GYVE_HERMIT_A64_IMAGE:-$here/../../../images/hello_arm64} symbol
	[ -r "$image" ] || skip "no Hermit image; name one in GYVE_HERMIT_A64_IMAGE (uhyve's data/0.11.0/arm64/hello_world)"
	cp "$image" "$T/image"
	symbol=$(aarch64-linux-gnu-nm "$T/image" | awk '$3 ~ /hello_world4main17h/ { print $3; exit }')
	[ -n "$symbol" ] || skip "the image has no symbol hello_world::main"
	gyve_start -c 2 "$T/image"
	GUESTS=$T gdb_run image <<-IN
		break $symbol
		continue
		backtrace 2
		stepi
		stepi
		x/gx \$sp
		watch -location *(long *)(\$sp - 8)
		continue
		delete
		continue
	IN
	expect 'Breakpoint 1, ' '^#0 ' 'atchpoint 2' 'exited normally'
	grep -q 'Hello, world!' "$T/gyve.out" || fail "no greeting in the output"
	gyve_ends 0
}

# Each interface version by a kernel of ours: calls, arguments, environment, the end, and every page of the first tables.
hermit_of() {
	local version=$1
	shift
	guest_args=(kernel-argument -- 'for the' program)
	gyve_start -e COLOUR=blue "$GUESTS/hermit_$version"
	gdb_run "hermit_$version" <<-IN
		break mapped
		continue
		$(ask_pages 96)
		print wrong
		x/gx 0x1000
		delete
		continue
	IN
	expect 'Breakpoint 1, mapped' '= 0$' '0x1000:' 'exited with code 050'
	same_pages 96
	output "$(printf '%s\n' "v$version" 'bootargs kernel-argument env=COLOUR=blue -- for the program' "$@" written asked)"
	gyve_ends 40
}

test_a64_hermit_v1() {
	hermit_of 1 'argument kernel-argument' 'argument --' 'argument for the' 'argument program' 'environment COLOUR=blue'
}
test_a64_hermit_v2() {
	hermit_of 2
}
test_a64_hermit_v3() {
	hermit_of 3
}

test_a64_physical_mode() {
	gyve_start "$GUESTS/high_14"
	gdb_run high_14 <<-'IN'
		break sail
		continue
		print/x *(unsigned *)$pc == *(unsigned *)0xffff000040200000
		x/gx 0x80000000
		maintenance packet Qqemu.PhyMemMode:1
		maintenance packet qqemu.PhyMemMode
		maintenance flush dcache
		x/gx 0xffff000040200000
		x/gx 0x40200000
		set var *(unsigned long *)0x41000000 = 0x1122334455667788
		maintenance packet Qqemu.PhyMemMode:0
		maintenance flush dcache
		x/gx 0xffff000081000000
		x/gx 0xffff000040200000
		delete
		continue
	IN
	expect 'Breakpoint 1, sail' 'Cannot access' 'received: "OK"' 'received: "1"' '\+x/gx 0xffff000040200000' 'Cannot access' \
		'^0x40200000:.*0x' 'received: "OK"' '^0xffff000081000000:.*0x1122334455667788' '<shift>:.*0x' 'exited normally'
	gyve_ends 0
}

# Vectors that fault themselves, since the stack is gone.
test_a64_stack_gone() {
	gyve_run 124 "$GUESTS/stack_gone"
	output 'about to crash'
	grep -q 'same exception.*data abort on a write: translation fault.*vectors.*FAR_EL1 is 0x6f' "$T/gyve.err" || fail "no paragraph about the loop"
}

test_a64_psci_reset() {
	gyve_run 0 "$GUESTS/reset"
	output 'off'
}

test_a64_crash_jump() {
	gyve_run 124 "$GUESTS/crash_jump"
	output 'about to crash'
	grep -q 'instruction abort.*translation fault at level 1.*0x7000002000.*level 1' "$T/gyve.err" || fail "no paragraph about the jump"
}

# Mapped, but nothing is there: as on x86_64 it reads as ones, and is the end with --strict.
test_a64_nobody_owns() {
	gyve_run 124 --strict "$GUESTS/crash_mmio"
	grep -q '0xa000000.*in die' "$T/gyve.err" || fail "no paragraph about the address"
	gyve_run 0 "$GUESTS/crash_mmio"
	grep -q survived "$T/gyve.out" || fail "the guest did not survive"
}

# On a processor that has it. gdb takes the codes off by itself only since 13.2, Debian 12's does not know these registers.
test_a64_pauth() {
	MACHINE_MODEL=max
	gyve_start "$GUESTS/pauth"
	gdb_run pauth <<-'IN'
		print/x $pauth_cmask
		break inner
		continue
		print/x $pauth_cmask
		print/x $pauth_dmask_high
		print/x signed_return >> 48 != 0
		info symbol signed_return & ~$pauth_cmask
		delete
		continue
	IN
	expect '\$1 = 0x0$' 'Breakpoint 1, inner' '\$2 = 0xff7fff8000000000' '\$4 = 0x1' '^kmain \+ ' 'exited normally'
	gyve_ends 0
}

# Vectors of 2048 bits, by their own names and by those of their first 128.
test_a64_sve() {
	MACHINE_MODEL=max
	gyve_start "$GUESTS/sve"
	gdb_run sve <<-'IN'
		break loaded
		continue
		print $vg * 8 == length && length > 16
		print sizeof($z0) == length
		print $z0.d.u[0] + $z0.d.u[3]
		print $z1.b.u[length - 1]
		print/x $p0[0]
		print/x $p1[length / 8 - 1]
		print/x $ffr[0]
		print $v0.d.u[1]
		print $ZCR_EL1
		set $z0.d.u[1] = 100
		print $v0.d.u[1]
		set $p1[0] = 5
		break added
		continue
		print/x $p1[0]
		print sum == (length / 8) * (length / 8) + 97
		info registers fpcr
		delete
		continue
	IN
	expect 'Breakpoint 1, loaded' '\$1 = 1' '\$2 = 1' '\$3 = 8' '\$4 = 7' '\$5 = 0x1' '\$6 = 0xff' '\$7 = 0xff' '\$8 = 3' '\$9 = 15' \
		'\$10 = 100' 'Breakpoint 2, added' '\$11 = 0x5' '\$12 = 1' '^fpcr' 'exited normally'
	gyve_ends 0
}
