#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether InnoDB's pages have the class that their own heads call for.

usage: innodb_check.py LIST CLUSTERED SECONDARY OTHER SYSTEM <DUMP

DUMP is `sky dump` of a trace with hints. LIST has what the database says of
itself: lines "index ID SPACE TYPE ..." (INNODB_SYS_INDEXES; bit 0 of the type:
clustered) and "file INODE PATH". The rest are the classes that the rules give:
to pages of indices, to other pages of a table's file, and to ibdata1, of which
the doublewrite buffer is written by index, but read as the rest.

A page's head, in the first of its four chunks, is in the trace as that chunk's
marker: type and index. All four chunks are judged by it. Prints a line for reads and
one for writes: OPERATION CHUNKS WRONG CLUSTERED SECONDARY UNSEEN UNCONSUMED, where
unseen are chunks of pages whose head was never on the disk, and unconsumed those
that the kernel read ahead and no call took: no program could have tagged them.
"""
import collections
import re
import sys

INNODB, INDEX_TYPES = 7, (17855, 17854, 18)
PAGE_CHUNKS = 4
CHUNKS, WRONG, CLUSTERED, SECONDARY, UNSEEN, UNCONSUMED = range(6)
FIELD = re.compile(r" ([a-z]+)=(\[[^]]*\]|\S+)")


class Database:
    """What must be the class of a page, by what the database says of itself."""

    def __init__(self, listing, clustered, secondary, other, system):
        self.system = system
        self.index_class, self.files = {}, {}
        for line in open(listing):
            word = line.split()
            if line.startswith("index"):
                mine = clustered if int(word[3]) & 1 else secondary
                self.index_class[int(word[1])] = mine if int(word[2]) else system
            elif line.startswith("file") and word[2].endswith(".ibd"):
                self.files[int(word[1])] = other
            elif line.startswith("file") and word[2] == "ibdata1":
                self.files[int(word[1])] = system

    def wanted(self, operation, inode, head):
        mine = self.files[inode]
        if mine == self.system and operation == "R":
            return mine
        if head & 0xff != INNODB or head >> 8 & 0xffff not in INDEX_TYPES:
            return mine
        return self.index_class.get(head >> 24, mine)


def events(lines):
    """(kind, what, fields) of requests, completions and hints."""
    for line in lines:
        word = line.split(None, 6)
        if len(word) > 5 and word[4] in ("block", "complete", "hint"):
            yield word[4], word[5], dict(FIELD.findall(line))


def collect(lines, files):
    operation, markers, hints = {}, {}, []
    for kind, what, field in events(lines):
        request = int(field["id"])
        if kind == "hint" and int(field.get("inode", 0)) in files:
            hints.append((request, int(field.get("chunk", 0)), int(field["inode"]),
                          int(field.get("index", 0)), int(field.get("class", 0)), what))
        elif kind == "block":
            operation[request] = what
        if "markers" in field:
            markers[request] = [int(word, 16) for word in field["markers"][1:-1].split(",")]
    return operation, markers, sorted(hints)  # by request: as the disk got them


def main(listing, *classes):
    classes = [int(word) for word in classes]
    database = Database(listing, *classes)
    operation, markers, hints = collect(sys.stdin, database.files)
    tally = collections.defaultdict(lambda: [0] * 6)
    heads, wrong = {}, []
    for request, chunk, inode, index, given, what in hints:
        page = (inode, index // PAGE_CHUNKS)
        if index % PAGE_CHUNKS == 0:
            known = markers.get(request, [])
            heads[page] = known[chunk] if chunk < len(known) else 0
        line = tally[operation[request]]
        if what == "unconsumed":
            line[UNCONSUMED] += 1
            continue
        if page not in heads:
            line[UNSEEN] += 1
            continue
        wanted = database.wanted(operation[request], inode, heads[page])
        line[CHUNKS] += 1
        line[WRONG] += given != wanted
        line[CLUSTERED] += wanted == classes[0]
        line[SECONDARY] += wanted == classes[1]
        if given != wanted:
            wrong.append((request, chunk, inode, index, heads[page], wanted, given))
    for name in "RW":
        print(name, *tally[name])
    for example in wrong[:10]:
        print("request %d chunk %d: file %d chunk %d: head %x wants %d, has %d" % example,
              file=sys.stderr)


main(*sys.argv[1:])
