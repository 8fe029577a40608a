#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The baseline classifiers on real recordings: the layout that the recorder leaves
# is that of the file system, each baseline knows what its rule says and no more,
# and without calls nothing is claimed.
. "$(dirname "$0")/lib.sh"
needs_recording

# errors FILE HINTS OP: misclassified chunks of read or write in percent, or null
errors() { "$SKY" classify "$1" --hints "$2" --json | jq ".$3_error_percent"; }

for fs in ext2 ext3 ext4 xfs; do
	if ! "$SKY" record --fs $fs --size 512M -o "$T/$fs.h5" -- \
		sh -c 'cp -r /usr/include/linux . && sync' >"$T/log" 2>&1; then
		not_ok "recording on $fs" "$(tail -n 1 "$T/log")"
		continue
	fi
	holds "$fs: truth is right" "$(errors "$T/$fs.h5" truth write) == 0"
	holds "$fs: flags are nearly right on writes" "$(errors "$T/$fs.h5" flags write) < 2"
	holds "$fs: layout finds most metadata writes" \
		"$("$SKY" classify "$T/$fs.h5" --hints layout --json |
			jq '.confusion.write.metadata | .metadata / (.metadata + .data)') > 0.2"
	holds "$fs: layout takes no data for metadata" \
		"$("$SKY" classify "$T/$fs.h5" --hints layout --json | jq .confusion.write.data.metadata) == 0"
	holds "$fs: sequential is worse than Sky" \
		"$(errors "$T/$fs.h5" sequential write) > $(errors "$T/$fs.h5" sky write)"
done

"$SKY" record --no-calls --fs btrfs --size 512M -o "$T/blind.h5" -- sh -c 'cp -r /usr/include/linux . && sync; exit 3' >"$T/log" 2>&1
holds "without the tracer the command's status is kept" "$? == 3"
holds "without calls there are none" "$("$SKY" info "$T/blind.h5" --json | jq '[.. | .entry? | numbers] | add // 0') == 0"
[ "$(errors "$T/blind.h5" sky write)" = null ] && ok "without calls Sky says nothing" || not_ok "without calls Sky says nothing" "it does"
[ "$(errors "$T/blind.h5" layout write)" = null ] && ok "Btrfs has no layout" || not_ok "Btrfs has no layout" "it has"
