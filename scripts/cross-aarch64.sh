#!/usr/bin/env bash
# Builds gyve and its check programs for aarch64 on another machine: cross-aarch64.sh [DIRECTORY [CONFIGURE-ARGUMENT...]]
# Debian's arm64 libraries are unpacked into a cache; nothing is installed but the cross compiler. The result, made in DIRECTORY
# (default: build-aarch64 in the source tree), runs on Debian arm64 or in `tests/hosts/run aarch64`.
set -u
. "$(dirname "$0")/../tests/hosts/lib.sh"
case ${1:-} in -*)
	sed -n '2,4s/^# //p' "$0"
	exit 2
	;;
esac
need_packages cross-aarch64

out=${1:-$top/build-aarch64}
[ $# -gt 0 ] && shift
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1

packages=(
	libarchive-dev
	libbz2-1.0 libbz2-dev
	libcapstone-dev libcapstone4
	libcmocka-dev libcmocka0
	libdw-dev libdw1
	libelf-dev libelf1
	libfdt-dev libfdt1
	liblz4-dev
	liblzma-dev liblzma5
	libglib2.0-0 libpcre2-8-0
	libseccomp-dev libseccomp2
	libslirp-dev libslirp0
	libzstd-dev libzstd1
	zlib1g-dev zlib1g
)
# another list, another directory: two checkouts must not take each other's away
sysroot=$cache/sysroot-aarch64-$(printf '%s\n' "${packages[@]}" | sha256sum | cut -c1-8)
lock_cache
if [ ! -e "$sysroot/complete" ]; then
	rm -rf "$sysroot"
	unpack_packages arm64 "$sysroot" "${packages[@]}" || die "cannot get the arm64 libraries"
	# links to /lib/... would lead out of it
	find "$sysroot" -type l | while IFS= read -r link; do
		to=$(readlink "$link")
		case $to in /*) ln -sfn "$sysroot$to" "$link" ;; esac
	done
	touch "$sysroot/complete"
fi
unlock_cache

libs=$sysroot/usr/lib/aarch64-linux-gnu
export PKG_CONFIG=$(command -v pkg-config) # the same for every target, told by these
export PKG_CONFIG_LIBDIR=$libs/pkgconfig:$sysroot/usr/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=$sysroot
unset PKG_CONFIG_PATH
export ARCHIVE_CFLAGS=" " ARCHIVE_LIBS="-l:libarchive.a -l:liblzma.a -l:libbz2.a -l:liblz4.a -l:libzstd.a -lz" # its shared form needs 40 MB of other libraries inside the machine
# GYVE_CHECK_PROGRAMS: only these, as make names them (tests/unit/test_x ...)
work=$out
prepare_sources || die "autoreconf failed"
cd "$out" || exit 1
# -isystem: warnings in the libraries' headers are not ours
[ -e config.status ] && [ config.status -nt src/configure ] && grep -q -- "$libs" config.status ||
	src/configure -q --host=aarch64-linux-gnu --enable-werror CPPFLAGS="-isystem $sysroot/usr/include" \
		LDFLAGS="-L$libs -Wl,-rpath-link,$libs:$sysroot/lib/aarch64-linux-gnu" "$@" || exit 1
jobs=${GYVE_JOBS:-$(nproc)}
make -s -j"$jobs" all && make -s -j"$jobs" check TESTS= ${GYVE_CHECK_PROGRAMS:+check_PROGRAMS="$GYVE_CHECK_PROGRAMS"}
