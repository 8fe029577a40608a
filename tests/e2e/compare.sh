#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Recordings and results held against each other: the same is the same, what differs shows.
. tests/e2e/lib.sh

demo=tests/data/demo.h5

# exits STATUS COMMAND...: and if it fails, with one sentence
exits() {
	local wanted=$1 status
	shift
	"$@" >"$T/out" 2>"$T/err"
	status=$?
	cat "$T/err"
	[ $status -eq "$wanted" ] && { [ "$wanted" -ne 1 ] || [ "$(wc -l <"$T/err")" -eq 1 ]; }
}

says() { grep -q -e "$1" "$T/err"; }

# asks EXPRESSION ARGUMENTS...: jq's answer about the comparison
asks() {
	local expression=$1
	shift
	"$SKY" compare "$@" --json | jq "$expression"
}

check "a trace equals itself" exits 0 "$SKY" compare $demo $demo --tolerance 0 --tolerance '*=0'
holds "over 150 numbers are the same" "$(asks .verdicts.same $demo $demo --hints none) > 50 && \
	$(asks .verdicts.same $demo $demo) > 150"
holds "all requests are in the same order" \
	"$(asks '.order[] | select(.name == "order.same_order_percent").between' $demo $demo --hints none) == 100"
"$SKY" compare $demo $demo --json >"$T/1.json"
"$SKY" compare $demo $demo --json >"$T/2.json"
check "the same traces give the same bytes" cmp "$T/1.json" "$T/2.json"

"$SKY" convert $demo -o "$T/demo.pcap"
"$SKY" convert $demo -o "$T/demo.events"
check "another form of a trace equals it" exits 0 "$SKY" compare $demo "$T/demo.pcap" --tolerance 0 --tolerance '*=0'
check "so does the text" exits 0 "$SKY" compare "$T/demo.pcap" --with "$T/demo.events" --tolerance 0 --tolerance '*=0'

# A trace without a tenth of its requests, and one whose requests take other sectors.
"$SKY" dump $demo | awk '/ block / && ++n % 10 == 0 { next } 1' >"$T/less.events"
check "fewer requests are found" exits 1 "$SKY" compare $demo "$T/less.events" --hints none --tolerance 'requests.*=5%'
check "and the sentence says so" says "further from A than --tolerance allows in"
check "fewer requests are within a wide tolerance" exits 0 "$SKY" compare $demo "$T/less.events" --hints none \
	--tolerance 'requests.*=20%' --tolerance requests.never_completed=any --tolerance request_bytes.write=0.1
check "and missed by the order's" exits 1 "$SKY" compare $demo "$T/less.events" --hints none --tolerance 'order.same_order_percent=5%'
holds "a tenth of the requests is missing" \
	"$(asks '.order[0].between' $demo "$T/less.events" --hints none) > 94 && $(asks '.order[0].between' $demo "$T/less.events" --hints none) < 95"

"$SKY" classify $demo --json >"$T/sky.json"
"$SKY" classify $demo --hints flags --json >"$T/flags.json"
"$SKY" sim $demo --size 5% --json >"$T/sim.json"
check "a result equals itself" exits 0 "$SKY" compare "$T/sky.json" "$T/sky.json" --tolerance 0
check "another classifier differs" exits 1 "$SKY" compare "$T/sky.json" "$T/flags.json" --only 'confusion.*' --tolerance 0
check "results come through pipes, too" exits 0 \
	bash -c "'$SKY' compare <('$SKY' classify $demo --json) '$T/sky.json' --tolerance 0"
check "two comparisons can be compared" exits 0 "$SKY" compare "$T/1.json" "$T/2.json" --tolerance 0
holds "repetitions are tested" "$(asks '.tests.numbers.tests' "$T/sky.json" "$T/flags.json" --with "$T/flags.json" "$T/sky.json") > 5"

head -c 3000 "$T/sky.json" >"$T/half.json"
head -c 100000 "$T/demo.pcap" >"$T/half.pcap"
head -c 100000 $demo >"$T/half.h5"
head -c 20000 /dev/urandom >"$T/noise"
: >"$T/empty"
check "half a result is refused" exits 1 "$SKY" compare "$T/sky.json" "$T/half.json"
check "half an archive is refused" exits 1 "$SKY" compare $demo "$T/half.h5"
check "noise is refused" exits 1 "$SKY" compare $demo "$T/noise"
check "an empty file is refused" exits 1 "$SKY" compare "$T/empty" $demo
check "a file that isn't there is refused" exits 1 "$SKY" compare $demo "$T/nowhere"
check "a folder is refused" exits 1 "$SKY" compare $demo "$T"
check "a trace through a pipe is refused" exits 1 bash -c "'$SKY' compare $demo <(cat '$T/demo.pcap')"
check "a trace and a result are refused" exits 1 "$SKY" compare $demo "$T/sky.json"
check "and the sentence says why" says "compare two of a kind"
check "results of two commands are refused" exits 1 "$SKY" compare "$T/1.json" <(echo '{"x": 1}')
check "half a stream shows what it lacks" exits 0 "$SKY" compare "$T/demo.pcap" "$T/half.pcap"
check "three files without --with are wrong usage" exits 2 "$SKY" compare $demo $demo $demo
check "a side without files is wrong usage" exits 2 "$SKY" compare $demo --with
check "no tolerance at all is wrong usage" exits 2 "$SKY" compare $demo $demo --tolerance few
check "a full disk is a failure" exits 1 bash -c "'$SKY' compare $demo $demo >/dev/full"
printf '{"a\\u001b[31m": 1, "s": "\\u001b]0;x\\u0007"}' >"$T/hostile.json"
printf '{"a\\u001b[31m": 2, "s": "\\u001b]1;x\\u0007"}' >"$T/hostile2.json"
"$SKY" compare "$T/hostile.json" "$T/hostile2.json" >"$T/out"
check "no control character of a file reaches the terminal" bash -c "! grep -qP '[^\n\x20-\x7e\xc2\xb1]' '$T/out'"

needs_recording
work="'$SKY' workload varmail --files 30 --operations 150 --threads 1 >/dev/null; sync"
for i in 1 2; do
	"$SKY" record --size 512M -o "$T/on$i.h5" -- sh -c "$work" >"$T/log" 2>&1 || cat "$T/log"
	"$SKY" record --size 512M --no-calls --no-truth -o "$T/off$i.h5" -- sh -c "$work" >"$T/log" 2>&1 || cat "$T/log"
done
check "two recordings of a workload are close" exits 0 "$SKY" compare "$T/on1.h5" "$T/on2.h5" \
	--tolerance 'requests.write.bytes=50%' --tolerance 'by_class.data:4.write_chunks=10%' --tolerance 'order.same_bytes_percent=80%'
"$SKY" compare "$T/on1.h5" "$T/on2.h5" --with "$T/off1.h5" "$T/off2.h5" --json >"$T/sets.json"
holds "calls are recorded on one side only" \
	"$(jq '[.numbers[] | select(.name == "events.entry")][0] | .a.mean' "$T/sets.json") > 300 && \
	$(jq '[.numbers[] | select(.name == "events.entry")][0] | .b.mean' "$T/sets.json") == 0"
holds "each number has its test where there is spread" "$(jq '.tests.numbers.tests' "$T/sets.json") > 5"
holds "no corrected p is below its own" \
	"$(jq '[.numbers[].test | select(. != null and .p_corrected < .p)] | length' "$T/sets.json") == 0"
