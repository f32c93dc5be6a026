"""Everything that is started: Sluice, upstreams in plain text and with TLS, and names to look up. It is the soak's, with less of it."""

import json
import os
import pathlib
import signal
import sys

import stage
from stage import Child, filled

# Short limits, for a fault may well cost a request its connection; no retries, which would hide what a fault costs.
SETTINGS = """
authorities_file = "@directory@/localhost.crt"
heartbeat = "500ms"
dns_ttl = "1s"
retries = 0
rest_for = "0s"
[timeouts]
connect = "2s"
first_token = "2s"
idle = "2s"
send = "2s"
total = "5s"
drain = "4s"
client_write = "2s"
"""

UPSTREAMS = [
    ("plain", "http://127.0.0.1:@plain@/v1", ""),
    ("named", "http://localhost:@plain@/v1", ""),
    ("unix", "unix:@directory@/stub.sock:/v1", ""),
    ("h1tls", "https://localhost:@nginx_h1@/v1", 'http = "1.1"'),
    ("h2tls", "https://localhost:@nginx_h2@/v1", ""),
    ("noname", "http://name.invalid:80/v1", ""),
]


class Site(stage.Site):
    """Upstreams of one lane."""

    def __init__(self, directory, number):
        super().__init__(directory, None, 1, 0)
        self.ports = stage.free_ports(("plain", "nginx_h1", "nginx_h2"), number * 50)
        self.values = self.ports | {"directory": directory}

    def start(self):
        self._certificate()
        places = [{"manner": "plain", "port": self.ports["plain"]}, {"manner": "plain", "path": f"{self.directory}/stub.sock"}]
        self.stub = self._keep(Child(
            [sys.executable, "-B", str(stage.HARNESS / "upstreams.py"), json.dumps({"upstreams": places, "seed": 0})],
            f"{self.directory}/stub.log", stdin=-1))
        self.stub.wait_until_accepts(("127.0.0.1", self.ports["plain"]))
        servers = self._server("nginx_h1", "ssl") + self._server("nginx_h2", "ssl http2")
        terminator = filled(stage.TERMINATOR, {"servers": servers}).replace("keepalive_requests 40", "keepalive_requests 10")
        self.nginx = self._start_nginx("tls", terminator)
        self.nginx.wait_until_accepts(("127.0.0.1", self.ports["nginx_h2"]))
        lines = [filled(SETTINGS, self.values)]
        for name, url, keys in UPSTREAMS:
            lines.append(f'[upstreams.{name}]\nkind = "compatible"\nkey = "sk-faults"\nurl = "{filled(url, self.values)}"\n{keys}')
        for name, _, _ in UPSTREAMS:
            lines.append(f'[[models]]\nmatch = "{name}"\ntargets = ["{name}"]')
        pathlib.Path(self.directory, "sluice.toml").write_text("\n".join(lines))

    def rest(self):
        """Has all idle connections closed by their upstreams."""
        self.stub.process.stdin.write(b"rest\n")
        self.stub.process.stdin.flush()
        self.nginx.process.send_signal(signal.SIGHUP)

    def command(self, binary, socket, workers):
        return [binary, "serve", "--config", f"{self.directory}/sluice.toml", "--listen", f"unix:{socket}", "--workers", str(workers)]

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": self.directory, "RES_OPTIONS": "timeout:1 attempts:1"}
