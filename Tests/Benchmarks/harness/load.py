"""The load generator, as a function."""

import contextlib
import subprocess

from . import processes
from .peers import Peer
from .record import Record


def histogram(line):
    """`histogram=NAME NANOSECONDS:COUNT…`, as the name and the pairs."""
    name, *buckets = line.removeprefix("histogram=").split()
    return name, [tuple(map(int, bucket.split(":"))) for bucket in buckets]


class Run:
    """What a run of the generator printed, and what it cost the peer. Histograms are pairs of nanoseconds and how often."""

    def __init__(self, line, cpu, cpu_beside, histograms=()):
        pairs = dict(pair.split("=", 1) for pair in line.split())
        self.fault = pairs.pop("fault", None)
        self.values = {name: int(value) for name, value in pairs.items()}
        self.cpu = cpu
        self.cpu_beside = cpu_beside
        self.histograms = dict(histograms)

    def __getitem__(self, name):
        return self.values[name]

    @property
    def flawless(self):
        return self["lost"] == 0 and self["wrong"] == 0


class Generator:
    """Runs the Swift load generator against peers and remembers whether anything was lost or wrong."""

    def __init__(self, binary, record=None):
        self.binary = binary
        self.next_number = 1
        self.faults = []
        self.record = record or Record()

    def command(self, mode, peer, **options):
        arguments = [self.binary, mode, "--to", peer.address, "--first-number", str(self.next_number), "--check", peer.check]
        self.next_number += 1_000_000
        for name, value in options.items():
            arguments += ["--" + name.replace("_", "-"), str(value)]
        return arguments

    def run(self, mode, peer, **options):
        """Returns the run and the lines that its mode printed."""
        before = processes.cpu_nanoseconds(peer.counted), processes.cpu_nanoseconds(peer.beside)
        done = subprocess.run(self.command(mode, peer, **options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        after = processes.cpu_nanoseconds(peer.counted), processes.cpu_nanoseconds(peer.beside)
        *lines, last = done.stdout.splitlines() or [""]
        if done.returncode not in (0, 1):
            raise RuntimeError(f"the generator ended with {done.returncode}: {done.stdout[-500:]}")
        histograms = [histogram(line) for line in lines if line.startswith("histogram=")]
        run = Run(last, after[0] - before[0], after[1] - before[1], histograms)
        self.record.add_run(mode, peer, options, run)
        self._check(run, mode, peer)
        return run, [line for line in lines if not line.startswith("histogram=")]

    def alone(self, mode, **options):
        """A mode without any server: what it printed, such as nanoseconds for each request."""
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        done = subprocess.run([self.binary, mode, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError(f"the generator ended with {done.returncode}: {done.stdout[-500:]}")
        found = {name: int(value) for name, value in (pair.split("=") for pair in done.stdout.split())}
        self.record.note(f"{mode} {options}", "sluice", found)
        return found

    def try_once(self, address, mode="stream", check="bytes", **options):
        """One run whose end may be anything; returns the counts."""
        peer = Peer("selfcheck", address, [], check=check)
        numbered = Generator(self.binary)
        done = subprocess.run(numbered.command(mode, peer, **{"callers": 1} | options), stdout=subprocess.PIPE, text=True)
        return Run(done.stdout.splitlines()[-1], 0, 0).values

    @contextlib.contextmanager
    def holding(self, peer, **options):
        """Holds streams open and silent during the `with` block."""
        command = self.command("open", peer, **options)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            line = child.stdout.readline()
            if not line.startswith("open="):
                raise RuntimeError(f"{peer.name} did not open all streams: {line}")
            yield
            line = child.communicate()[0].splitlines()[-1]
        self._check(Run(line, 0, 0), "open", peer)

    def _check(self, run, mode, peer):
        if not run.flawless:
            fault = f"{peer.name}, {mode}: {run['lost']} lost, {run['wrong']} wrong ({run.fault or 'cut off or unfinished'})"
            self.faults.append(fault)
            print("  FAULT", fault)
