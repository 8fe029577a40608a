#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Ground truth of real recordings: complete, under the right inode numbers, and in
# agreement with the block layer's flags and with the allocation map.
. tests/e2e/lib.sh
needs_recording

CHUNKS=16384 # of a 64 MiB file
MARKED='head -c 64M /dev/urandom >a; cp --reflink=never a b; mkdir d
	for i in $(seq 200); do echo $i >d/$i; done; sync
	dd if=a of=direct bs=1M count=8 oflag=direct status=none; sync
	stat -c "%n %i %Hd:%Ld" a b direct'

# The truth lines of dump $1 as: op what source device inode index chunks
truths() {
	awk '$5 == "truth" {
		split("", f)
		for (i = 7; i <= NF; i++) { n = index($i, "="); f[substr($i, 1, n - 1)] = substr($i, n + 1) }
		print $6, f["what"] ? f["what"] : "unknown", f["source"] ? f["source"] : "none",
			f["dev"] ? f["dev"] : "-", f["inode"] + 0, f["index"] + 0, f["count"] / 8
	}' "$1"
}

# sum FIELDS: chunks of the truths that begin with these
sum() { awk -v want="$1 " 'index($0, want) == 1 { n += $7 } END { print n + 0 }' "$T/truths"; }

# How many different pages of inode $2 on device $1 were written
pages() {
	awk -v dev="$1" -v inode="$2" '$1 == "W" && $3 == "file" && $4 == dev && $5 == inode {
		for (i = 0; i < $7; i++) if (!(($6 + i) in seen)) { seen[$6 + i]; n++ }
	} END { print n + 0 }' "$T/truths"
}

stat_of() { awk -v name="$1" '$1 == name { print $3, $2 }' "$T/stat"; }
crossed() { jq -r ".cross_checks$1" "$T/classified"; }

check_files() {
	local fs=$1 direct

	holds "$fs: both files' chunks are in the truth" "$(sum 'W data file') >= 2 * $CHUNKS"
	holds "$fs: a under its device and inode, every page" "$(pages $(stat_of a)) == $CHUNKS"
	holds "$fs: b under its device and inode, every page" "$(pages $(stat_of b)) == $CHUNKS"
	# Btrfs since 6.15 writes O_DIRECT through the page cache where it keeps checksums.
	direct=$(($(sum 'W data user-page') + $(pages $(stat_of direct))))
	holds "$fs: O_DIRECT is data" "$direct == 2048"
	holds "$fs: metadata is seen" "$(sum 'W metadata') > 0"
	holds "$fs: nothing is undecided" "$(sum 'W unknown') + $(sum 'R unknown') == 0"
	holds "$fs: nothing was lost" "$(awk '$5 == "loss"' "$T/dump" | wc -l) == 0"
}

check_crossed() {
	local fs=$1 map=.allocation_map

	holds "$fs: every request has its truth" "$(crossed .without_truth) == 0"
	holds "$fs: written metadata bears META" \
		"$(crossed .metadata_writes_without_meta_flag_percent) < 1"
	holds "$fs: data does not" "$(crossed .data_with_meta_flag_percent) < 0.1"
	if [ "$fs" = btrfs ]; then
		check "$fs: no allocation map" [ "$(crossed $map)" = null ]
		return
	fi
	holds "$fs: the map has both files" "$(crossed $map.data_in_its_file) >= 2 * $CHUNKS"
	holds "$fs: no data in another file" "$(crossed $map.data_in_other_file) == 0"
	holds "$fs: no metadata in a file" "$(crossed $map.metadata_in_files) == 0"
}

for fs in ext2 ext3 ext4 xfs btrfs; do
	if ! "$SKY" record --host --fs $fs --size 1G -o "$T/$fs.h5" -- sh -c "$MARKED" \
		>"$T/stat" 2>"$T/log"; then
		not_ok "$fs: recording" "$(tail -n 2 "$T/log" | tr '\n' ' ')"
		continue
	fi
	"$SKY" dump "$T/$fs.h5" >"$T/dump"
	truths "$T/dump" >"$T/truths"
	"$SKY" classify "$T/$fs.h5" --json >"$T/classified"
	check_files $fs
	check_crossed $fs
	rm -f "$T/$fs.h5" "$T/dump"
done
