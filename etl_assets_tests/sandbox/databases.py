"""Databases for the sandbox of Open Dental in tests: what each dialect holds, in one form."""

from datetime import UTC, datetime

from etl_assets.sandbox.open_dental.database import Database
from etl_assets.sandbox.open_dental.rows import Row, ZeroDate
from etl_assets.sandbox.open_dental.schema import MYSQL, tables

Held = dict[str, dict[int, tuple[object, ...]]]


def held(url: str, *names: str) -> Held:
    """All rows of these tables, or of all, by key; dates of 0000-00-00 are none."""
    with Database(url) as database:
        return {name: _rows(database, name) for name in names or tables()}


def of(row: Row) -> tuple[object, ...]:
    """A row of the practice in the same form."""
    return tuple(None if isinstance(value, ZeroDate) else value for value in row.values())


def _rows(database: Database, name: str) -> dict[int, tuple[object, ...]]:
    table = tables()[name]
    columns = ", ".join(map(database.name, table.names))
    place = table.names.index(str(table.key))
    found = database.rows(f"select {columns} from {database.name(name)}")
    stamped = [table.kinds[column] == "timestamp" for column in table.names]
    return {
        int(row[place]): tuple(_told(value, stamp) for value, stamp in zip(row, stamped, strict=True)) for row in found
    }


def _told(value: object, stamp: bool) -> object:
    if stamp and isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    # pymysql hands such a date over as it is written.
    return None if value == "0000-00-00" else value


def stamps(url: str, table: str) -> dict[int, datetime]:
    """The stamp of each row of a table, by key."""
    declared = tables()[table]
    with Database(url) as database:
        key, moves = database.name(str(declared.key)), database.name(str(declared.moves))
        found = database.rows(f"select {key}, {moves} from {table}")
        utc = database.dialect == MYSQL
    return {int(number): moment.replace(tzinfo=UTC) if utc else moment for number, moment in found}
