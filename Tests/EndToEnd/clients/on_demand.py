"""Stands in for systemd with a socket unit: starts a service when somebody calls, and anew when somebody calls after its end.

usage: on_demand.py PATH -- COMMAND...

The socket at PATH is the service's descriptor 0. Each start is a line of the standard output, `started`, and each end, `ended STATUS`.
"""

import ctypes
import select
import signal
import socket
import subprocess
import sys

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def main():
    path, border, *command = sys.argv[1:]
    assert border == "--"
    made = socket.socket(socket.AF_UNIX)
    made.bind(path)
    made.listen(4096)
    print("listening", flush=True)
    while True:
        select.select([made], [], [])
        service = subprocess.Popen(command, stdin=made, preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        print("started", flush=True)
        print("ended", service.wait(), flush=True)


main()
