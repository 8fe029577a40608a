#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# I/O that is hard to follow: misaligned and small, asynchronous, in signal handlers and
# children of vfork, of equal content, through mappings. Each within 1 % error;
# docs/pipeline.md says what may exceed it.
. "$(dirname "$0")/lib.sh"
needs_recording

HERE=$(dirname "$(realpath "$0")")
for program in aio_direct mapped small_writes page_rewriter handlers vfork_storm; do
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
tar -C "$HERE/../.." -cf "$T/tree.tar" capture sim docs
for fs in ext4 xfs btrfs; do
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
	if record "signal handlers" $fs true "$T/handlers 60 && sync"; then
		written_within "signal handlers" $fs 1000
	fi
	if record "a vfork storm" $fs "head -c 30000 /dev/urandom >from" \
		"$T/vfork_storm from 200 && sync" --no-copy-offload; then
		written_within "a vfork storm" $fs 1600
	fi
	what="a tree unpacked ten times"
	if record "$what" $fs true "for i in 0 1 2 3 4 5 6 7 8 9; do
		mkdir \$i && tar -C \$i -xf '$T/tree.tar' || exit 1; done; sync" --then "cat */*/*/* >/dev/null 2>&1"; then
		written_within "$what" $fs 1000
		read_within "$what" $fs 1000
	fi
	if record "a program on the disk" $fs "cp $(command -v bash) ." './bash -c "exit 0"'; then
		read_within "a program on the disk" $fs 100
	fi
done

# Which pages are under write-back can be asked since Linux 6.5; before, what is written back
# between two periodic looks goes unseen (docs/pipeline.md), and on Btrfs that is always so.
sees_write_back() {
	[ "$(printf '%s\n' 6.5 "$(uname -r)" | sort -V | head -n 1)" = 6.5 ] && return
	skip "$1 on $2" "Linux $(uname -r) has no cachestat()"
	return 1
}

# What mapped pages hold is not told by any call; and what writes these back isn't either.
for fs in ext2 ext3 ext4 xfs btrfs; do
	if record "a mapping that is filled" $fs true "$T/mapped write f 5000 1"; then
		written_within "a mapping that is filled" $fs 5000
	fi
	what="a mapping that is updated at once"
	if sees_write_back "$what" $fs && record "$what" $fs "$FILE" "$T/mapped update f 5000 0"; then
		written_within "$what" $fs 5000
		read_within "$what" $fs 4000
	fi
	what="a mapping that is updated slowly"
	if sees_write_back "$what" $fs && record "$what" $fs "$FILE" "$T/mapped update f 5000 3"; then
		written_within "$what" $fs 5000
		read_within "$what" $fs 4000
	fi
	what="pages rewritten during write-back"
	if sees_write_back "$what" $fs && record "$what" $fs "$FILE" "$T/page_rewriter f 15000"; then
		written_within "$what" $fs 2000
		read_within "$what" $fs 4000
	fi
	if record "a mapping that is read" $fs "$FILE" "$T/mapped read f 5000 1"; then
		read_within "a mapping that is read" $fs 4000
	fi
done
