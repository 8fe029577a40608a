#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `sky record --kvm` where there is nothing to record: it says so, and leaves nothing.
# What it records is tested in the emulated host (make lab-check).
. "$(dirname "$0")/lib.sh"

# says WHAT STATUS TEXT ARGUMENTS...: ends so and says that, and no file is left
says() {
	local what=$1 status=$2 text=$3 got=0
	shift 3
	"$SKY" record "$@" >"$T/out" 2>&1 || got=$?
	if [ "$got" -ne "$status" ]; then not_ok "$what" "exit status $got"
	elif ! grep -q -- "$text" "$T/out"; then not_ok "$what" "$(tail -n 1 "$T/out")"
	elif [ -n "$(ls "$T"/t.* 2>/dev/null)" ]; then not_ok "$what" "left $(ls "$T"/t.*)"
	else ok "$what"; fi
}

if [ -e /dev/sky ]; then
	skip "no control device" "this machine has one"
else
	says "a machine without the control device is told of it" 1 "cannot open /dev/sky" --kvm none --disk a -o "$T/t.h5"
	says "there is no list without it" 1 "cannot open /dev/sky" --kvm list
fi
says "a disk is needed without a virtual machine" 2 "name a disk" --kvm none -o "$T/t.h5"
says "a place is needed" 2 "name the trace" --kvm 1 --disk a
says "an archive is named .h5" 2 "must end in .h5" --kvm 1 -o "$T/t.pcap"
says "a ring is a power of two" 2 "not a power of two" --kvm 1 --ring 5000 -o "$T/t.h5"
says "rotated streams stay streams" 2 "without -o" --kvm 1 --rotate 1M --stream "$T/t.pcap" -o "$T/t.h5"
says "whom to record is chosen of a virtual machine" 2 "name one" --kvm none --disk a --pid 5 -o "$T/t.h5"
for pid in 0 -1 5x "" 4294967296; do
	says "\"$pid\" is no process's number" 2 "is not a number" --kvm 1 "--pid=$pid" -o "$T/t.h5"
done
for name in "" bin/ls /bin/ "$(printf '%0256d' 7)"; do
	says "\"${name:0:20}\" is no program" 2 "neither a program's name nor its full path" --kvm 1 "--exec=$name" -o "$T/t.h5"
done
for path in mnt /mnt/../in /mnt/./in ""; do
	says "\"$path\" is no full path" 2 "is not a" --kvm 1 "--only=$path" -o "$T/t.h5"
done
says "files are chosen once" 2 "once" --kvm 1 --only /a --only /b -o "$T/t.h5"
says "\"netbsd64\" is no ABI" 2 "neither linux64 nor freebsd64" --kvm 1 --abi netbsd64 -o "$T/t.h5"
says "FreeBSD's processes aren't found by program" 2 "choose by --pid" --kvm 1 --abi freebsd64 --exec sh -o "$T/t.h5"
says "FreeBSD's files aren't found by path" 2 "choose by --pid" --kvm 1 --abi freebsd64 --only /a -o "$T/t.h5"
says "disks alone have no ABI" 2 "about a virtual machine" --kvm none --disk a --abi freebsd64 -o "$T/t.h5"
says "a vsock port is a number" 2 "is not a number" --kvm 1 --vsock a -o "$T/t.h5"
says "the recorder has a help of its own" 0 "--rotate=BYTES" --kvm --help
says "the host's recorder is the one that is taken otherwise" 0 "--mkfs-options" --help
lab=$(dirname "$0")/../data/lab.h5
"$SKY" overhead --exit-ns 1000 --chunk-ns 500 --json "$lab" >"$T/overhead.json"
check "what recording cost is reckoned from a trace" jq -e '.exit_ns == 1000 and (.recording | .calls > 1000
	and .calls >= .returns and ((.exits_s * 1e9) - (.calls + .returns) * 1000 | fabs) < 1
	and ((.interception_s * 1e9) - .call_chunks * 500 | fabs) < 1)' "$T/overhead.json"
check "and told in a table" grep -q "all that the guest waited for" <("$SKY" overhead --exit-ns 1000 "$lab")
check "a cost is a time" test "$("$SKY" overhead --exit-ns -3 "$lab" >/dev/null 2>&1; echo $?)" -eq 2
check "all are listed" test "$("$SKY" list recorder | grep -c -E '^  (host|kvm|truth) ')" -eq 3
