"""A database that holds the sandbox: what is written into it, the same into MySQL and into PostgreSQL."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from etl_assets.errors import EtlError
from etl_assets.readers.database import open_connection
from etl_assets.sandbox.open_dental.rows import Row, Value, ZeroDate
from etl_assets.sandbox.open_dental.schema import MYSQL, POSTGRESQL, Table, quoted, statements_of

MARK = "etl sandbox"
"""The preference by which a database is known to be a sandbox."""
BATCH_ROWS = 500
# A clinic's server is not strict, and takes dates of 0000-00-00.
_MYSQL_SESSION = ("set names utf8mb4", "set time_zone = '+00:00'", "set sql_mode = 'NO_ENGINE_SUBSTITUTION'")
_POSTGRESQL_SESSION = ("set time zone 'UTC'", "set client_min_messages = warning")
_COPY_MARKS = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Database:
    """An open database, in either dialect; every statement is committed by itself."""

    def __init__(self, url: str, *, driver: str | None = None) -> None:
        """Open it.

        Raises:
            EtlError: The URL cannot be read, or the database refuses.
            TransientError: The database cannot be reached.
        """
        self.dialect = POSTGRESQL if urlsplit(url).scheme.startswith("postgres") else MYSQL
        self._connection = open_connection(url, driver=driver)
        for statement in _POSTGRESQL_SESSION if self.dialect == POSTGRESQL else _MYSQL_SESSION:
            self.run(statement)

    def __enter__(self) -> "Database":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def run(self, statement: str, given: Sequence[object] = ()) -> int:
        """Run a statement, with %s for each value; how many rows it changed."""
        with self._cursor() as cursor:
            cursor.execute(statement, tuple(given) or None)
            return int(cursor.rowcount)

    def rows(self, statement: str, given: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What a query answers."""
        with self._cursor() as cursor:
            cursor.execute(statement, tuple(given) or None)
            return list(cursor.fetchall())

    def name(self, word: str) -> str:
        """A table's or column's name, as a statement has it."""
        return quoted(word, self.dialect)

    def held(self) -> set[str]:
        """The names of all tables in it; of other schemas too, in PostgreSQL."""
        own = "table_schema = database()" if self.dialect == MYSQL else "table_schema !~ '^(pg_|information_schema$)'"
        # The server's capitals of the name differ from version to version.
        return {name for (name,) in self.rows(f"select table_name from information_schema.tables where {own}")}  # noqa: S608 (one of two of our own)

    def make(self, table: Table) -> None:
        """Make a table, anew where it is there."""
        self.drop(table.name)
        for statement in statements_of(table, self.dialect):
            self.run(statement)

    def drop(self, table: str) -> None:
        """Drop a table where it is there."""
        self.run(f"drop table if exists {self.name(table)}")

    def mark(self) -> str | None:
        """What it was marked with as a sandbox; none where it never was."""
        if "preference" not in self.held():
            return None
        value, name = self.name("ValueString"), self.name("PrefName")
        found = self.rows(f"select {value} from preference where {name} = %s", (MARK,))  # noqa: S608 (names of our own)
        return str(found[0][0]) if found else None

    def set_mark(self, text: str) -> None:
        """Mark it as a sandbox. The table `preference` must be there."""
        value, name = self.name("ValueString"), self.name("PrefName")
        if not self.run(f"update preference set {value} = %s where {name} = %s", (text, MARK)) and self.mark() is None:  # noqa: S608
            key = self.name("PrefNum")
            self.run(
                f"insert into preference ({key}, {name}, {value})"  # noqa: S608
                f" select coalesce(max({key}), 0) + 1, %s, %s from preference",
                (MARK, text),
            )

    def be_sandbox(self, where: str = "The database") -> None:
        """Make sure that nothing of anybody else's is in it.

        Raises:
            EtlError: It holds tables and is not marked as a sandbox; nothing was changed.
        """
        held = self.held()
        if held and self.mark() is None:
            raise EtlError(
                f"{where} holds {len(held)} tables and is not marked as a sandbox of Open Dental (preference '{MARK}')."
                " It was left as it was; give an empty database."
            )

    def write(self, table: Table, rows: Sequence[Row]) -> None:
        """Write rows into a table, every column of each."""
        if self.dialect == MYSQL:
            self._insert(table, rows)
        else:
            self._copy(table, rows)

    def _insert(self, table: Table, rows: Sequence[Row]) -> None:
        names = ", ".join(map(self.name, table.names))
        places = ", ".join(["%s"] * len(table.names))
        statement = f"insert into {self.name(table.name)} ({names}) values ({places})"  # noqa: S608 (declared names)
        with self._cursor() as cursor:
            for batch in _batches(rows):
                cursor.executemany(statement, [[_plain(row[name]) for name in table.names] for row in batch])

    def _copy(self, table: Table, rows: Sequence[Row]) -> None:
        names = ", ".join(map(self.name, table.names))
        with self._cursor() as cursor, cursor.copy(f"copy {self.name(table.name)} ({names}) from stdin") as copy:
            for batch in _batches(rows):
                copy.write("".join("\t".join(_copied(row[name]) for name in table.names) + "\n" for row in batch))

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        cursor = self._connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()


def written(span: timedelta) -> str:
    """A span of time as both dialects read it: -26:30:00."""
    seconds = abs(span) // timedelta(seconds=1)
    sign = "-" if span < timedelta() else ""
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _plain(value: Value) -> int | float | str | None:
    """A value as MySQL is given it."""
    if isinstance(value, ZeroDate):
        return "0000-00-00"
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    return written(value) if isinstance(value, timedelta) else value


def _copied(value: Value) -> str:
    """A value as PostgreSQL's COPY reads it."""
    if value is None or isinstance(value, ZeroDate):
        return "\\N"
    if isinstance(value, str):
        return value.translate(_COPY_MARKS) if re.search(r"[\\\t\n\r]", value) else value
    if isinstance(value, (date, timedelta)):
        return written(value) if isinstance(value, timedelta) else str(value)
    return repr(value)


def _batches(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    return (rows[start : start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS))
