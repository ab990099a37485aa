#!/bin/sh
# machine_rows.sh GYVE GUESTS WORK [ROW...]: where a Hermit guest's memory lies, how much of it works, its vCPUs and its
# environment, with a guest for each version of the interface. For any shell: it also runs inside the emulated hosts.
# One line each: "ok ROW.VERSION", or "not ok ROW.VERSION: why". Status 1 if one was not.
gyve=$1 guests=$2 work=$3
shift 3

bad() {
	[ -n "$why" ] || why="$*"
}

# run STATUS "QUESTION" [OPTION...]: what the guest says is in out and err.
run() {
	want=$1 question=$2
	shift 2
	# shellcheck disable=SC2086 # words
	timeout 100 "$gyve" run "$@" "$guests/hermit_machine_$v" -- $question </dev/null >"$d/out" 2>"$d/err"
	status=$?
	[ $status = "$want" ] || bad "status $status, not $want: $* $question: $(head -n 1 "$d/out") $(head -n 1 "$d/err")"
}
says() {
	[ "$(cat "$d/out")" = "$1" ] || bad "the guest said '$(cat "$d/out")', not '$1'"
}
# number N: the Nth number of the answer
number() {
	sed 's/[a-z ]* 0x/ 0x/g' "$d/out" | cut -d ' ' -f $(($1 + 1))
}

row_places() {
	case $machine.$v in
	x86_64.1) lo=0 hi=0xc0000000 ;;
	x86_64.*) lo=0x100000000 hi=0x1000000000 ;;
	*) lo=0x10000000 hi=0x1000000000 ;;
	esac
	run 0 where --no-aslr
	[ $(($(number 1))) = $((lo)) ] || bad "without randomisation memory begins at $(number 1), not $lo"
	[ $(($(number 3))) = $((lo + 0x40000)) ] || bad "the kernel is at $(number 3)"
	first=$(cat "$d/out")
	run 0 where --no-aslr
	says "$first"
	places=
	for i in 1 2 3 4 5; do # two in five may fall together
		run 0 where
		[ $(($(number 1))) -ge $((lo)) ] && [ $(($(number 2))) -le $((hi)) ] || bad "outside $lo to $hi: $(cat "$d/out")"
		[ $(($(number 1) % 0x200000)) = 0 ] || bad "not at a large page: $(cat "$d/out")"
		[ $(($(number 2) - $(number 1))) = $((64 << 20)) ] || bad "not 64 MiB: $(cat "$d/out")"
		places="$places $(number 1)"
	done
	[ "$(printf '%s\n' $places | sort -u | wc -l)" -ge 2 ] || bad "always at$places"
}

row_sizes() {
	for size in 16MiB 128MiB 256MiB 512MiB 1GiB 2GiB; do
		run 0 "walk 4194304" -m $size
	done
	case $machine.$v in
	x86_64.1)
		run 0 "walk 4194304" -m 3068MiB
		for size in 3072MiB 4096MiB; do
			run 127 where -m $size
			grep -q 'address range' "$d/err" || bad "the refusal of $size does not say why: $(cat "$d/err")"
		done
		;;
	*)
		for size in 3072MiB 4096MiB; do
			run 0 "walk 4194304" -m $size
		done
		;;
	esac
	for size in 14MiB 63MiB 64M; do
		run 127 where -m $size
	done
}

# A word of each 64 KiB, and the last one.
row_walk() {
	[ $machine.$v != x86_64.1 ] || return
	run 0 "walk ${WALK:-65536}" -m 5GiB
	grep -q '^pages [0-9]*$' "$d/out" || bad "the guest said $(cat "$d/out")"
}

row_cpus() {
	for n in 1 2 3 ${MANY_CPUS:-8 64}; do
		run 0 cpus -c $n
		says "vCPUs $n"
	done
}

row_environment() {
	run 0 bootargs -e FIRST='a b' -e 'SECOND=🎌;x' --env-vars THIRD=
	for word in "env=FIRST='a b'" "env=SECOND='🎌;x'" "env=THIRD="; do
		grep -qF -- "$word" "$d/out" || bad "no $word in: $(cat "$d/out")"
	done
	! grep -q GYVE_TEST "$d/out" || bad "the host's environment is there unasked"
	GYVE_TEST='of the host' FIRST=host run 0 bootargs -e host -e FIRST=given
	grep -qF "env=GYVE_TEST='of the host'" "$d/out" || bad "the host's environment is not there: $(cat "$d/out")"
	grep -q 'env=PATH=' "$d/out" || bad "no PATH: $(cat "$d/out")"
	grep -qF 'env=FIRST=given' "$d/out" || bad "the host's value won: $(cat "$d/out")"
}

# Guest memory in huge pages, and merged, where the kernel does it and we may say so (KSM=1: this machine is ours).
row_advice() {
	: >"$d/out"
	"$gyve" run --thp --ksm -m 64MiB "$guests/hermit_machine_$v" -- fill </dev/null >"$d/out" 2>"$d/err" &
	pid=$!
	waited=0
	while ! grep -q filled "$d/out" && [ $waited -lt 200 ]; do
		sleep 0.1
		waited=$((waited + 1))
	done
	grep -q filled "$d/out" || bad "the guest does not fill its memory: $(head -n 1 "$d/err")"
	huge=$(awk '/^AnonHugePages:/ { n += $2 } END { print n + 0 }' "/proc/$pid/smaps")
	case $(cat /sys/kernel/mm/transparent_hugepage/enabled 2>/dev/null) in
	*'[madvise]'* | *'[always]'*) [ "$huge" -ge 2048 ] || bad "only $huge KiB in huge pages" ;;
	esac
	if [ -n "${KSM:-}" ] && [ -w /sys/kernel/mm/ksm/run ]; then
		echo 10 >/sys/kernel/mm/ksm/sleep_millisecs
		echo 5000 >/sys/kernel/mm/ksm/pages_to_scan
		echo 1 >/sys/kernel/mm/ksm/run
		waited=0
		while [ "$(cat /sys/kernel/mm/ksm/pages_sharing)" -lt 10000 ] && [ $waited -lt 300 ]; do
			sleep 0.1
			waited=$((waited + 1))
		done
		echo "# huge: $huge KiB; merged: $(cat /sys/kernel/mm/ksm/pages_sharing) of 16384 pages"
		[ "$(cat /sys/kernel/mm/ksm/pages_sharing)" -ge 10000 ] || bad "only $(cat /sys/kernel/mm/ksm/pages_sharing) pages are merged"
		echo 2 >/sys/kernel/mm/ksm/run
	fi
	kill $pid
	wait $pid
}

# An archive: its arguments and variables, unless the command line has others; its files outside or in guest memory.
row_archive() {
	mkdir -p "$d/bundle/bin"
	cp "$guests/hermit_machine_$v" "$d/bundle/bin/kernel"
	echo 'from the archive' >"$d/bundle/motd"
	cat >"$d/bundle/hermit.toml" <<-'TOML'
		version = "1"
		kernel = "bin/kernel"
		[input]
		kernel_args = ["bootargs"]
		app_args = ["one", "two"]
		env_vars = ["A=image", "B=image", "nothing"]
		[requirements]
		memory = "32 MiB"
	TOML
	tar -C "$d/bundle" -czf "$d/image.tar.gz" hermit.toml bin motd || bad "no archive can be made"
	for mode in external internal; do
		timeout 60 "$gyve" run --hermit-image-mode $mode -e A=user "$d/image.tar.gz" </dev/null >"$d/out" 2>"$d/err" ||
			bad "$mode: status $?: $(head -n 1 "$d/err")"
		says 'bootargs env=A=user env=B=image -- one two'
		timeout 60 "$gyve" run --hermit-image-mode $mode "$d/image.tar.gz" -- cpus </dev/null >"$d/out" 2>"$d/err"
		says 'vCPUs 1'
	done
	timeout 60 "$gyve" run -m 16MiB "$d/image.tar.gz" </dev/null >"$d/out" 2>"$d/err"
	[ $? = 127 ] || bad "less memory than it requires is not refused"
}

machine=$(uname -m)
[ $# -gt 0 ] || set -- $(sed -n 's/^row_\([a-z_0-9]*\)() {$/\1/p' "$0")
result=0
for row in "$@"; do
	for v in ${VERSIONS:-1 2 3}; do
		d=$work/$row.$v why=
		rm -rf "$d"
		mkdir -p "$d"
		"row_$row"
		if [ -n "$why" ]; then
			echo "not ok $row.$v: $why"
			result=1
		else
			echo "ok $row.$v"
		fi
	done
done
exit $result
