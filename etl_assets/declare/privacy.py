"""Data classification: what may be done with each column of a source that holds people's data, and for what.

By default nothing is loaded (default deny): a table or column that a migration of the source adds stays there until
somebody has classified it. The file is written by hand, and is the record that Brazil's LGPD asks for (art. 37): each
column with its purpose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from etl_assets.declare.tables import NAME
from etl_assets.declare.yaml_text import parse_yaml
from etl_assets.errors import EtlError

DATA_CLASSES = {
    "loaded": "as the source has it, for every reader",
    "pseudonymised": "the key of a person: readers see a pseudonym in its place",
    "generalised": "readers see it in a coarser form: a year of birth, the first digits of a ZIP code, a state",
    "personal": "staging alone has it, and no reader sees it",
    "free_text": "not loaded; where it is asked for, it is redacted, and staging alone has it",
    "never": "it does not leave the source",
}
"""What may be done with a column."""
NEVER, FREE_TEXT = "never", "free_text"
TELLS_OF_PEOPLE = ("pseudonymised", "generalised", "personal", FREE_TEXT)
"""The classes of what staging has and its readers must not see."""


@dataclass(frozen=True, kw_only=True)
class ColumnClass:
    """What may be done with a column, and what it is held for."""

    name: str
    """One of `DATA_CLASSES`."""
    purpose: str


@dataclass(frozen=True, kw_only=True)
class TableClasses:
    """The classes of a table's columns, in all versions of the source."""

    purpose: str
    columns: Mapping[str, ColumnClass]
    """By their names in staging."""
    with_free_text: bool = False
    """Whether free text is asked for."""

    @property
    def redacted(self) -> list[str]:
        """The columns that are loaded redacted."""
        return [name for name, each in self.columns.items() if each.name == FREE_TEXT and self.with_free_text]

    @property
    def is_loaded(self) -> bool:
        """Whether any column may leave the source."""
        return any(not self.leaves_out(name) for name in self.columns)

    @property
    def personal(self) -> list[str]:
        """The columns that no reader of staging sees."""
        return [name for name, each in self.columns.items() if each.name in TELLS_OF_PEOPLE]

    def comments(self) -> dict[str, str]:
        """What the warehouse says of each column that is loaded: its class and its purpose."""
        return {
            name: f"{each.name}: {each.purpose}" for name, each in self.columns.items() if not self.leaves_out(name)
        }

    def leaves_out(self, column: str) -> bool:
        """Whether a column stays at the source: never to leave it, not asked for, or classified by nobody."""
        name = self.columns[column].name if column in self.columns else NEVER
        return name == NEVER or (name == FREE_TEXT and not self.with_free_text)

    def unclassified(self, columns: Sequence[str]) -> list[str]:
        """Which of these columns nobody has classified."""
        return [column for column in columns if column not in self.columns]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Data subject: a kind of person that a source tells of, and the table that has a row for each.

    Who is two of them, a patient and a professional, has two pseudonyms, and nobody can tell that they are one.
    """

    name: str
    """Also the purpose of its key: `patient`."""
    table: str
    key: str = "id"
    """The column of the table's key."""
    is_pseudonymised: bool = True
    """Whether the loader makes a pseudonym for each."""
    owns: Sequence["Owned"] = ()
    """The rows that tell of the person, and go with them."""
    key_elsewhere: str = ""
    """A column that holds the key in whatever table has it: every such row tells of the person."""
    same_as: Mapping[str, str] = field(default_factory=dict)
    """The same human as another subject: column of the table -> name of the subject whose key it holds."""


@dataclass(frozen=True, kw_only=True)
class Owned:
    """Rows that belong to a data subject: those in which `column` holds the key of a row that does."""

    table: str
    column: str
    of: str = ""
    """The table whose key it holds; the subject's own where left out."""
    when: "KeyKind | None" = None
    """Where the column holds keys of several tables (a generic foreign key): by what it is told which."""


@dataclass(frozen=True, kw_only=True, order=True)
class KeyKind:
    """Of which table a generic key is: `column` holds the key of a row of `table` in which `name` is `value`."""

    column: str
    table: str
    name: str
    value: str


NOTHING = TableClasses(purpose="", columns={})
"""Of a table that nobody has classified."""


@dataclass(frozen=True)
class Classification:
    """The file with the classes of a source's tables."""

    path: Path

    @cached_property
    def tables(self) -> Mapping[str, TableClasses]:
        """The classified tables, by their names in staging.

        Raises:
            EtlError: The file cannot be read; it says which table is wrong.
        """
        return parse_classification(self.path.read_text(encoding="utf-8"), self.path.name)

    def of(self, table: str) -> TableClasses:
        """The classes of a table's columns; none of a table that nobody has classified."""
        return self.tables.get(table, NOTHING)


def parse_classification(text: str, file: str) -> dict[str, TableClasses]:
    """Parse the text of a classification.

    A table has a `purpose` and `columns`, a list of entries with `class`, `purpose` and the names of `columns`, one
    word each.

    Raises:
        EtlError: It is no such text, a class is unknown, a purpose is missing, or a column stands there twice.
    """
    try:
        given = dict(parse_yaml(text) or {})
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise EtlError(f"{file} is no classification of tables: {error}") from None
    return {name: _parse_table(file, name, entry) for name, entry in given.items()}


def _parse_table(file: str, name: str, entry: Mapping[str, Any]) -> TableClasses:
    columns: dict[str, ColumnClass] = {}
    try:
        for group in entry["columns"]:
            kind, purpose, names = group["class"], group["purpose"], group["columns"].split()
            if kind not in DATA_CLASSES:
                raise ValueError(f"class {kind!r} is none of {', '.join(DATA_CLASSES)}")
            if not purpose or not names:
                raise ValueError(f"an entry of class {kind} lacks its purpose, or its columns")
            wrong = [column for column in names if column in columns or not NAME.match(column)]
            if wrong:
                raise ValueError(f"{', '.join(wrong)} stands there twice, or is not in lower case")
            columns |= {column: ColumnClass(name=kind, purpose=purpose) for column in names}
        return TableClasses(purpose=str(entry["purpose"]), columns=columns)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise EtlError(f"{file}: the classes of {name} cannot be read: {error}") from None
