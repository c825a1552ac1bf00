#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# scripts/deps.sh build|demo|test|bench|matrix|matrix-kernel: installs the Debian packages that are missing, and
# says nothing if none is.
# No service is started or enabled on the way: the tests start their own servers on free ports.
set -eu

build="make gcc libc6-dev clang-19 bpftool libbpf-dev libelf-dev zlib1g-dev libseccomp-dev libcap-dev
	libpcap0.8-dev uthash-dev"
test="clang-format clang-tidy-19 libclang-rt-19-dev shellcheck libcmocka-dev gcovr liburing-dev node-llhttp
	nginx-light haproxy wrk apache2-utils nghttp2-client curl openssl python3 nftables iproute2 tcpdump nmap
	iputils-ping tshark wireshark-common ngrep httpry procps util-linux mandoc bash-completion"

case ${1:-} in
build) wanted=$build ;;
demo) wanted="python3 curl" ;;
matrix) wanted="qemu-system-x86 cpio kmod debian-archive-keyring" ;;
matrix-kernel) wanted="make gcc libc6-dev flex bison bc pahole libelf-dev perl python3 xz-utils" ;;
test | bench)
	wanted="$build $test"
	# Only compared with, and large.
	[ "$1" = test ] || wanted="$wanted libbpf-tools bpftrace linux-perf sysstat"
	# Any node will do; another source's package has another name or version.
	command -v node >/dev/null || wanted="$wanted nodejs"
	;;
*)
	echo "usage: scripts/deps.sh build|demo|test|bench|matrix|matrix-kernel" >&2
	exit 2
	;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "deps.sh knows Debian only; install by hand what these packages hold: $wanted" >&2
	exit 0
fi

missing=
for package in $wanted; do
	status=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
	case $status in
	ii*) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "deps.sh: run as root, to install:$missing" >&2
	exit 1
fi

# policy-rc.d is how Debian asks an administrator whether a package may start its service.
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
	trap 'rm -f "$guard"' EXIT
	trap 'exit 130' INT TERM
	printf '#!/bin/sh\nexit 101\n' >"$guard"
	chmod 755 "$guard"
fi

echo "installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # one word a package
apt-get install -y -qq --no-install-recommends $missing >/dev/null

# Not started now, and not by the next boot either, where this script brought it.
for service in nginx haproxy; do
	case $missing in
	*" $service"*) systemctl disable --quiet "$service" 2>/dev/null || true ;;
	esac
done
