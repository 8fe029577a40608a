#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 300 s
#
# A guest whose processes do all they can to harm the host or its recorder (hostile.c): both
# run on, with bounded memory, and the archive opens and classifies. A round takes 30 seconds
# in the guest; `make lab-fuzz` makes many, each with a guest and a seed of its own.
. /mnt/share/tests/lib.sh

SECONDS_LEFT=30 SEED=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
[ ! -f "$SHARE/fuzz" ] || read -r SECONDS_LEFT SEED <"$SHARE/fuzz"
GUEST_MEMORY=512
RING_MIB=8 # of a virtual CPU
HOST_MIB=128 # by which the kernel's memory may grow during a round
RECORDER_MIB=$((2 * 2 * RING_MIB + 128)) # a ring is mapped twice

memory() { awk -v name="$1:" '$1 == name { print int($2 / 1024) }' "$2"; }

# watch: the recorder's memory and the kernel's at their largest, and the last counters, while it runs
watch() {
	local pid rss=0 slab=0 now
	while sleep 1; do
		now=$(memory Slab /proc/meminfo)
		[ "$now" -le "$slab" ] || slab=$now
		for pid in $(pgrep -x sky); do
			now=$(memory VmHWM /proc/$pid/status)
			[ "${now:-0}" -le "$rss" ] || rss=$now
		done
		echo "$rss $slab" >"$T/most"
		cat /sys/kernel/debug/sky/vm-* >"$T/counters.new" 2>/dev/null && mv "$T/counters.new" "$T/counters"
	done
}

# round SECONDS: one guest
round() {
	local rss slab before
	cat >"$T/work" <<-END
		mount -t ext4 /dev/vda /mnt && chmod 777 /mnt || exit 1
		skyrun greedy 9 2000
		hostile $1 $SEED
	END
	rm -f "$T"/t.h5* "$T"/*.json
	before=$(memory Slab /proc/meminfo)
	GUEST_SECONDS=$(($1 * 3 + 120))
	check "seed $SEED: host and recorder run on" recorded t "$T/work" --ring $((RING_MIB << 20))
	read -r rss slab <"$T/most"
	tr -d '\r' <"$T/console" | grep '^hostile: '
	grep -E '^(calls|processes|insights|hypercalls_refused|entries_refused|records_lost|abandoned) ' "$T/counters" | tr '\n' ' '
	echo
	check "seed $SEED: what it did is known" grep -q "hostile: seed $SEED: .* deeds" "$T/console"
	holds "seed $SEED: the kernel's memory is bounded, in MiB" "$slab - $before < $HOST_MIB"
	holds "seed $SEED: what it tells of is limited" \
		"$(awk '$1 == "entries_refused" { print $2 }' "$T/counters") > 0"
	holds "seed $SEED: so is the recorder's" "$rss < $RECORDER_MIB"
	check "seed $SEED: the archive opens" "$SKY" info --json "$T/t.h5"
	cp "$T/check.log" "$T/info.json"
	holds "seed $SEED: it holds calls" "$(jq -r '.kinds.entry // 0' "$T/info.json") > 1000"
	holds "seed $SEED: what is lost is counted" \
		"$(jq -r .lost_events "$T/info.json") == $(jq -r .missing_seqs "$T/info.json")"
	check "seed $SEED: it can be classified" "$SKY" classify --json "$T/t.h5"
}

load_modules sky dm-sky kvm kvm-amd || exit 1
make_disk 64M
watch &
watcher=$!
SECONDS=0
while [ $STATUS -eq 0 ] && [ $SECONDS_LEFT -gt 0 ]; do
	begun=$SECONDS
	round $((SECONDS_LEFT < 60 ? SECONDS_LEFT : 60))
	SECONDS_LEFT=$((SECONDS_LEFT - 60)) SEED=$((SEED + 1000))
	echo "a round took $((SECONDS - begun)) s"
done
kill $watcher
remove_disk
check "the modules can be unloaded" rmmod kvm-amd kvm dm-sky sky
kernel_is_well
finish
