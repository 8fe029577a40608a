#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 280 s
#
# `sky record --kvm` with a guest: one of its processes writes and reads files, the disk
# sees the requests, and both must meet in the classification.
. /mnt/share/tests/lib.sh

# info FILTER, classified FILTER: of what `sky info` and `sky classify` say, asked once
info() {
	[ -f "$T/info.json" ] || "$SKY" info --json "$T/t.h5" >"$T/info.json"
	jq -r "$1" "$T/info.json"
}
classified() {
	[ -f "$T/classify.json" ] || "$SKY" classify --json "$T/t.h5" >"$T/classify.json"
	jq -r "$1" "$T/classify.json"
}
dump() { "$SKY" dump --kinds "$1" "$T/t.h5"; }

# guest SCRIPT: boots one that runs it, with the recorded disk; its process is in $guest
guest() {
	cp "$1" "$T/script"
	(cd "$T" && echo script | cpio -o -H newc --quiet) | cat "$SHARE/guest.cpio" - >"$T/initramfs"
	cp "$SHARE/vmlinux" "$T/vmlinux" # QEMU maps it, which the shared folder doesn't allow
	timeout -s KILL 150 qemu-system-x86_64 -name sky -M microvm,pit=off,pic=off,rtc=off,isa-serial=on \
		-accel kvm -cpu host -m 256 -smp 2 -display none -nodefaults -no-user-config -no-reboot \
		-serial "file:$T/console" -monitor none -kernel "$T/vmlinux" -initrd "$T/initramfs" \
		-drive file=/dev/mapper/sky0,format=raw,if=none,id=disk,cache=none -device virtio-blk-device,drive=disk \
		-append "console=ttyS0 panic=-1 reboot=t mitigations=off nopti nokaslr quiet" </dev/null &
	guest=$!
}

# record: from when this returns
record() {
	local tries=0
	until "$SKY" record --kvm list --json | jq -e '.machines[0].vcpus == 2' >/dev/null; do
		sleep 0.1
		tries=$((tries + 1))
		[ $tries -lt 100 ] || return 1
	done
	env --default-signal=INT "$SKY" record --kvm sky --disk vm1 -o "$T/t.h5" 2>"$T/record.log" &
	recorder=$!
}

trap 'cp "$T"/t.h5* "$T/console" "$SHARE/results/"' EXIT # to be looked at where something is wrong
refuses "skyrun says where there is no Sky" 1 "there is no Sky below" "$SHARE/bin/skyrun" true
load_modules sky dm-sky kvm kvm-amd || exit 1
truncate -s 64M "$T/image"
loop=$(losetup -f --show "$T/image")
mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$loop"
echo "0 $(blockdev --getsz "$loop") sky $loop 0 vm1" | dm create sky0

# 512 chunks, 8 times 2, and 256 that are read first
cat >"$T/work" <<'END'
cat >/tmp/work <<'WORK'
set -e
dd if=/dev/urandom of=/mnt/a bs=64k count=32
mkdir /mnt/small
for i in 1 2 3 4 5 6 7 8; do dd if=/dev/urandom of=/mnt/small/$i bs=5000 count=1; done
sync
echo 3 >/proc/sys/vm/drop_caches
dd if=/mnt/a of=/mnt/b bs=16k count=64
dd if=/mnt/a of=/dev/null bs=16k
sync
WORK
mount -t ext4 /dev/vda /mnt || exit 1
skyrun sh /tmp/work || exit 1
umount /mnt
END
guest "$T/work"
check "the guest can be recorded" record
wait $guest
wait "$recorder"
holds "the guest's end ends the recording well" "$? == 0"
cat "$T/record.log"
check "the guest did its work" grep -q "guest: status 0" "$T/console"
[ $STATUS -eq 0 ] || cat "$T/console"

holds "nothing is lost" "$(info .lost_events) + $(info .missing_seqs) == 0"
holds "there are calls" "$(info '.kinds.entry // 0') > 0"
holds "all but those that never return do" \
	"$(info .kinds.entry) - $(info .kinds.exit) == $(dump entry | grep -cE ' (exit_group|rt_sigreturn) ')"
holds "each return has its call" "$(classified .not_covered.unmatched_exits) == 0"
holds "each call has its return" "$(classified .not_covered.lost_exits) == 0"
holds "the content of all that was written is known" "$(classified .not_covered.chunks_without_sum) == 0"
holds "the calls wrote what the programs did" "$(classified .paper.data_chunks_written) >= 784"
holds "what the calls wrote is found at the disk" \
	"$(classified .paper.data_chunks_found) >= 0.99 * $(classified .paper.data_chunks_written)"
holds "so is what they read" "$(classified '[.by_class[] | select(.what == "data") | .read_chunks] | add') >= 512"
dm remove sky0
check "the modules can be unloaded" rmmod kvm-amd kvm dm-sky sky
kernel_is_well
finish
