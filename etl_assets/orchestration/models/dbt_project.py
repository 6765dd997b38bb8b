"""The dbt project: its path, what is made of it once it is edited, and the connection settings that dbt is given."""

import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from etl_assets.settings import PROJECT, Settings, export_environment
from etl_assets.warehouse.connection import warehouse_url

SQL = PROJECT / "sql"
TARGET = SQL / "target"
_WRITTEN = {".sql", ".yml", ".csv", ".md", ".yaml"}
_FOLDERS = ("models", "macros", "seeds", "tests")
_MAKERS = ("column_lineage", "column_types", "dbt_manifest", "dbt_tests", "model_builds", "shown_manifest")


@cache
def manifest() -> Path:
    """The manifest of the dbt project, made anew where a file of the project is newer when a process first asks.

    Beside it lies what is made of it for each source (`source_manifest`, `dbt_manifest`). Images carry all of it, so
    nothing is written there. No warehouse is asked.

    Raises:
        dg.DagsterInvalidDefinitionError: dbt cannot parse the project; its words are in the message.
    """
    path = TARGET / "manifest.json"
    if _is_fresh(path):
        return path
    from etl_assets.orchestration.models.dbt_manifest import make_manifest  # what it takes is slow to import

    TARGET.mkdir(exist_ok=True)
    with (TARGET / "parse.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_fresh(path):
            make_manifest(SQL, TARGET)
    return path


@contextmanager
def parsed_ahead() -> Iterator[None]:
    """Make the manifest in a process of its own while the block does something else; who asks for it first waits."""
    words = [sys.executable, "-c", f"from {__name__} import manifest; manifest()"]
    # What is wrong with the project is said by who asks.
    parsing = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 (our own words)
    try:
        yield
    finally:
        parsing.terminate()
        parsing.wait()


@cache
def source_manifest(source: str) -> dict[str, Any]:
    """What is made of one source's part of the manifest.

    Returns:
        `manifest`, as the UI shows it, `lineage` of columns, `builds` of models, and `tests`: what each of them reads.
    """
    path = manifest().with_name(f"{source}.json")
    content: dict[str, Any] = (
        json.loads(path.read_text()) if path.exists() else {"builds": {}, "lineage": {}, "tests": {}}
    )
    return content


def dbt_manifest(source: str) -> Path:
    """One source's part of the manifest, as dbt reads it."""
    return manifest().with_name(f"{source}.msgpack")


def reach_warehouse(settings: Settings) -> str:
    """Export the warehouse's connection settings for dbt; returns the database's name."""
    url = urlsplit(warehouse_url(settings))
    export_environment(
        {
            "ETL_DBT_HOST": url.hostname or "localhost",
            "ETL_DBT_PORT": str(url.port or 5432),
            "ETL_DBT_USER": unquote(url.username or ""),
            "ETL_DBT_PASSWORD": unquote(url.password or ""),
            "ETL_DBT_NAME": url.path.lstrip("/"),
            "DO_NOT_TRACK": "1",
        }
    )
    return url.path.lstrip("/")


def _is_fresh(path: Path) -> bool:
    if not path.exists():
        return False
    made = path.stat().st_mtime
    # What is made of the manifest is made by these, and shows the types of the columns.
    makers = (Path(__file__).with_name(f"{name}.py") for name in _MAKERS)
    files = [
        SQL / "dbt_project.yml",
        SQL / "column_types.yaml",
        *makers,
        *(file for folder in _FOLDERS for file in (SQL / folder).rglob("*") if file.suffix in _WRITTEN),
    ]
    return all(file.stat().st_mtime <= made for file in files)
