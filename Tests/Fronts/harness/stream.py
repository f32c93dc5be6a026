"""A Sluice with an upstream whose events this program sends one by one, and callers in front of it."""

import json
import os
import pathlib
import queue
import re
import select
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
# For what takes a moment; a machine that does something else meanwhile takes more.
WITHIN = 30


class Failure(Exception):
    """Something is not as the documents have it."""


class Skipped(Exception):
    """This machine lacks something for it."""


def run(*command, where=(), **options):
    """A command's output; `where` are words ahead of it."""
    command = list(map(str, [*where, *command]))
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, **options)
    if done.returncode:
        raise Failure(f"{' '.join(command)} ended with status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def recipe(document, heading):
    """The commands and the blocks of code below a heading, in order; commands that stand together are one."""
    text = (ROOT / "docs" / document).read_text()
    section = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    if not section:
        raise Failure(f"docs/{document} has no '{heading}'")
    blocks = re.findall(r"^```\w*\n(.*?)^```", section[1], re.MULTILINE | re.DOTALL)
    commands = re.sub(r"^```.*?^```\n", "", section[1], flags=re.MULTILINE | re.DOTALL)
    commands = re.findall(r"(?:^    .*\n)+", commands, re.MULTILINE)
    return [re.sub("^    ", "", part, flags=re.MULTILINE) for part in commands], blocks


def follow(commands, folder):
    """Does as a document says, but for packages and services."""
    run("bash", "-euc", f"systemctl() {{ :; }}; apt-get() {{ :; }}\n{commands}", cwd=folder)


def own_etc(folder):
    """From here on /etc is a copy, and what recipes name stands in the folder."""
    run("mount", "-t", "tmpfs", "tmpfs", folder)
    run("cp", "-a", "/etc", folder / "etc")
    run("mount", "--bind", folder / "etc", "/etc")
    for place in ("/run", "/var/log"):
        run("mount", "-t", "tmpfs", "tmpfs", place)
    os.mkdir("/var/log/nginx")
    run("cp", "-r", ROOT / "deploy", ROOT / "nginx", folder)
    certify(folder)


def certify(folder):
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "privkey.pem"]
    run("openssl", "req", "-x509", *key, "-days", "2", "-subj", "/CN=sluice.example.com", "-out", folder / "fullchain.pem")


class Service:
    """A program that goes on, with a log of its own."""

    def __init__(self, folder, name, *command, where=()):
        self.log = folder / f"{name}.log"
        with self.log.open("w") as log:
            # nginx in a container opens it by its name, /dev/stdout; what runs containers gives it to their user.
            os.fchmod(log.fileno(), 0o666)
            self.process = subprocess.Popen(
                [*where, *map(str, command)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.name = name

    def said(self, text):
        until(lambda: text in self.log.read_text(errors="replace") or self.check(), f"{self.name} to say '{text}'")

    def has_answered(self):
        """Whether this Sluice has answered a call."""
        return '"message":"answered"' in self.log.read_text()

    def check(self):
        """Fails when it has ended; false otherwise."""
        if self.process.poll() is not None:
            raise Failure(f"{self.name} has ended with status {self.process.returncode}")
        return False

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        try:
            self.process.wait(WITHIN)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} does not end") from None


def until(holds, what, within=WITHIN):
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            raise Failure(f"waited in vain for {what}")
        time.sleep(0.05)


class Upstream:
    """Answers each call as the test says."""

    def __init__(self, path):
        self.calls = queue.Queue()
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        head, body = b"", b""
        while b"\r\n\r\n" not in head:
            part = connection.recv(65536)
            if not part:
                return
            head += part
        head, body = head.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)[1])
        while len(body) < length:
            part = connection.recv(65536)
            if not part:
                return
            body += part
        self.calls.put(Stream(connection))

    def next(self):
        try:
            return self.calls.get(timeout=WITHIN)
        except queue.Empty:
            raise Failure("no call has reached the upstream") from None


class Stream:
    """One answer."""

    def __init__(self, connection):
        self.connection = connection
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")

    def event(self, content, reason=None):
        delta = {"content": content} if content else {}
        chunk = {
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
        }
        self.connection.sendall(f"data: {json.dumps(chunk)}\n\n".encode())

    def finish(self):
        self.event(None, "stop")
        self.connection.sendall(b"data: [DONE]\n\n")
        self.connection.close()

    def is_cancelled(self, writes, within=WITHIN):
        """The caller's leaving has come here. Some web servers find it out by the next event alone."""
        deadline = time.monotonic() + within
        try:
            while time.monotonic() < deadline:
                if writes:
                    self.event("more")
                if select.select([self.connection], [], [], 0.3)[0]:
                    return self.connection.recv(1) == b""
        except OSError:
            return True
        return False


class Caller:
    """A curl."""

    def __init__(self, token, *options, address="https://127.0.0.1"):
        chat = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]})
        self.process = subprocess.Popen(
            ["curl", "-skN", "-m", "300", "-w", "\n%{http_version} %{http_code}", *options,
             "-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json", "-d", chat,
             f"{address}/v1/chat/completions"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        self.text = ""

    def sees(self, text):
        deadline = time.monotonic() + WITHIN
        while text not in self.text:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Failure(f"the caller waits in vain for '{text}', and has {self.text!r}")
            part = os.read(self.process.stdout.fileno(), 65536).decode()
            if not part:
                raise Failure(f"the answer ends without '{text}': {self.text!r}")
            self.text += part

    def end(self):
        """The version of HTTP, and the status."""
        self.text += self.process.stdout.read().decode()
        self.process.wait()
        return self.text.rsplit("\n", 1)[1]

    def leave(self):
        self.process.kill()
        self.process.wait()


def begun(upstream, token, *options, **where):
    """A stream whose first event has come."""
    caller = Caller(token, *options, **where)
    stream = upstream.next()
    stream.event("word 0.")
    caller.sees("word 0.")
    return caller, stream


def check_stream(upstream, token, version, **where):
    """Each event arrives before the next one is sent, and the end is the end."""
    option = {"1.1": "--http1.1", "2": "--http2"}[version]
    caller, stream = begun(upstream, token, option, **where)
    for number in range(1, 20):
        stream.event(f"word {number}.")
        caller.sees(f"word {number}.")
    stream.finish()
    if caller.end() != f"{version} 200" or "data: [DONE]\n\n" not in caller.text:
        raise Failure(f"over HTTP/{version} a stream ends with {caller.text[-300:]!r}")


def check_leaving(upstream, token, writes=False, options=("--http1.1", "--http2"), **where):
    for option in options:
        caller, stream = begun(upstream, token, option, **where)
        caller.leave()
        if not stream.is_cancelled(writes):
            raise Failure(f"a caller has left ({option}), and the upstream's answer goes on")


def start_sluice(binary, folder, upstream, listen, *, name="sluice", where=(), more=""):
    settings = folder / f"{name}.toml"
    settings.write_text(
        f'listen = "{listen}"\ncontrol = "unix:{folder}/{name}.control"\n{more}\n'
        # What ends a stream is to be the caller's leaving, and nothing else.
        'heartbeat = "0s"\ntimeouts = { idle = "10m", drain = "10m" }\n'
        f'[upstreams.stub]\nurl = "unix:{upstream.path}:/v1"\n')
    return start_service(folder, name, binary, "serve", "--config", settings, where=where)


def start_service(folder, name, *command, where=()):
    """A Sluice that accepts calls."""
    service = Service(folder, name, *command, where=where)
    service.said('"message":"serving"')
    return service


def accepts(host, port, where=()):
    """Whether somebody listens there."""
    command = [*where, "bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}"]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
