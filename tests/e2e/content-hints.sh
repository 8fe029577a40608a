#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What deduplication is told, against what is known: everything that gpg wrote to its
# output is unique, everything that cp wrote to its target is a copy, and so is
# what cp read, from a cold cache. 100 MB, or 500 with SKY_LONG=1.
. tests/e2e/lib.sh
needs_recording

MEGABYTES=100
[ -n "${SKY_LONG:-}" ] && MEGABYTES=500
export GNUPGHOME=$T/gnupg

# The inode of file $2, which recording $1's command told by stat
inode_of() { awk -v name="$2" '$1 == name { print $2 }' "$T/$1.stat"; }

# judged NAME OP DEDUP INODE: the hint DEDUP on chunks of that operation, against data of
# that inode by the truth: "right wrong missed"
judged() {
	awk -v op="$2" -v dedup="$3" -v inode="$4" '
		{ split("", f); for (i = 6; i <= NF; i++) { n = index($i, "="); if (n) f[substr($i, 1, n - 1)] = substr($i, n + 1) } }
		$5 == "truth" && $6 == op {
			mine = f["what"] == "data" && f["inode"] + 0 == inode + 0
			for (i = 0; i < f["count"] + 0; i += 8) owned[f["sector"] + i] = mine
		}
		$5 == "block" && $6 == op {
			for (i = 0; i < f["count"] / 8; i++) { is[f["id"], i] = owned[f["sector"] + 8 * i] + 0; known += is[f["id"], i] }
		}
		$5 == "hint" && (f["id"], f["chunk"] + 0) in is && f["dedup"] == dedup && $6 == "data" {
			if (is[f["id"], f["chunk"] + 0]) right++; else wrong++
		}
		END { print right + 0, wrong + 0, known - right }' "$T/$1.dump"
}

# expect_hints WHAT NAME OP DEDUP INODE CHUNKS: at least so many are right; precision and recall
expect_hints() {
	local right wrong missed

	read -r right wrong missed < <(judged "$2" "$3" "$4" "$5")
	holds "$1: chunks" "$right >= 0.99 * $6"
	holds "$1: precision in percent" "100 * $right / ($right + $wrong + !($right + $wrong)) >= 99"
	holds "$1: recall in percent" "100 * $right / ($right + $missed + !($right + $missed)) >= 99"
}

# record NAME COMMAND RECORD-OPTION...: a recording with its hints, as text
record() {
	local name=$1 command=$2
	shift 2
	if ! "$SKY" record --host --size 2G --prepare "head -c ${MEGABYTES}M /dev/urandom >source" \
		"$@" -o "$T/$name.h5" -- sh -c "$command" >"$T/$name.stat" 2>"$T/$name.log"; then
		not_ok "$name is recorded" "$(tail -n 2 "$T/$name.log")"
		return 1
	fi
	if ! "$SKY" classify "$T/$name.h5" -o "$T/$name.hints.h5" --json >"$T/$name.json"; then
		not_ok "$name is classified" "exit status $?"
		return 1
	fi
	"$SKY" dump "$T/$name.hints.h5" >"$T/$name.dump"
	rm -f "$T/$name.h5" "$T/$name.hints.h5"
}

encrypt() {
	mkdir -m 700 "$GNUPGHOME"
	# An agent of its own, beforehand: else gpg leaves one behind within the recording.
	if ! gpg-agent --daemon --allow-loopback-pinentry >"$T/agent.log" 2>&1; then
		skip "encryption" "gpg-agent does not start: $(tail -n 1 "$T/agent.log")"
		return
	fi
	record gpg 'gpg --batch --pinentry-mode loopback --passphrase secret -c -o out.gpg source &&
		sync && stat -c "%n %i" out.gpg' --fs ext4 &&
		expect_hints "gpg" gpg W unique "$(inode_of gpg out.gpg)" $((MEGABYTES * 256)) &&
		holds "gpg: the journal is told apart" "$(jq .journal.write_chunks "$T/gpg.json") > 0"
	gpgconf --kill gpg-agent
}

# copy NAME RECORD-OPTION...
copy() {
	local name=$1
	shift
	record "$name" 'cp source target && sync && stat -c "%n %i" source target' "$@" || return
	expect_hints "$name, written" "$name" W copy "$(inode_of "$name" target)" $((MEGABYTES * 256))
	expect_hints "$name, read" "$name" R copy "$(inode_of "$name" source)" $((MEGABYTES * 256))
	rm -f "$T/$name.dump"
}

# A clone's blocks are never written: there is nothing to hint, and nothing is hinted.
clone() {
	record clone 'cp source target && sync' --fs xfs || return
	holds "clone: seen" "$(jq .pipeline.clones "$T/clone.json") == 1"
	holds "clone: no copies written" "$(grep -c ' hint .*dedup=copy' "$T/clone.dump") == 0"
}

if command -v gpg >/dev/null && command -v gpg-agent >/dev/null; then
	encrypt
else
	skip "encryption" "gpg is not installed"
fi
copy "cp without copy offload" --fs ext4 --no-copy-offload
copy "cp with copy offload" --fs ext4
copy "cp on XFS without copy offload" --fs xfs --no-copy-offload
clone
