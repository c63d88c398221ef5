"""What the sending benchmarks need beside Python: C tools made on the spot, Postfix' tools, the peers.

Everything that is made or installed here lies in build/bench, which git ignores and `make clean` removes.
Where something is missing, `Missing` says what, and the benchmark goes on without it.
"""

from __future__ import annotations

import functools
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
FOLDER = ROOT / "build" / "bench"

AIOSMTPLIB = "aiosmtplib==5.1.3"
NODEMAILER = "nodemailer@10.6.1"


class Missing(Exception):  # noqa: N818 - says what is missing, for one line of output
    """A thing that this machine does not have."""


@functools.cache
def compiled(name: str, *, tls: bool = False) -> Path:
    """benchmarks/NAME.c as a program; with `tls` linked with OpenSSL. Raises `Missing`."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise Missing("no C compiler (on Debian: apt-get install gcc libc6-dev)")
    FOLDER.mkdir(parents=True, exist_ok=True)
    program = FOLDER / (f"{name}-tls" if tls else name)
    source = HERE / f"{name}.c"
    with_tls = (["-DWITH_TLS"], ["-lssl", "-lcrypto"]) if tls else ([], [])
    files = [str(source), "-o", str(program)]
    command = [compiler, "-std=c11", "-O2", "-Wall", *with_tls[0], *files, *with_tls[1]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        need = (
            "OpenSSL's headers (on Debian: apt-get install libssl-dev)" if tls else "a C compiler that works"
        )
        raise Missing(f"{source.name} needs {need}: {done.stderr.strip().splitlines()[-1]}")
    return program


def postfix_tool(name: str) -> str:
    """Where smtp-source or postfix is; Debian keeps them where only root looks. Raises `Missing`."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Missing(f"no {name}: it comes with Postfix (on Debian: apt-get install postfix)")
    return found


@functools.cache
def aiosmtplib() -> Path:
    """The folder to put on PYTHONPATH; installed with pip on first use. Raises `Missing`."""
    folder = FOLDER / "python"
    if not (folder / "aiosmtplib").is_dir():
        # The interpreter behind a virtual environment: the environment itself may have no pip.
        outside = getattr(sys, "_base_executable", sys.executable)
        _install([outside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                  "--target", str(folder), AIOSMTPLIB])  # fmt: skip
    if importlib.util.find_spec("uvloop") is None:
        raise Missing("no uvloop for aiosmtplib: it is among the development dependencies (make test)")
    return folder


@functools.cache
def nodemailer() -> tuple[str, Path]:
    """Node, and the folder with node_modules in it; installed with npm on first use. Raises `Missing`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("no node and npm for nodemailer (on Debian: apt-get install nodejs npm)")
    folder = FOLDER / "node"
    if not (folder / "node_modules" / "nodemailer").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _install([npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent", NODEMAILER])
    return node, folder


def _install(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"{command[-1]} cannot be installed: {said[-1] if said else 'no reason given'}")
