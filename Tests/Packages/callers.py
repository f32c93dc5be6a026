"""Callers for the tests of packages.

usage: callers.py call SOCKET                one streamed chat over FastCGI, as a web server asks for it; prints what came
       callers.py crowd SOCKET URL TOKEN     many, over FastCGI and by way of the web server, until SIGTERM; prints a line when each has been
                                             answered, at the start and after each SIGUSR1 anew, and at the end what became of all calls
       callers.py upstream PORT KEY          an upstream that answers those alone who have the key
       callers.py probe                      does what Sluice does, or may come to do, and what nobody may, in the sandbox of its unit
"""

import array
import collections
import ctypes
import http.client
import http.server
import json
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import threading
import time
import urllib.parse

BODY = json.dumps({"model": "any", "stream": True, "messages": [{"role": "user", "content": "Tell me a joke"}]}).encode()


def record(kind, content):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def parameters(**named):
    made = b""
    for name, value in named.items():
        made += struct.pack(">BB", len(name), len(value)) + name.encode() + value.encode()
    return made


def call(path):
    """What a web server gets for a chat: FastCGI 1.0, without keeping the connection."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(path)
        head = parameters(
            REQUEST_METHOD="POST", REQUEST_URI="/v1/chat/completions", SCRIPT_NAME="/v1/chat/completions", QUERY_STRING="",
            CONTENT_TYPE="application/json", CONTENT_LENGTH=str(len(BODY)), SERVER_PROTOCOL="HTTP/1.1", SLUICE_CLIENT="test")
        connection.sendall(
            record(1, struct.pack(">HB5x", 1, 0)) + record(4, head) + record(4, b"") + record(5, BODY) + record(5, b""))
        stream, output = connection.makefile("rb"), b""
        while len(header := stream.read(8)) == 8:
            _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", header)
            content = stream.read(length + padding)[:length]
            output += content if kind == 6 else b""
        return output.decode()


def call_by_web_server(url, token):
    connection = http.client.HTTPConnection(url, timeout=60)
    connection.request("POST", "/v1/chat/completions", BODY, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    return text if answer.status == 200 else f"status {answer.status}"


def crowd(path, url, token):
    counts, over, answered = collections.Counter(), threading.Event(), threading.Condition()

    def again_and_again(place, kind, ask):
        while not over.is_set():
            try:
                text = ask()
                what = "whole" if "data: [DONE]" in text else text[:40] or "nothing"
            except OSError as error:
                what = type(error).__name__
            with answered:
                counts[f"{kind}: {what}"] += 1
                finished[place] += 1
                answered.notify()

    def tell_when_each_is_answered():
        with answered:
            # The call that is under way does not count.
            wanted = [count + 2 for count in finished]
            answered.wait_for(lambda: all(count >= least for count, least in zip(finished, wanted)))
        print("each has been answered", flush=True)

    asked = [("socket", lambda: call(path))] * 12 + [("web server", lambda: call_by_web_server(url, token))] * 12
    finished = [0] * len(asked)
    threads = [threading.Thread(target=again_and_again, args=(place, *each)) for place, each in enumerate(asked)]
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
    for thread in threads:
        thread.start()
    tell_when_each_is_answered()
    while signal.sigwait([signal.SIGTERM, signal.SIGUSR1]) == signal.SIGUSR1:
        tell_when_each_is_answered()
    over.set()
    for thread in threads:
        thread.join()
    print(json.dumps(counts, sort_keys=True))
    sys.exit(0 if counts and all(what.endswith(": whole") for what in counts) else 1)


def upstream(port, key):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            isKnown = self.headers["Authorization"] == f"Bearer {key}"
            self.send_response(200 if isKnown else 401)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "stub"}
            for delta, reason in [({"role": "assistant", "content": key[-4:]}, None), ({}, "stop")]:
                choice = {"index": 0, "delta": delta, "finish_reason": reason}
                self.wfile.write(f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n".encode())
                # So that there are streams in their midst whenever something happens.
                time.sleep(0.1)
            self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Answer).serve_forever()


def probe():
    """Ends with status 0 when all is allowed that should be, and nothing else is."""
    # Several processes: started from the program's own file, signalled, waited for; memory and sockets that they share.
    child = os.posix_spawn("/proc/self/exe", [sys.executable, "-c", "import time; time.sleep(600)"], os.environ)
    os.close(os.pidfd_open(child))
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
    memory = os.memfd_create("shared")
    os.ftruncate(memory, 4096)
    mmap.mmap(memory, 4096).close()
    left, right = socket.socketpair()
    left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [memory]))])
    assert right.recvmsg(1, 64)[1]
    # Its limits, and sockets of each kind.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    assert most == 16384 and resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
    for family, kind in [(socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET6, socket.SOCK_DGRAM), (socket.AF_UNIX, socket.SOCK_DGRAM)]:
        socket.socket(family, kind).close()
    assert socket.getaddrinfo("upstream.test", 443)
    # Its folders and the machine's authorities, which it may read; nothing else.
    with open(os.environ["RUNTIME_DIRECTORY"] + "/x", "w", encoding="ascii") as file:
        file.write("x")
    assert os.path.getsize("/etc/ssl/certs/ca-certificates.crt")
    libc = ctypes.CDLL(None, use_errno=True)

    def denied(what, ask):
        try:
            assert ask() == -1, f"{what} is allowed"
        except OSError:
            pass

    denied("writing to /run/sluice", lambda: open("/run/sluice/x", "w", encoding="ascii"))
    denied("writing to /etc", lambda: open("/etc/x", "w", encoding="ascii"))
    denied("reading keys", lambda: os.listdir("/etc/sluice/keys"))
    denied("memory that is written and run", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC))
    denied("a raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
    denied("another kind of socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    denied("a namespace", lambda: libc.unshare(0x10000000))
    denied("tracing", lambda: libc.ptrace(16, os.getppid(), 0, 0))
    denied("another user", lambda: os.setuid(0))
    denied("the keyring", lambda: libc.syscall(250, 0, -3, 0))
    for folder in ["/tmp", "/var/tmp", "/dev/shm", os.environ["RUNTIME_DIRECTORY"], os.environ.get("LOGS_DIRECTORY", "/tmp")]:
        with open(f"{folder}/program", "w", encoding="ascii") as file:
            file.write("#!/bin/sh\n")
        os.chmod(f"{folder}/program", 0o755)
        denied(f"running what it wrote to {folder}", lambda: os.posix_spawn(f"{folder}/program", ["x"], {}))
        os.remove(f"{folder}/program")
    assert not [name for name in os.listdir("/proc") if name == "1"], "it sees others' processes"
    print("the probe has passed")


{"call": lambda path: print(call(path)), "crowd": crowd, "upstream": upstream, "probe": probe}[sys.argv[1]](*sys.argv[2:])
