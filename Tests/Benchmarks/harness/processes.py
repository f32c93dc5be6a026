"""Processes that are started, measured and ended by their own ids."""

import contextlib
import os
import pathlib
import pwd
import re
import resource
import signal
import socket
import subprocess
import time

def raise_descriptor_limit(count):
    """Thousands of streams need two descriptors each; children inherit the limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))  # As root that may be.
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        print(f"  (only {hard:,} descriptors are allowed here, and {count:,} wanted: two for each stream)")


def streams_max():
    """How many streams a process here has descriptors for, with some to spare."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 500


def warn_if_busy():
    """Whatever else runs on this machine is in every figure."""
    def idle_and_all():
        ticks = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return ticks[3] + ticks[4], sum(ticks)

    before = idle_and_all()
    time.sleep(1)
    after = idle_and_all()
    busy = 1 - (after[0] - before[0]) / max(1, after[1] - before[1])
    if busy > 0.05:
        print(f"  (other processes use {busy:.0%} of this machine: read ratios, not microseconds)")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A child process that is ready when its address accepts connections.

    `environment` is added to this process's own, `folder` is where it works, `patience` is how many seconds a start may take."""

    def __init__(self, command, address, log, environment=(), folder=None, patience=60):
        self.command = command
        self.address = address
        self.log = pathlib.Path(log)
        self._environment = dict(environment)
        self._folder = folder
        self._patience = patience
        self.start()

    def start(self):
        with open(self.log, "ab") as output:
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self._folder,
                env=os.environ | self._environment,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self):
        return self.child.pid

    def _accepts(self):
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        with socket.socket(family) as probe:
            return probe.connect_ex(self.address) == 0

    def _wait_until_ready(self):
        deadline = time.monotonic() + self._patience
        while not self._accepts():
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.child.args[0]} did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.002)

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            for pid in tree([self.child.pid]):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.child.wait()


class Nginx(Process):
    """An nginx of one configuration file; its log lies beside it."""

    def __init__(self, name, configuration, directory, port, workers=1):
        path = pathlib.Path(directory, f"{name}.conf")
        path.write_text(configuration)
        command = ["nginx", "-p", directory, "-e", f"{directory}/{name}.log", "-c", str(path)]
        self.workers = []
        self._expected = workers
        super().__init__(command, ("127.0.0.1", port), f"{directory}/{name}.log")

    def _accepts(self):
        """The master listens before it has started its workers."""
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        self.workers = [int(pid) for pid in children.split()]
        return len(self.workers) == self._expected and super()._accepts()

    @property
    def url_address(self):
        return f"127.0.0.1:{self.address[1]}"


def certificate(directory, name):
    """Makes a self-signed certificate for 127.0.0.1, with its key beside it, and returns its path."""
    path = f"{directory}/{name}.crt"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-out", path]
    command += ["-keyout", f"{directory}/{name}.key"]
    subprocess.run(command, check=True, capture_output=True)
    return path


def authorities(certificate):
    """The system's authorities and this one in a file: whoever checks certificates holds as much as towards an API on the net."""
    system = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
    path = pathlib.Path(certificate).with_suffix(".authorities")
    path.write_bytes(b"".join(file.read_bytes() for file in (system, pathlib.Path(certificate)) if file.exists()))
    return path


def nginx_modules(names):
    """The `load_module` lines of dynamic modules, where this nginx was built to look for them."""
    build = subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"--modules-path=(\S+)", build)
    if not found:
        raise RuntimeError("this nginx has no dynamic modules; Debian has the Lua module in libnginx-mod-http-lua")
    return "\n".join(f"load_module {found[1]}/{name}.so;" for name in names)


def nginx_user():
    """As root, nginx's workers would change to a user who cannot open the gateway's socket."""
    return f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""


def tree(pids):
    """These processes and all that descend from them."""
    found = list(pids)
    for pid in found:
        try:
            lists = [path.read_text() for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children")]
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has ended meanwhile.
        found += [int(child) for children in lists for child in children.split() if int(child) not in found]
    return found


def cpu_nanoseconds(pids):
    """The time on a CPU of all threads of these processes and their descendants, also of threads that have ended: Linux's clock of
    a process has a number made of its id, as clock_getcpuclockid(3) returns it."""
    def time_of(pid):
        try:
            return time.clock_gettime_ns(~pid << 3 | 2)
        except OSError:
            return 0  # It has ended meanwhile.

    return sum(map(time_of, tree(pids)))


def memory_bytes(pids):
    """Resident, proportional and private memory of these processes and their descendants together."""
    names = {"Rss": "rss", "Pss": "pss", "Private_Clean": "private", "Private_Dirty": "private"}
    total = dict.fromkeys(names.values(), 0)
    for pid in tree(pids):
        try:
            lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has ended meanwhile.
        for line in lines:
            name, _, rest = line.partition(":")
            if name in names:
                total[names[name]] += int(rest.split()[0]) * 1024
    return total
