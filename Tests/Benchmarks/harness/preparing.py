"""What must be there before anything is measured: Debian's packages, and builds."""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]


def missing_packages(*more):
    """What the measured servers need, as Debian's packages, and `more` that are called as their program."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    lua = pathlib.Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
    return [
        package
        for package, is_there in [
            ("nginx-light", shutil.which("nginx")), ("libnginx-mod-http-lua", lua.exists()), ("openssl", shutil.which("openssl")),
            *((package, shutil.which(package)) for package in more),
        ]
        if not is_there
    ]


def build(product, *options):
    """Builds a release and returns the executable's path."""
    print("building", product, flush=True)
    command = ["swift", "build", "--package-path", str(ROOT), "-j", "2", "-c", "release", "--static-swift-stdlib", *options]
    subprocess.run([*command, "--product", product], check=True, stdout=sys.stderr)
    shown = subprocess.run([*command, "--show-bin-path"], check=True, stdout=subprocess.PIPE, text=True)
    return pathlib.Path(shown.stdout.strip(), product)
