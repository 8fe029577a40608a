#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 600 s
#
# Whom to record, said on the host: by number, by program, by vsock; and whose files. The
# guest goes through as many phases as there are recordings, each of which it waits for.
. /mnt/share/tests/lib.sh

load_modules sky dm-sky kvm kvm-amd vhost_vsock vsock_loopback || exit 1
keep '*.h5' console '*.log'
trap 'leave; kill $(jobs -p) 2>/dev/null' EXIT
make_disk 64M

cat >"$T/work" <<'END'
mount -t ext4 /dev/vda /mnt && mkdir /mnt/in /mnt/out || exit 1
for name in named early other; do cp /usr/local/bin/strangers /tmp/$name; done
# phase COMMAND: while a recorder is there
phase() {
	strangers await
	echo "phase: $1 begins"
	"$@" || echo "phase: $* failed"
	sync
	echo "phase: $1 is over"
	strangers await-end
}
by_number() {
	strangers storm 3000 >/tmp/storm.1 & storms=$!
	for i in 1 2 3 4 5; do strangers storm 100 >>/tmp/storm.2; done
	wait $later || return 1
	wait $storms || return 1
	cat /tmp/storm.1 /tmp/storm.2
	[ "$(cat /tmp/storm.1 /tmp/storm.2 | grep -c '^storm: 0 wrong')" -eq 6 ]
}
by_program() {
	/tmp/other write /mnt/in/other 16 || return 1
	/tmp/named write /mnt/in/$1 64 || return 1
	(exec /tmp/named write /mnt/out/$1 32) || return 1
	sh -c 'cd /mnt/in && /tmp/named write ../in/relative 16 && cd / && /tmp/named write mnt/out/relative 16' || return 1
	wait $early
}
all_files() { by_program first; }
some_files() { by_program second; }
by_vsock() { skyrun --vsock strangers write /mnt/in/vsock 48; }

# It is under that mode when the recorder comes, and until it has gone.
strangers strict & strict=$!
strangers later /mnt/in/number 64 & later=$!
echo "number: $later."
phase by_number
wait $strict && echo "strict: well"
for files in all_files some_files; do
	/tmp/early later /mnt/in/early 32 & early=$!
	phase $files
done
phase by_vsock
umount /mnt
END

# await WHAT TEXT: until the guest has said so
await() {
	local begun=$SECONDS
	until grep -q "$1" "$T/console" 2>/dev/null; do
		sleep 0.2
		[ $((SECONDS - begun)) -lt 90 ] || { not_ok "the guest says \"$1\"" "$(tail -n 3 "$T/console" | tr '\n' ' ')"; return 1; }
	done
}

# record_phase NAME PHASE OPTION...: until the guest is through with it; what the counters counted is in $T/NAME.counts
record_phase() {
	local name=$1 phase=$2 recorder rc=0
	shift 2
	counters >"$T/before"
	env --default-signal=INT "$SKY" record --kvm sky --disk vm1 "$@" -o "$T/$name.h5" 2>"$T/$name.log" &
	recorder=$!
	await "phase: $phase is over" || rc=1
	counters >"$T/after"
	kill -INT $recorder
	wait $recorder || rc=1
	join "$T/before" "$T/after" | awk '{ print $1, $3 - $2 }' >"$T/$name.counts"
	[ $rc -eq 0 ] && ! grep -vE "was not found|is not this virtual machine" "$T/$name.log"
}
counters() { sort /sys/kernel/debug/sky/vm-*; }
counted() { awk -v name="$2" '$1 == name { print $2 }' "$T/$1.counts"; }

# pids NAME: of the calls in a trace, where they are known
pids() { "$SKY" dump --kinds entry "$T/$1.h5" | grep -o ' pid=[0-9]*' | sort -u; }
info() { "$SKY" info --json "$T/$1.h5" | jq -r "$2"; }
classified() {
	[ -f "$T/$1.json" ] || "$SKY" classify --json ${3:-} "$T/$1.h5" >"$T/$1.json"
	jq -r "$2" "$T/$1.json"
}

export GUEST_DEVICE=vhost-vsock-device,guest-cid=42 GUEST_SECONDS=540
guest "$T/work"
recordable || exit 1
await "number: " || exit 1
number=$(sed -n 's/.*number: \([0-9]*\)\..*/\1/p' "$T/console")

## By number
check "a process is recorded by its number" record_phase number by_number --pid "$number" --pid 4000000000
check "the recorder says who was not there" grep -q "process 4000000000 of the guest was not found" "$T/number.log"
holds "it alone is" "$(pids number | wc -l) == 1 && $(pids number | tr -dc 0-9) == $number"
holds "what it wrote is found at the disk" "$(classified number .paper.data_chunks_found) == 64"
holds "nobody is asked more than once" "0 < $(counted number strangers_asked) && $(counted number strangers_asked) <= $(counted number strangers)"
holds "others cost no more than that" "$(counted number exit_syscall) <= $(counted number calls) + $(counted number insights) +\
 2 * $(counted number strangers_asked) + 64 * ($(counted number strangers_asked) + $(counted number strangers_refused))"
cat "$T/number.counts"
holds "their calls do what they did" "$(grep -c 'phase:.*failed' "$T/console") == 0"

## By program
check "processes are recorded by their program" record_phase all all_files --exec named --exec /tmp/early
holds "all of them are, and nobody else" "$(pids all | wc -l) == 5"
holds "nobody is asked for that" "$(counted all strangers_asked) == 0"
holds "what they wrote is found at the disk" "$(classified all .paper.data_chunks_found) == 64 + 32 + 16 + 16 + 32"
cat "$T/all.counts"

holds "who is under seccomp's strict mode was not asked" "$(counted number strangers_refused) > 0 && $(grep -c 'strict: well' "$T/console") == 1"

## Some files
check "only some files are recorded" record_phase some some_files --exec named --exec /tmp/early --only //mnt/in/
holds "others' calls are seen and not told" "$(counted some calls_outside) >= 2 * (32 + 16)"
holds "nor hashed" "$(counted some chunks) == 2 * (64 + 16 + 32)"
holds "the same files are found at the disk" "$(classified some .paper.data_chunks_found) == 64 + 16 + 32"
cat "$T/some.counts"
info some .attributes | grep only

## By vsock
(until "$SHARE/bin/skyrun" --vsock=1:7590 true 2>&1 | grep "can't be recorded" >"$T/other.log"; do sleep 0.1; done) &
check "a process is recorded that asks over vsock" record_phase vsock by_vsock --vsock 7590
check "another machine may not ask for this one's" grep -q "address 1 asked to be recorded, who is not this virtual machine, which has 42" "$T/vsock.log"
check "... and is told that it isn't recorded" grep -q "true can't be recorded" "$T/other.log"
cat "$T/vsock.counts"
holds "it alone is" "$(pids vsock | wc -l) == 1"
holds "what it wrote is found at the disk" "$(classified vsock .paper.data_chunks_found) == 48"
wait $guest
holds "the guest is well" "$(grep -c 'guest: status 0' "$T/console") == 1"
remove_disk

## As in the paper: the disk's image is a file in a file system of the host, below which is dm-sky
make_disk 128M
mkdir -p "$T/host"
mount /dev/mapper/sky0 "$T/host"
truncate -s 48M "$T/host/guest.raw"
mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$T/host/guest.raw"
sync
cat >"$T/work" <<'END'
strangers await
mount -t ext4 /dev/vda /mnt || exit 1
strangers write /mnt/a 600 || exit 1
umount /mnt
mount -t ext4 /dev/vda /mnt || exit 1
dd if=/mnt/a of=/dev/null bs=64k || exit 1
umount /mnt
END
export GUEST_DISK=$T/host/guest.raw GUEST_WORDS=pti=on GUEST_DEVICE=
check "a guest is recorded whose image is a file of the host" recorded paper "$T/work" --exec strangers --exec dd
umount "$T/host"
holds "what it wrote is found below the host's file system" "$(classified paper .paper.data_chunks_found) == 600"
holds "so is what it read" "$(classified paper '[.by_class[] | select(.what == "data") | .read_chunks] | add') >= 600"
holds "the host's own metadata is there, too" "$("$SKY" dump --kinds block "$T/paper.h5" | grep -c ' W .*META') > 0"
remove_disk
check "the modules can be unloaded" rmmod kvm-amd kvm dm-sky sky
kernel_is_well
finish
