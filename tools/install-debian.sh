#!/bin/bash
# Installs the Debian packages that are missing, without starting any service.
#
#   install-debian.sh [test|demo|generate]…     (default: test)
#
# As root it works as it is, else through sudo. Says one line when it installs.
set -euo pipefail

# What each use needs: package, and a file or program that proves it is there.
declare -A proof=(
	[user-mode-linux]=/usr/bin/linux.uml
	[gcc]=/usr/bin/gcc
	[libc6-dev]=/usr/include/stdio.h
	[kmod]=/usr/bin/lsmod
	[iproute2]=/sbin/ip
	[iptables]=/usr/sbin/iptables-legacy
	[iputils-ping]=/bin/ping
	[sysvinit-utils]=/bin/pidof
	[tcpdump]=/usr/bin/tcpdump
	[tshark]=/usr/bin/tshark
	[frr]=/usr/lib/frr/nhrpd
	[bird2]=/usr/sbin/bird
	[charon-systemd]=/usr/sbin/charon-systemd
	[strongswan-swanctl]=/usr/lib/ipsec/plugins/libstrongswan-vici.so
	[libstrongswan-standard-plugins]=/usr/lib/ipsec/plugins/libstrongswan-openssl.so
	[libnss3-tools]=/usr/bin/certutil
	[libldns3]=/usr/share/doc/libldns3/copyright
	[libevent-pthreads-2.1-7]=/usr/share/doc/libevent-pthreads-2.1-7/copyright
	[libunbound8]=/usr/share/doc/libunbound8/copyright
	[libcurl3-nss]=/usr/share/doc/libcurl3-nss/copyright
	[libldap-2.5-0]=/usr/share/doc/libldap-2.5-0/copyright
	[libcap-ng0]=/usr/share/doc/libcap-ng0/copyright
	[protobuf-compiler]=/usr/bin/protoc
)
test=(user-mode-linux gcc libc6-dev kmod iproute2 iptables iputils-ping sysvinit-utils tcpdump tshark frr bird2
	charon-systemd strongswan-swanctl libstrongswan-standard-plugins
	libnss3-tools libldns3 libevent-pthreads-2.1-7 libunbound8 libcurl3-nss libldap-2.5-0 libcap-ng0) # the last row for libreswan
demo=(user-mode-linux gcc libc6-dev kmod iproute2 tcpdump)
generate=(protobuf-compiler)

# libreswan conflicts with strongswan: it is unpacked here instead of installed.
libreswan=$(cd "$(dirname "$0")/.." && pwd)/build/libreswan

missing=()
aside=()
for use in "${@:-test}"; do
	case $use in test | demo | generate) ;; *) echo "install-debian.sh: no use named $use" >&2; exit 2 ;; esac
	declare -n packages=$use
	for p in "${packages[@]}"; do
		[ -e "${proof[$p]}" ] || missing+=("$p")
	done
	[ "$use" != test ] || [ -e "$libreswan/usr/libexec/ipsec/pluto" ] || aside=(libreswan)
done
[ $((${#missing[@]} + ${#aside[@]})) -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
	echo "install-debian.sh: this is no Debian; please install what corresponds to: ${missing[*]} ${aside[*]}" >&2
	exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || { echo "install-debian.sh: neither root nor sudo; needed: ${missing[*]}" >&2; exit 1; }
	as_root=(sudo)
fi
echo "installing Debian packages: ${missing[*]} ${aside[*]}"

# unpack downloads libreswan and unpacks it aside, if that is wanted.
unpack() {
	[ ${#aside[@]} -gt 0 ] || return 0
	rm -rf "$libreswan" "$libreswan.new" && mkdir -p "$libreswan.new" &&
		(cd "$libreswan.new" && apt-get -qq download libreswan && dpkg -x ./*.deb . && rm ./*.deb) &&
		mv "$libreswan.new" "$libreswan"
}

# Packages must not start their daemons: invoke-rc.d asks this file.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
	"${as_root[@]}" chmod 755 $policy
	trap '"${as_root[@]}" rm -f $policy' EXIT
fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq)
log=$(mktemp)
if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}" && unpack; } >"$log" 2>&1 </dev/null; then
	cat "$log" >&2
	rm -f "$log"
	exit 1
fi
rm -f "$log"
