#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 600 s
# boot: --disk debian.img
#
# A guest that libvirt runs is recorded, with the disk that docs/lab-host.md gives it.
. /mnt/share/tests/lib.sh

debian_up || exit 1
load_modules sky dm-sky kvm kvm-amd || exit 1
make_disk 16M

mkdir "$T/initramfs.d"
writes_a_file >"$T/initramfs.d/script"
(cd "$T/initramfs.d" && echo script | cpio -o -H newc --quiet) | cat "$SHARE/guest.cpio" - >"$D/srv/initramfs"
cp "$SHARE"/{vmlinux,root.img} "$D/srv/"

cat >"$D/srv/vm1.xml" <<'END'
<domain type='kvm'>
  <name>vm1</name>
  <memory unit='MiB'>256</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>/srv/vmlinux</kernel>
    <initrd>/srv/initramfs</initrd>
    <cmdline>console=ttyS0 panic=-1 reboot=t mitigations=off nokaslr quiet nopti</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='host-passthrough'/>
  <devices>
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw' cache='none' io='native'/>
      <source dev='/dev/mapper/sky0'/>
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

# What is not there without systemd: a private /dev, and control groups
cat >>"$D/etc/libvirt/qemu.conf" <<'END'
namespaces = []
cgroup_controllers = []
security_driver = "none"
END
# udev would
debian chown root:kvm /dev/kvm
debian chmod 660 /dev/kvm
debian virtlogd -d
debian libvirtd -d
check "libvirt takes the guest" debian virsh define /srv/vm1.xml
check "and starts it" debian virsh start vm1
recordable
check "Sky lists it by its name" jq -e '.machines[0].name == "vm1"' <("$SKY" record --kvm list --json)
env --default-signal=INT "$SKY" record --kvm vm1 --disk vm1 -o "$T/t.h5" 2>"$T/record.log" &
recorder=$!
ln -s "$D/srv/console" "$T/console"
check "a guest that is recorded writes" says written
sleep 1
kill -INT $recorder
check "the recorder ends" wait $recorder
"$SKY" info --json "$T/t.h5" >"$T/info"
holds "nothing is lost" "$(jq '.lost_events + .missing_seqs' "$T/info") == 0"
holds "its calls are there" "$(jq .kinds.entry "$T/info") > 80"
"$SKY" classify "$T/t.h5" --json >"$T/classes" 2>&1
check "the trace can be classified" jq -e . "$T/classes"
check "libvirt ends the guest" debian virsh destroy vm1
cp "$D/srv/console" "$T"/*.log "$SHARE/results/"
cp "$D"/var/log/libvirt/qemu/vm1.log "$SHARE/results/libvirt.qemu.log"
kernel_is_well
finish
