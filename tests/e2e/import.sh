#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Foreign traces: imported, simulated, refused.
. tests/e2e/lib.sh

# fails WHAT PATTERN COMMAND...: exit status 1, one sentence that matches, no output file
fails() {
	local what=$1 pattern=$2
	shift 2
	"$@" >"$T/out" 2>"$T/err"
	local status=$?
	if [ $status -ne 1 ]; then
		not_ok "$what" "exit status $status"
	elif [ "$(wc -l <"$T/err")" -ne 1 ] || ! grep -q "$pattern" "$T/err"; then
		not_ok "$what" "said: $(cat "$T/err")"
	elif compgen -G "$T/wrong.h5*" >/dev/null; then
		not_ok "$what" "left a file behind"
	else
		ok "$what"
	fi
}

miss_ratio() {
	"$SKY" sim "$@" --json | jq '.miss_ratio * 10000 | round / 10000'
}

# Four blocks, six times each, in both versions; a file that is cut; one of two versions.
python3 - "$T" <<'PYTHON'
import struct, sys
v1 = v2 = b""
for i in range(24):
    sector, us = 8 * (i % 4), 1000 * i
    v1 += struct.pack("<IIIHHQQ", i, 4096, 1, 0x28, 0x100, sector, us)
    v2 += struct.pack("<HHIIIQQQ", 0x2a, 0x200, i, 4096, 1, sector, us, 250)
for name, data in ("v1", v1), ("v2", v2), ("cut", v1[:-5]), ("mixed", 7 * v1 + v2[:32]):
    open(f"{sys.argv[1]}/{name}.vscsi", "wb").write(data)
PYTHON

for version in v1 v2; do
	check "vscsi $version is imported" "$SKY" import vscsi "$T/$version.vscsi" -o "$T/$version.h5"
	holds "vscsi $version: miss ratio of 4 blocks read 6 times" \
		"$(miss_ratio "$T/$version.h5" --cache lru --size 4) == 0.1667"
done
holds "vscsi v2 has completions" \
	"$("$SKY" dump "$T/v2.h5" --kinds complete | wc -l) == 24"
"$SKY" convert "$T/v1.h5" -o "$T/v1.events"
holds "the text form gives the same" "$(miss_ratio "$T/v1.events" --size 4) == $(miss_ratio "$T/v1.h5" --size 4)"
[ "$("$SKY" sim "$T/v1.h5" --hints sky --size 4 --json | jq .miss_ratio)" = null ] &&
	ok "hints are unknown without evidence" || not_ok "hints are unknown without evidence" "a number"

fails "a cut file" "record 24 has only 27 of 32 bytes" "$SKY" import vscsi "$T/cut.vscsi" -o "$T/wrong.h5"
fails "another version in the middle" "record 169 .* another version" \
	"$SKY" import vscsi "$T/mixed.vscsi" -o "$T/wrong.h5"
fails "another format" "no vscsi trace" "$SKY" import vscsi Makefile -o "$T/wrong.h5"
: >"$T/empty"
fails "an empty file" "is empty" "$SKY" import vscsi "$T/empty" -o "$T/wrong.h5"
"$SKY" import nosuch "$T/v1.vscsi" -o "$T/wrong.h5" 2>/dev/null
[ $? -eq 2 ] && ok "an unknown format is wrong usage" || not_ok "an unknown format is wrong usage" "another status"
"$SKY" sim "$T/v1.h5" --cache nosuch --size 4 2>/dev/null
[ $? -eq 2 ] && ok "an unknown policy is wrong usage" || not_ok "an unknown policy is wrong usage" "another status"
"$SKY" sim "$T/v1.h5" --size 4 >/dev/full 2>/dev/null
[ $? -eq 1 ] && ok "a full disk is a failure" || not_ok "a full disk is a failure" "another status"

# objects FILE RECORDS: oracleGeneral records "seconds object bytes next" from stdin
objects() {
	python3 -c '
import struct, sys
for line in sys.stdin:
    t, o, b, n = map(int, line.split())
    sys.stdout.buffer.write(struct.pack("<IQIq", t, o, b, n))' >"$1"
}
objects "$T/o.oracle" <<'S'
1 18446744073709551615 512 3
1 7 4097 -1
2 18446744073709551615 512 4
3 9 0 -1
3 18446744073709551615 512 -1
S
"$SKY" sim "$T/o.oracle" --format oracleGeneral --granularity start --cache lru --cache belady --size 1 --size 9 --json >"$T/o.json"
got=$(jq -c '[.requests, .distinct_blocks, .results[0].bytes, (.results[].hits)]' "$T/o.json")
[ "$got" = "[4,2,6144,1,2,1,2]" ] && ok "objects are simulated straight from the file" ||
	not_ok "objects are simulated straight from the file" "$got"
fails "objects have no blocks" "granularity start" "$SKY" sim "$T/o.oracle" --format oracleGeneral --size 9
fails "object numbers that are no sectors" "simulate it as it is" \
	"$SKY" import oracleGeneral "$T/o.oracle" -o "$T/wrong.h5"
head -c 100 "$T/o.oracle" >"$T/cut.oracle"
fails "a cut file of objects" "is cut" "$SKY" sim "$T/cut.oracle" -f oracleGeneral -g start --size 9
objects "$T/back.oracle" <<'S'
5 7 512 -1
4 7 512 -1
S
fails "objects whose times fall" "is no" "$SKY" sim "$T/back.oracle" -f oracleGeneral -g start --size 9
fails "objects said to be commands" "looks like oracleGeneral" "$SKY" sim "$T/o.oracle" -f vscsi --size 9
printf '1 7 512 2\n2 8 512 -1\n3 7 512 -1\n' | objects "$T/small.oracle"
check "objects are imported" "$SKY" import oracleGeneral "$T/small.oracle" -o "$T/small.h5"
got=$("$SKY" sim "$T/small.h5" -g start --size 2 --json | jq -c '[.requests, .results[0].hits]')
[ "$got" = "[3,1]" ] && ok "and give the same hits" || not_ok "and give the same hits" "$got"

trace=${SKY_TRACES:-}/cloudPhysicsIO.vscsi
if [ ! -r "$trace" ]; then
	skip "figures of cloudPhysicsIO.vscsi" "SKY_TRACES names no folder with it"
	exit 0
fi
check "cloudPhysicsIO.vscsi is imported" "$SKY" import vscsi "$trace" -o "$T/c.h5"
"$SKY" sim "$T/c.h5" --size 1% --size 10% --size 20% --size 40% --json >"$T/blocks.json"
got=$(jq -c '[.distinct_blocks, .references, (.results[].miss_ratio * 10000 | round / 10000)]' "$T/blocks.json")
[ "$got" = "[269210,1141869,0.8969,0.8741,0.8129,0.5997]" ] &&
	ok "lru by 4 KiB blocks" || not_ok "lru by 4 KiB blocks" "$got"
holds "lru, 26921 blocks" "$(miss_ratio "$T/c.h5" --cache lru --size 26921) == 0.8741"
got=$("$SKY" sim "$trace" --format vscsi --size 1% --size 10% --size 20% --size 40% --json |
	jq -c '[.distinct_blocks, .references, (.results[].miss_ratio * 10000 | round / 10000)]')
[ "$got" = "[269210,1141869,0.8969,0.8741,0.8129,0.5997]" ] &&
	ok "the same straight from the file" || not_ok "the same straight from the file" "$got"

# by_start POLICY AT490 AT9795: miss ratios by start sectors, as libCacheSim has them
by_start() {
	local from got
	for from in "$T/c.h5" "$trace --format vscsi"; do
		# shellcheck disable=SC2086
		got=$("$SKY" sim $from --cache "$1" --size 490 --size 9795 --granularity start --json |
			jq -c '[.results[].miss_ratio * 10000 | round / 10000]')
		[ "$got" = "[$2,$3]" ] && ok "$1 by start sectors" || not_ok "$1 by start sectors" "$got"
	done
}
by_start lru 0.8379 0.7248
by_start fifo 0.8476 0.7128
by_start clock 0.8372 0.7483
by_start sieve 0.8291 0.7162
by_start lfu 0.8497 0.7162
by_start belady 0.7926 0.5449
by_start s3fifo 0.8304 0.678
by_start lirs 0.8314 0.6559
