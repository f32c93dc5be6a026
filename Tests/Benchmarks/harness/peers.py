"""The stage: one upstream, and the peers that callers reach it through."""

import collections
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
    """Something that is measured: where callers reach it, whose CPU and memory count, whose are only reported, and whether each byte
    of its streams must be the upstream's, or what the events say."""

    def __init__(self, name, address, counted, beside=(), check="bytes"):
        self.name = name
        self.address = address
        self.counted = counted
        self.beside = beside
        self.check = check

    def memory(self):
        return processes.memory_bytes(self.counted)


class ProxyPass(Peer):
    """An nginx in front of the upstream."""

    hop = "none"

    def __init__(self, front):
        super().__init__("proxy_pass", front.url_address, front.workers)
        self.process = front

    def restart(self):
        """Starts it anew: no connection to the upstream is kept, no session."""
        self.process.stop()
        self.process.start()
        self.counted = self.process.workers


class Gateway(Peer):
    """A Sluice behind an nginx of its own."""

    hop = "nginx, FastCGI"

    def __init__(self, name, front, process):
        super().__init__(name, front.url_address, [process.pid], beside=front.workers)
        self.process = process

    def restart(self):
        """Starts it anew, while its nginx goes on."""
        self.process.stop()
        self.process.start()
        self.counted = [self.process.pid]


def tls_settings(authorities, port):
    return f"""
        authorities_file = "{authorities}"
        [upstreams.tls]
        url = "https://127.0.0.1:{port}/v1"
    """


class Machines(Peer):
    """Sluices on ports of this machine, behind one nginx that shares calls out among them."""

    def __init__(self, name, front, responders):
        super().__init__(name, front.url_address, [process.pid for process in responders], beside=front.workers)


class Stage(contextlib.ExitStack):
    """Starts everything in a temporary directory, ends everything with the `with` block."""

    # Of each nginx that is started from now on.
    connections = 16_000

    def __init__(self, sluice, workers=1, earlier=None):
        super().__init__()
        self.sluice = sluice
        self.earlier = earlier
        self.workers = workers
        self._peers_over = {}

    def __enter__(self):
        super().__enter__()
        try:
            self.directory = self.enter_context(tempfile.TemporaryDirectory(prefix="sluice-benchmarks-"))
            self.upstream_port = self._start_upstream()
            url = f"http://127.0.0.1:{self.upstream_port}/v1"
            gateways = [self._gateway(name, executable, "--upstream", url) for name, executable in self._executables]
            self.peers_and_earlier = [self.proxy_pass("proxy", self.upstream_port), *gateways]
            self.peers = self.peers_and_earlier[:2]
        except BaseException:
            self.close()
            raise
        return self

    @property
    def _executables(self):
        """By the names of their peers."""
        return [("sluice", self.sluice), *([("earlier", self.earlier)] if self.earlier else [])]

    def keep(self, process):
        self.callback(process.stop)
        return process

    def _start_upstream(self):
        """One nginx with a port for each kind of upstream."""
        port, self.steady_port, self.stalling_port, self.tls_port = (processes.free_port() for _ in range(4))
        self.tls_http1_port, self.closing_port = (processes.free_port() for _ in range(2))
        self.certificate = processes.certificate(self.directory, "upstream")
        self.authorities = processes.authorities(self.certificate)
        modules = processes.nginx_modules(["ndk_http_module", "ngx_http_lua_module"])
        text = configuration(
            "upstream.conf", modules=modules, user=processes.nginx_user(), directory=self.directory, harness=HARNESS, port=port,
            steady_port=self.steady_port, stalling_port=self.stalling_port, tls_port=self.tls_port,
            tls_http1_port=self.tls_http1_port, closing_port=self.closing_port,
        )
        self._upstream = self.keep(processes.Nginx("upstream", text, self.directory, port))
        return port

    def restart_upstream(self):
        """Ends all its streams. Over TLS and HTTP/1.1 it does not notice that somebody left, and the silent ones would stay."""
        self._upstream.stop()
        self._upstream.start()

    def front(self, name, target, location, scheme="", change=lambda text: text):
        """An nginx that callers reach, for as long as the stage lasts."""
        port = processes.free_port()
        text = configuration(
            "front.conf", location=(HARNESS / location).read_text(), name=name, target=target, workers=self.workers,
            user=processes.nginx_user(), directory=self.directory, port=port, scheme=scheme, connections=self.connections,
        )
        return self.keep(processes.Nginx(name, change(text), self.directory, port, self.workers))

    def proxy_pass(self, name, port, scheme="http"):
        """An nginx in front of the upstream's port, for as long as the stage lasts."""
        return ProxyPass(self.front(name, f"127.0.0.1:{port}", "proxy_pass.conf", scheme))

    def _gateway(self, name, executable, *options, peer=None):
        path = f"{self.directory}/{name}.sock"
        command = [executable, "serve", "--listen", f"unix:{path}", "--workers", str(self.workers), *options]
        process = self.keep(processes.Process(command, path, f"{self.directory}/{name}.log"))
        return Gateway(peer or name, self.front(f"{name}-front", f"unix:{path}", "fastcgi_pass.conf"), process)

    def machines(self, count, *options):
        """So many Sluices, as if each was on a machine of its own, for as long as the stage lasts."""
        name = f"machines-{count}"
        ports = [processes.free_port() for _ in range(count)]
        responders = [
            self.keep(processes.Process(
                [self.sluice, "serve", "--listen", f"tcp:127.0.0.1:{port}", "--workers", "1", *options],
                ("127.0.0.1", port), f"{self.directory}/{name}-{port}.log"))
            for port in ports
        ]
        servers = ";".join(f" server 127.0.0.1:{port}" for port in ports).removeprefix(" server ")
        target = f"{servers}; zone {name} 64k; least_conn"
        return Machines(name, self.front(f"{name}-front", target, "fastcgi_pass.conf"), responders)

    def front_with_tls(self, peer):
        """The same Sluice behind an nginx that callers reach over TLS, as nginx/server.conf has it."""
        def with_tls(text):
            files = f"ssl_certificate {self.certificate}; ssl_certificate_key {self.directory}/upstream.key"
            return text.replace("backlog=4096;", f"backlog=4096 ssl; {files}; ssl_buffer_size 4k;")

        front = self.front("tls-front", f"unix:{peer.process.address}", "fastcgi_pass.conf", change=with_tls)
        return Peer("front with TLS", front.url_address, front.workers)

    def gateway(self, name, settings):
        """A Sluice with these settings, for as long as the stage lasts."""
        return self._gateway(name, self.sluice, *self._settings(name, settings))

    def _settings(self, name, settings):
        path = pathlib.Path(self.directory, f"{name}.toml")
        path.write_text(settings)
        return "--config", str(path)

    def peers_over_tls(self, port, nginx_port):
        """The peers with TLS to the upstream, for as long as the stage lasts; nginx goes to a port of its own."""
        if port not in self._peers_over:
            settings = self._settings(f"tls-{port}", tls_settings(self.authorities, port))
            gateways = [
                self._gateway(f"{name}-{port}", executable, *settings, peer=name) for name, executable in self._executables
            ]
            self._peers_over[port] = [self.proxy_pass(f"proxy-{port}", nginx_port, "https"), *gateways]
        return self._peers_over[port]

    def show_logs(self):
        for log in sorted(pathlib.Path(self.directory).glob("*.log")):
            if text := log.read_text()[-2000:]:
                print(f"--- the end of {log.name}\n{text}")

    def _report(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.upstream_port}/{name}") as response:
            return map(str.split, response.read().decode().splitlines())

    def closed(self):
        """Streams that reached the upstream since the last call, by number: when their connection closed too early, or 0."""
        return {int(number): int(moment) for number, moment in self._report("closed")}

    def counts(self):
        """What the upstreams have counted since their start: `requests`, `http2` and `stalls` among them; handshakes that have `begun`
        on the port with HTTP/2; `handshakes` of the port that closes, and `resumed` among them."""
        return collections.Counter({name: int(count) for name, count in self._report("counts")})
