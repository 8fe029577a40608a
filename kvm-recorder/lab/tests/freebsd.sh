#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 300 s
#
# A guest whose kernel has FreeBSD's system calls (../freebsd-guest): its processes are
# followed, and whose data each chunk of its requests is is what that kernel says, with
# either way to see calls return.
. /mnt/share/tests/lib.sh

keep 'iret.*' 'breakpoint.*'
load_modules sky dm-sky kvm kvm-amd || exit 1
GUEST_VCPUS=1

# guest: boots that kernel; it switches itself off by a triple fault
guest() {
	rm -f "$T/freebsd-guest"
	cp "$SHARE/bin/freebsd-guest" "$T/"
	timeout -s KILL 60 qemu-system-x86_64 -name sky -M microvm,pit=off,pic=off,rtc=off,isa-serial=on \
		-accel kvm -cpu host -m 64 -display none -nodefaults -no-user-config -no-reboot -serial stdio -monitor none \
		-kernel "$T/freebsd-guest" -drive file=/dev/mapper/sky0,format=raw,if=none,id=disk,cache=none \
		-device virtio-blk-device,drive=disk,request-merging=off </dev/null >"$T/console" &
	guest=$!
}

# sample METHOD: the counters of the guest, again and again as long as it lives
sample() {
	while [ -e "$T/sampled" ]; do
		cat /sys/kernel/debug/sky/vm-* >"$T/counters.new" 2>/dev/null && [ -s "$T/counters.new" ] &&
			mv "$T/counters.new" "$T/$1.counters"
		sleep 0.3
	done
}

run() {
	local sampler status
	touch "$T/sampled"
	sample "$1" &
	sampler=$!
	recorded "$1" none --abi freebsd64
	status=$?
	rm "$T/sampled"
	wait $sampler
	cp "$T/console" "$T/$1.console"
	return $status
}

# facts METHOD: what there is to say of its trace, as NAME=NUMBER
facts() {
	jq -r '.not_covered | "lost=\(.events_lost)", "unmatched=\(.unmatched_exits + .lost_exits)",
		"without_sum=\(.chunks_without_sum)"' "$T/$1.classified.json"
	jq -r 'to_entries[] | "\(.key)=\(.value)"' "$T/$1.verified.json"
	awk -v way=" way=$1" '
		$5 == "entry" { entry[$6]++ }
		$5 == "exit" { exits++; failed += / carry=1/; ways += / way=/; by_way += index($0, way) > 0 }
		$5 == "insight" { files += $6 == "fstat" && / inode=/ }
		{ kind[$5]++ }
		END {
			print "exits=" exits, "failed=" failed, "ways=" ways, "by_way=" by_way, "files=" files
			print "indirect=" entry["nosys"] + entry["__syscall"], "getpids=" entry["getpid"] + 0
			print "asynchronous=" entry["aio_read"] + entry["aio_write"] + entry["aio_readv"] + entry["lio_listio"]
			print "forks=" kind["fork"] + 0, "programs=" kind["exec"] + 0
		}' "$T/dump"
}

for method in iret breakpoint; do
	echo "$method" >/sys/module/kvm/parameters/sky_exits
	# An empty disk: the guest makes its file system
	rm -f "$T/image"
	truncate -s 16M "$T/image"
	loop=$(losetup -f --show "$T/image")
	echo "0 $(blockdev --getsz "$loop") sky $loop 0 vm1" | dm create sky0
	check "$method: the guest is recorded, and its program finds all as it should be" run $method
	remove_disk
	"$SKY" classify --json -o "$T/$method.hints.h5" "$T/$method.h5" >"$T/$method.classified.json"
	"$SKY" dump --kinds block,hint,entry,exit,fork,exec,insight "$T/$method.hints.h5" >"$T/dump"
	"$SHARE/tests/verify-requests" "$T/console" <"$T/dump" >"$T/$method.verified.json" 2>"$T/$method.wrong"
	facts $method >"$T/$method.facts"
	. "$T/$method.facts"

	holds "$method: nothing is lost" "$lost == 0"
	holds "$method: each return has its call, each call its return" "$unmatched == 0"
	holds "$method: the content of all that was written is known" "$without_sum == 0"
	# QEMU itself reads the disk's beginning
	holds "$method: each request is one that the guest made" "$unknown <= 1 && $requests >= 150"
	holds "$method: written data is known, by file and place" "$data_written_wrong == 0 && $data_written >= 150"
	holds "$method: read data is known, by file and place" "$data_read_wrong == 0 && $data_read >= 140"
	holds "$method: so is metadata" \
		"$metadata_written_wrong + $metadata_read_wrong == 0 && $metadata_written >= 50 && $metadata_read >= 30"
	holds "$method: calls that fail have the carry flag" "$failed >= 9"
	holds "$method: calls return by IRET, too" "$by_way >= 50 && $ways - $by_way == 0 && $exits - $ways >= 100"
	holds "$method: calls by way of others' numbers" "$indirect == 14"
	holds "$method: asynchronous requests" "$asynchronous == 19"
	holds "$method: four threads and three children" "$forks == 7"
	holds "$method: a program in its predecessor's page table" "$programs == 1"
	holds "$method: files are told by insight-calls" "$files >= 13"
	holds "$method: nobody's calls are seen but those of the recorded" "$getpids <= 3"
	cat "$T/$method.facts" "$T/$method.counters"
	head -n 5 "$T/$method.wrong"
done
check "the modules can be unloaded" rmmod kvm-amd kvm dm-sky sky
kernel_is_well
finish
