#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""modules.py TREE TARGET NAME…: unpacks kernel modules and what they depend on, numbered in the order to load them.

A module that TREE does not have is taken to be built in."""
import gzip
import lzma
import pathlib
import re
import subprocess
import sys


def unpack(path):
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout
    return data


def main(tree, target, *names):
    found = {}
    for path in pathlib.Path(tree).rglob("*.ko*"):
        found.setdefault(path.name.split(".")[0].replace("-", "_"), path)
    loaded = []

    def load(name):
        if name in loaded or name not in found:
            return
        data = unpack(found[name])
        depends = re.search(rb"(?:^|\0)depends=([^\0]*)\0", data)
        for other in depends.group(1).decode().split(",") if depends else ():
            load(other.replace("-", "_"))
        (pathlib.Path(target) / f"{len(loaded):02}-{name}.ko").write_bytes(data)
        loaded.append(name)

    for name in names:
        load(name)


main(*sys.argv[1:])
