#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A cache model outside of Sky: the skeleton as a shared object, and what is refused.
. "$(dirname "$0")/lib.sh"
root=$(cd "$(dirname "$0")/../.." && pwd)

if ! command -v gcc >/dev/null; then
	skip "models in shared objects" "there is no gcc"
	exit 0
fi

# module NAME SEDS...: the skeleton under edits
module() {
	local name=$1
	shift
	sed "$@" "$root/models/cache/skeleton.c" >"$T/$name.c"
	# shellcheck disable=SC2086
	gcc -O1 $FLAGS -D_GNU_SOURCE -shared -fPIC -I "$root" "$T/$name.c" -o "$T/$name.so"
}

cat >"$T/t.events" <<'S'
1000 - - - block R id=1 sector=0 count=8
1001 - - - block R id=2 sector=8 count=8
1002 - - - block R id=3 sector=0 count=8
S
sim() { "$SKY" sim "$T/t.events" --size 2 "$@" 2>"$T/err"; }

# refuses WHAT WORDS ARGUMENTS...
refuses() {
	local what=$1 words=$2
	shift 2
	if sim "$@" >"$T/out"; then
		not_ok "$what is refused" "it is not"
	elif [ $? != 1 ] || [ "$(wc -l <"$T/err")" != 1 ] || ! grep -q "$words" "$T/err"; then
		not_ok "$what is refused" "$(tail -n 1 "$T/err")"
	else
		ok "$what is refused: $(cut -d: -f2- "$T/err")"
	fi
}

FLAGS=-DSKY_MODULE
module skeleton -e ''
holds "a model is loaded, whatever the order of the options" \
	"$(sim --cache skeleton:protected=50 --model "$T/skeleton.so" --json | jq '.results[0].hits') == 1"
module other -e 's/\.name = "skeleton"/.name = "lru"/'
sed -e 's/CACHE_INTERFACE_VERSION [0-9]*/CACHE_INTERFACE_VERSION 999/' \
	"$root/models/cache/cache_model.h" >"$T/cache_model.h"
sed -e 's/"cache_model.h"/"'"${T//\//\\/}"'\/cache_model.h"/' "$root/models/cache/cache_slots.h" >"$T/cache_slots.h"
sed -e 's/"models\/cache\/cache_slots.h"/"cache_slots.h"/' "$root/models/cache/skeleton.c" >"$T/old.c"
gcc -O1 -DSKY_MODULE -D_GNU_SOURCE -shared -fPIC -I "$T" -I "$root" "$T/old.c" -o "$T/old.so"
module lacking -e '/\.bytes = /d'
FLAGS='' module plain -e ''
echo "no object" >"$T/text.so"
refuses "a model under a name that is taken" "already" --model "$T/other.so"
refuses "a model for another version" "version 999" --model "$T/old.so"
refuses "a model without an operation" "lacks an operation" --model "$T/lacking.so"
refuses "an object that was not made for Sky" "DSKY_MODULE" --model "$T/plain.so"
refuses "a file that is no object" "cannot load" --model "$T/text.so"
refuses "a file that is not there" "No such file" --model "$T/none.so"
