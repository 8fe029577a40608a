#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 1200 s
#
# What the classification of a guest's requests is worth, with each method of seeing calls return:
# one workload after the other runs in a guest whose own kernel says by BPF whose data each request is.
# The recorder on the host knows nothing of that: its traces get that truth afterwards, and
# the error must stay below 1 %. A KVM that looks for calls only on the virtual CPU where they began
# must lose some. The guest boots once: it is recorded by the other method when its next
# first process is monitored.
. /mnt/share/tests/lib.sh

METHODS="iret breakpoint"
WORKLOADS="plain threads signals aio mmap misaligned classes tree prefix"

# In the guest, each in a folder of its own: workloads prepare|run NAME
cat >"$T/workloads" <<'END'
set -e
case "$1 $2" in
"prepare plain") sky workload fileserver --phase prepare --files 40 --operations 300 --threads 1 ;;
"run plain") sky workload fileserver --phase run --files 40 --operations 300 --threads 1 ;;
"prepare threads") sky workload varmail --phase prepare --files 60 --operations 500 --threads 8 ;;
"run threads") sky workload varmail --phase run --files 60 --operations 500 --threads 8 ;;
"run signals") handlers 30 40 ;;
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

# The host says by the serial line which is next; all is prepared before, and not in memory any more.
{
	echo "cat >/tmp/workloads <<'END'"
	cat "$T/workloads"
	echo END
	echo "export names='$(for method in $METHODS; do printf "$method/%s " $WORKLOADS; done)'"
	cat <<'END'
cat >/tmp/serve <<'SERVE'
mount -t ext4 /dev/vda /mnt || exit 1
for name in $names; do
	mkdir -p "/mnt/$name"
	cd "/mnt/$name"
	bash /tmp/workloads prepare "${name#*/}" || exit 1
done
sync
echo 3 >/proc/sys/vm/drop_caches
echo "at your service"
while read -r name && [ "$name" != end ]; do
	cd "/mnt/$name"
	skyrun bash /tmp/workloads run "${name#*/}"
	status=$?
	sync
	echo "done $name: $status"
done
cd /
umount /mnt
SERVE
END
	with_truth "bash /tmp/serve </dev/ttyS0"
} >"$T/script"

tell() { echo "$1" >&7; }

# await TEXT: until the guest has printed it at the beginning of a line; not for ever
await() {
	until grep -q "^$1" "$T/console"; do
		kill -0 $guest 2>/dev/null || return 1
		sleep 0.1
	done
}

# recorded_one METHOD/NAME: into $T/METHOD/NAME.pcap
recorded_one() {
	local options=
	[ "${1#*/}" != prefix ] || options="--only /mnt/$1/in"
	"$SKY" record --kvm sky --disk vm1 $options --stream "$T/$1.pcap" -- \
		bash -c "$(declare -f tell await); tell $1; await 'done $1: '" || return
	grep "^done $1: 0" "$T/console"
}

# Data that was written, and chunks that were with a given class
MORE='([.by_class[] | select(.what == "data") | .write_chunks] | add // 0), ([.application[]? | .write_chunks] | add // 0)'

# judge METHOD NAME
judge() {
	local what="$2 ($1)" trace=$T/$1/$2 all lost apart chunks truths written write_errors read read_errors data given
	if ! all=$(figures "$trace" "$trace.pcap" "$trace.h5" "$MORE"); then
		not_ok "$what is classified" "see $1.$2.joined and $1.$2.classified"
		return
	fi
	read -r lost apart chunks truths written write_errors read read_errors data given <<<"$all"
	holds "$what: nothing is lost" "$lost == 0"
	holds "$what: requests have their truth" "$chunks > 0 && $truths >= 0.99 * $chunks"
	if [ "$2" = prefix ]; then
		holds "$what: what is below it is found, and no more" "$data == 100 && $write_errors == 50"
	else
		holds "$what: $write_errors of $written written chunks are misclassified" "100 * $write_errors < $written"
		[ "$read" -eq 0 ] ||
			holds "$what: $read_errors of $read read chunks are misclassified" "100 * $read_errors < $read"
	fi
	holds "$what: each return has its call, each call its return" "$apart == 0"
	[ "$2" != classes ] || holds "$what: classes are those that the program gave" "$given >= 400"
}

# judge_all METHOD
judge_all() {
	local name
	for name in $WORKLOADS; do
		judge "$1" "$name"
	done
}

counters() { cat /sys/kernel/debug/sky/vm-*; }
counter() { awk -v name="$2" '$1 == name { print $2 }' "$1"; }

# serve: boots a guest and records all workloads in it
serve() {
	local method name
	make_disk 192M
	make_out 16M
	GUEST_SECONDS=600 GUEST_INPUT=$T/talk guest "$T/script"
	export guest
	check "a guest can be recorded" recordable
	await "at your service" || { not_ok "the guest serves" "$(tail -n 3 "$T/console")"; exit; }
	for method in $METHODS; do
		mkdir -p "$T/$method"
		echo "$method" >/sys/module/kvm/parameters/sky_exits
		counters >"$T/before"
		for name in $WORKLOADS; do
			check "$name is recorded ($method)" recorded_one "$method/$name"
		done
		counters >"$T/$method/counters"
		holds "calls return on another virtual CPU ($method)" \
			"$(counter "$T/$method/counters" returns_split) > $(counter "$T/before" returns_split)"
	done
	holds "no child is lost" "$(counter "$T/$method/counters" children_lost) == 0"
	tell end
	wait $guest
	check "the guest knows the truth" truth_of_guest
	remove_disk
	check "the modules can be unloaded" rmmod kvm-amd kvm dm-sky sky
}

# Eight threads, and no truth: it is about calls whose return is not found.
cat >"$T/split" <<'END'
mount -t ext4 /dev/vda /mnt || exit 1
cd /mnt
sky workload varmail --phase prepare --files 60 --operations 500 --threads 8 || exit 1
skyrun sky workload varmail --phase run --files 60 --operations 500 --threads 8 || exit 1
cd /
umount /mnt
END
serve_without_splits() {
	load_modules sky dm-sky without-splits/kvm kvm-amd || exit 1
	make_disk 64M
	GUEST_SECONDS=300 check "eight threads are recorded (without splits)" recorded split "$T/split"
	holds "without the global table calls have no return" \
		"$("$SKY" classify --json "$T/split.h5" | jq '.not_covered.lost_exits') > 0"
	remove_disk
	check "the modules can be unloaded (without splits)" rmmod kvm-amd kvm dm-sky sky
}

export T
keep console truth.pcap $METHODS
mkfifo "$T/talk"
exec 7<>"$T/talk"
load_modules sky dm-sky kvm kvm-amd || exit 1
serve
exec 7>&-
for method in $METHODS; do
	judge_all "$method" & # beside a guest that boots
done
serve_without_splits
wait
! grep -q '^not ok' "$RESULTS" || STATUS=1
kernel_is_well
finish
