"""Stands in for systemd with socket units: makes the sockets, starts the service with them, and starts it anew at each SIGHUP.

usage: systemd.py NAME=ADDRESS... -- COMMAND...

An ADDRESS is a unix socket's path, or a port of 127.0.0.1. Each start is a line of the standard output, `started PID`. SIGTERM ends the
service and this, with the service's status; so does the service by its own end.
"""

import ctypes
import os
import signal
import socket
import sys

FIRST = 3
PR_SET_PDEATHSIG = 1
WATCHED = [signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD]


def listening(address):
    if address.isdigit():
        made = socket.create_server(("127.0.0.1", int(address)))
    else:
        made = socket.socket(socket.AF_UNIX)
        made.bind(address)
        made.listen(4096)
    return made


def start(units, command):
    pid = os.fork()
    if pid:
        print("started", pid, flush=True)
        return pid
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
    # Out of the way first: the numbers that they get may be others' among them.
    spare = [os.dup2(made.fileno(), 100 + index) for index, (_, made) in enumerate(units)]
    for index, number in enumerate(spare):
        os.dup2(number, FIRST + index)
        os.set_inheritable(FIRST + index, True)
        os.set_inheritable(number, False)
    names = ":".join(name for name, _ in units)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(units)), LISTEN_FDNAMES=names)
    os.execv(command[0], command)


def main():
    border = sys.argv.index("--")
    units = [(name, listening(address)) for name, address in (unit.split("=", 1) for unit in sys.argv[1:border])]
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    service = start(units, sys.argv[border + 1:])
    while (number := signal.sigwait(WATCHED)) == signal.SIGHUP:
        os.kill(service, signal.SIGTERM)
        status = os.waitstatus_to_exitcode(os.waitpid(service, 0)[1])
        # Its end has been waited for, and is no news any more.
        while signal.SIGCHLD in signal.sigpending():
            signal.sigwait([signal.SIGCHLD])
        if status:
            sys.exit(f"the service ended with {status}")
        service = start(units, sys.argv[border + 1:])
    if number == signal.SIGTERM:
        os.kill(service, signal.SIGTERM)
    sys.exit(abs(os.waitstatus_to_exitcode(os.waitpid(service, 0)[1])))


main()
