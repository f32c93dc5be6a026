"""Everything that is started: Sluice, the web server before it, and what it calls."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

HARNESS = pathlib.Path(__file__).parent
REPOSITORY = HARNESS.parents[2]
TOKEN = "soak-token"
QUEUE_CONCURRENT = 4

# Ports to which each worker keeps connections without a request, and how many at most: over HTTP/2 one may be replacing another.
WARM = {"nginx_h2": 2, "idle408": 2, "warm": 2}

SETTINGS = """
authorities_file = "@directory@/localhost.crt"
heartbeat = "1s"
dns_ttl = "2s"
retries = 0
rest_for = "0s"
hedge_max = "100%"
[timeouts]
connect = "5s"
first_token = "12s"
idle = "12s"
send = "12s"
total = "4h"
client_write = "20s"
"""

# name, URL, further keys
UPSTREAMS = [
    ("plain", "http://127.0.0.1:@plain@/v1", ""),
    ("unix", "unix:@directory@/stub.sock:/v1", ""),
    ("h1tls", "https://localhost:@nginx_h1@/v1", 'http = "1.1"'),
    ("h2tls", "https://localhost:@nginx_h2@/v1", "warm = 2"),
    ("h2c", "http://127.0.0.1:@nginx_h2c@/v1", 'http = "2"\nstreams_per_connection = 4'),
    ("fragile", "https://localhost:@fragile@/v1", ""),
    ("tlsdirect", "https://localhost:@tlsdirect@/v1", 'http = "1.1"'),
    ("wrongname", "https://127.0.0.1:@nginx_h1@/v1", ""),
    ("refused", "http://127.0.0.1:@refused@/v1", ""),
    ("deaf", "http://127.0.0.1:@deaf@/v1", ""),
    ("noname", "http://name.invalid:80/v1", ""),
    ("surplus", "http://127.0.0.1:@surplus@/v1", ""),
    ("idle408", "http://127.0.0.1:@idle408@/v1", "warm = 2"),
    ("warm", "http://127.0.0.1:@warm@/v1", "warm = 2"),
    ("late", "http://127.0.0.1:@late@/v1", ""),
    ("queue", "http://127.0.0.1:@queue@/v1", f'concurrent = {QUEUE_CONCURRENT}\nqueue = 6\nqueue_wait = "400ms"'),
    ("reference", "http://127.0.0.1:@reference@/v1", ""),
]

# match, targets, further keys
MODELS = [
    *((name, f'["{name}"]', "") for name, _, _ in UPSTREAMS if name not in ("idle408", "deaf")),
    ("idle408", '["idle408"]', 'retries = 4\nretry_budget = "100%"'),
    ("deaf", '["deaf"]', 'timeouts.connect = "700ms"'),
    ("stall", '["plain"]', 'timeouts.idle = "400ms"'),
    ("stallh2", '["h2tls"]', 'timeouts.idle = "400ms"'),
    ("silent", '["plain"]', 'timeouts.first_token = "500ms"'),
    ("retry", '["plain"]', 'retries = 2\nretry_budget = "100%"'),
    ("hedge", '[{upstream = "plain", model = "hedge-first"}, {upstream = "unix", model = "hedge-second"}]', 'hedge_after = "100ms"'),
    ("second-refused", '["refused", {upstream = "plain", model = "second"}]', ""),
    ("second-failed", '[{upstream = "plain", model = "first"}, {upstream = "h2tls", model = "second"}]', ""),
    ("second-deaf", '["deaf", {upstream = "unix", model = "second"}]', 'timeouts.connect = "800ms"'),
    ("second-stalled", '[{upstream = "h2c", model = "first"}, {upstream = "plain", model = "second"}]', 'timeouts.first_token = "3s"'),
]

NGINX = """
pid @directory@/@name@.pid;
error_log @directory@/@name@.log error;
daemon off;
@user@
worker_processes 1;
worker_rlimit_nofile 4096;
events { worker_connections 2000; }
http {
    access_log off;
    client_body_temp_path @directory@/@name@-body;
    proxy_temp_path @directory@/@name@-proxy;
    fastcgi_temp_path @directory@/@name@-fastcgi;
    uwsgi_temp_path @directory@/@name@-uwsgi;
    scgi_temp_path @directory@/@name@-scgi;
    @content@
}
"""

TERMINATOR = """
    ssl_certificate @directory@/localhost.crt;
    ssl_certificate_key @directory@/localhost.key;
    client_max_body_size 0;
    lingering_timeout 1s;  # at its end: to close ahead of what the client still says would take along what was sent
    lingering_time 2s;
    keepalive_requests 40;
    keepalive_timeout 4s;
    client_header_timeout 4s;  # for a connection that was opened and then not needed
    @servers@
"""

SERVER = """
    server {
        listen 127.0.0.1:@port@ @options@;
        location / {
            proxy_pass http://127.0.0.1:@plain@;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 10m;
        }
    }
"""


def filled(text, values):
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    return text


def free_ports(names, further=0):
    """Below those that the kernel gives to connections, so that none is taken meanwhile."""
    ports = {}
    port = 10_000 + os.getpid() * 37 % 15_000 + further
    for name in names:
        while True:
            port += 1
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    break
        ports[name] = port
    return ports


class Child:
    """A process that is ended by its own id."""

    def __init__(self, command, log, environment=None, **pipes):
        self.command, self.log = command, log
        with open(log, "ab") as output:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output} | pipes
            self.process = subprocess.Popen(command, env=environment, **pipes)

    @property
    def pid(self):
        return self.process.pid

    @property
    def is_alive(self):
        return self.process.poll() is None

    def wait_until_accepts(self, address):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        deadline = time.monotonic() + 30
        while True:
            with socket.socket(family) as probe:
                if probe.connect_ex(address) == 0:
                    return
            if not self.is_alive or time.monotonic() > deadline:
                raise RuntimeError(f"{self.command[0]} did not start:\n{pathlib.Path(self.log).read_text()[-3000:]}")
            time.sleep(0.02)

    def end(self, signal_number=signal.SIGTERM):
        if self.is_alive:
            self.process.send_signal(signal_number)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Site:
    """All of it, below one directory."""

    def __init__(self, directory, binary, workers, seed):
        self.directory, self.binary, self.workers, self.seed = directory, binary, workers, seed
        self.socket = f"{directory}/sluice.sock"
        names = ["plain", "nginx_h1", "nginx_h2", "nginx_h2c", "fragile", "tlsdirect", "surplus", "idle408", "warm", "late", "queue"]
        self.ports = free_ports(names + ["reference", "front", "secure"])
        self.values = self.ports | {"directory": directory}
        self.held = []
        self.children = []

    def start(self):
        self._certificate()
        self._hold_ports()
        self.stub = self._start_stub()
        self.nginx = self._start_nginx("tls", self._terminator())
        self.start_fragile()
        self.reference = self._keep(Child(
            [sys.executable, "-B", str(HARNESS / "reference.py"), self.socket, str(self.ports["reference"]), str(2 * self.workers)],
            f"{self.directory}/reference.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        self.sluice = self._start_sluice()
        self.front = self._start_nginx("front", self._front())
        self.front.wait_until_accepts(("127.0.0.1", self.ports["front"]))

    def stop(self):
        for child in reversed(self.children):
            child.end()

    def _keep(self, child):
        self.children.append(child)
        return child

    def _certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", f"{self.directory}/localhost.crt", "-keyout",
             f"{self.directory}/localhost.key"], check=True, capture_output=True)

    def _hold_ports(self):
        """One that refuses, and one whose queue of connections is full: whoever connects there hears nothing."""
        refusing, deaf = socket.socket(), socket.socket()
        refusing.bind(("127.0.0.1", 0))
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        self.held = [refusing, deaf]
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
            self.held.append(filler)
        self.values |= {"refused": refusing.getsockname()[1], "deaf": deaf.getsockname()[1]}

    def _start_stub(self):
        places = [{"manner": name, "port": self.ports[name]} for name in ("plain", "surplus", "idle408", "warm", "late", "tlsdirect")]
        places[-1] |= {"certificate": f"{self.directory}/localhost.crt", "key": f"{self.directory}/localhost.key"}
        places.append({"manner": "plain", "path": f"{self.directory}/stub.sock"})
        places.append({"manner": "queue", "port": self.ports["queue"], "concurrent": QUEUE_CONCURRENT})
        plan = json.dumps({"upstreams": places, "seed": self.seed})
        stub = self._keep(Child(
            [sys.executable, "-B", str(HARNESS / "upstreams.py"), plan], f"{self.directory}/stub.log", stdin=subprocess.PIPE,
            stdout=subprocess.PIPE))
        stub.wait_until_accepts(("127.0.0.1", self.ports["queue"]))
        return stub

    def _server(self, port, options):
        return filled(SERVER, self.values | {"port": self.ports[port], "options": options})

    def _terminator(self):
        servers = self._server("nginx_h1", "ssl") + self._server("nginx_h2", "ssl http2") + self._server("nginx_h2c", "http2")
        return filled(TERMINATOR, {"servers": servers})

    def start_fragile(self):
        """Also anew, once it was killed."""
        content = filled(TERMINATOR, {"servers": self._server("fragile", "ssl http2")})
        self.fragile = self._start_nginx("fragile", content, master="master_process off;")

    def _front(self):
        """The shipped files, with a plain listener."""
        changes = {
            "/run/sluice/sluice.sock": self.socket, "/var/log/nginx/sluice.log": f"{self.directory}/access.log",
            "rate=100r/s": "rate=10000r/s",
        }
        for name in ("sluice.conf", "sluice-locations.conf"):
            text = (REPOSITORY / "nginx" / name).read_text()
            for old, new in changes.items():
                text = text.replace(old, new)
            pathlib.Path(self.directory, name).write_text(text)
        pathlib.Path(self.directory, "sluice.tokens").write_text(f"{TOKEN} soak;\n")
        return f"""
            include sluice.conf;
            server {{ listen 127.0.0.1:{self.ports['front']}; include sluice-locations.conf; }}
        """

    def _start_nginx(self, name, content, master=""):
        user = "user root;" if os.geteuid() == 0 else ""
        values = {"content": content, "name": name, "user": master + user} | self.values
        path = pathlib.Path(self.directory, f"{name}.conf")
        path.write_text(filled(filled(NGINX, values), values))
        command = ["nginx", "-p", self.directory, "-e", f"{self.directory}/{name}.log", "-c", str(path)]
        return self._keep(Child(command, f"{self.directory}/{name}.log"))

    def _start_sluice(self):
        lines = [filled(SETTINGS, self.values)]
        for name, url, keys in UPSTREAMS:
            lines.append(f'[upstreams.{name}]\nkind = "compatible"\nkey = "sk-soak"\nurl = "{filled(url, self.values)}"\n{keys}')
        for match, targets, keys in MODELS:
            lines.append(f'[[models]]\nmatch = "{match}"\ntargets = {targets}\n{keys}')
        path = pathlib.Path(self.directory, "sluice.toml")
        path.write_text("\n".join(lines))
        command = [self.binary, "serve", "--config", str(path), "--listen", f"unix:{self.socket}", "--workers", str(self.workers)]
        environment = {"PATH": os.environ["PATH"], "HOME": self.directory}
        sluice = self._keep(Child(command, f"{self.directory}/sluice.log", environment))
        sluice.wait_until_accepts(self.socket)
        return sluice
