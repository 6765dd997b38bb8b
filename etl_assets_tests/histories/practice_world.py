"""A dental practice whose rows change at random: inserted, edited, deleted, and written past their stamps."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from random import Random

from etl_assets.sandbox.open_dental.database import Database
from etl_assets.sandbox.open_dental.editing import Editor, Found
from etl_assets.sandbox.open_dental.fill import fill
from etl_assets.sandbox.open_dental.schema import tables

PATIENTS = 8
OF_MONEY_AND_VISITS = (
    "appointment",
    "claim",
    "claimproc",
    "procedurelog",
    "paysplit",
    "payment",
    "adjustment",
    "patient",
)
"""Where most of what happens is written."""
APPENDED = {"securitylog", "securityloghash"}
"""Logs, of which no entry is ever edited."""


@dataclass
class PracticeWorld:
    """Changes a database as a practice does, and as nobody should: a column gets the value that another row has."""

    random: Random
    url: str
    names: Collection[str]
    """The tables that change."""
    _database: Database = field(init=False)
    _editor: Editor = field(init=False)

    def __post_init__(self) -> None:
        fill(self.url, patients=PATIENTS, seed=self.random.randrange(1000), only=self.names)
        self._database = Database(self.url)
        self._editor = Editor(self._database)

    def close(self) -> None:
        """Close the database."""
        self._database.__exit__(None, None, None)

    def change(self) -> str:
        """Change something, anywhere; returns the table."""
        often = [name for name in OF_MONEY_AND_VISITS if name in self.names]
        table = self.random.choice(often if self.random.random() < 0.6 else sorted(self.names))
        rows = self._editor.find(table)
        if len(rows) < 3 or table == "preference":
            return table
        changes: list[Callable[[str, list[Found]], None]] = [self._insert, self._delete]
        if table not in APPENDED:
            changes += [self._edit] * 3 + [self._edit_silently]
        self.random.choice(changes)(table, rows)
        return table

    def _insert(self, table: str, rows: list[Found]) -> None:
        """A row like another one, but for a column."""
        declared = tables()[table]
        like = {name: value for name, value in self.random.choice(rows).items() if name not in self._own(table)}
        name, value = self._change(table, rows)
        self._editor.insert(declared.name, **{**like, name: value})

    def _edit(self, table: str, rows: list[Found]) -> None:
        key = self.random.choice(rows)[str(tables()[table].key)]
        name, value = self._change(table, rows)
        self._editor.update(table, key, **{name: value})

    def _edit_silently(self, table: str, rows: list[Found]) -> None:
        """As a person does at the database, whom no stamp follows: a sweep finds it."""
        key = tables()[table].key
        one, other = self.random.sample([row[str(key)] for row in rows], 2)
        name, _ = self._change(table, rows)
        copied = f"(select [{name}] from (select * from {table}) as other where [{key}] = {other})"
        self._editor.update_silently(table, {name: copied}, f"[{key}] = {one}")

    def _delete(self, table: str, rows: list[Found]) -> None:
        key = tables()[table].key
        self._editor.delete(table, f"[{key}] = %s", [self.random.choice(rows)[str(key)]])

    def _change(self, table: str, rows: list[Found]) -> tuple[str, object]:
        """A column, and the value that it has in some row; one in which rows differ, where there is any."""
        names = [name for name in rows[0] if name not in self._own(table)]
        telling = [name for name in names if len({repr(row[name]) for row in rows}) > 1]
        name = self.random.choice(telling or names)
        return name, self.random.choice(rows)[name]

    @staticmethod
    def _own(table: str) -> set[str]:
        """What a row does not share with others: its key and its stamp."""
        declared = tables()[table]
        return {str(declared.key), str(declared.moves)}
