#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The options of `sky sim`, by traces that are small enough to count along, and by the shipped one.
. tests/e2e/lib.sh
demo=tests/data/demo.h5

# equal WHAT GOT WANT
equal() {
	[ "$2" = "$3" ] && ok "$1" || not_ok "$1" "$2, not $3"
}

# refuses WHAT STATUS WORDS COMMAND...: says one sentence that has these words, prints nothing
refuses() {
	local what=$1 status=$2 words=$3 got
	shift 3
	"$@" >"$T/out" 2>"$T/err"
	got=$?
	if [ $got = "$status" ] && grep -q -- "$words" "$T/err" && [ ! -s "$T/out" ]; then
		ok "$what: $(head -n 1 "$T/err" | cut -d: -f2-)"
	else
		not_ok "$what" "status $got: $(cat "$T/err")"
	fi
}

# What of the results: a jq expression, then options
results() {
	local what=$1
	shift
	"$SKY" sim "$@" --json | jq -c "[.results[] | $what]"
}

# Options that sky sim and sky mrc have in common.
for command in "sim --size 9" mrc; do
	# shellcheck disable=SC2086
	refuses "$command: hints given twice" 2 "the hints sky are given twice" \
		"$SKY" $command "$demo" --hints sky --hints none --hints sky
	refuses "$command: no trace" 2 "which trace" "$SKY" $command
	refuses "$command: two traces" 2 "one trace at a time" "$SKY" $command "$demo" "$demo"
	refuses "$command: columns of no format" 2 "foreign --format" "$SKY" $command "$demo" --columns op
	refuses "$command: no such granularity" 2 "4k or start" "$SKY" $command "$demo" --granularity 8k
	refuses "$command: no such hints" 2 "no hints \"guess\"" "$SKY" $command "$demo" --hints guess
	refuses "$command: no threads" 2 "number of threads from 1" "$SKY" $command "$demo" --threads 0
	refuses "$command: no such size" 2 "\"x\" is no size" "$SKY" $command "$demo" --size x
	refuses "$command: a policy under a rule that isn't there" 2 "nosuch" \
		"$SKY" $command "$demo" --policy icache:base=nosuch
done
refuses "no size" 2 "how large" "$SKY" sim "$demo"
policies=$("$SKY" list cache | grep -c '^  [a-z0-9]')
rules=$("$SKY" sim "$demo" --size 9 --cache all --cache icache:base=all,journal=1 --cache lru --json | jq -c \
	"[(.results | length), ([.results[].cache | select(startswith(\"icache:base=\") and endswith(\",journal=1\"))] | length)]")
equal "all is every policy but rules, of which there are four" "$rules" "[$((2 * (policies - 4) + 1)),$((policies - 4))]"

# What a request is.
cat >"$T/t.csv" <<'S'
time_s,op,offset_bytes,length_bytes
1,R,0,4096
2,R,8192,65536
3,W,0,4096
4,R,8192,4096
5,W,16384,4096
6,R,16384,4096
S
csv=("$T/t.csv" --format csv --size 100)
counts='[.references,.hits,.device.reads,.device.writes,.device.unwritten]'
equal "writes go through" "$(results "$counts" "${csv[@]}" --writes through)" "[[21,4,17,2,0]]"
equal "as they do by themselves" "$(results "$counts" "${csv[@]}")" "[[21,4,17,2,0]]"
equal "writes go back" "$(results "$counts" "${csv[@]}" --writes back)" "[[21,4,17,0,2]]"
equal "writes update" "$(results "$counts" "${csv[@]}" --writes update)" "[[21,4,17,2,0]]"
equal "writes go around" "$(results "$counts" "${csv[@]}" --writes around)" "[[21,1,18,2,0]]"
refuses "writes in no such way" 2 "through, back, update or around" "$SKY" sim "${csv[@]}" --writes twice
counts='[.device.reads,.device.writes,.device.unwritten]'
half=("$demo" --hints none --size 34522)
equal "the ways to write differ on the shipped trace" \
	"$(for how in through back update around; do results ".misses,$counts" "${half[@]}" --writes $how; done | tr -d '\n')" \
	"[69555,[520,69460,0]][69555,[520,35030,34139]][70629,[1577,69460,0]][71038,[1578,69460,0]]"
equal "longer requests bring nothing in" "$(results .hits "${csv[@]}" --largest 32K)" "[2]"
equal "requests as long as the largest do" "$(results .hits "${csv[@]}" --largest 64K)" "[4]"
refuses "no size of a request" 2 "no size of a request" "$SKY" sim "${csv[@]}" --largest 3
equal "requests of the warm-up are not counted" \
	"$("$SKY" sim "${csv[@]}" --warm-up 3 --json | jq -c '[.warm_up_requests,.requests,.references,.results[].hits]')" "[3,3,3,3]"
equal "a time of warm-up" \
	"$("$SKY" sim "${csv[@]}" --warm-up 1500ms --json | jq -c '[.warm_up_requests,.requests,.references,.results[].hits]')" "[2,4,4,4]"
refuses "no warm-up" 2 "is no warm-up" "$SKY" sim "${csv[@]}" --warm-up soon
equal "windows" \
	"$("$SKY" sim "${csv[@]}" --window 2s --json | jq -c '.results[0].over_time | [[.until_ns[] / 1e9], .reads.references, .reads.hits, .writes.references]')" \
	"[[3,5,6],[17,1,1],[0,1,1],[0,1,1]]"
refuses "no window" 2 "is no time" "$SKY" sim "${csv[@]}" --window wide
busy=$("$SKY" sim "$demo" --cache lru --cache icache --size 10% --hints none --hints sky --device hdd --json)
equal "what a device is kept busy for is that of its classes" \
	"$(jq -c '[.results[] | .device.device_ns == ([.by_class[].device_ns] | add)] | all' <<<"$busy")" true
equal "what is saved is the rest" \
	"$(jq -c '[.results[].device | .device_ns_saved == .device_ns_without_cache - .device_ns and .device_ns_saved > 0] | all' <<<"$busy")" true
holds "classes save a disk's time" "$(jq '.results[3].device.device_ns_saved' <<<"$busy") > 10 * $(jq '.results[0].device.device_ns_saved' <<<"$busy")"
refuses "no such device" 2 "nosuch" "$SKY" sim "$demo" --size 10% --device nosuch

# Other programs' files.
printf '%s\n' '5 1 64 8 0' '6 1 64 8 1' '7 2 64 8 1' >"$T/t.named"
named=("$T/t.named" --format csv --columns time_ns,disk,offset_sectors,length_sectors,read --size 9)
equal "named columns" "$("$SKY" sim "${named[@]}" --json | jq -c '[.requests,.distinct_blocks,.results[].hits]')" "[3,2,1]"
equal "named columns for curves" "$("$SKY" mrc "${named[@]}" --json | jq -c '[.requests,.distinct_blocks]')" "[3,2]"
refuses "columns of a format that has its own" 1 "are fixed" "$SKY" sim "$T/t.csv" --format alibaba --columns time_s --size 9
refuses "no such format" 1 "sky list import" "$SKY" sim "$T/t.csv" --format nosuch --size 9

# Several at once are what each is alone.
together=$(results . "$demo" --cache lru --cache s3fifo --cache icache:base=arc --size 2% --size 5000 --hints none --hints sky --hints truth | jq -S .)
alone=$(for cache in lru s3fifo icache:base=arc; do
	for size in 2% 5000; do
		for hints in none sky truth; do
			results . "$demo" --cache $cache --size $size --hints $hints
		done
	done
done | jq -S -s add)
equal "several policies, sizes and hints give what each gives alone" "$(md5sum <<<"$together")" "$(md5sum <<<"$alone")"
for threads in 1 2 7; do
	"$SKY" sim "$demo" --cache all --cache icache:base=all --size 5% --hints sky --hints truth --device hdd \
		--threads $threads --json >"$T/threads.$threads"
done
for threads in 2 7; do
	check "$threads threads give the bytes of one" cmp "$T/threads.1" "$T/threads.$threads"
done
refuses "too little memory" 1 "3 caches would take .* the first 2 would fit" \
	"$SKY" sim "$demo" --cache lru --size 1M --size 2M --size 80G --hints none --memory-limit 100M
equal "what fits runs" "$(results .misses "$demo" --cache lru --size 1M --size 2M --hints none --memory-limit 100M)" \
	"$(results .misses "$demo" --cache lru --size 1M --size 2M --hints none)"

# Results apart.
"$SKY" sim "$demo" --cache lru --cache icache --size 10% --hints none --hints sky --by class,truth,size,disk --json >"$T/by.json"
equal "true classes, sizes and disks add up to all" "$(jq -c '[.results[] |
	([.by_true_class[].hits] | add) == .hits and ([.by_disk[].misses] | add) == .misses and
	([.by_true_class[] | select(.io_class == null or .io_class == 5) | .references] + [.by_file_size[].references] | add) == .references] | all' "$T/by.json")" true
equal "the truth is the same under all hints" \
	"$(jq -c '[.results[] | [.by_true_class[] | [.io_class, .references]]] | unique | length' "$T/by.json")" 1
equal "nothing else depends on it" "$(jq -S -c 'del(.memory, .results[].by_true_class, .results[].by_file_size, .results[].by_disk)' "$T/by.json" | md5sum)" \
	"$("$SKY" sim "$demo" --cache lru --cache icache --size 10% --hints none --hints sky --json | jq -S -c 'del(.memory)' | md5sum)"
"$SKY" sim "$demo" --cache icache --size 10% --by class,truth,size --by disk >"$T/by"
for label in "hint: metadata" "truth: metadata" "files up to 4.0 KiB" "disk 0"; do
	check "the table has $label" grep -q "^  $label  *[0-9]" "$T/by"
done
"$SKY" sim "${csv[@]}" --by truth >"$T/by"
check "what isn't known is said to be so" grep -q "by_true_class: n/a" "$T/by"
refuses "results by something else" 2 "class, truth, size or disk" "$SKY" sim "${csv[@]}" --by "disk,weather"
"$SKY" dump "$demo" >"$T/demo.events"
refuses "the truth of a pipe" 1 "twice" "$SKY" sim - --size 10 --by truth <"$T/demo.events"
equal "disks of a pipe" "$("$SKY" sim - --size 10 --by disk --hints none --json <"$T/demo.events" | jq -c '[.results[0].by_disk[].disk]')" "[0]"

# Side by side.
all=("$demo" --cache all --cache icache:base=all --size 5% --hints none --hints sky --hints truth --device hdd)
"$SKY" sim "${all[@]}" --side-by-side reads --side-by-side time --plot "$T/policies.svg" >"$T/grid"
equal "a line a policy and table" "$(grep -Ec '^[a-z0-9-]+ +-?[0-9.]+ +-?[0-9.]+ +-?[0-9.]+ +-?[0-9.]+$' "$T/grid")" $((2 * (policies - 4)))
read -r _ alone _ sky _ < <(grep '^lru ' "$T/grid")
holds "they are the results' own" "$alone == $(results '(100 * (1 - .reads.miss_ratio) * 100 | round) / 100' "$demo" --cache lru --size 5% --hints none | tr -d '[]')"
holds "classes help lru" "$sky > 10 * $alone"
check "the picture has every policy" bash -c "for p in \$('$SKY' sim ${all[*]} --json | jq -r '.results[].cache' | grep -v : | sort -u); do grep -q \">\$p<\" '$T/policies.svg' || exit 1; done"
"$SKY" sim "${all[@]}" --plot "$T/again.svg" >"$T/out"
check "reads are drawn by themselves, alike each time" cmp "$T/policies.svg" "$T/again.svg"
check "above the usual table" grep -q "^cache  *hints" "$T/out"
refuses "the device's time of none" 2 "Say --device" "$SKY" sim "$demo" --size 9 --side-by-side time
refuses "what can't stand side by side" 2 "hits, reads, writes or time" "$SKY" sim "$demo" --size 9 --side-by-side weather
refuses "no picture" 2 "neither in .svg" "$SKY" sim "$demo" --size 9 --plot x.gif
"$SKY" sim "${csv[@]}" --side-by-side reads --hints sky --plot "$T/none.svg" >"$T/out" 2>"$T/err"
[ $? = 1 ] && [ ! -e "$T/none.svg" ] && ok "nothing to draw: $(cat "$T/err")" || not_ok "nothing to draw" "$(cat "$T/err")"

# A file that is cut while it is simulated where it lies: stopped as soon as it is mapped, then cut.
python3 - "$T" <<'PYTHON'
import struct, sys
record = b"".join(struct.pack("<IIIHHQQ", i, 4096, 1, 0x28, 0x100, 8 * (i * 7919 % 50000), i) for i in range(50000))
with open(sys.argv[1] + "/long.vscsi", "wb") as f:
    for _ in range(60):
        f.write(record)
PYTHON
"$SKY" sim "$T/long.vscsi" --format vscsi --cache belady --cache all --size 1000 >"$T/out" 2>"$T/err" &
sky=$!
until grep -q long.vscsi "/proc/$sky/maps" 2>/dev/null || ! kill -0 $sky 2>/dev/null; do :; done
kill -STOP $sky
truncate -s 1000000 "$T/long.vscsi"
kill -CONT $sky
wait $sky
status=$?
if [ $status = 1 ] && [ ! -s "$T/out" ] && grep -q "was cut while it was read" "$T/err"; then
	ok "a file that is cut meanwhile: $(cut -d: -f2- "$T/err")"
else
	not_ok "a file that is cut meanwhile" "status $status: $(cat "$T/err")"
fi
