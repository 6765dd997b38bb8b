"""The benchmarks on a machine where nothing can be compiled: what needs it is left out, and the rest runs."""

import subprocess
import sys
import tomllib

import pytest

from etl_assets.settings import PROJECT

ASK = (
    "from benchmarks.database_ways import DRIVER, WAYS, ways_left_out;"
    "print(DRIVER, *sorted(set(WAYS) - set(ways_left_out()) - {'pgloader'}), sep='|')"
)
EVERYWHERE = ["bare COPY", "dlt connectorx", "dlt pyarrow", "make lines", "rows", "rows, short reads", "whole load"]


def ways(before: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", before + ASK], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.strip().split("|")


def test_without_mysqlclient_pymysql_stands_in() -> None:
    # As an import that fails leaves it.
    assert ways("import sys; sys.modules['MySQLdb'] = None;") == ["pymysql", *EVERYWHERE]


def test_with_mysqlclient_all_ways_run() -> None:
    pytest.importorskip("MySQLdb", reason="mysqlclient could not be compiled here")
    assert ways("") == ["mysqlclient", *sorted([*EVERYWHERE, "read only", "rows, pymysql"])]


def test_what_the_benchmarks_install_needs_no_compiler() -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert not [each for name in ("bench", "dev") for each in extras[name] if "mysqlclient" in each]
