#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 800 s
#
# Insight-calls: what a recorded process is made to ask on its calls' behalf, which must be
# enough to know its data at the disk, and which it must not notice.
. /mnt/share/tests/lib.sh

keep 'i.h5*' console counters
load_modules sky dm-sky kvm kvm-amd || exit 1
make_disk 128M

cat >"$T/work" <<'END'
mount -t ext4 -o strictatime /dev/vda /mnt || exit 1
head -c 2097152 /dev/urandom >/mnt/a
for copy in parts lines locked confined pieces rain jumps part asynchronous uring; do cp /mnt/a /mnt/$copy; done
cp /mnt/pieces /tmp/pieces
umount /mnt
mount -t ext4 -o strictatime /dev/vda /mnt || exit 1
atime() { stat -c %x /mnt/parts; }
phase() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	local name=$1 status
	shift
	echo "phase: $name begins"
	skyrun "$@"
	status=$?
	sync
	echo "phase: $name ended with $status"
}
before=$(atime)
phase parts insights parts /mnt/parts
[ "$before" = "$(atime)" ] && echo "atime: kept"
phase lines insights lines /mnt/lines
phase locked insights locked /mnt/locked
phase confined insights confined /mnt/confined
phase pieces insights pieces /mnt/pieces /tmp/pieces
phase rain insights rain /mnt/rain
phase jumps insights jumps /mnt/jumps
phase copies insights copies /mnt/a /mnt/copied /mnt/part
phase cp cp /mnt/a /mnt/cp
cmp /mnt/a /mnt/copied && cmp /mnt/a /mnt/cp && echo "copies: alike"
phase asynchronous insights asynchronous /mnt/asynchronous /tmp/pieces
phase uring insights uring /mnt/uring /tmp/pieces
phase polled insights polled /mnt
phase classed insights classed /mnt/classed
phase left insights left /mnt/rain
umount /mnt
END

# As recorded of lib.sh, but that the counters are in $T/counters, and the recorder ends before the guest.
recorded_with_counters() {
	local trace=$T/$1.h5 recorder
	guest "$2"
	recordable || { kill $guest; wait $guest; return 1; }
	env --default-signal=INT "$SKY" record --kvm sky --disk vm1 -o "$trace" 2>"$T/record.log" &
	recorder=$!
	until grep -q "phase: left" "$T/console" || ! kill -0 $guest; do
		sleep 0.2
	done
	cat /sys/kernel/debug/sky/vm-* >"$T/counters"
	sleep 1
	kill -INT $recorder # while the guest's process is asked
	wait $recorder || { cat "$T/record.log"; return 1; }
	wait $guest
	grep -q "guest: status 0" "$T/console" || { tail -n 20 "$T/console"; return 1; }
}

# said PHASE: how it ended
said() { sed -n "s/^phase: $1 ended with \([0-9]*\).*/\1/p" "$T/console"; }
counted() { sed -n "s/^$1 //p" "$T/counters"; }
classified() {
	[ -f "$T/classify.json" ] || "$SKY" classify --json "$T/i.h5" >"$T/classify.json"
	jq -r "$1" "$T/classify.json"
}

mount -t debugfs none /sys/kernel/debug 2>/dev/null
GUEST_SECONDS=700 check "a guest is recorded" recorded_with_counters i "$T/work"
for phase in parts lines locked confined pieces rain jumps copies cp asynchronous uring polled classed; do
	holds "all goes as without a recorder: $phase" "$(said $phase) == 0"
done
holds "so it does where the recorder goes in the midst of it" "$(said left) == 0"
check "access times are as they were" grep -q "atime: kept" "$T/console"
check "copies are what was copied" grep -q "copies: alike" "$T/console"
# Those of a process with a lock, whose file nothing may close, and of a confined one: 40 of each.
holds "what is not known is what could not be asked" "$(classified .not_covered.chunks_without_sum) == 80"
holds "each return has its call" "$(classified .not_covered.unmatched_exits) == 0"
holds "each call has its return" "$(classified .not_covered.lost_exits) == 0"
holds "what the calls wrote is found at the disk" \
	"$(classified .paper.data_chunks_found) >= 0.99 * ($(classified .paper.data_chunks_written) - 80)"
# Two copies of 512 chunks, 102 pieces, 64 of each ring, and what was written to in part: 40, 25 and 100.
holds "so is what misaligned calls, copies and rings read" \
	"$(classified '[.by_class[] | select(.what == "data") | .read_chunks] | add') >= 1419"
holds "completions are seen that no call tells of" "$(counted completions) > 60"
holds "none is missed" "$(classified .not_covered.completions_unseen) == 0"
holds "each has its request" "$(classified .not_covered.completions_unknown) == 0"
holds "where the kernel polls that is said" "$(classified .not_covered.processes_with_sqpoll) == 1"
holds "a class is that of its calls alone" "$(classified .pipeline.chunks_classed) == 32"
holds "all paths are known" "$(counted texts_unread) == 0"
holds "who must not be asked is not" "$(counted insights_refused) > 0"
holds "handlers within insight-calls are shown the call's own registers" \
	"$(counted handlers) > 60 && $(counted handlers_unreached) == 0"
holds "threads leave insight-calls" "$(counted insights_left) > 20"
holds "... and keep no place" "$(counted insights_busy) == 0"
holds "... and no descriptor" "$(counted descriptors_left) == 0"
holds "questions have an end" "$(counted insights_given_up) == 0"
echo "counters: $(tr '\n' ',' <"$T/counters")"
remove_disk
check "the modules can be unloaded" rmmod kvm-amd kvm dm-sky sky
kernel_is_well
finish
