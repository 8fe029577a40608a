#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 7200 s
# boot: --memory 3072
#
# The paper's table 5 with guests: a mail server on each file system that a guest's kernel has here, recorded
# by calls and disk; the guest's own kernel says by BPF whose data each request is. The table
# is left in results/filesystems.d/filesystems.txt. Not among the tests of `make lab-check`, since it boots eight guests.
# Where $SHARE/filesystems.only is, it names those that are wanted.
. /mnt/share/tests/lib.sh

OPERATIONS=1000
WORKLOAD="varmail --operations $OPERATIONS --threads 8 --files 100"

# A file system, what the paper found on it (it didn't measure ext2), and what makes it
FILESYSTEMS="ext2     -   mkfs.ext2 -q -b 4096
ext3     0   mkfs.ext3 -q -b 4096
ext4     0   mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0
xfs      0   mkfs.xfs -q
jfs      0   mkfs.jfs -q
nilfs2   0   mkfs.nilfs2 -q
reiserfs 0   mkfs.reiserfs -q -ff
btrfs    3.9 mkfs.btrfs -q"

# work FILESYSTEM: what a guest does; all that is written is recorded, and then what is left is read from the disk.
work() {
	cat <<END
cat >/tmp/work <<'WORK'
mount -i -t $1 /dev/vda /mnt && cd /mnt || exit 1
until skyrun true 2>/dev/null; do sleep 0.1; done
skyrun sky workload $WORKLOAD || exit 1
cd /
umount /mnt && mount -i -t $1 /dev/vda /mnt || exit 1
skyrun find /mnt -type f -exec cat {} + >/dev/null || exit 1
umount /mnt
WORK
END
	with_truth "bash /tmp/work"
}

# judge FILESYSTEM PAPER
judge() {
	local trace=$T/$1 all lost apart chunks truths written write_errors read read_errors left found
	# the last two: data that calls left for the disk, and that met it there
	if ! all=$(figures "$trace" "$trace.h5" "$trace.joined.h5" ".paper.data_chunks_written, .paper.data_chunks_found"); then
		not_ok "$1 is classified" "see $1.joined and $1.classified"
		return
	fi
	read -r lost apart chunks truths written write_errors read read_errors left found <<<"$all"
	holds "$1: nothing is lost" "$lost == 0"
	holds "$1: requests have their truth" "$chunks > 0 && $truths >= 0.99 * $chunks"
	holds "$1: each return has its call, each call its return" "$apart == 0"
	holds "$1: $write_errors of $written written chunks are misclassified" "100 * $write_errors < $written"
	holds "$1: $read_errors of $read read chunks are misclassified" "$read >= 200 && 100 * $read_errors < $read"
	awk -v fs="$1" -v paper="$2" -v written="$written" -v errors="$write_errors" -v read="$read" \
		-v read_errors="$read_errors" -v left="$left" -v found="$found" 'BEGIN {
		printf "%-9s %8.4f %6s %8d %7d %8d %7d %12d %12d\n", fs, 100 * errors / written, paper,
			written, errors, read, read_errors, left, found
	}' >>"$T/filesystems.txt"
	jq -r --arg fs "$1" '.error_examples // [] | first // empty |
		"\($fs): \(.op) of sector \(.sector) was \(.truth) (\(.truth_source), inode \(.truth_inode)), taken for \(.hint) (\(.hint_reason))"' \
		"$trace.classified" >>"$T/examples"
}

keep '*.h5' '*.joined' '*.classified' '*.console' filesystems.txt
# PCI, because the ordinary kernel isn't told of a microvm's devices
export GUEST_KERNEL=$SHARE/filesystems GUEST_MACHINE=q35 GUEST_VCPUS=1 GUEST_SECONDS=900
load_modules sky dm-sky kvm kvm-amd || exit 1
{
	echo "Misclassified writes of $OPERATIONS operations of varmail in a guest"
	echo
	printf '%-9s %8s %6s %8s %7s %8s %7s %12s %12s\n' fs percent paper written wrong read wrong "data, calls" "data, found"
} >"$T/filesystems.txt"
: >"$T/examples"
only=$(cat "$SHARE/filesystems.only" 2>/dev/null)
while read -r fs paper mkfs; do
	[[ -z $only || " $only " == *" $fs "* ]] || continue
	check "$fs: a disk is made" make_disk 320M $mkfs
	make_out 32M
	work "$fs" >"$T/work.sh"
	check "$fs: a guest is recorded" recorded "$fs" "$T/work.sh" </dev/null
	cp "$T/console" "$T/$fs.console"
	remove_disk
	check "$fs: the guest knows the truth" truth_of_guest
	judge "$fs" "$paper"
	rm -f "$T/truth.pcap"
done <<<"$FILESYSTEMS"
[ ! -s "$T/examples" ] || { echo; cat "$T/examples"; } >>"$T/filesystems.txt"
cat "$T/filesystems.txt"
kernel_is_well
finish
