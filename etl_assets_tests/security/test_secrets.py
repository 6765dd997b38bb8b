"""Secrets with marks in every setting that has one; then everything that is written anywhere is searched for them.

The services that are asked answer as badly as can be: with an error that repeats all they were sent.
"""

import io
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psycopg
import pytest
import requests

from etl_assets import cli
from etl_assets.orchestration.launch import dagster_environment
from etl_assets.sandbox.operating_room.write import write_files
from etl_assets.settings import PROJECT
from etl_assets.warehouse import embedded
from etl_assets_tests.command_lines import watched
from etl_assets_tests.mariadb import SESSION
from etl_assets_tests.orchestration.installation import Installation, install

MARK = re.compile(r"PLANTED[0-9a-f]{4}")
PATIENT = re.compile(r"PAT-[0-9]{6}")
BROKEN = "case_id,surgery_date,room_id,or_in\n" + "".join(f"a{n},2026-02-02,OR 1,not a time\n" for n in range(7))
COMMANDS = [
    "validate", "settings", "env", "status", "run operating_room", "run tracktik clients", "run open_dental patient",
    "run lacrei_saude", "run trialsync", "run gohighlevel", "compare open_dental patient",
    "discover open_dental --check", "alerts", "alerts test", "alerts send", "issues list", "inventory",
    "metrics", "report", "jobs list trialsync",
]  # fmt: skip
FAILING = {"run tracktik clients", "run open_dental patient", "run lacrei_saude", "run trialsync", "run gohighlevel",
           "compare open_dental patient", "alerts test"}  # fmt: skip
QUERY = """{
  runsOrError { ... on Runs { results { runId runConfigYaml tags { key value } stats { __typename }
    eventConnection { events { __typename ... on MessageEvent { message }
      ... on StepEvent { stepKey } ... on ErrorEvent { error { message stack } }
      ... on ExecutionStepFailureEvent { error { message stack cause { message stack } } } } } } } }
  instance { info runLauncher { name } daemonHealth { allDaemonStatuses { daemonType } } }
  workspaceOrError { __typename ... on Workspace { locationEntries { name displayMetadata { key value }
    locationOrLoadError { __typename ... on PythonError { message stack } } } } }
  assetNodes { id metadataEntries { label description } }
}"""


class Echo(BaseHTTPRequestHandler):
    """Refuses everything, and repeats it."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = json.dumps({"error": f"{self.path} {self.headers} {body.decode(errors='replace')}"}).encode()
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 (their names)

    def log_message(self, *words: object) -> None:
        del words


@contextmanager
def echoing() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@dataclass
class Night:
    """What was done with planted secrets, and what came out."""

    at: Installation
    codes: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    graphql: str = ""
    command_lines: list[str] = field(default_factory=list)


def planted(host: str) -> tuple[dict[str, str], dict[str, str]]:
    """Settings with a marked secret each: for the environment, and for the secrets file."""
    numbers = iter(range(0xA000, 0xB000))

    def mark() -> str:
        return f"PLANTED{next(numbers):04x}"

    inside = {
        "ETL_TRACKTIK_URL": f"http://{host}",
        **{f"ETL_TRACKTIK_{word}": mark() for word in ("CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD")},
        "ETL_OPEN_DENTAL_URL": f"mysql://reader:{mark()}@127.0.0.1:9/clinic",
        "ETL_OPEN_DENTAL_OLD_URL": f"postgresql://reader:{mark()}@127.0.0.1:9/old",
        "ETL_LACREI_SAUDE_URL": f"postgresql://reader:{mark()}@127.0.0.1:9/lacrei",
        "ETL_LACREI_SAUDE_PSEUDONYM_KEY": mark() * 4,
        "ETL_CELERY_BROKER_URL": f"redis://:{mark()}@127.0.0.1:9/0",
        "ETL_ALERTS_EMAIL": f"mailto://user:{mark()}@127.0.0.1:9?from=a@b.example&to=c@d.example",
    }
    in_file = {
        "ETL_TRIALSYNC_INSTANCES": "north",
        "ETL_TRIALSYNC_NORTH_URL": f"http://{host}",
        "ETL_TRIALSYNC_NORTH_API_KEY": mark(),
        "ETL_GOHIGHLEVEL_MAIN_URL": f"http://{host}",
        "ETL_GOHIGHLEVEL_MAIN_TOKEN": mark(),
        "ETL_GOHIGHLEVEL_MAIN_LOCATION_ID": "somewhere",
        "ETL_GOHIGHLEVEL_INSTANCES": "main",
        "ETL_LACREI_SAUDE_ERASURE_KEY": mark() * 4,
        "ETL_OPEN_DENTAL_ERASURE_KEY": mark() * 4,
        "ETL_ALERTS_SLACK": f"json://user:{mark()}@{host}/{mark()}",
        "ETL_ALERTS_PAGERDUTY": mark() * 3,
        "ETL_ALERTS_PAGERDUTY_URL": f"http://{host}",
        "ETL_HEARTBEAT_URL": f"http://{host}/{mark()}",
    }
    return inside, in_file


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, server: Path, new_database: Callable[[], str]) -> Iterator[Night]:
    home = tmp_path_factory.mktemp("secrets")
    with echoing() as host, pytest.MonkeyPatch.context() as patch:
        at = install(home, new_database, embedded.server_url(server, "postgres"))
        at.landing.mkdir(parents=True)
        inside, in_file = planted(host)
        secrets = tmp_path_factory.mktemp("private") / "secrets"
        secrets.touch(mode=0o600)
        secrets.write_text("".join(f"{name}={value}\n" for name, value in in_file.items()))
        at.environment.update({**inside, "ETL_SECRETS_FILE": str(secrets)})
        for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE", "DAGSTER_DISABLE_TELEMETRY", "PATH"):
            patch.setenv(name, at.environment.get(name, ""))  # so that what a run exports goes with the fixture
        for name, value in at.environment.items():
            patch.setenv(name, value)
        for name in (SESSION, "ETL_REAL_DATA_DIR"):  # settings of the tests, which `etl validate` does not know
            patch.delenv(name, raising=False)
        made = Night(at)
        write_files(at.landing, start=date(2026, 1, 5), days=2, rooms=2)
        with watched("PLANTED", _password(at), seen=("dagster-webserver", "pg_dump")) as made.command_lines:
            for line in COMMANDS:
                _run(made, line)
            # A file that is refused, and a model that fails of a row.
            (at.landing / "or_case_2026-02-02.csv").write_text(BROKEN)
            with psycopg.connect(at.environment["ETL_WAREHOUSE_URL"], autocommit=True) as login:
                login.execute("set role etl_transformer")
                login.execute("alter table operating_room.fact_case add constraint never check (false) not valid")
            write_files(at.landing, start=date(2026, 1, 12), days=1, rooms=2)
            _run(made, "run operating_room", name="run operating_room, failing")
            _run(made, f"backup {home / 'backup'}")
            made.graphql = _ask_webserver(at)
        yield made


def _password(at: Installation) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(at.environment["ETL_WAREHOUSE_URL"])["password"])


def _run(made: Night, line: str, *, name: str | None = None) -> None:
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        made.codes[name or line] = cli.main(line.split())
    made.outputs[name or line] = out.getvalue()


def _ask_webserver(at: Installation) -> str:
    """All that the running webserver says of runs, their events, its instance and the workspace."""
    environment = {**at.environment, **dagster_environment(at.settings), "ETL_SOURCES": "operating_room"}
    log = at.settings.home / "webserver.log"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("w") as file:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("dagster-webserver")), "-h", "127.0.0.1", "-p", str(port),
             "-w", str(PROJECT / "workspace.yaml")],
            env=environment, stdout=file, stderr=file,
        )  # fmt: skip
    try:
        for _ in range(180):
            try:
                answer = requests.post(f"http://127.0.0.1:{port}/graphql", json={"query": QUERY}, timeout=60)
            except requests.ConnectionError:
                time.sleep(0.5)
                continue
            assert "errors" not in answer.json(), answer.text[:2000]
            return answer.text
        raise AssertionError(log.read_text()[-2000:])
    finally:
        process.terminate()
        process.wait(60)


def test_what_was_to_fail_failed_and_the_rest_did_not(night: Night) -> None:
    """Else nothing below proves anything."""
    failing = {*FAILING, "run operating_room, failing", "discover open_dental --check"}
    wrong = {line: night.outputs[line] for line, code in night.codes.items() if (code == 1) != (line in failing)}
    assert wrong == {}
    assert "eventConnection" in night.graphql
    assert "WorkerRunLauncher" in night.graphql
    assert "never" in night.outputs["run operating_room, failing"]


def test_no_secret_is_in_what_a_command_prints(night: Night) -> None:
    password = _password(night.at)
    assert {line for line, text in night.outputs.items() if MARK.search(text) or password in text} == set()


def test_no_secret_is_in_any_file_of_the_installation(night: Night) -> None:
    password = _password(night.at).encode()
    found = set()
    looked = 0
    for path in night.at.settings.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            looked += 1
            if b"PLANTED" in content or password in content:
                found.add(str(path.relative_to(night.at.settings.home)))
    assert looked > 20
    assert found == set()


@pytest.mark.parametrize("database", ["ETL_WAREHOUSE_URL", "ETL_DAGSTER_URL"])
def test_no_secret_is_in_any_table(night: Night, database: str) -> None:
    password = _password(night.at)
    with psycopg.connect(night.at.environment[database]) as connection:
        tables = connection.execute(
            "select oid::regclass::text from pg_class where relkind in ('r', 'm')"
            " and relnamespace::regnamespace::text !~ '^(pg_|information_schema)'"
        ).fetchall()
        found = {
            table
            for (table,) in tables
            for (number,) in connection.execute(
                f"select count(*) from {table} as held where strpos(held::text, 'PLANTED') > 0"
                " or strpos(held::text, %s) > 0",
                [password],
            )
            if number
        }
    assert len(tables) > 10
    assert found == set()


def test_no_secret_is_on_a_command_line_or_told_by_the_webserver(night: Night) -> None:
    assert night.command_lines == []
    assert MARK.search(night.graphql) is None
    assert _password(night.at) not in night.graphql


def test_no_patient_is_in_a_log_an_event_or_what_a_command_prints(night: Night) -> None:
    """A model failed of a patient's row, and PostgreSQL quotes it."""
    assert {line for line, text in night.outputs.items() if PATIENT.search(text)} == set()
    assert PATIENT.search(night.graphql) is None
    home = night.at.settings.home
    logs = [
        path
        for path in home.rglob("*")
        if path.is_file() and "landing" not in path.parts and "backup" not in path.parts
    ]
    assert {path.name for path in logs if PATIENT.search(path.read_text(errors="replace"))} == set()
    with psycopg.connect(night.at.environment["ETL_DAGSTER_URL"]) as connection:
        assert connection.execute("select count(*) from event_logs where event ~ 'PAT-[0-9]{6}'").fetchone() == (0,)
