"""The catalogue of a database's tables: a file of one line a table, and what is said by hand beside it.

The file holds facts that stay as they are while the source does (no row counts, no dates of discovery), so that a new
version of the source is a diff of a few lines. All names in it are as staging spells them: lower case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from etl_assets.declare.database import SourceTable
from etl_assets.declare.tables import Copied, Full, Incremental, Monitoring, Table
from etl_assets.errors import EtlError

SIZES = {"tiny": 10_000, "small": 100_000, "medium": 1_000_000, "large": None}
"""The classes of size, each with the rows that it stays under."""
STRATEGIES = ("full_table", "incremental")


@dataclass(frozen=True, kw_only=True)
class ClassRule:
    """A reason why tables are of some importance."""

    importance: str
    why: str
    """In a few words; stands in the catalogue beside every table that has its importance by this rule."""
    names: str
    """Names of tables, with `*` for any characters; one word each."""
    columns: str = ""
    """Where given: the table has one of these columns too, or it is none of this rule's."""

    def holds(self, table: SourceTable) -> bool:
        """Whether the rule speaks of a table."""
        has = {column.staging_name for column in table.columns}
        named = any(fnmatchcase(table.name.lower(), pattern) for pattern in self.names.split())
        return named and (not self.columns or not has.isdisjoint(self.columns.split()))


@dataclass(frozen=True, kw_only=True)
class Override:
    """What is said of a table by hand. What is left out is as the catalogue's file says."""

    load: Full | Incremental | None = None
    batch_size: int | None = None
    monitoring: Monitoring | None = None
    happens_on: str | None = None
    """The column that holds the date of what a row says."""
    never_load: str = ""
    """Columns that must not reach the warehouse; one word each."""
    harmless: str = ""
    """Columns whose names look like a secret's, and that hold none; one word each."""
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The tables of a source's database: the file that lists them, and what it is written by."""

    path: Path
    classes: Sequence[ClassRule]
    """The first that holds says how important a table is. The last one must hold for every table."""
    append_only: Mapping[str, str]
    """Tables without a stamp whose rows are written once and never changed, with who says so."""
    outlive: str = ""
    """Tables that keep here what the source deletes, beside those of class audit; `*` stands for any characters."""
    harmless: str = ""
    """Columns of any table whose names look like a secret's, and that hold none; one word each."""
    overrides: Mapping[str, Override] = field(default_factory=dict)

    def tables(self) -> tuple[Table, ...]:
        """The tables that the file lists, in its order, each with what is said of it by hand.

        What is said of a table that is not listed counts for nothing: the source may have dropped it.

        Raises:
            EtlError: The file cannot be read.
        """
        listed = read_listing(self.path.read_text(encoding="utf-8"), self.path.name).tables
        return tuple(self._by_hand(table) for table in listed.values())

    def _by_hand(self, table: Table) -> Table:
        said = self.overrides.get(table.name, Override())
        if table.copied is None:
            return table
        return replace(
            table,
            load=said.load or table.load,
            never_load=tuple(said.never_load.split()),
            description=said.description,
            copied=replace(
                table.copied,
                batch_size=said.batch_size or table.copied.batch_size,
                monitoring=said.monitoring or table.copied.monitoring,
                happens_on=said.happens_on,
                harmless=(*self.harmless.split(), *said.harmless.split()),
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a catalogue's file says."""

    tables: Mapping[str, Table]
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Tables of the source that are not loaded, with the reason."""


def write_listing(listing: Listing, header: str) -> str:
    """The file's text: a line a table, sorted by name; the same tables are the same text."""
    lines = [*(f"# {line}".rstrip() for line in header.splitlines()), "source_tables:"]
    lines += [f"  {_flow(name)}: {_flow(_said_of(table))}" for name, table in sorted(listing.tables.items())]
    if listing.left_out:
        lines.append("left_out:")
        lines += [f"  {_flow(name)}: {_flow(why)}" for name, why in sorted(listing.left_out.items())]
    return "\n".join(lines) + "\n"


def read_listing(text: str, file: str) -> Listing:
    """What a catalogue's text says.

    Raises:
        EtlError: It is no such text; the table that cannot be read is named.
    """
    try:
        # The parser in C reads 440 lines in 30 ms, the one in Python takes 600.
        given = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}  # noqa: S506 (both are safe)
        lines = dict(given["source_tables"] or {})
        left_out = dict(given.get("left_out") or {})
    except (yaml.YAMLError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise EtlError(f"{file} is no catalogue of tables: {error}") from None
    return Listing(tables={name: _table(file, name, said) for name, said in lines.items()}, left_out=left_out)


def _flow(value: object) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _said_of(table: Table) -> dict[str, object]:
    copied, load = table.copied, table.load
    if copied is None:
        raise TypeError(f"{table.name} is no table of a database")
    said: dict[str, object] = {
        "table_importance": copied.importance,
        "why": copied.why,
        "key": table.keys[0] if len(table.keys) == 1 else list(table.keys),
        "extraction_strategy": "incremental" if isinstance(load, Incremental) else "full_table",
    }
    if isinstance(load, Incremental):
        said["incremental_column"] = load.column
    said |= {"batch_size": copied.batch_size, "size": copied.size}
    if copied.keep_deleted:
        said["keep_deleted"] = True
    return said | {
        "monitoring": {
            "alert_on_failure": copied.monitoring.alert_on_failure,
            "max_extraction_time_minutes": copied.monitoring.max_extraction_time_minutes,
            "data_quality_threshold": copied.monitoring.data_quality_threshold,
        }
    }


def _table(file: str, name: str, said: Mapping[str, Any]) -> Table:
    try:
        rest = dict(said)
        strategy, column, key = rest.pop("extraction_strategy"), rest.pop("incremental_column", None), rest.pop("key")
        if strategy not in STRATEGIES or (strategy == "incremental") != bool(column):
            raise ValueError(f"extraction_strategy {strategy!r} with incremental_column {column!r}")
        if rest["size"] not in SIZES:
            raise ValueError(f"size {rest['size']!r} is none of {', '.join(SIZES)}")
        if not isinstance(rest["batch_size"], int) or rest["batch_size"] < 1:
            raise ValueError(f"batch_size {rest['batch_size']!r} is no number of rows")
        monitoring = Monitoring(**rest.pop("monitoring"))
        return Table(
            name=name,
            key=key if isinstance(key, str) else tuple(key),
            load=Incremental(column=column) if column else Full(),
            copied=Copied(importance=rest.pop("table_importance"), monitoring=monitoring, **rest),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise EtlError(f"{file}: the line of {name} cannot be read: {error}") from None
