# SPDX-License-Identifier: GPL-2.0-or-later
# For scripts that run in the emulated host: `. /mnt/share/tests/lib.sh`.
# Gives ok/not_ok/skip/check/holds, whose lines end up in the results of this
# script, $SKY, a folder $T, load_modules, and guests with their recording; the
# script ends with finish.
if [ -t 2 ]; then # on a terminal programs show their progress
	set -o pipefail
	bash "$0" 2>&1 | cat
	exit
fi
set -u
SHARE=/mnt/share
NAME=$(basename "$0" .sh)
RESULTS=$SHARE/results/$NAME
T=/tmp/work
SKY=/tmp/sky
STATUS=0
mkdir -p "$T"
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
cp "$SHARE/sky" "$SKY"
: >"$RESULTS"

say() { echo "$1"; echo "$1" >>"$RESULTS"; }
ok() { say "ok $1"; }
not_ok() { say "not ok $1: $2"; STATUS=1; }
skip() { say "skip $1: $2"; }

# check WHAT COMMAND...: ok if the command succeeds
check() {
	local what=$1
	shift
	if "$@" >"$T/check.log" 2>&1; then ok "$what"; else not_ok "$what" "$(tail -n 3 "$T/check.log" | tr '\n' ' ')"; fi
}

# refuses WHAT STATUS TEXT COMMAND...: ok if the command fails with that status and says so
refuses() {
	local what=$1 status=$2 text=$3 got=0
	shift 3
	"$@" >"$T/check.log" 2>&1 || got=$?
	if [ "$got" -eq "$status" ] && grep -q -- "$text" "$T/check.log"; then ok "$what"
	else not_ok "$what" "status $got: $(tail -n 2 "$T/check.log" | tr '\n' ' ')"; fi
}

# holds WHAT EXPRESSION: an arithmetic comparison by awk; null and n/a never hold
holds() {
	if [[ $2 != *null* ]] && awk "BEGIN { exit !($2) }" 2>/dev/null; then ok "$1 ($2)"; else not_ok "$1" "$2 does not hold"; fi
}

# keep PATTERN...: which files of $T are left in results/NAME.d when the script ends, for whoever looks why a check failed
keep() {
	KEPT="$*"
	trap leave EXIT
}
leave() {
	mkdir -p "$RESULTS.d"
	(cd "$T" && cp -r $KEPT "$RESULTS.d/" 2>/dev/null)
}

# load_modules NAME...: Sky's own, then any of the host kernel's. SKY_EXITS may be set, kvm's sky_exits.
load_modules() {
	local module words
	for module in "$@"; do
		words=()
		[ "$module" != kvm ] || words=(${SKY_EXITS:+"sky_exits=$SKY_EXITS"})
		if [ -f "$SHARE/modules/$module.ko" ]; then insmod "$SHARE/modules/$module.ko" "${words[@]}"
		else modprobe -d "$SHARE" "$module"; fi || return 1
	done
}

# device-mapper without udev
dm() { dmsetup --noudevsync "$@" && dmsetup mknodes; }

# make_disk BYTES [MKFS...]: the guests' disk, sky0 for device-mapper and vm1 for the recorder, with an ext4
# or what that command makes on it
make_disk() {
	rm -f "$T/image"
	truncate -s "$1" "$T/image"
	loop=$(losetup -f --show "$T/image")
	shift
	[ $# -gt 0 ] || set -- mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0
	"$@" "$loop" || return
	echo "0 $(blockdev --getsz "$loop") sky $loop 0 vm1" | dm create sky0
}

remove_disk() {
	dm remove sky0
	losetup -d "$loop"
}

# initramfs SCRIPT FOLDER OUT: that of a guest that runs it, made of the folder's guest.cpio
initramfs() {
	rm -rf "$T/initramfs.d"
	mkdir "$T/initramfs.d"
	cp "$1" "$T/initramfs.d/script"
	(cd "$T/initramfs.d" && echo script | cpio -o -H newc --quiet) | cat "$2/guest.cpio" - >"$3"
}
# Its kernel's command line, whatever runs it
WORDS="console=ttyS0 panic=-1 reboot=t mitigations=off nokaslr quiet"

# guest SCRIPT: boots one that runs it, with the recorded disk as /dev/vda; its process is in $guest.
# GUEST_VCPUS (2), GUEST_MEMORY (256 MiB), GUEST_SECONDS (150), GUEST_WORDS (of the kernel's command
# line), GUEST_DISK (the recorded one), GUEST_MACHINE (with PCI, in place of a microvm),
# GUEST_DEVICE (one more, as QEMU's -device has it), GUEST_OUT (an image, its /dev/vdc),
# GUEST_INPUT (a file or pipe, what it reads from /dev/ttyS0) and GUEST_KERNEL (a folder with another
# vmlinux and guest.cpio) may be set. There is no clock of the kind that the kernel asks ten
# thousand times whether it is being set.
guest() {
	local device="" bus=device kernel=${GUEST_KERNEL:-$SHARE}
	initramfs "$1" "$kernel" "$T/initramfs"
	[ -f "$T/vmlinux" ] || cp "$kernel/vmlinux" "$T/" # QEMU maps it, which the shared folder doesn't allow
	[ -z "${GUEST_MACHINE:-}" ] || bus=pci
	[ -z "${GUEST_DEVICE:-}" ] || device="-device $GUEST_DEVICE"
	timeout -s KILL "${GUEST_SECONDS:-150}" qemu-system-x86_64 -name sky -M "${GUEST_MACHINE:-microvm,pit=off,pic=off,rtc=off,isa-serial=on}" \
		-accel kvm -cpu host -m "${GUEST_MEMORY:-256}" -smp "${GUEST_VCPUS:-2}" \
		-display none -nodefaults -no-user-config -no-reboot -serial stdio -monitor none \
		-kernel "$T/vmlinux" -initrd "$T/initramfs" \
		-drive "file=${GUEST_DISK:-/dev/mapper/sky0},format=raw,if=none,id=disk,cache=none" -device virtio-blk-$bus,drive=disk \
		-drive "file=$SHARE/root.img,format=raw,if=none,id=root,readonly=on" -device virtio-blk-$bus,drive=root $device \
		${GUEST_OUT:+-drive "file=$GUEST_OUT,format=raw,if=none,id=out" -device virtio-blk-$bus,drive=out} \
		-append "$WORDS initcall_blacklist=cmos_init ${GUEST_WORDS:-nopti}" \
		<"${GUEST_INPUT:-/dev/null}" >"$T/console" &
	guest=$!
}

# says TEXT: waits until a line of the guest begins so, SAYS_SECONDS (200) at most
says() {
	local begun=$SECONDS
	until tr -d '\r' <"$T/console" 2>/dev/null | grep -q "^$1"; do
		sleep 0.2
		[ $((SECONDS - begun)) -lt "${SAYS_SECONDS:-200}" ] || return 1
	done
}

# with_truth COMMAND: what a guest's script does so that its own kernel says whose data each request of that
# command is; make_out BYTES: the disk on which it brings that out; truth_of_guest: what it brought, as $T/truth.pcap
with_truth() {
	cat <<END
mkdir /tmp/out
mount -t ext4 /dev/vdc /tmp/out || exit 1
sky record --truth /dev/vda -o /tmp/out/truth.pcap -- $1 || exit 1
umount /tmp/out
END
}
make_out() {
	GUEST_OUT=$T/out.image
	rm -f "$GUEST_OUT"
	truncate -s "$1" "$GUEST_OUT"
	mkfs.ext4 -q -O ^has_journal "$GUEST_OUT"
}
truth_of_guest() {
	mkdir -p "$T/out"
	mount -o loop,ro "$GUEST_OUT" "$T/out" && cp "$T/out/truth.pcap" "$T/" && umount "$T/out"
}

# figures NAME TRACE JOINED MORE: what a trace is judged by, with that truth, in one line: losses; calls without
# return and returns without call; chunks, and those with a truth; of written and of read chunks those judged
# and the errors; and what else of the classification is asked for. NAME.joined and NAME.classified are kept.
figures() {
	"$SKY" join "$2" "$T/truth.pcap" -o "$3" --json >"$1.joined" &&
		"$SKY" classify --json "$3" >"$1.classified" &&
		jq -rs '.[0] as $joined | .[1] | [
			.not_covered.events_lost, .not_covered.unmatched_exits + .not_covered.lost_exits,
			$joined.chunks, $joined.chunks_with_truth,
			.write_chunks_judged, .write_errors, .read_chunks_judged, .read_errors, '"$4"'
		] | if any(. == null) then error("a figure is missing") else @tsv end' "$1.joined" "$1.classified"
}

# snapshot begin|end TEXT: Sky's and KVM's counters, once the guest says that a phase of that name begins or ends
snapshot() {
	says "phase $2" && sleep 0.3 || return 1
	cat /sys/kernel/debug/sky/vm-* >"$T/counters.$1"
	for counter in exits irq_injections; do
		echo "kvm_$counter $(cat /sys/kernel/debug/kvm/*-*/$counter | head -n 1)" >>"$T/counters.$1"
	done
}
# more COUNTER...: by how much they grew in sum from begin to end
more() { grown "$T/counters.begin" "$T/counters.end" "$@"; }

# grown FILE FILE COUNTER...: by how much, from one file of counters to the other
grown() {
	local from=$1 to=$2
	shift 2
	awk -v names=" $* " 'index(names, " " $1 " ") { sum += NR == FNR ? -$2 : $2 } END { print sum + 0 }' "$from" "$to"
}

# recordable: waits until all virtual CPUs of the guest are there
recordable() {
	local tries=0
	until "$SKY" record --kvm list --json | jq -e ".machines[0].vcpus == ${GUEST_VCPUS:-2}" >/dev/null; do
		sleep 0.1
		tries=$((tries + 1))
		[ $tries -lt 100 ] || return 1
	done
}

# recorded NAME SCRIPT [OPTION...]: a guest runs the script while its calls and its disk are recorded,
# with those options, into $T/NAME.h5; what it printed is in $T/console. 0 where all of that went well.
recorded() {
	local trace=$T/$1.h5 recorder
	guest "$2"
	shift 2
	recordable || { kill $guest; wait $guest; return 1; }
	env --default-signal=INT "$SKY" record --kvm sky --disk vm1 "$@" -o "$trace" 2>"$T/record.log" &
	recorder=$!
	wait $guest
	wait $recorder || { cat "$T/record.log"; return 1; }
	cat "$T/record.log"
	grep -q "guest: status 0" "$T/console" || { tail -n 20 "$T/console"; return 1; }
}

# server_up: in a Debian server (boot --server) Sky is where `make install` has it, and the kernel's own KVM is loaded
server_up() {
	cp -r "$SHARE/installed/." /
	SKY=/usr/local/bin/sky
	udevadm settle
	check "the server runs" test "$(systemctl is-system-running --wait)" = running
	[ "$(modinfo -n kvm)" = "$STOCK/kvm.ko" ] && [ -e /sys/module/kvm_amd ]
}
STOCK=/lib/modules/$(uname -r)/kernel/arch/x86/kvm

# writes_a_file: what a guest does that writes 2.5 MiB once it can be monitored, and then nothing
writes_a_file() {
	cat <<'END'
mount -t ext4 /dev/vda /mnt || exit 1
until skyrun true 2>/dev/null; do sleep 0.1; done
skyrun dd if=/dev/urandom of=/mnt/file bs=64k count=40 conv=fsync || exit 1
umount /mnt
echo "written"
sleep 1000
END
}

# What the kernel complained of; a message's own words may not match.
kernel_is_well() {
	dmesg | grep -E 'BUG:|WARNING:|Oops|RCU .*stall|soft lockup|hung task|general protection' >"$T/dmesg"
	if [ -s "$T/dmesg" ]; then not_ok "the kernel has nothing to complain of" "$(head -n 1 "$T/dmesg")"
	else ok "the kernel has nothing to complain of"; fi
}

finish() { exit $STATUS; }
