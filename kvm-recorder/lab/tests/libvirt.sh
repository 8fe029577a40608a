#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 900 s
# boot: --disk debian.img --server
#
# A guest of libvirt's on a Debian server is given the disk and the processor of docs/lab-host.md by
# `virsh edit`, and is recorded by its name. Sky's modules are the lab's.
. /mnt/share/tests/lib.sh

server_up || exit 1
keep '*.log' /srv/console /srv/vm1.xml /var/log/libvirt/qemu/vm1.log
check "the kernel's own KVM gives way" rmmod kvm-amd kvm
load_modules sky dm-sky kvm kvm-amd || exit 1
truncate -s 32M guest.raw
disk=$(losetup --direct-io=on -f --show guest.raw)
mkfs.ext4 -q -b 4096 "$disk"
echo "0 $(blockdev --getsz "$disk") sky $disk 0 vm1" | dmsetup create vm1

writes_a_file >"$T/work"
initramfs "$T/work" "$SHARE" /srv/initramfs
cp "$SHARE"/{vmlinux,root.img} /srv/
cat >/srv/vm1.xml <<END
<domain type='kvm'>
  <name>vm1</name>
  <uuid>$(cat /proc/sys/kernel/random/uuid)</uuid>
  <memory unit='MiB'>256</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>/srv/vmlinux</kernel>
    <initrd>/srv/initramfs</initrd>
    <cmdline>$WORDS nopti</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='host-passthrough'/>
  <devices>
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw' cache='none' io='native'/>
      <source dev='/dev/mapper/vm1'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/srv/root.img'/>
      <target dev='vdb' bus='virtio'/>
      <readonly/>
    </disk>
    <serial type='file'>
      <source path='/srv/console'/>
    </serial>
  </devices>
</domain>
END

sed -e "s|/dev/mapper/vm1|$disk|" -e "s/ cache='none' io='native'//" -e '/<cpu /d' /srv/vm1.xml >/srv/before.xml
check "libvirt takes a guest" virsh define /srv/before.xml
check "which gets what it needs by virsh edit" env EDITOR="cp /srv/vm1.xml" virsh edit vm1
check "and has it then" grep -q "/dev/mapper/vm1" <(virsh dumpxml vm1)
check "it starts" virsh start vm1
recordable
check "Sky lists it by its name" jq -e '.machines[0].name == "vm1"' <(sky record --kvm list --json)
env --default-signal=INT sky record --kvm vm1 --disk vm1 -o "$T/t.h5" 2>"$T/record.log" &
recorder=$!
ln -s /srv/console "$T/console"
SAYS_SECONDS=600 check "a guest that is recorded writes" says written
sleep 1
kill -INT $recorder
check "the recorder ends" wait $recorder
sky info --json "$T/t.h5" >"$T/info"
holds "nothing is lost" "$(jq '.lost_events + .missing_seqs' "$T/info") == 0"
holds "its calls are there" "$(jq .kinds.entry "$T/info") > 80"
sky classify --json "$T/t.h5" >"$T/classes"
holds "what they wrote is found at the disk" "$(jq .paper.data_chunks_found "$T/classes") == 640"
check "libvirt ends the guest" virsh destroy vm1
check "which leaves the disk" dmsetup remove vm1
kernel_is_well
finish
