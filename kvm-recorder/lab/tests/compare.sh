#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 400 s
#
# The two recorders side by side: the same program does the same to copies of one file system, in a
# guest that the emulated host records, and in that host under its own recorder. Data must be
# the same chunk by chunk, errors of the same kinds, and requests of the same distributions;
# `sky compare` tells what differs, in results/compare.d/compare.txt.
. /mnt/share/tests/lib.sh

WORKLOAD="sky workload fileserver --files 40 --operations 300 --threads 1 --phase"
export PATH=/tmp:$PATH
keep '*.h5' '*.json' '*.pcap' compare.txt console

# The guest begins when it is recorded. Neither side writes what is not asked for within an hour (0 in its
# place would wake the writer with the first page, mm/backing-dev.c: wb_wakeup_delayed).
NO_WRITER="echo 360000 >/proc/sys/vm/dirty_writeback_centisecs"
cat >"$T/script" <<END
$NO_WRITER
cat >/tmp/work <<'WORK'
mount -t ext4 /dev/vda /mnt && cd /mnt || exit 1
echo ready
until skyrun true 2>/dev/null; do sleep 0.1; done
skyrun $WORKLOAD run
status=\$?
cd /
umount /mnt
exit \$status
WORK
END
with_truth "bash /tmp/work" >>"$T/script"

# prepare: a file system with the files that the program needs, on the guest's disk and as $T/image.host.
# Its journal isn't committed by the clock either, which would write data that is about to change.
prepare() {
	mkdir -p "$T/mnt"
	tune2fs -E mount_opts=commit=900 /dev/mapper/sky0 || return 1
	mount /dev/mapper/sky0 "$T/mnt" && (cd "$T/mnt" && $WORKLOAD prepare) && umount "$T/mnt" &&
		blockdev --flushbufs "$loop" && cp --sparse=always "$T/image" "$T/image.host"
}

# in_guest: $T/guest.h5
in_guest() {
	GUEST_SECONDS=300 guest "$T/script"
	recordable || return 1
	until grep -q "^ready" "$T/console"; do
		kill -0 $guest || return 1
		sleep 0.1
	done
	"$SKY" record --kvm sky --disk vm1 --stream "$T/guest.pcap" || return 1
	wait $guest
	grep "^guest: status 0" "$T/console" || return 1
	truth_of_guest &&
		"$SKY" join "$T/guest.pcap" "$T/truth.pcap" -o "$T/guest.h5"
}

# value SIDE FILTER; same WHAT FILTER: of both sides
value() { jq -r "$2" "$T/$1.json"; }
same() {
	local guest host
	guest=$(value guest "$2") host=$(value host "$2")
	holds "$1 alike" "$host > 0 && $guest == $host"
}
data() { echo "[.truth_by_class[] | select(.what == \"data\") | .$1_chunks] | add"; }

load_modules sky dm-sky kvm kvm-amd fuse || exit 1
make_disk 64M
make_out 16M
check "there is a file system to begin with" prepare
check "a program in a guest is recorded" in_guest
remove_disk
eval "$NO_WRITER"
check "it is by the host's own recorder" "$SKY" record --host --fs ext4 --disk "$T/image.host" -o "$T/host.h5" -- $WORKLOAD run
for side in guest host; do
	"$SKY" classify --json "$T/$side.h5" >"$T/$side.json"
	holds "$side: below 1 % of $(value $side .write_chunks_judged) written chunks are misclassified" \
		"$(value $side .write_error_percent) < 1"
	holds "$side: ... of $(value $side .read_chunks_judged) read ones" "$(value $side .read_error_percent) < 1"
	for what in write.metadata.data write.data.metadata read.metadata.data read.data.metadata; do
		holds "$side: errors are of the same kinds, $what" "$(value $side ".confusion.$what") <= 2"
	done
done
same "data written is" "$(data write)"
same "data read is" "$(data read)"
"$SKY" compare --json "$T/guest.h5" "$T/host.h5" >"$T/compare.json"
"$SKY" compare "$T/guest.h5" "$T/host.h5" --only 'requests.*' --only 'truth_by_class.*' --only 'by_class.*' --only 'confusion.*' \
	--only '*_error*' --only 'request_bytes.*' --only 'order.*' >"$T/compare.txt"
cat "$T/compare.txt"
for what in read write; do
	holds "requests that $what have one distribution" \
		"$(jq ".distributions[] | select(.name == \"request_bytes.$what\").test.p" "$T/compare.json") > 0.01"
done
check "the modules can be unloaded" rmmod kvm-amd kvm dm-sky sky
kernel_is_well
finish
