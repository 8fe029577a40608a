#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# skyrun where nobody records: it says so and runs nothing. What it does below a recorder
# is tested in the emulated host (make lab-check).
. tests/e2e/lib.sh
SKYRUN=$BUILD/skyrun

# says WHAT STATUS TEXT ARGUMENTS...: ends so, says that, and the command has not run
says() {
	local what=$1 status=$2 text=$3 got=0
	shift 3
	rm -f "$T/ran"
	"$SKYRUN" "$@" >"$T/out" 2>&1 || got=$?
	if [ "$got" -ne "$status" ]; then not_ok "$what" "exit status $got"
	elif ! grep -q -- "$text" "$T/out"; then not_ok "$what" "$(tail -n 1 "$T/out")"
	elif [ -e "$T/ran" ]; then not_ok "$what" "the command has run"
	else ok "$what"; fi
}

if [ -e /dev/sky ]; then
	skip "no Sky below" "this machine may have one"
else
	says "a machine without Sky below is told of it" 1 "can't be recorded: there is no Sky below" touch "$T/ran"
fi
says "nobody answers over vsock" 1 "cannot reach vsock port 9 of 4294967294" --vsock=4294967294:9 touch "$T/ran"
says "a command is needed" 2 "No command"
says "an unknown option is refused" 2 "unrecognized option" --record touch "$T/ran"
for address in 3 3: :7590 a:b 3:7590x 0:7590 3:-1; do
	says "$address is no vsock address" 2 "wants CID:PORT" "--vsock=$address" touch "$T/ran"
done
says "there is a help" 0 "COMMAND \[ARGUMENT" --help
says "options of the command are the command's" 1 "skyrun: ls can't be recorded" ls --vsock
check "it needs no library" sh -c "! ldd '$SKYRUN' >'$T/libraries' 2>&1 && grep -q 'not a dynamic executable' '$T/libraries'"
kvm-recorder/guest/make-man kvm-recorder/guest/skyrun.1.in 1.0 "$T"
check "mandoc takes its page" mandoc -Tlint -W warning "$T/skyrun.1"
