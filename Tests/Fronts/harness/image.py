"""The image and the pod of deploy/kubernetes, as far as folders, users and read-only mounts go."""

import pathlib
import re
import shutil
import textwrap

from .nginx import as_root, debootstrap, place
from .stream import ROOT, Failure, Service, Skipped, Upstream, accepts, check_leaving, check_stream, run, start_service, until

TOKEN = "0123456789abcdef0123456789abcdef01234567"
CONTAINERFILE = ROOT / "deploy/kubernetes/Containerfile"
# deploy/kubernetes/sluice.yaml: securityContext.
LEAST = "setpriv --reuid 33 --regid 33 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all".split()
# Volumes that are empty, and where the key is; the stub upstream's socket.
FOLDERS = {"run/sluice": "0777", "run/control": "0777", "tmp": "1777", "etc/sluice/keys": "0755", "mnt": "0755"}


def make(binary):
    """Does what the Containerfile says, in a folder; a bare Debian for it is kept."""
    if not re.search("^FROM debian:bookworm-slim$", CONTAINERFILE.read_text(), re.MULTILINE):
        raise Failure("the Containerfile is from another image than bookworm's")
    if not shutil.which("dpkg-shlibdeps") or not debootstrap("bookworm"):
        return
    packages, image = place("packages"), place("image")
    print(f"making an image below {image}", flush=True)
    package = run(ROOT / "deploy/debian/build", "--binary", binary, "--output", packages).split()[-1]
    run("rm", "-rf", image, place("image.made"), where=as_root())
    run("cp", "-a", place("bookworm"), image, where=as_root())
    run("cp", "/etc/resolv.conf", image / "etc", where=as_root())
    for word, rest in re.findall(r"^(COPY|RUN) (.*)$", CONTAINERFILE.read_text().replace("\\\n", ""), re.MULTILINE):
        if word == "COPY":
            run("cp", ROOT / package, f"{image}/{rest.split()[1]}", where=as_root())
        else:
            inside = 'mount -t proc proc proc; exec chroot . env DEBIAN_FRONTEND=noninteractive sh -c "$1"'
            run("unshare", "--mount", "--propagation", "private", "sh", "-ec", inside, "sh", rest, where=as_root(), cwd=image)
    place("image.made").touch()


def of_config_map(name):
    text = (ROOT / "deploy/kubernetes/sluice.yaml").read_text()
    return textwrap.dedent(re.search(rf"^  {re.escape(name)}: \|\n((?:    .*\n|\n)+)", text, re.MULTILINE)[1])


def pod(_, folder):
    """Both containers: what is mounted into them, who they are, and what they may write."""
    image = place("image")
    if not place("image.made").exists():
        raise Skipped("there is no debootstrap or no dpkg-dev to make an image with")
    upstream = Upstream(folder / "stub.sock")
    upstream.path.chmod(0o777)
    run("mount", "--bind", image, image)
    for name, mode in FOLDERS.items():
        (image / name).mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", f"mode={mode}", "tmpfs", image / name)
    settings = of_config_map("sluice.toml").replace("[upstreams.openai]", '[upstreams.openai]\nurl = "unix:/mnt/stub.sock:/v1"')
    mounted = {
        "etc/sluice/sluice.toml": settings,
        "etc/nginx/nginx.conf": of_config_map("nginx.conf"),
        "etc/nginx/sluice.tokens": f"{TOKEN} me;\n",
    }
    for name, text in mounted.items():
        (folder / pathlib.Path(name).name).write_text(text)
        (image / name).touch()
        run("mount", "--bind", folder / pathlib.Path(name).name, image / name)
    key = image / "etc/sluice/keys/openai"
    key.write_text("sk-none\n")
    key.chmod(0o440)
    shutil.chown(key, 0, 33)
    (image / "mnt/stub.sock").touch()
    run("mount", "--bind", upstream.path, image / "mnt/stub.sock")
    for name in ("dev", "proc"):
        run("mount", "--bind", f"/{name}", image / name)
    run("mount", "-o", "remount,bind,ro", image)
    start(folder, upstream, ("chroot", image, *LEAST))


def start(folder, upstream, container):
    """By the words of the Containerfile and the Deployment."""
    text = (ROOT / "deploy/kubernetes/sluice.yaml").read_text()
    (entry,) = re.findall(r'^ENTRYPOINT \["(.*)"\]$', CONTAINERFILE.read_text(), re.MULTILINE)
    arguments = re.search(r"args: \[(.*)\]", text)[1].split(", ")
    sluice = start_service(folder, "sluice", entry, *arguments, where=container)
    probe = re.search(r"startupProbe:\n +exec: \{ command: \[(.*)\] \}", text)[1].replace('"', "").split(", ")
    run(*probe, where=container)
    command = re.search(r"command: \[(nginx, .*)\]", text)[1].split(", ")
    front = Service(folder, "nginx", *command, where=("unshare", "--pid", "--fork", "--kill-child", *container))
    until(lambda: accepts("127.0.0.1", 8081) or front.check(), "nginx to listen")
    ready = run("curl", "-s", "http://127.0.0.1:8081/sluice/ping")
    if "pong" not in ready:
        raise Failure(f"the pod is not ready: {ready!r}")
    check_stream(upstream, TOKEN, "1.1", address="http://127.0.0.1:8080")
    check_leaving(upstream, TOKEN, address="http://127.0.0.1:8080", options=["--http1.1"])
    sluice.end()
