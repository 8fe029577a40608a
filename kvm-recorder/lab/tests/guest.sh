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

keep 't.h5*' console
refuses "skyrun says where there is no Sky" 1 "there is no Sky below" "$SHARE/bin/skyrun" true
load_modules sky dm-sky kvm kvm-amd || exit 1
make_disk 64M

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
check "a guest is recorded, and its end ends the recording" recorded t "$T/work"

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
remove_disk
check "the modules can be unloaded" rmmod kvm-amd kvm dm-sky sky
kernel_is_well
finish
