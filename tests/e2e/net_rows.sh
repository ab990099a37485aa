#!/bin/sh
# net_rows.sh GYVE GUESTS PATTERN: the network card inside an emulated host, which has busybox only. PATTERN: a file of the bytes
# that the guest sends and wants. One line each: "ok NAME" or "not ok NAME: why".
gyve=$1 guests=$2 pattern=$3 bytes=$(wc -c <"$3")
mkdir -p /rows && cd /rows || exit 1
failed=0

result() { # NAME STATUS FILE
	if [ "$2" = 0 ]; then
		echo "ok $1"
	else
		echo "not ok $1: status $2: $(tail -n 1 "$3")"
		failed=1
	fi
}

# transfer NAME NET ADDRESS PORT [plain]
transfer() {
	timeout 60 nc -l -p "$4" >got </dev/null &
	sleep 1
	timeout 60 "$gyve" run --net "$2" "$guests/hermit_net" -- put 10.0.5.3 10.0.5.1 "$4" "$bytes" $5 >out 2>&1
	status=$?
	wait
	[ $status != 0 ] || cmp got "$pattern" >out 2>&1 || status=1
	result "$1 sends" $status out
	timeout 60 nc -l -p $(($4 + 1)) <"$pattern" >/dev/null &
	sleep 1
	timeout 60 "$gyve" run --net "$2" "$guests/hermit_net" -- get 10.0.5.3 10.0.5.1 $(($4 + 1)) "$bytes" $5 >out 2>&1
	result "$1 receives" $? out
	kill $! 2>/dev/null
	wait
}

transfer user user 127.0.0.1 9000
transfer "user, plain" user 127.0.0.1 9010 plain
[ -e /dev/net/tun ] || { mkdir -p /dev/net && mknod /dev/net/tun c 10 200; }
if "$guests/mktap" tap10 >out 2>&1; then
	ifconfig tap10 10.0.5.1 netmask 255.255.255.0 up
	transfer tap tap 10.0.5.1 9020
else
	echo "skip tap: $(tail -n 1 out)"
fi
timeout 60 "$gyve" run --net user "$guests/hermit_net_irq" >out 2>&1
result interrupts $? out
timeout 100 "$gyve" run --net user --log off "$guests/hermit_net_hostile" -- 300 1 >out 2>&1
result "hostile driver" $? out
exit $failed
