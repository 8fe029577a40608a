#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 420 s
#
# Files that are written and read through mappings: no call tells what, but the frames of
# the requests are those of the mapped pages. What is right is where the files lie on
# the disk in the end.
. /mnt/share/tests/lib.sh
keep t.h5 console 'counters*' files.json
load_modules sky dm-sky kvm kvm-amd || exit 1
make_disk 128M

cat >"$T/work" <<'END'
cat >/tmp/write <<'WORK'
set -e
mappings fill /mnt/fill 1536 # three page tables
mappings fork /mnt/fork 512
mappings grow /mnt/grow 600
mappings receive /mnt/receive 100
(sleep 1; sync) & # while the other one computes
mappings spin /mnt/spin 700
wait
sync
mappings update /mnt/fill 1536
WORK
cat >/tmp/read <<'WORK'
set -e
mappings read /mnt/fill 1536
mappings share /mnt/grow 600
WORK
mount -t ext4 /dev/vda /mnt || exit 1
skyrun bash /tmp/write || exit 1
sync
echo 3 >/proc/sys/vm/drop_caches
skyrun bash /tmp/read || exit 1
skyrun mappings many /mnt/many 1 || exit 1
skyrun sleep 8 & # monitored, without shared mappings
sleep 1
echo mark: idle
sleep 1
mappings idle /mnt/idle 0
echo mark: busy
sleep 1
wait
echo mark: blind
sleep 1
skyrun mappings fill /mnt/blind 300
umount /mnt
END

counters() { cat /sys/kernel/debug/sky/vm-* 2>/dev/null; }

# Takes the counters when the guest gets to its marks, and as long as it lives.
watch_guest() {
	local seen= mark
	until counters >"$T/counters.now" && [ -s "$T/counters.now" ]; do sleep 0.2; done
	while [ -s "$T/counters.now" ]; do
		cp "$T/counters.now" "$T/counters"
		mark=$(sed -n 's/^mark: \([a-z]*\).*/\1/p' "$T/console" | tail -n 1)
		if [ "$mark" != "$seen" ]; then
			seen=$mark
			counters >"$T/counters.$mark"
			[ "$mark" != blind ] || echo N >/sys/module/kvm/parameters/sky_insights
		fi
		sleep 0.2
		counters >"$T/counters.now"
	done
}
# counter NAME [MARK]
counter() { awk -v name="$1" '$1 == name { print $2 }' "$T/counters${2:+.$2}"; }

watch_guest &
watcher=$!
check "a guest that maps files is recorded" recorded t "$T/work"
wait $watcher

"$SKY" classify -o "$T/hints.h5" "$T/t.h5" >/dev/null
remove_disk
mkdir -p "$T/mnt"
mount -o loop,ro,noload "$T/image" "$T/mnt"
"$SKY" dump --kinds block,hint "$T/hints.h5" | "$SHARE/tests/verify-files" "$T/mnt" >"$T/files.json"
fill=$(stat -c %i "$T/mnt/fill")
umount "$T/mnt"
cat "$T/files.json" "$T/counters"
of() { jq -r "$1" "$T/files.json"; }

holds "nothing is lost" "$("$SKY" info --json "$T/t.h5" | jq '.lost_events + .missing_seqs') == 0"
for file in fill:2048 fork:512 grow:600 receive:100 spin:700 blind:300; do
	name=${file%:*}
	holds "what was written to $name through a mapping got to the disk" "$(of ".$name.written") >= ${file#*:}"
done
# The guest's kernel may write a page before the fault that made it dirty has returned.
holds "it is found to be data" "$(of '[.[].written_wrong // 0] | add') <= 0.002 * $(of '[.[].written] | add')"
holds "by the frame, whatever the content" "$(of '[.[].by_frame // 0] | add') >= 0.998 * $(of 'del(.other) | [.[] | .read + .written] | add')"
holds "what was read through mappings got there from the disk" "$(of '.fill.read + .grow.read') >= 2136"
holds "and is found to be data, too" "$(of '[.[].read_wrong // 0] | add') == 0"
holds "each chunk is known to be the file's that it is" "$(of '[.[].misplaced // 0] | add') == 0"
holds "where no insight-call may be made, the file has no name" "$(of .blind.nameless) == $(of .blind.written)"
holds "and otherwise always" "$(of 'del(.blind) | [.[].nameless // 0] | add') == 0"
holds "what is no file's isn't taken for data" "$(of .other.taken_for_data) == 0"
# A look may come while the guest's kernel has taken an entry out to make it clean.
holds "nor is what msync has written of 512 pages awaited when their mapping goes" \
	"$("$SKY" dump --kinds mapping "$T/t.h5" | grep -c " goes .* inode=$fill\b") - 1536 < 50"
holds "page faults are seen of processes with shared mappings" "$(counter faults_mapped) >= 1536 + 512 + 512 + 600 + 100 + 700"
holds "and of nobody else" "$(counter exit_fault busy) - $(counter exit_fault idle) == 0"
holds "a process has 1024 mappings, and no more" "$(counter areas_refused) >= 1500 - 1024"
holds "no page is forgotten for want of room" "$(counter pages_refused) == 0"
holds "all of them are gone in the end" "$(counter pages_appeared) - $(counter pages_gone) == 0"
check "the modules can be unloaded" rmmod kvm-amd kvm dm-sky sky
kernel_is_well
finish
