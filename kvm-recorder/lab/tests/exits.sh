#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 400 s
#
# Calls that end in all the ways there are (exits.c, exits32.c), with returns by IRET seen
# by its intercept and by breakpoints: what the programs get is right, each call has its
# return, and the exits are counted by kind.
. /mnt/share/tests/lib.sh

keep '*.h5' console '*.counters'
load_modules sky dm-sky kvm kvm-amd || exit 1
make_disk 16M
refuses "a method that there isn't is refused" 1 "Invalid argument" bash -c 'echo rewind >/sys/module/kvm/parameters/sky_exits'

cat >"$T/work" <<'END2'
skyrun exits || exit 1
skyrun exits32 || exit 1
END2

# sample METHOD: the counters of the guest, again and again as long as it lives
sample() {
	while [ -e "$T/sampled" ]; do
		cat /sys/kernel/debug/sky/vm-* >"$T/counters.new" 2>/dev/null && [ -s "$T/counters.new" ] &&
			mv "$T/counters.new" "$T/$1.counters"
		sleep 0.5
	done
}

# exits METHOD WORDS: one guest
exits() {
	local method=$1 way=$1
	echo "$method" >/sys/module/kvm/parameters/sky_exits
	check "$method: the programs run" run "$method" "$2"
	"$SKY" dump --kinds entry,exit "$T/$method.h5" >"$T/calls"
	"$SKY" info --json "$T/$method.h5" >"$T/info.json"
	holds "$method: nothing is lost" "$(jq .lost_events "$T/info.json") == 0"
	# exit, exit_group, rt_sigreturn and the like by their 32-bit numbers
	never=$(grep -cE ' entry +(exit|exit_group|rt_sigreturn|2147483649|2147483767|2147483821|2147483900) ' "$T/calls")
	missing="$(jq '.kinds.entry - .kinds.exit' "$T/info.json") - $never"
	holds "$method: all but the 20 that siglongjmp() leaves have their return" "$missing == 20"
	holds "$method: calls that signals interrupt come back this way" "$(grep -c "way=$way" "$T/calls") >= 100"
	holds "$method: ... and only this way" "$(grep -cE 'way=(iret|breakpoint)' "$T/calls") - $(grep -c "way=$way" "$T/calls") == 0"
	holds "$method: calls are made anew" "$(grep -c 'way=restart' "$T/calls") >= 10"
	holds "$method: a sleep goes on after a stop" "$(grep -cE ' entry +219 ' "$T/calls") >= 1"
	holds "$method: int 0x80 of getpid, by a 64-bit program" "$(grep -cE ' exit +2147483668 .*ret=[0-9]' "$T/calls") >= 20"
	holds "$method: getppid by a 32-bit program, in both ways" "$(grep -cE ' exit +2147483712 .*ret=[0-9]' "$T/calls") >= 70"
	sed "s/^/$method: /" "$T/$method.counters"
}

run() {
	local sampler
	touch "$T/sampled"
	sample "$1" &
	sampler=$!
	GUEST_WORDS=$2 GUEST_SECONDS=180 recorded "$1" "$T/work"
	set -- $?
	rm "$T/sampled"
	wait $sampler
	cat "$T/console"
	return "$1"
}

exits iret nopti
exits breakpoint pti=on
remove_disk
check "the modules can be unloaded" rmmod kvm-amd kvm dm-sky sky
kernel_is_well
finish
