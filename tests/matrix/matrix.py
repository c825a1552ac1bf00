# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Boots other kernels under qemu and runs tests there: matrix.py [--kernel NAME]... [--loads|--tests] [--cpus N] [WORD...]
Without a kernel all of them. Words choose end-to-end tests, as scripts/e2e.sh does; without, docs/KERNELS.md is renewed.
"""

import argparse
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import image
import kernels
import report

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What is run on every kernel: the main job and the TCP tools, but for loads that take minutes under emulation.
WORDS = ("http_calls.", "raw_turns.", "raw_owner.", "conns/", "top/", "latency/", "count/test.", "packets/test.", "hello/")
# No progress for so long ends a guest.
SILENCE = 400


def base_image(folder):
    """What all guests have: programs, Python, the tests and what is built. An archive's path."""
    made = image.Image(f"{folder}/root")
    made.programs()
    made.python()
    for path in image.FILES:
        made.file(path)
    for tree in ("tests", "src", "scripts"):
        shutil.copytree(f"{ROOT}/{tree}", f"{folder}/root/tapline/{tree}",
                        ignore=shutil.ignore_patterns("__pycache__", "corpus"))
    made.program(f"{ROOT}/build/tapline", "/tapline/build/tapline")
    for name in os.listdir(f"{ROOT}/build/programs"):
        made.program(f"{ROOT}/build/programs/{name}", f"/tapline/build/programs/{name}")
    shutil.copy(f"{ROOT}/tests/matrix/init.sh", f"{folder}/root/init")
    os.chmod(f"{folder}/root/init", 0o755)
    made.pack(f"{folder}/base.cpio")
    return f"{folder}/base.cpio"


def own_image(folder, kernel, words):
    """What one guest has besides: its modules, and the words of its tests."""
    made = image.Image(f"{folder}/own")
    made.modules(kernel)
    with open(f"{folder}/own/words", "w") as f:
        f.write(" ".join(words))
    made.pack(f"{folder}/own.cpio")
    return f"{folder}/own.cpio"


def boot(kernel, archives, folder, cpus, show):
    """The guest's lines; each is shown when it comes. A guest that is silent for long is ended."""
    with open(f"{folder}/initrd", "wb") as out:
        for path in archives:
            with open(path, "rb") as f:
                shutil.copyfileobj(f, out)
    qemu = subprocess.Popen(
        ["timeout", "-k", "5", "5400", "qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", "3072",
         "-smp", str(cpus), "-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio", "-kernel", kernel,
         "-initrd", f"{folder}/initrd", "-append", "console=ttyS0 quiet panic=-1"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines, rest = [], b""
    try:
        while select.select([qemu.stdout], [], [], SILENCE)[0]:
            piece = os.read(qemu.stdout.fileno(), 65536)
            if not piece:
                break
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                lines.append(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1bc", "", line.decode("utf-8", "replace")).rstrip("\r"))
                show(lines[-1])
    finally:
        qemu.kill()
        qemu.wait()
        qemu.stdout.close()
    return lines


def tests_of(lines):
    """(PASS, FAIL or SKIP, the kind of hooks that was asked for, the test)"""
    kind = None
    for line in lines:
        m = re.match(r"HOOKS (\w+)$", line)
        kind = m.group(1) if m else kind
        m = re.match(r"(PASS|FAIL|SKIP)  (\S+)  [\d.]+ s", line)
        if m:
            yield m.group(1), kind, m.group(2)


def outcome(name, lines):
    """What report.py and the tally take of a guest."""
    loads = {load.pop("words"): load for load in (json.loads(line[5:]) for line in lines if line.startswith("LOAD "))}
    release = next((m.group(1) for m in (re.match(r"kernel\s+ok\s+Linux (\S+)", line) for line in lines) if m), None)
    return {"name": name, "release": release, "loads": loads, "tests": list(tests_of(lines)),
            "ended": any(line.startswith("RESULT ") for line in lines)}


def show_line(line):
    if re.match(r"(PASS|FAIL|SKIP|LOAD|HOOKS|RESULT|    \|)", line):
        print("  " + line[:240], flush=True)


def run_kernel(entry, folder, base, cpus, words):
    name = entry[0]
    try:
        root, kernel = kernels.fetch(*entry)
    except RuntimeError as why:
        print(f"SKIP  {name}: {why}")
        return None
    print(f"{name}: booting", flush=True)
    lines = boot(kernel, (base, own_image(folder, root, words)), folder, cpus, show_line)
    found = outcome(name, lines)
    if not found["ended"]:
        print(f"FAIL  {name}: the guest did not come to its end:")
        print("".join(f"    | {line}\n" for line in lines[-30:]))
    return found


def tally(found):
    """(passed, failed, skipped): loads count where something can be loaded at all."""
    counts = [0, 0, 0]
    for f in found:
        for words, load in f["loads"].items():
            counts[0 if report.is_fine(load) else 1] += 1
            if not report.is_fine(load):
                print(f"FAIL  {f['name']}: {words}: {load['why']}")
        for word, kind, name in f["tests"]:
            counts[("PASS", "FAIL", "SKIP").index(word)] += 1
            if word == "FAIL":
                print(f"FAIL  {f['name']}: {name}" + (f" --hooks {kind}" if kind else ""))
        counts[1] += not f["ended"]
    return counts


def guest_words(options):
    """What guest.py is told: without words every test, and some on each rung of hooks."""
    if options.loads:
        return []
    if options.tests:
        return ["--tests", *(options.words or WORDS)]
    return options.words or ["--rungs", *WORDS]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", action="append", choices=[k[0] for k in kernels.known()])
    parser.add_argument("--loads", action="store_true", help="only load programs, run no test")
    parser.add_argument("--tests", action="store_true", help="only run tests, load nothing before")
    parser.add_argument("--cpus", type=int, default=1, help="so many in the guest")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    words = guest_words(options)
    with tempfile.TemporaryDirectory(prefix="tapline-test-matrix-") as folder:
        base = base_image(folder)
        asked = [k for k in kernels.known() if not options.kernel or k[0] in options.kernel]
        found = [f for f in (run_kernel(k, folder, base, options.cpus, words) for k in asked) if f]
    counts = tally(found)
    counts[2] += len(asked) - len(found)  # kernels that cannot be had here
    for sentence in report.grown(f"{ROOT}/docs", found):
        counts[1] += 1
        print(f"FAIL  {sentence}")
    if not options.words and not options.tests and "TAPLINE_TALLY" not in os.environ:
        report.write(f"{ROOT}/docs", [f for f in found if f["ended"]], [k[0] for k in (*kernels.KERNELS, (kernels.OWN,))])
    if "TAPLINE_TALLY" in os.environ:  # scripts/test.sh adds up
        with open(os.environ["TAPLINE_TALLY"], "a") as f:
            f.write("{} {} {}\n".format(*counts))
    print("{} passed, {} failed, {} skipped".format(*counts))
    return 1 if counts[1] or not sum(counts) else 0


if __name__ == "__main__":
    sys.exit(main())
