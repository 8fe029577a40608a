#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# I/O that is hard to follow: misaligned and small, asynchronous, through mappings.
# Each on ext4 and XFS within 1 % error; docs/pipeline.md says what may exceed it.
. "$(dirname "$0")/lib.sh"
needs_recording

HERE=$(dirname "$(realpath "$0")")
for program in aio_direct mapped small_writes; do
	gcc -O1 -Wall -Wextra -Werror -D_GNU_SOURCE -o "$T/$program" "$HERE/programs/$program.c" 2>"$T/gcc.log" ||
		{ not_ok "$program" "it can't be compiled: $(tail -n 1 "$T/gcc.log")"; exit; }
done

# value NAME: of what was classified last
value() { jq -r ".$1" "$T/classified.json"; }

# record WHAT FS PREPARATION COMMAND RECORD-OPTION...
record() {
	local what=$1 fs=$2 prepare=$3 command=$4
	shift 4
	if ! "$SKY" record --host --fs "$fs" --size 1G --prepare "$prepare" "$@" -o "$T/t.h5" -- \
		sh -c "$command" 2>"$T/record.log"; then
		not_ok "$what on $fs is recorded" "$(tail -n 2 "$T/record.log")"
		return 1
	fi
	"$SKY" classify "$T/t.h5" --json >"$T/classified.json" && return
	not_ok "$what on $fs is classified" "exit status $?"
	return 1
}

# written_within WHAT FS CHUNKS: written data was found, so many chunks or more
written_within() {
	holds "$1 on $2: writes are judged" "$(value write_chunks_judged) >= $3"
	holds "$1 on $2: write error" "$(value write_error_percent) < 1"
}

read_within() {
	holds "$1 on $2: reads are judged" "$(value read_chunks_judged) >= $3"
	holds "$1 on $2: read error" "$(value read_error_percent) < 1"
}

FILE='head -c 20480000 /dev/urandom >f'
for fs in ext4 xfs; do
	for bytes in 1000 5000; do
		what="dd bs=$bytes"
		record "$what" $fs "$FILE; sync; head -c 5000000 /dev/urandom >from" \
			"dd if=from of=f bs=$bytes conv=notrunc seek=7 status=none && sync" || continue
		written_within "$what" $fs 1200
		read_within "$what" $fs 1200
	done
	if record "small writes" $fs "$FILE" "$T/small_writes f 3000 && sync"; then
		written_within "small writes" $fs 2000
		read_within "small writes" $fs 2000
	fi
	if record "a write beyond the end" $fs "head -c 5000 /dev/urandom >f" \
		"head -c 100 /dev/urandom | dd of=f bs=100 seek=400 conv=notrunc,fsync status=none"; then
		written_within "a write beyond the end" $fs 1
		holds "a write beyond the end on $fs: errors" "$(value write_errors) + $(value read_errors) == 0"
	fi
	if record "asynchronous I/O" $fs "$FILE" "$T/aio_direct f 2000"; then
		written_within "asynchronous I/O" $fs 3000
		read_within "asynchronous I/O" $fs 3000
	fi
	# Buffers that are filled anew before the next call take with them what was read.
	if record "completions in memory" $fs "$FILE" "$T/aio_direct f 2000 reap"; then
		written_within "completions in memory" $fs 3000
		holds "completions in memory on $fs: read error" "$(value read_error_percent) < 10"
	fi
	if record "a mapping that is filled" $fs true "$T/mapped write f 5000 1"; then
		written_within "a mapping that is filled" $fs 5000
	fi
	# Any sync on the machine writes pages back unannounced: the fewer have changed, the better.
	if record "a mapping that is updated" $fs "$FILE" "$T/mapped update f 5000 4" --map-period 0.2; then
		written_within "a mapping that is updated" $fs 5000
		read_within "a mapping that is updated" $fs 5000
	fi
	if record "a mapping that is read" $fs "$FILE" "$T/mapped read f 5000 1"; then
		read_within "a mapping that is read" $fs 5000
	fi
	if record "a program on the disk" $fs "cp $(command -v bash) ." './bash -c "exit 0"'; then
		read_within "a program on the disk" $fs 100
	fi
done
