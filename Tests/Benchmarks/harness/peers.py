"""The stage: one upstream, and the peers that callers reach it through."""

import contextlib
import pathlib
import tempfile
import urllib.request

from . import processes

HARNESS = pathlib.Path(__file__).parent


def configuration(name, /, **values):
    text = (HARNESS / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    return text


class Peer:
    """Something that is measured: where callers reach it, whose CPU and memory count, whose are only reported."""

    def __init__(self, name, address, counted, beside=()):
        self.name = name
        self.address = address
        self.counted = counted
        self.beside = beside

    def memory(self):
        return processes.memory_bytes(self.counted)


class Stage(contextlib.ExitStack):
    """Starts everything in a temporary directory, ends everything with the `with` block."""

    def __init__(self, sluice, workers=1):
        super().__init__()
        self.sluice = sluice
        self.workers = workers

    def __enter__(self):
        super().__enter__()
        try:
            self.directory = self.enter_context(tempfile.TemporaryDirectory(prefix="sluice-benchmarks-"))
            self.upstream_port = self._start_upstream()
            self.peers = [self._proxy_pass(), self._sluice()]
        except BaseException:
            self.close()
            raise
        return self

    def _keep(self, process):
        self.callback(process.stop)
        return process

    def _start_upstream(self):
        port = processes.free_port()
        modules = processes.nginx_modules(["ndk_http_module", "ngx_http_lua_module"])
        text = configuration(
            "upstream.conf", modules=modules, user=processes.nginx_user(), directory=self.directory, harness=HARNESS, port=port
        )
        self._keep(processes.Nginx("upstream", text, self.directory, port))
        return port

    def _front(self, name, target, location):
        port = processes.free_port()
        text = configuration(
            "front.conf", location=(HARNESS / location).read_text(), name=name, target=target, workers=self.workers,
            user=processes.nginx_user(), directory=self.directory, port=port,
        )
        return self._keep(processes.Nginx(name, text, self.directory, port, self.workers))

    def _proxy_pass(self):
        front = self._front("proxy", f"127.0.0.1:{self.upstream_port}", "proxy_pass.conf")
        return Peer("proxy_pass", f"127.0.0.1:{front.address[1]}", front.workers)

    def _sluice(self):
        path = f"{self.directory}/sluice.sock"
        command = [self.sluice, "serve", "--listen", f"unix:{path}", "--workers", str(self.workers)]
        command += ["--upstream", f"http://127.0.0.1:{self.upstream_port}/v1"]
        gateway = self._keep(processes.Process(command, path, f"{self.directory}/sluice.log"))
        front = self._front("front", f"unix:{path}", "fastcgi_pass.conf")
        return Peer("sluice", f"127.0.0.1:{front.address[1]}", [gateway.pid], beside=front.workers)

    def show_logs(self):
        for log in sorted(pathlib.Path(self.directory).glob("*.log")):
            if text := log.read_text()[-2000:]:
                print(f"--- the end of {log.name}\n{text}")

    def closed(self):
        """Streams that reached the upstream since the last call, by number: when their connection closed too early, or 0."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.upstream_port}/closed") as response:
            lines = response.read().decode().splitlines()
        return {int(number): int(moment) for number, moment in map(str.split, lines)}
