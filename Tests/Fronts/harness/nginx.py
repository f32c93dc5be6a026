"""The shipped configuration in nginx of another Debian."""

import os
import re
import shutil
import signal

from .stream import ROOT, Caller, Failure, Service, Skipped, Upstream, accepts, certify, check_leaving, check_stream, recipe, run
from .stream import start_sluice, until

# Debian 11's nginx-light has no limits of requests.
PACKAGES = {"bullseye": "nginx-core", "sid": "nginx-light"}
# What older and newer ones say of what is right for those between them.
KNOWN_WARNINGS = ('the "listen ... http2" directive is deprecated', "could not build optimal variables_hash")
TOKEN = "0123456789abcdef0123456789abcdef01234567"


def as_root():
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


def place(suite):
    return ROOT / ".build/fronts" / suite


def make(suite):
    debootstrap(suite, f"--include={PACKAGES[suite]}")


def debootstrap(suite, *options):
    """A minimal Debian, unless it is there; false where none can be made."""
    there = place(suite)
    if there.with_suffix(".made").exists():
        return True
    if not shutil.which("debootstrap", path=f"{os.environ['PATH']}:/usr/sbin"):
        return False
    print(f"making a {suite} below {there}", flush=True)
    there.parent.mkdir(parents=True, exist_ok=True)
    run("rm", "-rf", there, where=as_root())
    targets = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()
    archive = next((target for target in targets if "security" not in target), None)
    if not archive:
        raise Failure("apt names no archive to take Debian's packages from")
    run("debootstrap", "--variant=minbase", *options, suite, there, archive, where=as_root())
    there.with_suffix(".made").touch()
    return True


def bullseye(binary, folder):
    check("bullseye", binary, folder)


def sid(binary, folder):
    check("sid", binary, folder)


def check(suite, binary, folder):
    root = place(suite)
    if not root.with_suffix(".made").exists():
        raise Skipped(f"there is no debootstrap to make a {suite} with")
    there = ("chroot", root)
    version = re.search(r"nginx/([\d.]+)", run("nginx", "-v", where=there))[1]
    print(f"{suite}: nginx {version}", flush=True)
    for name in ("run", "var/log/nginx", "etc/nginx/conf.d", "mnt"):
        run("mount", "-t", "tmpfs", "tmpfs", root / name)
    run("mount", "--bind", "/dev", root / "dev")
    (root / "run/sluice").mkdir()
    install(root)
    valid(there, "as shipped")
    upstream = Upstream(folder / "stub.sock")
    sluice = start_sluice(binary, folder, upstream, f"unix:{root}/run/sluice/sluice.sock", more='socket = { mode = "0666" }')
    # The two forms of HTTP/2 that nginx has had.
    if tuple(map(int, version.split("."))) >= (1, 25, 1):
        serve(folder, there, upstream)
        change(root / "etc/nginx/conf.d/sluice-server.conf", "listen 443 ssl http2;", "listen 443 ssl; http2 on;")
        if "deprecated" in valid(there, "with `http2 on`"):
            raise Failure("nginx finds something deprecated with `http2 on`")
    serve(folder, there, upstream, ends=sluice)
    others(root, there)


def install(root):
    """By the recipe of docs/front-servers.md, but for its first line and its last ones, which are about packages and services."""
    (commands,), _ = recipe("front-servers.md", "## nginx")
    inside = root / "mnt"
    run("cp", "-r", ROOT / "nginx", inside)
    certify(inside)
    commands = "\n".join(line for line in commands.splitlines() if line.startswith(("cp ", "(")))
    # A minimal Debian has no openssl.
    commands = commands.replace("$(openssl rand -hex 20)", TOKEN)
    run("bash", "-euc", f"cd /mnt\n{commands}", where=("chroot", root))


def change(file, old, new):
    text = file.read_text()
    if old not in text:
        raise Failure(f"{file.name} has no '{old}'")
    file.write_text(text.replace(old, new))


def valid(there, what):
    told = run("nginx", "-t", where=there)
    for line in told.splitlines():
        if "[" in line and not any(known in line for known in KNOWN_WARNINGS):
            raise Failure(f"nginx says {what}: {line}")
    return told


def serve(folder, there, upstream, ends=None):
    front = Service(folder, "nginx", "nginx", "-g", "daemon off;", where=there)
    until(lambda: accepts("127.0.0.1", 443) or front.check(), "nginx to listen")
    for version in ("1.1", "2"):
        check_stream(upstream, TOKEN, version)
    check_leaving(upstream, TOKEN)
    refused(front, "stranger", "401", "invalid_api_key")
    if ends:
        ends.end()
        refused(front, TOKEN, "503", "service_unavailable")
    front.end(signal.SIGTERM)


def refused(front, token, status, code):
    caller = Caller(token, "--http2")
    if caller.end() != f"2 {status}" or f'"{code}"' not in caller.text:
        raise Failure(f"{status} is answered as {caller.text!r}")
    front.check()


def others(root, there):
    """What may be done to the shipped files beyond the recipe."""
    for file in ("00-sluice.conf", "../sluice-locations.conf"):
        run("sed", "-i", "s/#cors //", root / "etc/nginx/conf.d" / file)
    valid(there, "of pages of other origins")
    (commands, *_), _ = recipe("several-machines.md", "## nginx")
    commands = "\n".join(line for line in commands.splitlines() if not line.startswith("nginx "))
    run("bash", "-euc", f"cd /mnt\n{commands}", where=there)
    valid(there, "of several machines")
    run("cp", ROOT / "nginx/tenants.conf", root / "etc/nginx/conf.d/01-sluice-tenants.conf")
    valid(there, "of tenants")
