#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 5400 s
# boot: --disk debian.img
#
# The package sky-dkms in a bare Debian 12: apt-get builds and loads the modules, they record a guest,
# the package stays while a guest runs on them, and when it is gone the kernel's own KVM is back. Of all
# tests it takes longest, for a compiler runs in the emulated host: it is not among those of `make lab-check`.
. /mnt/share/tests/lib.sh

debian_up || exit 1

# runs WHAT: the KVM that is loaded runs a guest
runs() {
	local loop
	truncate -s 16M "$T/plain"
	loop=$(losetup -f --show "$T/plain")
	GUEST_SECONDS=600 GUEST_DISK=$loop guest "$T/nothing"
	wait $guest
	check "$1" grep -q "guest: status 0" "$T/console"
	losetup -d "$loop"
}

echo true >"$T/nothing"
writes_a_file >"$T/work"

check "the host has Debian's kernel" test -d "$D/lib/modules/$(uname -r)/kernel"
check "its own KVM loads" debian modprobe kvm-amd
runs "and runs a guest"

## In
cp "$SHARE/sky-dkms.deb" "$D/root/"
begun=$SECONDS
check "apt-get installs the package" debian apt-get install -y --no-install-recommends /root/sky-dkms.deb
say "# that took $((SECONDS - begun)) s"
check "DKMS has it" test -n "$(debian dkms status sky -k "$(uname -r)" | grep ': installed$')"
check "modprobe takes Sky's KVM" test "$(debian modinfo -n kvm)" = "/lib/modules/$(uname -r)/updates/dkms/kvm.ko"
check "Sky's KVM is loaded" debian sky-kvm status
check "the kernel's own is still there" test -f "$D/lib/modules/$(uname -r)/kernel/arch/x86/kvm/kvm.ko"

## Recording
debian modprobe dm-sky
make_disk 16M
GUEST_SECONDS=600 guest "$T/work"
recordable
env --default-signal=INT "$SKY" record --kvm sky --disk vm1 -o "$T/t.h5" 2>"$T/record.log" &
recorder=$!
check "a guest that is recorded writes" says written
cp "$T/console" "$SHARE/results/"
sleep 1
kill -INT $recorder
check "the recorder ends" wait $recorder
"$SKY" info --json "$T/t.h5" >"$T/info"
holds "nothing is lost" "$(jq '.lost_events + .missing_seqs' "$T/info") == 0"
holds "its calls are there" "$(jq .kinds.entry "$T/info") > 80"
"$SKY" classify "$T/t.h5" --json >"$T/classes" 2>&1
check "the trace can be classified" jq -e . "$T/classes"

## While a guest runs
refuses "a package whose KVM runs a guest is not removed" 100 "not removed while Sky's KVM is in use" \
	debian apt-get purge -y sky-dkms
cp "$T/check.log" "$T/refused.log"
check "who is in the way is named" grep -q "(qemu-system-x86) has /dev/kvm" "$T/refused.log"
refuses "nor is its KVM unloaded" 1 "can't be unloaded because dm_sky is in use" debian sky-kvm unload
check "the guest goes on" kill -0 $guest
check "Sky's KVM, too" debian sky-kvm status
kill $guest
wait $guest 2>/dev/null
refuses "a disk of type sky is in the way, too" 1 "/dev/mapper/sky0 is of type sky" debian sky-kvm unload
check "Sky's KVM is loaded as before" debian sky-kvm status
remove_disk
sleep 1000 7<>/dev/kvm &
sleeper=$!
sleep 1
refuses "so is an open /dev/kvm" 1 "because kvm_amd is in use" debian sky-kvm unload
check "the disks' module is back then" test -e /sys/module/dm_sky
kill $sleeper
wait $sleeper 2>/dev/null

## One in the other's place
check "the kernel's own KVM can take Sky's place" debian sky-kvm unload
refuses "and is loaded then" 3 "the kernel's own is loaded" debian sky-kvm status
check "Sky's can take it again" debian sky-kvm load
check "and is loaded then" debian sky-kvm status

## Kernels that it was not made for
sky=$(echo "$D"/usr/src/sky-*)
mkdir -p "$D/tmp/other/include/generated"
echo '#define LINUX_PACKAGE_ID " Debian 6.1.1-1"' >"$D/tmp/other/include/generated/package.h"
refuses "KVM's source of another version is refused" 1 "install linux-source-6.1=6.1.1-1" \
	debian sh -c "cd /tmp && ${sky#"$D"}/dkms/prepare 6.1.0-1-amd64 /tmp/other 0"
mkdir -p "$D/lib/modules/6.12.1-amd64"
cp -r "$D/lib/modules/$(uname -r)/build" "$D/lib/modules/6.12.1-amd64/"
refuses "another kernel is" 77 "BUILD_EXCLUSIVE" debian dkms build "sky/${sky##*/sky-}" -k 6.12.1-amd64
rm -r "$D/lib/modules/6.12.1-amd64"

## Out
check "apt-get purges the package" debian apt-get purge -y sky-dkms
check "no module of it is left" test ! -e "$D/lib/modules/$(uname -r)/updates/dkms/kvm.ko" -a ! -e "$sky" -a ! -e "$D/var/lib/dkms/sky"
check "modprobe takes the kernel's own KVM" test "$(debian modinfo -n kvm)" = "/lib/modules/$(uname -r)/kernel/arch/x86/kvm/kvm.ko"
check "it is loaded" test ! -e /sys/module/kvm/parameters/sky_exits -a ! -e /sys/module/sky -a -e /sys/module/kvm_amd
runs "and runs a guest again"
cp "$T"/*.log "$T/console" "$T/info" "$T/classes" "$SHARE/results/" 2>/dev/null
kernel_is_well
finish
