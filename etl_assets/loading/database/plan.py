"""Extraction plans: how each table is going to be read, chosen from its declaration and its state in the warehouse."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property

from etl_assets.declare.copied_table import IMPORTANCES, CopiedTable
from etl_assets.declare.database_reader import (
    Fingerprint,
    HeaderDigests,
    RowRange,
    SourceColumn,
    SourceTable,
)
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError, NotAtSource, SchemaDrift
from etl_assets.loading.database.drift import check_personal_columns, check_schema, check_table_names
from etl_assets.loading.database.loaded_part import as_asked, expired_rows, is_free_text_asked_for, loaded_part
from etl_assets.loading.database.tombstone_keys import erasure_key, leave_out_erased
from etl_assets.settings import Settings
from etl_assets.warehouse.catalog import dependent_views
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.extraction import Extraction, extractions, key_ranges
from etl_assets.warehouse.database.header_digests import header_digests
from etl_assets.warehouse.database.staging import ExistingTable, existing_tables
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.tombstones import tombstones

MAX_ZONE_OFFSET = timedelta(hours=12)
"""How much further back is read by a cursor without a time zone: its clock may be that far behind UTC."""


class ExtractMode(Enum):
    """The extract mode: which rows of a table are read."""

    INITIAL = "the whole table, into one that is empty"
    RANGE_CHECKSUM = "the ranges of keys whose rows come to something else than when they were last read"
    HEADER_DIGEST = "the chunks of pages that something was written to since they were last read"
    FULL_COMPARE = "the whole table, compared row by row"
    TIMESTAMP_CURSOR = "what was stamped since"
    KEY_CURSOR = "what was appended beyond"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A dry run's line: what a load would do with one table."""

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
class WarehouseState:
    """The state of a source's tables in the warehouse; fetched for all of them at once."""

    existing: Mapping[str, ExistingTable]
    extractions: Mapping[str, Extraction]
    ranges: Mapping[str, list[Fingerprint]]
    digests: Mapping[str, HeaderDigests]
    views: Mapping[tuple[str, str], list[str]]
    """The views that depend on a column, by table and column."""


@dataclass(frozen=True, kw_only=True)
class TablePlan:
    """The plan of one table: as declared, as the source has it, and as it is in staging."""

    source: Source
    table: CopiedTable
    source_table: SourceTable
    """With the columns that are loaded."""
    cursor_column: SourceColumn | None
    """The column that the source updates with every change; None where there is none."""
    existing: ExistingTable | None
    state: Extraction | None
    """How far it was read; None where it is not in staging."""
    ledger_state: Extraction | None = None
    """What the ledger says of it, whether it is in staging or not."""
    views: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The views that depend on each of its columns."""
    ranges: tuple[Fingerprint, ...] = ()
    unclassified: tuple[str, ...] = ()
    """Columns of the source, and of the first table whole tables, that nobody has classified: they are not loaded."""
    digests: HeaderDigests | None = None
    """The header digests of its chunks when they were last read; None where they never were."""
    full_compare: bool = False
    source_is_idle: bool = False
    """Whether the source has hours in which it may be read, and these are they."""

    @property
    def relation(self) -> Relation:
        """Its staging table."""
        return Relation(self.source.schema, self.table.name)

    @property
    def is_append_only(self) -> bool:
        """Whether it is only appended to: read from its last key on."""
        return self.table.cursor is not None and self.cursor_column is None and self.source_table.has_integer_key

    @property
    def batch_size(self) -> int:
        """Rows of one statement.

        Nothing is as fast as one statement for all of a table; but it holds up whoever writes that until the last row
        is taken. So it is used where nobody writes, and a table comes for the first time.
        """
        if self.source_is_idle and self.mode is ExtractMode.INITIAL:
            return max(self.table.batch_size, self.source_table.rows)
        return self.table.batch_size

    @cached_property
    def new_columns(self) -> list[str]:
        """Columns that were not there when the table was last read."""
        if self.existing is None:
            return []
        before = set(self.existing.columns) & set(self.state.source_columns if self.state else self.existing.columns)
        return [column.staging_name for column in self.source_table.columns if column.staging_name not in before]

    @cached_property
    def dropped_columns(self) -> list[str]:
        """Columns that were there when the table was last read, and are not any more."""
        now = {column.staging_name for column in self.source_table.columns}
        return [name for name in (self.state.source_columns if self.state else ()) if name not in now]

    @cached_property
    def mode(self) -> ExtractMode:
        """The extract mode."""
        cursor, state = self.table.cursor, self.state
        if self.existing is None or (state and state.rows_held == state.rows_retained == 0):
            return ExtractMode.INITIAL
        if state is None or state.needs_full_compare or self.new_columns:
            return ExtractMode.FULL_COMPARE
        if self._has_headers and not self.full_compare:
            return ExtractMode.HEADER_DIGEST
        if self.full_compare or cursor is None or not self.source_table.key:
            return ExtractMode.RANGE_CHECKSUM
        if self.cursor_column:
            return ExtractMode.TIMESTAMP_CURSOR if state.read_until else ExtractMode.FULL_COMPARE
        return ExtractMode.KEY_CURSOR if state.last_key is not None else ExtractMode.RANGE_CHECKSUM

    @property
    def by_headers(self) -> bool:
        """Whether it is read by chunks of pages. A sweep of what is held goes by its values, and proves the headers."""
        return self._has_headers and (self.mode is ExtractMode.INITIAL or not self.full_compare)

    @property
    def _has_headers(self) -> bool:
        return self.source_table.has_row_headers and self.table.cursor is None and not self.table.retain_deleted

    def cursor_start(self, until: datetime, at: datetime) -> datetime:
        """The lower bound of the cursor: rows updated at this moment of the source's clock or later are read.

        Cursors of that time began at what the source's clock said then or, if somebody has set it meanwhile, at what it
        says now less the time that has passed by our own clock. The earlier of both, so that nothing falls between.

        Args:
            until: What the source's clock says now.
            at: What ours says.
        """
        if self.state is None or self.state.read_until is None or self.table.cursor is None:
            raise TypeError(f"{self.table.name} has no cursor column")
        since = min(self.state.read_until, until - (at - self.state.read_at)) - self.table.cursor.overlap
        return (
            since - MAX_ZONE_OFFSET if self.cursor_column and self.cursor_column.staging_type == "timestamp" else since
        )

    def row_range(self, until: datetime | None, at: datetime) -> RowRange:
        """The rows to read, where it is not read by ranges."""
        if self.mode is ExtractMode.TIMESTAMP_CURSOR and self.cursor_column and until:
            # Without an upper bound: the cursor of a clock that was ahead lies in the future.
            return RowRange(cursor_column=self.cursor_column.name, since=self.cursor_start(until, at))
        if self.mode is ExtractMode.KEY_CURSOR and self.state and self.state.last_key is not None:
            return RowRange(after=self.state.last_key - self.table.batch_size)
        return RowRange()

    def describe(self) -> Plan:
        """Describe the plan for people."""
        strategy, since, after = self.mode.value, None, None
        try:
            self.check_schema()
        except SchemaDrift as drift:
            return self._to_plan(str(drift), fails=True)
        if self.mode is ExtractMode.TIMESTAMP_CURSOR and self.state and self.state.read_until and self.cursor_column:
            since = self.cursor_start(self.state.read_until, self.state.read_at)
            strategy += f" {since:%Y-%m-%d %H:%M:%S} UTC ({self.cursor_column.name})"
        elif self.mode is ExtractMode.KEY_CURSOR and self.state and self.state.last_key is not None:
            after = self.state.last_key - self.table.batch_size
            strategy += f" {self.source_table.key[0]} {after}"
        elif self.mode is ExtractMode.FULL_COMPARE and self.existing and self.state:
            strategy += f", for {', '.join(self.new_columns)} is new" if self.new_columns else ", for it was in doubt"
        return self._to_plan(strategy, since=since, after=after)

    def _to_plan(
        self, strategy: str, *, since: datetime | None = None, after: int | None = None, fails: bool = False
    ) -> Plan:
        return Plan(
            table=self.table.name,
            importance=self.table.importance,
            strategy=strategy,
            rows=self.source_table.rows,
            since=since,
            after=after,
            fails=fails,
        )

    def unusable_key(self) -> EtlError:
        """What a load raises where two rows have one key in PostgreSQL, or a key is null there."""
        return EtlError(
            f"{self.relation}: by its key ({', '.join(self.source_table.staging_keys)}) two rows are one here, or a row"
            " has none: what PostgreSQL cannot hold, such as the date 0000-00-00 or a NUL character, is left out, and"
            " at the source keys differ by it. Nothing of the table was loaded. To read all its rows each time, name"
            f" it in read_whole of etl_assets/sources/{self.source.name}/tables.py and run: etl discover"
            f" {self.source.name}"
        )

    def check_schema(self) -> None:
        """Raise SchemaDrift where a column type or the key at the source differs from staging's."""
        if self.existing is not None:
            rerun_command = f"etl run {self.source.name} {self.table.name}"
            check_schema(self.relation, self.existing, self.source_table, self.views, rerun_command=rerun_command)


def plan_tables(
    settings: Settings, source: Source, tables: Collection[str], *, full_compare: bool = False
) -> list[Plan]:
    """Dry run: describe how each table would be read; only the catalogue of the source is queried.

    Raises:
        EtlError: The source is not set up, or refuses.
        TransientError: The source or the warehouse cannot be reached.
    """
    planned, failures = plan_extraction(settings, source, tables, full_compare=full_compare)
    plans = [
        *(plan.describe() for plan in planned),
        *(_failed_plan(source.copied_table(name), failure) for name, failure in failures.items()),
    ]
    return sorted(plans, key=lambda plan: IMPORTANCES.index(plan.importance))


def _failed_plan(table: CopiedTable, failure: EtlError) -> Plan:
    is_absent = isinstance(failure, NotAtSource)
    return Plan(table=table.name, importance=table.importance, strategy=str(failure), rows=0, fails=not is_absent)


def plan_extraction(
    settings: Settings,
    source: Source,
    tables: Collection[str],
    *,
    full_compare: bool = False,
    source_is_idle: bool = False,
) -> tuple[list[TablePlan], dict[str, EtlError]]:
    """Choose the extract mode of each table; sorted by importance, then size descending.

    Returns:
        The plans, and why there is none for a table.

    Raises:
        EtlError, TransientError: As `plan_tables`.
    """
    with connect(settings) as connection:
        warehouse = WarehouseState(
            existing_tables(connection, source.schema),
            extractions(connection, source.name),
            key_ranges(connection, source.name),
            header_digests(connection, source.name),
            dependent_views(connection, source.schema),
        )
        erased = tombstones(connection, source.name) if source.database.subjects else []
    given = settings.of_source(source.name)
    source.require_settings(given)
    catalogue = source.database.catalogue
    classification = catalogue.classification if catalogue else None
    with_free_text = is_free_text_asked_for(source, given)
    key = erasure_key(settings, source, erased) if erased else None
    with closing(source.database.connect(given)) as reader:
        described = list(reader.describe(None if classification or key else sorted(tables)).values())
        source_tables = {table.staging_name: table for table in described}
        if not source_tables and not reader.describe():
            raise EtlError(f"{source.title} shows no table: is it the right database, and may the account read it?")
        kept, refused = leave_out_erased(reader, source, described, key, erased) if key else ({}, {})
    plans, failures = [], {}
    for name in tables:
        try:
            if name in refused:
                raise refused[name]
            check_table_names(source, name, described)
            table = as_asked(source.copied_table(name), with_free_text=with_free_text)
            plan = _plan(source, table, source_tables.get(name), warehouse, full_compare=full_compare)
            source_table = replace(
                plan.source_table,
                erased=kept[name].erased if name in kept else (),
                expired=expired_rows(source, plan.table, plan.source_table),
            )
            plans.append(replace(plan, source_table=source_table, source_is_idle=source_is_idle))
        except EtlError as error:
            failures[name] = error
    plans.sort(key=lambda plan: (IMPORTANCES.index(plan.table.importance), -plan.source_table.size_bytes))
    if classification and plans:
        new = [each.staging_name for each in described if each.staging_name not in classification.tables]
        first = plans[0]  # whatever is loaded says it of whole tables
        plans[0] = replace(first, unclassified=(*first.unclassified, *(f"the table {name}" for name in sorted(new))))
    return plans, failures


def _plan(
    source: Source, table: CopiedTable, found: SourceTable | None, warehouse: WarehouseState, *, full_compare: bool
) -> TablePlan:
    relation = Relation(source.schema, table.name)
    if found is None:
        state = warehouse.extractions.get(str(relation))
        if state is None or not state.rows_held or table.is_optional:
            raise NotAtSource(f"{relation}: {source.title} has no table {table.name}.")
        raise EtlError(
            f"{relation}: {source.title} has no table {table.name} any more. The {state.rows_held:,} rows held of it"
            f" stay. Say so in etl_assets/sources/{source.name}, or run: etl discover {source.name} --check"
        )
    cursor_column = None
    if table.cursor and table.cursor.column.lower() not in found.staging_keys:
        cursor_column = next((each for each in found.columns if each.staging_name == table.cursor.column.lower()), None)
        if cursor_column is None:
            raise EtlError(
                f"{relation}: it is read by {table.cursor.column}, which {source.title} does not have any more. Nothing"
                f" of it was loaded. Run: etl discover {source.name}"
            )
    check_personal_columns(source, table, found)
    source_table = loaded_part(source, table, found)
    if cursor_column and cursor_column not in source_table.columns:
        raise EtlError(
            f"{relation}: it is read by {cursor_column.name}, which is not to be loaded. Let it be, or load it Full."
        )
    if not source_table.key and table.retain_deleted:
        raise EtlError(
            f"{relation}: it has no key, so nobody can tell which of its rows the source has deleted."
            " It cannot be one that keeps them."
        )
    ledger_state = warehouse.extractions.get(str(relation))
    is_existing = table.name in warehouse.existing
    return TablePlan(
        source=source,
        table=table,
        source_table=source_table,
        cursor_column=cursor_column,
        existing=warehouse.existing.get(table.name),
        state=ledger_state if is_existing else None,
        ledger_state=ledger_state,
        views={column: views for (name, column), views in warehouse.views.items() if name == table.name},
        ranges=tuple(warehouse.ranges.get(str(relation), ())) if is_existing else (),
        unclassified=tuple(table.classes.unclassified([each.staging_name for each in found.columns]))
        if table.classes
        else (),
        digests=warehouse.digests.get(str(relation)) if is_existing else None,
        full_compare=full_compare,
    )
