#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 7200 s
# boot: --count --memory 4096
#
# What recording costs: the workloads of the paper's table 4, in small, in a guest of an emulated host whose
# instructions are counted, the guest's, KVM's and QEMU's alike. One guest a state, all the same but for that:
#
#	absent	on the kernel's own KVM, and its disk without Sky's target
#	off	with both, and nobody is recorded
#	disk	its disk is recorded
#	other	and a process of it that sleeps
#	silent	and the workload, without insight-calls
#	on	and with them
#
# What programs do that ask the clock, or for random numbers, isn't quite the same twice; and the states absent
# and off are to be compared to a thousandth. So these two have three guests each, in turns, and the least counts.
#
# Of TPC-H's no two runs are alike, whose server has threads that go by the clock: small differences aren't judged.
#
# While a workload runs nothing else does in the host: all files are in memory, this script waits
# for the guest's next line, and the recorder, which would have a processor of its own, is stopped.
. /mnt/share/tests/lib.sh

STATES="absent off disk other silent on"
GUESTS="absent off absent off absent off disk other silent on"
WORKLOADS="random-reads random-writes sequential-reads sequential-writes repeated-reads repeated-writes gpg find cp varmail tpch"
CPUIDS=20000
GETPIDS=100000

cat >"$T/work" <<'END'
options() {
	case $1 in
	find) echo "--files 1000" ;;
	cp | gpg) echo "--size 16M" ;;
	varmail) echo "--operations 2000 --threads 1 --files 100" ;;
	repeated-*) echo "--operations 16384 --file-size 1M" ;;
	*) echo "--operations 4096 --file-size 16M" ;;
	esac
}
# TPC-H has the server that workloads/tpch/tpch has filled, and no client: it reads its query, and writes the answer
prepare() {
	case $1 in
	tpch) ;;
	*) sky workload $1 --phase prepare $(options $1) >/dev/null ;;
	esac
}
command_of() {
	case $1 in
	tpch)
		echo mariadbd --no-defaults --bootstrap --user=root --datadir=/mnt/tpch/db --tmpdir=/tmp --innodb-read-only=1 \
			--innodb-use-native-aio=0 --innodb-flush-method=O_DIRECT --innodb-buffer-pool-size=8M --innodb-log-file-size=32M \
			--skip-innodb-buffer-pool-load-at-startup --aria-pagecache-buffer-size=1M --key-buffer-size=1M
		;;
	*) echo sky workload $1 --phase run $(options $1) ;;
	esac
}
phase() {
	local name=$1
	shift
	echo "phase $name begins"
	sleep 3
	$prefix instructions "$@" >/tmp/out 2>&1 || { cat /tmp/out; exit 1; }
	tail -n 1 /tmp/out
	echo "phase $name ends"
	sleep 3
}
echo 0 >/proc/sys/kernel/randomize_va_space
# A page's first use costs its host more than anything here: all have been used when it begins
free_kib=$(sed -n 's/^MemFree: *\([0-9]*\) kB/\1/p' /proc/meminfo)
head -c $((free_kib - 24576))k /dev/zero | tail -n 1 | head -c 1 >/tmp/out
# Only a workload's own fsync() writes: what the clock has written falls into one state's count, and not into another's
echo 360000 >/proc/sys/vm/dirty_writeback_centisecs
fresh() { mount -t ext4 -o commit=100000 /dev/vda /mnt; }
fresh || exit 1
for workload in $WORKLOADS; do
	mkdir -p /mnt/$workload && cd /mnt/$workload && prepare $workload || exit 1
done
cd /
# What programs need to begin stays in memory
for program in gpg cp find mariadbd; do $program --version >/dev/null; done
cat /usr/local/bin/mariadbd >/dev/null
instructions getpids 1 >/dev/null
prefix=
case $STATE in
other) { until skyrun sleep 1000000 2>/dev/null; do sleep 0.1; done; } & ;;
silent | on)
	until skyrun true 2>/dev/null; do sleep 0.1; done
	prefix=skyrun
	;;
esac
sleep 10
phase exit -$CPUIDS
phase getpid getpids $GETPIDS
for workload in $WORKLOADS; do
	# Its data doesn't
	umount /mnt && fresh && cd /mnt/$workload || exit 1
	if [ -f query ]; then exec <query; fi
	phase $workload $(command_of $workload)
	cd / && exec </dev/null
done
cmp /tmp/answer /mnt/tpch/answer || exit 1
kill %1 2>/dev/null
umount /mnt
END

modules() {
	rmmod kvm-amd kvm dm-sky sky 2>/dev/null
	load_modules sky dm-sky || return 1
	if [ "$1" = absent ]; then modprobe -d "$SHARE" kvm-amd; else load_modules kvm kvm-amd; fi
}

# record STATE: what is recorded in it, if anything; in $recorder
record() {
	local machine=sky
	case $1 in
	absent | off) return ;;
	disk) machine=none ;;
	silent) echo N >/sys/module/kvm/parameters/sky_insights ;;
	esac
	[ "$machine" = none ] || recordable || return 1
	env --default-signal=INT "$SKY" record --kvm $machine --disk vm1 --ring 128M -o "$T/$1.h5" 2>"$T/record.log" &
	recorder=$!
}

# counters of Sky's and KVM's
counters() {
	cat /sys/kernel/debug/sky/vm-* 2>/dev/null
	cat /sys/kernel/debug/kvm/*-*/exits | sed 's/^/exits /;q'
}

# follow STATE: what the guest says, to its end
follow() {
	local line
	while read -r line; do
		line=${line%$'\r'}
		echo "$line" >>"$T/$1.console"
		case $line in
		"phase "*" begins")
			set -- "$1" ${line#phase }
			counters >"$T/$1.$2.begins"
			[ -z "$recorder" ] || kill -STOP $recorder
			;;
		"phase "*" ends")
			set -- "$1" ${line#phase }
			counters >"$T/$1.$2.ends"
			[ -z "$recorder" ] || kill -CONT $recorder
			;;
		"instructions "*) echo "${line#instructions }" >>"$T/$1.$2.instructions" ;;
		esac
	done
}

# measured STATE: its guest, from boot to end
measured() {
	recorder=''
	modules "$1" || return 1
	make_disk 384M || return 1
	mount --mkdir /dev/mapper/sky0 "$T/disk" && cp -a "$SHARE/tpch" "$T/disk/" && umount "$T/disk" || return 1
	if [ "$1" = absent ]; then
		dm remove sky0 && echo "0 $(blockdev --getsz "$loop") linear $loop 0" | dm create sky0 || return 1
	fi
	{ printf 'WORKLOADS="%s" STATE=%s CPUIDS=%d GETPIDS=%d\n' "$WORKLOADS" "$1" "$CPUIDS" "$GETPIDS"; cat "$T/work"; } >"$T/script"
	rm -f "$T/console"
	mkfifo "$T/console"
	guest "$T/script"
	exec 8<"$T/console"
	record "$1" || return 1
	follow "$1" <&8
	exec 8<&-
	wait $guest
	if [ -n "$recorder" ]; then
		kill -INT $recorder 2>/dev/null
		wait $recorder || { cat "$T/record.log"; return 1; }
		[ "$("$SKY" info --json "$T/$1.h5" | jq '.lost_events + .missing_seqs')" = 0 ] || return 1
		rm "$T/$1.h5"
	fi
	remove_disk
	cp "$T/$1".* "$SHARE/results/overhead.d/"
	grep -q "guest: status 0" "$T/$1.console"
}

# more STATE WORKLOAD COUNTER...: by how much they grew in sum
more() {
	local phase=$T/$1.$2
	shift 2
	grown "$phase.begins" "$phase.ends" "$@"
}
instructions() { sort -n "$T/$1.$2.instructions" | head -n 1; }

# variables: awk's, of $workload: the instructions of each state, exits, what one costs, and interception without them
variables() {
	local state exit_cost exits_before exits_silent
	for state in $STATES; do
		printf -- '-v %s=%d ' "$state" "$(instructions "$state" "$workload")"
	done
	exit_cost=$(($(instructions absent exit) / CPUIDS))
	exits_before=$(more disk "$workload" exits)
	exits_silent=$(more silent "$workload" exits)
	printf -- '-v calls=%d -v exits_before=%d -v exits_silent=%d -v exits=%d ' "$(more on "$workload" calls)" \
		"$exits_before" "$exits_silent" "$(more on "$workload" exits)"
	printf -- '-v exit_cost=%d -v intercepted=%d -v name=%s' "$exit_cost" \
		$(($(instructions silent "$workload") - $(instructions disk "$workload") - exit_cost * (exits_silent - exits_before))) "$workload"
}

# What it costs: in all, and of that exits, their interception, insight-calls and the disk
table_of_costs() {
	local workload
	echo "| Workload | Instructions | Loaded, but off | Another process recorded | Recorded | Exits | Interception | Insight-calls | Disk | A call |"
	echo "| --- |$(printf ' ---: |%.0s' $(seq 9))"
	for workload in getpid $WORKLOADS; do
		awk $(variables) 'BEGIN {
			percent = 100 / off
			bare = exit_cost * (exits - exits_before)
			insights = on - silent - exit_cost * (exits - exits_silent)
			printf "| %s | %.1f M | %+.3f%% | %+.2f%% | %+.1f%% | %.1f%% | %.1f%% | %.1f%% | %.1f%% | %.0f |\n", name, off / 1e6,
				100 * (off / absent - 1), (other - disk) * percent, (on - off) * percent, bare * percent,
				intercepted * percent, insights * percent, (disk - off) * percent, calls ? (on - disk) / calls : 0
		}'
	done
}

table_of_exits() {
	local workload
	echo "| Workload | Calls | Insight-calls a call | Exits a call, not recorded | Recorded | SYSCALL | SYSRET | IRET of calls | Other IRET | CR3 | Without insight-calls |"
	echo "| --- |$(printf ' ---: |%.0s' $(seq 10))"
	for workload in getpid $WORKLOADS; do
		awk $(variables) -v insights="$(more on $workload insights)" \
			-v syscall="$(more on $workload exit_syscall)" -v sysret="$(more on $workload exit_sysret)" \
			-v iret="$(more on $workload exit_iret_call)" -v interrupts="$(more on $workload exit_iret_interrupt exit_iret_kernel exit_iret_native)" \
			-v space="$(more on $workload exit_space)" 'BEGIN {
			if (!calls) calls = 1
			printf "| %s | %d | %.3f | %.2f | %.2f | %.3f | %.3f | %.3f | %.2f | %.2f | %.2f |\n", name, calls, insights / calls,
				exits_before / calls, exits / calls, syscall / calls, sysret / calls, iret / calls, interrupts / calls, space / calls,
				exits_silent / calls
		}'
	done
}

# By workload what a call takes: exits, instructions of its interception without them, and of insight-calls with theirs
per_call() {
	local workload
	for workload in getpid $WORKLOADS; do
		awk $(variables) 'BEGIN {
			if (!calls) calls = 1
			printf "%s %.2f %.0f %.0f\n", name, (exits - exits_before) / calls,
				intercepted / calls, (on - silent) / calls
		}'
	done
}

# The same, with that of Sky's first version in front
versions() {
	awk 'NR == FNR { first[$1] = $2 " " $3 " " $4; next } $1 in first { print $1, first[$1], $2, $3, $4 }' \
		"$SHARE/tests/overhead.first" "$T/per-call"
}

table_of_versions() {
	echo "| Workload | Exits a call, at first | Now | Interception, at first | Now | Insight-calls, at first | Now |"
	echo "| --- |$(printf ' ---: |%.0s' $(seq 6))"
	awk '{ printf "| %s | %.2f | %.2f | %d | %d | %d | %d |\n", $1, $2, $5, $3, $6, $4, $7 }' "$T/versions"
}

rm -rf "$SHARE/results/overhead.d"
mkdir -p "$SHARE/results/overhead.d"
# Waiting for another machine's files is time in which things happen
cp "$SHARE/root.img" "$T/root.img"
mount --bind "$T/root.img" "$SHARE/root.img"
export GUEST_VCPUS=1 GUEST_SECONDS=1000000
for state in $GUESTS; do
	check "the guest's programs run, $state" measured $state
done
for workload in getpid $WORKLOADS; do
	[ $workload = tpch ] ||
		holds "$workload: Sky loaded, but off" "$(instructions off $workload) < 1.001 * $(instructions absent $workload)"
done
per_call >"$T/per-call"
cp "$T/per-call" "$SHARE/results/overhead.d/"
versions >"$T/versions"
while read -r workload _ interception_first insights_first _ interception insights; do
	[ $workload != tpch ] || continue
	holds "$workload: a call's interception takes less than at first" "$interception < $interception_first"
	holds "$workload: ... and its insight-calls, too" "$insights < $insights_first"
done <"$T/versions"
{
	echo
	table_of_costs
	echo
	table_of_exits
	echo
	table_of_versions
	echo
} >"$SHARE/results/overhead.md"
cat "$SHARE/results/overhead.md"
kernel_is_well
finish
