#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each workload, recorded for about a second on ext4 with a cold cache, and
# classified; and the truth of written chunks a second way, by their tags.
. tests/e2e/lib.sh
needs_recording

# value FILE FILTER
value() { jq -r "$2" "$1"; }

# recorded NAME OPTION...: prepared before the recording, then run.
recorded() {
	local name=$1
	shift
	"$SKY" record --host --fs ext4 --size 1G -o "$T/$name.h5" \
		--prepare "'$SKY' workload $name --phase prepare --json $* >'$T/prepare.json'" \
		-- "$SKY" workload "$name" --phase run --json "$@" >"$T/$name.json" 2>"$T/log" &&
		"$SKY" classify "$T/$name.h5" --json >"$T/$name.class"
}

# workload NAME OPTION...: at most $BOUND percent of the chunks are misclassified
BOUND=1
workload() {
	local name=$1
	if ! recorded "$@"; then
		not_ok "$name is recorded and classified" "$(tail -n 3 "$T/log" | tr '\n' ' ')"
		return
	fi
	holds "$name: it did something" "$(value "$T/$name.json" .run.operations) > 0"
	for direction in write read; do
		local errors="$(value "$T/$name.class" ".${direction}_errors")"
		local judged="$(value "$T/$name.class" ".${direction}_chunks_judged")"
		holds "$name: ${direction}s misclassified, of all chunks" "$errors <= $BOUND / 100 * $judged"
		[ "$errors" = 0 ] || value "$T/$name.class" \
			".error_examples | map(select(.op == \"$direction\")) | first" | tr -d '\n'
		[ "$errors" = 0 ] || echo
	done
	rm -f "$T/$name.h5"
}

# tagged FS: what the disk holds afterwards agrees with the last hint of every sector
tagged() {
	local fs=$1 tags untagged wrong
	if ! "$SKY" record --host --fs "$fs" --size 1G --keep "$T/image" -o "$T/tags.h5" -- \
		"$SKY" workload varmail --operations 2000 --json >"$T/tags.json" 2>"$T/log" ||
		! "$SKY" classify "$T/tags.h5" -o "$T/hinted.h5" >"$T/log" 2>&1; then
		not_ok "$fs: a tagged recording" "$(tail -n 3 "$T/log" | tr '\n' ' ')"
		return
	fi
	if ! tests/e2e/programs/tags_check.py "$T/hinted.h5" "$T/image" >"$T/tags" 2>"$T/log"; then
		not_ok "$fs: the tags are read" "$(tail -n 1 "$T/log")"
		return
	fi
	read -r tags untagged wrong <"$T/tags"
	holds "$fs: tagged chunks on the disk" "$tags > 1000 && $untagged > 10"
	holds "$fs: hints that the tags contradict" "$wrong <= 0.01 * ($tags + $untagged)"
	rm -f "$T/image" "$T"/*.h5
}

workload varmail --operations 3000
workload fileserver --operations 1500 --files 500
workload webserver --operations 5000
workload oltp --operations 4000
workload write-wait-delete --size 20M --files 20 --wait 1
workload random-reads --file-size 16M --operations 3000
workload random-writes --file-size 16M --operations 3000
workload sequential-reads --file-size 16M --operations 4096
workload sequential-writes --file-size 16M --operations 4096
workload repeated-reads --file-size 4M --operations 3000
workload repeated-writes --file-size 4M --operations 3000
workload find --files 2000
workload cp --size 32M
workload gpg --size 32M
for fs in ext4 xfs btrfs; do
	tagged "$fs"
done
