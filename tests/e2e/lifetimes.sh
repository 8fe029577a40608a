#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Lifetimes of blocks on a real file system: the workload of the paper's figure 4, shorter; a row of
# operations whose outcome is known, with discards, which come after all is known.
. tests/e2e/lib.sh
needs_recording

# value FILTER
value() { jq -r "$1" "$T/lives.json"; }

# lives NAME FS COMMAND...: records the command and follows its blocks
lives() {
	local name=$1 fs=$2
	shift 2
	if ! "$SKY" record --host --fs "$fs" --size 1G ${MOUNT:+--mount-options "$MOUNT"} -o "$T/$name.h5" -- "$@" \
		>"$T/did" 2>"$T/log" || ! "$SKY" lifetimes "$T/$name.h5" --data "$T/$name.csv" --json >"$T/lives.json"; then
		not_ok "$name on $fs: recorded and followed" "$(tail -n 3 "$T/log" | tr '\n' ' ')"
		return 1
	fi
}

for fs in ext4 xfs btrfs; do
	lives wait $fs "$SKY" workload write-wait-delete --size 20M --files 20 --wait 2 || continue
	holds "$fs: every block was born" "$(value .lifetimes.sky.born) == 5120"
	holds "$fs: Sky sees every block deleted" "$(value .lifetimes.sky.deleted) == 5120"
	holds "$fs: not before they had waited" "$(value '.lifetimes.sky.cdf[0][0]') >= 2e9"
	holds "$fs: the naive way sees all data alive" "$(value .lifetimes.naive_data.born) == 5120 && $(value .lifetimes.naive_data.alive) == 5120"
	check "$fs: points to draw are written" grep -q "^sky,.*,1.000000000$" "$T/wait.csv"
done

# Of a range, and of all from a place on: 4 and 7 blocks, in place of 4 and 1.
CLONE='import fcntl, struct
a = open("a")
def clone(to, *where): fcntl.ioctl(open(to, "r+"), 0x4020940d, struct.pack("qQQQ", a.fileno(), *where))
clone("b", 0, 16384, 0)
clone("c", 4096, 0, 4096)'
if lives clones xfs bash -c 'for f in a:8 b:8 c:2; do dd if=/dev/urandom of=${f%:*} bs=4096 count=${f#*:} 2>/dev/null; done
	sync; python3 -c "$1"' - "$CLONE"; then
	holds "clones of ranges are blocks" "$(value .lifetimes.sky.born) == 18 + 4 + 7"
	holds "what lay there was written again" "$(value .lifetimes.sky.overwritten) == 5"
fi

# What is left is what the disk holds: 30 blocks of a, of which 2 were written once more, 1 of c.
MOUNT=discard
if lives known ext4 bash -c 'dd if=/dev/urandom of=a bs=40960 count=4 2>/dev/null
	sleep 0.2
	dd if=/dev/urandom of=a bs=8192 count=1 conv=notrunc 2>/dev/null
	truncate -s 122880 a
	cp --reflink=never a b; exec 7<b; rm b; exec 7<&-
	dd if=/dev/urandom of=c bs=4096 count=8 2>/dev/null; dd if=/dev/urandom of=d bs=4096 count=1 2>/dev/null; mv d c'; then
	holds "blocks born" "$(value .lifetimes.sky.born) == 40 + 2 + 30 + 8 + 1"
	holds "written again" "$(value .lifetimes.sky.overwritten) == 2"
	holds "cut off" "$(value .lifetimes.sky.cut) == 10"
	holds "deleted, open or renamed over" "$(value .lifetimes.sky.deleted) == 30 + 8"
	holds "discarded, but known before" "$(value .lifetimes.sky.discarded) == 0"
	holds "alive, as on the disk" "$(value .lifetimes.sky.alive) == 31 && $(value .lifetimes.naive_data.alive) == 31"
fi
