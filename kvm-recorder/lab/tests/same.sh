#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 1200 s
#
# A guest can't tell: programs that look closely at what the processor and the kernel show
# them print the same with and without the recorder, with each way to see calls end, and
# under page table isolation. What they can tell is what docs/kvm-recorder.md says.
. /mnt/share/tests/lib.sh

PROGRAMS="same_calls same_signals same_processes same_threads same_steps"

# In the guest. What the programs print unrecorded stays on the disk for the next one.
cat >"$T/work.guest" <<'END'
run() { timeout 200 "$@"; echo "status $?"; }
mapped() {
	local sum=0 from to rest
	while IFS='- ' read -r from to rest; do sum=$((sum + 0x$to - 0x$from)); done
	echo $sum
}
echo 0 >/proc/sys/kernel/randomize_va_space
mount -t ext4 /dev/vda /mnt || exit 1
if mkdir /mnt/plain 2>/dev/null; then
	cat /proc/self/maps >/mnt/plain/maps
	for program in $programs; do
		run $program >/mnt/plain/$program 2>&1
	done
fi
cp /mnt/plain/* /tmp/
skyrun cat /proc/self/maps >/tmp/recorded
echo "maps: $(($(mapped </tmp/recorded) - $(mapped </tmp/maps))) bytes more"
grep -nvxFf /tmp/maps /tmp/recorded
for program in $programs; do
	begun=$(date +%s) equal=equal
	run skyrun $program >/tmp/recorded 2>&1
	cmp -s /tmp/$program /tmp/recorded || equal=different
	echo "$program: $(wc -l </tmp/recorded) lines, $(tail -n 1 /tmp/$program)," \
		"$(tail -n 1 /tmp/recorded), $equal, after $(($(date +%s) - begun)) s"
	[ $program != same_calls ] || echo "efer: $(grep -c 'SCE 1$' /tmp/recorded) times"
	[ $equal = equal ] || grep -nvxFf /tmp/$program /tmp/recorded | head -n 10
	[ $equal = equal ] || grep -nvxFf /tmp/recorded /tmp/$program | head -n 10
done
umount /mnt
END
{ echo "programs='$PROGRAMS'"; cat "$T/work.guest"; } >"$T/work"

load_modules sky dm-sky kvm kvm-amd || exit 1
make_disk 16M
for way in iret,nopti breakpoint,pti=on; do
	echo "${way%,*}" >/sys/module/kvm/parameters/sky_exits
	GUEST_WORDS=${way#*,} GUEST_SECONDS=550
	check "$way: the programs run" recorded t "$T/work"
	tr -d '\r' <"$T/console" >"$SHARE/results/same.$way"
	check "$way: a recorded process sees SCE set in EFER" grep -q "^efer: 200 times" "$T/console"
	check "$way: it has 8 KiB more in its memory" grep -q "^maps: 8192 bytes more" "$T/console"
	for program in $PROGRAMS; do
		line=$(tr -d '\r' <"$T/console" | grep "^$program: ")
		if [[ $line == *", status 0, status 0, equal"* ]]; then ok "$way: $line"
		else not_ok "$way: $program" "$line"; fi
	done
done
remove_disk
kernel_is_well
finish
