#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 7200 s
# boot: --disk debian.img --server
#
# docs/lab-host.md on a Debian server, command by command, but for libvirt's (libvirt.sh): apt-get builds and
# loads the modules, a guest on a logical volume is recorded, the package stays while a guest runs on its KVM,
# and when it is gone the kernel's own is back. Of all tests it takes longest, for a compiler runs in the
# emulated host: it is not among those of `make lab-check`.
. /mnt/share/tests/lib.sh

server_up || exit 1
GUEST_SECONDS=1200
keep '*.log' console 'trace.*'
KERNEL=$(uname -r)
BUILT=/lib/modules/$KERNEL/updates/dkms
DEB=$(basename "$SHARE"/sky-dkms_*.deb)

# prints NAME COMMAND...: leaves what it prints in NAME.log, too
prints() {
	local out=$T/$1.log
	shift
	"$@" 2>&1 | tee "$out"
	return "${PIPESTATUS[0]}"
}

# runs WHAT: the KVM that is loaded runs a guest
runs() {
	local plain
	truncate -s 16M "$T/plain"
	plain=$(losetup -f --show "$T/plain")
	GUEST_DISK=$plain guest "$T/nothing"
	wait $guest
	check "$1" grep -q "guest: status 0" "$T/console"
	losetup -d "$plain"
}

# as_documented SCRIPT: the plain QEMU of the documentation. Its guest's kernel, which would be on its disk, and its tools come on top.
as_documented() {
	cp "$SHARE/vmlinux" "$T/"
	initramfs "$1" "$SHARE" "$T/initramfs"
	timeout -s KILL 2400 qemu-system-x86_64 -name vm1 -accel kvm -cpu host -m 2048 -smp 2 \
		-drive file=/dev/mapper/vm1,format=raw,if=virtio,cache=none,aio=native -display none -serial stdio \
		-kernel "$T/vmlinux" -initrd "$T/initramfs" -append "$WORDS nopti" -no-reboot \
		-drive "file=$SHARE/root.img,format=raw,if=virtio,readonly=on" </dev/null >"$T/console" &
	guest=$!
}

echo true >"$T/nothing"
cat >"$T/work" <<'WORK'
mount -t ext4 /dev/vda /mnt || exit 1
until skyrun true 2>/dev/null; do sleep 0.1; done
cd /mnt
skyrun tar -xf linux.tar || exit 1
sync
echo "written"
sleep 3000
WORK

check "the processor has virtualisation" test "$(grep -Ecw 'svm|vmx' /proc/cpuinfo)" -gt 0
runs "the kernel's own KVM runs a guest"

## 2. Install the modules
mkdir -p ~/sky/build
cp "$SHARE/$DEB" ~/sky/build/
cd ~/sky || exit 1
begun=$SECONDS
check "apt-get installs the package" prints apt apt-get install -y "./build/$DEB"
say "# that took $((SECONDS - begun)) s"
cp /var/lib/dkms/sky/*/*/*/log/make.log "$T/"
[ -x /usr/sbin/sky-kvm ] || exit 1
cd
check "DKMS has it" test -n "$(dkms status sky -k "$KERNEL" | grep ': installed$')"
check "modprobe takes Sky's KVM" test "$(modinfo -n kvm)" = "$BUILT/kvm.ko"
for module in sky dm-sky kvm kvm-amd kvm-intel; do
	check "$module is built for this kernel" test "$(modinfo -F vermagic "$BUILT/$module.ko")" = "$(modinfo -F vermagic "$STOCK/kvm.ko")"
done
check "Sky's KVM is loaded" prints status sky-kvm status
check "the kernel's own is still there" test -f "$STOCK/kvm.ko"
check "it can be built for a kernel that is there" dkms autoinstall -k "$KERNEL"

## 3. The disk
truncate -s 96M guest.raw
loop=$(losetup --direct-io=on -f --show guest.raw)
check "there is a logical volume" sh -c "vgcreate vg $loop && lvcreate -y -L 80M -n guest1 vg && mkfs.ext4 -q -b 4096 /dev/vg/guest1"
mount /dev/vg/guest1 /mnt/guest --mkdir && tar -cf /mnt/guest/linux.tar -C /usr/include linux && umount /mnt/guest
disk=/dev/vg/guest1
echo "0 $(blockdev --getsz $disk) sky $disk 0 vm1" | dmsetup create vm1
check "its content is the same through a target of type sky" cmp $disk /dev/mapper/vm1
check "which can be removed" dmsetup remove vm1
mkdir -p /etc/sky && echo DISK=/dev/vg/guest1 >/etc/sky/vm1.disk
check "systemd makes one" systemctl enable --now sky-disk@vm1
check "of that type" test "$(dmsetup table vm1 | cut -d' ' -f 3,6)" = "sky vm1"

## 4. and 5. The guest, recorded
cd "$T"
as_documented "$T/work"
recordable
check "a guest can be listed" prints list sky record --kvm list
check "as a machine" grep -q "^vm .* vm1 .* 2 virtual CPUs" "$T/list.log"
check "and as a disk" grep -qx "disk vm1" "$T/list.log"
env --default-signal=INT sky record --kvm vm1 --disk vm1 -o trace.h5 >"$T/record.log" 2>&1 &
recorder=$!
SAYS_SECONDS=900 check "a guest that is recorded unpacks an archive" says written
sleep 1
kill -INT $recorder
check "the recorder ends" wait $recorder
check "the trace can be looked at" prints info sky info trace.h5
check "and classified" prints classify sky classify trace.h5
check "there is a report of it" sky report trace.h5 -o trace.html
sky info --json trace.h5 >"$T/info"
sky classify --json trace.h5 >"$T/classes"
holds "nothing is lost" "$(jq '.lost_events + .missing_seqs' "$T/info") == 0"
holds "its calls are there" "$(jq .kinds.entry "$T/info") > 1000"
holds "what they wrote is found at the disk" "$(jq .paper.data_chunks_found "$T/classes") >= 0.99 * $(jq .paper.data_chunks_written "$T/classes")"
holds "which is all that tar unpacked" "$(jq .paper.data_chunks_written "$T/classes") >= $(find /usr/include/linux -type f | wc -l)"

## While a guest runs
refuses "a package whose KVM runs a guest is not removed" 100 "not removed while Sky's KVM is in use" apt-get purge -y sky-dkms
cp "$T/check.log" "$T/refused.log"
check "who is in the way is named" grep -q "(qemu-system-x86) has /dev/kvm" "$T/refused.log"
refuses "nor is its KVM unloaded" 1 "can't be unloaded because dm_sky is in use" sky-kvm unload
refuses "nor loaded again" 1 "can't be loaded because dm_sky is in use" sky-kvm load
check "the guest goes on" kill -0 $guest
check "Sky's KVM, too" sky-kvm status
kill $guest
wait $guest 2>/dev/null
refuses "a disk of type sky is in the way, too" 1 "/dev/mapper/vm1 is of type sky" sky-kvm unload
check "Sky's KVM is loaded as before" sky-kvm status
check "systemd removes the disk" systemctl disable --now sky-disk@vm1
check "it is gone" test ! -e /dev/mapper/vm1
sleep 3000 7<>/dev/kvm &
sleeper=$!
sleep 1
refuses "so is an open /dev/kvm" 1 "because kvm_amd is in use" sky-kvm unload
check "the disks' module is back then" test -e /sys/module/dm_sky
kill $sleeper
wait $sleeper 2>/dev/null

## One in the other's place
check "the kernel's own KVM can take Sky's place" sky-kvm unload
refuses "and is loaded then" 3 "the kernel's own is loaded" sky-kvm status
runs "it runs a guest"
check "Sky's can take it again" sky-kvm load
check "and is loaded then" sky-kvm status

## Kernels that it was not made for
source=$(echo /usr/src/sky-*)
mkdir -p "$T/other/include/generated"
echo '#define LINUX_PACKAGE_ID " Debian 6.1.1-1"' >"$T/other/include/generated/package.h"
refuses "KVM's source of another version is refused" 1 "install linux-source-6.1=6.1.1-1" \
	sh -c "cd '$T' && $source/dkms/prepare 6.1.0-1-amd64 '$T/other' 0"
cp "$T/check.log" "$T/refused-source.log"
mkdir -p /lib/modules/6.12.1-amd64
cp -r "/lib/modules/$KERNEL/build" /lib/modules/6.12.1-amd64/
refuses "another kernel is" 77 "BUILD_EXCLUSIVE" dkms build "sky/${source##*/sky-}" -k 6.12.1-amd64
rm -r /lib/modules/6.12.1-amd64

## Removal
check "apt-get purges the package" apt-get purge -y sky-dkms
check "no module of it is left" test ! -e "$BUILT/kvm.ko" -a ! -e "$source" -a ! -e /var/lib/dkms/sky
check "modprobe takes the kernel's own KVM" test "$(modinfo -n kvm)" = "$STOCK/kvm.ko"
check "it is loaded" test ! -e /sys/module/kvm/parameters/sky_exits -a ! -e /sys/module/sky -a -e /sys/module/kvm_amd
runs "and runs a guest again"
check "the program goes by rm" sh -c "rm /usr/local/bin/sky /usr/local/share/man/man1/sky*"
kernel_is_well
finish
