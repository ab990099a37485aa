# shellcheck shell=bash
# Clients beside gdb's command line: gyve's gdb commands, the packets that scripts look for, an editor's machine interface.

test_gdb_commands() {
	gyve_start "$GUESTS/faults"
	gdb_run faults <<-IN
		python print("python works")
		source $here/../../share/gdb/gyve.py
		break on_pf
		continue
		gyve pt &taken
		gyve pt
		gyve vtop \$rsp + 8
		gyve vtop kmain
		gyve vtop 0x700000001000
		gyve idt
		gyve idt 2 * 7
		gyve idt #PF
		gyve idt #AC
		gyve flags
		gyve flags \$cr0
		gyve flags nothing
		gyve info mem
		gyve regs
		help gyve
		kill
	IN
	grep -q '^python works' "$T/gdb.log" || skip "this gdb has no Python"
	expect 'Breakpoint 1, on_pf' '\+gyve pt &taken' '^0x[0-9a-f]+ on vCPU 0: long mode' 'PML4E' '\+gyve pt$' 'PDE' \
		'\+gyve vtop \$rsp' '^0x[0-9a-f]+ -> gpa 0x' '\+gyve vtop kmain' '^0x20[0-9a-f]+ -> gpa 0x20' 'PML4E.*not present' \
		'\+gyve idt$' '^ 14 #PF page fault .*<on_pf' '\+gyve idt 2' '^ 14 #PF' '\+gyve idt #PF' '^ 14 #PF' 'no vector #AC' \
		'^cr0 = 0x80000031' '^  PG +paging' '^efer = ' '^  LMA +long mode active' '\+gyve flags \$cr0' '^  PE +protected mode' \
		'no register nothing' '\+gyve info mem' '^[0-9a-f]{16}-[0-9a-f]{16} ' '\+gyve regs' '^rip ' 'gyve pt'
	gyve_ends 0
}

# By these pwndbg and gef take the target for a machine.
test_qemu_packets() {
	gyve_start "$GUESTS/sample"
	gdb_run sample <<-'IN'
		maintenance packet Qqemu.sstepbits
		maintenance packet qqemu.sstepbits
		maintenance packet qqemu.sstep
		maintenance packet Qqemu.sstep=7
		maintenance packet Qqemu.sstep=1
		maintenance packet qqemu.PhyMemMode
		kill
	IN
	expect 'sstepbits' 'received: "ENABLE=1,NOIRQ=2,NOTIMER=4"' 'received: "ENABLE=1,NOIRQ=2,NOTIMER=4"' 'received: "0x7"' \
		'received: "OK"' 'received: "E' 'received: "0"'
	gyve_ends 0
}

# The commands that cppdbg sends, set up by the launch.json of docs/clients.md.
test_machine_interface() {
	command -v python3 >/dev/null || skip "no python3"
	gyve_start "$GUESTS/sample"
	timeout 60 python3 - "$here/../../docs/clients.md" "$GDB" "$GUESTS/sample" "$T/gdb.sock" >"$T/gdb.log" 2>&1 <<-'PY' ||
		import json, re, subprocess, sys
		text = re.search(r"```json\n(.*?)```", open(sys.argv[1]).read(), re.S).group(1)
		launch = json.loads(text)["configurations"][0]
		assert launch["type"] == "cppdbg" and launch["MIMode"] == "gdb" and launch["miDebuggerServerAddress"]
		gdb = subprocess.Popen([sys.argv[2], "-nx", "--interpreter=mi"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
		token = 1000

		def until(pattern):
		    for line in gdb.stdout:
		        print(line, end="")
		        if re.match(pattern, line):
		            return line
		    sys.exit("gdb has ended; no " + pattern)

		def send(command, result="done"):
		    global token
		    token += 1
		    print("> " + command)
		    gdb.stdin.write("%d%s\n" % (token, command))
		    gdb.stdin.flush()
		    line = until(r"%d\^" % token)
		    assert line.split("^")[1].split(",")[0].strip() == result, line
		    return line

		for setup in launch["setupCommands"]:
		    try:
		        send('-interpreter-exec console "%s"' % setup["text"])
		    except AssertionError:
		        assert setup.get("ignoreFailures"), setup
		send("-file-exec-and-symbols " + sys.argv[3])
		send("-environment-cd /")
		send("-target-select remote " + sys.argv[4], "connected")
		send("-break-insert -f sail")
		send("-exec-continue", "running")
		assert 'reason="breakpoint-hit"' in until(r"\*stopped")
		send("-thread-info")
		frames = send("-stack-list-frames 0 1000")
		assert 'func="sail"' in frames and 'func="kmain"' in frames
		send("-stack-select-frame 0")
		assert 'name="ship"' in send("-stack-list-variables 0")
		send("-var-create - * ship->fuel")
		assert '"100"' in send("-data-evaluate-expression ship->fuel")
		names = send("-data-list-register-names")
		assert '"rip"' in names and '"cr3"' in names and '"pat"' in names
		send("-data-list-register-values x 0 16 17")
		send("-data-disassemble -s $pc -e $pc+20 -- 2")
		send("-data-read-memory-bytes $sp 64")
		send('-interpreter-exec console "monitor pt"')
		send("-exec-next", "running")
		assert 'reason="end-stepping-range"' in until(r"\*stopped")
		send("-exec-step", "running")
		until(r"\*stopped")
		send("-exec-finish", "running")
		assert 'reason="function-finished"' in until(r"\*stopped")
		send("-break-delete 1")
		send("-exec-continue", "running")
		until(r"\*stopped,reason=.exited")
		send("-gdb-exit", "exit")
	PY
		fail "through gdb/MI: $(tail -n 1 "$T/gdb.log")"
	gyve_ends 0
}
