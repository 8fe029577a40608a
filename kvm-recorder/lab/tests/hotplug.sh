#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 240 s
#
# A virtual CPU that a guest gets while it is recorded: its calls are recorded, too.
. /mnt/share/tests/lib.sh

load_modules sky dm-sky kvm kvm-amd || exit 1
keep '*.h5' console '*.log'
make_disk 64M

cat >"$T/work" <<'END'
mount -t ext4 /dev/vda /mnt || exit 1
strangers await
echo "recorded"
until [ -e /sys/devices/system/cpu/cpu1 ]; do sleep 0.1; done
echo 1 >/sys/devices/system/cpu/cpu1/online || exit 1
sleep 2
taskset -c 1 strangers write /mnt/a 100 || exit 1
umount /mnt
END

# A microvm can't. A second -smp and -monitor add to the first.
export GUEST_VCPUS=1 GUEST_MACHINE=q35
export GUEST_DEVICE="virtio-rng-pci -smp 1,sockets=2,cores=1,threads=1,maxcpus=2 -monitor unix:$T/monitor,server=on,wait=off"
# add_vcpu: by QEMU's monitor, once the guest says that it is recorded
add_vcpu() {
	local begun=$SECONDS
	until grep -q "^recorded" "$T/console" 2>/dev/null; do
		sleep 0.2
		[ $((SECONDS - begun)) -lt 90 ] || return 1
	done
	python3 -c '
import socket, sys
monitor = socket.socket(socket.AF_UNIX)
monitor.connect(sys.argv[1])
monitor.settimeout(5)
monitor.sendall(b"device_add host-x86_64-cpu,socket-id=1,core-id=0,thread-id=0,id=cpu1\n")
try: # it echoes each character, and must be listened to
    while monitor.recv(4096):
        pass
except TimeoutError:
    pass
' "$T/monitor"
}
add_vcpu &
check "a guest that gets another virtual CPU is recorded" recorded t "$T/work" --exec strangers
holds "nothing is lost" "$("$SKY" info --json "$T/t.h5" | jq '.lost_events + .missing_seqs') == 0"
holds "the new one's calls are there" "$("$SKY" dump --kinds entry "$T/t.h5" | awk '$2 == 1' | wc -l) > 200"
remove_disk
check "the modules can be unloaded" rmmod kvm-amd kvm dm-sky sky
kernel_is_well
finish
