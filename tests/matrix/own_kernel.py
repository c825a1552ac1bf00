# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Builds the kernel "all": every type of BPF program, from Debian's source package and kernel.config beside this file.
It is kept in the cache of kernels.py, by the hash of what it is made from, and its own."""

import hashlib
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import kernels

SUITE, PACKAGE = "bookworm-security", "linux-source-6.12"
CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernel.config")


def unpack(package, folder):
    """The source tree of a .deb that holds it as an archive."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    kernels.run("dpkg", "-x", package, f"{folder}/deb")
    kernels.run("tar", "-xf", f"{folder}/deb/usr/src/{PACKAGE}.tar.xz", "-C", folder)
    shutil.rmtree(f"{folder}/deb")
    return f"{folder}/{PACKAGE}"


def make(tree, *words):
    """Says what fails; a line a minute shows that it goes on."""
    with open(f"{tree}/build.log", "ab") as log:
        build = subprocess.Popen(["make", "-s", *words], cwd=tree, stdout=log, stderr=log)
        began = time.monotonic()
        while True:
            try:
                status = build.wait(60)
                break
            except subprocess.TimeoutExpired:
                print(f"building, {time.monotonic() - began:.0f} s", flush=True)
    if status:
        with open(f"{tree}/build.log", errors="replace") as log:
            raise RuntimeError(f"make {' '.join(words)}:\n" + "".join(log.readlines()[-20:]))


def main():
    options = kernels.apt_options(SUITE)
    folder = f"{kernels.cache()}/{kernels.OWN}"
    os.makedirs(folder, exist_ok=True)
    kernels.run("apt-get", *options, "update", "-q")
    package = kernels.download(options, PACKAGE, folder)
    with open(CONFIG, "rb") as f:
        made_from = hashlib.sha256(kernels.sha256(package).encode() + f.read()).hexdigest()
    kept = kernels.own_kernel()
    if kept and made_from in kept[1]:
        print(f"there already: {kept[1]}")
        return 0
    tree = unpack(package, f"{folder}/source")
    make(tree, "tinyconfig")
    kernels.run("scripts/kconfig/merge_config.sh", "-m", ".config", CONFIG, cwd=tree)
    make(tree, "olddefconfig")
    make(tree, f"-j{os.cpu_count()}", "bzImage")
    image = f"{folder}/vmlinuz-{made_from}"
    shutil.copy(f"{tree}/arch/x86/boot/bzImage", image)
    with open(image + ".sha256", "w") as f:
        f.write(kernels.sha256(image))
    shutil.rmtree(f"{folder}/source")
    if kept:
        os.unlink(kept[1])
    print(f"built: {image}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as why:
        sys.exit(f"matrix-kernel: {why}")
