# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The guest's file system as an initramfs: this machine's own programs with what they are linked to, the tests, and
the kernel's modules that they need. The tests in the guest are those that run here."""

import glob
import lzma
import os
import re
import shutil
import subprocess

# Programs that tests call. What is missing here is missing there, and its tests are skipped or fail as they would here.
PROGRAMS = """sh dash bash python3 ip tc ss nft nstat curl nginx ab wrk h2load tcpdump nping ping openssl haproxy node
mount umount mkdir rmdir cat ls sleep echo true false env kill ps setpriv timeout sysctl stat head tail grep sed tee
taskset poweroff insmod dd seq cp mv rm ln chmod chown id uname date sort wc dmesg unshare nsenter bpftool""".split()

FILES = """/etc/passwd /etc/group /etc/protocols /etc/services /etc/nsswitch.conf /etc/hosts /etc/nginx/mime.types
/etc/ssl/openssl.cnf""".split()

MODULES = """veth tun sch_ingress cls_bpf cls_u32 sch_htb sch_netem sch_fq act_bpf act_mirred bridge br_netfilter vxlan ip_gre ipip
macvlan ifb nf_tables nft_chain_nat nft_nat nft_ct nft_counter nft_reject_inet nft_masq nft_compat nf_conntrack
inet_diag tcp_diag udp_diag af_packet_diag tls 8021q dummy""".split()

# Debian's own first: another Python is linked to more than its package says.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin"

# What Python's library has and no test asks for.
LEFT_OUT = ("test", "idlelib", "tkinter", "lib2to3", "ensurepip", "__pycache__", "distutils", "pydoc_data", "turtledemo")


def libraries(binary):
    """The files that a program is linked to, its interpreter among them."""
    done = subprocess.run(["ldd", binary], capture_output=True, text=True)
    return re.findall(r"(/\S+\.so\S*)", done.stdout)


class Image:
    def __init__(self, root):
        self.root = root
        shutil.rmtree(root, ignore_errors=True)
        for d in "bin dev proc sys tmp run etc var/log var/lib/nginx var/tmp root lib/modules usr/share sbin usr/sbin usr/bin".split():
            os.makedirs(f"{root}/{d}")

    def file(self, path, to=None):
        """A file under its own name; links are followed, and then the name is that of the link."""
        target = self.root + (to or path)
        if os.path.exists(target) or not os.path.exists(path):
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(os.path.realpath(path), target)

    def program(self, path, to=None):
        self.file(path, to)
        for library in libraries(path):
            self.file(library)

    def tree(self, path, left_out=()):
        shutil.copytree(path, self.root + path, symlinks=False, dirs_exist_ok=True, ignore_dangling_symlinks=True,
                        ignore=lambda _, names: [n for n in names if n in left_out])

    def programs(self):
        for name in PROGRAMS:
            path = shutil.which(name, path=PATH)
            if path:
                self.program(path)
                self.file(path, f"/bin/{name}")

    def python(self):
        python = shutil.which("python3", path=PATH)
        library = subprocess.run([python, "-Sc", "import os; print(os.path.dirname(os.__file__))"], check=True,
                                 capture_output=True, text=True).stdout.strip()
        self.tree(library, LEFT_OUT)
        for extension in glob.glob(f"{library}/lib-dynload/*.so"):
            for needed in libraries(extension):
                self.file(needed)

    def modules(self, kernel):
        """Uncompressed, in the order in which insmod takes them."""
        found = {}
        for path in glob.glob(f"{kernel}/lib/modules/*/kernel/**/*.ko*", recursive=True):
            found[os.path.basename(path).split(".ko")[0].replace("-", "_")] = path
        order = []

        def need(name):
            name = name.replace("-", "_")
            if name in order or name not in found:
                return
            with open(found[name], "rb") as f:
                data = f.read()
            if found[name].endswith(".xz"):
                data = lzma.decompress(data)
            depends = re.search(rb"(?:^|\0)depends=([^\0]*)\0", data)
            for other in depends.group(1).decode().split(",") if depends else []:
                need(other)
            order.append(name)
            with open(f"{self.root}/lib/modules/{name}.ko", "wb") as f:
                f.write(data)

        for name in MODULES:
            need(name)
        with open(f"{self.root}/lib/modules/order", "w") as f:
            f.write("".join(f"{name}\n" for name in order))

    def pack(self, out):
        with open(out, "wb") as f:
            names = subprocess.run(["find", ".", "-print0"], cwd=self.root, capture_output=True, check=True).stdout
            subprocess.run(["cpio", "--null", "-o", "-H", "newc", "--quiet"], cwd=self.root, input=names, stdout=f,
                           check=True)
