"""The `etl` command in a process of its own that has its libraries imported: to start Python anew costs 4 s of a core.

A server of each worker of the tests has imported them, and forks for each command. Nothing of it has read a setting.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from etl_assets.orchestration.run_launcher import PRELOADED

_IMPORTED = (*PRELOADED, "etl_assets.cli", "etl_assets.orchestration.code_location")
_READY = b"+"


def run_command(words: Sequence[str], environment: Mapping[str, str], given: str | None) -> tuple[int, str]:
    """Run `etl` to its end.

    Args:
        words: Of the command line.
        environment: All of its environment.
        given: What it may read.

    Returns:
        Its exit code, and its output with its errors behind it.
    """
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as asked:
        folder = Path(name)
        (folder / "in").write_text(given or "")
        asked.connect(_server().args[-1])
        request = {"words": list(words), "environment": dict(environment), "folder": name, "cwd": str(Path.cwd())}
        asked.sendall(json.dumps(request).encode())
        asked.shutdown(socket.SHUT_WR)
        code = int(_read(asked))
        return code, (folder / "out").read_text() + (folder / "err").read_text()


@lru_cache(maxsize=1)
def _server() -> "subprocess.Popen[bytes]":
    """This process's server, whose last word is its address; the first command starts it, and it ends with us."""
    address = str(Path(tempfile.mkdtemp(prefix="etl-warm-")) / "socket")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ETL_", "DAGSTER_"))}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", __name__, address],
        stdout=subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.read(1) == _READY
    return process


def _read(asked: socket.socket) -> str:
    with asked.makefile() as file:
        return file.read()


def _serve(address: str) -> NoReturn:
    for name in _IMPORTED:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that wait for a command are nobody's to wait for
    parent = os.getppid()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen(16)
        door.settimeout(5)
        os.write(1, _READY)
        while os.getppid() == parent:
            try:
                asked, _ = door.accept()
            except TimeoutError:
                continue
            if os.fork() == 0:
                door.close()
                asked.settimeout(None)
                _answer(asked)
            asked.close()
    Path(address).unlink()
    Path(address).parent.rmdir()
    sys.exit()


def _answer(asked: socket.socket) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request = json.loads(_read(asked))
    command = os.fork()
    if command == 0:
        asked.close()
        _execute(request["words"], request["environment"], Path(request["folder"]), request["cwd"])
    _, status = os.waitpid(command, 0)
    asked.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _execute(words: list[str], environment: dict[str, str], folder: Path, cwd: str) -> NoReturn:
    from etl_assets import cli

    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, (name, flags) in enumerate([("in", os.O_RDONLY), ("out", os.O_WRONLY), ("err", os.O_WRONLY)]):
        os.dup2(os.open(folder / name, flags | (os.O_CREAT if number else 0), 0o600), number)
    sys.exit(cli.main(words))


if __name__ == "__main__":
    _serve(sys.argv[1])
