"""Warm dbt up: what it makes at its first use (validators, the reader of its manifest), the fork server makes once.

It is the last that the fork server preloads, in which no run's code may be: a project of its own, of one model, is
parsed here.
"""

import gc
from pathlib import Path
from tempfile import TemporaryDirectory

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

PROJECT = {
    "dbt_project.yml": """
        {"name": "warm_up", "version": "1.0", "config-version": 2, "profile": "warm_up", "vars": {"a": 1},
         "models": {"warm_up": {"+materialized": "table", "+tags": ["a"]}}}
    """,
    "profiles.yml": """
        {"warm_up": {"target": "none", "outputs": {"none": {
            "type": "postgres", "host": "127.0.0.1", "user": "nobody", "password": "none", "port": 1,
            "dbname": "none", "schema": "none", "threads": 2}}}}
    """,
    "models/a.sql": "select * from {{ source('of', 'b') }}",
    "models/a.yml": """
        {"sources": [{"name": "of", "tables": [{"name": "b", "columns": [{"name": "id"}]}]}],
         "models": [{"name": "a", "columns": [{"name": "id", "data_tests": ["unique"]}]}]}
    """,
}


def warm_up() -> None:
    """Parse a project, and read what came of it. Nothing is connected to, and nothing stays behind."""
    with TemporaryDirectory() as folder:
        for name, text in PROJECT.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        where = ["--project-dir", folder, "--profiles-dir", folder, "--target-path", folder, "--log-path", folder]
        quiet = ["--quiet", "--log-level-file", "none", "--no-send-anonymous-usage-stats"]
        dbtRunner().invoke(["parse", *where, *quiet])
        Manifest.from_msgpack(Path(folder, "partial_parse.msgpack").read_bytes()).build_flat_graph()  # type: ignore[no-untyped-call]


warm_up()
gc.freeze()  # what is there by now no fork looks through, and so copies
