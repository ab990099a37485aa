#!/bin/sh
# hostile.sh GYVE GUESTS WORK CALLS: a hostile guest of each interface makes so many calls, gently and wildly; what is not mapped stays as
# it is, and gyve ends as it should. For any shell: it also runs inside the emulated hosts. One line each: "ok ..." or "not ok ...".
gyve=$1 guests=$2 work=$3 calls=$4
rm -rf "$work"
mkdir -p "$work/in/sub" "$work/ro" "$work/out" "$work/tmp"
for file in canary out/canary ro/file one in/file; do
	echo alive >"$work/$file"
done
ln -s ../canary "$work/in/link"
ln -s ../out "$work/in/dirlink"
ln -s "$work" "$work/in/abs"
state() {
	(cd "$work" && find . -path ./in -prune -o -path ./one -prune -o -path ./log -prune -o -print | sort | while read -r f; do
		stat -c '%n %a %s' "$f"
		[ ! -f "$f" ] || cat "$f"
	done)
}
before=$(state)

# guest VERSION STATUSES SEED CALLS [wild]
guest() {
	version=$1 statuses=$2
	shift 2
	TMPDIR=$work/tmp "$gyve" run -o none --file-mapping "$work/in:/root" --file-mapping "$work/ro:/ro:ro" --file-mapping "$work/one:/etc/one" \
		"$guests/hermit_hostile_$version" -- "$@" >"$work/log" 2>&1 </dev/null
	status=$?
	case " $statuses " in
	*" $status "*) ;;
	*) echo "not ok version $version, $*: status $status: $(head -n 3 "$work/log")" && exit 1 ;;
	esac
	rm -f "$work/log"
	[ "$(state)" = "$before" ] || { echo "not ok version $version, $*: what is not mapped has changed: $(state)" && exit 1; }
}

for version in ${VERSIONS:-1 2 3}; do
	guest $version 0 $((calls + version)) "$calls"
	wild=0
	while [ $wild -lt "$calls" ]; do
		guest $version '0 124' $((wild + version)) 1500 wild
		wild=$((wild + 1000))
	done
	echo "ok version $version"
done
