#!/bin/sh
# Inside an emulated host: boots /guest/vmlinuz with /guest/initrd and types each line of /guest/lines at a prompt of its init.
# Arguments: gyve's. Output: the guest's, gyve's, and at the end "status N".
mkfifo /tmp/in
tail -f /dev/null >/tmp/in &
holder=$!
: >/tmp/log
timeout -k 5 150 gyve run --initrd /guest/initrd "$@" /guest/vmlinuz </tmp/in >>/tmp/log 2>&1 &
guest=$!
at=$(echo " $*" | sed -n 's/.* --serial tcp:\([0-9]*\).*/\1/p')
if [ "$at" ]; then
	ip link set lo up 2>/dev/null || ifconfig lo 127.0.0.1
	until grep -q 'console is at' /tmp/log || ! kill -0 $guest; do
		sleep 0.1
	done
	nc 127.0.0.1 "$at" </tmp/in >>/tmp/log &
fi
prompts=0
while IFS= read -r line; do
	while kill -0 $guest 2>/dev/null && [ "$(grep -o 'init> ' /tmp/log | wc -l)" -le $prompts ]; do
		sleep 0.3
	done
	prompts=$((prompts + 1))
	echo "$line" >/tmp/in
done </guest/lines
wait $guest
echo "status $?" >>/tmp/log
kill $holder
cat /tmp/log
