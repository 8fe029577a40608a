# SPDX-License-Identifier: GPL-2.0-or-later
# For end-to-end scripts: `. tests/e2e/lib.sh` with the build folder as $1.
# Gives $SKY, a folder $T that is removed at the end, ok/not_ok/skip/check, and
# needs_recording, which leaves the script where this machine can't record.
set -u
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
BUILD=$(realpath "$1")
SKY=$BUILD/sky
T=$(mktemp -d /var/tmp/sky-e2e-XXXXXX)
E2E_STATUS=0
trap 'rm -rf "$T"; exit $E2E_STATUS' EXIT

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1: $2"; E2E_STATUS=1; }
skip() { echo "skip $1: $2"; }

# check WHAT COMMAND...: ok if the command succeeds
check() {
	local what=$1
	shift
	if "$@" >"$T/check.log" 2>&1; then ok "$what"; else not_ok "$what" "$(tail -n 3 "$T/check.log" | tr '\n' ' ')"; fi
}

# holds WHAT EXPRESSION: an arithmetic comparison by awk, floating point allowed; null and n/a never hold
holds() {
	if awk "BEGIN { exit !($2) }" 2>/dev/null; then ok "$1 ($2)"; else not_ok "$1" "$2 does not hold"; fi
}

# A sanitized program can't look for its leaks while it is traced, nor can one that it starts.
needs_recording() {
	export ASAN_OPTIONS=detect_leaks=0
	local lacks=
	[ "$(id -u)" -eq 0 ] || lacks="root"
	[ -c /dev/fuse ] || lacks="$lacks /dev/fuse"
	[ -c /dev/loop-control ] || lacks="$lacks /dev/loop-control"
	[ -r /sys/kernel/btf/vmlinux ] || lacks="$lacks BTF"
	[ -z "$lacks" ] && return
	skip "$(basename "$0")" "this machine lacks:$lacks"
	exit 0
}
