"""Compare the tables of an old pipeline with ours: row counts, column sums, keys, and which cells differ.

Values are compared as what they are: the old one is cast to our type (by `warehouse.database.old_target`), and floating
numbers count to the fourth decimal. Rows are compared range by range of their keys, so that two tables that
agree cost two scans each and no row leaves the server. Each side is read at one moment; what was written in between
differs.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal

import psycopg
from psycopg import sql

from etl_assets.declare.copied_table import IMPORTANCES, CopiedTable
from etl_assets.declare.database_reader import INTEGER_TYPES, ColumnSum
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError, TransientError
from etl_assets.quality.compared_table import ComparedTable, column_sums, differing_ranges
from etl_assets.settings import Settings
from etl_assets.warehouse.catalog import BATCH_COLUMN
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.old_target import ColumnSchema, TableSchema, cast_to_ours, table_schemas

RANGE_KEYS = 2_000
"""Keys of one range. In a range that differs, rows are compared one by one."""
MAX_RANGES = 50
SAMPLE = 5
SESSION = (
    "set timezone to 'UTC'; set datestyle to 'ISO, YMD'; set intervalstyle to 'postgres'; set extra_float_digits to 1;"
    " set bytea_output to 'hex'"
)
"""Both servers print and read values alike."""


@dataclass(frozen=True, kw_only=True)
class ColumnDifference:
    """A column whose values come to something else."""

    column: str
    old: ColumnSum
    new: ColumnSum


@dataclass(frozen=True, kw_only=True)
class CellDifference:
    """One cell that differs, of a row that both have. The values are withheld unless they were asked for."""

    key: str
    column: str
    old: str | None = None
    new: str | None = None


@dataclass(kw_only=True)
class TableComparison:
    """The result of comparing an old table with ours."""

    table: str
    importance: str | None
    """None of a table that is none of ours."""
    old_rows: int | None = None
    """None where there is no such table."""
    new_rows: int | None = None
    columns: list[ColumnDifference] = field(default_factory=list)
    only_old_columns: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Old columns that we deliberately do not load."""
    only_new_columns: list[str] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)
    """Columns of both in types that have no cast."""
    keys_only_old: int = 0
    keys_only_new: int = 0
    duplicate_keys_old: int = 0
    """Keys that occur more than once in the old table."""
    rows_differing: int = 0
    """Rows of both that differ in some cell."""
    is_complete: bool = True
    """Whether the four numbers above are of the whole table, and not of the first ranges that differ."""
    sample_only_old: list[str] = field(default_factory=list)
    sample_only_new: list[str] = field(default_factory=list)
    cells: list[CellDifference] = field(default_factory=list)
    failure: str | None = None
    """Why it could not be compared, or its keys not."""

    @property
    def verdict(self) -> str:
        """`equal`, `differs`, `only_old`, `only_new` or `failed`. Columns that one side lacks are no difference."""
        if self.failure:
            return "failed"
        if self.old_rows is None or self.new_rows is None:
            return "only_new" if self.old_rows is None else "only_old"
        differing = self.keys_only_old + self.keys_only_new + self.duplicate_keys_old + self.rows_differing
        return "differs" if differing or self.columns or self.old_rows != self.new_rows else "equal"

    @property
    def is_as_the_old_one(self) -> bool:
        """Whether nothing of the old table is missing here or different; one that is none of ours does not count."""
        return self.importance is None or self.verdict in {"equal", "only_new"}


def compare(
    settings: Settings,
    source: Source,
    tables: Collection[str] = (),
    *,
    old_schema: str = "raw",
    zone: str = "UTC",
    show_values: bool = False,
) -> Iterator[TableComparison]:
    """Compare tables, the most important ones first; without names all of ours, then those that only the old one has.

    Args:
        settings: ETL_<SOURCE>_OLD_URL says where the old target is; unset, it is in the warehouse.
        source: Whose tables.
        tables: Their names.
        old_schema: Where the old tables are.
        zone: The time zone of the old pipeline's timestamps that have none.
        show_values: Show the values of cells that differ; they may be of patients.

    Raises:
        EtlError: The old target refuses, or has no such schema.
        TransientError: It cannot be reached.
    """
    with ExitStack() as stack:
        new = stack.enter_context(connect(settings, role=None))
        url = settings.of_source(source.name).get("old_url")
        old = stack.enter_context(_connect(url, source.name)) if url else new
        for connection in {id(old): old, id(new): new}.values():
            connection.execute(SESSION)
            connection.commit()
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
        olds, ours = table_schemas(old, old_schema), table_schemas(new, source.schema)
        old.rollback()
        new.rollback()
        if not olds:
            raise EtlError(f"The old target has no table in schema {old_schema}, or the login may not see it.")
        wanted = [source.copied_table(table.name) for table in source.tables if not tables or table.name in tables]
        for table in sorted(wanted, key=lambda each: (_importance_rank(each), each.name)):
            comparison = TableComparison(table=table.name, importance=table.importance)
            work = _Comparer(comparison, table, old, new, zone, show_values)
            yield work.run(olds.get(table.name), ours.get(table.name))
        if not tables:
            yield from _only_old_tables(old, olds, {table.name for table in source.tables})


def _connect(url: str, source: str) -> psycopg.Connection:
    try:
        return psycopg.connect(url, application_name="etl_assets", connect_timeout=15)
    except psycopg.OperationalError as error:
        kind = EtlError if "FATAL" in str(error) else TransientError
        raise kind(f"What ETL_{source.upper()}_OLD_URL names cannot be reached: {type(error).__name__}.") from None
    except psycopg.ProgrammingError:
        raise EtlError(f"ETL_{source.upper()}_OLD_URL is no URL of PostgreSQL's.") from None


def _importance_rank(table: CopiedTable) -> int:
    return IMPORTANCES.index(table.importance)


def _only_old_tables(
    connection: psycopg.Connection, olds: Mapping[str, TableSchema], known: Collection[str]
) -> Iterator[TableComparison]:
    for name, table in olds.items():
        if name not in known:
            with connection.transaction():
                row = connection.execute(sql.SQL("select count(*) from {}").format(table.identifier)).fetchone()
            yield TableComparison(table=name, importance=None, old_rows=row[0] if row else 0)


@dataclass
class _Comparer:
    """Compares one table."""

    found: TableComparison
    table: CopiedTable
    old_connection: psycopg.Connection
    new_connection: psycopg.Connection
    zone: str
    show_values: bool

    def run(self, old: TableSchema | None, ours: TableSchema | None) -> TableComparison:
        """Compare, and return what differs."""
        try:
            with self.old_connection.transaction(), self.new_connection.transaction():
                compared = self._compared_tables(old, ours)
                if compared:
                    self._compare(*compared)
        except psycopg.Error as error:
            # The server's own message may quote a value.
            self.found.failure = f"could not be read: {type(error).__name__} ({error.sqlstate})"
        return self.found

    def _compared_tables(
        self, old: TableSchema | None, ours: TableSchema | None
    ) -> tuple[ComparedTable, ComparedTable] | None:
        """Both tables with their common columns; the others are noted."""
        if old is None or ours is None:
            self.found.old_rows = _count(self.old_connection, old)
            self.found.new_rows = _count(self.new_connection, ours)
            return None
        common: dict[str, tuple[ColumnSchema, sql.Composable]] = {}
        for name, column in ours.columns.items():
            if name == BATCH_COLUMN:
                continue
            if name not in old.columns:
                self.found.only_new_columns.append(name)
            elif converted := cast_to_ours(old.columns[name], column, zone=self.zone):
                common[name] = (column, converted)
            else:
                self.found.not_compared.append(name)
        only_old = [name for name in old.columns if name not in ours.columns]
        self.found.left_out = self.table.left_out(only_old)
        self.found.only_old_columns = [name for name in only_old if name not in self.found.left_out]
        types = {name: column.kind for name, (column, _) in common.items()}
        old_expressions = {name: converted for name, (_, converted) in common.items()}
        our_expressions = {name: sql.Identifier(column.name) for name, (column, _) in common.items()}
        return ComparedTable(self.old_connection, old, old_expressions, types), ComparedTable(
            self.new_connection, ours, our_expressions, types
        )

    def _compare(self, old: ComparedTable, new: ComparedTable) -> None:
        old_sums, new_sums = column_sums(old), column_sums(new)
        self.found.old_rows, self.found.new_rows = old_sums.rows, new_sums.rows
        self.found.columns = [
            ColumnDifference(column=name, old=old_sum, new=new_sums.columns[name])
            for name, old_sum in old_sums.columns.items()
            if old_sum != new_sums.columns[name]
        ]
        if not self.table.keys:
            return  # nothing tells its rows apart
        if not set(self.table.keys) <= set(new.columns):
            self.found.failure = (
                f"the old table has not the key {', '.join(self.table.keys)}; its sums alone were compared"
            )
            return
        differing = differing_ranges(old, new, self._range(new))
        self.found.is_complete = len(differing) <= MAX_RANGES
        looked_at = differing[:MAX_RANGES]
        if looked_at:
            self._compare_rows(old, new, looked_at)

    def _key(self) -> sql.Composed:
        parts = [sql.SQL("{}::text").format(sql.Identifier(name)) for name in self.table.keys]
        return sql.SQL("concat_ws('|', {})").format(sql.SQL(", ").join(parts))

    def _range(self, side: ComparedTable) -> sql.Composed:
        """The range that a row is in: by its key where that is a number, else by a hash of it."""
        name, *more = self.table.keys
        if not more and side.types[name] in INTEGER_TYPES:
            return sql.SQL("div({}::numeric, {})").format(sql.Identifier(name), sql.Literal(RANGE_KEYS))
        ranges = max(1, max(self.found.old_rows or 0, self.found.new_rows or 0) // RANGE_KEYS)
        return sql.SQL("(('x' || left(md5({}), 7))::bit(28)::integer % {})::numeric").format(
            self._key(), sql.Literal(ranges)
        )

    def _compare_rows(self, old: ComparedTable, new: ComparedTable, ranges: Sequence[Decimal | None]) -> None:
        within = sql.SQL("coalesce({}, -1) = any({})").format(
            self._range(new), sql.Literal([-1 if each is None else each for each in ranges])
        )
        parts = {"key": self._key(), "checksum": new.row_checksum, "within": within}
        query = "select {key}, {checksum} from converted where {within}"
        old_rows: dict[str, list[object]] = defaultdict(list)
        for key, number in old.query(query, **parts):
            old_rows[str(key)].append(number)
        new_rows = {str(key): number for key, number in new.query(query, **parts)}
        only_old, only_new = sorted(old_rows.keys() - new_rows), sorted(new_rows.keys() - old_rows)
        differing = sorted(key for key in old_rows.keys() & new_rows if new_rows[key] not in old_rows[key])
        self.found.keys_only_old, self.found.sample_only_old = len(only_old), only_old[:SAMPLE]
        self.found.keys_only_new, self.found.sample_only_new = len(only_new), only_new[:SAMPLE]
        self.found.duplicate_keys_old = sum(len(numbers) > 1 for numbers in old_rows.values())
        self.found.rows_differing = len(differing)
        if differing:
            self.found.cells = self._cells(old, new, differing[:SAMPLE], within)

    def _cells(
        self, old: ComparedTable, new: ComparedTable, keys: Sequence[str], within: sql.Composable
    ) -> list[CellDifference]:
        names = list(new.columns)
        forms = [sql.SQL("({})::text").format(new.comparable(name)) for name in names]
        values = [sql.SQL("{}::text").format(sql.Identifier(name)) for name in names]
        parts = {
            "key": self._key(),
            "forms": sql.SQL(", ").join(forms),
            "values": sql.SQL(", ").join(values),
            "keys": sql.Literal(list(keys)),
            "within": within,
        }
        query = "select {key}, array[{forms}], array[{values}] from converted where {within} and {key} = any({keys})"
        of_old = {key: (compared, texts) for key, compared, texts in old.query(query, **parts)}
        of_new = {key: (compared, texts) for key, compared, texts in new.query(query, **parts)}
        return [
            CellDifference(
                key=key,
                column=name,
                old=of_old[key][1][place] if self.show_values else None,
                new=of_new[key][1][place] if self.show_values else None,
            )
            for key in keys
            for place, name in enumerate(names)
            if of_old[key][0][place] != of_new[key][0][place]
        ]


def _count(connection: psycopg.Connection, table: TableSchema | None) -> int | None:
    if table is None:
        return None
    row = connection.execute(sql.SQL("select count(*) from {}").format(table.identifier)).fetchone()
    return row[0] if row else 0
