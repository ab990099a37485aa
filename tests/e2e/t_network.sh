# shellcheck shell=bash
# The network card of Hermit guests: through a tap interface and in user space, each in a network namespace of its own.
only_machine_tests aarch64 a64_network

# in_namespace ARGUMENT...: of net_inside.sh
in_namespace() {
	local how=(unshare --net)
	[ "$(id -u)" = 0 ] || how=(unshare --user --map-root-user --net)
	command -v python3 >/dev/null || skip "no python3 for the host's end"
	command -v ip >/dev/null || skip "no ip command to set up a network"
	"${how[@]}" true 2>/dev/null || skip "network namespaces cannot be made here"
	case $* in *' tap'*) "${how[@]}" ip tuntap add dev tap10 mode tap 2>/dev/null || skip "tap interfaces cannot be made here" ;; esac
	T=$T GYVE=$GYVE GUESTS=$GUESTS MTU=${MTU:-1500} "${how[@]}" "$here/net_inside.sh" "$@" >"$T/peer.log" 2>&1 ||
		fail "$(cat "$T/peer.log")"
}

need_user_network() {
	"$GYVE" run --net user "$GUESTS/hermit_files_3" -- serial >"$T/out" 2>"$T/err" || skip "$(head -n 1 "$T/err")"
}

# frames FILE: of a capture, their lengths
frames() {
	python3 -c '
import struct, sys
d = open(sys.argv[1], "rb").read()
assert struct.unpack_from("<IHHiIII", d)[:3] == (0xa1b23c4d, 2, 4)
at = 24
while at < len(d):
    n = struct.unpack_from("<IIII", d, at)[2]
    print(n)
    at += 16 + n
assert at == len(d)' "$1"
}

test_network_tap_sends() { in_namespace transfer sink tap 1000000; }
test_network_tap_receives() { in_namespace transfer source tap:tap10 1000000; }
test_network_tap_large_frames() {
	MTU=9000 in_namespace transfer source "tap,pcap=$T/net.pcap" 1000000 # each is several buffers of the guest
	[ "$(frames "$T/net.pcap" | sort -n | tail -n 1)" -gt 8000 ] || fail "no large frames"
}
test_network_tap_plain() {
	in_namespace transfer source tap 30000 plain
}
test_network_tap_requests() { in_namespace ask tap 50; }

test_network_user_sends() {
	need_user_network
	in_namespace transfer sink "user,pcap=$T/net.pcap" 1000000
	[ "$(frames "$T/net.pcap" | wc -l)" -gt 700 ] || fail "frames are missing in the capture"
}
test_network_user_receives() {
	need_user_network
	in_namespace transfer source user 1000000
}
test_network_user_large_frames() {
	need_user_network
	in_namespace transfer source user,mtu=30000 1000000
	in_namespace transfer sink user,mtu=30000 1000000
}
test_network_user_plain() {
	need_user_network
	in_namespace transfer sink user 30000 plain
}
test_network_user_forwards() {
	need_user_network
	in_namespace ask user,hostfwd=tcp::15007-7 50
}
test_network_user_restricted() {
	need_user_network
	in_namespace ask user,restrict=on,hostfwd=tcp:127.0.0.1:15007-10.0.5.3:7 5
}

# Whatever the driver does, gyve lives, with the isolation it always has.
test_network_hostile_driver() {
	need_user_network
	guest_args=(-- 80 1)
	gyve_run 0 --net user --log off "$GUESTS/hermit_net_hostile"
	output alive
}

# The line and MSI-X, with the timer's line beside.
test_network_interrupts() {
	need_user_network
	gyve_run 0 --pit --net user "$GUESTS/hermit_net_irq"
	output interrupted
}

# A card that the guest does not look at.
test_network_unused() {
	need_user_network
	guest_args=(serial)
	gyve_run 0 --file-isolation strict --net user "$GUESTS/hermit_files_3"
}

network_refused() { # STATUS TEXT OPTION...
	local status=0
	"$GYVE" run "${@:3}" >"$T/gyve.out" 2>"$T/gyve.err" || status=$?
	[ $status = "$1" ] || fail "${*:3}: status $status, not $1"
	grep -q -- "$2" "$T/gyve.err" || fail "${*:3}: $(head -n 1 "$T/gyve.err")"
}

test_network_refusals() {
	local image=$GUESTS/hermit_net
	network_refused 2 'tap:NAME or user' --net bridge "$image"
	network_refused 2 '1 to 15 bytes' --net tap:a234567890123456 "$image"
	network_refused 2 'hostfwd=' --net user,hostfwd=tcp:80 "$image"
	network_refused 2 'for user networking' --net tap,hostfwd=tcp::1-2 "$image"
	network_refused 2 'mac=' --net user,mac=01:00:00:00:00:00 "$image"
	network_refused 2 'mtu=' --net user,mtu=66000 "$image"
	network_refused 125 'no interface gyve_none' --net tap:gyve_none "$image"
	need_user_network
	network_refused 125 'cannot capture' --net "user,pcap=$T/nowhere/net.pcap" "$image"
	network_refused 127 'no network for bare' --net user "$GUESTS/sample"
}

limit_a64_network=300
test_a64_network() {
	python3 -Bc 'import sys; sys.path.insert(0, sys.argv[1]); import net_peer; sys.stdout.buffer.write(net_peer.pattern()[:100000])' \
		"$here" >"$T/pattern" || skip "no python3 to make the bytes"
	aarch64-linux-gnu-gcc -static -o "$T/mktap" "$here/mktap.c" || fail "mktap is not to be built"
	"$here/../hosts/run" aarch64 --timeout 240 --copy "$GYVE:/bin/gyve" --copy "$here/net_rows.sh:/guest/rows" --copy "$T/mktap:/guest/mktap" \
		--copy "$GUESTS/hermit_net:/guest/hermit_net" --copy "$GUESTS/hermit_net_hostile:/guest/hermit_net_hostile" \
		--copy "$GUESTS/hermit_net_irq:/guest/hermit_net_irq" \
		--copy "$T/pattern:/guest/pattern" -- sh /guest/rows gyve /guest /guest/pattern >"$T/rows.log" 2>&1 ||
		fail "$(grep '^not ok' "$T/rows.log" || tail -n 1 "$T/rows.log")"
	[ "$(grep -c '^ok' "$T/rows.log")" -ge 8 ] || fail "not all rows ran: $(cat "$T/rows.log")"
}
