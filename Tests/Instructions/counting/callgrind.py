"""Runs a program below valgrind's callgrind, and reads what it has counted."""

import bisect
import collections
import pathlib
import re
import shlex
import subprocess

# What else would differ from run to run and from machine to machine: the seed of Swift's hashes, and which of its string
# functions glibc takes on this CPU. OpenSSL sees the CPU that valgrind makes up, which is the same on all with AVX2.
ENVIRONMENT = {
    "SWIFT_DETERMINISTIC_HASHING": "1",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-AVX_Fast_Unaligned_Load,-BMI2,-ERMS,-FSRM,-MOVBE,-RTM",
}


class Profile:
    """Instructions in user space, by object file and function."""

    def __init__(self, counts, own, symbols):
        self.counts = counts
        self._own = str(own)
        self._symbols = symbols

    def minus(self, other):
        return Profile({key: count - other.counts.get(key, 0) for key, count in self.counts.items()}, self._own, self._symbols)

    @property
    def own(self):
        """In the program itself and the Swift runtime that is linked into it."""
        return sum(count for (file, _), count in self.counts.items() if file == self._own)

    @property
    def libraries(self):
        return sum(self.counts.values()) - self.own

    def functions(self):
        """A counter by name: of the program's functions, and of each library as a whole."""
        named = collections.Counter()
        for (file, function), count in self.counts.items():
            named[self._symbols.name(function) if file == self._own else pathlib.Path(file).name] += count
        return named


class Callgrind:
    """`command` runs the binary below callgrind; its counts come into a folder of their own."""

    def __init__(self, binary, linker_map, directory, name):
        self._symbols = Symbols(linker_map)
        self._binary = pathlib.Path(binary).resolve()
        self._folder = pathlib.Path(directory, name)
        self._folder.mkdir()
        self.command = self._folder / "run"
        variables = " ".join(f"{name}={value}" for name, value in ENVIRONMENT.items())
        output = shlex.quote(f"--callgrind-out-file={self._folder}/%p")
        self.command.write_text(
            f'#!/bin/sh\nexport {variables}\nexec valgrind -q --tool=callgrind {output} {shlex.quote(str(self._binary))} "$@"\n'
        )
        self.command.chmod(0o755)

    def dump(self, pid):
        """What a process has counted since the last call, or since its start."""
        control = subprocess.run(["callgrind_control", "--dump", str(pid)], capture_output=True, text=True)
        if control.returncode:
            raise RuntimeError(f"callgrind_control: {control.stderr or control.stdout}")
        return self._taken(f"{pid}.*", (control.stdout + control.stderr).strip())

    def ended(self):
        """What the process has counted that has run last."""
        return self._taken("[0-9]*")

    def _taken(self, pattern, said=""):
        paths = list(self._folder.glob(pattern))
        if len(paths) != 1:
            raise RuntimeError(f"callgrind has written {len(paths)} files for {pattern}, not one: {said}".rstrip(": "))
        path = paths[0]
        profile = Profile(counts_by_function(path), self._binary, self._symbols)
        path.unlink()
        if any("libswiftCore" in file for file, _ in profile.counts):
            raise RuntimeError(f"{self._binary} is not linked as releases are: build it with --static-swift-stdlib")
        if not profile.own:
            raise RuntimeError(f"{self._binary} has counted nothing")
        return profile


def counts_by_function(path):
    """Of a file of callgrind's: instructions by object file and function, without what these call."""
    counts = collections.Counter()
    names = {"ob": {}, "fn": {}}
    file, function, is_call = "", "", False

    def name(kind, text):
        """A number in parentheses, with the name where it stands for the first time."""
        number, _, said = text.partition(" ")
        return names[kind].setdefault(number, said)

    with open(path) as lines:
        for line in lines:
            key, is_pair, value = line.rstrip("\n").partition("=")
            if key in ("ob", "cob", "fn", "cfn") and is_pair:
                found = name(key[-2:], value)
                file = found if key == "ob" else file
                function = found if key == "fn" else function
            elif key == "calls":
                is_call = True
            elif line[0] in "0123456789+-*":
                # Behind `calls` stands what was called, all together.
                if not is_call:
                    counts[file, function] += int(line.split()[1])
                is_call = False
    return counts


class Symbols:
    """Names of a stripped program's functions, which callgrind knows by their addresses, from the linker's map."""

    def __init__(self, linker_map):
        """A map that is not there names nothing; it is read once a name is asked for."""
        self._map = linker_map
        self._starts, self._names = [], []

    def _read(self):
        if not self._map or not self._map.exists():
            return
        # A section for each function, with its address on the same line or on the next; or a symbol behind its address.
        section, symbol = r" \.text\.(\S+)\s+0x([0-9a-f]+)\s+0x[1-9a-f]", r" {16}0x([0-9a-f]+) {10,}(\S+)$"
        text = self._map.read_text(errors="replace")
        found = [(int(match[2], 16), match[1]) for match in re.finditer("^" + section, text, re.MULTILINE)]
        found += [(int(match[1], 16), match[2]) for match in re.finditer("^" + symbol, text, re.MULTILINE)]
        found.sort()
        self._starts = [start for start, _ in found]
        self._names = [name for _, name in found]
        self._map = None

    def name(self, function):
        # Callgrind tells a function from itself further down: `NAME'2`.
        function = re.sub(r"'\d+$", "", function)
        if not function.startswith("0x"):
            return function
        self._read()
        index = bisect.bisect(self._starts, int(function, 16)) - 1
        return self._names[index] if index >= 0 else "Sluice (no names of functions)"


def demangled(names):
    """In the order of the names; unchanged where Swift's own demangler is missing."""
    try:
        done = subprocess.run(
            ["swift", "demangle", "--simplified", "--compact"], input="\n".join(names), capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return names
    return done.stdout.splitlines()
