"""The dbt project: its path, its manifest, and the connection settings that dbt processes are given."""

import fcntl
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

import dagster as dg
from dagster_dbt import DbtCliResource, DbtProject

from etl_assets.orchestration.column_lineage import Lineage, column_lineage
from etl_assets.settings import PROJECT, Settings, export_environment
from etl_assets.warehouse.connection import warehouse_url

SQL = PROJECT / "sql"
TARGET = SQL / "target"
LINEAGE = "column_lineage.json"
_DBT = str(Path(sys.executable).with_name("dbt"))
_WRITTEN = ("*.sql", "*.yml", "*.csv", "*.md")


def manifest() -> Path:
    """The manifest of the dbt project, made anew where a file of the project is newer. No warehouse is asked.

    Beside it lies the lineage of its columns, which takes some seconds to read out of the compiled SQL. Images carry
    both, so nothing is written there.

    Raises:
        dg.DagsterInvalidDefinitionError: dbt cannot parse the project; its words are in the message.
    """
    path = TARGET / "manifest.json"
    if _is_fresh(path):
        return path
    TARGET.mkdir(exist_ok=True)
    with (TARGET / "parse.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_fresh(path):
            _parse(path)
    return path


@cache
def loaded_manifest() -> dict[str, Any]:
    """The manifest as it was when it was asked for first; not to be changed."""
    content: dict[str, Any] = json.loads(manifest().read_text())
    return content


@cache
def model_lineage() -> Lineage:
    """The lineage of the models' columns."""
    content = json.loads((manifest().parent / LINEAGE).read_text())
    return {
        relation: {column: [(of, name) for of, name in parents] for column, parents in columns.items()}
        for relation, columns in content.items()
    }


def dbt_project() -> DbtProject:
    """The project as dagster-dbt knows it."""
    return DbtProject(project_dir=SQL, profiles_dir=SQL)


def dbt_resource() -> DbtCliResource:
    """The dbt command of this environment."""
    return DbtCliResource(project_dir=dbt_project(), profiles_dir=str(SQL), dbt_executable=_DBT)


def reach_warehouse(settings: Settings) -> None:
    """Export the warehouse's connection settings for dbt processes."""
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


def _is_fresh(path: Path) -> bool:
    if not path.exists() or not (path.parent / LINEAGE).exists():
        return False
    made = path.stat().st_mtime
    folders = (SQL / "models", SQL / "macros", SQL / "seeds", SQL / "tests")
    sources = [
        SQL / "dbt_project.yml",
        *(file for folder in folders for kind in _WRITTEN for file in folder.rglob(kind)),
    ]
    return all(source.stat().st_mtime <= made for source in sources)


def _parse(path: Path) -> None:
    with TemporaryDirectory(dir=TARGET) as folder:
        # Compiled, and not only parsed: the lineage is read out of the SQL. Nothing is looked up in the warehouse.
        words = ["compile", "--quiet", "--no-introspect", "--no-populate-cache", "--target-path", folder]
        words += ["--project-dir", str(SQL), "--profiles-dir", str(SQL)]
        done = subprocess.run(  # noqa: S603 (our own words)
            [_DBT, "--log-path", folder, *words], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise dg.DagsterInvalidDefinitionError(f"dbt cannot parse {SQL}:\n{done.stdout}{done.stderr}")
        made = Path(folder) / "manifest.json"
        (Path(folder) / LINEAGE).write_text(json.dumps(column_lineage(json.loads(made.read_text()))))
        (Path(folder) / LINEAGE).replace(path.parent / LINEAGE)
        # The time is that of the reading, so that what was edited meanwhile counts as newer.
        made.replace(path)
