#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# skytag: a program runs under it as it does without, each byte gets the class of
# its rule, a recording has that class at the disk, and wrong rules start nothing.
. tests/e2e/lib.sh
HERE=$(realpath tests/e2e)
SKYTAG=$BUILD/skytag

gcc -O1 -Wall -Wextra -Werror -Wno-unused-parameter -D_GNU_SOURCE -pthread -o "$T/calls" \
	"$HERE/programs/skytag_calls.c" 2>"$T/gcc.log" ||
	{ not_ok "skytag_calls is built" "$(tail -n 1 "$T/gcc.log")"; exit 1; }

{
	for class in 6 7 8 9 10 11 12 13; do echo "path=*.$class class=$class"; done
	echo "path=*.14 offset=0-8K class=14"
	echo "path=*.14             class=15"
	for class in $(seq 16 26); do echo "path=*.$class class=$class"; done
} >"$T/rules"

# expect_bytes: what the comments in skytag_calls.c say, by class
expect_bytes() {
	local wanted="6:4096 7:8192 8:12288 9:4096 10:8192 11:4096 12:4096 13:4096 14:32768 15:32768 17:12288
18:2048000 19:2048000 20:2048000 21:2048000 22:819200 23:2000000 24:4096 25:4096 26:4096"
	local found
	found=$(sed -n 's/^skytag: class \([0-9]*\): \([0-9]*\) bytes written/\1:\2/p' "$1")
	if [ "$(echo $found)" = "$(echo $wanted)" ]; then ok "every byte has its class"
	else not_ok "every byte has its class" "$(echo $found)"; fi
}

transparent() {
	mkdir "$T/bare" "$T/tagged"
	check "the calls without the shim" "$T/calls" "$T/bare"
	if "$SKYTAG" --rules "$T/rules" --summary -- "$T/calls" "$T/tagged" 2>"$T/summary"; then
		ok "the calls under the shim"
	else
		not_ok "the calls under the shim" "$(head -n 1 "$T/summary")"
	fi
	check "both left the same files" diff -r "$T/bare" "$T/tagged"
	expect_bytes "$T/summary"
	if grep -q ': 4 made part by part, 2 that' "$T/summary"; then ok "calls that cross a border, calls without room"
	else not_ok "calls that cross a border, calls without room" "$(head -n 1 "$T/summary")"; fi
}

# refuses WHAT STATUS PATTERN ARGUMENT...: nothing is started, one sentence says why
refuses() {
	local what=$1 status=$2 pattern=$3 found
	shift 3
	rm -f "$T/started"
	"$SKYTAG" "$@" >"$T/out" 2>&1
	found=$?
	if [ "$found" -ne "$status" ]; then not_ok "$what" "exit status $found: $(head -n 1 "$T/out")"
	elif [ -e "$T/started" ]; then not_ok "$what" "the command was started"
	elif ! grep -q -- "$pattern" "$T/out"; then not_ok "$what" "$(head -n 1 "$T/out")"
	else ok "$what"; fi
}

wrong_rules() {
	printf 'path=*.a class=6\npath=*.b class=32\n' >"$T/wrong"
	refuses "a class out of range" 2 "wrong:2: class=32 should be a class, 0 to 31" --rules "$T/wrong" -- touch "$T/started"
	printf 'class=3\0' >"$T/wrong"
	refuses "a byte 0" 2 "Not a text" --rules "$T/wrong" -- touch "$T/started"
	head -c 100000 /dev/zero | tr '\0' '#' >"$T/wrong"
	refuses "rules that are too long" 2 "Larger than" --rules "$T/wrong" -- touch "$T/started"
	head -c 1000 /dev/urandom >"$T/wrong"
	refuses "random bytes" 2 "wrong:\|Not a text" --rules "$T/wrong" -- touch "$T/started"
	refuses "no file" 2 "can't be read" --rules "$T/nothing" -- touch "$T/started"
	refuses "a folder" 2 "can't be read" --rules "$T" -- touch "$T/started"
	refuses "no rules" 2 "give them with --rules" -- touch "$T/started"
	refuses "no command" 2 "No command" --rules "$T/rules"
	refuses "a command that isn't there" 1 "can't be run" --rules "$T/rules" -- "$T/nothing"
	gcc -static -o "$T/static" -x c - <<<'int main(void) { return 0; }' 2>/dev/null &&
		refuses "a static program" 1 "statically linked" --rules "$T/rules" -- "$T/static"
	check "--check" "$SKYTAG" --rules "$T/rules" --check
	check "--version" "$SKYTAG" --version
}

# The rules are the program's from its start: what becomes of their file is no matter.
vanishing_rules() {
	cp "$T/rules" "$T/vanishing"
	"$SKYTAG" --rules "$T/vanishing" --summary -- sh -c \
		"rm '$T/vanishing'; mkdir '$T/later'; exec '$T/calls' '$T/later'" 2>"$T/summary"
	if [ $? -eq 0 ] && grep -q 'class 6: 4096 bytes written' "$T/summary"; then ok "rules that vanish"
	else not_ok "rules that vanish" "$(head -n 1 "$T/summary")"; fi
}

environment() {
	env SKYTAG_RULES="class=99" LD_PRELOAD="$BUILD/libskytag.so" true 2>"$T/log"
	if [ $? -eq 0 ] && grep -q 'nothing is tagged' "$T/log"; then ok "rules by hand that are wrong: the program runs"
	else not_ok "rules by hand that are wrong: the program runs" "$(head -n 1 "$T/log")"; fi
	check "the shim without rules" env LD_PRELOAD="$BUILD/libskytag.so" ls "$T"
	"$SKYTAG" --rules "$T/rules" -- sh -c 'exit 7'
	if [ $? -eq 7 ]; then ok "exit status"; else not_ok "exit status" "not the command's"; fi
	"$SKYTAG" --rules "$T/rules" --summary -- sh -c 'kill -TERM $$' 2>/dev/null
	if [ $? -eq 143 ]; then ok "a command that a signal ends"; else not_ok "a command that a signal ends" "wrong status"; fi
	"$SKYTAG" --rules "$T/rules" --summary -- /bin/bash -c \
		"cd '$T'; cat /dev/zero | head -c 20000 >cat.6; cp cat.6 copy.7; tar cf - cat.6 | tar tf - >/dev/null; sort </etc/passwd >sorted.8" 2>"$T/log"
	if [ $? -eq 0 ] && cmp -s "$T/cat.6" "$T/copy.7"; then ok "programs of all days"; else not_ok "programs of all days" "$(head -n 1 "$T/log")"; fi
}

# chunks CLASS: chunks of files that the disk got with that class by the application's word, each
# once: what the kernel writes back early it writes again.
chunks() {
	sed -n "s/.* hint .* class=$1 reason=application.* \(inode=[0-9]*\)\(.*\)/\1\2/p" "$T/dump" | sort -u | wc -l
}

recorded() {
	local class wanted
	if ! "$SKY" record --host --size 256M -o "$T/calls.h5" -- \
		sh -c "'$SKYTAG' --rules '$T/rules' -- '$T/calls' . && sync" 2>"$T/log"; then
		not_ok "recorded" "$(tail -n 1 "$T/log")"
		return
	fi
	if ! "$SKY" classify "$T/calls.h5" -o "$T/hints.h5" >"$T/log"; then
		not_ok "classified" "$(tail -n 1 "$T/log")"
		return
	fi
	"$SKY" dump "$T/hints.h5" >"$T/dump"
	# What is left of each file when it is synced; name.12 has both, its first half written as 11.
	for wanted in 6:1 7:2 8:3 9:1 10:2 11:1 12:1 14:4 15:4 17:3 18:1 19:1 20:1 21:1 22:1 23:1 24:1 25:1 26:1; do
		class=${wanted%:*}
		holds "recorded: chunks of class $class at the disk" "$(chunks "$class") == ${wanted#*:}"
	done
}

transparent
wrong_rules
vanishing_rules
environment
needs_recording
recorded
