"""An `etl dev` of a drill's own: its processes, its runs, and what it says. Looking at it starts nothing."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from etl_assets.drills.installation import Installation
from etl_assets.errors import EtlError
from etl_assets.warehouse import embedded

STARTS_SECONDS = 180
ENDS_SECONDS = 60
ANSWER_SECONDS = 10
FINISHED = ("SUCCESS", "FAILURE", "CANCELED")
_LOCATIONS = """
    { workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename
      ... on RepositoryLocation { name repositories { name } } } } } } }
"""
_LAUNCH = """
    mutation ($parameters: ExecutionParams!) { launchRun(executionParams: $parameters) { __typename
      ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""


@dataclass
class Dev:
    """`etl dev`, seen from outside."""

    at: Installation
    process: "subprocess.Popen[bytes]"
    port: int
    output: Path

    @property
    def postgres(self) -> Path:
        """The folder of the embedded server."""
        return self.at.settings.home / "postgres"

    def lines(self) -> list[str]:
        """What `etl` itself has said since it was started."""
        return re.findall(r"^etl: .*", self.output.read_text(), flags=re.MULTILINE)

    def ask(self, question: str, *values: object, database: str = "warehouse") -> list[tuple[Any, ...]]:
        """The rows of a question to the embedded server, which is not started where it is down.

        Raises:
            psycopg.Error: It is down.
        """
        url = embedded.server_url(self.postgres, database)
        with psycopg.connect(url, connect_timeout=5) as connection:
            return connection.execute(question, values or None).fetchall()

    def graphql(self, query: str, **variables: object) -> dict[str, Any]:
        """What the webserver answers.

        Raises:
            OSError: It does not.
        """
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer).get("data") or {}
        return found

    def repository(self) -> tuple[str, str] | None:
        """The loaded code location and its repository; None where it is not loaded."""
        entries = (self.graphql(_LOCATIONS).get("workspaceOrError") or {}).get("locationEntries") or []
        for location in (entry["locationOrLoadError"] or {} for entry in entries):
            if location.get("repositories"):
                return location["name"], location["repositories"][0]["name"]
        return None

    def has_ticked_since(self, moment: float) -> bool:
        """Whether a sensor's tick that began after this moment (seconds of the epoch) went well.

        That takes the daemon, the code server and the warehouse.
        """
        question = (
            "select count(*) from job_ticks where status in ('SKIPPED', 'SUCCESS')"
            " and timestamp > to_timestamp(%s) at time zone 'UTC'"
        )
        return self.ask(question, moment, database="dagster") != [(0,)]

    def launch(self, job: str, tags: dict[str, str]) -> str:
        """Start a run of a job as the UI does; its id."""
        location, repository = self.repository() or ("", "")
        parameters = {
            "selector": {"repositoryLocationName": location, "repositoryName": repository, "jobName": job},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        answer = self.graphql(_LAUNCH, parameters=parameters).get("launchRun") or {}
        if "run" not in answer:
            raise EtlError(f"The UI did not start {job}: {answer}")
        return str(answer["run"]["runId"])

    def status(self, run: str) -> str:
        """Of a run."""
        ((status,),) = self.ask("select status from runs where run_id = %s", run, database="dagster")
        return str(status)

    def unfinished(self) -> list[tuple[str, str]]:
        """The jobs of runs that have not ended, and how they are."""
        question = "select pipeline_name, status from runs where status <> all(%s)"
        return [(job, status) for job, status in self.ask(question, list(FINISHED), database="dagster")]

    def failures(self) -> int:
        """How many runs have failed so far."""
        ((number,),) = self.ask("select count(*) from runs where status = 'FAILURE'", database="dagster")
        return int(number)

    def run_processes(self) -> list[int]:
        """The processes of runs that are under way."""
        question = "select value from run_tags join runs using (run_id) where key = 'etl/worker' and status = 'STARTED'"
        return [int(worker.split()[1]) for (worker,) in self.ask(question, database="dagster")]

    def service(self, words: str) -> psutil.Process:
        """The service whose command has these words in it."""
        for process in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):
                if words in " ".join(process.cmdline()):
                    return process
        raise EtlError(f"etl dev has no process of {words}.")

    def left(self) -> list[str]:
        """The commands of processes of this installation, the embedded server's own left out."""
        mark, found = str(self.at.settings.home), []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                is_server = Path(process.cwd()) == self.postgres / "data"
                if process.environ().get("ETL_HOME") == mark and not is_server and process.pid != os.getpid():
                    found.append(" ".join(process.cmdline()))
        return found


@contextmanager
def running_dev(at: Installation) -> Iterator[Dev]:
    """`etl dev` on a free port, until the block ends; what it says is in a file of its home.

    Raises:
        EtlError: It does not come up.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    output = at.settings.home / "output"
    with output.open("w") as file:
        process = subprocess.Popen(  # noqa: S603 (our own words)
            at.command("dev", "--port", str(port)),
            env=at.environment,
            start_new_session=True,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    dev = Dev(at, process, port, output)
    try:
        if not wait_for(lambda: _answers(dev), STARTS_SECONDS):
            raise EtlError(f"etl dev did not come up in {STARTS_SECONDS} seconds: {output.read_text()[-2000:]}")
        yield dev
    finally:
        process.terminate()
        try:
            process.wait(ENDS_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so; whether it came to be in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _answers(dev: Dev) -> bool:
    try:
        return dev.process.poll() is None and dev.repository() is not None
    except OSError:
        return False
