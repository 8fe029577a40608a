# SPDX-License-Identifier: GPL-2.0-or-later
# For scripts that run in the emulated host: `. /mnt/share/tests/lib.sh`.
# Gives ok/not_ok/skip/check/holds, whose lines end up in the results of this
# script, $SKY, a folder $T, and load_modules; the script ends with finish.
if [ -t 2 ]; then # on a terminal programs show their progress
	set -o pipefail
	bash "$0" 2>&1 | cat
	exit
fi
set -u
SHARE=/mnt/share
NAME=$(basename "$0" .sh)
RESULTS=$SHARE/results/$NAME
T=/tmp/work
SKY=/tmp/sky
STATUS=0
mkdir -p "$T"
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
cp "$SHARE/sky" "$SKY"
: >"$RESULTS"

say() { echo "$1"; echo "$1" >>"$RESULTS"; }
ok() { say "ok $1"; }
not_ok() { say "not ok $1: $2"; STATUS=1; }
skip() { say "skip $1: $2"; }

# check WHAT COMMAND...: ok if the command succeeds
check() {
	local what=$1
	shift
	if "$@" >"$T/check.log" 2>&1; then ok "$what"; else not_ok "$what" "$(tail -n 3 "$T/check.log" | tr '\n' ' ')"; fi
}

# refuses WHAT STATUS TEXT COMMAND...: ok if the command fails with that status and says so
refuses() {
	local what=$1 status=$2 text=$3 got=0
	shift 3
	"$@" >"$T/check.log" 2>&1 || got=$?
	if [ "$got" -eq "$status" ] && grep -q -- "$text" "$T/check.log"; then ok "$what"
	else not_ok "$what" "status $got: $(tail -n 2 "$T/check.log" | tr '\n' ' ')"; fi
}

# holds WHAT EXPRESSION: an arithmetic comparison by awk; null and n/a never hold
holds() {
	if awk "BEGIN { exit !($2) }" 2>/dev/null; then ok "$1 ($2)"; else not_ok "$1" "$2 does not hold"; fi
}

# load_modules NAME...: Sky's own, then any of the host kernel's
load_modules() {
	local module
	for module in "$@"; do
		if [ -f "$SHARE/modules/$module.ko" ]; then insmod "$SHARE/modules/$module.ko"
		else modprobe -d "$SHARE" "$module"; fi || return 1
	done
}

# device-mapper without udev
dm() { dmsetup --noudevsync "$@" && dmsetup mknodes; }

# What the kernel complained of; a message's own words may not match.
kernel_is_well() {
	dmesg | grep -E 'BUG:|WARNING:|Oops|RCU .*stall|soft lockup|hung task|general protection' >"$T/dmesg"
	if [ -s "$T/dmesg" ]; then not_ok "the kernel has nothing to complain of" "$(head -n 1 "$T/dmesg")"
	else ok "the kernel has nothing to complain of"; fi
}

finish() { exit $STATUS; }
