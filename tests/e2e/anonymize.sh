#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A published trace: what is found out from it is the same, and nothing of the original's content, names and
# commands is in it.
. tests/e2e/lib.sh

demo=tests/data/demo.h5

# exits STATUS COMMAND...: and if it fails, with one sentence
exits() {
	local wanted=$1 status
	shift
	"$@" >"$T/out" 2>"$T/err"
	status=$?
	cat "$T/err"
	[ $status -eq "$wanted" ] && { [ "$wanted" -ne 1 ] || [ "$(grep -vc ': warning: ' "$T/err")" -eq 1 ]; }
}

says() { grep -q -e "$1" "$T/err"; }

# same_result A B COMMAND...: the command finds the same in both traces
same_result() {
	local a=$1 b=$2
	shift 2
	"$SKY" "$@" "$a" --json | jq 'del(.trace)' >"$T/a.json" && "$SKY" "$@" "$b" --json | jq 'del(.trace)' >"$T/b.json" &&
		[ -s "$T/a.json" ] && cmp "$T/a.json" "$T/b.json"
}

# same_results NAME A B
same_results() {
	local hints
	for hints in sky truth layout flags sequential; do
		check "$1: hints of $hints are the same" same_result "$2" "$3" classify --hints $hints
	done
	check "$1: so are caches" same_result "$2" "$3" sim --cache lru --cache icache --size 5% --hints sky
	check "$1: so are the lives of blocks" same_result "$2" "$3" lifetimes
}

# holds_nothing NAME ORIGINAL PUBLISHED [WORD...]
holds_nothing() {
	local name=$1
	shift
	check "$name: nothing of the original is left" tests/e2e/programs/anonymize_check.py "$@"
}

head -c 32 /dev/urandom >"$T/key"
head -c 32 /dev/urandom >"$T/key2"
check "a trace is anonymized" exits 0 "$SKY" anonymize $demo --key "$T/key" -o "$T/a.h5"
check "without a word" test ! -s "$T/err"
same_results demo $demo "$T/a.h5"
holds_nothing demo $demo "$T/a.h5" glibc sysdeps xz large-file no-such-file tmp.MhV5eE8ysB loop0
check "h5dump finds none of them" bash -c \
	"! { h5dump -A '$T/a.h5'; strings -n 5 '$T/a.h5'; } | grep -E 'source.tar|large-file|no-such-file|loop0|/run/sky'"
check "the attributes still are there" diff <("$SKY" info $demo --json | jq '.attributes | keys') \
	<("$SKY" info "$T/a.h5" --json | jq '.attributes | keys')
check "events, times and requests are as they were" diff <("$SKY" info $demo --json | jq '[.events, .requests, .duration_ns]') \
	<("$SKY" info "$T/a.h5" --json | jq '[.events, .requests, .duration_ns]')

# Deterministic, by the key alone, whatever the form.
"$SKY" anonymize $demo --key "$T/key" -o "$T/again.h5"
check "the same key gives the same bytes" cmp "$T/a.h5" "$T/again.h5"
"$SKY" anonymize $demo --key "$T/key2" -o "$T/other.h5"
holds_nothing "another key" "$T/a.h5" "$T/other.h5"
"$SKY" convert $demo -o "$T/demo.pcap"
"$SKY" anonymize "$T/demo.pcap" --key "$T/key" -o "$T/a.pcap"
"$SKY" convert "$T/a.pcap" -o "$T/from-stream.h5"
check "a stream becomes the same" cmp "$T/a.h5" "$T/from-stream.h5"
"$SKY" anonymize - --key "$T/key" -o - <"$T/demo.pcap" >"$T/a.events"
"$SKY" convert "$T/a.events" -o "$T/from-text.h5"
check "so does a pipe that becomes text" cmp "$T/a.h5" "$T/from-text.h5"
printf 'correct horse battery staple\n' >"$T/words"
"$SKY" anonymize --path /etc/passwd --key "$T/words" >"$T/1"
"$SKY" anonymize --path /etc/passwd --key 'correct horse battery staple' >"$T/2" 2>"$T/err"
check "a key may be a text, which is said" says "the text itself is the key"
check "and is the same in a file" cmp "$T/1" "$T/2"

# Selection by what a path becomes.
mount=$("$SKY" info $demo --json | jq -r .attributes.mount_point)
"$SKY" anonymize --path "$mount/2" --key "$T/key" >"$T/path"
check "a path becomes one of as many parts" grep -Eqx '(/[0-9a-f]{16}){5}' "$T/path"
"$SKY" classify $demo --only "$mount/2" --json | jq 'del(.trace, .only)' >"$T/only.json"
"$SKY" classify "$T/a.h5" --only "$(cat "$T/path")" --json | jq 'del(.trace, .only)' >"$T/only-a.json"
check "which selects the same" cmp "$T/only.json" "$T/only-a.json"
"$SKY" classify $demo --json | jq 'del(.trace, .only)' >"$T/all.json"
check "and not all" bash -c "! cmp -s '$T/only.json' '$T/all.json'"
"$SKY" anonymize $demo --key "$T/key" --keep large-file,c -o "$T/kept.h5"
check "names can be kept" bash -c "'$SKY' dump '$T/kept.h5' | grep -q '/large-file\"'"
check "and extensions" bash -c "'$SKY' dump '$T/kept.h5' | grep -q '/[0-9a-f]\{16\}\.c\"'"

# Wrong usage, and what is no key.
check "no key is wrong usage" exits 2 "$SKY" anonymize $demo -o "$T/no.h5"
check "no output is wrong usage" exits 2 "$SKY" anonymize $demo --key "$T/key"
check "no trace is wrong usage" exits 2 "$SKY" anonymize --key "$T/key" -o "$T/no.h5"
check "a path and a trace are wrong usage" exits 2 "$SKY" anonymize $demo --path /etc --key "$T/key"
check "two traces are wrong usage" exits 2 "$SKY" anonymize $demo $demo --key "$T/key" -o "$T/no.h5"
check "an empty key is refused" exits 1 "$SKY" anonymize $demo --key "" -o "$T/no.h5"
: >"$T/empty"
check "so is an empty file" exits 1 "$SKY" anonymize $demo --key "$T/empty" -o "$T/no.h5"
check "a folder" exits 1 "$SKY" anonymize $demo --key "$T" -o "$T/no.h5"
check "and a trace as the key" exits 1 "$SKY" anonymize $demo --key $demo -o "$T/no.h5"
check "a short key is warned of" exits 0 "$SKY" anonymize --path x --key abc
check "by a sentence" says "can be guessed"
cp $demo "$T/in-place.h5"
check "a trace is not replaced by its copy" exits 1 "$SKY" anonymize "$T/in-place.h5" --key "$T/key" -o "$T/in-place.h5"
check "and stays as it was" cmp $demo "$T/in-place.h5"

# Hostile traces.
head -c 100000 $demo >"$T/half.h5"
head -c 100000 "$T/demo.pcap" >"$T/half.pcap"
head -c 20000 /dev/urandom >"$T/noise"
check "half an archive is refused" exits 1 "$SKY" anonymize "$T/half.h5" --key "$T/key" -o "$T/no.h5"
check "noise is refused" exits 1 "$SKY" anonymize "$T/noise" --key "$T/key" -o "$T/no.h5"
check "nothing is refused" exits 1 "$SKY" anonymize "$T/empty" --key "$T/key" -o "$T/no.h5"
check "half a stream is taken as far as it goes" exits 0 "$SKY" anonymize "$T/half.pcap" --key "$T/key" -o "$T/half-a.pcap"
long=$(printf '/%.0s' $(seq 300000))
parts=$(printf '/a%.0s' $(seq 150000))
cat >"$T/hostile.events" <<-END
	0 - - - attribute name="patient_smith" value="ill"
	1 - - - attribute name="layout.0" value="0+8 smith"
	2 - - - attribute name="recorder" value=""
	3 - - - mark name="smith\x0a\x1b[31m"
	4 - 0x1 - exec pid=1 tid=1 name="$long"
	5 - 0x1 - exec pid=1 tid=1 name="$parts.gpg"
	6 - 0x1 - insight fstat fd=1 path="smith\xff\\"/../smith"
	7 - - - block W id=1 sector=18446744073709551 count=8 sums=[ffffffffffffffff]
END
check "odd texts are keyed" exits 0 "$SKY" anonymize "$T/hostile.events" --key "$T/key" -o "$T/hostile-a.events"
check "all of them" bash -c "! grep -qiE 'smith|ill\"|31m|ffffffffffffffff|/a/a' '$T/hostile-a.events' && [ \$(wc -c <'$T/hostile-a.events') -lt 2000 ]"
check "an output in no folder is refused" exits 1 "$SKY" anonymize $demo --key "$T/key" -o "$T/nowhere/a.h5"
check "nothing is left of what failed" bash -c "! ls '$T' | grep -E '^no\.h5|\.part$'"

# Memory is that of a batch, and of stretching the key.
memory_kib() { # EVENTS
	"$BUILD/tests/bench/make_trace" "$1" >"$T/long.pcap"
	ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=1 python3 - "$SKY" anonymize "$T/long.pcap" --key "$T/key" -o "$T/long-a.pcap" <<-'PYTHON'
		import resource, subprocess, sys
		subprocess.run(sys.argv[1:], check=True)
		print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
	PYTHON
}
holds "ten times as many events take no more memory (KiB)" "$(memory_kib 1000000) < $(memory_kib 100000) + 8192"
rm -f "$T"/long*.pcap

needs_recording
"$SKY" record --size 512M --then 'cat copies/johns-diary >/dev/null' -o "$T/r.h5" -- sh -c \
	'mkdir originals copies; head -c 3000000 /dev/urandom >originals/johns-diary; head -c 100000 /dev/zero >originals/empty-page
	 sync; cp originals/* copies/; cp originals/johns-diary copies/letter-to-mary.gpg; sync; rm originals/johns-diary; sync' >"$T/log" 2>&1 || cat "$T/log"
check "a recording is anonymized" exits 0 "$SKY" anonymize "$T/r.h5" --key "$T/key" -o "$T/r-a.h5"
same_results recording "$T/r.h5" "$T/r-a.h5"
holds_nothing recording "$T/r.h5" "$T/r-a.h5" diary letter-to empty-page originals copies/ /dev/urandom
check "its machine and commands are keyed" bash -c "'$SKY' info '$T/r-a.h5' --json |
	jq -e '.attributes | [.host, .command, .\"then.0\"] | all(test(\"^[0-9a-f]{16}$\"))'"
check "every attribute that the recorder leaves has a rule" diff <("$SKY" info "$T/r.h5" --json | jq '.attributes | keys') \
	<("$SKY" info "$T/r-a.h5" --json | jq '.attributes | keys')
