#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two archives, a trace and what was published of it, by h5py: nothing of Sky's own code.

Checksums must be equal where they were and nowhere else, and none may be left but the two that mean
something; no name of the trace's paths, and no word given, may be found; everything else must be as it was.

usage: anonymize_check.py ORIGINAL.h5 PUBLISHED.h5 [WORD...]
"""
import re
import sys

import h5py
import numpy as np

KEPT = (b"cp,mv,dd,cat,install,rsync,tar,bsdtar,cpio,pax,tee,"
        b"gpg,gpg1,gpg2,openssl,age,rage,ccrypt,mcrypt,scrypt").split(b",")
ZEROS = 0xCBF29CE484222325 * pow(0x100000001B3, 4096, 1 << 64) % (1 << 64)


def datasets(trace):
    found = {}
    trace.visititems(lambda name, d: found.update({name: d[:]}) if isinstance(d, h5py.Dataset) else None)
    return found


def is_sums(name):
    return re.search(r"/(sums?|written)$", name)


def is_text(name, columns):
    return name + "_count" in columns and columns[name].dtype == np.uint8


def is_count_of_text(name, columns):
    return name.endswith("_count") and is_text(name.removesuffix("_count"), columns)


def path_parts(columns):
    parts = set()
    for name in columns:
        if re.search(r"/(path2?|cwd|executable)$", name) or name == "exec/name":
            counts = columns[name + "_count"]
            data = columns[name].tobytes()
            for end, count in zip(np.cumsum(counts, dtype=np.int64), counts):
                parts.update(data[end - count:end].split(b"/"))
    return parts


def check_sums(before, after):
    before, after = (np.concatenate([c[n] for n in sorted(c) if is_sums(n)]) for c in (before, after))
    different = np.unique(before)
    assert len(before) == len(after) > 0
    assert len(different) == len(np.unique(after)), "other counts of equal content"
    pairs = np.unique(np.stack([before, after]), axis=1)
    assert pairs.shape[1] == len(different), "equal checksums don't stay equal"
    left = set(different.tolist()) & set(np.unique(after).tolist())
    assert left <= {0, ZEROS}, "checksums are left: %s" % left
    return len(before), len(different)


def check_names(before, after, shown, words):
    text = b"\n".join([after[name].tobytes() for name in after if is_text(name, after)] + shown)
    names = {part for part in path_parts(before) if len(part) > 2} - set(KEPT)
    assert len(names) > 20
    left = names & path_parts(after)
    # what is as long as this is in no hexadecimal number by chance
    left |= {part for part in names if len(part) > 9 and part in text}
    left |= {word.encode() for word in words if word.encode() in text}
    assert not left, "names are left: %s" % left
    return len(names)


def check_rest(before, after):
    assert before.keys() == after.keys()
    for name in before:
        if not is_sums(name) and not is_text(name, before) and not is_count_of_text(name, before):
            assert np.array_equal(before[name], after[name]), name + " changed"


original, published = (h5py.File(path) for path in sys.argv[1:3])
columns = datasets(original), datasets(published)
sums, different = check_sums(*columns)
attributes = [str(item).encode() for item in published.attrs.items()]
names = check_names(*columns, attributes, sys.argv[3:])
check_rest(*columns)
print("%d checksums, %d different ones; %d names" % (sums, different, names))
