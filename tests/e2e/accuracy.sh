#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How right `sky classify` is on real recordings, file system by file system,
# and that the truth does not lean on what Sky goes by.
. tests/e2e/lib.sh
needs_recording

HEADERS=/usr/include
WORKLOAD='cp -r include again && sync && cat $(find include -name "*.h") > all && sync'

# value FILE NAME: of a JSON object
value() { jq -r ".$2" "$1"; }

# accuracy NAME FS RECORD-OPTION...
accuracy() {
	local name=$1 fs=$2
	shift 2
	if ! "$SKY" record --host --fs "$fs" --size 2G "$@" --prepare "cp -r $HEADERS include" \
		-o "$T/$name.h5" -- sh -c "$WORKLOAD" 2>"$T/$name.log"; then
		not_ok "$name is recorded" "$(tail -n 2 "$T/$name.log")"
		return
	fi
	if ! "$SKY" classify "$T/$name.h5" --json >"$T/$name.json"; then
		not_ok "$name is classified" "exit status $?"
		return
	fi
	holds "$name: writes are judged" "$(value "$T/$name.json" write_chunks_judged) > 1000"
	holds "$name: reads are judged" "$(value "$T/$name.json" read_chunks_judged) > 1000"
	holds "$name: write error" "$(value "$T/$name.json" write_error_percent) < 1"
	holds "$name: read error" "$(value "$T/$name.json" read_error_percent) < 1"
	rm -f "$T/$name.h5"
}

# written_data FILE TABLE: data chunks written, by the hints or by the truth
written_data() { jq "[.$2[] | select(.what == \"data\") | .write_chunks] | add" "$1"; }

truth_stands_alone() {
	local kinds=entry,exit,process,descriptor,map,switch,fork,exec,gone,monitor,insight,mapping

	"$SKY" record --host --fs ext4 --size 1G -o "$T/copy.h5" -- \
		sh -c 'head -c 64M /dev/urandom >a; cp a b; sync' 2>"$T/copy.log" ||
		{ not_ok "a copy is recorded" "$(tail -n 2 "$T/copy.log")"; return; }
	"$SKY" classify "$T/copy.h5" --json >"$T/copy.json"
	holds "copy: data chunks in the truth" "$(written_data "$T/copy.json" truth_by_class) >= 32768"
	holds "copy: data chunks in the hints" "$(written_data "$T/copy.json" by_class) >= 32768"

	"$SKY" dump "$T/copy.h5" | awk -v kinds="$kinds" \
		'BEGIN { n = split(kinds, k, ","); for (i = 1; i <= n; i++) call[k[i]] = 1 }
		 !($5 in call)' >"$T/blind.events"
	"$SKY" convert "$T/blind.events" -o "$T/blind.h5" 2>"$T/copy.log" ||
		{ not_ok "the trace without its calls is converted" "$(cat "$T/copy.log")"; return; }
	"$SKY" classify "$T/blind.h5" --json >"$T/blind.json"
	holds "without calls: the truth is the same" \
		"$(written_data "$T/blind.json" truth_by_class) == $(written_data "$T/copy.json" truth_by_class)"
	holds "without calls: everything is wrong" "$(value "$T/blind.json" write_error_percent) >= 99"
}

for fs in ext4 xfs btrfs; do
	accuracy "$fs" "$fs"
	accuracy "$fs without copy offload" "$fs" --no-copy-offload
done
for fs in ext2 ext3; do
	accuracy "$fs" "$fs"
done
truth_stands_alone
