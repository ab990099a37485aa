#!/bin/sh
# Inside an emulated host: a Linux guest is dumped while it waits for input, and when it has panicked.
mkfifo /tmp/in
tail -f /dev/null >/tmp/in &
holder=$!
: >/tmp/log
mkdir -p /run/dump
timeout -k 5 100 gyve run --dump /run/dump/core --dump-on exit --dump-virtual -m 192MiB --initrd /guest/initrd \
	--append "console=${1:-ttyAMA0} panic=-1 quiet rdinit=/init${2:+ -- $2}" /guest/vmlinuz </tmp/in >>/tmp/log 2>&1 &
guest=$!
wait_log() {
	while kill -0 $guest 2>/dev/null && ! grep -q "$1" /tmp/log; do
		sleep 0.3
	done
}
wait_log 'init> '
kill -QUIT "$(pidof gyve)"
wait_log 'gyve: dump /run/dump/core: .*KiB'
mv /run/dump/core /tmp/core.live
echo panic >/tmp/in
wait $guest
echo "status $?" >>/tmp/log
mv /run/dump/core /tmp/core.panic
kill $holder
cat /tmp/log
