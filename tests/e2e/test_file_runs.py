# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a run does with capture files, whatever the tool: rows for a slow reader, pipes, damage, files one after
the other while privileges are gone, full disks, kills. tests/programs/recapture.c is the tool: it copies
packets, and has a row for each."""

import contextlib
import glob
import json
import os
import re
import signal
import subprocess
import time

import pcaps
from lib import (TAPLINE, Proc, Skip, Tapline, at_least, at_most, children, equal, program, run, temp_dir, timeout, wait_for)
from wire import ethernet, ipv4, udp

START = 1700000000 * 10**9
MS = 10**6


def packets(n, size=0, step=MS):
    """n datagrams, a step in ns apart, each with its number in it."""
    return [(START + i * step, ethernet(ipv4(17, udp(9, i.to_bytes(4, "big") + bytes(size))), 0x800)) for i in range(n)]


def made(folder, n, size=0, name="in.pcap"):
    return pcaps.save(folder, name, pcaps.pcap(1, packets(n, size)))


def recapture(*args, check=True, before=(), **more):
    return run(*before, program("recapture"), *args, check=check, **more)


def running(*args, **more):
    """The tool in the background, ready when the block begins."""
    return Tapline(*args, tool=None, json_rows=False, binary=program("recapture"), **more)


def numbers(path):
    """Which packets a file has; it must be one that tshark reads without complaint."""
    done = run("tshark", "-n", "-r", path, "-T", "fields", "-e", "udp.payload")
    return [int(line[:8], 16) for line in done.stdout.split()]


def sentences(said):
    return [line for line in said.splitlines() if line.startswith("tapline: ")]


def ledger(said, name):
    found = re.search(rf"^  {name} +(\d+)  ", said, re.M)
    assert found, f"no {name} in {said}"
    return int(found.group(1))


def openers():
    """The processes that open files, of all runs."""
    found = set()
    for path in glob.glob("/proc/[0-9]*/comm"):
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as f:
            pid = int(path.split("/")[2])
            if f.read() == "tapline-files\n" and status_of(pid, "State") != "Z":
                found.add(pid)
    return found


def opener_of(pid):
    return wait_for(lambda: openers() & set(children(pid)), 10, "the process that opens files").pop()


def status_of(pid, key):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next(line.split()[1] for line in f if line.startswith(key + ":"))


# ---- readers of rows ----

MANY = 400000  # rows of more than 32 MiB: twice what is queued for a reader


@timeout(180)
def test_a_slow_reader_loses_nothing():
    with temp_dir() as folder, open(os.path.join(folder, "said"), "w+") as said:
        p = subprocess.Popen([program("recapture"), "-r", made(folder, MANY), "-o", "json"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=said)
        try:
            time.sleep(5)
            equal(p.poll(), None, "it waits")
            out = p.communicate(timeout=60)[0]
        finally:
            p.kill()
            p.wait()
        said.seek(0)
        text = said.read()
    equal((p.returncode, out.count(b"\n"), ledger(text, "rows")), (0, MANY, MANY), "exit status, rows, by the ledger")
    at_least(len(out), 32 << 20, "bytes of rows")
    assert "lost_output" not in text, text


def stalled(folder, *args):
    """A run whose rows nobody reads, once it waits for its reader."""
    p = subprocess.Popen([program("recapture"), "-r", made(folder, MANY), "-o", "json", *args],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def waits():
        with open(f"/proc/{p.pid}/syscall", encoding="utf-8") as f:
            return f.read().split()[0] == "7"  # poll(2), on x86_64

    try:
        if os.uname().machine == "x86_64":
            wait_for(waits, 20, "it to wait for its reader")
        else:
            time.sleep(3)
    except BaseException:
        p.kill()
        p.wait()
        raise
    return p


def ended(p, seconds):
    began = time.monotonic()
    try:
        p.wait(seconds)
        took = time.monotonic() - began
        out, said = p.communicate(timeout=20)
    finally:
        p.kill()
        p.wait()
    return out, said.decode(), took


def test_a_signal_ends_the_wait_for_a_reader():
    with temp_dir() as folder:
        p = stalled(folder)
        p.send_signal(signal.SIGINT)
        out, said, took = ended(p, 10)
    at_most(took, 6, "seconds until it ended")
    equal(p.returncode, 0, "exit status")
    equal(out.count(b"\n") + ledger(said, "lost_output"), ledger(said, "file_packets"), "rows, and rows lost")


def test_a_duration_ends_the_wait_for_a_reader():
    with temp_dir() as folder:
        p = stalled(folder, "-d", "1")
        out, said, took = ended(p, 10)
    at_most(took, 6, "seconds until it ended")
    equal(p.returncode, 0, "exit status")
    equal(out.count(b"\n") + ledger(said, "lost_output"), ledger(said, "file_packets"), "rows, and rows lost")


def test_a_reader_that_leaves_ends_the_run():
    with temp_dir() as folder:
        script = '"$1" -r "$2" -o json | head -1; exit ${PIPESTATUS[0]}'
        done = run("bash", "-c", script, "bash", program("recapture"), made(folder, MANY), check=False)
    equal((done.returncode, done.stdout.count("\n"), sentences(done.stderr)), (0, 1, []), "status, lines, sentences")


def test_rows_and_their_limit():
    with temp_dir() as folder:
        path = made(folder, 5000)
        done = recapture("-r", path, "-o", "json", "-n", 7)
        equal(done.stdout.count("\n"), 7, "rows")
        rows = [json.loads(line) for line in recapture("-r", path, "-o", "json").stdout.splitlines()]
        equal(len(rows), 5000, "rows")
        equal([r["time"] for r in rows[:2]], ["2023-11-14T22:13:20.000000Z", "2023-11-14T22:13:20.001000Z"], "times")


# ---- files that are read ----


def test_damage_is_said_behind_rows_and_ledger():
    with temp_dir() as folder:
        data = pcaps.pcap(1, packets(3000))
        path = pcaps.save(folder, "cut", data[:-20])
        both = run("sh", "-c", '"$1" -r "$2" -o json 2>&1', "sh", program("recapture"), path, check=False)
    lines = both.stdout.splitlines()
    equal((both.returncode, sum(line.startswith("{") for line in lines)), (1, 2999), "exit status, rows")
    equal((lines[2999], sentences(both.stdout)), ("ledger", lines[-1:]), "the ledger, and the last line")
    assert "the file ends inside" in lines[-1], lines[-1]


FEEDER = """import sys
for name in sys.argv[1:]:
    with open(name, "rb") as f:
        sys.stdout.buffer.write(f.read())
        sys.stdout.flush()
    sys.stdin.readline()
"""


@contextlib.contextmanager
def piped(folder, *pieces):
    """(path, go): a pipe with the first piece in it. go() sends the next one, and then the end of the file."""
    path = os.path.join(folder, "pipe")
    os.mkfifo(path)
    names = [pcaps.save(folder, f"piece-{i}", piece) for i, piece in enumerate(pieces)]
    keep = os.open(path, os.O_RDWR)  # opening does not wait for the other side
    with open(path, "wb") as out, Proc("python3", "-c", FEEDER, *names, stdin=subprocess.PIPE, stdout=out) as writer:
        out.close()
        left = list(pieces)

        def go():
            left.pop()
            if not left:
                os.close(keep)
            writer.p.stdin.write(b"\n")
            writer.p.stdin.flush()

        yield path, go
    if left:
        os.close(keep)


def test_rows_come_while_a_pipe_stays_open():
    """Also those of the last second, which wait for what is younger."""
    data = pcaps.pcap(1, packets(10))
    with temp_dir() as folder, piped(folder, data[:500], data[500:]) as (path, go):
        with running("-r", path, "-o", "json") as t:
            wait_for(lambda: len(t.rows) == 7, 10, "whole packets of the first piece")
            go()
            wait_for(lambda: len(t.rows) == 10, 10, "the rest")
            equal(t.p.poll(), None, "it waits for more")
            go()
            equal(t.wait_end(), 0, "exit status at the end of the pipe")
        equal(t.ledger("file_packets"), 10, "packets")


def test_a_signal_ends_the_wait_for_a_pipe():
    data = pcaps.pcap(1, packets(10))
    with temp_dir() as folder, piped(folder, data) as (path, _):
        with running("-r", path, "-o", "json") as t:
            wait_for(lambda: len(t.rows) == 10, 10, "rows")
            t.stop()
        with running("-r", path, "-o", "json", "-d", 1) as t:
            equal(t.wait_end(), 0, "exit status after -d 1")


def test_privileges_are_gone_before_the_file_is_read():
    with temp_dir() as folder, piped(folder, pcaps.pcap(1, packets(1))) as (path, go):
        with running("-r", path, "-w", f"{folder}/out", "-C", 1) as t:
            for key in ("CapEff", "CapPrm", "CapInh", "CapBnd"):
                equal(int(status_of(t.pid, key), 16), 0, key)
            equal((status_of(t.pid, "Seccomp"), status_of(t.pid, "NoNewPrivs")), ("2", "1"), "seccomp, no new privileges")
            go()
            equal(t.wait_end(), 0, "exit status")


def test_a_user_without_privileges():
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    with temp_dir() as folder:
        path = made(folder, 40000, 100)
        os.chmod(folder, 0o777)
        out = os.path.join(folder, "out")
        done = recapture("-r", path, "-w", out, "-C", 2, "-o", "json", before=user, check=False)
        if "ermission denied" in done.stderr and "setpriv" in done.stderr:
            raise Skip("the checkout cannot be read by another user")
        equal((done.returncode, done.stdout.count("\n")), (0, 40000), f"exit status, rows: {done.stderr[-300:]}")
        files = [out] + [f"{out}.{i}" for i in range(1, len(glob.glob(out + "*")))]
        at_least(len(files), 3, "files")
        equal(sum((numbers(f) for f in files), []), list(range(40000)), "packets")
        equal({os.stat(f).st_uid for f in files}, {65534}, "owner")
        os.chmod(folder, 0o755)
        done = recapture("-r", path, "-w", f"{folder}/other", before=user, check=False)
    equal((done.returncode, len(done.stderr.splitlines())), (1, 1), f"exit status, lines: {done.stderr}")
    assert "cannot write" in done.stderr and "Permission denied" in done.stderr, done.stderr


# ---- files that are written ----


def test_a_copy_has_all_that_the_file_had():
    sections = pcaps.pcapng(1, packets(20)) + pcaps.pcapng(113, [(START + 10**9, bytes(30))]) + \
        pcaps.pcapng(101, [(START + 2 * 10**9, ipv4(17, udp(9)))], ">")
    fields = ["frame.time_epoch", "frame.len", "frame.cap_len", "frame.comment", "frame.interface_name", "frame.protocols"]
    with temp_dir() as folder:
        path, out = pcaps.save(folder, "in", sections), os.path.join(folder, "out")
        done = recapture("-r", path, "-w", out)
        equal(done.stdout, "", "rows, as nobody asked for any")
        equal((ledger(done.stderr, "written"), ledger(done.stderr, "rows")), (22, 22), "written, and rows left out")
        equal(pcaps.tshark(out, *fields), pcaps.tshark(path, *fields), "packets, to tshark")
        said = pcaps.capinfos(out, "-M")
        for line in (r"File type:\s+.*pcapng", r"Number of interfaces in file: 4", r"Name = counted",
                     r"Capture application: tapline", r"Capture oper-sys:\s+Linux ", r"Number of stat entries = 1"):
            assert re.search(line, said), f"capinfos does not say {line}:\n{said}"
        again = recapture("-r", path, "-w", out, "-o", "json", "udp", check=False)
        equal((again.stdout.count("\n"), len(pcaps.tshark(out, "frame.len"))), (21, 21), "rows, and packets, of UDP")


def test_rows_limit_what_is_written():
    with temp_dir() as folder:
        path, out = made(folder, 100), os.path.join(folder, "out")
        recapture("-r", path, "-w", out, "-n", 10)
        equal(numbers(out), list(range(10)), "packets")


def test_the_file_is_a_readers_within_a_second():
    with temp_dir() as folder, piped(folder, pcaps.pcap(1, packets(3, step=2 * 10**9))) as (path, go):
        out = os.path.join(folder, "out")
        with running("-r", path, "-w", out) as t:
            wait_for(lambda: len(pcaps.tshark(out, "frame.len")) >= 2, 3, "packets that are over a second old")
            wait_for(lambda: len(pcaps.tshark(out, "frame.len")) == 3, 3, "all of them")
            go()
            equal(t.wait_end(), 0, "exit status")
        equal(numbers(out), [0, 1, 2], "packets")


def test_a_signal_leaves_a_whole_file():
    with temp_dir() as folder:
        data = pcaps.pcap(1, packets(500))
        for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with temp_dir() as place, piped(place, data) as (path, _):
                out = os.path.join(folder, f"out-{sent}")
                with running("-r", path, "-w", out, "-C", 1) as t:
                    wait_for(lambda: len(pcaps.tshark(out, "frame.len")) == 500, 10, "all packets")
                    opener = opener_of(t.pid)
                    os.killpg(t.pid, sent)  # as a terminal does
                    equal(t.wait_end(), 0, "exit status")
                equal(numbers(out), list(range(500)), "packets")
                assert re.search(r"Number of stat entries = 1", pcaps.capinfos(out, "-M")), "no counts at the end"
                assert not os.path.exists(f"/proc/{opener}"), "the process that opens files is still there"


def test_a_kill_leaves_whole_files_and_no_process():
    with temp_dir() as folder, piped(folder, pcaps.pcap(1, packets(30000, 100))) as (path, _):
        out = os.path.join(folder, "out")
        with running("-r", path, "-w", out, "-C", 1, "-W", 3) as t:
            wait_for(lambda: os.path.exists(out + ".2"), 10, "the third file")
            opener = opener_of(t.pid)
            t.kill()
        wait_for(lambda: opener not in openers(), 10, "the process that opens files to end")
        parts = [numbers(name) for name in (out, out + ".1", out + ".2")]
        for part in parts:
            equal(part, list(range(part[0], part[0] + len(part))) if part else [], "packets of a file")
        at_least(sum(bool(part) for part in parts), 2, "files with packets: one may just have been begun")


def test_a_directory_is_refused_in_a_sentence():
    with temp_dir() as folder:
        for tool in ("requests", "packets", "count"):
            done = run(TAPLINE, tool, "-r", folder, check=False)
            equal((done.returncode, done.stdout, done.stderr.splitlines()),
                  (1, "", [f"tapline: cannot read '{folder}': Is a directory"]), tool)


def test_where_nothing_could_be_read_nothing_came_before():
    with temp_dir() as folder:
        path = pcaps.save(folder, "text", b"this is no capture file at all")
        for tool in ("requests", "packets", "count"):
            done = run(TAPLINE, tool, "-r", path, check=False)
            equal((done.returncode, done.stdout, len(sentences(done.stderr))), (1, "", 1), f"{tool}: {done.stderr}")
            assert sentences(done.stderr)[0].endswith("it begins with 74 68 69 73"), done.stderr


# ---- one file after the other ----


def test_files_follow_one_another_where_only_root_may_write():
    """In a folder of another user, which takes a capability that the run itself has no more."""
    n, each = 60000, 2
    mask = os.umask(0)
    os.umask(mask)
    with temp_dir() as folder:
        path, place = made(folder, n, 100), os.path.join(folder, "place")
        os.mkdir(place, 0o500)
        os.chown(place, 65534, 65534)
        out = os.path.join(place, "out.pcapng")
        recapture("-r", path, "-w", out, "-C", each)
        files = [out] + [f"{out}.{i}" for i in range(1, len(os.listdir(place)))]
        equal(sorted(os.listdir(place)), sorted(os.path.basename(f) for f in files), "names")
        at_least(len(files), 5, "files")
        equal(sum((numbers(f) for f in files), []), list(range(n)), "packets, in order and each once")
        for f in files:
            at_most(os.path.getsize(f), each * 10**6, f"size of {f}")
            equal(oct(os.stat(f).st_mode & 0o777), oct(0o666 & ~mask), f"mode of {f}")
        for f in files[:-1]:
            at_least(os.path.getsize(f), 0.99 * each * 10**6, f"size of {f}")


def test_so_many_files_are_kept():
    n = 60000
    with temp_dir() as folder:
        path, out = made(folder, n, 100), os.path.join(folder, "out")
        recapture("-r", path, "-w", out, "-C", 2, "-W", 3)
        files = [out, out + ".1", out + ".2"]
        equal(sorted(glob.glob(out + "*")), files, "files")
        parts = sorted(numbers(f) for f in files)
        found = sum(parts, [])
        equal(found, list(range(n - len(found), n)), "the last packets, in three files")
        at_least(len(found), 20000, "packets")


def test_the_folder_may_be_renamed_meanwhile():
    with temp_dir() as folder:
        pieces = [pcaps.pcap(1, packets(100)), pcaps.pcap(1, packets(30000, 100))[24:]]
        place = os.path.join(folder, "place")
        os.mkdir(place)
        with piped(folder, *pieces) as (path, go), running("-r", path, "-w", f"{place}/out", "-C", 1) as t:
            wait_for(lambda: numbers(f"{place}/out"), 10, "packets")
            os.rename(place, place + "-moved")
            go()
            wait_for(lambda: os.path.exists(f"{place}-moved/out.3"), 10, "files")
            go()
            equal(t.wait_end(), 0, "exit status")


def test_a_next_file_that_cannot_be_opened_ends_the_run():
    with temp_dir() as folder:
        path, out = made(folder, 60000, 100), os.path.join(folder, "out")
        os.mkdir(out + ".2")
        done = recapture("-r", path, "-w", out, "-C", 2, check=False)
        said = sentences(done.stderr)
        equal((done.returncode, len(said)), (1, 1), f"exit status, sentences: {done.stderr}")
        assert f"cannot write '{out}.2': Is a directory" in said[0], said
        found = numbers(out) + numbers(out + ".1")
        equal(found, list(range(len(found))), "packets before that")
        equal(ledger(done.stderr, "written"), len(found), "written, by the ledger")


def test_the_process_that_opens_files_is_gone():
    with temp_dir() as folder:
        pieces = [pcaps.pcap(1, packets(100)), pcaps.pcap(1, packets(30000, 100))[24:]]
        out = os.path.join(folder, "out")
        with piped(folder, *pieces) as (path, go), running("-r", path, "-w", out, "-C", 1) as t:
            wait_for(lambda: numbers(out), 10, "packets")
            os.kill(opener_of(t.pid), signal.SIGKILL)
            go()
            equal(t.wait_end(), 1, "exit status")
        found = numbers(out)
        said = f"cannot write '{out}.1': the process that opens the next file has ended; the {len(found)} packets before that"
        assert said in t.ledger_text, t.ledger_text
        equal(t.ledger("written"), len(found), "written, by the ledger")
        equal(glob.glob(out + "*"), [out], "files")


def test_links_where_names_are_made_up_are_not_followed():
    with temp_dir() as folder:
        path, out, precious = made(folder, 30000, 100), os.path.join(folder, "out"), os.path.join(folder, "precious")
        pcaps.save(folder, "precious", b"precious")
        os.symlink(precious, out + ".1")
        done = recapture("-r", path, "-w", out, "-C", 2, check=False)
        equal((done.returncode, os.path.getsize(precious)), (1, 8), "exit status, size of the link's target")
        assert f"cannot write '{out}.1': Too many levels of symbolic links" in done.stderr, done.stderr


# ---- full disks, pipes, and what cannot be ----


def on_a_small_disk(folder, path, *args):
    """The run on a file system of 1 MiB; kept/ has its files afterwards, and kept/said what it said."""
    script = 'mount -t tmpfs -o size=1m none "$1" && shift && "$@" >"$KEPT/rows" 2>"$KEPT/said"; echo $?; cp "$DISK"/* "$KEPT"'
    disk, kept = os.path.join(folder, "disk"), os.path.join(folder, "kept")
    os.mkdir(disk)
    os.mkdir(kept)
    done = run("unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", disk, program("recapture"), "-r",
               path, "-w", f"{disk}/out", *args, env={**os.environ, "KEPT": kept, "DISK": disk})
    with open(f"{kept}/said", encoding="utf-8") as f:
        return int(done.stdout), f.read(), kept


def test_a_full_disk_ends_the_run_with_one_sentence():
    with temp_dir() as folder:
        status, said, kept = on_a_small_disk(folder, made(folder, 30000, 100), "-o", "json")
        found = numbers(f"{kept}/out")
        with open(f"{kept}/rows", encoding="utf-8") as f:
            rows = f.read().count("\n")
    equal((status, len(sentences(said))), (1, 1), f"exit status, sentences: {said}")
    assert sentences(said)[0].endswith(f"/disk/out': No space left on device; the {len(found)} packets before that are written"), said
    equal(said.splitlines()[-1], sentences(said)[0], "the sentence comes last")
    equal(found, list(range(len(found))), "packets")
    assert 3000 < len(found) <= rows < 30000, (len(found), rows)


def test_what_a_full_disk_did_not_take_is_lost():
    """What waited for the file in memory is not written, nor is what came after it."""
    with temp_dir() as folder:
        status, said, kept = on_a_small_disk(folder, made(folder, 30000, 100))
        count = int(re.search(r"Number of packets:\s+(\d+)", pcaps.capinfos(f"{kept}/out", "-c", "-M")).group(1))
    equal((status, ledger(said, "written")), (1, count), "exit status; written, to capinfos")
    at_least(ledger(said, "lost_write"), 1, "packets lost")
    equal(ledger(said, "file_packets"), count + ledger(said, "lost_write"), "packets, those written and those lost")
    assert re.search(r"^  rows .* not shown: not all their packets are written$", said, re.M), said


def test_a_disk_that_is_full_at_the_next_file():
    with temp_dir() as folder:
        status, said, kept = on_a_small_disk(folder, made(folder, 30000, 10000), "-C", 1)
        files = sorted(glob.glob(f"{kept}/out*"))
        found = sum((numbers(f) for f in files), [])
    equal((status, len(sentences(said)), len(files)), (1, 1, 2), f"exit status, sentences, files: {said}")
    equal(found, list(range(len(found))), "packets")
    equal(ledger(said, "written"), len(found), "written, by the ledger")


def test_a_pipe_gets_the_file():
    with temp_dir() as folder:
        path = made(folder, 50000)
        script = '"$1" -r "$2" -w - | (sleep 1; tshark -n -r - -T fields -e udp.payload)'
        done = run("sh", "-c", script, "sh", program("recapture"), path)
        equal([int(line[:8], 16) for line in done.stdout.split()], list(range(50000)), "packets")
        script = '"$1" -r "$2" -w - | head -c 100000 | wc -c; echo ${PIPESTATUS[0]}'
        done = run("bash", "-c", script, "bash", program("recapture"), path)
        equal(done.stdout.split(), ["100000", "0"], "bytes that the reader took, and exit status")
        equal(sentences(done.stderr), [], "sentences")


def test_a_pipe_that_nobody_reads_can_be_left():
    with temp_dir() as folder:
        p = subprocess.Popen([program("recapture"), "-r", made(folder, 50000), "-w", "-"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(1)
        equal(p.poll(), None, "it waits")
        p.send_signal(signal.SIGINT)
        _, said, took = ended(p, 10)
    at_most(took, 8, "seconds until it ended")
    equal(p.returncode, 1, "exit status")
    assert "cannot write 'standard output': " in said, said


def test_what_cannot_be_is_said_in_a_sentence():
    with temp_dir() as folder:
        path = made(folder, 3)
        pcaps.save(folder, "same", pcaps.pcap(1, packets(3)))
        os.symlink(path, f"{folder}/link")
        for want, word, args in ((2, "-w '", ("-w", path)), (2, "-w '", ("-w", f"{folder}/link")),
                                 (2, "--file-count wants --file-size", ("-w", f"{folder}/x", "-W", 3)),
                                 (2, "--file-size wants -w", ("-C", 1)), (2, "--file-count wants -w", ("-W", 1)),
                                 (2, "wants a file, not standard output", ("-w", "-", "-C", 1)),
                                 (2, "rows cannot go there", ("-w", "-", "-o", "json")),
                                 (2, "rows cannot go there", ("-w", "-", "--fields", "time")),
                                 (1, "cannot write '/no/such/folder/x': No such file", ("-w", "/no/such/folder/x")),
                                 (1, f"cannot write '{folder}': Is a directory", ("-w", folder)),
                                 (2, "-C: '0' is out of range", ("-w", f"{folder}/x", "-C", 0))):
            done = recapture("-r", path, *args, check=False)
            equal((done.returncode, done.stdout, len(done.stderr.splitlines())), (want, "", 1), f"{args}: {done.stderr}")
            assert word in done.stderr, (args, done.stderr)
        done = run(TAPLINE, "requests", "-r", path, "-C", 1, check=False)
        equal((done.returncode, done.stderr), (2, "tapline: --file-size wants -w FILE\n"), "requests -C")
        done = recapture("-r", f"{folder}/none", "-w", path, check=False)
        assert done.returncode == 1 and "cannot read" in done.stderr, done.stderr
        for tool in ((program("recapture"),), (TAPLINE, "requests")):
            done = run(*tool, "-r", path, "-w", path, check=False)
            assert done.returncode == 2 and "is the file that -r reads" in done.stderr, (tool, done.stderr)
        equal(numbers(path), [0, 1, 2], "the file that was read")
        typescript = run("script", "-qec", f"{program('recapture')} -r {path} -w -", "/dev/null", check=False)
        assert "standard output is a terminal" in typescript.stdout, typescript.stdout


def test_a_terminal_sees_how_many_packets_are_written():
    with temp_dir() as folder:
        path = made(folder, 12345)
        done = run("script", "-qec", f"{program('recapture')} -r {path} -w {folder}/out", "/dev/null")
    assert "\n12345 packets written\nledger\n" in done.stdout, repr(done.stdout)


def test_more_interfaces_than_a_file_has_room_for():
    """Those that are too many are counted."""
    one = [pcaps.block("<", 0x0A0D0D0A, bytes.fromhex("4d3c2b1a01000000ffffffffffffffff"))]
    one += [pcaps.block("<", 1, bytes.fromhex("0100000000000400") + pcaps.options("<", (2, b"if%d" % i), (0, b"")))
            for i in range(300)]
    when, frame = packets(1)[0]
    for i in range(300):
        units = when // 1000
        head = b"".join(v.to_bytes(4, "little") for v in (i, units >> 32, units & 0xFFFFFFFF, len(frame), len(frame)))
        one.append(pcaps.block("<", 6, head + pcaps.padded(frame)))
    with temp_dir() as folder:
        path, out = pcaps.save(folder, "in", b"".join(one)), os.path.join(folder, "out")
        done = recapture("-r", path, "-w", out)
        equal((ledger(done.stderr, "written"), ledger(done.stderr, "not_written")), (256, 44), "written and not")
        equal([r[0] for r in pcaps.tshark(out, "frame.interface_name")], [f"if{i}" for i in range(256)], "interfaces")
