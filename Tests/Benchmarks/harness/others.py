"""The gateways beside which Sluice is measured: what each is, how it gets here, and how it is started before one upstream."""

import dataclasses
import getpass
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable

from . import processes
from .peers import HARNESS, Peer, configuration

ROOT = HARNESS.parents[2]
FILES = HARNESS / "others"
PATIENCE = 180  # Seconds until it must have started.
CHILDREN = 1200  # Processes of PHP: one for each stream, and those whose callers have left.


class Absent(Exception):
    """It is not here; the text says what to do."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A gateway from PyPI, in a virtual environment of its own with the packages of others/NAME.txt."""

    name: str
    title: str
    check: str
    arguments: Callable
    environment: dict = dataclasses.field(default_factory=dict)
    packages: str = ""
    # What its Python must be able to do, and what is said when it cannot.
    condition: str = ""
    otherwise: str = ""

    @property
    def folder(self):
        return ROOT / ".build" / "peers" / (self.packages or self.name)

    @property
    def list(self):
        return FILES / f"{self.packages or self.name}.txt"

    @property
    def version(self):
        """Of the package that gives it its name, or of those that the reference consists of."""
        found = dict(re.findall(r"^([\w.-]+)==(\S+)", self.list.read_text(), re.MULTILINE))
        names = ["fastapi", "openai", "uvicorn"] if self.name == "reference" else [self.list.stem]
        return ", ".join(found[name] if len(names) == 1 else f"{name} {found[name]}" for name in names)

    def prepare(self):
        """Installs it, unless exactly this list is installed; the list is kept beside the packages, once all are there."""
        installed = self.folder / "installed.txt"
        if not installed.exists() or installed.read_bytes() != self.list.read_bytes():
            print(f"installing {self.title} below .build/peers", flush=True)
            shutil.rmtree(self.folder, ignore_errors=True)
            self._run("/usr/bin/python3", "-m", "venv", self.folder)
            self._run(
                self.folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                "--only-binary", ":all:", "-r", self.list)
            shutil.copy(self.list, installed)
        if self.condition and subprocess.run(
            [self.folder / "bin/python", "-c", self.condition], env=self.environment, capture_output=True, check=False
        ).returncode:
            raise Absent(self.otherwise)

    def _run(self, *command):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines() or [""]
            raise Absent(f"could not be installed; Debian: apt-get install python3-venv. {said[-1]}")

    def start(self, stage, is_direct):
        port = processes.free_port()
        environment = self.environment | {"UPSTREAM": f"http://127.0.0.1:{stage.upstream_port}/v1"}
        command = [str(self.folder / "bin/python"), *self.arguments(self, stage, port)]
        process = stage.keep(processes.Process(
            command, ("127.0.0.1", port), f"{stage.directory}/{self.name}.log", environment, stage.directory, PATIENCE))
        if is_direct:
            return Other(self, process, f"127.0.0.1:{port}", "none")
        front = stage.front(f"{self.name}-front", f"127.0.0.1:{port}", "proxy_pass.conf", "http")
        return Other(self, process, front.url_address, "nginx, HTTP", front.workers)

    def size(self):
        """Bytes of what pip has installed, without Python, pip itself and what Python has compiled."""
        [packages] = self.folder.glob("lib/python3*/site-packages")
        tools = re.compile(r"(pip|setuptools|pkg_resources|_distutils_hack)(-|$)|distutils-precedence")
        return sum(
            file.lstat().st_size for folder in packages.iterdir() if not tools.match(folder.name)
            for file in [folder, *folder.rglob("*")] if file.is_file() and file.suffix != ".pyc")


class PHP:
    """Debian's php-fpm with a relay of our own."""

    name, title, check = "php-fpm", "php-fpm", "bytes"

    @property
    def _binary(self):
        found = sorted(path for folder in ("/usr/sbin", "/usr/local/sbin") for path in pathlib.Path(folder).glob("php-fpm*"))
        return str(found[-1]) if found else None

    @property
    def version(self):
        shown = subprocess.run([self._binary, "-v"], capture_output=True, text=True, check=True).stdout
        return re.search(r"PHP (\d[\w.]*)", shown)[1]

    def prepare(self):
        if not self._binary or "curl" not in self._modules():
            raise Absent("as root: apt-get install php-fpm php-curl")

    def _modules(self):
        return subprocess.run([self._binary, "-m"], capture_output=True, text=True, check=True).stdout.split()

    def start(self, stage, is_direct):
        path = f"{stage.directory}/php-fpm.sock"
        file = pathlib.Path(stage.directory, "php-fpm.conf")
        file.write_text(configuration(
            "others/php-fpm.conf", directory=stage.directory, path=path, children=CHILDREN, user=getpass.getuser()))
        command = [self._binary, "--nodaemonize", "--fpm-config", str(file)]
        if getpass.getuser() == "root":
            command.append("--allow-to-run-as-root")
        process = stage.keep(processes.Process(command, path, f"{stage.directory}/php-fpm.log"))
        front = stage.front("php-front", f"unix:{path}", "fastcgi_pass.conf", change=self._for_php(stage))
        return Other(self, process, front.url_address, "nginx, FastCGI", front.workers)

    @staticmethod
    def _for_php(stage):
        """A connection that is kept would keep one of PHP's processes, and nginx would use one that PHP is just closing."""
        script = f"fastcgi_param SCRIPT_FILENAME {FILES}/relay.php"
        upstream = f"fastcgi_param UPSTREAM http://127.0.0.1:{stage.upstream_port}/v1"
        return lambda text: text.replace("fastcgi_keep_conn on;", f"{script}; {upstream};").replace("keepalive 4096;", "")

    def size(self):
        series = re.match(r"\d+\.\d+", self.version)[0]
        return package_bytes(*(f"php{series}-{part}" for part in ("common", "curl", "fpm", "opcache")))


def dpkg(*arguments):
    """What dpkg says; empty where it is no Debian, or something that is asked for is not installed."""
    try:
        return subprocess.run(["dpkg-query", *arguments], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def packages_of(command):
    """The package that has it."""
    return [line.split(":")[0] for line in dpkg("-S", str(shutil.which(command))).splitlines()]


def package_bytes(*names):
    """Bytes of the files of Debian's packages; 0 where that cannot be said."""
    files = {pathlib.Path(line) for line in dpkg("-L", *names).splitlines() if line.startswith("/")}
    return sum(file.lstat().st_size for file in files if file.is_file() and not file.is_symlink())


class Other(Peer):
    """One of them that runs."""

    def __init__(self, kind, process, address, hop, beside=()):
        super().__init__(kind.name, address, [process.pid], beside, kind.check)
        self.kind = kind
        self.process = process
        self.hop = hop

    def restart(self):
        self.process.stop()
        self.process.start()
        self.counted = [self.process.pid]


def uvicorn(kind, stage, port):
    return [
        "-m", "uvicorn", "--app-dir", str(FILES), "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-access-log",
        "--log-level", "warning", "reference:app"]


def litellm(kind, stage, port):
    file = pathlib.Path(stage.directory, "litellm.yaml")
    file.write_text(configuration("others/litellm.yaml", port=stage.upstream_port))
    return [
        str(kind.folder / "bin/litellm"), "--config", str(file), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]


def router(*start):
    """The two routers have grown from one, and most of their options are the same."""
    def arguments(kind, stage, port):
        return [
            *start, "--host", "127.0.0.1", "--port", str(port), "--worker-urls", f"http://127.0.0.1:{stage.upstream_port}",
            "--policy", "round_robin", "--log-level", "error", "--prometheus-port", str(processes.free_port())]
    return arguments


LITELLM = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # No prices are fetched from the net at the start.
RUST = """
import sys
from litellm.rust_bridge import catalog
sys.exit(not catalog.rust_might_handle(catalog.Route.CHAT_COMPLETIONS, catalog.RULES))
"""
ONE_THREAD = {"TOKIO_WORKER_THREADS": "1"}  # As nginx and Sluice have with one worker.
KINDS = {kind.name: kind for kind in [
    Kind("reference", "FastAPI + openai", "contents", uvicorn),
    Kind("litellm", "LiteLLM", "contents", litellm, LITELLM),
    Kind(
        "litellm-rust", "LiteLLM, Rust", "contents", litellm, LITELLM | {"LITELLM_RUST": "1"}, "litellm", RUST,
        "this version has no chat completions in Rust: LITELLM_RUST=1 changes nothing for them"),
    Kind("vllm-router", "vllm-router", "bytes", router("-m", "vllm_router.launch_router"), ONE_THREAD),
    Kind("smg", "smg", "bytes", router("-m", "smg.cli", "launch"), ONE_THREAD),
    PHP(),
]}


def present(names):
    """Those of the named that are here, and for each of the others why it is not."""
    here, skipped = [], {}
    for name in names:
        try:
            KINDS[name].prepare()
            here.append(KINDS[name])
        except Absent as reason:
            skipped[KINDS[name].title] = str(reason)
            print(f"  ({KINDS[name].title} is skipped: {reason})", file=sys.stderr, flush=True)
    return here, skipped
