"""Open Dental's tables as a real server makes them, from the published description of its schema.

The description (`open_dental/schema.json` of ETL_REAL_DATA_DIR) is not ours to ship; without it, tests that need all
tables are skipped loudly.
"""

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from etl_assets.declare.database_reader import SourceColumn, SourceTable
from etl_assets.loading.database.discovery import build_catalogue
from etl_assets.sources.open_dental.tables import CATALOGUE

Described = Mapping[str, Any]
"""One table: `columns`, `primary_key`, `indexes`, `one_clinic` with a clinic's figures."""


def read_schema(real_data: Path) -> dict[str, Described]:
    """All 450 tables that are described, by name; 440 of them have a key."""
    described: dict[str, Described] = json.loads((real_data / "open_dental" / "schema.json").read_text())
    return described


def keyed(schema: Mapping[str, Described]) -> list[str]:
    """The names of the tables that have a key, sorted: those that we load."""
    return sorted(name for name, table in schema.items() if table["primary_key"])


def create_statements(
    schema: Mapping[str, Described], names: Collection[str] | None = None, engine: str = "MyISAM"
) -> list[str]:
    """One CREATE TABLE a table, for MariaDB or MySQL with `sql_mode=''`: some defaults are zero dates.

    Args:
        schema: What `read_schema` gives.
        names: Which tables; those with a key where left out. Five without one have columns without a type: they cannot
            be made.
        engine: The storage engine; the clinics' own is MyISAM.
    """
    return [_create(name, schema[name], engine) for name in (keyed(schema) if names is None else names)]


def _create(name: str, table: Described, engine: str) -> str:
    lines = [_column(column) for column in table["columns"]]
    if table["primary_key"]:
        lines.append(f"primary key ({_listed(table['primary_key'])})")
    types = {column["name"]: column["mysql_type"] for column in table["columns"]}
    # Seven indexes of the description are of columns that later versions dropped.
    lines += [
        f"key ({', '.join(_indexed(column, types[column]) for column in columns)})"
        for columns in dict.fromkeys(map(tuple, table.get("indexes", ())))
        if types.keys() >= set(columns)
    ]
    return f"create table `{name}` ({', '.join(lines)}) engine={engine} default charset=utf8mb3"


def _column(column: Described) -> str:
    words = [f"`{column['name']}`", column["mysql_type"]]
    if "charset" in column:
        words.append(f"character set {column['charset']} collate {column['collation']}")
    # Of what no server's own statement is known, null is allowed: nothing says otherwise. For a timestamp it must be
    # said, or an older server makes the first of a table move by itself.
    words.append("not null" if column.get("nullable") is False else "null")
    if "default" in column and not (column["default"] == "NULL" and column.get("nullable") is False):
        words.append(f"default {_default(column['default'])}")
    if column.get("on_update_current_timestamp"):
        words.append("on update current_timestamp()")
    if column.get("auto_increment"):
        words.append("auto_increment")
    return " ".join(words)


def _default(written: str) -> str:
    spoken = written.lower().removesuffix("()")
    return spoken if spoken in {"null", "current_timestamp"} else f"'{written}'"


def _indexed(name: str, kind: str) -> str:
    """Of a long text the first characters: how many is not described, and a key of MyISAM has 1,000 bytes at most."""
    return f"`{name}`(50)" if kind.endswith(("text", "blob", "(255)")) else f"`{name}`"


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def as_found(schema: Mapping[str, Described]) -> dict[str, SourceTable]:
    """The tables that have a key as a reader's `describe` gives them, with the rows that they had in one clinic.

    Of types it knows as much as the choice of a load needs: whether a column is a whole number.
    """
    return {name: _found(name, schema[name]) for name in keyed(schema)}


def _found(name: str, table: Described) -> SourceTable:
    columns = tuple(
        SourceColumn(
            name=column["name"],
            type=column["mysql_type"],
            staging_type="bigint" if "int" in column["mysql_type"] else "text",
            on_update_timestamp=bool(column.get("on_update_current_timestamp")),
        )
        for column in table["columns"]
    )
    rows = table.get("one_clinic", {}).get("est_rows", 0)
    return SourceTable(name=name, columns=columns, key=tuple(table["primary_key"]), rows=rows)


if __name__ == "__main__":
    # Write the catalogue that we ship: ETL_REAL_DATA_DIR=... python -m etl_assets_tests.open_dental_schema
    described = read_schema(Path(os.environ["ETL_REAL_DATA_DIR"]))
    CATALOGUE.path.write_text(build_catalogue(as_found(described), CATALOGUE, None))
