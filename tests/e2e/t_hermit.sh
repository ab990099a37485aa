# shellcheck shell=bash
# A real unikernel. GYVE_HERMIT_IMAGE names it, or it lies beside the tree: uhyve's data/0.6.0/x86_64/hello_world, never ours.
hermit_image=${GYVE_HERMIT_IMAGE:-$here/../../../images/hello_world}

need_hermit() {
	[ -r "$hermit_image" ] || skip "no Hermit image; name one in GYVE_HERMIT_IMAGE (uhyve's data/0.6.0/x86_64/hello_world)"
}

test_hermit_runs() {
	need_hermit
	gyve_run 0 "$hermit_image"
	grep -q 'Hello, world!' "$T/gyve.out" || fail "no greeting in the output"
}

# No offset is typed and no file named: gyve tells gdb the image and where it lies.
test_hermit_gdb() {
	local symbol
	need_hermit
	cp "$hermit_image" "$T/image"
	symbol=${GYVE_HERMIT_SYMBOL:-$(nm "$T/image" | awk '$3 ~ /boot_processor_main17h/ { print $3; exit }')}
	[ -n "$symbol" ] || skip "the image has no symbol boot_processor_main; name another in GYVE_HERMIT_SYMBOL"
	gyve_start "$T/image"
	GUESTS=$T gdb_run image <<-IN
		break $symbol
		continue
		backtrace
		delete
		continue
	IN
	expect 'Breakpoint 1, ' '^#0 ' 'exited normally'
	grep -q 'Hello, world!' "$T/gyve.out" || fail "no greeting in the output"
	gyve_ends 0
}
