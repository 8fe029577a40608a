#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The classes of hints against those that the disk's own content names (classed_io.c).

usage: classed_check.py HINTED.h5 IMAGE

Prints WRITTEN WRONG READ WRONG PLAIN WRONG: chunks that were written and read by
calls with classes, those of which the hint says anything else, chunks that plain
calls wrote, and those of which the hint has an application's class.
"""
import struct
import sys

import h5py

CHUNK = 4096
SECTOR = 512
PER_CHUNK = CHUNK // SECTOR
TAG = struct.Struct("<IIQ")  # classed_io.c
MAGIC = 0x41796B53
PLAIN = 255
READ_TOO = 7
CLASSES = 32
DATA, APPLICATION = 2, 9  # capture/event.h
OPS = {0: "read", 1: "write"}


def tags_of(image_path, sectors):
    tags = {}
    with open(image_path, "rb") as image:
        for sector in sectors:
            image.seek(sector * SECTOR)
            head = image.read(TAG.size)
            if len(head) == TAG.size:
                magic, io_class, _ = TAG.unpack(head)
                if magic == MAGIC:
                    tags[sector] = io_class
    return tags


def main(trace_path, image_path):
    with h5py.File(trace_path) as trace:
        block, hint = trace["block"], trace["hint"]
        hints = {(int(i), int(c)): (int(w), int(k), int(r)) for i, c, w, k, r in zip(
            hint["id"][:], hint["chunk"][:], hint["what"][:], hint["class"][:], hint["reason"][:])}
        last = {}  # (op, sector): the newest request's hint
        for op, identity, sector, count in zip(block["op"][:], block["id"][:], block["sector"][:],
                                               block["count"][:]):
            for chunk in range(int(count) // PER_CHUNK if op in OPS else 0):
                place = int(sector) + chunk * PER_CHUNK
                last[int(op), place] = hints.get((int(identity), chunk))
    tags = tags_of(image_path, {sector for _, sector in last})
    seen = {0: [0, 0], 1: [0, 0], PLAIN: [0, 0]}
    for (op, sector), found in last.items():
        io_class = tags.get(sector)
        if io_class is None:
            continue
        if io_class == PLAIN:
            wrong = found is not None and found[2] == APPLICATION
            counts = seen[PLAIN]
        else:
            given = io_class if op == 1 else (io_class + READ_TOO) % CLASSES
            wrong = found != (DATA, given, APPLICATION)
            counts = seen[op]
        counts[0] += 1
        counts[1] += wrong
    print(*seen[1], *seen[0], *seen[PLAIN])


if __name__ == "__main__":
    main(*sys.argv[1:])
