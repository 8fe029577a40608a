#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The second truth: what a disk holds after a workload whose contents are tagged.

usage: tags_check.py HINTED.h5 IMAGE

For every sector that was written, the last hint is compared with the content
of the image: data begins with the tag of a chunk's first place, and the file
system's own blocks don't. (Btrfs keeps small files inside its own blocks: a tag
may be at the beginning of such a block, but it is one of another place.)
Prints data METADATA WRONG: chunks that are tagged, that aren't, and those of
which the hint says the opposite.
"""
import struct
import sys

import h5py

CHUNK = 4096
SECTOR = 512
PER_CHUNK = CHUNK // SECTOR
MAGIC = 0x54796B53
TAG = struct.Struct("<IIIIIIQ")  # workloads/content.h
METADATA, DATA = 1, 2
WRITE = 1


def mix(word):
    word ^= word >> 32
    word = word * 0x9E3779B97F4A7C15 % 2**64
    return word ^ word >> 29


def begins_data(chunk):
    magic, file, index, seed, worker, version, seal = TAG.unpack(chunk[:TAG.size])
    expected = mix(file << 32 | index)
    expected = mix(expected ^ (seed << 32 | worker))
    return magic == MAGIC and seal == mix(mix(expected ^ version))


def main(trace_path, image_path):
    with h5py.File(trace_path) as trace:
        block, hint = trace["block"], trace["hint"]
        writes = {i: s for o, i, s in zip(block["op"][:], block["id"][:], block["sector"][:])
                  if o == WRITE}
        last = {}
        for identity, chunk, what in zip(hint["id"][:], hint["chunk"][:], hint["what"][:]):
            if identity in writes:
                last[int(writes[identity]) + int(chunk) * PER_CHUNK] = int(what)
    tagged = untagged = wrong = 0
    with open(image_path, "rb") as image:
        for sector, what in last.items():
            image.seek(sector * SECTOR)
            is_data = begins_data(image.read(TAG.size))
            tagged += is_data
            untagged += not is_data
            wrong += what != (DATA if is_data else METADATA)
    print(tagged, untagged, wrong)


main(*sys.argv[1:])
