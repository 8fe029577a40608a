#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tracer_check.py FOLDER < TEXT

Is what a trace says of system calls true? Follows descriptors by nothing but
the trace (its text form), and compares, for every file of FOLDER/inodes
("INODE NAME" lines; the files lie in FOLDER), the latest checksum of every
chunk that calls wrote with the chunk's content at the end, and the checksums
of reads with the latest that was written. Prints what is wrong; exits 1.
"""
import collections
import os
import re
import sys

CHUNK = 4096
OPENS = {"open", "openat", "openat2", "creat"}
COPIES = {"copy_file_range", "sendfile", "splice"}


def fnv1a(data):
    state = 0xCBF29CE484222325
    for byte in data:
        state = ((state ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return state


def fields_of(line):
    return dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\[[^]]*\]|\S+)', line))


def sums_of(text):
    return [int(word, 16) for word in text.strip("[]").replace(",", " ").split()]


class Checker:
    def __init__(self):
        self.files = collections.defaultdict(dict)  # (pid, fd) -> inode, by pid
        self.calls = {}  # tid -> (call, fields, sums of the entry)
        self.chunks = collections.defaultdict(dict)  # inode -> index -> sum
        self.wrong, self.unmatched, self.reads = [], 0, 0

    def set_chunks(self, inode, offset, sums):
        for i, value in enumerate(sums):
            self.chunks[inode][offset // CHUNK + i] = value

    def check_read(self, inode, offset, sums, line):
        for i, value in enumerate(sums):
            written = self.chunks[inode].get(offset // CHUNK + i)
            self.reads += 1
            if written is not None and value and written != value:
                self.wrong.append("read of chunk %d of inode %d is not what was written: %s"
                                  % (offset // CHUNK + i, inode, line.strip()[:200]))

    def insight(self, fields):
        if "fd" in fields or "fstat" in fields:
            self.files[int(fields["pid"])][int(fields.get("fd", 0))] = int(fields["inode"])

    def entry(self, call, fields, line):
        tid = int(fields["tid"])
        if tid in self.calls:
            self.wrong.append("two entries of thread %d without an exit: %s" % (tid, line[:200]))
        self.calls[tid] = (call, fields)
        if call == "close":
            self.files[int(fields["pid"])].pop(int(fields.get("fd", 0)), None)

    def exit(self, call, fields, line):
        tid, pid = int(fields["tid"]), int(fields["pid"])
        entry = self.calls.pop(tid, None)
        if not entry or entry[0] != call:
            self.wrong.append("an exit without its entry: " + line[:200])
            return
        result, entry = int(fields.get("ret", 0)), entry[1]
        files = self.files[pid]
        if call in ("dup", "dup2", "dup3", "fcntl") and result > 0:
            if int(entry["fd"]) in files and call != "fcntl" or entry.get("cmd") in (None, "1030"):
                files[result] = files.get(int(entry.get("fd", 0)))
        fd = int(entry.get("out" if call in COPIES else "fd", 0))
        inode = files.get(fd)
        if inode and result > 0:
            if "written" in fields:
                self.set_chunks(inode, int(fields["written_at"]), sums_of(fields["written"]))
            elif "sums" in entry and "at" in entry:
                self.set_chunks(inode, int(entry["at"]), sums_of(entry["sums"]))
        if "sums" in fields and "at" in fields:
            source = files.get(int(entry.get("in", 0))) if call in COPIES else inode
            self.check_read(source, int(fields["at"]), sums_of(fields["sums"]), line)
        if call in ("ftruncate", "truncate"):
            self.chunks.pop(inode, None)
        if call == "io_submit" and "sums" in entry:
            self.submitted(entry, files)

    def submitted(self, entry, files):
        records, sums = sums_dec(entry["records"]), sums_of(entry["sums"])
        for at in range(0, len(records), 9):
            _, _, fd, _, _, offset, _, _, count = records[at:at + 9]
            self.set_chunks(files.get(fd), offset, sums[:count])
            sums = sums[count:]

    def feed(self, line):
        words = line.split()
        if len(words) < 5:
            return
        kind, call, fields = words[4], words[5] if len(words) > 5 else "", fields_of(line)
        if kind == "insight" and call == "fstat":
            self.files[int(fields["pid"])][int(fields.get("fd", 0))] = int(fields["inode"])
        elif kind == "descriptor":
            self.files[int(fields["pid"])][int(fields.get("fd", 0))] = int(fields["inode"])
        elif kind == "entry":
            self.entry(call, fields, line)
        elif kind == "exit":
            self.exit(call, fields, line)
        elif kind == "fork":
            child = int(fields["child_pid"])
            if child != int(fields["pid"]):
                self.files[child] = dict(self.files[int(fields["pid"])])

    def compare(self, folder):
        checked = 0
        for line in open(os.path.join(folder, "inodes")):
            inode, name = line.split()
            chunks = self.chunks.get(int(inode), {})
            content = open(os.path.join(folder, name), "rb").read()
            for index, value in sorted(chunks.items()):
                data = content[index * CHUNK:(index + 1) * CHUNK]
                checked += 1
                if not data and index * CHUNK >= len(content):
                    self.wrong.append("chunk %d lies beyond the end of %s" % (index, name))
                elif fnv1a(data.ljust(CHUNK, b"\0")) != value:
                    self.wrong.append("chunk %d of %s has another content" % (index, name))
        return checked


def sums_dec(text):
    return [int(word) for word in text.strip("[]").replace(",", " ").split()]


def main():
    checker = Checker()
    for line in sys.stdin:
        checker.feed(line)
    if checker.calls:
        checker.wrong.append("%d calls have no exit" % len(checker.calls))
    checked = checker.compare(sys.argv[1])
    for wrong in checker.wrong[:10]:
        print(wrong)
    print("%d chunks of files and %d of reads checked, %d wrong"
          % (checked, checker.reads, len(checker.wrong)))
    return 1 if checker.wrong or not checked else 0


sys.exit(main())
