# shellcheck shell=bash
# Shared by the scripts beside it and scripts/cross-aarch64.sh: Debian packages of any architecture without touching the
# machine's package state, and the cache they are kept in. Sourced, never run.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../scripts/lib.sh"

cache=${GYVE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gyve}/hosts

# Whoever builds something in the cache holds this lock; a second run waits and finds it there.
lock_cache() {
	mkdir -p "$cache" || die "cannot create $cache"
	exec 8>"$cache/lock"
	flock 8
}
unlock_cache() {
	exec 8>&-
}

# Debian's registries as this machine has them, else the public one. With $newer their backports, too, which then come first.
debian_sources() {
	local keys=/usr/share/keyrings/debian-archive-keyring.gpg uri suite found=
	while read -r uri suite; do
		case $uri in */debian/ | */debian | */debian-security/ | */debian-security) ;; *) continue ;; esac
		printf 'deb [signed-by=%s] %s %s main\n' $keys "$uri" "$suite"
		case $suite in *-*) ;; *) [ -z "${newer:-}" ] || printf 'deb [signed-by=%s] %s %s-backports main\n' $keys "$uri" "$suite" ;; esac
		found=1
	done < <(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Component: main' 2>/dev/null | sort -u)
	[ -n "$found" ] && return
	printf 'deb [signed-by=%s] http://deb.debian.org/debian bookworm main\n' $keys
	[ -z "${newer:-}" ] || printf 'deb [signed-by=%s] http://deb.debian.org/debian bookworm-backports main\n' $keys
}

# Writes the configuration of an apt for architecture $1 that keeps everything in the cache; names it in APT_CONFIG.
private_apt() {
	local arch=$1 dir=$cache/apt-${newer:-}$1 first
	if [ ! -e "$dir/updated" ] || [ -n "$(find "$dir/updated" -mtime +6)" ]; then
		mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial" "$dir/parts" || return 1
		: >"$dir/status"
		debian_sources >"$dir/sources.list"
		{
			apt-config dump | grep '^Acquire::' # proxies and the like; hooks are the machine's own business
			printf '%s\n' 'Acquire::Languages "none";' 'APT::Sandbox::User "root";' \
				"APT::Architecture \"$arch\";" "APT::Architectures { \"$arch\"; };" \
				"Dir::State \"$dir/state\";" "Dir::State::status \"$dir/status\";" "Dir::Cache \"$dir/cache\";" \
				"Dir::Etc::sourcelist \"$dir/sources.list\";" 'Dir::Etc::sourceparts "/dev/null";' \
				"Dir::Etc::parts \"$dir/parts\";" 'Dir::Etc::main "/dev/null";'
			first=$(sed -n 's/.* \([a-z]*-backports\) .*/\1/p;' "$dir/sources.list" | head -n 1)
			[ -z "$first" ] || printf 'APT::Default-Release "%s";\n' "$first"
		} >"$dir/apt.conf"
		APT_CONFIG=$dir/apt.conf apt-get -q update >"$dir/update.log" 2>&1 || {
			tail -n 10 "$dir/update.log" >&2
			return 1
		}
		touch "$dir/updated"
	fi
	export APT_CONFIG=$dir/apt.conf
}

# unpack_packages ARCH DIRECTORY PACKAGE...: newest version of each, its files below DIRECTORY, no scripts run.
unpack_packages() (
	arch=$1 into=$2
	shift 2
	private_apt "$arch" || exit 1
	debs=$(mktemp -d "$cache/debs.XXXXXX") || exit 1
	trap 'rm -rf "$debs"' EXIT
	cd "$debs" || exit 1
	apt-get -q download "$@" >log 2>&1 || {
		tail -n 10 log >&2
		exit 1
	}
	mkdir -p "$into"
	for deb in ./*.deb; do
		dpkg-deb -x "$deb" "$into" || exit 1
	done
)

# The kernel package a Debian meta package stands for now: kernel_package ARCH META
kernel_package() (
	private_apt "$1" || exit 1
	apt-cache depends "$2" | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
)

# A directory as a cpio archive owned by root: pack_directory DIRECTORY ARCHIVE COMPRESSOR...
pack_directory() {
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) | "${@:3}" >"$2"
}

# Programs were linked on this machine, so its libraries go along: add_libraries FILE-OR-DIRECTORY ROOT. A machine of another
# architecture has its own.
add_libraries() {
	local library late=()
	while IFS= read -r library; do # those that are opened when needed
		late+=("$(ldconfig -p | awk -v name="$library" '$1 == name && /x86-64/ { print $NF; exit }')")
	done < <(find "$1" -type f -perm -u+x -exec grep -ahoE 'lib(archive|capstone|kdumpfile|slirp)\.so\.[0-9]+' {} + 2>/dev/null | sort -u)
	{
		printf '\t%s\n' ${late[@]+"${late[@]}"}
		find -L "$1" ${late[@]+"${late[@]}"} -type f -perm -u+r -exec ldd {} + 2>/dev/null
	} | grep -oE '(=> |^[[:space:]]+)/[^ ]+' | grep -oE '/.*' | sort -u |
		while IFS= read -r library; do
			[ -e "$2$library" ] || { mkdir -p "$2$(dirname "$library")" && cp -L "$library" "$2$library"; }
		done
}

# As one word of a shell command, for any shell.
quote() {
	printf "'%s' " "${1//\'/\'\\\'\'}"
}
