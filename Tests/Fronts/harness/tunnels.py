"""Tunnels around the port of FastCGI, as docs/several-machines.md has them."""

import os
import pathlib
import shutil
import subprocess

from .stream import Caller, Failure, Service, Skipped, Upstream, accepts, begun, check_leaving, check_stream, follow, own_etc
from .stream import recipe, run, start_sluice, until

DOCUMENT = "several-machines.md"


def needs(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        raise Skipped(f"this machine has no {', '.join(missing)}")


class Machine:
    """A network with a cable to the web server's machine."""

    def __init__(self, name, number):
        self.name, self.address = name, f"10.0.0.{number}"
        self.where = ("ip", "netns", "exec", name)
        run("ip", "netns", "add", name)
        run("ip", "link", "set", "lo", "up", where=self.where)
        run("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "cable", "netns", name)
        run("ip", "addr", "add", "10.0.0.5", "peer", self.address, "dev", f"to-{name}")
        run("ip", "link", "set", f"to-{name}", "up")
        run("ip", "addr", "add", self.address, "peer", "10.0.0.5", "dev", "cable", where=self.where)
        run("ip", "link", "set", "cable", "up", where=self.where)

    def cut(self):
        run("ip", "link", "set", "cable", "down", where=self.where)

    def plug_in(self):
        run("ip", "link", "set", "cable", "up", where=self.where)


def token(server):
    return pathlib.Path(f"/etc/{server}/sluice.tokens").read_text().split()[0]


def prepare(folder):
    own_etc(folder)
    os.makedirs("/run/haproxy")
    for heading, document in (("## nginx", "front-servers.md"), ("## HAProxy", "front-servers.md")):
        for commands in recipe(document, heading)[0]:
            follow(commands, folder)
    # The machine's own pages stay away.
    for site in pathlib.Path("/etc/nginx/sites-enabled").glob("*"):
        site.unlink()


def several(folder, heading, machines):
    """The recipe for several machines, with these alone."""
    for commands in recipe(DOCUMENT, heading)[0]:
        follow(commands, folder)
    file = pathlib.Path("/etc/nginx/conf.d/01-sluice-machines.conf" if heading == "## nginx" else "/etc/haproxy/sluice.cfg")
    addresses = [machine.address for machine in machines]
    lines = [line for line in file.read_text().splitlines(keepends=True)
             if not line.startswith("    server ") or any(address in line for address in addresses)]
    file.write_text("".join(lines))


def start_nginx(folder):
    front = Service(folder, "nginx", "nginx", "-g", "daemon off;")
    until(lambda: accepts("127.0.0.1", 443) or front.check(), "nginx to listen")
    return front


def check_call(upstream, token, what):
    """A new call is answered whole."""
    caller, stream = begun(upstream, token, "--http1.1")
    stream.finish()
    if caller.end() != "1.1 200":
        raise Failure(f"{what}: a call is answered by {caller.text!r}")


# ---- stunnel


def stunnel(binary, folder):
    needs("stunnel", "nginx", "haproxy", "curl", "ip", "openssl")
    prepare(folder)
    machines = [Machine("one", 11), Machine("two", 12)]
    (make, for_haproxy, for_nginx), (of_machine, of_front) = recipe(DOCUMENT, "### stunnel")
    for name in ("one", "two", "web-server"):
        follow(make.replace("one", name), folder)
    store = pathlib.Path("/etc/stunnel")
    (store / "machines.crt").write_text("".join((store / f"{machine.name}.crt").read_text() for machine in machines))
    upstream = Upstream(folder / "stub.sock")

    def start(machine):
        return start_sluice(binary, folder, upstream, "tcp:127.0.0.1:9000", name=f"sluice-{machine.name}", where=machine.where)

    sluices = {}
    for machine in machines:
        text = of_machine.replace("10.0.0.11", machine.address).replace("one.pem", f"{machine.name}.pem")
        start_stunnel(folder, machine.name, text, where=machine.where)
        sluices[machine.name] = start(machine)
    several(folder, "## HAProxy", machines)
    follow(for_haproxy, folder)
    behind_haproxy(folder, upstream, machines, sluices, start)
    several(folder, "## nginx", machines)
    follow(for_nginx, folder)
    start_stunnel(folder, "front", of_front)
    behind_nginx(folder, upstream, machines, sluices, start)


def start_stunnel(folder, name, text, where=()):
    # What is cut off is to be found within the test's time.
    text = text.replace("TCP_KEEPIDLE=30", "TCP_KEEPIDLE=2").replace("TCP_KEEPINTVL=10", "TCP_KEEPINTVL=1")
    file = folder / f"stunnel-{name}.conf"
    file.write_text(text)
    Service(folder, f"stunnel-{name}", "stunnel", file, where=where).said("Configuration successful")


def behind_haproxy(folder, upstream, machines, sluices, start):
    front = Service(folder, "haproxy", "haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg", "-f", "/etc/haproxy/sluice.cfg")
    until(lambda: accepts("127.0.0.1", 443) or front.check(), "HAProxy to listen")
    mine = token("haproxy/sluice")
    for version in ("1.1", "2"):
        check_stream(upstream, mine, version)
    check_leaving(upstream, mine, writes=True)
    # Sluice ends on one: the checks find it, and then no call is lost.
    sluices["one"].end()
    front.said("Server sluice/one is DOWN")
    for _ in range(4):
        check_call(upstream, mine, "with one Sluice of two behind HAProxy")
    sluices["one"] = start(machines[0])
    front.said("Server sluice/one is UP")
    stranger(folder, machines[0])
    front.end()


def stranger(folder, machine):
    """Somebody without the web server's key gets no byte to Sluice."""
    connect = f"openssl s_client -connect {machine.address}:9443 -quiet </dev/null"
    told = subprocess.run(["bash", "-c", connect], capture_output=True, text=True, check=False)
    if "certificate required" not in told.stderr and "handshake failure" not in told.stderr:
        raise Failure(f"a stranger is told {told.stderr!r}")


def behind_nginx(folder, upstream, machines, sluices, start):
    front = start_nginx(folder)
    mine = token("nginx")
    for version in ("1.1", "2"):
        check_stream(upstream, mine, version)
    check_leaving(upstream, mine)
    # Sluice ends on one: a call finds that out, and then none goes there for a while.
    sluices["one"].end()
    if sorted(answer(upstream, mine) for _ in machines) != ["200", "503"]:
        raise Failure("a Sluice of two has ended, and not one call of two is lost behind nginx")
    for _ in range(4):
        check_call(upstream, mine, "with one Sluice of two behind nginx")
    sluices["one"] = start(machines[0])
    until(lambda: check_call(upstream, mine, "with both again") or sluices["one"].has_answered(), "nginx to try it again")
    # Two streams, one on each machine, of which one is cut off.
    streams = [begun(upstream, mine, "--http1.1") for _ in machines]
    machines[0].cut()
    until(lambda: any(caller.process.poll() is not None for caller, _ in streams), "a stream of what is cut off to end")
    until(lambda: answer(upstream, mine) == "200", "a call to be answered by the other machine")
    for _ in range(3):
        check_call(upstream, mine, "with one machine of two behind nginx")
    machines[0].plug_in()
    front.end()


def answer(upstream, token):
    """The status of a new call, which the upstream answers if it gets it."""
    caller = Caller(token, "--http1.1")
    until(lambda: caller.process.poll() is not None or not upstream.calls.empty(), "a call to be answered or sent on")
    if not upstream.calls.empty():
        stream = upstream.next()
        stream.event("word 0.")
        stream.finish()
    return caller.end().split()[1]


# ---- WireGuard


def wireguard(binary, folder):
    needs("wg", "wg-quick", "nginx", "curl", "ip", "openssl")
    tried = subprocess.run(["ip", "link", "add", "try", "type", "wireguard"], capture_output=True, check=False)
    by_itself = tried.returncode == 0
    if by_itself:
        run("ip", "link", "del", "try")
    else:
        needs("wireguard-go")
    print(f"wireguard: {'the kernel' if by_itself else 'wireguard-go'}", flush=True)
    prepare(folder)
    machine = Machine("one", 11)
    _, (of_front, of_machine) = recipe(DOCUMENT, "### WireGuard")
    words = {"one.example.com": machine.address}
    for name in ("ONE", "THE_WEB_SERVER"):
        key = run("wg", "genkey").strip()
        words[f"PRIVATE_KEY_OF_{name}"] = key
        public = subprocess.run(["wg", "pubkey"], input=key, capture_output=True, text=True, check=True).stdout
        words[f"PUBLIC_KEY_OF_{name}"] = public.strip()
    for place, text in (("one", of_machine), ("front", of_front)):
        for word, value in words.items():
            text = text.replace(word, value)
        (folder / place).mkdir()
        (folder / place / "sluice.conf").write_text(text)
        (folder / place / "sluice.conf").chmod(0o600)
        # Both machines have a network called so, and wireguard-go a socket for it in /run.
        begin = f"wg-quick up {folder}/{place}/sluice.conf >{folder}/{place}.log 2>&1 </dev/null"
        run("unshare", "--mount", "bash", "-euc", f"mkdir -p /run/wireguard; mount -t tmpfs tmpfs /run/wireguard; {begin}",
            where=machine.where if place == "one" else ())
    upstream = Upstream(folder / "stub.sock")
    start_sluice(
        binary, folder, upstream, "tcp:10.9.0.11:9000", where=machine.where, more='allowed_addresses = ["10.9.0.5"]')
    # Who has asked for a tunnel in vain asks again after 5 s.
    until(lambda: accepts("10.9.0.11", 9000), "the tunnel")
    several(folder, "## nginx", [machine])
    run("sed", "-i", "s/10.0.0.11/10.9.0.11/", "/etc/nginx/conf.d/01-sluice-machines.conf")
    front = start_nginx(folder)
    mine = token("nginx")
    for version in ("1.1", "2"):
        check_stream(upstream, mine, version)
    check_leaving(upstream, mine)
    machine.cut()
    caller = Caller(mine, "--http1.1")
    if caller.end() != "1.1 503":
        raise Failure(f"a call to a machine that is gone is answered by {caller.text!r}")
    machine.plug_in()
    front.end()
