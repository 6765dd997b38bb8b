"""A daemon, Redis and Celery workers as processes, each with a home of its own, as on several machines."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from etl_assets.orchestration.launch import dagster_environment
from etl_assets.settings import PROJECT
from etl_assets_tests.orchestration.installation import Installation

MISSING = (
    "No redis-server on this machine: whole runs on Celery workers were NOT tested. It is in Debian's redis-server."
)
WAIT_SECONDS = 120.0


@dataclass
class Cluster:
    """One installation whose runs are executed by workers."""

    installation: Installation
    redis: Redis
    password: str
    folder: Path
    workers: dict[str, "subprocess.Popen[bytes]"]

    def start_worker(self, name: str, queues: str = "etl") -> None:
        """Start a worker, and wait until it is ready for a run."""
        words = ("worker", "--name", name, "--queues", queues)
        self.workers[name] = self.start(name, sys.executable, "-m", "etl_assets.cli", *words)
        wait_until(lambda: f"{name}@" in self.log(name) and "ready." in self.log(name), self.log_of(name))

    def start(self, name: str, *command: str) -> "subprocess.Popen[bytes]":
        """Start a process in a home and a session of its own; what it prints is its log."""
        environment = {**self.installation.environment, "ETL_HOME": str(self.folder / name)}
        settings = replace(self.installation, environment=environment).settings
        environment |= dagster_environment(settings)
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=PROJECT, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def log_of(self, name: str) -> Callable[[], str]:
        return lambda: self.log(name)

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """Dagster's instance, as the webserver has it."""
        home = self.folder / "here"
        settings = replace(
            self.installation, environment={**self.installation.environment, "ETL_HOME": str(home)}
        ).settings
        with pytest.MonkeyPatch.context() as patch:
            for word, value in self.installation.environment.items():
                if word.startswith("ETL_"):
                    patch.setenv(word, value)
            dagster_environment(settings)
            with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
                yield instance


@contextmanager
def cluster(installation: Installation, folder: Path, *, workers: tuple[str, ...]) -> Iterator[Cluster]:
    """Redis and workers over an installation, for the time of the `with` block."""
    with ExitStack() as stack, redis_server(folder) as (url, password, redis):
        shared = {
            "ETL_CELERY_BROKER_URL": url,
            "ETL_LANDING_DIR": str(installation.settings.landing_dir),
            "ETL_REPORT_DIR": str(installation.settings.report_dir),
            "ETL_TOMBSTONE_DIR": str(installation.settings.tombstone_dir),
        }
        made = Cluster(
            replace(installation, environment={**installation.environment, **shared}), redis, password, folder, {}
        )
        stack.callback(lambda: [end(process) for process in made.workers.values()])
        for name in workers:
            made.start_worker(name)
        yield made


@contextmanager
def redis_server(folder: Path) -> Iterator[tuple[str, str, Redis]]:
    """A Redis of the tests' own, on this machine alone: its URL, its password, and a connection."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.fail(MISSING)
    password, port = secrets.token_hex(16), free_port()
    process = subprocess.Popen([program, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    lines = f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {folder}\n" + 'save ""\nappendonly no\n'
    process.stdin.write(lines.encode())  # on its command line everybody would read the password
    process.stdin.close()
    connection = Redis(port=port, password=password)
    try:
        wait_until(lambda: answers(connection), lambda: "redis-server does not answer")
        yield f"redis://:{password}@127.0.0.1:{port}/0", password, connection
    finally:
        connection.close()
        process.terminate()
        process.wait()


def answers(redis: Redis) -> bool:
    with suppress(RedisConnectionError):
        return bool(redis.ping())
    return False


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and whatever it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until(found: Callable[[], bool], why: Callable[[], str], seconds: float = WAIT_SECONDS) -> None:
    give_up = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < give_up, why()
        time.sleep(0.1)
