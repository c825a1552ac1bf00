# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Runs the end-to-end tests: run.py [-j N] [-l] [SUBSTRING...]
Each test has a process of its own, so a hanging or dying one takes nothing with it.

Those of tests/faults take long, and run where a word names them (faults/...).

One line a test with its seconds; the last line is `N passed, N failed, N skipped`. Serial unless
-j is given: most tests need the CPU to themselves.
"""

import argparse
import concurrent.futures
import glob
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import lib

TIMEOUT = 120
SKIPPED = 77
FAULTS = "faults/"  # what labels of tests/faults begin with


def modules():
    """(label, path) of every file with tests."""
    for path in sorted(glob.glob(f"{lib.ROOT}/src/tools/*/test*.py")):
        yield path.split(os.sep)[-2] + "/" + os.path.basename(path)[:-3], path
    for path in sorted(glob.glob(f"{lib.ROOT}/tests/e2e/test_*.py")):
        yield os.path.basename(path)[5:-3], path
    for path in sorted(glob.glob(f"{lib.ROOT}/tests/faults/test_*.py")):
        yield FAULTS + os.path.basename(path)[5:-3], path


def load(path):
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Test:
    def __init__(self, label, path, name, function):
        self.name = f"{label}.{name[5:]}"
        self.path, self.function = path, name
        self.timeout = getattr(function, "timeout", TIMEOUT)
        self.alone = getattr(function, "alone", False)


def discover(words):
    tests = []
    for label, path in modules():
        if label.startswith(FAULTS) and not any(w.startswith(FAULTS) for w in words):
            continue
        for name, function in vars(load(path)).items():
            if name.startswith("test_") and callable(function):
                test = Test(label, path, name, function)
                if not words or any(w in test.name for w in words):
                    tests.append(test)
    return tests


def run_here(path, name):
    """The child's side: one test, then nothing of it is left."""
    lib.become_subreaper()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    status = 0
    try:
        getattr(load(path), name)()
    except lib.Skip as why:
        print(why)
        status = SKIPPED
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        for tapline in lib.started:
            print(tapline.report())
        status = 1
    finally:
        lib.kill_descendants()
        lib.delete_namespaces(os.getpid())
    sys.stdout.flush()
    os._exit(status)


def end(process):
    """Ends an overdue test: first so that it cleans up, then by force."""
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=15)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        out = process.communicate()[0]
        lib.delete_namespaces(process.pid)
        return out


def run_test(test):
    """(test, status, output, seconds)"""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tapline-test-", ignore_cleanup_errors=True) as temp:
        os.chmod(temp, 0o755)  # servers and clients of other users look into it
        process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "--one", test.path, test.function],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            errors="replace", start_new_session=True, env={**os.environ, "TMPDIR": temp})
        try:
            out, status = process.communicate(timeout=test.timeout)[0], process.returncode
        except subprocess.TimeoutExpired:
            out, status = f"took more than {test.timeout} s\n" + end(process), 1
        except KeyboardInterrupt:
            end(process)
            raise
    return test, status, out, time.monotonic() - began


def report(result):
    test, status, out, seconds = result
    word = {0: "PASS", SKIPPED: "SKIP"}.get(status, "FAIL")
    why = f"  ({out.strip()})" if word == "SKIP" else ""
    print(f"{word}  {test.name}  {seconds:.1f} s{why}", flush=True)
    if word == "FAIL":
        print("".join(f"    | {line}\n" for line in out.splitlines()), end="", flush=True)
    return word


def main():
    if sys.argv[1:2] == ["--one"]:
        run_here(sys.argv[2], sys.argv[3])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-j", type=int, default=1, help="run so many at once")
    parser.add_argument("-l", action="store_true", help="list the tests")
    parser.add_argument("words", nargs="*", help="only tests whose name contains one of these")
    options = parser.parse_args()
    tests = discover(options.words)
    if options.l:
        print("\n".join(t.name for t in tests))
        return 0
    if os.geteuid() != 0:
        sys.exit("the end-to-end tests load BPF programs: run them as root")
    lib.become_subreaper()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the test too, and its leftovers
    words = []
    together = [t for t in tests if not t.alone] if options.j > 1 else []
    with concurrent.futures.ThreadPoolExecutor(max(options.j, 1)) as pool:
        for result in concurrent.futures.as_completed([pool.submit(run_test, t) for t in together]):
            words.append(report(result.result()))
    for test in tests:
        if test not in together:
            words.append(report(run_test(test)))
    lib.kill_descendants()
    counts = [words.count(w) for w in ("PASS", "FAIL", "SKIP")]
    if "TAPLINE_TALLY" in os.environ:  # scripts/test.sh adds up
        with open(os.environ["TAPLINE_TALLY"], "a") as f:
            f.write("{} {} {}\n".format(*counts))
    print("{} passed, {} failed, {} skipped".format(*counts))
    return 1 if counts[1] or not words else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
