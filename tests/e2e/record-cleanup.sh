#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A recorder that is killed, interrupted, or out of disk space keeps what it
# recorded and leaves nothing behind: no mount, loop device, process, BPF
# program or folder. SKY_LONG=1: 20 kills within a minute's workload each.
# SKY_SEED repeats the moments of an earlier run.
. "$(dirname "$0")/lib.sh"
needs_recording

SEED=${SKY_SEED:-$(date +%s)}
RANDOM=$((SEED % 32768))
echo "# SKY_SEED=$SEED"

KILLS=5 LONGEST_MS=4000
[ "${SKY_LONG:-0}" = 1 ] && KILLS=20 LONGEST_MS=55000
WORKLOAD='end=$((SECONDS + 60)); n=0
while [ $SECONDS -lt $end ]; do
	n=$((n + 1)); head -c 20M /dev/urandom >big; cp big copy; sync
	mkdir d$n; for i in 1 2 3 4 5 6 7 8 9; do echo $i >d$n/$i; done; cat d$n/* >all; rm -r d$n copy
done'

# Starts a recorder in a process group of its own: $recorder is its number. What
# a shell runs in the background, maybe this script, ignores Ctrl-C unless told.
start() {
	set -m
	env --default-signal=INT,QUIT "$SKY" record --host "$@" >"$T/out" 2>"$T/err" &
	recorder=$!
	set +m
}

# Waits until the recorder's stream holds events.
wait_for_stream() {
	local tries=0
	until [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -gt 4096 ]; do
		sleep 0.05
		tries=$((tries + 1))
		[ $tries -gt 600 ] && return 1
	done
	return 0
}

sleep_ms() { sleep "$(awk "BEGIN { print $1 / 1000 }")"; }
random_ms() { echo $((1 + (RANDOM * 32768 + RANDOM) % $1)); }

# The ids of the BPF programs that a process holds.
programs_of() { cat /proc/"$1"/fdinfo/* 2>/dev/null | awk '$1 == "prog_id:" { print $2 }' | sort -u; }

# What is left of the recorder with that number, whose disk was served by $2 and whose BPF programs were $3.
leftovers() {
	local program
	ls -d /run/sky/"$1".* 2>/dev/null
	cat /proc/[0-9]*/mountinfo 2>/dev/null | grep -o "/run/sky/$1\.[^ ]*" | sort -u | sed 's/^/mount /'
	losetup -a | grep "/run/sky/$1\." | sed 's/^/loop device /'
	if [ -n "$2" ] && grep -q '^State:.[^ZX]' /proc/"$2"/status 2>/dev/null &&
		[ "$(cat /proc/"$2"/comm)" = sky-disk ]; then
		echo "process $2"
	fi
	for program in $3; do
		bpftool prog show id "$program" >/dev/null 2>&1 && echo "BPF program $program"
	done
}

nothing_left() {
	local left
	left=$(leftovers "$recorder" "$server" "$programs" | tr '\n' ' ')
	if [ -z "$left" ]; then ok "$1: nothing is left behind"; else not_ok "$1: nothing is left behind" "$left"; fi
}

# Remembers what the running recorder uses.
look() {
	server=$(cut -d' ' -f1 /run/sky/"$recorder".*/daemon 2>/dev/null)
	programs=$(programs_of "$recorder")
}

exits_with() {
	local status=0
	wait "$recorder" 2>/dev/null || status=$?
	if [ $status -eq "$2" ]; then ok "$1: exit status $2"; else not_ok "$1: exit status $2" "$status $(tail -n 2 "$T/err")"; fi
}

# has_events WHAT TRACE KIND...: the trace can be read and holds events of these kinds.
has_events() {
	local what="$1: what was recorded is kept" trace=$2 kind
	shift 2
	"$SKY" info --json "$trace" >"$T/info" 2>"$T/info.err" || { not_ok "$what" "$(cat "$T/info.err")"; return; }
	for kind; do
		jq -e ".kinds.$kind > 0" "$T/info" >/dev/null || { not_ok "$what" "no $kind event"; return; }
	done
	ok "$what"
}

# ---- kill -9 while the workload runs ----

for i in $(seq "$KILLS"); do
	fs=$(echo ext4 xfs btrfs | cut -d' ' -f$((i % 3 + 1)))
	rm -f "$T"/k.*
	start --fs "$fs" -o "$T/k.h5" -- bash -c "$WORKLOAD"
	moment=$(random_ms $LONGEST_MS)
	what="kill $i ($fs, $moment ms)"
	wait_for_stream "$T/k.h5.stream" || not_ok "$what" "no stream: $(cat "$T/err")"
	sleep_ms "$moment"
	look
	kill -9 "$recorder"
	wait "$recorder" 2>/dev/null
	check "$what: the stream converts" "$SKY" convert "$T/k.h5.stream" -o "$T/k.h5"
	has_events "$what" "$T/k.h5" entry exit
	check "$what: cleanup" "$SKY" record --cleanup
	nothing_left "$what"
done

# ---- kill -9 while the disk is made ----

for i in $(seq "$KILLS"); do
	start -o "$T/k.h5" -- true
	moment=$(random_ms 300)
	sleep_ms "$moment"
	look
	kill -9 "$recorder" 2>/dev/null
	wait "$recorder" 2>/dev/null
	check "early kill $i ($moment ms): cleanup" "$SKY" record --cleanup
	nothing_left "early kill $i"
done
check "a second cleanup has nothing to do" test -z "$("$SKY" record --cleanup)"

# ---- both killed, with a file system that is in use ----

start -o "$T/k.h5" --keep "$T/disk.img" -- bash -c "$WORKLOAD"
wait_for_stream "$T/k.h5.stream"
sleep 1
look
kill -9 "$recorder" "$server"
wait "$recorder" 2>/dev/null
check "kill of recorder and disk: cleanup" "$SKY" record --cleanup
nothing_left "kill of recorder and disk"
start -o "$T/again.h5" --disk "$T/disk.img" -- ls
exits_with "the killed recorder's image can be used again" 0
rm -f "$T/disk.img"

# ---- signals and exit statuses ----

start -o "$T/s.h5" -- sh -c 'echo a >a; sync; sleep 60'
wait_for_stream "$T/s.h5.stream"
sleep 0.5
look
kill -INT -- "-$recorder"
exits_with "Ctrl-C" 130
has_events "Ctrl-C" "$T/s.h5" entry exit block complete
nothing_left "Ctrl-C"

start -o "$T/s.h5" -- sh -c 'echo a >a; sync; exec sleep 60'
wait_for_stream "$T/s.h5.stream"
sleep 0.5
look
kill -TERM "$recorder"
exits_with "SIGTERM" 143
has_events "SIGTERM" "$T/s.h5" entry exit block complete
nothing_left "SIGTERM"

start -o "$T/s.h5" -- sh -c 'echo a >a; sync; kill -SEGV $$'
exits_with "a command that crashes" 139
has_events "a command that crashes" "$T/s.h5" entry exit block complete

start -o "$T/s.h5" -- sh -c 'echo a >a; sync; exit 3'
exits_with "a command that fails" 3
nothing_left "a command that fails"

start -o "$T/s.h5" --then 'echo b >b; sync; exit 4' -- sh -c 'echo a >a'
exits_with "a --then that fails" 4
check "the stream is gone after the conversion" test ! -e "$T/s.h5.stream"

start -o "$T/n.h5" --fs xfs --size 16M -- true
exits_with "a mkfs that fails" 1
check "a mkfs that fails leaves no file" test ! -e "$T/n.h5" -a ! -e "$T/n.h5.stream"
nothing_left "a mkfs that fails"

# ---- a full output disk ----

mkdir "$T/full"
mount -t tmpfs -o size=256k sky-test "$T/full"
start -o "$T/full/f.h5" -- bash -c 'for i in {1..300}; do echo $i >f$i; cat f$i >>all; done; sync; wc -l <all'
exits_with "a full disk" 1
check "a full disk: the command ran on unharmed" grep -qx 300 "$T/out"
check "a full disk: the user is told once" test "$(grep -c "No space left" "$T/err")" = 1
check "a full disk: the stream converts" "$SKY" convert "$T/full/f.h5.stream" -o "$T/full.h5"
has_events "a full disk" "$T/full.h5" entry exit
nothing_left "a full disk"
umount "$T/full"
