# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The kernels of the matrix: images of Debian's suites, fetched as packages, kept outside the tree, checked by hash.
apt checks them against the suite's signed index; what is kept is checked against the hash that had then."""

import glob
import hashlib
import os
import re
import subprocess

# Name, suite, and the packages of which the newest is taken. The cloud flavours are small, and boot in seconds.
KERNELS = (
    ("5.10", "bullseye-security", r"linux-image-5\.10\.\S+-cloud-amd64"),
    ("6.1", "bookworm-security", r"linux-image-6\.1\.\S+-cloud-amd64"),
    ("6.12", "bookworm-security", r"linux-image-6\.12\.\S+-cloud-amd64"),
    ("6.18", "trixie-backports", r"linux-image-6\.18\.\S+-cloud-amd64"),
    ("7.2", "trixie-backports", r"linux-image-7\.2\.\S+-cloud-amd64"),
)

# Built by `make matrix-kernel`, and taken where it is there.
OWN = "all"

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def cache():
    """A folder that stays: kernels are some 30 MB each."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(home, "tapline-kernels")
    os.makedirs(path, exist_ok=True)
    return path


def run(*args, **more):
    done = subprocess.run(args, capture_output=True, text=True, **more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(args)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def mirrors():
    """(main, security): where this machine has its own suites from."""
    text = "".join(open(path, encoding="utf-8", errors="replace").read() for path in
                   glob.glob("/etc/apt/sources.list") + sorted(glob.glob("/etc/apt/sources.list.d/*")))
    urls = re.findall(r"(?m)^(?:URIs:|deb(?: \[[^]]*\])?)\s+(\S+)", text)
    main = next((u for u in urls if re.search(r"/debian/?$", u)), None)
    security = next((u for u in urls if re.search(r"/debian-security/?$", u)), None)
    if not main or not security:
        raise RuntimeError("this machine's apt has no Debian mirror and security mirror to take kernels from")
    return main, security


def apt_options(suite):
    """Options of a private apt for one suite, which touches nothing of the machine's."""
    main, security = mirrors()
    folder = f"{cache()}/apt-{suite}"
    for d in ("lists/partial", "cache/archives/partial"):
        os.makedirs(f"{folder}/{d}", exist_ok=True)
    with open(f"{folder}/list", "w") as f:
        f.write(f"deb [signed-by={KEYRING}] {security if suite.endswith('-security') else main} {suite} main\n")
    return ["-o", f"Dir::Etc::sourcelist={folder}/list", "-o", "Dir::Etc::sourceparts=/dev/null",
            "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache",
            "-o", "APT::Sandbox::User=root"]


def newest(options, pattern):
    names = re.findall(r"(?m)^(\S+) - ", run("apt-cache", *options, "search", "^linux-(image|binary)-"))
    names = [n for n in names if re.fullmatch(pattern, n)]
    if not names:
        raise RuntimeError(f"no package {pattern}")
    return sorted(names, key=lambda n: [int(x) for x in re.findall(r"\d+", n)])[-1]


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def download(options, package, folder):
    """The package's file, from the cache if it is there as it came."""
    for path in glob.glob(f"{folder}/{package}_*.deb"):
        if os.path.exists(path + ".sha256") and open(path + ".sha256").read() == sha256(path):
            return path
        os.unlink(path)
    run("apt-get", *options, "download", "-q", package, cwd=folder)
    path = glob.glob(f"{folder}/{package}_*.deb")[0]
    want = re.search(r"(?m)^SHA256: (\w+)", run("apt-cache", *options, "show", package)).group(1)
    if sha256(path) != want:
        raise RuntimeError(f"{package}: its hash is not that of the index")
    with open(path + ".sha256", "w") as f:
        f.write(want)
    return path


def own_kernel():
    """(folder, image), or None: not built, or not as it was."""
    for image in glob.glob(f"{cache()}/{OWN}/vmlinuz-" + "[0-9a-f]" * 64):
        if os.path.exists(image + ".sha256") and open(image + ".sha256").read() == sha256(image):
            return f"{cache()}/{OWN}", image
    return None


def known():
    """Those that can be asked for."""
    return KERNELS + (((OWN, None, None),) if own_kernel() else ())


def fetch(name, suite, pattern):
    """(folder, image): an unpacked kernel with its modules, and its bootable file."""
    if name == OWN:
        return own_kernel()
    folder = f"{cache()}/{name}"
    os.makedirs(folder, exist_ok=True)
    options = apt_options(suite)
    try:
        run("apt-get", *options, "update", "-q")
    except RuntimeError:
        if not glob.glob(f"{folder}/*.deb.sha256"):
            raise  # else what is kept does: its hash was checked when it came
    package = newest(options, pattern)
    wanted = [package] + re.findall(r"linux-(?:binary|modules)-[^\s,|]+",
                                    run("apt-cache", *options, "depends", "--recurse", "--no-recommends",
                                        "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces",
                                        "--no-enhances", package))
    root = f"{folder}/{package}"
    for p in dict.fromkeys(wanted):
        path = download(options, p, folder)
        if not os.path.exists(f"{root}/{p}.done"):
            run("dpkg", "-x", path, root)
            open(f"{root}/{p}.done", "w").close()
    images = glob.glob(f"{root}/boot/vmlinuz-*") + glob.glob(f"{root}/usr/lib/modules/*/vmlinuz")
    return root, images[0]
