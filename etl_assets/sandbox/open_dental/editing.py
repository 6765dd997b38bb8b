"""Changes to a sandbox that is in use: rows made, edited and deleted as people do, stamps moved as the server does."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from etl_assets.sandbox.open_dental.database import Database
from etl_assets.sandbox.open_dental.rows import ZERO_DATE, Value, blank
from etl_assets.sandbox.open_dental.schema import MYSQL, tables

Found = dict[str, Any]
NOW = {MYSQL: "current_timestamp"}
_NOW_OF_POSTGRESQL = "date_trunc('second', now())"


@dataclass
class Changes:
    """The keys of the rows that were changed, by table."""

    inserted: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    updated: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    deleted: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    silent: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Of those updated, the ones whose stamp did not move."""


class Editor:
    """An open sandbox, and the changes made so far. Stamps are the server's own clock, cut to the second."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.changes = Changes()

    def find(
        self, table: str, where: str = "1 = 1", given: Iterable[object] = (), *, limit: int = 1_000
    ) -> list[Found]:
        """Rows of a table in the order of their keys. Names in the condition are in brackets: `[PatNum] = %s`."""
        declared = tables()[table]
        names = ", ".join(map(self.database.name, declared.names))
        found = self.database.rows(
            f"select {names} from {table} where {self._names(where)}"  # noqa: S608 (our own words)
            f" order by {self.database.name(str(declared.key))} limit {limit}",
            tuple(given),
        )
        return [dict(zip(declared.names, row, strict=True)) for row in found]

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """What a query answers; names are in brackets likewise."""
        return self.database.rows(self._names(statement))

    def insert(self, table: str, **values: Value) -> int:
        """Add a row; what is not said is as the vendor's program has it. Returns its key."""
        declared = tables()[table]
        ((highest,),) = self.database.rows(f"select coalesce(max({self._key(table)}), 0) from {table}")  # noqa: S608
        # A server gives no number twice.
        number = max(int(highest), *self.changes.deleted[table], 0) + 1
        row = blank(declared) | {str(declared.key): number} | values
        unknown = values.keys() - blank(declared).keys()
        if unknown:
            raise KeyError(f"{table} has no column {', '.join(sorted(unknown))}")
        stamp = declared.moves
        if stamp:
            row[stamp] = None
        self._write(table, row, stamp)
        key = int(str(row[str(declared.key)]))
        self.changes.inserted[table].append(key)
        return key

    def update(self, table: str, key: int, **values: object) -> None:
        """Edit a row, as people do; its stamp moves."""
        moves = tables()[table].moves
        sets = [f"{self.database.name(name)} = %s" for name in values]
        if moves and self.database.dialect != MYSQL:
            sets.append(f"{self.database.name(moves)} = {_NOW_OF_POSTGRESQL}")
        self.database.run(
            f"update {table} set {', '.join(sets)} where {self._key(table)} = %s",  # noqa: S608 (declared names)
            (*values.values(), key),
        )
        if key not in self.changes.updated[table]:
            self.changes.updated[table].append(key)

    def update_silently(self, table: str, expression: Mapping[str, str], where: str) -> None:
        """Edit many rows by one statement that leaves the stamp as it is."""
        keys = self._keys(table, where)
        sets = [f"{self.database.name(name)} = {self._names(text)}" for name, text in expression.items()]
        moves = tables()[table].moves
        if moves and self.database.dialect == MYSQL:
            # A stamp that a statement sets itself does not move by itself.
            sets.append(f"{self.database.name(moves)} = {self.database.name(moves)}")
        self.database.run(f"update {table} set {', '.join(sets)} where {self._names(where)}")  # noqa: S608
        self.changes.updated[table] += keys
        self.changes.silent[table] += keys

    def delete(self, table: str, where: str, given: Iterable[object] = ()) -> list[int]:
        """Delete rows, hard. Returns their keys."""
        given = tuple(given)
        keys = self._keys(table, where, given)
        self.database.run(f"delete from {table} where {self._names(where)}", given)  # noqa: S608 (our own words)
        self.changes.deleted[table] += keys
        return keys

    def _write(self, table: str, row: Mapping[str, Value], stamp: str | None) -> None:
        names = ", ".join(map(self.database.name, row))
        now = NOW.get(self.database.dialect, _NOW_OF_POSTGRESQL)
        places = ", ".join(now if name == stamp else "%s" for name in row)
        given = [self._given(value) for name, value in row.items() if name != stamp]
        self.database.run(f"insert into {table} ({names}) values ({places})", given)  # noqa: S608 (declared names)

    def _given(self, value: Value) -> object:
        return None if value is ZERO_DATE else value

    def _keys(self, table: str, where: str, given: Iterable[object] = ()) -> list[int]:
        key = self._key(table)
        statement = f"select {key} from {table} where {self._names(where)} order by {key}"  # noqa: S608 (our own words)
        return [int(number) for (number,) in self.database.rows(statement, tuple(given))]

    def _key(self, table: str) -> str:
        return self.database.name(str(tables()[table].key))

    def _names(self, text: str) -> str:
        """A condition with the names in its brackets quoted as the dialect has it."""
        mark = "`" if self.database.dialect == MYSQL else '"'
        return text.replace("[", mark).replace("]", mark)
