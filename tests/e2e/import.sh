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

# Requests of each format in text, from a file of its own; the counts are by operation.
# imports FORMAT NAME EXPECTED [OPTION...]: file $T/NAME gives so many reads, writes, others and completions
imports() {
	local format=$1 file=$T/$2 expected=$3 got
	shift 3
	if ! "$SKY" import "$format" "$file" -o "$T/i.h5" "$@" 2>"$T/err"; then
		not_ok "$format is imported" "$(cat "$T/err")"
		return
	fi
	got=$("$SKY" dump "$T/i.h5" --kinds block,complete | awk '
		$5 == "complete" { c++; next } $6 == "R" { r++; next } $6 == "W" { w++; next } { o++ }
		END { print r + 0, w + 0, o + 0, c + 0 }')
	[ "$got" = "$expected" ] && ok "$format is imported: $got" || not_ok "$format is imported" "$got"
	got=$("$SKY" sim "$file" --format "$format" "$@" --size 10 --json | jq .requests)
	[ "$got" = "$(echo "$expected" | awk '{ print $1 + $2 }')" ] &&
		ok "$format is simulated as it is" || not_ok "$format is simulated as it is" "$got requests"
}
cat >"$T/t.alibaba" <<'S'
419,W,8792731648,16384,1577808144360767
3,R,4096,512,1577808144360768
S
cat >"$T/t.msr" <<'S'
128166372003061629,hm,1,Read,383496192,32768,1331
128166372016382155,hm,1,Write,310983680,4096,113736
S
cat >"$T/t.tencent" <<'S'
1538323200,12910952,128,0,1063
1538323200,8,9,1,1283
S
cat >"$T/t.fiu" <<'S'
89966527996712 4253 nfsd 508516680 8 W 6 0 b5e9f4e5ab62a4fff5313a606b0ad4e3
89966527996812 4253 nfsd 508516680 8 R 6 0 b5e9f4e5ab62a4fff5313a606b0ad4e3
S
cat >"$T/t.blkparse" <<'S'
  8,0    3        1     0.000000000   697  Q   W 223490 + 8 [kjournald]
  8,0    3        3     0.000001000   697  D  WS 223490 + 8 [kjournald]
  8,0    0        5     0.000003000     0  C  WS 223490 + 8 [0]
S
cat >"$T/t.fio" <<'S'
fio version 3 iolog
0 /dev/sdb add
5 /dev/sdb read 0 512
7 /dev/sdb datasync 0 0
S
cat >"$T/t.csv" <<'S'
time_us,op,offset_bytes,length_bytes,response_us
1,R,4096,512,9
2,trim,4096,512,9
S
printf '5 1 64 8 0\n6 1 64 8 1\n' >"$T/t.named"
names=(--columns time_ns,disk,offset_sectors,length_sectors,read)
imports alibaba t.alibaba "1 1 0 0"
imports msr t.msr "1 1 0 2"
imports tencent t.tencent "1 1 0 0"
imports fiu t.fiu "1 1 0 0"
imports blkparse t.blkparse "0 1 0 1"
imports fio t.fio "1 0 1 0"
imports csv t.csv "1 0 1 2"
imports csv t.named "1 1 0 0" "${names[@]}"
for format in alibaba msr tencent fiu blkparse fio csv; do
	gzip -k "$T/t.$format"
	xz -k "$T/t.$format"
	"$SKY" import $format "$T/t.$format" -o "$T/plain.events"
	for packed in gz xz; do
		"$SKY" import $format "$T/t.$format.$packed" -o "$T/packed.events"
		grep -v name=\"source\" "$T/packed.events" >"$T/packed"
		grep -v name=\"source\" "$T/plain.events" | cmp -s - "$T/packed" &&
			ok "$format by $packed" || not_ok "$format by $packed" "differs"
	done
	head -c -3 "$T/t.$format" >"$T/cut"
	fails "$format that is cut" "is cut: nothing ends its last line" \
		"$SKY" import $format "$T/cut" -o "$T/wrong.h5"
	head -c -5 "$T/t.$format.gz" >"$T/cut.gz"
	fails "$format that is cut and packed" "is it whole" "$SKY" import $format "$T/cut.gz" -o "$T/wrong.h5"
	fails "$format that is of another" "is no $format trace; it looks like vscsi" \
		"$SKY" import $format "$T/v1.vscsi" -o "$T/wrong.h5"
	(cat "$T/t.$format"; echo "what is this") >"$T/odd"
	fails "$format with an odd line" "line" "$SKY" import $format "$T/odd" -o "$T/wrong.h5"
done
for format in alibaba fiu blkparse; do
	mkdir "$T/unended"
	head -c -1 "$T/t.$format" >"$T/unended/t.$format"
	"$SKY" import $format "$T/t.$format" -o "$T/plain.events"
	"$SKY" import $format "$T/unended/t.$format" -o "$T/packed.events"
	check "$format whose last line lacks only its newline" cmp "$T/plain.events" "$T/packed.events"
	rm -r "$T/unended"
done
for format in msr tencent fio csv; do
	head -c -1 "$T/t.$format" >"$T/cut"
	fails "$format whose last number may be cut" "add a newline if it is whole" \
		"$SKY" import $format "$T/cut" -o "$T/wrong.h5"
done
tar -C "$T" -czf "$T/one.tgz" t.tencent
imports tencent one.tgz "1 1 0 0"
tar -C "$T" -czf "$T/two.tgz" t.tencent t.fiu
fails "a tar of two files" "more than one file" "$SKY" import tencent "$T/two.tgz" -o "$T/wrong.h5"
echo 3,R,8,8,1577808144 >"$T/wrong.alibaba"
fails "seconds for microseconds" "a date in s; alibaba has" \
	"$SKY" import alibaba "$T/wrong.alibaba" -o "$T/wrong.h5"
gzip -k "$T/small.oracle"
got=$("$SKY" sim "$T/small.oracle.gz" -f oracleGeneral -g start --size 2 --json | jq -c '[.requests, .results[0].hits]')
[ "$got" = "[3,1]" ] && ok "objects that are packed" || not_ok "objects that are packed" "$got"
xz -k "$T/v2.vscsi"
holds "vscsi that is packed" "$(miss_ratio "$T/v2.vscsi.xz" --format vscsi --size 4) == 0.1667"
fails "columns without units" "no column \"time\"" \
	"$SKY" import csv "$T/t.named" --columns time,op -o "$T/wrong.h5"

traces=${SKY_TRACES:-}
# real FILE FORMAT EXPECTED [OPTION...]
real() {
	local name=$1
	if [ ! -r "$traces/$name" ]; then
		skip "$name" "SKY_TRACES names no folder with it"
		return
	fi
	cp "$traces/$name" "$T/"
	imports "$2" "$name" "${@:3}"
}
real fiu-homes-sample.1.blkparse fiu "0 1000 0 0"
real fiu-mail-01-sample.blkparse fiu "984 16 0 0"
real fiu-web-vm-sample.blkparse fiu "0 1000 0 0"
real hfplayer-small-tpch.csv csv "0 780 0 780"
real mqsim-wsrch-small.trace csv "24779 4 0 0" "${names[@]}"
real takeoverjp-sample.blktrace.0 blktrace "963 0 0 963"

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
