#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 3600 s
# host: vmx
#
# Recording on Intel's processors: a guest whose processes write and read files, are interrupted by
# signals, have children, call by SYSENTER and `int 0x80`. What they get is right, each call has its return,
# the disk's requests are found in the calls, EFER shows the guest what it wrote, a call exits twice.
. /mnt/share/tests/lib.sh

keep t.h5 console record.log 'counters.*'
dmesg -C # bochs is not all that Linux expects of a processor
load_modules sky dm-sky kvm kvm-intel || exit 1
make_disk 16M
ln -s "$SHARE/vmlinux" "$T/vmlinux" # QEMU can map this share's

# 128 chunks, 4 times 2, and 64 that are read first
cat >"$T/work" <<'END'
phase() {
	echo "phase $1 begins"; sleep 1
	shift
	"$@" || exit 1
	echo "phase ends"; sleep 1
}
cat >/tmp/plain <<'WORK'
set -e
dd if=/dev/urandom of=/mnt/a bs=64k count=8
mkdir /mnt/small
for i in 1 2 3 4; do dd if=/dev/urandom of=/mnt/small/$i bs=5000 count=1; done
sync
echo 3 >/proc/sys/vm/drop_caches
dd if=/mnt/a of=/mnt/b bs=16k count=16
dd if=/mnt/a of=/dev/null bs=16k
sync
WORK
mount -t ext4 /dev/vda /mnt || exit 1
until skyrun true 2>/dev/null; do sleep 0.1; done
phase calls skyrun getpids 2000
skyrun sh /tmp/plain || exit 1
skyrun exits || exit 1
skyrun exits32 || exit 1
echo "efer: $(skyrun same_calls | grep -c 'SCE 1$') times"
umount /mnt
END

GUEST_VCPUS=1 GUEST_SECONDS=900
guest "$T/work"
recordable || exit 1
env --default-signal=INT "$SKY" record --kvm sky --disk vm1 -o "$T/t.h5" 2>"$T/record.log" &
recorder=$!
snapshot begin "calls begins"
snapshot end "ends"
wait $guest
cat "$T/console"
check "the guest ends well" grep -q "guest: status 0" "$T/console"
check "so does the recorder" wait $recorder
cat "$T/record.log" "$T/counters.end"
"$SKY" info --json "$T/t.h5" >"$T/info.json"
"$SKY" classify --json "$T/t.h5" >"$T/classify.json"
"$SKY" dump --kinds entry,exit "$T/t.h5" >"$T/calls"
info() { jq -r "$1" "$T/info.json"; }
classified() { jq -r "$1" "$T/classify.json"; }
count() { grep -cE "$1" "$T/calls"; }

holds "nothing is lost" "$(info .lost_events) + $(info .missing_seqs) == 0"
never=$(count ' entry +(exit|exit_group|rt_sigreturn|2147483649|2147483767|2147483821|2147483900) ')
holds "all but the 20 that siglongjmp() leaves have their return" "$(info '.kinds.entry - .kinds.exit') - $never == 20"
holds "each return has its call" "$(classified .not_covered.unmatched_exits) == 0"
holds "the content of all that was written is known" "$(classified .not_covered.chunks_without_sum) == 0"
holds "the calls wrote what the programs did" "$(classified .paper.data_chunks_written) >= 200"
holds "what the calls wrote is found at the disk" \
	"$(classified .paper.data_chunks_found) >= 0.99 * $(classified .paper.data_chunks_written)"
holds "so is what they read" "$(classified '[.by_class[] | select(.what == "data") | .read_chunks] | add') >= 128"
holds "calls that signals interrupt come back by IRET" "$(count way=breakpoint) >= 100 && $(count way=iret) == 0"
holds "calls are made anew" "$(count way=restart) >= 10"
holds "int 0x80 of getpid, by a 64-bit program" "$(count ' exit +2147483668 .*ret=[0-9]') >= 20"
holds "getppid by a 32-bit program, also by SYSENTER" "$(count ' exit +2147483712 .*ret=[0-9]') >= 70"
check "a recorded process sees SCE set in EFER" grep -q "^efer: 200 times" "$T/console"

calls=$(more calls)
holds "monitored calls are all seen" "$calls >= 2000 && $calls < 2200"
holds "a call exits once when it is made" "$(more exit_syscall insights_joined) == $calls + $(more insights) + $(more exit_idle)"
holds "and once when it returns" "$(more returns) <= $calls && $(more returns) >= $calls - 10"
say "# $calls calls: of $(more kvm_exits) exits ($(more kvm_irq_injections) interrupts were injected) $(more exit_syscall) syscall, $(more exit_sysret) sysret, $(more exit_iret_call) iret of calls,"\
" $(more exit_iret_interrupt) of interrupts to user mode, $(more exit_iret_kernel) to the kernel, $(more exit_space) CR3;"\
" $(more insights) insight-calls"
remove_disk
check "the modules can be unloaded" rmmod kvm-intel kvm dm-sky sky
kernel_is_well
finish
