"""Runs of dbt inside the process of the tests, on the warehouse of one module."""

import fcntl
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from etl_assets.orchestration.models.dbt_build import read_manifest, spare_the_stack
from etl_assets.settings import PROJECT
from etl_assets_tests.mariadb import SESSION

SQL = PROJECT / "sql"
TRIAL = Path(__file__).parent / "project"
OPERATING_ROOM = ("--select", *(f"path:{folder}/operating_room" for folder in ("models", "seeds", "tests")))
"""All that is built of one source's files, and of nothing else."""
SETTINGS = ("start_date", "end_date", "as_of", "batch_id")
"""What dbt is told by settings of its session, and not by vars."""


@dataclass(frozen=True)
class Outcome:
    """What dbt said of one node."""

    status: str
    rows: int | None
    message: str


@dataclass(frozen=True)
class Dbt:
    """A dbt project, a warehouse, and a folder for what dbt writes."""

    project: Path
    url: str
    folder: Path

    def __call__(self, *words: str, **variables: object) -> dict[str, Outcome]:
        """Run dbt; every node's outcome by its name. A failure is an outcome too, and not raised."""
        return {
            each.node.name: Outcome(
                status=str(each.status),
                rows=each.adapter_response.get("rows_affected"),
                message=" ".join((each.message or "").split()),
            )
            for each in self._invoke(words, variables).results
        }

    def parse(self) -> None:
        """Write the manifest; no warehouse is asked."""
        self._invoke(("parse",), {})

    def _manifest(self) -> Any:
        """What dbt makes of the project by parsing it, for this database."""
        manifest = read_manifest(_parsed(self.project), str(conninfo_to_dict(self.url)["dbname"]))
        manifest.build_flat_graph()
        return manifest

    def _invoke(self, words: tuple[str, ...], variables: dict[str, object]) -> Any:
        from dbt.cli.main import dbtRunner  # slow to import, and only these tests need it

        spare_the_stack()
        folders = ["--project-dir", str(self.project), "--profiles-dir", str(SQL)]
        settings = {name: value for name, value in variables.items() if name in SETTINGS}
        rest = {name: value for name, value in variables.items() if name not in SETTINGS}
        with _environment(self.url, self.folder, settings), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # dbt's own
            is_parsed_anew = rest or words[0] == "parse"
            done = dbtRunner(manifest=None if is_parsed_anew else self._manifest()).invoke(
                ["--quiet", *words, *folders, "--vars", json.dumps(rest)]
            )
        if done.exception:
            raise done.exception
        return done.result


@lru_cache
def _parsed(project: Path) -> bytes:
    """A project as dbt has parsed it: once, for all that the tests do with it."""
    folder = Path(os.environ[SESSION])
    kept = folder / f"{project.name}.msgpack"
    with (folder / "dbt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            with TemporaryDirectory() as made:
                Dbt(project, "host=127.0.0.1 port=1 user=nobody dbname=none", Path(made)).parse()
                shutil.copy(Path(made) / "target" / "partial_parse.msgpack", kept)
    return kept.read_bytes()


@contextmanager
def _environment(url: str, folder: Path, settings: dict[str, object]) -> Iterator[None]:
    parts = conninfo_to_dict(url)
    wanted = {
        "ETL_DBT_HOST": str(parts["host"]),
        "ETL_DBT_PORT": str(parts.get("port", 5432)),
        "ETL_DBT_USER": str(parts["user"]),
        "ETL_DBT_PASSWORD": str(parts.get("password", "")),
        "ETL_DBT_NAME": str(parts["dbname"]),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
        "PGOPTIONS": " ".join(f"-c etl.{name}={value}" for name, value in settings.items()),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
