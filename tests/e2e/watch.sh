#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `sky watch` beside real recordings: through a pipe, of a growing file, of one
# whose recorder is killed, in a terminal; and its memory over a long stream.
. tests/e2e/lib.sh

# sums LINES: chunks by class, added up over the intervals, as `sky classify` has them
sums() {
	jq -s -c 'map(.now.by_class) | add | group_by([.what, .io_class]) |
		map([.[0].what, .[0].io_class, (map(.read.chunks) | add), (map(.write.chunks) | add)]) |
		map(select(.[2] + .[3] > 0))' "$1"
}
classified() {
	"$SKY" classify "$1" --json | jq -c '.by_class | group_by([.what, .io_class]) |
		map([.[0].what, .[0].io_class, (map(.read_chunks) | add), (map(.write_chunks) | add)]) |
		map(select(.[2] + .[3] > 0))'
}

# agrees WHAT LINES TRACE STREAM: intervals, totals and classify say the same of a trace, and of
# the stream that it was made of, which has no note of where it was cut
agrees() {
	local sum class
	sum=$(sums "$2") class=$(classified "$3")
	if [ "$sum" = "$class" ] && [ ${#sum} -gt 30 ]; then
		ok "$1: the intervals add up to what classify finds, $sum"
	else
		not_ok "$1: the intervals add up to what classify finds" "$sum, $class"
	fi
	holds "$1: events in the intervals, in the trace" \
		"$(jq -s 'map(.now.events) | add' "$2") == $("$SKY" info "$4" --json | jq .events)"
	check "$1: the sums are the last line's totals" jq -s -e \
		'(map(.now.bytes.write) | add) == last.total.bytes.write and last.last and last.pending_chunks == 0' "$2"
}

# wait_for COMMAND...: until it succeeds, 20 s at most
wait_for() {
	for _ in $(seq 200); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	return 1
}

# peak EVENTS: MiB that watch takes for that many, 0.1 ms apart, of ever new files. What is freed
# goes back at once: a sanitized build would keep 256 MiB of it.
peak() {
	"$BUILD/tests/bench/make_trace" "$1" 100000 1000000000 |
		ASAN_OPTIONS=quarantine_size_mb=0 tests/bench/measure "$SKY" watch - --json |
		cut -d ' ' -f 3
}
if [ -x "$BUILD/tests/bench/make_trace" ]; then
	short=300000 long=1200000
	[ -z "${SKY_LONG:-}" ] || short=18000000 long=36000000 # an hour of 10000 events/s
	holds "memory for a stream of $short events and for one of $long, in MiB" \
		"$(peak $long) < $(peak $short) + 2"
else
	skip "memory over a long stream" "make_trace is not built"
fi

"$SKY" watch tests/data/demo.h5 --json --interval 5s >"$T/demo" 2>"$T/log" || cat "$T/log"
agrees "a finished trace" "$T/demo" tests/data/demo.h5 tests/data/demo.h5
"$SKY" watch tests/data/demo.h5 --interval 5s --json >"$T/again"
check "the same trace gives the same lines" cmp "$T/demo" "$T/again"
"$SKY" watch tests/data/demo.h5 --count 3 --batch >"$T/pages"
holds "pages of --count 3, lines, columns" "$(grep -c '^sky watch' "$T/pages") == 3 && \
	$(wc -l <"$T/pages") <= 72 && $(wc -L <"$T/pages") <= 80"
check "a file that isn't there" bash -c "! '$SKY' watch '$T/nothing'"
echo garbage >"$T/garbage"
check "a file that is no trace" bash -c "! '$SKY' watch '$T/garbage'"

needs_recording
varmail="$SKY workload varmail"

"$SKY" record --host --size 1G -o - -- $varmail --operations 3000 2>"$T/log" | tee "$T/pipe.pcap" |
	"$SKY" watch - --json --interval 100ms >"$T/pipe"
status="${PIPESTATUS[*]}"
if [ "$status" = "0 0 0" ]; then
	"$SKY" convert "$T/pipe.pcap" -o "$T/pipe.h5"
	agrees "a pipe" "$T/pipe" "$T/pipe.h5" "$T/pipe.pcap"
	check "what the command prints doesn't get into the stream" grep -q "run  *operations" "$T/log"
	check "files have names" jq -s -e 'map(.files[].path // empty) | any(startswith("varmail/"))' "$T/pipe"
	check "processes have names" jq -s -e 'map(.processes[].executable // empty) | any(endswith("/sky"))' "$T/pipe"
	check "write amplification is more than 1, of data and metadata" jq -s -e \
		'last.total.write_amplification | .all > 1 and .data > 0.5 and .metadata > 0.05' "$T/pipe"
else
	not_ok "a pipe" "exit statuses $status; $(tail -n 2 "$T/log" | tr '\n' ' ')"
fi

"$SKY" record --host --size 1G --stream "$T/grows.pcap" -- \
	sh -c "$varmail --operations 3000 && sleep 2.5 && $varmail --phase run --operations 1000" >"$T/log" 2>&1 &
recorder=$!
if wait_for test -s "$T/grows.pcap"; then
	"$SKY" watch "$T/grows.pcap" --json --interval 500ms >"$T/grows" 2>"$T/watch.log"
	status=$?
	holds "a growing file: exit status" "$status == 0"
	if wait $recorder; then
		"$SKY" convert "$T/grows.pcap" -o "$T/grows.h5"
		agrees "a growing file" "$T/grows" "$T/grows.h5" "$T/grows.pcap"
		check "it is live: quiet intervals are lines of their own" jq -s -e 'any(.now.events == 0)' "$T/grows"
		check "it ends without a word" test ! -s "$T/watch.log"
	else
		not_ok "a growing file" "$(tail -n 2 "$T/log" | tr '\n' ' ')"
	fi
else
	not_ok "a growing file" "$(tail -n 2 "$T/log" | tr '\n' ' ')"
fi

"$SKY" record --host --size 1G --stream "$T/killed.pcap" -- $varmail --operations 100000 >"$T/log" 2>&1 &
recorder=$!
if wait_for test -s "$T/killed.pcap"; then
	(sleep 1.5; kill -9 $recorder) &
	timeout 60 "$SKY" watch "$T/killed.pcap" --json >"$T/killed" 2>"$T/watch.log"
	holds "the recorder is killed: exit status" "$? == 0"
	wait $recorder 2>/dev/null
	check "the recorder is killed: a sentence" grep -q "broke off" "$T/watch.log"
	"$SKY" convert "$T/killed.pcap" -o "$T/killed.h5" 2>/dev/null
	agrees "the recorder is killed" "$T/killed" "$T/killed.h5" "$T/killed.pcap"
	"$SKY" record --cleanup >/dev/null
else
	not_ok "the recorder is killed" "$(tail -n 2 "$T/log" | tr '\n' ' ')"
fi

if ! command -v tmux >/dev/null; then
	skip "the screen" "tmux is not installed"
	exit
fi
screen() { tmux -L "sky-$$" "$@"; }
"$SKY" record --host --size 1G --stream "$T/shown.pcap" -- \
	sh -c "for i in 1 2 3 4; do $varmail --operations 1000; sleep 1; rm -rf varmail; done" >"$T/log" 2>&1 &
recorder=$!
wait_for test -s "$T/shown.pcap"
screen -f /dev/null new-session -d -x 80 -y 24 "'$SKY' watch '$T/shown.pcap'; echo status \$?; sleep 60"
shows() { screen capture-pane -p >"$T/screen"; grep -q -- "$1" "$T/screen"; }
check "the screen shows the trace live" wait_for shows "the last 1 s  live"
check "classes" shows "^data < 2 MiB *4 "
check "files and processes" shows "^PROCESSES by disk-written/s"
check "the keys" shows "^q quit"
holds "lines and columns of the screen" "$(wc -l <"$T/screen") == 24 && $(wc -L <"$T/screen") <= 80"
screen send-keys s
check "s ranks by something else" wait_for shows "FILES by disk-read/s"
screen send-keys t
check "t shows totals" wait_for shows "averages of"
screen resize-window -x 100 -y 30
widest() { screen capture-pane -p >"$T/screen"; [ "$(wc -L <"$T/screen")" -gt 95 ]; }
check "it follows the terminal's size" wait_for widest
screen send-keys q
check "q ends it, and leaves the sums" wait_for shows "^status 0"
check "they are the averages" shows "stopped"
screen kill-server
check "the recording goes on" wait $recorder
