# shellcheck shell=bash
# A real unikernel. GYVE_HERMIT_IMAGE names it, or it lies beside the tree: uhyve's data/0.6.0/x86_64/hello_world, never ours.
hermit_image=${GYVE_HERMIT_IMAGE:-$here/../../../images/hello_world}

need_hermit() {
	[ -r "$hermit_image" ] || skip "no Hermit image; name one in GYVE_HERMIT_IMAGE (uhyve's data/0.6.0/x86_64/hello_world)"
}

test_hermit_runs() {
	need_hermit
	gyve_run 0 --stats "$hermit_image"
	grep -q 'Hello, world!' "$T/gyve.out" || fail "no greeting in the output"
	grep -qE '^Hypercall\(V1\(Exit\)\) +1$' "$T/gyve.err" || fail "its exit is not counted"
}

# A variable of the kernel, in a page full of others, from before the first instruction on.
test_hermit_watch() {
	local symbol
	need_hermit
	cp "$hermit_image" "$T/image"
	symbol=$(nm "$T/image" | awk '$3 ~ /^_ZN3log5STATE17h/ { print $3; exit }')
	[ -n "$symbol" ] || skip "the image has no variable log::STATE"
	gyve_start "$T/image"
	GUESTS=$T gdb_run image <<-IN
		watch *(long*)&$symbol
		continue
		continue
		delete
		continue
	IN
	expect 'Old value = 0' 'New value = 1' 'set_logger' 'Old value = 1' 'New value = 2' 'exited normally'
	grep -q 'Hello, world!' "$T/gyve.out" || fail "no greeting in the output"
	gyve_ends 0
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

# bundle DIR CONFIG-LINE...: $T/image.tar.gz with the real kernel.
bundle() {
	mkdir -p "$T/bundle/bin" && cp "$hermit_image" "$T/bundle/bin/kernel" && echo 'hi' >"$T/bundle/motd"
	{
		printf 'version = "1"\nkernel = "bin/kernel"\n[input]\nkernel_args = ["--freq-unused"]\napp_args = []\n'
		printf 'env_vars = ["FROM_IMAGE=yes", "BOTH=image"]\n'
		printf '%s\n' "$@"
	} >"$T/bundle/hermit.toml"
	tar -C "$T/bundle" -czf "$T/image.tar.gz" hermit.toml bin motd
}

# An archive: its kernel runs with its arguments, files are found, gdb gets the kernel.
test_hermit_archive() {
	need_hermit
	bundle
	gyve_run 0 -e BOTH=user "$T/image.tar.gz"
	grep -q 'Hello, world!' "$T/gyve.out" || fail "no greeting in the output"
	gyve_run 0 --hermit-image-mode internal "$T/image.tar.gz"
	grep -q 'Hello, world!' "$T/gyve.out" || fail "no greeting from the image in memory"
	gyve_run 0 --file-isolation strict "$T/image.tar.gz"
}

test_hermit_archive_gdb() {
	local symbol
	need_hermit
	bundle
	symbol=${GYVE_HERMIT_SYMBOL:-$(nm "$hermit_image" | awk '$3 ~ /boot_processor_main17h/ { print $3; exit }')}
	[ -n "$symbol" ] || skip "the image has no symbol boot_processor_main; name another in GYVE_HERMIT_SYMBOL"
	gyve_start "$T/image.tar.gz"
	cp "$hermit_image" "$T/image"
	GUESTS=$T gdb_run image <<-IN
		break $symbol
		continue
		delete
		continue
	IN
	expect 'Breakpoint 1, ' 'exited normally'
	gyve_ends 0
}

test_hermit_archive_requirements() {
	need_hermit
	bundle '[requirements]' 'memory = "128 MiB"' 'cpus = 2'
	gyve_run 127 "$T/image.tar.gz"
	grep -q 'needs 134217728 bytes of memory' "$T/gyve.err" || fail "no word about memory"
	gyve_run 127 -m 128MiB "$T/image.tar.gz"
	grep -q 'needs 2 vCPUs' "$T/gyve.err" || fail "no word about vCPUs"
	bundle '[requirements]' 'memory = "128 MiB"' 'cpus = 1' # this kernel knows one processor
	gyve_run 0 -m 128MiB "$T/image.tar.gz"
}

# Small on the disk, too much unpacked; cut; not what it says.
limit_hermit_archive_hostile=120
test_hermit_archive_hostile() {
	head -c 1200M /dev/zero | gzip -1 >"$T/bomb.gz"
	gyve_run 127 "$T/bomb.gz"
	grep -q 'unpacks to more than' "$T/gyve.err" || fail "the bomb is not called one"
	head -c 1000 "$T/bomb.gz" >"$T/cut.gz"
	gyve_run 127 "$T/cut.gz"
	printf '\x1f\x8b\x08junk' >"$T/junk"
	gyve_run 127 "$T/junk"
}
