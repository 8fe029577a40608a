#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 600 s
#
# dm-sky and `sky record --kvm none`, without a guest: a file system of this host stands
# for the guest's, directly on the recorded disk, and then, as in the paper, in an image
# that lies in a file system of the host on the recorded disk.
. /mnt/share/tests/lib.sh

sums() { "$SHARE/bin/sums" "$1"; }
# info TRACE FILTER: of what `sky info` says of it, asked once
info() {
	[ -f "$1.json" ] || "$SKY" info --json "$1" >"$1.json"
	jq -r "$2" "$1.json"
}
dump() { "$SKY" dump --kinds "${2:-block,complete}" "$1"; }
sectors() { blockdev --getsz "$1"; }
# status FIELD: 4 recording, 5 requests, 6 lost
status() { dmsetup status sky0 | cut -d' ' -f"$1"; }

# record ARGUMENTS...: in the background, from when this returns
record() {
	local tries=0
	# the shell lets what runs in the background ignore SIGINT
	env --default-signal=INT "$SKY" record --kvm none --disk vm1 "$@" 2>"$T/record.log" &
	recorder=$!
	until [ "$(status 4)" = 1 ]; do
		sleep 0.1
		tries=$((tries + 1))
		[ $tries -lt 100 ] || { cat "$T/record.log"; return 1; }
	done
}

# stop [SIGNAL]: ends it; its exit status is in $ended
stop() {
	ended=0
	kill -"${1:-INT}" "$recorder"
	wait "$recorder" || ended=$?
}

# disk TABLE-LINE-BEHIND-THE-LENGTH of the device $1, made as sky0
disk() { echo "0 $(sectors "$1") sky $1 0 vm1" | dm create sky0; }

# verified WHAT TRACE BEFORE AFTER READS WRITES: at least so many of both compared, none wrong
verified() {
	local reads writes wrong
	dump "$2" | "$SHARE/tests/verify-disk" "$3" "$4" >"$T/verified"
	read -r reads writes wrong <"$T/verified"
	if [ "${wrong:-1}" = 0 ] && [ "$reads" -ge "$5" ] && [ "$writes" -ge "$6" ]; then
		ok "$1: $reads read and $writes written chunks have the checksums that another program finds"
	else
		not_ok "$1: checksums" "$(tr '\n' ' ' <"$T/verified")"
	fi
}

whole() { # WHAT TRACE: nothing lost, each request complete
	holds "$1: nothing is lost" "$(info "$2" .lost_events) + $(info "$2" .missing_seqs) == 0"
	holds "$1: each request has a completion" "$(info "$2" '.kinds.block') == $(info "$2" '.kinds.complete')"
}

work() { # in a folder: data, small files, copies, a discard
	dd if=/dev/urandom of="$1/a" bs=1M count=12 conv=fsync status=none
	mkdir "$1/small"
	for i in $(seq 60); do echo "$i $RANDOM" >"$1/small/$i"; done
	sync
	dmsetup message sky0 0 mark reading
	echo 3 >/proc/sys/vm/drop_caches
	cat "$1"/small/* "$1/a" >"$T/copy"
	dd if="$1/a" of=/dev/null bs=64k iflag=direct status=none
	dd if=/dev/urandom of="$1/b" bs=4k count=300 oflag=direct status=none
	cp "$1/a" "$1/c"
	sync
	rm "$1/c"
	sync
	fstrim "$1"
}

refuses "without the module it says so" 1 "cannot open /dev/sky" "$SKY" record --kvm list
load_modules sky dm-sky dm-flakey || exit 1
truncate -s 72M "$T/image"
loop=$(losetup -f --show "$T/image")
mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$loop"
mkdir -p "$T/mount"

## The guest's disk itself
disk "$loop"
check "the disk can be recorded" grep -qx "disk vm1" <("$SKY" record --kvm list)
check "the list is there as JSON" jq -e '.disks == ["vm1"] and .machines == []' <("$SKY" record --kvm list --json)
sums "$T/image" >"$T/before"
record -o "$T/a.h5"
mount "/dev/mapper/sky0" "$T/mount"
work "$T/mount"
refuses "a second recorder is refused" 1 "being recorded already" "$SKY" record --kvm none --disk vm1 -o "$T/x.h5"
umount "$T/mount"
dmsetup message sky0 0 mark unmounted
dd if=/dev/mapper/sky0 of=/dev/null bs=1M count=2 iflag=direct status=none
stop
holds "SIGINT ends the recording well" "$ended == 0"
check "only the archive is left" test -f "$T/a.h5" -a ! -e "$T/a.h5.stream" -a ! -e "$T/x.h5.stream"
sums "$T/image" >"$T/after"
whole "on the disk" "$T/a.h5"
verified "on the disk" "$T/a.h5" "$T/before" "$T/after" 3000 3000
holds "flushes are seen" "$(info "$T/a.h5" '.requests.flush.count // 0') > 0"
holds "discards are seen" "$(info "$T/a.h5" '.requests.discard.count // 0') > 0"
holds "writes with FUA are seen" "$(dump "$T/a.h5" block | grep -c 'flags=[A-Z|]*FUA') > 0"
check "the mark is there" test "$(info "$T/a.h5" '.marks[0].name')" = reading
check "it says what it is" jq -e '.attributes | .recorder == "kvm" and ."disk.0.name" == "vm1" and .clock == "CLOCK_MONOTONIC" and .ring_bytes == "33554432"' \
	"$T/a.h5.json"
holds "what is read after unmounting is recorded still" \
	"$(dump "$T/a.h5" block,mark | sed '1,/unmounted/d' | grep -c ' R ') > 0"
check "sky classify takes it" "$SKY" classify "$T/a.h5"

## A ring that is too small
record -o "$T/small.h5" --ring 4K
mount /dev/mapper/sky0 "$T/mount"
dd if=/dev/urandom of="$T/mount/c" bs=1M count=16 conv=fsync status=none
umount "$T/mount"
stop
holds "a ring of 4 KiB loses events" "$(info "$T/small.h5" .lost_events) > 0"
holds "... as many as numbers are missing" "$(info "$T/small.h5" .lost_events) == $(info "$T/small.h5" .missing_seqs)"
check "... and dm-sky counts them" test "$(status 6)" = "$(info "$T/small.h5" .lost_events)"
check "... and the recorder says so" grep -q "events were lost" "$T/record.log"

# a recorder that stands still holds up nobody
record -o "$T/still.h5" --ring 64K
mount /dev/mapper/sky0 "$T/mount"
kill -STOP "$recorder"
check "the disk goes on while the recorder stands still" \
	timeout 60 dd if=/dev/urandom of="$T/mount/c" bs=64k count=256 oflag=direct status=none
kill -CONT "$recorder"
umount "$T/mount"
stop
holds "... what had no room is counted" "$(info "$T/still.h5" .lost_events) > 0"
holds "... and missing" "$(info "$T/still.h5" .lost_events) == $(info "$T/still.h5" .missing_seqs)"

## Endings
mount /dev/mapper/sky0 "$T/mount"
"$SKY" record --kvm none --disk vm1 -o "$T/cmd.h5" -- sh -c "cp /bin/bash $T/mount/d; sync; exit 7" 2>"$T/record.log"
holds "the command's exit status is the recorder's" "$? == 7"
holds "the command's writes are there" "$(info "$T/cmd.h5" .requests.write.bytes) >= $(stat -c %s /bin/bash)"
check "--seconds ends the recording" timeout 20 "$SKY" record --kvm none --disk vm1 --seconds 0.5 -o "$T/second.h5"
record -o "$T/term.h5"
stop TERM
holds "SIGTERM ends the recording well" "$ended == 0"

# what a stream loses when the recorder dies is its last tenth of a second
record --stream "$T/killed.pcap"
dd if=/dev/urandom of="$T/mount/e" bs=1M count=4 conv=fsync status=none
sleep 0.5
kill -KILL "$recorder"
wait "$recorder" 2>/dev/null
for i in $(seq 50); do [ "$(status 4)" = 0 ] && break; sleep 0.1; done
holds "kill -9 of the recorder ends the recording" "$(status 4) == 0"
check "the disk goes on" dd if=/dev/urandom of="$T/mount/e" bs=1M count=4 conv=fsync status=none
check "what was recorded can be converted" "$SKY" convert "$T/killed.pcap" -o "$T/killed.h5"
holds "... with what was written before" "$(info "$T/killed.h5" '.requests.write.bytes // 0') >= 4 * 1048576"

## Suspended, resumed, rotated
record --stream "$T/part.pcap" --rotate 64K
dd if=/dev/urandom of="$T/mount/f" bs=1M count=2 conv=fsync status=none
dm suspend sky0
(dd if=/dev/urandom of="$T/mount/g" bs=1M count=2 conv=fsync status=none; touch "$T/written") &
writer=$!
sleep 1
check "while suspended writing waits" test ! -e "$T/written"
dm resume sky0
wait $writer
check "... and goes on when resumed" test -e "$T/written"
line=$(dmsetup table sky0)
check "a table can take another one's place under the same name" dm reload sky0 --table "$line"
refuses "not another device's" 1 "" dm create sky1 --table "$line"
refuses "nor twice in one table" 1 "" dm reload sky0 --table "$(printf '%s\n%s\n' "0 8 sky $loop 0 vm1" "8 8 sky $loop 8 vm1")"
check "... a second time, too" dm reload sky0 --table "$line"
requests=$(status 5)
dm resume sky0
holds "... and recording goes on" "$(status 4) == 1 && $(status 5) >= $requests"
for i in $(seq 30); do cat /bin/bash /bin/bash >"$T/mount/h$i"; rm -f "$T/mount/h$((i - 4))"; sync; [ -e "$T/part.0002.pcap" ] && break; done
stop
parts=("$T"/part.*.pcap)
holds "the stream is rotated" "${#parts[@]} > 1"
first=1
for part in "${parts[@]}"; do
	events=$(info "$part" .events)
	check "$(basename "$part") stands for itself" jq -e '.attributes.recorder == "kvm" and .missing_seqs == 0' "$part.json"
	check "$(basename "$part") begins where the one before ended" \
		test "$(dump "$part" attribute | sed -n '1s/.* seq=\([0-9]*\) .*/\1/p;1q' | grep . || echo 1)" = $first
	first=$((first + events))
done

## The disk goes away
record -o "$T/gone.h5"
umount "$T/mount"
dm remove sky0
ended=0
wait "$recorder" || ended=$?
holds "removing the disk ends the recording well" "$ended == 0"
whole "until the disk was gone" "$T/gone.h5"
refuses "a disk that is not there is refused" 1 'no "disk vm1" to record' "$SKY" record --kvm none --disk vm1 -o "$T/x.h5"

## Errors
size=$(sectors "$loop")
printf '0 8192 linear %s 0\n8192 %d error\n' "$loop" $((size - 8192)) | dm create half
disk /dev/mapper/half
record -o "$T/error.h5"
dd if=/dev/mapper/sky0 of=/dev/null bs=4k skip=1030 count=1 iflag=direct status=none 2>/dev/null && not_ok "the disk fails" "it didn't"
dd if=/dev/urandom of=/dev/mapper/sky0 bs=4k seek=1031 count=1 oflag=direct status=none 2>/dev/null && not_ok "the disk fails" "it didn't"
dd if=/dev/mapper/sky0 of=/dev/null bs=4k count=1 iflag=direct status=none
stop
holds "failed requests complete with their error" "$(dump "$T/error.h5" complete | grep -c 'error=-5') >= 2"
holds "... and a failed read has no checksums" "$(dump "$T/error.h5" complete | grep -c 'error=-5 .*sums') == 0"
dm remove sky0
dm remove half
echo "0 $size flakey $loop 0 0 30 1 error_writes" | dm create flakey
disk /dev/mapper/flakey
record -o "$T/flakey.h5"
dd if=/dev/urandom of=/dev/mapper/sky0 bs=4k count=8 oflag=direct status=none 2>/dev/null
dd if=/dev/mapper/sky0 of=/dev/null bs=4k count=8 iflag=direct status=none 2>/dev/null
stop
holds "dm-flakey's errors are seen" "$(dump "$T/flakey.h5" complete | grep -c 'error=-5') > 0"
dm remove sky0
dm remove flakey

## Above other targets: two pieces of a disk in the other order, and bcache
truncate -s 72M "$T/other"
other=$(losetup -f --show "$T/other")
printf '0 49152 linear %s 65536\n49152 49152 linear %s 0\n' "$other" "$loop" | dm create pieces
disk /dev/mapper/pieces
mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/sky0
sync
sums /dev/mapper/pieces >"$T/before"
record -o "$T/pieces.h5"
mount /dev/mapper/sky0 "$T/mount"
work "$T/mount"
umount "$T/mount"
stop
sums /dev/mapper/pieces >"$T/after"
whole "above dm-linear" "$T/pieces.h5"
verified "above dm-linear" "$T/pieces.h5" "$T/before" "$T/after" 3000 3000
dm remove sky0
dm remove pieces

# bcache_up: /dev/bcache0 of the two loop devices
bcache_up() {
	make-bcache --wipe-bcache --bucket 64k --writeback -B "$other" -C "$loop" >"$T/bcache.log" 2>&1 || return 1
	echo "$other" >/sys/fs/bcache/register
	echo "$loop" >/sys/fs/bcache/register
	for i in $(seq 50); do [ -b /dev/bcache0 ] && return; sleep 0.1; done
	return 1
}

if command -v make-bcache >/dev/null && load_modules bcache; then
	if bcache_up; then
		disk /dev/bcache0
		mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/sky0
		sync
		sums /dev/bcache0 >"$T/before"
		record -o "$T/bcache.h5"
		mount /dev/mapper/sky0 "$T/mount"
		work "$T/mount"
		umount "$T/mount"
		stop
		echo 3 >/proc/sys/vm/drop_caches
		sums /dev/bcache0 >"$T/after"
		whole "above bcache" "$T/bcache.h5"
		verified "above bcache" "$T/bcache.h5" "$T/before" "$T/after" 3000 3000
		dm remove sky0
		echo 1 >/sys/block/bcache0/bcache/stop
		for set in /sys/fs/bcache/*-*; do echo 1 >"$set/stop"; done
		for i in $(seq 100); do [ -b /dev/bcache0 ] || break; sleep 0.1; done
	else
		not_ok "above bcache" "$(tail -n 1 "$T/bcache.log")"
	fi
else
	skip "above bcache" "there is no make-bcache, or no module"
fi

## As in the paper: below a file system of the host that holds the image
truncate -s 0 "$T/image"
truncate -s 100M "$T/image"
losetup -d "$loop" 2>/dev/null
loop=$(losetup -f --show "$T/image")
mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$loop"
sums "$T/image" >"$T/before"
disk "$loop"
record -o "$T/paper.h5"
mkdir -p "$T/host"
mount /dev/mapper/sky0 "$T/host"
truncate -s 40M "$T/host/guest.raw"
guest=$(losetup -f --show "$T/host/guest.raw")
mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$guest"
mount "$guest" "$T/mount"
dd if=/dev/urandom of="$T/mount/file" bs=1M count=8 conv=fsync status=none
sync
sums "$T/mount/file" | sort -u >"$T/file"
umount "$T/mount"
losetup -d "$guest"
umount "$T/host"
stop
sums "$T/image" >"$T/after"
whole "below the image" "$T/paper.h5"
verified "below the image" "$T/paper.h5" "$T/before" "$T/after" 10 2000
dump "$T/paper.h5" block | grep -o 'sums=\[[^]]*\]' | tr -c '0-9a-f' '\n' | sort -u >"$T/seen"
holds "each chunk of the guest's file is among the host's writes" \
	"$(comm -23 "$T/file" "$T/seen" | wc -l) == 0 && $(wc -l <"$T/file") == 2048"
dm remove sky0

check "the modules can be unloaded" rmmod dm-sky sky
kernel_is_well
finish
