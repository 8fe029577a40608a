#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Miss-ratio curves: what is printed and drawn, what is refused, known figures of a real trace.
. "$(dirname "$0")/lib.sh"
root=$(cd "$(dirname "$0")/../.." && pwd)
demo=$root/tests/data/demo.h5

"$SKY" mrc "$demo" --plot "$T/classes.svg" --json >"$T/lru.json"
got=$(jq -c '[(.curves | length), (.curves[0].points | length), .curves[0].hints]' "$T/lru.json")
[ "$got" = '[1,21,"sky"]' ] && ok "lru is the preset, with the trace's classes" || not_ok "lru is the preset" "$got"
got=$(jq -c '[.curves[0].points[].miss_ratio] | . == (sort | reverse)' "$T/lru.json")
[ "$got" = true ] && ok "lru's curve falls" || not_ok "lru's curve falls" "$got"
grep -q metadata "$T/classes.svg" && ok "one policy is drawn with its classes" || not_ok "one policy is drawn with its classes" "none is named"
"$SKY" sim "$demo" --size 10% --json >"$T/sim.json"
holds "a class's curve is what is simulated" \
	"$(jq '.curves[0].by_class[0].points[] | select(.size_entries == 6904).miss_ratio' "$T/lru.json") == $(jq '.results[0].by_class[0].miss_ratio' "$T/sim.json")"

check "all policies are drawn" "$SKY" mrc "$demo" --policy all --samples 2 --size 5% --size 20% --plot "$T/all.png" --json
[ "$(head -c 4 "$T/all.png" | tail -c 3)" = PNG ] && ok "as a picture" || not_ok "as a picture" "it is none"
got=$(jq .requests "$T/lru.json")
want=$("$SKY" sim "$demo" --cache lru --size 5% --json | jq '.requests // .results[0].requests')
[ "$got" = "$want" ] && ok "requests are counted as by the simulation" || not_ok "requests are counted as by the simulation" "$got, not $want"
for threads in 1 2; do
	"$SKY" mrc "$demo" --policy s3fifo --policy belady --threads $threads --json >"$T/$threads.json"
done
cmp -s "$T/1.json" "$T/2.json" && ok "threads change nothing" || not_ok "threads change nothing" "they do"
"$SKY" dump "$demo" | "$SKY" mrc - --json >"$T/pipe.json" 2>"$T/err"
got=$(jq .references "$T/pipe.json")
[ "$got" = "$(jq .references "$T/lru.json")" ] && ok "lru's curve through a pipe" || not_ok "lru's curve through a pipe" "$got $(cat "$T/err")"
"$SKY" mrc "$demo" --size 10% >"$T/table"
grep -q "^ *6904 " "$T/table" && ok "a table for people" || not_ok "a table for people" "$(cat "$T/table")"

# refuses WHAT STATUS WORDS ARGUMENTS...
refuses() {
	local what=$1 status=$2 words=$3
	shift 3
	"$SKY" mrc "$@" >"$T/out" 2>"$T/err"
	if [ $? = "$status" ] && grep -q -- "$words" "$T/err" && [ ! -s "$T/out" ]; then
		ok "$what: $(head -n 1 "$T/err" | cut -d: -f2-)"
	else
		not_ok "$what" "$(cat "$T/err")"
	fi
}
refuses "a rate of nothing" 2 "no rate" "$demo" --rate 0
refuses "a rate above all" 2 "no rate" "$demo" --rate 1.5
refuses "two ways to sample" 2 "two ways" "$demo" --rate 0.1 --sample-blocks 100
refuses "an unknown policy" 2 "nonesuch" "$demo" --policy nonesuch
refuses "an unknown picture" 2 "neither in" "$demo" --plot curves.pdf
refuses "no trace there" 1 "No such file" "$T/none.h5"
refuses "no room for a picture" 1 "" "$demo" --plot "$T/none/curves.png"
refuses "too little memory" 1 "memory-limit" "$demo" --policy all --memory-limit 1M
"$SKY" dump "$demo" >"$T/demo.events"
refuses "a pipe that is needed twice" 1 "twice" - --policy fifo <"$T/demo.events"

trace=${SKY_TRACES:-}/cloudPhysicsIO.vscsi
if [ ! -r "$trace" ]; then
	skip "figures of cloudPhysicsIO.vscsi" "SKY_TRACES names no folder with it"
	exit 0
fi
# figures WHAT EXPECTED ARGUMENTS...
figures() {
	local what=$1 expected=$2 got
	shift 2
	got=$("$SKY" mrc "$trace" --format vscsi --json "$@" |
		jq -c '[.curves[].points[].miss_ratio * 10000 | round / 10000]')
	[ "$got" = "$expected" ] && ok "$what" || not_ok "$what" "$got"
}
figures "lru by 4 KiB blocks" "[0.8969,0.8741,0.8129,0.5997]" --size 1% --size 10% --size 20% --size 40%
figures "lru, fifo, sieve and belady by start sectors" \
	"[0.8379,0.7248,0.8476,0.7128,0.8291,0.7162,0.7926,0.5449]" --granularity start --size 490 --size 9795 \
	--rate 1 --policy lru --policy fifo --policy sieve --policy belady
