# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""docs/KERNELS.md from what the guests said: tools by kernel, hooks, tests, and what verifiers went through."""

import json

HEAD = """# Kernels

What runs where: made by `make matrix`, which boots kernels of Debian's packages in qemu (emulated, one CPU), runs each tool
there, and then the end-to-end tests that a guest can run, some of them once more on each kind of hook that loads;
`scripts/matrix.sh --loads` leaves the tests out. `all` is the kernel of `make matrix-kernel`. The instruction counts are kept in `kernels.json`: a run in which one rises by more than a tenth fails.

"""

# In a kernel that is too old, a tool has to say so in a sentence: that is what is right there.
SAYS = ("this kernel", "the kernel has no", "needs ")


def is_fine(load):
    """It ran, or it said what this kernel lacks."""
    return load["status"] == 0 or any(words in load["why"] for words in SAYS)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def kind_of(hook):
    return hook.split("/")[0]


def cell(load):
    if load is None:
        return "-"
    if load["status"]:
        return load["why"].split("; ")[0].split(": run ")[0] if is_fine(load) else "**refused**"
    return ", ".join(sorted({kind_of(h) for h in load["hooks"]})) or "ok"


def by_words(found):
    return {load["words"]: load for load in found["loads"]}


def tools(found):
    names = [load["words"] for load in found[-1]["loads"]]
    rows = [[f"`{name}`"] + [cell(by_words(f).get(name)) for f in found] for name in names]
    return table(["command"] + [f"{f['name']} ({f['release']})" for f in found], rows)


def tests(found):
    def label(kind, name):
        return name.split(".")[0] + (f" `--hooks {kind}`" if kind else "")

    rows = []
    for file in sorted({label(kind, name) for f in found for _, kind, name in f["tests"]}):
        row = [file]
        for f in found:
            words = [word for word, kind, name in f["tests"] if label(kind, name) == file]
            parts = [f"{words.count(w)} {says}" for w, says in
                     (("PASS", "passed"), ("FAIL", "**failed**"), ("SKIP", "skipped")) if words.count(w)]
            row.append(", ".join(parts) or "-")
        rows.append(row)
    return table(["tests"] + [f["name"] for f in found], rows)


def verified(found):
    """{"command: program": {kernel: instructions}}"""
    counts = {}
    for f in found:
        for load in f["loads"]:
            if "--hooks" in load["words"]:
                continue  # the same programs again
            for program, n in load["verified"].items():
                counts.setdefault(f"{load['words']}: {program}", {})[f["name"]] = n
    return counts


def instructions(found):
    counts = verified(found)
    rows = [[f"`{name}`"] + [str(counts[name].get(f["name"], "-")) for f in found] for name in sorted(counts)]
    return table(["program"] + [f["name"] for f in found], rows)


GROWTH = 1.1


def grown(folder, found):
    """Programs for which a verifier now takes over a tenth more than kernels.json says: sentences."""
    try:
        with open(f"{folder}/kernels.json", encoding="utf-8") as f:
            before = json.load(f)["verified"]
    except FileNotFoundError:
        return []
    return [f"{kernel}: {name}: {n} instructions verified, {before[name][kernel]} before"
            for name, counts in verified(found).items() for kernel, n in counts.items()
            if n > GROWTH * before.get(name, {}).get(kernel, n)]


def write(folder, found):
    with open(f"{folder}/KERNELS.md", "w") as out:
        out.write(HEAD)
        out.write("## Tools\n\nEach command line ran for a second; the cell has the kinds of hooks that it took, or what it "
                  "said.\n\n")
        out.write(tools(found))
        if any(f["tests"] for f in found):
            out.write("\n## Tests\n\n")
            out.write(tests(found))
        out.write("\n## Verified instructions\n\nWhat the kernel's verifier went through, of at most 1,000,000; kernels "
                  "before 5.16 do not tell.\n\n")
        out.write(instructions(found))
    with open(f"{folder}/kernels.json", "w") as out:
        json.dump({"verified": verified(found)}, out, indent=1, sort_keys=True)
        out.write("\n")
