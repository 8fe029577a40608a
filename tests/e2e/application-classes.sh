#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Classes that a program gives with iwrite(), iread() and their kin arrive untouched, for
# every chunk: on a raw disk and in a file. Built against the library as it is installed.
. tests/e2e/lib.sh

ROOT=$T/root
check "the library is installed" make -s BUILD="$BUILD" DESTDIR="$ROOT" PREFIX=/usr install-guest
export PKG_CONFIG_SYSROOT_DIR=$ROOT PKG_CONFIG_PATH=$ROOT/usr/lib/pkgconfig
# the system root is a folder here, so the folders below it are none of the system's own
FLAGS=$(PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 pkg-config --cflags --libs skyguest)
HERE=$(dirname "$(realpath "$0")")
for kind in "" -static; do
	check "a program links with pkg-config $kind" \
		gcc $kind -O1 -Wall -Wextra -Werror -D_GNU_SOURCE -o "$T/classed_io$kind" "$HERE/programs/classed_io.c" $FLAGS
done
check "the library needs nothing but libc" bash -c \
	"! readelf -d '$ROOT/usr/lib/libskyguest.so.0' | grep NEEDED | grep -v 'libc\.so'"
check "it is called libskyguest.so.0" bash -c \
	"readelf -d '$ROOT/usr/lib/libskyguest.so.0' | grep -q 'SONAME.*\[libskyguest.so.0\]'"
for page in iread iwrite ipread ipwrite ireadv iwritev; do
	check "$page(3) is installed" grep -q . "$ROOT/usr/share/man/man3/$page.3"
done
check "mandoc takes iread(3)" mandoc -Tlint -W warning "$ROOT/usr/share/man/man3/iread.3"

"$SKY" record --fs none --mount-options ro -o "$T/x.h5" -- true 2>"$T/refused.log"
holds "--fs none refuses what only file systems have: exit status" "$? == 2"
check "... and says so" grep -q "for file systems" "$T/refused.log"

needs_recording
export LD_LIBRARY_PATH=$ROOT/usr/lib
PIECES=1200 # 4800 chunks

# judge NAME: every chunk that was written and read by a call with a class has that class
judge() {
	local written wrong_written read wrong_read plain wrong_plain

	if ! "$SKY" classify "$T/$1.h5" -o "$T/$1.hints.h5" --json >"$T/$1.json"; then
		not_ok "$1 is classified" "exit status $?"
		return
	fi
	read -r written wrong_written read wrong_read plain wrong_plain < <(
		"$HERE/programs/classed_check.py" "$T/$1.hints.h5" "$T/$1.img")
	holds "$1: chunks written with a class" "${written:-0} > 4000"
	holds "$1: of another class" "${wrong_written:-1} == 0"
	holds "$1: chunks read with a class" "${read:-0} > 4000"
	holds "$1: of another class" "${wrong_read:-1} == 0"
	holds "$1: plain chunks" "${plain:-0} > 50"
	holds "$1: with an application's class" "${wrong_plain:-1} == 0"
	holds "$1: counted" "$(jq .pipeline.chunks_classed "$T/$1.json") >= $((written + read))"
	holds "$1: no class was out of range" "$(jq .pipeline.class_out_of_range "$T/$1.json") == 0"
}

# record NAME FS PATH
record() {
	if "$SKY" record --host --fs "$2" --size 512M --keep "$T/$1.img" -o "$T/$1.h5" \
		--then "exec $T/classed_io read $3 $PIECES" -- \
		sh -c "exec $T/classed_io write $3 $PIECES" 2>"$T/$1.log"; then
		judge "$1"
	else
		not_ok "$1 is recorded" "$(tail -n 2 "$T/$1.log")"
	fi
}

record raw none '"$SKY_DISK"'
check "without truth nothing is judged" jq -e '.truth == false and .write_error_percent == null' "$T/raw.json"
check "why there is no truth is told" bash -c "'$SKY' classify '$T/raw.h5' | grep -q 'no ground truth: a raw disk'"
record ext4 ext4 file
holds "ext4: a class is no mistake, write error" "$(jq .write_error_percent "$T/ext4.json") == 0"
check "an image with a file system is no raw disk" bash -c \
	"! '$SKY' record --fs none --disk '$T/ext4.img' -o '$T/x.h5' -- true"
rm -f "$T"/*.img
