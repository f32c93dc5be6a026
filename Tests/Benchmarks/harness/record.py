"""What a run leaves for others: the machine, the versions, the settings, each round's figures and the table, as JSON."""

import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

from . import others


class Record:
    """Collects while figures are measured; `figure` names the one that is."""

    def __init__(self):
        self.begin = datetime.datetime.now(datetime.UTC)
        self.figure = ""
        self.runs = []
        self.notes = []

    def add_run(self, mode, peer, options, run):
        """One run of the load generator: what was asked, what it printed, and the nanoseconds of CPU that it cost."""
        entry = {"figure": self.figure, "peer": peer.name, "mode": mode, "options": options, "printed": run.values}
        entry |= {"cpu_ns": run.cpu, "cpu_beside_ns": run.cpu_beside, "histograms_ns": run.histograms}
        self.runs.append(entry)

    def note(self, what, peer_name, value):
        """A figure that no run has printed."""
        self.notes.append({"figure": self.figure, "peer": peer_name, "what": what, "value": value})

    def write(self, path, settings, versions, rows, skipped, faults):
        """`rows` are the table's, its head first."""
        head, *lines = rows
        document = {
            "command": sys.argv, "begin": self.begin.isoformat(timespec="seconds"),
            "end": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "machine": machine(), "versions": versions, "settings": settings, "runs": self.runs, "notes": self.notes,
            "rows": [dict(zip(head, line)) for line in lines], "skipped": skipped, "faults": faults,
        }
        pathlib.Path(path).write_text(json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8")


def machine():
    processors = re.findall(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    [memory] = re.findall(r"^MemTotal: +(\d+) kB", pathlib.Path("/proc/meminfo").read_text(), re.MULTILINE)
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    return {
        "cpu": processors[0] if processors else platform.machine(), "cores": os.cpu_count(), "memory_bytes": int(memory) * 1024,
        "kernel": platform.release(), "system": system, "load": os.getloadavg(), "python": platform.python_version(),
    }


def versions(sluice, earlier, kinds):
    """Of everything that has been measured."""
    found = {"nginx": nginx_version(), "sluice": printed(sluice, "--version"), "openssl": printed("openssl", "version")}
    if earlier:
        found["earlier"] = printed(earlier, "--version")
    found["python of peers"] = printed("/usr/bin/python3", "--version")
    found["commit"] = printed("git", "-C", str(others.ROOT), "describe", "--always", "--dirty")
    return found | {kind.title: kind.version for kind in kinds}


def nginx_version():
    return printed("nginx", "-v").removeprefix("nginx version: ")


def printed(*command):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else "unknown"
