"""The numbers that are kept, and what is said when one is exceeded."""

import os
import pathlib
import platform
import re
import subprocess

# What differs by as few as a short function takes is no difference either.
TOLERANCE, SLACK = 0.05, 20
# What it means that the numbers are of another one.
EFFECTS = {
    "machine": "nothing is compared", "compiler": "nothing is compared",
    "libraries": "what they take is not compared",
}
HEAD = """\
# Instructions in user space for one of each, which Tests/Instructions/run counts and --write writes: in Sluice and the Swift
# runtime that is linked into it, and in libraries. Those of libraries hold for these versions alone.
"""


class Count:
    """How many instructions one unit took."""

    def __init__(self, name, unit, profile, units):
        self.name = name
        self.unit = unit
        self.profile = profile
        self.units = units
        self.own = round(profile.own / units)
        self.libraries = round(profile.libraries / units)


def machine():
    """What the numbers depend on."""
    def said(pattern, *command):
        done = subprocess.run(command, capture_output=True, text=True)
        found = re.search(pattern, done.stdout + done.stderr)
        return found[1] if found else "?"

    libraries = {
        "glibc": os.confstr("CS_GNU_LIBC_VERSION").removeprefix("glibc "),
        "OpenSSL": said(r"OpenSSL (\d+\.\d+)", "openssl", "version"),
        "nghttp2": said(r"(\d+\.\d+)", "pkg-config", "--modversion", "libnghttp2"),
    }
    vectors = "AVX2" if " avx2 " in pathlib.Path("/proc/cpuinfo").read_text() else "no AVX2"
    return {
        "machine": platform.machine(),
        "compiler": "Swift " + said(r"Swift version ([\d.]+)", "swift", "--version"),
        "libraries": ", ".join([*(f"{name} {version}" for name, version in libraries.items()), vectors]),
    }


class Budget:
    """`made_on` says what the numbers depend on; `numbers` has two for each name."""

    def __init__(self, path):
        self.made_on, self.numbers = {}, {}
        lines = path.read_text().splitlines() if path.exists() else []
        for line in lines:
            name, *rest = line.split() or ["#"]
            if name in ("machine", "compiler", "libraries"):
                self.made_on[name] = " ".join(rest)
            elif not name.startswith("#"):
                self.numbers[name] = int(rest[0]), int(rest[1])

    def comparable(self, here):
        """Which of the two numbers of a name may be compared on this machine, and sentences about what may not."""
        differing = {name: value for name, value in self.made_on.items() if here[name] != value}
        notes = [f"the numbers are of {value}, and this is {here[name]}: {EFFECTS[name]}" for name, value in differing.items()]
        if "machine" in differing or "compiler" in differing:
            return [], notes
        return ["own"] if "libraries" in differing else ["own", "libraries"], notes

    def verdicts(self, count, columns):
        """Sentences on what needs more, and on what needs less, than the number for it allows."""
        more, less = [], []
        if count.name not in self.numbers:
            return [f"{count.name} has no number: --write writes it"], less
        for column, allowed in zip(("own", "libraries"), self.numbers[count.name]):
            taken = getattr(count, column)
            change = (taken - allowed) / max(1, allowed)
            is_within = abs(taken - allowed) <= max(SLACK, TOLERANCE * allowed)
            where = "Sluice" if column == "own" else "libraries"
            sentence = f"{count.name}: {taken:,} instructions in {where} instead of {allowed:,}: {abs(change):.1%}"
            if column in columns and not is_within:
                (more if change > 0 else less).append(sentence + (" more" if change > 0 else " less"))
        return more, less


def write(path, counts, here):
    lines = [f"{name:<10} {value}" for name, value in here.items()]
    lines += ["", f"# {'name':<22} {'Sluice':>9} {'libraries':>9}"]
    lines += [f"{count.name:<24} {count.own:>9} {count.libraries:>9}" for count in counts]
    path.write_text(HEAD + "\n".join(lines) + "\n")
