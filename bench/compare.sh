# shellcheck shell=sh
# compare.sh DIRECTORY: gyve beside bare_kvm, the same work by the same ioctls. Also for an emulated host's busybox: POSIX only.
# DIRECTORY: gyve, run_bench, bare_kvm, spawn, the guests minimal and loop, and `loop.at`: start and end of loop's round, the address
# of its counter, instructions a round. The two take turns, and the best of each counts: other load on the machine is not ours.
cd "$1" || exit 1
read -r lo hi counter instructions <loop.at
rounds=${ROUNDS:-5}

better() { # better HIGHEST|LEAST A B: whole numbers, A may be empty
	if [ -z "$2" ] || { [ "$1" = HIGHEST ] && [ "${3:-0}" -gt "$2" ]; } || { [ "$1" = LEAST ] && [ "${3:-$2}" -lt "$2" ]; }; then
		echo "$3"
	else
		echo "$2"
	fi
}
row() { # row WHAT GYVE BARE GOAL RATIO
	printf '%-44s %14s %14s   %s (%s)\n' "$1" "${2:--}" "${3:--}" "$4" "$5"
}
over() { # A / B
	awk -v a="$1" -v b="$2" 'BEGIN { if (b != 0) printf "%.2f", a / b; else printf "-" }'
}
least_of() { # the second of two numbers
	echo "${2:-}"
}

mine='' peer='' i=0
while [ "$i" -lt "$rounds" ]; do
	# shellcheck disable=SC2046 # two words
	peer=$(better LEAST "$peer" "$(least_of $(./spawn 10 ./bare_kvm run ./minimal 2>/dev/null))")
	# shellcheck disable=SC2046
	mine=$(better LEAST "$mine" "$(least_of $(./spawn 10 ./gyve run ./minimal))")
	i=$((i + 1))
done
row "whole run of a minimal guest, us" "$mine" "$peer" "1.5 times bare KVM" "$(over "$mine" "$peer")"

mine='' peer='' i=0
while [ "$i" -lt "$rounds" ]; do
	# shellcheck disable=SC2046
	peer=$(better LEAST "$peer" "$(least_of $(./bare_kvm kick ./loop 50))")
	# shellcheck disable=SC2046
	mine=$(better LEAST "$mine" "$(least_of $(./run_bench kick ./loop 50))")
	i=$((i + 1))
done
row "kick to stop, us" "$mine" "$peer" "1.2 times bare KVM" "$(over "$mine" "$peer")"

mine='' peer='' i=0
while [ "$i" -lt "$rounds" ]; do
	peer=$(better HIGHEST "$peer" "$(./bare_kvm step ./loop 3000)")
	mine=$(better HIGHEST "$mine" "$(./run_bench step ./loop 1 "$lo" "$hi" "$counter" "$instructions")")
	i=$((i + 1))
done
row "single steps of the machine, a second" "$mine" "$peer" "bare KVM / 1.2" "$(over "$mine" "$peer")"

# Over a breakpoint in the loop, and no stop: by exit, step and nothing else; with a condition that is false; with a tracepoint.
set -- condition tracepoint registers
at=$(printf '0x%x' $((lo + 4)))
bare=''
for what; do
	mine='' i=0
	while [ "$i" -lt "$rounds" ]; do
		bare=$(better LEAST "$bare" "$(./bare_kvm cycle ./loop 3000 "$at")")
		mine=$(better LEAST "$mine" "$(./run_bench point ./loop 1 "$at" "$counter" "$what")")
		i=$((i + 1))
	done
	case $what in
	condition) row "a condition that is false, ns" "$mine" "$bare" "1.3 times a bare breakpoint" "$(over "$mine" "$bare")" ;;
	tracepoint) row "a tracepoint that collects nothing, ns" "$mine" "$bare" "2000 more" "$((${mine:-0} - ${bare:-0}))" ;;
	registers) row "a tracepoint with registers and memory, ns" "$mine" "$bare" "2000 more" "$((${mine:-0} - ${bare:-0}))" ;;
	esac
done
