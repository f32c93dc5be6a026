"""What is looked at from outside: the process once a second, and its log."""

import collections
import json
import os
import pathlib


def status_kib(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def descriptor_kinds(pid, ports):
    """How many there are of each kind; TCP connections by the names of the ports that they lead to."""
    peers = {}
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        peers[fields[9]] = int(fields[2].split(":")[1], 16)
    kinds = collections.Counter()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        if target.startswith("socket:["):
            port = peers.get(target[8:-1])
            kinds[f"to {ports.get(port, port)}" if port else "socket"] += 1
        else:
            kinds[target.split(":")[-1]] += 1
    return kinds


def tcp_states(port):
    """What the kernel knows of the connections that lead to a port: state, bytes unsent and unread, timer (proc(5))."""
    lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [f"state {fields[3]}, queues {fields[4]}, from port {int(fields[1].split(':')[1], 16)}" for fields in lines
            if int(fields[2].split(":")[1], 16) == port]


class Log:
    """Sluice's log, read as it grows."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.rest = b""
        self.answered = collections.Counter()
        self.endings = {}
        self.loud = collections.Counter()
        self.faults = []
        self.unread = []  # lines that are no JSON: the runtime's last words

    def read(self):
        *lines, self.rest = (self.rest + self.file.read()).split(b"\n")
        for line in lines:
            self.take(line)

    def take(self, line):
        try:
            fields = json.loads(line)
            message = fields["message"]
        except (ValueError, KeyError, TypeError):
            self.unread.append(line.decode(errors="replace"))
            self.faults.append(f"a line of the log is no JSON object with a message: {line[:300]!r}")
            return
        if message == "answered":
            self.answered[fields["request"]] += 1
            self.endings[fields["request"]] = fields["ending"]
            return
        self.loud[f"{fields.get('level')}: {message}"] += 1
        if b"defect" in line or fields.get("level") == "critical":
            self.faults.append(f"the log tells of a defect: {line[:500].decode(errors='replace')}")
