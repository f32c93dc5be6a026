"""One Sluice, and a look at it from outside."""

import asyncio
import os
import pathlib
import re
import signal
import subprocess
import time

import watch

INJECTED = re.compile(r"\(INJECTED\)")


class Daemon:
    """Started by a command, with or without strace before it."""

    def __init__(self, site, binary, directory, workers, strace=()):
        self.site, self.socket, self.log = site, f"{directory}/sluice.sock", f"{directory}/sluice.log"
        self.output = open(self.log, "wb")
        pathlib.Path(self.socket).unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [*strace, *site.command(binary, self.socket, workers)], env=site.environment(), stdin=subprocess.DEVNULL,
            stdout=self.output, stderr=self.output, cwd=directory)
        self.pid = self.process.pid
        self.is_traced = bool(strace)

    @property
    def is_alive(self):
        return self.process.poll() is None

    def words(self):
        return pathlib.Path(self.log).read_text(errors="replace")

    async def accepts(self, seconds):
        """Whether it does within the time; it may end first."""
        deadline = time.monotonic() + seconds
        while self.is_alive and time.monotonic() < deadline:
            try:
                _, writer = await asyncio.open_unix_connection(self.socket)
                writer.close()
                return True
            except OSError:
                await asyncio.sleep(0.01)
        return False

    def own_pid(self):
        """Of the process behind strace."""
        if self.is_traced:
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            return int(children[0]) if children else None
        return self.process.pid

    async def end(self, number=signal.SIGTERM, seconds=10):
        """Its status, or none when it did not end in time and was killed."""
        try:
            if pid := self.own_pid():
                os.kill(pid, number)
        except OSError:
            pass
        return await self.ended(seconds)

    async def ended(self, seconds):
        deadline = time.monotonic() + seconds
        while self.is_alive and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        status = self.process.poll()
        if status is None:
            self.kill()
        self.output.close()
        return status

    def kill(self):
        try:
            if self.is_alive and (pid := self.own_pid()):
                os.kill(pid, signal.SIGKILL)  # strace ends with it, and alone would let it run on
        except OSError:
            pass
        self.process.kill()
        self.process.wait()

    def descriptors(self):
        names = {port: name for name, port in self.site.ports.items()}
        return watch.descriptor_kinds(self.pid, names)

    def cpu_seconds(self):
        """Of all its threads, to the nanosecond (proc(5), schedstat)."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except (OSError, IndexError):
                pass  # a thread that has ended
        return total / 1e9


class Injection:
    """strace at the side of a daemon that runs, from the moment on that it has all of its threads."""

    def __init__(self, daemon, path, options):
        self.path = path
        self.process = subprocess.Popen(
            ["strace", "-f", "-p", str(daemon.pid), "-o", path, *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    async def attached(self):
        """strace names each thread that it has attached to; by then the daemon runs on."""
        descriptor = self.process.stderr.fileno()
        os.set_blocking(descriptor, False)
        text, deadline = b"", time.monotonic() + 10
        while b"attached" not in text and time.monotonic() < deadline and self.process.poll() is None:
            await asyncio.sleep(0.005)
            try:
                text += os.read(descriptor, 65_536)
            except BlockingIOError:
                pass
        await asyncio.sleep(0.01)
        if b"attached" not in text:
            raise RuntimeError(f"strace could not attach: {text!r}")

    def has_struck(self):
        return count_struck(self.path) > 0

    async def detach(self):
        """A second call does nothing."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + 5
        while self.process.poll() is None and time.monotonic() < deadline:
            await asyncio.sleep(0.005)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()


def count_struck(path):
    try:
        return len(INJECTED.findall(pathlib.Path(path).read_text(errors="replace")))
    except OSError:
        return 0
