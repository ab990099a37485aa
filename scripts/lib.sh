# shellcheck shell=bash
# Shared by the scripts beside it: what has to be installed, where to build, what this host can do. Sourced, never run.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What we need, how to see that it is there, and the Debian package that brings it.
#   group  kind  name                package
# kinds: cmd (a command; A|B: either), hdr (a C header), pc (a pkg-config module), file
package_table() {
	cat <<-'TABLE'
		build  cmd  gcc                  build-essential
		build  cmd  make                 build-essential
		build  file /usr/include/stdio.h build-essential
		build  hdr  linux/kvm.h          linux-libc-dev
		build  cmd  autoreconf           autoconf
		build  cmd  automake             automake
		build  cmd  pkg-config           pkg-config
		build  pc   libelf               libelf-dev
		build  hdr  libfdt.h             libfdt-dev
		build  pc   libdw                libdw-dev
		build  pc   zlib                 zlib1g-dev
		build  hdr  Zydis/Zydis.h        libzydis-dev
		build  pc   libzstd              libzstd-dev
		build  pc   libkdumpfile         libkdumpfile-dev
		build  pc   capstone             libcapstone-dev
		build  pc   libseccomp           libseccomp-dev
		build  pc   libarchive           libarchive-dev
		build  hdr  slirp/libslirp.h     libslirp-dev
		gdb    cmd  gdb-multiarch|gdb    gdb-multiarch
		check  cmd  gdb-multiarch        gdb-multiarch
		check  pc   cmocka               libcmocka-dev
		check  cmd  clang                clang
		check  cmd  clang-format         clang-format
		check  cmd  python3              python3
		check  cmd  lldb-14|lldb         lldb
		check  cmd  git                  git
		check  cmd  xz                   xz-utils
		cross-aarch64 cmd  aarch64-linux-gnu-gcc                  gcc-aarch64-linux-gnu
		cross-aarch64 file /usr/aarch64-linux-gnu/include/stdio.h libc6-dev-arm64-cross
		cross-aarch64 cmd  flock                                  util-linux
		aarch64-host  cmd  qemu-system-aarch64                    qemu-system-arm
		aarch64-host  cmd  cpio                                   cpio
		aarch64-host  cmd  flock                                  util-linux
		svm-host      cmd  qemu-system-x86_64                     qemu-system-x86
		svm-host      cmd  cpio                                   cpio
		svm-host      cmd  lz4                                    lz4
		svm-host      cmd  flock                                  util-linux
		x86_64-host   cmd  bochs                                  bochs
		x86_64-host   file /usr/share/bochs/BIOS-bochs-latest     bochsbios
		x86_64-host   file /usr/share/bochs/VGABIOS-lgpl-latest   vgabios
		x86_64-host   file /usr/lib/ISOLINUX/isolinux.bin         isolinux
		x86_64-host   file /usr/lib/syslinux/modules/bios/ldlinux.c32 syslinux-common
		x86_64-host   cmd  xorriso                                xorriso
		x86_64-host   cmd  cpio                                   cpio
		x86_64-host   cmd  flock                                  util-linux
	TABLE
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

have() {
	local kind=$1 name=$2 alternative
	case $kind in
	cmd)
		for alternative in ${name//|/ }; do
			command -v "$alternative" >/dev/null 2>&1 && return 0
		done
		return 1
		;;
	hdr) command -v gcc >/dev/null 2>&1 && printf '#include <%s>\n' "$name" | gcc -E - >/dev/null 2>&1 ;;
	pc) command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "$name" ;;
	file) test -e "$name" ;;
	esac
}

# Names of the packages that bring what is missing for the given groups, once each, on one line.
missing_packages() {
	local group kind name package found=
	while read -r group kind name package; do
		case " $* " in *" $group "*) ;; *) continue ;; esac
		case " $found " in *" $package "*) continue ;; esac
		have "$kind" "$name" || found="$found $package"
	done < <(package_table)
	printf '%s' "${found# }"
}

# need_packages GROUP...: as root, install what is missing; otherwise print the line that does and stop with status 2.
need_packages() {
	local packages
	packages=$(missing_packages "$@")
	[ -n "$packages" ] || return 0
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		printf 'Something is missing. On Debian 12 this brings it:\n\n    sudo apt-get install %s\n\n' "$packages" >&2
		exit 2
	fi
	printf '# installing: %s\n' "$packages"
	# shellcheck disable=SC2086 # a list of words
	if ! apt_install $packages; then
		# The package lists may be absent or out of date; a source that cannot be reached need not be the one we need.
		apt_get update || printf '# apt-get update failed; trying with the lists there are\n'
		# shellcheck disable=SC2086
		apt_install $packages || {
			printf 'cannot install; try: sudo apt-get update && sudo apt-get install %s\n' "$packages" >&2
			exit 2
		}
	fi
	packages=$(missing_packages "$@")
	[ -z "$packages" ] || die "still missing after apt-get install: $packages"
}

# Waits for another apt's lock, asks nothing, tells only of failures.
apt_get() {
	local log status
	log=$(mktemp)
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null
	status=$?
	[ $status = 0 ] || tail -n 15 "$log"
	rm -f "$log"
	return $status
}

apt_install() {
	apt_get install --no-install-recommends "$@"
}

# Sets $work: $GYVE_BUILD if given (kept, so that a second run is quick), else a directory that is removed at exit.
make_work_dir() {
	if [ -n "${GYVE_BUILD:-}" ]; then
		mkdir -p "$GYVE_BUILD" || exit 1
		work=$(cd "$GYVE_BUILD" && pwd)
	else
		work=$(mktemp -d "${TMPDIR:-/tmp}/gyve.XXXXXX") || exit 1
		trap 'rm -rf "$work"' EXIT
		trap 'exit 130' INT
		trap 'exit 143' TERM
	fi
}

# Copies the sources to $work/src, so that nothing is written into the tree and a tree configured in place is no hindrance,
# and makes ./configure there. Times are kept: an unchanged file is not built twice.
prepare_sources() {
	mkdir -p "$work/src" || return 1
	if git -C "$top" rev-parse --git-dir >/dev/null 2>&1; then
		(cd "$top" && git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' f; do
			[ -e "$f" ] && printf '%s\0' "$f"
		done | tar --null -T - -cf -)
	else
		tar -C "$top" --exclude=./build --exclude=./config.status -cf - .
	fi | tar -C "$work/src" -xf - || return 1
	(cd "$work/src" && autoreconf -i) >"$work/autoreconf.log" 2>&1 || {
		tail -n 20 "$work/autoreconf.log"
		return 1
	}
}

# build_in NAME [CONFIGURE-ARG...]: out of tree in $work/NAME; only a failure is told at length.
build_in() {
	local dir=$work/$1
	shift
	mkdir -p "$dir" || return 1
	(cd "$dir" && ../src/configure -q "$@" && make -s -j"$(nproc)" all) >"$dir.log" 2>&1 || {
		tail -n 30 "$dir.log"
		return 1
	}
}

# Empty if KVM can be used, else why not.
kvm_problem() {
	if [ ! -e /dev/kvm ]; then
		echo "this host has no /dev/kvm"
	elif [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
		echo "no permission on /dev/kvm (join the group 'kvm', or be root)"
	elif ! (exec 9<>/dev/kvm) 2>/dev/null; then
		echo "/dev/kvm cannot be opened"
	fi
}

find_gdb() {
	command -v gdb-multiarch || command -v gdb
}
