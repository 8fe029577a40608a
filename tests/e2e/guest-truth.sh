#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Truth that was recorded apart from the trace that it belongs to: taken out of a trace and put
# back, recorded from a loop device, and that of a guest, in the trace from the lab.
. tests/e2e/lib.sh

demo=tests/data/demo.h5
lab=tests/data/lab.h5
kinds=attribute,process,descriptor,map,entry,exit,switch,fork,exec,gone,monitor,insight,mapping,block,complete,mark,loss

# figures TRACE: what its truth says of it
figures() { "$SKY" classify --json "$1" | jq -c '[.truth_by_class, .confusion, .wrong_inodes]'; }

"$SKY" convert --kinds $kinds $demo -o "$T/blind.h5" && "$SKY" convert --kinds attribute,truth $demo -o "$T/truth.pcap"
check "what has no truth gets it back" "$SKY" join "$T/blind.h5" "$T/truth.pcap" -o "$T/joined.h5"
check "the figures are those from before" test "$(figures "$T/joined.h5")" = "$(figures $demo)"
for trace in $demo "$T/joined.h5"; do # without numbers, which have others between them
	"$SKY" dump --kinds block,complete,entry,exit $trace | sed 's/ seq=[0-9]*//' >"$T/$(basename $trace).events"
done
check "nothing else has changed" cmp "$T/demo.h5.events" "$T/joined.h5.events"
"$SKY" join "$T/joined.h5" "$T/truth.pcap" -o "$T/twice.h5" 2>"$T/log"
check "a trace takes it once" grep -q "has ground truth of its disk 0 already" "$T/log"
check "and nothing is left of the second" test ! -e "$T/twice.h5"

# A guest's eight threads on two virtual CPUs, recorded by `make lab-trace`. Where that records it anew, the
# figures are others; how a trace is classified must not change them.
"$SKY" classify --json $lab >"$T/lab.json"
while read -r filter number; do
	check "the lab's trace: $filter is $number" test "$(jq "$filter" "$T/lab.json")" = "$number"
done <<'END'
.chunks.read 91
.chunks.write 599
.write_chunks_without_truth 0
.read_chunks_without_truth 0
.confusion.write.metadata.metadata 364
.confusion.write.data.data 235
.confusion.write.data.metadata 0
.confusion.write.metadata.data 0
.confusion.read.metadata.metadata 2
.confusion.read.data.data 89
.confusion.read.data.metadata 0
.confusion.read.metadata.data 0
.journal.write_chunks 356
.pipeline.split_calls 100
.not_covered.unmatched_exits 0
.not_covered.lost_exits 0
.not_covered.events_lost 0
END

needs_recording
truncate -s 64M "$T/image"
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$T/image"
loop=$(losetup -f --show "$T/image")
trap 'losetup -d "$loop"; rm -rf "$T"; exit $E2E_STATUS' EXIT
check "the truth of a disk is recorded alone" "$SKY" record --truth "$loop" -o "$T/alone.pcap" -- \
	unshare -m sh -c "mount $loop /mnt && head -c 2M /dev/urandom >/mnt/a && umount /mnt"
holds "the file's chunks are in it" "$("$SKY" dump --kinds truth "$T/alone.pcap" |
	grep "what=data source=file" | grep -o "count=[0-9]*" | awk -F= '{ sum += $2 } END { print sum }') / 8 == 512"
"$SKY" record --truth /dev/null -o "$T/none.pcap" -- true 2>"$T/log"
check "only block devices have one" grep -q "is no block device" "$T/log"
