"""How each table of a database is going to be read: decided from what is held of it and how it is declared."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property

from etl_assets.declare.database import Fingerprint, Piece, SourceColumn, SourceTable
from etl_assets.declare.source import Database, Source
from etl_assets.declare.tables import IMPORTANCES, Copied, Incremental, Table
from etl_assets.errors import EtlError, NotAtSource, SchemaDrift
from etl_assets.loading.database.drift import hold_types
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.extraction import Extraction, extractions, key_ranges
from etl_assets.warehouse.database.staging import Held, held_tables, views_on
from etl_assets.warehouse.relation import Relation

WALL_CLOCK = timedelta(hours=12)
"""How much further back is read by a stamp without a zone: it may be of a clock that far behind UTC."""


class Way(Enum):
    """How a table is read."""

    FIRST = "the whole table, into one that is empty"
    COMPARED = "the ranges of keys whose rows come to something else than when they were last read"
    ANEW = "the whole table, compared row by row"
    STAMPED = "what was stamped since"
    APPENDED = "what was appended beyond"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a load would do with one table."""

    table: str
    importance: str
    strategy: str
    """In words; or why it would fail."""
    rows: int
    """As the source's catalogue says."""
    since: datetime | None = None
    after: int | None = None
    fails: bool = False
    """Whether it would be refused, and nothing of it be loaded."""


@dataclass(frozen=True)
class Known:
    """What the warehouse knows of a source's tables; fetched for all of them at once."""

    held: Mapping[str, Held]
    extractions: Mapping[str, Extraction]
    ranges: Mapping[str, list[Fingerprint]]
    views: Mapping[tuple[str, str], list[str]]
    """The views that stand on a column, by table and column."""


@dataclass(frozen=True, kw_only=True)
class TablePlan:
    """One table: as declared, as the source has it, and as it is held."""

    source: Source
    table: Table
    described: SourceTable
    """With the columns that are loaded."""
    stamp: SourceColumn | None
    """The column that the source moves with every change."""
    held: Held | None
    state: Extraction | None
    """How far it was read; None where it is not held."""
    seen: Extraction | None = None
    """What the ledger says of it, held or not."""
    views: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The views that stand on each of its columns."""
    ranges: tuple[Fingerprint, ...] = ()
    sweep: bool = False
    nobody_writes: bool = False
    """Whether the source has hours in which it may be read, and these are they."""

    @property
    def relation(self) -> Relation:
        """Where it is held."""
        return Relation(self.source.schema, self.table.name)

    @property
    def copied(self) -> Copied:
        """How it is copied."""
        if self.table.copied is None:
            raise TypeError(f"{self.table.name} is no table of a database")
        return self.table.copied

    @property
    def is_appended(self) -> bool:
        """Whether it is only appended to: read from its last key on."""
        return isinstance(self.table.load, Incremental) and self.stamp is None and self.described.ranged

    @property
    def batch_size(self) -> int:
        """Rows of one statement.

        Nothing is as fast as one statement for all of a table; but it holds up whoever writes that until the last row
        is taken. So it is used where nobody writes, and a table comes for the first time.
        """
        if self.nobody_writes and self.way is Way.FIRST:
            return max(self.copied.batch_size, self.described.rows)
        return self.copied.batch_size

    @cached_property
    def new_columns(self) -> list[str]:
        """Columns that were not there when the table was last read."""
        if self.held is None:
            return []
        before = set(self.held.columns) & set(self.state.source_columns if self.state else self.held.columns)
        return [column.staging_name for column in self.described.columns if column.staging_name not in before]

    @cached_property
    def dropped_columns(self) -> list[str]:
        """Columns that were there when the table was last read, and are not any more."""
        now = {column.staging_name for column in self.described.columns}
        return [name for name in (self.state.source_columns if self.state else ()) if name not in now]

    @cached_property
    def way(self) -> Way:
        """How it is going to be read."""
        load, state = self.table.load, self.state
        if self.held is None or (state and state.rows_held == state.rows_apart == 0):
            return Way.FIRST
        if state is None or state.in_doubt or self.new_columns:
            return Way.ANEW
        if self.sweep or not isinstance(load, Incremental) or not self.described.key:
            return Way.COMPARED
        if self.stamp:
            return Way.STAMPED if state.read_until else Way.ANEW
        return Way.APPENDED if state.last_key is not None else Way.COMPARED

    def since(self, until: datetime, at: datetime) -> datetime:
        """From which moment of the source's clock on rows are read that were stamped since the last read.

        Stamps of that time began at what the source's clock said then or, if somebody has set it meanwhile, at what it
        says now less the time that has passed by our own clock. The earlier of both, so that nothing falls between.

        Args:
            until: What the source's clock says now.
            at: What ours says.
        """
        if self.state is None or self.state.read_until is None or not isinstance(self.table.load, Incremental):
            raise TypeError(f"{self.table.name} is not read by a stamp")
        since = min(self.state.read_until, until - (at - self.state.read_at)) - self.table.load.overlap
        return since - WALL_CLOCK if self.stamp and self.stamp.staging_type == "timestamp" else since

    def piece(self, until: datetime | None, at: datetime) -> Piece:
        """What is read of it, where it is not read by ranges."""
        if self.way is Way.STAMPED and self.stamp and until:
            # Without an upper bound: what a clock that was ahead has stamped lies in the future.
            return Piece(stamp=self.stamp.name, since=self.since(until, at))
        if self.way is Way.APPENDED and self.state and self.state.last_key is not None:
            return Piece(after=self.state.last_key - self.copied.batch_size)
        return Piece()

    def told(self) -> Plan:
        """What would be done, for people."""
        words, since, after = self.way.value, None, None
        try:
            self.hold_types()
        except SchemaDrift as drift:
            return self._told(str(drift), fails=True)
        if self.way is Way.STAMPED and self.state and self.state.read_until and self.stamp:
            since = self.since(self.state.read_until, self.state.read_at)
            words += f" {since:%Y-%m-%d %H:%M:%S} UTC ({self.stamp.name})"
        elif self.way is Way.APPENDED and self.state and self.state.last_key is not None:
            after = self.state.last_key - self.copied.batch_size
            words += f" {self.described.key[0]} {after}"
        elif self.way is Way.ANEW and self.held and self.state:
            words += f", for {', '.join(self.new_columns)} is new" if self.new_columns else ", for it was in doubt"
        return self._told(words, since=since, after=after)

    def _told(
        self, strategy: str, *, since: datetime | None = None, after: int | None = None, fails: bool = False
    ) -> Plan:
        return Plan(
            table=self.table.name,
            importance=self.copied.importance,
            strategy=strategy,
            rows=self.described.rows,
            since=since,
            after=after,
            fails=fails,
        )

    def hold_types(self) -> None:
        """Raise SchemaDrift where the source has a column in another type than is held, or another key."""
        if self.held is not None:
            again = f"etl run {self.source.name} {self.table.name}"
            hold_types(self.relation, self.held, self.described, self.views, again=again)


def plan_tables(settings: Settings, source: Source, tables: Collection[str], *, sweep: bool = False) -> list[Plan]:
    """Say of each table how it would be read; nothing is read but what the catalogue of the source says.

    Raises:
        EtlError: The source is not set up, or refuses.
        TransientError: The source or the warehouse cannot be reached.
    """
    planned, failures = draw_up(settings, source, tables, sweep=sweep)
    plans = [
        *(plan.told() for plan in planned),
        *(_told_failure(source.table(name), failure) for name, failure in failures.items()),
    ]
    return sorted(plans, key=lambda plan: IMPORTANCES.index(plan.importance))


def _told_failure(table: Table, failure: EtlError) -> Plan:
    importance = table.copied.importance if table.copied else IMPORTANCES[-1]
    is_absent = isinstance(failure, NotAtSource)
    return Plan(table=table.name, importance=importance, strategy=str(failure), rows=0, fails=not is_absent)


def draw_up(
    settings: Settings,
    source: Source,
    tables: Collection[str],
    *,
    sweep: bool = False,
    nobody_writes: bool = False,
) -> tuple[list[TablePlan], dict[str, EtlError]]:
    """Decide how tables are read, in the order in which to begin: the important first, and of these the big ones.

    Returns:
        The plans, and why there is none for a table.

    Raises:
        EtlError, TransientError: As `plan_tables`.
    """
    with connect(settings) as connection:
        known = Known(
            held_tables(connection, source.schema),
            extractions(connection, source.name),
            key_ranges(connection, source.name),
            views_on(connection, source.schema),
        )
    given = settings.of_source(source.name)
    source.hold_reachable(given)
    with closing(_database(source).connect(given)) as reader:
        described = {name.lower(): table for name, table in reader.describe(sorted(tables)).items()}
        if not described and not reader.describe():
            raise EtlError(f"{source.title} shows no table: is it the right database, and may the account read it?")
    plans, failures = [], {}
    for name in tables:
        try:
            plan = _plan(source, source.table(name), described.get(name), known, sweep=sweep)
            plans.append(replace(plan, nobody_writes=nobody_writes))
        except EtlError as error:
            failures[name] = error
    plans.sort(key=lambda plan: (IMPORTANCES.index(plan.copied.importance), -plan.described.size_bytes))
    return plans, failures


def _database(source: Source) -> Database:
    if not isinstance(source.reader, Database):
        raise TypeError(f"{source.name} is no database")
    return source.reader


def _plan(source: Source, table: Table, found: SourceTable | None, known: Known, *, sweep: bool) -> TablePlan:
    relation = Relation(source.schema, table.name)
    if found is None:
        state = known.extractions.get(str(relation))
        if state is None or not state.rows_held:
            raise NotAtSource(f"{relation}: {source.title} has no table {table.name}.")
        raise EtlError(
            f"{relation}: {source.title} has no table {table.name} any more. The {state.rows_held:,} rows held of it"
            f" stay. Say so in etl_assets/sources/{source.name}, or run: etl discover {source.name} --check"
        )
    stamp = None
    if isinstance(table.load, Incremental) and table.load.column.lower() not in found.staging_keys:
        stamp = next((each for each in found.columns if each.staging_name == table.load.column.lower()), None)
        if stamp is None:
            raise EtlError(
                f"{relation}: it is read by {table.load.column}, which {source.title} does not have any more. Nothing"
                f" of it was loaded. Run: etl discover {source.name}"
            )
    described = found.without(table.left_out(column.name for column in found.columns))
    if stamp and stamp not in described.columns:
        raise EtlError(
            f"{relation}: it is read by {stamp.name}, which is not to be loaded. Let it be, or load it Full."
        )
    if not described.key and table.copied and table.copied.keep_deleted:
        raise EtlError(
            f"{relation}: it has no key, so nobody can tell which of its rows the source has deleted."
            " It cannot be one that keeps them."
        )
    seen = known.extractions.get(str(relation))
    is_held = table.name in known.held
    return TablePlan(
        source=source,
        table=table,
        described=described,
        stamp=stamp,
        held=known.held.get(table.name),
        state=seen if is_held else None,
        seen=seen,
        views={column: views for (name, column), views in known.views.items() if name == table.name},
        ranges=tuple(known.ranges.get(str(relation), ())) if is_held else (),
        sweep=sweep,
    )
