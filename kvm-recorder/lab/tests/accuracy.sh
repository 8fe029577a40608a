#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 900 s
#
# What the classification of a guest's requests is worth, with each method of seeing calls return:
# one workload after the other runs in a guest whose own kernel says by BPF whose data each request is.
# The recorder on the host knows nothing of that: its traces get that truth afterwards, and
# the error must stay below 1 %. A KVM that looks for calls only on the virtual CPU where they began
# must lose some.
. /mnt/share/tests/lib.sh

METHODS="iret breakpoint"
WORKLOADS="plain threads signals aio mmap misaligned classes tree prefix"
declare -A OPTIONS=([prefix]="--only /mnt/prefix/in")

# In the guest, in a folder of its own: workloads prepare|run NAME
cat >"$T/workloads" <<'END'
set -e
case "$1 $2" in
"prepare plain") sky workload fileserver --phase prepare --files 40 --operations 300 --threads 1 ;;
"run plain") sky workload fileserver --phase run --files 40 --operations 300 --threads 1 ;;
"prepare threads") sky workload varmail --phase prepare --files 60 --operations 500 --threads 8 ;;
"run threads") sky workload varmail --phase run --files 60 --operations 500 --threads 8 ;;
"run signals") handlers 15 40 ;;
"prepare aio") head -c 4M /dev/urandom >file ;;
"run aio") aio_direct file 300 ;;
"prepare mmap") head -c 800K /dev/urandom >file ;;
"run mmap") mapped write new 150 1; mapped update file 100 1; mapped read file 200 1 ;;
"prepare misaligned") head -c 2M /dev/urandom >file ;;
"run misaligned") small_writes file 400 ;;
"run classes") classed_io write file 150; sync; echo 3 >/proc/sys/vm/drop_caches; classed_io read file 150 ;;
"prepare prefix") mkdir in out ;;
"run prefix") head -c 400K /dev/urandom >in/file; head -c 200K /dev/urandom >out/file ;;
"run tree")
	for i in 1 2 3 4; do
		sh -c "mkdir $i; for j in 1 2 3; do dd if=/dev/urandom of=$i/\$j bs=40000 count=2 status=none & done; wait
			cat $i/1 $i/2 $i/3 >$i/all; cp $i/all $i/copy; rm $i/2" &
	done
	wait
	find . -name copy | sort | xargs cat >all
	;;
esac
END

# The host says by the serial line which is next, and again when it records.
{
	echo "cat >/tmp/workloads <<'END'"
	cat "$T/workloads"
	echo END
	cat <<'END'
cat >/tmp/serve <<'SERVE'
mount -t ext4 /dev/vda /mnt || exit 1
echo "at your service"
while read -r name && [ "$name" != end ]; do
	mkdir -p "/mnt/$name"
	cd "/mnt/$name"
	bash /tmp/workloads prepare "$name" || exit 1
	sync
	cd /
	umount /mnt && mount -t ext4 /dev/vda /mnt && cd "/mnt/$name" || exit 1
	echo "ready $name"
	read -r go
	skyrun bash /tmp/workloads run "$name"
	status=$?
	sync
	echo "done $name: $status"
done
cd /
umount /mnt
SERVE
mkdir /tmp/out
mount -t ext4 /dev/vdc /tmp/out || exit 1
sky record --truth /dev/vda -o /tmp/out/truth.pcap -- bash /tmp/serve </dev/ttyS0 || exit 1
umount /tmp/out
END
} >"$T/script"

tell() { echo "$1" >&7; }

# await TEXT: until the guest has printed it at the beginning of a line; not for ever
await() {
	until grep -q "^$1" "$T/console"; do
		kill -0 $guest 2>/dev/null || return 1
		sleep 0.1
	done
}

# recorded_one NAME: into $T/NAME.pcap
recorded_one() {
	tell "$1"
	await "ready $1" || return 1
	"$SKY" record --kvm sky --disk vm1 ${OPTIONS[$1]:-} --stream "$T/$1.pcap" -- \
		bash -c "$(declare -f tell await); tell go; await 'done $1: '" || return
	grep "^done $1: 0" "$T/console"
}

# truth_of_guest: what it brought out, as $T/truth.pcap
truth_of_guest() {
	mkdir -p "$T/out"
	mount -o loop,ro "$T/out.image" "$T/out" && cp "$T/out/truth.pcap" "$T/" && umount "$T/out"
}

# value FILTER: of what was classified last; joined NAME: of what was joined
value() { jq -r "$1" "$T/classified.json"; }
joined() { jq -r ".$1" "$T/joined.json"; }
counter() { awk -v name="$1" '$1 == name { print $2 }' "$T/counters"; }

# judge METHOD NAME
judge() {
	local what="$2 ($1)"
	"$SKY" join "$T/$2.pcap" "$T/truth.pcap" -o "$T/$2.h5" --json >"$T/joined.json" &&
		"$SKY" classify --json "$T/$2.h5" >"$T/classified.json" ||
		{ not_ok "$what is classified" "exit status $?"; return; }
	holds "$what: nothing is lost" "$(value .not_covered.events_lost) == 0"
	holds "$what: requests have their truth" "$(joined chunks_with_truth) >= 0.99 * $(joined chunks)"
	if [ "$2" = prefix ]; then
		holds "$what: what is below it is found, and no more" \
			"$(value '[.by_class[] | select(.what == "data") | .write_chunks] | add') == 100 && $(value .write_errors) == 50"
	else
		holds "$what: $(value .write_errors) of $(value .write_chunks_judged) written chunks are misclassified" \
			"$(value .write_error_percent) < 1"
		[ "$(value .read_chunks_judged)" -eq 0 ] ||
			holds "$what: $(value .read_errors) of $(value .read_chunks_judged) read chunks are misclassified" \
				"$(value .read_error_percent) < 1"
	fi
	holds "$what: each return has its call, each call its return" \
		"$(value .not_covered.unmatched_exits) + $(value .not_covered.lost_exits) == 0"
	[ "$2" != classes ] || holds "$what: classes are those that the program gave" \
		"$(value '[.application[] | .write_chunks] | add') >= 400"
}

# serve METHOD WORKLOAD...: boots a guest and records these
serve() {
	local method=$1 name
	shift
	make_disk 128M
	rm -f "$T/out.image"
	truncate -s 16M "$T/out.image"
	mkfs.ext4 -q -O ^has_journal "$T/out.image"
	GUEST_SECONDS=300 GUEST_OUT=$T/out.image GUEST_INPUT=$T/talk guest "$T/script"
	export guest
	check "a guest can be recorded ($method)" recordable
	await "at your service" || { not_ok "the guest serves ($method)" "$(tail -n 3 "$T/console")"; exit; }
	for name; do
		check "$name is recorded ($method)" recorded_one "$name"
	done
	cat /sys/kernel/debug/sky/vm-* >"$T/counters"
	tell end
	wait $guest
	check "the guest knows the truth ($method)" truth_of_guest
	remove_disk
}

export T
trap 'cp "$T"/*.h5 "$T"/*.json "$T"/*.pcap "$T/console" "$T/counters" "$SHARE/results/"' EXIT
mkfifo "$T/talk"
exec 7<>"$T/talk"
for method in $METHODS; do
	SKY_EXITS=$method load_modules sky dm-sky kvm kvm-amd || exit 1
	serve "$method" $WORKLOADS
	for name in $WORKLOADS; do
		judge "$method" "$name"
	done
	holds "calls return on another virtual CPU ($method)" "$(counter returns_split) > 0"
	holds "no child is lost ($method)" "$(counter children_lost) == 0"
	check "the modules can be unloaded ($method)" rmmod kvm-amd kvm dm-sky sky
done

load_modules sky dm-sky without-splits/kvm kvm-amd || exit 1
serve "without splits" threads
"$SKY" classify --json "$T/threads.pcap" >"$T/classified.json"
holds "without the global table no call returns on another virtual CPU" "$(counter returns_split) == 0"
holds "without the global table calls have no return" "$(value .not_covered.lost_exits) > 0"
check "the modules can be unloaded (without splits)" rmmod kvm-amd kvm dm-sky sky
kernel_is_well
finish
