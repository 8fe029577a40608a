#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 400 s
#
# What recording costs in exits of the virtual CPU, and that nothing is lost at full speed:
# a process that nobody monitors runs undisturbed beside a monitored one on the same virtual
# CPU, a monitored call exits twice. With the smallest ring events are lost, and counted.
. /mnt/share/tests/lib.sh
keep console '*.log' 'counters.*'

# In the guest: each phase is told on the console, a moment before and after.
cat >"$T/work" <<'END'
phase() {
	echo "phase $1 begins"; sleep 3
	shift
	"$@" || exit 1
	echo "phase ends"; sleep 3
}
until skyrun true 2>/dev/null; do sleep 0.1; done
skyrun sleep 1000 &
sleep 2
phase beside getpids 100000
kill -KILL $!
wait
phase calls skyrun getpids 10000
until ! skyrun true 2>/dev/null; do sleep 0.1; done
until skyrun true 2>/dev/null; do sleep 0.1; done
skyrun getpids 20000
END

record() { # NAME OPTION...
	local name=$1
	shift
	env --default-signal=INT "$SKY" record --kvm sky --disk vm1 "$@" -o "$T/$name.h5" 2>"$T/$name.log" &
	recorder=$!
}
info() { "$SKY" info --json "$T/$1.h5" | jq -r "$2"; }

load_modules sky dm-sky kvm kvm-amd || exit 1
make_disk 16M
GUEST_VCPUS=1
guest "$T/work"
recordable || exit 1
record whole
snapshot begin "beside begins"
snapshot end "ends"
holds "the sleeper makes no call" "$(more calls) == 0"
holds "beside it 100000 calls of another process make no exit for Sky" "$(more exit_syscall exit_sysret) == 0"
holds "and few at all" "$(more kvm_exits) < 5000"
snapshot begin "calls begins"
until [ "$(grep -c "^phase ends" "$T/console")" -ge 2 ]; do sleep 0.1; done
snapshot end "ends"
calls=$(more calls)
holds "monitored calls are all seen" "$calls >= 10000 && $calls < 10200"
holds "a call exits once when it is made" \
	"$(more exit_syscall insights_joined) == $calls + $(more insights) + $(more exit_idle)"
holds "most insight-calls exit only when they return" "2 * $(more insights_joined) > $(more insights)"
holds "a call exits once when it returns" "$(more returns) <= $calls && $(more returns) >= $calls - 10"
holds "which is two for each, and one for an insight-call" \
	"$(more exit_syscall exit_sysret exit_iret_call exit_breakpoint_call) <= 2 * ($calls + $(more exit_idle)) + $(more insights)"
# An interrupt that is injected came with an exit of its own.
holds "KVM's own counter knows of few others" "$(more kvm_exits) - $(more kvm_irq_injections) < 2.3 * $calls"
say "# of $(more kvm_exits) exits ($(more kvm_irq_injections) interrupts were injected): $(more exit_syscall) syscall, $(more exit_sysret) sysret, $(more exit_iret_call) iret of calls,"\
" $(more exit_iret_interrupt) of interrupts to user mode, $(more exit_iret_kernel) to the kernel, $(more exit_space) CR3;"\
" $(more insights) insight-calls"
kill -INT $recorder
check "the recorder ends" wait $recorder
holds "at full speed nothing is lost" "$(info whole .lost_events) + $(info whole .missing_seqs) == 0"
holds "and all calls are there" "$(info whole .kinds.entry) >= 10000"
record small --ring 4096
wait $guest
check "the guest ends well" grep -q "guest: status 0" "$T/console"
check "the recorder with a ring of 4 KiB does" wait $recorder
lost=$(info small .lost_events)
holds "a ring of 4 KiB loses events" "$lost > 0"
holds "as many as numbers are missing" "$lost == $(info small .missing_seqs)"
holds "and the others are there" "$(info small .kinds.entry) > 100"
remove_disk
kernel_is_well
finish
