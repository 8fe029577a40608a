#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the trace says of system calls is true: programs that write and read in
# every way, and threads at their worst, are recorded, and the checksums of
# their calls are compared with what is in their files at the end.
. "$(dirname "$0")/lib.sh"
needs_recording

HERE=$(dirname "$(realpath "$0")")
for program in tracer_calls tracer_threads; do
	gcc -O1 -Wall -Wextra -Werror -pthread -o "$T/$program" "$HERE/programs/$program.c" 2>"$T/gcc.log" ||
		{ not_ok "$program" "it can't be compiled: $(tail -n 1 "$T/gcc.log")"; exit; }
done

# record NAME FS OPTIONS... -- COMMAND: COMMAND's files and their inodes go to $T/NAME, the trace to $T/NAME.txt
record() {
	local name=$1 fs=$2 status
	shift 2
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	mkdir -p "$T/$name"
	"$SKY" record --host --fs "$fs" --size 1G "${options[@]}" -o "$T/$name.h5" -- \
		sh -c "$2; status=\$?; stat -c '%i %n' \$(find . -type f -printf '%P\n') >$T/$name/inodes; cp * $T/$name; exit \$status" \
		>"$T/$name.log" 2>&1
	status=$?
	"$SKY" dump "$T/$name.h5" >"$T/$name.txt"
	return $status
}

# true_to_files NAME: the checksums of the calls are those of the files
true_to_files() {
	check "$1: checksums of calls are those of the files" python3 "$HERE/programs/tracer_check.py" "$T/$1" <"$T/$1.txt"
}

for fs in ext4 xfs btrfs; do
	if record calls-$fs $fs -- "$T/tracer_calls"; then ok "calls on $fs"; else not_ok "calls on $fs" "$(tail -n 1 "$T/calls-$fs.log")"; fi
	true_to_files calls-$fs
done
holds "io_uring's refusal is said once" "$(grep -c io_uring "$T/calls-ext4.log") == 1"

record threads ext4 -- "$T/tracer_threads"
holds "the status of a program that a thread executed" "$? == 42"
true_to_files threads
holds "every thread's end is told" "$(grep -c ' gone ' "$T/threads.txt") == $(grep -c ' fork ' "$T/threads.txt") + 1"

if record no-offload ext4 --no-copy-offload -- 'head -c 1234567 /dev/urandom >a && cp a b && cat a b >c && install a d && cmp a d'; then
	ok "cp, cat and install without copy offload"
else
	not_ok "cp, cat and install without copy offload" "$(tail -n 1 "$T/no-offload.log")"
fi
true_to_files no-offload
holds "no copy inside the kernel succeeds" "$(grep -Ec ' exit +(copy_file_range|sendfile|splice) .* ret=[1-9]' "$T/no-offload.txt") == 0"

if record offload btrfs -- 'head -c 1234567 /dev/urandom >a && cp --reflink=never a b && cat a b >c && cp --reflink=always a d && echo more >>d && cp a e && cat e >>e2'; then
	ok "copies and clones on btrfs"
else
	not_ok "copies and clones on btrfs" "$(tail -n 1 "$T/offload.log")"
fi
true_to_files offload
