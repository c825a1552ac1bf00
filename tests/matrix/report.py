# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""docs/KERNELS.md from what the guests said: tools by kernel, hooks, tests, and what verifiers went through."""

import json

HEAD = """# Kernels

What runs where: made by `make matrix`, which boots kernels of Debian's packages in qemu (emulated, one CPU), runs each tool
there, and then the end-to-end tests that a guest can run, some of them once more on each kind of hook that loads;
`scripts/matrix.sh --loads` leaves the tests out. `all` is the kernel of `make matrix-kernel`. What was found is kept in
`kernels.json`: a run renews what is of its kernels, and fails where a count of verified instructions is over a tenth more.

"""

# In a kernel that is too old, a tool has to say so in a sentence: that is what is right there.
SAYS = ("this kernel", "the kernel has no", "needs ")


def is_fine(load):
    """It ran, or it said what this kernel lacks."""
    return load["status"] == 0 or any(words in load["why"] for words in SAYS)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def cell(load):
    if load is None:
        return "-"
    if load["status"]:
        return load["why"].split("; ")[0].split(": run ")[0] if is_fine(load) else "**refused**"
    return ", ".join(load["kinds"]) or "ok"


def counted(tests):
    """{"file, or file and kind of hooks": {PASS: how many, …}}"""
    counts = {}
    for word, kind, name in tests:
        file = name.split(".")[0] + (f" `--hooks {kind}`" if kind else "")
        by_word = counts.setdefault(file, {})
        by_word[word] = by_word.get(word, 0) + 1
    return counts


def kept(folder):
    """{kernel: what its last run found}"""
    try:
        with open(f"{folder}/kernels.json", encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def names(kernels, part):
    return list(dict.fromkeys(name for k in kernels.values() for name in k[part]))


def tools(kernels):
    rows = [[f"`{name}`"] + [cell(k["loads"].get(name)) for k in kernels.values()] for name in names(kernels, "loads")]
    return table(["command"] + [f"{name} ({k['release']})" for name, k in kernels.items()], rows)


SAID = {"PASS": "passed", "FAIL": "**failed**", "SKIP": "skipped"}


def tests(kernels):
    rows = []
    for file in sorted(names(kernels, "tests")):
        counts = [k["tests"].get(file, {}) for k in kernels.values()]
        rows.append([file] + [", ".join(f"{c[w]} {says}" for w, says in SAID.items() if w in c) or "-" for c in counts])
    return table(["tests", *kernels], rows)


def verified(kernels):
    """{"command: program": {kernel: instructions}}"""
    counts = {}
    for name, k in kernels.items():
        for words, load in k["loads"].items():
            if "--hooks" not in words:  # else the same programs again
                for program, n in load["verified"].items():
                    counts.setdefault(f"{words}: {program}", {})[name] = n
    return counts


def instructions(kernels):
    counts = verified(kernels)
    rows = [[f"`{name}`"] + [str(counts[name].get(k, "-")) for k in kernels] for name in sorted(counts)]
    return table(["program", *kernels], rows)


GROWTH = 1.1


def grown(folder, found):
    """Programs for which a verifier now takes over a tenth more than kernels.json says: sentences."""
    before = verified(kept(folder))
    return [f"{kernel}: {name}: {n} instructions verified, {before[name][kernel]} before"
            for name, counts in verified({f["name"]: f for f in found}).items() for kernel, n in counts.items()
            if n > GROWTH * before.get(name, {}).get(kernel, n)]


def write(folder, found, order):
    """Renews the page with what was found; order: of the kernels."""
    every = kept(folder)
    for f in found:
        of_tests = counted(f["tests"]) or every.get(f["name"], {}).get("tests", {})
        every[f["name"]] = {"release": f["release"], "loads": f["loads"], "tests": of_tests}
    kernels = {name: every[name] for name in order if name in every}
    with open(f"{folder}/KERNELS.md", "w") as out:
        out.write(HEAD)
        out.write("## Tools\n\nEach command line ran for a second; the cell has the kinds of hooks that it took, or what it "
                  "said.\n\n")
        out.write(tools(kernels))
        if names(kernels, "tests"):
            out.write("\n## Tests\n\nOf each file, or part of one; what is skipped wants what the guest has not.\n\n")
            out.write(tests(kernels))
        out.write("\n## Verified instructions\n\nWhat the kernel's verifier went through, of at most 1,000,000; kernels "
                  "before 5.16 do not tell.\n\n")
        out.write(instructions(kernels))
    with open(f"{folder}/kernels.json", "w") as out:
        json.dump(kernels, out, indent=1)
        out.write("\n")
