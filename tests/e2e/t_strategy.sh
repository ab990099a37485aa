# shellcheck shell=bash
# Every way to do breakpoints and watchpoints, forced, where the host has it.
machine_tests "x86_64 svm aarch64" strategy_watch_page strategy_watch_step strategy_reads_page strategy_watch_many strategy_smp_page \
	strategy_break_register strategy_break_step strategy_break_unseen
machine_tests "x86_64 svm" strategy_reads_step strategy_user_page
test_needs "stops in user mode" strategy_user_page
test_needs "hardware breakpoint" strategy_break_register strategy_break_unseen
test_needs "read-only memory" strategy_watch_page
test_needs "absent memory" strategy_reads_page strategy_smp_page strategy_smp4_page

# Skips where this host lacks it, with gyve's own reason.
strategy_start() {
	if [ -z "$MACHINE" ] && [[ $* == *-strategy* ]]; then
		local why
		why=$(timeout 20 "$GYVE" run --gdb="unix:$T/try.sock" "${@:1:$#-1}" "$GUESTS/minimal" 2>&1 </dev/null &
			sleep 0.3
			kill $! 2>/dev/null)
		case $why in *"gyve: no "*) skip "${why#*gyve: }" ;; esac
	fi
	gyve_start "$@"
}

# Larger than all debug registers, over a page boundary; a value in two pages (which aarch64 guests write in two parts).
watched_data() {
	strategy_start "$@" "$GUESTS/watched"
	gdb_run watched <<-'IN'
		break ready
		continue
		set breakpoint always-inserted on
		watch big
		monitor breakpoints
		continue
		continue
		continue
		continue
		delete
		watch edge.crossing
		continue
		continue
		delete
		break copy
		continue
		delete
		continue
	IN
	expect 'watchpoint 2: big' 'Old value = \{head = 0' 'New value = \{head = 1' 'fill \(' \
		'New value = .*part = \{1, 0 <repeats' 'New value = .* 512, 0 <repeats' 'New value = .*tail = 2' \
		'watchpoint 3: edge.crossing' 'Old value = 0' 'New value = (1234605616436508552|1432778632)$' 'cross \(' \
		'Old value = (1234605616436508552|1432778632)$' 'New value = (1234605616436508553|1234605616436508552)$' \
		'Breakpoint 4, copy' 'exited normally'
	gyve_ends 0
	output 'shared 100 beside 200 last 4'
}

# One instruction that reads and writes more than one value.
watched_reads() {
	strategy_start "$@" "$GUESTS/watched"
	gdb_run watched <<-'IN'
		break copy
		continue
		rwatch pair.from[1]
		continue
		delete
		awatch pair.to[3]
		continue
		delete
		continue
	IN
	expect 'read watchpoint 2: pair.from\[1\]' 'Value = 2' 'copy' 'access .*watchpoint 3: pair.to\[3\]' 'alue = ' \
		'exited normally'
	gyve_ends 0
	output 'shared 100 beside 200 last 4'
}

test_strategy_watch_page() {
	watched_data --watch-strategy=page
	grep -q 'watchpoints by page: chosen' "$T/gdb.log" || fail "monitor breakpoints does not name the strategy"
}

test_strategy_watch_step() {
	watched_data --watch-strategy=step
	grep -q 'watchpoints by step: chosen' "$T/gdb.log" || fail "monitor breakpoints does not name the strategy"
}

test_strategy_reads_page() {
	watched_reads --watch-strategy=page
}

test_strategy_reads_step() {
	watched_reads --watch-strategy=step
}

# In user mode; STMXCSR is no instruction of KVM's emulator: it is stepped over with the page free.
test_strategy_user_page() {
	strategy_start --watch-strategy=page "$GUESTS/ring3"
	gdb_run ring3 <<-'IN'
		break store
		continue
		watch page
		continue
		continue
		continue
		delete
		continue
	IN
	expect 'Breakpoint 1, store' 'New value = \{plain = 1, mxcsr = 0, twice = 0' 'New value = \{plain = 1, mxcsr = 8064, twice = 0' \
		'New value = .*twice = 2' 'exited normally'
	gyve_ends 0
	output 'mxcsr 8064'
}

# As many as one likes, whatever the host has.
test_strategy_watch_many() {
	strategy_start "$GUESTS/watched"
	gdb_run watched <<-'IN'
		break ready
		continue
		watch big.head
		watch big.part[0]
		watch big.part[511]
		watch big.tail
		watch edge.crossing
		watch pair.to
		continue
		continue
		continue
		continue
		continue
		delete
		continue
	IN
	expect 'watchpoint 2: big.head' 'New value = 1' 'watchpoint 3: big.part' 'New value = 1' 'watchpoint 4: big.part' \
		'New value = 512' 'watchpoint 5: big.tail' 'New value = 2' 'watchpoint 6: edge' 'exited normally'
	gyve_ends 0
}

# Atomic additions by four vCPUs to a watched counter and to its neighbour in the page: every one is seen, none is lost.
strategy_smp() {
	strategy_start -c "$1" "${@:2}" "$GUESTS/watched"
	gdb_run watched <<-'IN'
		set var rounds = 50
		watch shared if shared >= 20
		continue
		continue
		info threads
		delete
		continue
	IN
	expect 'watchpoint 1: shared' 'Old value = [12][0-9]$' 'New value = 2[0-9]$' 'Old value = 2[0-9]' 'New value = [23][0-9]$' \
		'exited normally'
	gyve_ends 0
	output "shared $((50 * $1)) beside $((100 * $1)) last 4"
}

test_strategy_smp_page() {
	strategy_smp 2 --watch-strategy=page
}

test_strategy_smp4_page() {
	strategy_smp 4 --watch-strategy=page
}

test_strategy_smp4_step() {
	strategy_smp 4 --watch-strategy=step
}

strategy_breaks() {
	strategy_start -c 2 "$@" "$GUESTS/watched"
	gdb_run watched <<-'IN'
		set breakpoint always-inserted on
		break fill
		break cross
		break copy
		break ready
		break kmain if cpu == 1
		break put_text
		monitor breakpoints
		continue
		continue
		stepi
		continue
		next
		continue
		delete
		continue
	IN
	expect "breakpoints by $how" 'Breakpoint [45], ' 'Breakpoint [1245], ' 'Breakpoint [125], ' 'Breakpoint [235], ' \
		'exited normally'
	gyve_ends 0
	output 'shared 200 beside 400 last 4'
}

test_strategy_break_register() {
	how=debug-register strategy_breaks --break-strategy=debug-register
}

test_strategy_break_step() {
	how=step strategy_breaks --break-strategy=step
}

test_strategy_break_planted() {
	if "$GYVE" probe | grep -q '^software breakpoint *limited'; then
		how=internal-error strategy_breaks --break-strategy=internal-error
	else
		how=native strategy_breaks --break-strategy=native
	fi
}

# What the host cannot do is refused with a reason.
test_strategy_refused() {
	local how=native
	"$GYVE" probe | grep -q '^software breakpoint *limited' || how=internal-error
	touch gyve.out gyve.err
	refused 126 "no breakpoints by $how: a breakpoint instruction" "$GYVE" run --gdb="unix:$T/gdb.sock" "--break-strategy=$how" \
		"$GUESTS/sample"
	"$GYVE" run --watch-strategy=perhaps "$GUESTS/sample" 2>gyve.err
	[ $? = 2 ] && grep -q "'perhaps' is none of: auto, debug-register, page, step" gyve.err || fail "'perhaps' is taken"
}

# Four fit into the debug registers of every host that has them: the guest finds nothing of them in its code. A hardware
# breakpoint has precedence.
test_strategy_break_unseen() {
	strategy_start --break-strategy=unseen "$GUESTS/ownbytes"
	gdb_run ownbytes <<-'IN'
		set breakpoint always-inserted on
		break a1
		break a2
		break a3
		break a4
		continue
		monitor breakpoints
		continue
		continue
		continue
		continue
		info registers pc
		hbreak a5
		monitor breakpoints
		continue
		continue
		continue
		continue
		delete
		continue
	IN
	expect 'in debug registers while one is left' 'in a debug register: the guest' 'Breakpoint 4, a4' 'Breakpoint 1, a1' \
		'Breakpoint 4, a4' 'Breakpoint 5, a5' 'exited normally'
	gyve_ends 0
	output $'sum 35, changed 0\nsum 35, changed 0'
}
