#!/usr/bin/env bash
# Runs in a network namespace of its own, which t_network.sh and bench/run.sh make: tap10 at 10.0.5.1/24, and:
#   transfer sink|source NET BYTES [plain]   the guest sends (sink) or receives BYTES over TCP; NET: of --net
#   ask NET COUNT                            the guest answers COUNT requests
# Prints what the host's end prints. GYVE, GUESTS: as in lib.sh; T: a directory; MTU: of tap10.
set -u
here=$(cd "$(dirname "$0")" && pwd)
peer=
trap '[ -z "$peer" ] || kill "$peer" 2>/dev/null' EXIT

die() {
	echo "$*" >&2
	exit 1
}

rm -f "$T/peer.err" "$T/guest.out" # of the run before
ip link set lo up || exit 77
case $* in
*' tap'*)
	ip tuntap add dev tap10 mode tap && ip addr add 10.0.5.1/24 dev tap10 && ip link set tap10 mtu "${MTU:-1500}" up || exit 77
	address=10.0.5.1 guest=10.0.5.3 port=7
	;;
*) address=127.0.0.1 guest=127.0.0.1 port=15007 ;; # what the network in user space calls 10.0.5.1
esac

wait_for_line() { # REGEX FILE
	local i
	for ((i = 0; i < 200; i++)); do
		grep -q -- "$1" "$2" 2>/dev/null && return
		sleep 0.05
	done
	die "still no /$1/: $(cat "$2")"
}

case $1 in
transfer)
	python3 "$here/net_peer.py" "$2" $address 0 "$4" >"$T/peer.out" 2>"$T/peer.err" &
	peer=$!
	wait_for_line ready "$T/peer.err"
	[ "$2" = sink ] && mode=put || mode=get
	"$GYVE" run --net "$3" "$GUESTS/hermit_net" -- $mode 10.0.5.3 10.0.5.1 "$(sed -n 's/^ready //p' "$T/peer.err")" "$4" ${5:+"$5"} \
		>"$T/guest.out" 2>&1 || die "the guest: $(cat "$T/guest.out")"
	wait $peer || die "the host's end: $(tail -n 1 "$T/peer.err")"
	peer=
	cat "$T/peer.out"
	;;
ask)
	"$GYVE" run --net "$2" "$GUESTS/hermit_net" -- echo 10.0.5.3 7 >"$T/guest.out" 2>&1 &
	peer=$!
	wait_for_line listening "$T/guest.out"
	python3 "$here/net_peer.py" ask $guest $port "$3" || die "no answers: $(cat "$T/guest.out")"
	wait $peer || die "the guest: $(cat "$T/guest.out")"
	peer=
	;;
esac
