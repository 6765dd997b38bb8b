"""A code server whose process with the code is killed loads it again; one that cannot load ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._grpc.client import DagsterGrpcClient

from etl_assets.orchestration.code_server import CANNOT_LOAD
from etl_assets.settings import PROJECT

CODE = "import dagster as dg\ndefs = dg.Definitions()\n"
SECONDS = 60


@contextmanager
def serving(folder: Path, code: str) -> Iterator["subprocess.Popen[bytes]"]:
    (folder / "some_code.py").write_text(code)
    command = [sys.executable, "-m", "etl_assets.orchestration.code_server", "--socket", str(folder / "socket")]
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            [*command, "--module-name", "some_code", "--working-directory", str(folder)],
            env={**os.environ, "PYTHONPATH": str(PROJECT), "DAGSTER_HOME": "", "PYTHONWARNINGS": "ignore"},
            stderr=said,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def await_id(client: DagsterGrpcClient, other_than: str = "") -> str:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            if (found := client.get_server_id(timeout=2)) != other_than:
                return found
        except DagsterUserCodeUnreachableError:
            pass
        time.sleep(0.1)
    raise AssertionError("it does not answer")


def test_code_whose_process_was_killed_is_loaded_again(tmp_path) -> None:
    with serving(tmp_path, CODE) as process:
        client = DagsterGrpcClient(socket=str(tmp_path / "socket"))
        before = await_id(client)
        time.sleep(2)  # it has been found loaded
        (holder,) = psutil.Process(process.pid).children()
        assert "api" in holder.cmdline()
        holder.kill()
        assert await_id(client, before) != before
        assert process.poll() is None


def test_a_code_server_that_cannot_load_says_so_and_ends(tmp_path) -> None:
    with serving(tmp_path, "raise ValueError('of no use')") as process:
        assert process.wait(timeout=SECONDS) == CANNOT_LOAD
        said = (tmp_path / "said").read_text()
        assert "etl: the code cannot be loaded." in said
        assert "of no use" in said
